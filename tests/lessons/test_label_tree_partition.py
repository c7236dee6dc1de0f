from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from xmlwb.datasets import load
from xmlwb.lessons.label_tree_partition import (
    PartitionSketch,
    grouped_directions,
    labels_in_the_plane,
    partition_steps,
)
from xmlwb.solvers.label_clustering import split_by_k_means, split_in_halves


def unit_vectors(n: int, D: int, seed: int) -> np.ndarray:
    V = np.random.default_rng([seed, n]).normal(size=(n, D))
    return (V / np.linalg.norm(V, axis=1, keepdims=True)).astype(np.float32)


def as_sets(groups) -> list[set[int]]:
    return [set(np.asarray(group).tolist()) for group in groups if len(group)]


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.sampled_from([2, 5]), st.integers(0, 2**31 - 1))
def test_the_halves_are_those_of_the_library(n: int, D: int, seed: int) -> None:
    V = unit_vectors(n, D, seed)
    last = partition_steps(V, random_state=seed)[-1]
    wanted = split_in_halves(csr_array(V), np.arange(n), seed)
    assert as_sets(np.flatnonzero(last.side == k) for k in (0, 1)) == as_sets(wanted)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(2, 6), st.integers(0, 2**31 - 1))
def test_the_clusters_are_those_of_the_library(n: int, K: int, seed: int) -> None:
    K, V = min(n, K), unit_vectors(n, 4, seed)
    last = partition_steps(V, K, balanced=False, random_state=seed)[-1]
    wanted = split_by_k_means(csr_array(V), np.arange(n), K, seed)
    assert as_sets(np.flatnonzero(last.side == k) for k in range(K)) == as_sets(wanted)


@pytest.mark.parametrize("seed", range(8))
def test_every_step_does_what_its_name_says(seed: int) -> None:
    V = unit_vectors(31, 2, seed).astype(np.float64)
    steps = partition_steps(V, random_state=seed)
    assert [step.phase for step in steps[:4]] == ["start", "assign", "balance", "move"]
    for before, step in pairwise(steps):
        cosines = V @ step.directions.T
        if step.phase == "assign":
            assert (step.side == cosines.argmax(axis=1)).all()
        if step.phase == "balance":
            assert np.bincount(step.side).tolist() == [16, 15]
            gap = cosines[:, 0] - cosines[:, 1]
            assert ((gap > step.cut) == (step.side == 0)).all()
            largest = np.sort(gap)[::-1]
            assert gap[step.side == 0].sum() == pytest.approx(largest[:16].sum())  # the best of all equal halves
        if step.phase == "move":
            assert not step.moved.any()
            for k in (0, 1):
                mean = V[step.side == k].sum(axis=0)
                assert step.directions[k] == pytest.approx(mean / np.linalg.norm(mean))
            assert step.objective >= before.objective - 1e-12
        elif before.phase != "start":
            assert (step.moved == (step.side != before.side)).all()
        own = [float(v @ step.directions[k]) for v, k in zip(V, step.side, strict=True)]
        assert step.objective == pytest.approx(np.mean(own))
    balanced = [step.objective for step in steps if step.phase == "move"]
    assert (np.diff(balanced) >= -1e-12).all()


def test_the_first_assignment_moves_nobody_and_a_given_start_is_taken() -> None:
    V = grouped_directions((5, 5), (0, 90), spread=1.0)
    steps = partition_steps(V, start=[0, 9])
    assert not steps[1].moved.any()
    assert steps[0].directions == pytest.approx(V[[0, 9]])
    assert steps[-1].side.tolist() == [0] * 5 + [1] * 5


def test_a_small_group_is_cut_out_only_where_sides_may_differ() -> None:
    V = grouped_directions((12, 4), (20, 160), spread=3.0)
    free = partition_steps(V, balanced=False, start=[0, 15])[-1].side
    equal = partition_steps(V, start=[0, 15])[-1].side
    assert free.tolist() == [0] * 12 + [1] * 4
    assert np.bincount(equal).tolist() == [8, 8]


@pytest.mark.parametrize(("K", "balanced", "said"), [(3, True, "wanted 2"), (9, False, "number of labels, 4")])
def test_what_cannot_be_parted_is_said(K: int, balanced: bool, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        partition_steps(np.eye(4), K, balanced=balanced)


def test_the_plane_of_real_labels_keeps_what_it_can() -> None:
    ds = load("debtags")
    V, names = labels_in_the_plane(ds, 30)
    assert np.linalg.norm(V, axis=1) == pytest.approx(np.ones(30))
    counts = np.asarray(ds.Y_train.sum(axis=0))
    frequent = np.argsort(-counts, kind="stable")[:30]
    assert names == [ds.label_names[label] for label in frequent]
    sums = (ds.Y_train[:, frequent].T @ ds.X_train).toarray().astype(np.float64)
    C = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    U, s, _ = np.linalg.svd(C - C.mean(axis=0), full_matrices=False)
    P = U[:, :2] * s[:2]
    P /= np.linalg.norm(P, axis=1, keepdims=True)
    cosines = V @ V.T
    assert cosines == pytest.approx(P @ P.T, abs=1e-3)


def test_a_sketch_runs_and_says_each_step() -> None:
    sketch = PartitionSketch()
    steps = sketch.run("a group of 64 and one of 16", random_state=1)
    titles = [sketch.draw(steps, at).layout.title.text for at in range(len(steps))]
    assert "Start: a label drawn at random, and the one least like it" in titles[0]
    V = sketch.scenes["a group of 64 and one of 16"][0]
    one, other = steps[0].directions
    assert float(one @ other) == pytest.approx((V @ one).min())
    other_run = sketch.run("three groups of 27", 3)  # two figures may share a sketch
    assert "Start: labels drawn at random" in sketch.draw(other_run, 0).layout.title.text
    assert len(sketch.draw(steps, 0).data[0].x) == 80
    assert titles[-1].endswith("<b>Done.</b>")
    assert "sides of 40, 40" in titles[2]
    assert sum("Done" in title for title in titles) == 1
    assert len(sketch.run("no groups", 4, balanced=True)[0].directions) == 4
