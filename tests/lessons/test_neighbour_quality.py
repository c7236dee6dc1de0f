"""Neighbour quality against brute force and against embeddings whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons.neighbour_quality import (
    NeighbourQuality,
    found_share,
    nearest_labels,
    same_kind,
    strongest_neighbours,
)

KINDS = [(str(label // 4),) for label in range(12)]


def grouped_labels(n: int = 400, seed: int = 0) -> csr_array:
    """Twelve labels in three groups of four; a document carries labels of one group."""
    rng = np.random.default_rng(seed)
    Y = np.zeros((n, 12), dtype=np.float32)
    group = rng.integers(3, size=n)
    for i in range(n):
        Y[i, 4 * group[i] : 4 * group[i] + 4] = rng.random(4) < 0.6
    return csr_array(Y)


def test_nearest_labels_are_those_of_the_largest_cosine() -> None:
    rng = np.random.default_rng(1)
    V = rng.normal(size=(30, 5))
    V[4] = 0
    among = rng.random(30) < 0.8
    among[[4, 5]] = True
    found = nearest_labels(V, 6, among)
    for label in range(30):
        if not among[label] or label == 4:
            assert (found[label] == -1).all()
            continue
        others = [o for o in np.flatnonzero(among) if o not in (label, 4)]
        cosine = {o: V[o] @ V[label] / np.linalg.norm(V[o]) for o in others}
        assert found[label].tolist() == sorted(others, key=lambda o: -cosine[o])[:6]


def test_few_labels_and_equal_directions_leave_no_label_its_own_neighbour() -> None:
    found = nearest_labels(np.ones((5, 2)), 3)
    assert all(label not in row for label, row in enumerate(found.tolist()))
    assert nearest_labels(np.eye(2), 4).tolist() == [[1, -1, -1, -1], [0, -1, -1, -1]]
    assert (nearest_labels(np.eye(2), 4, np.array([True, False])) == -1).all()


def test_strongest_neighbours_are_those_of_the_largest_column_cosine() -> None:
    Y = csr_array((np.random.default_rng(2).random((80, 9)) < 0.2).astype(np.float32))
    before = Y.copy()
    among = np.arange(9) != 3
    found = strongest_neighbours(Y, 4, among)
    dense = Y.toarray()
    for label in range(9):
        shared = {o: dense[:, o] @ dense[:, label] / np.sqrt(dense[:, o].sum()) for o in range(9) if o != label}
        wanted = sorted((o for o in shared if shared[o] > 0 and among[o] and among[label]), key=lambda o: -shared[o])
        strengths = [shared[o] for o in found[label] if o >= 0]
        assert strengths == pytest.approx([shared[o] for o in wanted[:4]], rel=1e-5)  # ties may stand in any order
    assert (before != Y).nnz == 0


def test_any_shared_parent_makes_two_labels_of_one_kind() -> None:
    parents = [("a", "b"), ("b",), ("c",), ()]
    assert same_kind(np.array([[1, 2], [0, -1], [0, 1], [0, 1]]), parents).tolist() == [0.5, 1, 0, 0]


def test_found_share_counts_against_the_true_neighbours_that_there_are() -> None:
    share = found_share(np.array([[5, 6, 7], [1, 2, 3]]), np.array([[6, -1, -1], [9, 3, 2]]))
    assert share == pytest.approx([1, 2 / 3])


def test_planted_groups_are_worth_all_and_random_vectors_chance() -> None:
    Y = grouped_labels()
    quality = NeighbourQuality(Y, grouped_labels(seed=1), KINDS, k=3)
    perfect = quality(np.repeat(np.eye(3), 4, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(12, 3)))
    assert perfect == {"facet": 1, "held-out": 1}
    assert quality.without_walks(Y) == {"facet": 1, "held-out": 1}
    assert quality.by_chance() == pytest.approx({"facet": 3 / 11, "held-out": 3 / 11})
    draws = [quality(np.random.default_rng(seed).normal(size=(12, 8))) for seed in range(200)]
    for measure, chance in quality.by_chance().items():
        assert np.mean([draw[measure] for draw in draws]) == pytest.approx(chance, abs=0.03)


def test_only_labels_with_enough_held_out_documents_are_asked_for_the_second_measure() -> None:
    Y, held_out = grouped_labels(), grouped_labels(seed=1).toarray()
    held_out[:, 11] = 0
    held_out[:4, 11] = 1
    quality = NeighbourQuality(Y, csr_array(held_out), KINDS, k=3, fewest=5)
    each = quality.each(np.random.default_rng(0).normal(size=(12, 8)))
    assert np.isnan(each["held-out"]).tolist() == [False] * 11 + [True]
    assert not np.isnan(each["facet"]).any()
    assert 11 not in quality.truth
