from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers import centred_labels
from xmlwb.solvers.centred_labels import CentredLabels, right_singular_vectors


def random_labels(n: int, L: int, seed: int, density: float = 0.1) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    return sparse.csr_array((rng.random((n, L)) < density * rng.random(L) * 2).astype(np.float32))


def dense(Y: sparse.csr_array, centred: bool) -> np.ndarray:
    A = Y.toarray().astype(np.float64)
    return A - A.mean(axis=0) if centred else A


@pytest.mark.parametrize("centred", [True, False])
def test_products_are_those_of_the_dense_matrix(centred):
    Y = random_labels(50, 30, seed=0)
    rng = np.random.default_rng(1)
    V, Z = rng.standard_normal((30, 4)), rng.standard_normal((50, 4))
    labels, A = CentredLabels(Y, centred=centred), dense(Y, centred)
    np.testing.assert_allclose(labels.times(V), A @ V, atol=1e-5)
    np.testing.assert_allclose(labels.transposed_times(Z), A.T @ Z, atol=1e-5)
    np.testing.assert_allclose(labels.operator() @ V, A @ V, atol=1e-12)
    np.testing.assert_allclose(labels.operator().T @ Z, A.T @ Z, atol=1e-12)
    np.testing.assert_allclose(labels.operator().T @ Z[:, 0], A.T @ Z[:, 0], atol=1e-12)
    np.testing.assert_allclose(labels.gram(), A.T @ A, atol=1e-12)
    np.testing.assert_allclose(labels.gram_of_instances(), A @ A.T, atol=1e-12)
    assert labels.squared_norm == pytest.approx(np.sum(A**2))


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 60),
    L=st.integers(1, 60),
    m=st.integers(1, 60),
    seed=st.integers(0, 2**16),
    density=st.sampled_from([0.01, 0.1, 0.5]),
    centred=st.booleans(),
    lanczos=st.booleans(),
)
def test_no_other_directions_hold_more_of_the_labels(n, L, m, seed, density, centred, lanczos):
    Y, m = random_labels(n, L, seed, density), min(m, n, L)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(centred_labels, "GRAM_UP_TO", 8 if lanczos else 1024)
        V = right_singular_vectors(Y, m, centred=centred, random_state=seed)
    A = dense(Y, centred)
    np.testing.assert_allclose(V.T @ V, np.eye(m), atol=1e-10)
    left_over = np.sum(np.linalg.svd(A, compute_uv=False)[m:] ** 2)
    assert np.sum((A - A @ V @ V.T) ** 2) == pytest.approx(left_over, abs=1e-8 * max(1.0, np.sum(A**2)))
    along = np.sum((A @ V) ** 2, axis=0)
    assert np.all(np.diff(along) <= 1e-8 * max(1.0, along.max())), "wanted the strongest direction first"


@pytest.mark.parametrize("centred", [True, False])
def test_lanczos_finds_what_the_gram_matrix_has(centred, monkeypatch):
    Y = random_labels(400, 300, seed=2)
    whole = right_singular_vectors(Y, 20, centred=centred)
    monkeypatch.setattr(centred_labels, "GRAM_UP_TO", 0)
    np.testing.assert_allclose(right_singular_vectors(Y, 20, centred=centred), whole, atol=1e-7)


@pytest.mark.parametrize("kind", ["the same labels everywhere", "two kinds of instance", "one label each", "none"])
def test_few_different_instances_among_many(kind, monkeypatch):
    """What stops a Lanczos iteration early: an invariant subspace smaller than m, or nothing at all."""
    monkeypatch.setattr(centred_labels, "GRAM_UP_TO", 0)
    rows = np.zeros((300, 200), dtype=np.float32)
    if kind == "the same labels everywhere":
        rows[:, 3:9] = 1
    elif kind == "two kinds of instance":
        rows[:150, 3:9], rows[150:, 9:12] = 1, 1
    elif kind == "one label each":
        rows[np.arange(300), np.arange(300) % 200] = 1
    Y = sparse.csr_array(rows)
    V = right_singular_vectors(Y, 10, centred=True)
    A = dense(Y, True)
    np.testing.assert_allclose(V.T @ V, np.eye(10), atol=1e-10)
    left_over = np.sum(np.linalg.svd(A, compute_uv=False)[10:] ** 2)
    assert np.sum((A - A @ V @ V.T) ** 2) == pytest.approx(left_over, abs=1e-6)
    np.testing.assert_array_equal(V, right_singular_vectors(Y, 10, centred=True), err_msg="wanted the same each time")


def test_signs_are_fixed_and_the_seed_decides_the_rest(monkeypatch):
    monkeypatch.setattr(centred_labels, "GRAM_UP_TO", 0)
    Y = random_labels(300, 250, seed=4)
    V = right_singular_vectors(Y, 12, centred=True, random_state=5)
    assert np.all(np.take_along_axis(V, np.abs(V).argmax(axis=0, keepdims=True), axis=0) > 0)
    np.testing.assert_array_equal(V, right_singular_vectors(Y, 12, centred=True, random_state=5))
