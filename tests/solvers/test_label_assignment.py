from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers.label_assignment import assign_labels, choose_labels

QUICK = settings(max_examples=40, deadline=None)


def hits(order: np.ndarray, is_true: np.ndarray, chosen: set[int], k: int) -> int:
    """True labels among the first k of the chosen ones, summed over the instances."""
    total = 0
    for ranking, truth in zip(order, is_true, strict=True):
        places = [r for r, label in enumerate(ranking) if label in chosen][:k]
        total += int(truth[places].sum())
    return total


def leaf(seed: int, m: int = 6, K: int = 8):
    rng = np.random.default_rng(seed)
    order = np.array([rng.permutation(K) for _ in range(m)], dtype=np.int32)
    is_true = rng.random((m, K)) < np.linspace(0.6, 0.1, K)  # the base is right more often at the top
    counts = np.bincount(order[is_true], minlength=K).astype(np.float32)
    return order, is_true, counts


@QUICK
@given(st.integers(0, 2**31), st.integers(1, 3), st.integers(1, 5))
def test_each_label_that_comes_next_adds_as_much_as_any_could(seed: int, k: int, n_labels: int) -> None:
    order, is_true, counts = leaf(seed)
    before: set[int] = set()
    for size in range(1, n_labels + 1):
        chosen = set(np.flatnonzero(choose_labels(order, is_true, counts, size, k)))
        assert len(chosen - before) == len(chosen) - len(before) == 1
        best = max(hits(order, is_true, before | {label}, k) for label in range(8) if label not in before)
        if best <= hits(order, is_true, before, k):  # from here on the places below k decide
            return
        assert hits(order, is_true, chosen, k) == best
        before = chosen
    if n_labels <= k:  # nothing is pushed out: the most frequent labels are best, and greedy finds them
        assert hits(order, is_true, chosen, k) == max(
            hits(order, is_true, set(S), k) for S in combinations(range(8), n_labels)
        )


def test_greedy_choice_loses_little_on_average() -> None:
    parts = []
    for seed in range(100):
        order, is_true, counts = leaf(seed)
        chosen = set(np.flatnonzero(choose_labels(order, is_true, counts, 3, 2)))
        best = max(hits(order, is_true, set(S), 2) for S in combinations(range(8), 3))
        parts.append(hits(order, is_true, chosen, 2) / best)
    assert np.mean(parts) > 0.95
    assert np.mean(np.array(parts) == 1) > 0.6


@QUICK
@given(st.integers(0, 2**31), st.integers(1, 3))
def test_each_label_is_one_that_adds_most(seed: int, k: int) -> None:
    order, is_true, counts = leaf(seed, m=10)
    so_far: set[int] = set()
    for n_labels in range(1, 8):
        chosen = set(np.flatnonzero(choose_labels(order, is_true, counts, n_labels, k)))
        assert so_far < chosen
        gains = {
            label: hits(order, is_true, so_far | {label}, k) - hits(order, is_true, so_far, k)
            for label in set(range(8)) - so_far
        }
        if max(gains.values()) <= 0:
            break  # from here on at 2 k
        (new,) = chosen - so_far
        assert (gains[new], counts[new]) == max((gain, counts[label]) for label, gain in gains.items())
        so_far = chosen


def test_a_label_that_only_pushes_others_out_comes_last() -> None:
    order = np.array([[0, 1, 2]] * 4, dtype=np.int32)  # label 0 stands first for all and is true for none
    is_true = np.array([[False, True, False]] * 3 + [[False, False, True]])
    counts = np.array([0, 3, 1], dtype=np.float32)
    assert choose_labels(order, is_true, counts, 2, 1).tolist() == [False, True, True]
    assert choose_labels(order, is_true, counts, 3, 1).tolist() == [True, True, True]


def test_labels_beyond_the_rankings_come_by_frequency() -> None:
    order = np.full((3, 2), -1, dtype=np.int32)  # the base ranks nothing
    chosen = choose_labels(order, np.zeros((3, 2), dtype=bool), np.array([1, 5, 3, 5], dtype=np.float32), 3, 1)
    assert chosen.tolist() == [False, True, True, True]


def base(seed: int):
    rng = np.random.default_rng(seed)
    n, d, L = 60, 15, 12
    X = sparse.random_array((n, d), density=0.4, format="csr", dtype=np.float32, rng=rng)
    W = sparse.csr_array((rng.normal(size=(L, d)) * (rng.random((L, d)) < 0.5)).astype(np.float32))
    bias = rng.normal(size=L).astype(np.float32)
    Y = sparse.csr_array(((X @ W.T).toarray() + rng.normal(size=(n, L)) > 1.0).astype(np.float32))
    return X, Y, W, bias, rng.integers(3, size=n)


@QUICK
@given(st.integers(0, 2**31), st.sampled_from([1, 2]))
def test_leaves_keep_what_their_own_rankings_ask_for(seed: int, n_jobs: int) -> None:
    X, Y, W, bias, leaves = base(seed)
    bias[3] = -np.inf
    S, truth = (X @ W.T).toarray() + bias, Y.toarray()
    n_labels = np.array([4, 12, 1, 5])  # the last leaf has no instance
    kept = assign_labels(X, Y, W, bias, leaves, 4, n_labels, 2, n_jobs=n_jobs)
    assert kept.has_canonical_format
    for number in range(4):
        rows = np.flatnonzero(leaves == number)
        occur = np.flatnonzero(truth[rows].any(axis=0) & np.isfinite(bias))
        order = np.argsort(-S[np.ix_(rows, occur)], axis=1, kind="stable").astype(np.int32)
        is_true = np.take_along_axis(truth[np.ix_(rows, occur)] > 0, order, axis=1)
        counts = truth[np.ix_(rows, occur)].sum(axis=0).astype(np.float32)
        wanted = occur[choose_labels(order, is_true, counts, n_labels[number], 2)] if len(occur) else occur
        row = kept[[number]]
        assert row.indices.tolist() == wanted.tolist()
        np.testing.assert_allclose(row.data, truth[np.ix_(rows, wanted)].mean(axis=0) if len(rows) else [], rtol=1e-6)


def test_batches_of_leaves_change_nothing(monkeypatch) -> None:
    X, Y, W, bias, leaves = base(0)
    whole = assign_labels(X, Y, W, bias, leaves, 3, np.full(3, 4), 2)
    monkeypatch.setattr("xmlwb.solvers.label_assignment.BATCH", 5)
    parts = assign_labels(X, Y, W, bias, leaves, 3, np.full(3, 4), 2)
    np.testing.assert_array_equal(whole.toarray(), parts.toarray())
