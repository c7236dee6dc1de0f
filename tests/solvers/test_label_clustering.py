"""Balanced 2-means and K-means of label directions, against brute force on sets that can be searched whole."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.label_clustering import balance, label_centroids, split_by_k_means, split_in_halves


def directions(n: int, d: int, seed: int) -> sparse.csr_array:
    V = np.random.default_rng(seed).normal(size=(n, d)) * (np.random.default_rng(seed + 1).random((n, d)) < 0.7)
    V[:, 0] += 0.1
    return sparse.csr_array((V / np.linalg.norm(V, axis=1, keepdims=True)).astype(np.float32))


def halves(m: int) -> list[tuple[int, ...]]:
    return list(combinations(range(m), (m + 1) // 2))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_centroids_are_the_directions_of_the_positives_sums(n_jobs: int) -> None:
    rng = np.random.default_rng(0)
    X = sparse.random_array((50, 30), density=0.2, format="csr", dtype=np.float32, rng=rng)
    Y = sparse.random_array((50, 12), density=0.2, format="csr", dtype=np.float32, rng=rng)
    Y.data[:] = 1
    Y = sparse.csr_array(Y.multiply(np.arange(12) != 3))  # a label without positives
    Y.eliminate_zeros()
    V = label_centroids(X, Y, n_jobs=n_jobs).toarray()
    expected = (Y.T @ X).toarray()
    norms = np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(V, np.divide(expected, norms, where=norms > 0, out=np.zeros_like(expected)), atol=1e-6)
    assert not V[3].any()


@pytest.mark.parametrize("m", [2, 7, 8])
def test_the_balanced_step_is_the_best_of_all_halves(m: int) -> None:
    V = directions(m, 5, seed=m)
    mu = directions(2, 5, seed=99).toarray()
    ordered = balance(V.indptr, V.indices, V.data, np.arange(m), mu)
    similarity = V.toarray() @ mu.T
    objective = [
        similarity[list(first), 0].sum() + similarity[[s for s in range(m) if s not in first], 1].sum()
        for first in halves(m)
    ]
    best = halves(m)[int(np.argmax(objective))]
    assert set(ordered[: (m + 1) // 2].tolist()) == set(best)


def summed_similarity(V: np.ndarray, parts: list[np.ndarray]) -> float:
    return sum(float(np.linalg.norm(V[part].sum(axis=0))) for part in parts)


@pytest.mark.parametrize("seed", range(5))
def test_halves_end_where_no_other_halves_are_better_for_the_same_centroids(seed: int) -> None:
    V = directions(9, 4, seed)
    first, second = split_in_halves(V, np.arange(9), seed)
    assert sorted([*first, *second]) == list(range(9))
    assert len(first) == 5
    dense = V.toarray()
    mu = np.array([dense[part].sum(axis=0) / np.linalg.norm(dense[part].sum(axis=0)) for part in (first, second)])
    similarity = dense @ mu.T
    reached = similarity[first, 0].sum() + similarity[second, 1].sum()
    for other in halves(9):
        rest = [s for s in range(9) if s not in other]
        assert similarity[list(other), 0].sum() + similarity[rest, 1].sum() <= reached + 9e-4


def test_two_planted_bundles_are_found_from_any_start() -> None:
    rng = np.random.default_rng(1)
    V = np.repeat(np.eye(2, 6), 5, axis=0) + 0.05 * rng.random((10, 6))
    shuffled = rng.permutation(10)
    V = sparse.csr_array((V / np.linalg.norm(V, axis=1, keepdims=True))[shuffled].astype(np.float32))
    for seed in range(10):
        found = {frozenset((shuffled[part] // 5).tolist()) for part in split_in_halves(V, np.arange(10), seed)}
        assert found == {frozenset([0]), frozenset([1])}


def test_a_part_of_the_labels_is_divided_as_if_there_were_no_others() -> None:
    V = directions(40, 6, seed=2)
    some = np.array([3, 30, 12, 7, 25, 38, 1])
    for split in (split_in_halves, lambda V, labels, seed: split_by_k_means(V, labels, 3, seed)):
        inside = split(V, some, 5)
        alone = split(sparse.csr_array(V[some]), np.arange(len(some)), 5)
        assert [part.tolist() for part in inside] == [some[part].tolist() for part in alone]


def test_k_means_ends_with_every_label_at_its_nearest_centroid() -> None:
    V = directions(60, 5, seed=3)
    parts = split_by_k_means(V, np.arange(60), 4, seed=1)
    assert sorted(np.concatenate(parts).tolist()) == list(range(60))
    dense = V.toarray()
    mu = np.array([dense[part].sum(axis=0) / np.linalg.norm(dense[part].sum(axis=0)) for part in parts])
    similarity = dense @ mu.T
    own = sum(similarity[part, cluster].sum() for cluster, part in enumerate(parts))
    assert similarity.max(axis=1).sum() <= own + 60 * 2e-4


def test_k_means_finds_planted_bundles_and_does_not_depend_on_the_threads() -> None:
    V = np.repeat(np.eye(3, 8), [20, 6, 2], axis=0) + 0.02 * np.random.default_rng(0).random((28, 8))
    V = sparse.csr_array((V / np.linalg.norm(V, axis=1, keepdims=True)).astype(np.float32))
    results = [split_by_k_means(V, np.arange(28), 3, seed=7, n_jobs=n_jobs) for n_jobs in (1, 3)]
    assert [part.tolist() for part in results[0]] == [part.tolist() for part in results[1]]
    best = max(
        (split_by_k_means(V, np.arange(28), 3, seed=seed) for seed in range(20)),
        key=lambda parts: summed_similarity(V.toarray(), parts),
    )
    assert sorted(map(len, best)) == [2, 6, 20]


def test_labels_without_features_do_not_crash() -> None:
    V = sparse.csr_array((6, 4), dtype=np.float32)
    assert sorted(np.concatenate(split_in_halves(V, np.arange(6), 0)).tolist()) == list(range(6))
    assert [part.tolist() for part in split_by_k_means(V, np.arange(6), 3, 0)] == [[0, 1, 2, 3, 4, 5]]
