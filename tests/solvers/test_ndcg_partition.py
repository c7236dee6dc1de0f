"""The steps of a node's partition against all 2^n partitions and all rankings of tiny problems."""

from __future__ import annotations

from itertools import pairwise, permutations, product

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.instance_tree_growth import grow_tree
from xmlwb.solvers.ndcg_partition import PartitionStep, gain_shares, partition_steps

N_LABELS = 4


def tiny(seed: int, n: int = 7) -> tuple[sparse.csr_array, sparse.csr_array]:
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, 9), density=0.5, format="csr", dtype=np.float32, rng=rng)
    Y = rng.random((n, N_LABELS)) < 0.4
    Y[0], Y[1] = False, True  # an instance without labels, and one with all
    return X, sparse.csr_array(Y.astype(np.float32))


def ndcg(y: np.ndarray, ranking: tuple[int, ...], gains: np.ndarray) -> float:
    """By its definition, for one instance and a ranking of all labels, best first."""
    discount = 1 / np.log2(np.arange(2, len(ranking) + 2))
    reached = sum(gains[label] * y[label] * discount[place] for place, label in enumerate(ranking))
    ideal = np.sort(gains * y)[::-1] @ discount
    return reached / ideal if ideal > 0 else 0.0


def steps_of(X, Y, seed: int, gains: np.ndarray | None) -> tuple[list[PartitionStep], np.ndarray]:
    """The steps, and for every ranking of the labels the nDCG of every instance."""
    steps = list(partition_steps(X, Y, seed=seed, gains=gains, C=5.0))
    g = np.ones(N_LABELS) if gains is None else gains
    table = np.array([[ndcg(y, r, g) for y in Y.toarray()] for r in permutations(range(N_LABELS))])
    return steps, table


def row_of(ranking: np.ndarray) -> int:
    return list(permutations(range(N_LABELS))).index(tuple(ranking.tolist()))


@pytest.mark.parametrize("gains", [None, np.array([1.0, 3.0, 0.5, 7.0])], ids=["gain 1", "by propensity"])
@pytest.mark.parametrize("seed", range(6))
def test_each_step_is_the_best_there_is(seed: int, gains: np.ndarray | None) -> None:
    X, Y = tiny(seed)
    steps, table = steps_of(X, Y, seed, gains)
    assert [step.kind for step in steps[:3]] == ["start", "ranking", "sign"]
    n = X.shape[0]
    for before, step in pairwise(steps):
        if step.kind == "start":  # again
            same = before.ranking_plus.tolist() == before.ranking_minus.tolist()
            assert same or len(np.unique(before.delta)) == 1
            continue
        plus, minus = table[row_of(step.ranking_plus)], table[row_of(step.ranking_minus)]
        assert step.objective == pytest.approx(np.where(step.delta > 0, plus, minus).mean(), abs=1e-6)
        if step.kind == "ranking":  # no pair of rankings does better with these sides
            np.testing.assert_array_equal(step.delta, before.delta)
            on_plus = step.delta > 0
            best = table[:, on_plus].sum(axis=1).max() + table[:, ~on_plus].sum(axis=1).max()
            assert step.objective * n == pytest.approx(best, abs=1e-5)
        if step.kind == "sign":  # no other sides do better with these rankings: all 2^n are tried
            every = (np.where(np.array(sides), plus, minus).sum() for sides in product([False, True], repeat=n))
            assert step.objective * n == pytest.approx(max(every), abs=1e-5)
            same = np.isclose(plus, minus, atol=1e-7)
            np.testing.assert_array_equal(step.delta[same], before.delta[same])
        if step.kind in ("ranking", "sign") and before.kind != "start":  # the objective never falls
            assert step.objective >= before.objective - 1e-7


def test_it_ends_where_nobody_moves_and_the_separator_takes_over() -> None:
    X, Y = tiny(1, n=12)
    *_, last_ranking, last_sign, separator = partition_steps(X, Y, seed=2, C=50.0)
    assert (last_ranking.kind, last_sign.kind, separator.kind) == ("ranking", "sign", "separator")
    np.testing.assert_array_equal(last_ranking.delta, last_sign.delta)
    np.testing.assert_array_equal(separator.delta, np.where(X @ separator.w + separator.bias >= 0, 1, -1))
    assert not last_sign.w.any()
    assert separator.w.any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    X, Y = tiny(1)
    with pytest.raises(ValueError, match="do not fit together"):
        next(partition_steps(X, Y, gains=np.ones(N_LABELS + 1)))
    with pytest.raises(ValueError, match="do not fit together"):
        next(partition_steps(X[1:], Y))


def test_equal_sums_rank_the_lower_label_first() -> None:
    Y = sparse.csr_array(np.ones((5, N_LABELS), dtype=np.float32))
    steps = list(partition_steps(sparse.csr_array(np.eye(5, dtype=np.float32)), Y, seed=0))
    assert steps[1].ranking_plus.tolist() == steps[1].ranking_minus.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(steps[1].delta, steps[0].delta)


def test_without_any_labels_nobody_moves() -> None:
    X = sparse.csr_array(np.eye(6, dtype=np.float32))
    steps = list(partition_steps(X, sparse.csr_array((6, 3), dtype=np.float32), seed=1))
    assert [step.kind for step in steps[:3]] == ["start", "ranking", "sign"]
    np.testing.assert_array_equal(steps[0].delta, steps[2].delta)
    assert steps[2].objective == 0


def test_a_start_that_leads_nowhere_is_tried_again() -> None:
    Y = np.zeros((40, 2), dtype=np.float32)
    Y[:22, 0], Y[22:, 1] = 1, 1
    X = sparse.csr_array(Y)
    starts = []
    for seed in range(10):
        steps = list(partition_steps(X, sparse.csr_array(Y), seed=seed, C=20.0))
        starts.append([step.kind for step in steps].count("start"))
        assert steps[-1].kind == "separator"
        assert len(np.unique(steps[-1].delta[:22])) == len(np.unique(steps[-1].delta[22:])) == 1
        assert steps[-1].objective == 1
    assert min(starts) == 1 < max(starts)


def test_after_ten_starts_without_a_reason_the_separator_learns_the_last_sides() -> None:
    Y = sparse.csr_array(np.eye(20, 3, dtype=np.float32)[np.zeros(20, dtype=int)])  # all alike: one ranking, always
    steps = list(partition_steps(sparse.csr_array(np.eye(20, dtype=np.float32)), Y, seed=0, C=50.0))
    assert [step.kind for step in steps].count("start") == 10
    assert steps[-1].kind == "separator"
    np.testing.assert_array_equal(steps[-1].delta, steps[-2].delta)


def test_the_seed_decides_the_start() -> None:
    X, Y = tiny(0, n=40)
    first, again, other = (next(partition_steps(X, Y, seed=seed)).delta for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert 5 < (first > 0).sum() < 35


def test_a_tree_begins_with_these_very_steps() -> None:
    X, Y = tiny(3, n=60)
    *_, last = partition_steps(X, Y, seed=9, C=5.0)
    assert last.kind == "separator"
    tree = grow_tree(X, Y, gain_shares(Y), np.ones(N_LABELS), C=5.0, seed=9)
    np.testing.assert_array_equal(tree.separators[[0]].toarray()[0], last.w)
    assert tree.bias[0] == np.float32(last.bias)
    minus, plus = (tree.rows_at(X)[child] for child in tree.children[0])
    np.testing.assert_array_equal(np.flatnonzero(last.delta > 0), plus)
    np.testing.assert_array_equal(np.flatnonzero(last.delta < 0), minus)


def test_shares_of_the_gain() -> None:
    Y = sparse.csr_array(np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], dtype=np.float32))
    np.testing.assert_allclose(gain_shares(Y), [1 / (1 + 1 / np.log2(3))] * 2 + [1], rtol=1e-6)
    gains = np.array([2.0, 5.0, 4.0])
    ideal = 4 + 2 / np.log2(3)
    np.testing.assert_allclose(gain_shares(Y, gains), [2 / ideal, 4 / ideal, 1], rtol=1e-6)
