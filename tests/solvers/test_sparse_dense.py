"""Sparse times dense: scipy's own product is the answer, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.sparse_dense import in_parts, times_dense, transposed


@pytest.fixture(scope="module")
def X() -> sparse.csr_array:
    X = sparse.random_array((3000, 400), density=0.05, format="lil", dtype=np.float32, rng=np.random.default_rng(0))
    X[7] = 0  # rows without entries, one of them the last
    X[2999] = 0
    return sparse.csr_array(X)


@pytest.mark.parametrize("n_columns", [1, 3, 16, 37])
def test_is_scipys_product(X, n_columns):
    B = np.random.default_rng(1).standard_normal((400, n_columns)).astype(np.float32)
    A = np.random.default_rng(2).standard_normal((3000, n_columns)).astype(np.float32)
    np.testing.assert_allclose(times_dense(X, B), X @ B, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(times_dense(transposed(X), A), X.T @ A, rtol=1e-4, atol=1e-4)


def test_does_not_depend_on_the_number_of_threads_or_the_layout(X):
    B = np.random.default_rng(1).standard_normal((400, 20)).astype(np.float32)
    one = times_dense(X, B, n_jobs=1)
    for n_jobs in (2, 3, 8):
        np.testing.assert_array_equal(times_dense(X, B, n_jobs=n_jobs), one)
    np.testing.assert_array_equal(times_dense(X, np.asfortranarray(B)), one)


def test_parts_cover_each_row_once():
    indptr = np.array([0, 0, 90, 90, 91, 92, 92])
    seen: list[int] = []
    in_parts(lambda begin, end: seen.extend(range(begin, end)), indptr, n_threads=3)
    assert sorted(seen) == list(range(6))


def test_an_error_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_parts(lambda begin, end: 1 // 0, np.array([0, 5, 9]), n_threads=2)


def test_shapes_that_do_not_fit(X):
    with pytest.raises(ValueError, match="do not fit together"):
        times_dense(X, np.zeros((399, 2), dtype=np.float32))
