"""Embeddings of label neighbours, against dense linear algebra."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.solvers import sparse_dense
from xmlwb.solvers.local_embedding import embed_neighbours, label_neighbours


def labels(n: int, L: int, density: float, seed: int) -> sparse.csr_array:
    return sparse.csr_array((np.random.default_rng(seed).random((n, L)) < density).astype(np.float32))


def projection(G: np.ndarray, rank: int) -> np.ndarray:
    """The nearest positive semidefinite matrix of that rank."""
    values, vectors = np.linalg.eigh(G)
    kept = vectors[:, -rank:] * np.sqrt(np.maximum(values[-rank:], 0))
    return kept @ kept.T


@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 30), L=st.integers(1, 8), k=st.integers(1, 40), density=st.sampled_from([0.0, 0.2, 0.6]),
       seed=st.integers(0, 999))  # fmt: skip
def test_neighbours_are_those_of_the_dense_cosines(n, L, k, density, seed):
    Y = labels(n, L, density, seed)
    cosines = np.round(normalize(Y.toarray()) @ normalize(Y.toarray()).T, 5)
    omega = label_neighbours(Y, k)
    assert omega.has_sorted_indices
    near = np.zeros((n, n), dtype=bool)
    rows, columns = np.repeat(np.arange(n), np.diff(omega.indptr)), omega.indices
    near[rows, columns] = True
    assert (near == near.T).all()
    np.testing.assert_allclose(omega.data, cosines[rows, columns], atol=1e-5)
    k = min(k, n)
    assert (near.sum(axis=1) >= k).all()
    farthest_kept = np.sort(cosines, axis=1)[:, -k]
    assert near[cosines > farthest_kept[:, None] + 1e-4].all(), "a nearer one was left out"
    assert omega.nnz <= 2 * n * k


def test_neighbours_that_share_no_label_are_kept_as_zeros():
    Y = sparse.csr_array(np.eye(3, dtype=np.float32))
    omega = label_neighbours(Y, 3)
    assert omega.nnz == 9
    np.testing.assert_array_equal(omega.toarray(), np.eye(3))


@pytest.mark.parametrize("width", [2, 5, 40])
def test_with_all_pairs_it_is_the_projection(width):
    Y = labels(60, 12, 0.3, seed=1)
    G = label_neighbours(Y, 60)
    Z, errors = embed_neighbours(G, width, n_steps=30)
    dense = G.toarray().astype(float)
    best = projection(dense, width)
    assert Z.shape == (60, width)
    np.testing.assert_allclose(Z @ Z.T, best, atol=0.01)
    assert errors[-1] == pytest.approx(np.sqrt(np.mean((dense - best) ** 2)), abs=1e-3)


def test_steps_recover_a_low_rank_matrix_from_a_part_of_it():
    rng = np.random.default_rng(0)
    A = normalize(rng.standard_normal((80, 3)) + 1)
    G = A @ A.T
    upper = np.triu(rng.random(G.shape) < 0.4)
    known = sparse.csr_array(np.where(upper | upper.T, G, 0).astype(np.float32))
    start, steps = (embed_neighbours(known, 3, n_steps=n)[0] for n in (0, 60))
    unseen = ~(upper | upper.T)
    lost = [np.abs(Z @ Z.T - G)[unseen].mean() for Z in (start, steps)]
    assert lost[1] < 0.02 < 0.2 < lost[0]


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 50), k=st.integers(1, 12), width=st.integers(1, 8), density=st.sampled_from([0.05, 0.2, 0.5]),
       seed=st.integers(0, 999))  # fmt: skip
def test_the_error_is_that_of_the_embedding_and_falls(n, k, width, density, seed):
    omega = label_neighbours(labels(n, 9, density, seed), k)
    Z, errors = embed_neighbours(omega, width, n_steps=15, random_state=seed)
    rows = np.repeat(np.arange(n), np.diff(omega.indptr))
    missing = omega.data - (Z @ Z.T)[rows, omega.indices]
    assert errors[-1] == pytest.approx(np.sqrt(np.mean(missing.astype(float) ** 2)), abs=1e-5)
    assert len(errors) == 16
    assert errors.max() <= errors[0] * 1.01 + 1e-6
    assert errors[-1] <= errors[:-1].min() * 1.01 + 1e-6


def test_nothing_in_common_is_nothing_embedded():
    Z, errors = embed_neighbours(label_neighbours(sparse.csr_array((7, 3), dtype=np.float32), 3), 4)
    assert not Z.any()
    assert not errors.any()


def test_any_number_of_threads_gives_the_same(monkeypatch):
    monkeypatch.setattr(sparse_dense, "_SERIAL_BELOW", 0)
    Y = labels(200, 30, 0.1, seed=2)
    results = []
    for n_jobs in (1, 2, 3):
        omega = label_neighbours(Y, 9, n_jobs=n_jobs)
        results.append(embed_neighbours(omega, 6, n_jobs=n_jobs)[0])
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_memory_grows_with_the_neighbours_not_with_all_pairs():
    Y = labels(4000, 50, 0.04, seed=3)

    def embed() -> None:
        embed_neighbours(label_neighbours(Y, 10), 5, n_steps=2)

    embed()  # compiles
    tracemalloc.start()
    try:
        embed()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4000 * 4000  # a quarter of a dense float32 matrix
