from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers.input_partition import GrowingTree, split_in_two, unit_rows

QUICK = settings(max_examples=25, deadline=None)


def objective(X: np.ndarray, weights: np.ndarray, side: np.ndarray) -> float:
    """Weighted similarities to the two best centres: the lengths of the weighted sums."""
    return sum(float(np.linalg.norm((weights[:, None] * X)[side == s].sum(axis=0))) for s in (False, True))


def random_units(rng: np.random.Generator, m: int, d: int) -> sparse.csr_array:
    X = rng.random((m, d)) * (rng.random((m, d)) < 0.6) + 1e-3 * rng.random((m, d))
    return unit_rows(sparse.csr_array(X.astype(np.float32)))


@QUICK
@given(st.integers(0, 2**31))
def test_the_best_of_some_starts_is_the_best_partition_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = random_units(rng, 7, 4)
    weights = rng.uniform(0.1, 1, 7).astype(np.float32)
    dense = X.toarray().astype(np.float64)
    possible = max(objective(dense, weights, np.array([False, *rest])) for rest in product((False, True), repeat=6))
    splits = [split_in_two(X, np.arange(7), weights, start, min_share=0) for start in range(40)]
    found = [objective(dense, weights, split.side) for split in splits if split is not None]
    assert max(found) == pytest.approx(possible, rel=1e-3)  # it ends when a turn gains less than 1e-4
    assert np.mean(found) > 0.9 * possible


@QUICK
@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.1, 0.5]))
def test_sides_are_those_of_the_rule_and_none_is_small(seed: int, min_share: float) -> None:
    rng = np.random.default_rng(seed)
    X = random_units(rng, 40, 12)
    rows = rng.permutation(40)[:30]
    split = split_in_two(X, rows, np.ones(40, dtype=np.float32), seed, min_share=min_share)
    assert split is not None
    assert (np.diff(split.features) > 0).all()
    values = X[rows].toarray().astype(np.float64)[:, split.features] @ split.values + split.bias
    np.testing.assert_array_equal(split.side[np.abs(values) > 1e-6], values[np.abs(values) > 1e-6] >= 0)
    assert max(1, int(30 * min_share)) <= split.side.sum() <= 30 - max(1, int(30 * min_share))


def test_an_instance_without_weight_does_not_pull() -> None:
    X = unit_rows(sparse.csr_array(np.array([[1, 0.1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 1]], dtype=np.float32)))
    heavy = np.array([1, 1, 1, 0], dtype=np.float32)
    (direction,) = {
        tuple(np.sign(split.values * (1 if split.side[2] else -1)))
        for split in (split_in_two(X, np.arange(4), heavy, seed) for seed in range(20))
        if split is not None and split.side.sum() == 2 and split.side[0] == split.side[1]
    }
    assert direction == (-1, -1, 1)  # feature 1 is that of the first two: the last one has no say


def test_instances_of_one_direction_do_not_come_apart() -> None:
    X = unit_rows(sparse.csr_array(np.outer(np.arange(1, 9), [1, 2, 0]).astype(np.float32)))
    assert split_in_two(X, np.arange(8), np.ones(8, dtype=np.float32), 0) is None
    nothing = sparse.csr_array((8, 3), dtype=np.float32)
    assert split_in_two(nothing, np.arange(8), np.ones(8, dtype=np.float32), 0) is None


def test_unit_rows_have_length_one_and_zeros_stay() -> None:
    X = sparse.csr_array(np.array([[3, -4], [0, 0], [1e-30, 0]], dtype=np.float32))
    np.testing.assert_allclose(unit_rows(X).toarray(), [[0.6, -0.8], [0, 0], [1, 0]], rtol=1e-6)
    assert X.data[0] == 3


def test_a_grown_tree_sends_its_instances_where_they_went() -> None:
    rng = np.random.default_rng(0)
    X = random_units(rng, 300, 20)
    tree = GrowingTree(300, seed=5)
    went = {0: np.arange(300)}
    for level in range(4):
        assert [len(tree.rows[node]) > 0 for node in tree.waiting] == [True] * len(tree.waiting)
        begin = tree.waiting.start
        tree.add_level([
            split_in_two(X, tree.rows[node], np.ones(300, dtype=np.float32), tree.seed + node) if node % 3 < 2 else None
            for node in tree.waiting
        ])  # fmt: skip
        assert sum(map(len, tree.rows[:begin])) == sum(map(len, tree.rows[begin : tree.waiting.start])) == 0
        went |= {node: tree.rows[node] for node in tree.waiting}
        finished = tree.finish(20)
        assert finished.n_nodes == len(tree.rows) == len(went)
        for node, reached in enumerate(finished.rows_at(X)):
            np.testing.assert_array_equal(reached, np.sort(went[node]))
        assert finished.depth.max() == level + 1
