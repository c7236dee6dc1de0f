from __future__ import annotations

import copy
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import hadamard

from xmlwb.solvers import measurement
from xmlwb.solvers.measurement import (
    MATRICES,
    GaussianMeasurement,
    PartialHadamard,
    coherence,
    column_cosines,
    measurement_from_arrays,
    measurement_matrix,
)


@pytest.fixture(params=sorted(MATRICES))
def A(request) -> measurement.Measurement:
    return measurement_matrix(request.param, 24, 50, 3)


def test_every_product_is_that_of_the_matrix(A) -> None:
    rng = np.random.default_rng(0)
    dense = A.toarray().astype(np.float64)
    assert dense.shape == A.shape == (24, 50)
    V, R = (rng.standard_normal((7, size)).astype(np.float32) for size in (50, 24))
    Y = sparse.random_array((9, 50), density=0.1, format="csr", dtype=np.float32, rng=rng)
    np.testing.assert_allclose(A.encode(Y), Y @ dense.T, atol=1e-5)
    np.testing.assert_allclose(A.measure(V), V @ dense.T, atol=1e-5)
    np.testing.assert_allclose(A.correlate(R), R @ dense, atol=1e-5)
    np.testing.assert_allclose(A.gram(), dense.T @ dense, atol=1e-5)
    np.testing.assert_allclose(A.columns(np.array([49, 0, 7])), dense[:, [49, 0, 7]], atol=1e-7)
    assert all(product.dtype == np.float32 for product in (A.encode(Y), A.measure(V), A.correlate(R), A.gram()))
    assert A.encode(Y[:0]).shape == (0, 24)


def test_the_squared_norm_bounds_the_largest_eigenvalue(A) -> None:
    dense = A.toarray().astype(np.float64)
    largest = np.linalg.norm(dense, 2) ** 2
    assert largest * (1 - 1e-6) <= A.squared_norm <= 1.5 * largest


def test_columns_have_unit_length(A) -> None:
    lengths = np.linalg.norm(A.toarray(), axis=0)
    if isinstance(A, GaussianMeasurement):
        assert np.mean(lengths**2) == pytest.approx(1, abs=0.1)
    else:
        np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_the_seed_decides(A) -> None:
    kind = next(kind for kind, cls in MATRICES.items() if isinstance(A, cls))
    np.testing.assert_array_equal(measurement_matrix(kind, 24, 50, 3).toarray(), A.toarray())
    assert not np.array_equal(measurement_matrix(kind, 24, 50, 4).toarray(), A.toarray())


def test_a_prefix_has_the_first_rows_at_unit_length(A) -> None:
    np.testing.assert_allclose(A.prefix(6).toarray(), A.toarray()[:6] * 2, rtol=1e-6)


def test_arrays_make_the_matrix_again(A) -> None:
    np.testing.assert_array_equal(measurement_from_arrays(A.arrays, 50).toarray(), A.toarray())


def test_a_copy_leaves_the_gram_matrix_behind(A) -> None:
    gram = A.gram()
    copied = copy.copy(A)
    assert not [name for name, value in vars(copied).items() if value is gram]
    np.testing.assert_array_equal(copied.gram(), gram)


def test_arrays_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="has 3 columns; wanted 5"):
        measurement_from_arrays(np.zeros((3, 2), dtype=np.float32), 5)
    with pytest.raises(ValueError, match="wanted 0 <= row < 8"):
        measurement_from_arrays(np.array([1, 8]), 5)


def test_partial_hadamard_is_rows_of_hadamard_and_stores_only_their_numbers() -> None:
    A = PartialHadamard(10, 50, 0)
    assert len(set(A.rows.tolist())) == 10
    np.testing.assert_allclose(A.toarray(), hadamard(64)[A.rows, :50] / np.sqrt(10), rtol=1e-6)
    huge = PartialHadamard(8, 1_000_000, 0)  # 32 MB, were it stored
    assert sum(value.nbytes for value in vars(huge).values() if isinstance(value, np.ndarray)) == 64


def test_all_rows_of_hadamard_are_orthonormal() -> None:
    np.testing.assert_allclose(PartialHadamard(64, 50, 0).gram(), np.eye(50), atol=1e-6)


def test_the_gram_matrix_of_hadamard_takes_no_more_than_itself() -> None:
    A = PartialHadamard(100, 1500, 0)
    tracemalloc.start()
    gram = A.gram()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert gram.nbytes <= peak < 1.1 * gram.nbytes


@pytest.mark.parametrize("kind", sorted(MATRICES))
def test_threads_that_ask_at_once_share_one_gram_matrix(kind: str, monkeypatch) -> None:
    cls = MATRICES[kind]
    compute, calls = cls._gram.func, []

    def slowly(A: measurement.Measurement) -> np.ndarray:
        calls.append(A)
        time.sleep(0.05)
        return compute(A)

    patched = cached_property(slowly)
    patched.__set_name__(cls, "_gram")
    monkeypatch.setattr(cls, "_gram", patched)
    A = cls(8, 30, 0)
    with ThreadPoolExecutor(4) as pool:
        grams = [future.result() for future in [pool.submit(A.gram) for _ in range(4)]]
    assert len(calls) == 1
    assert all(gram is grams[0] for gram in grams)


def test_bad_sizes_and_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="m is 65; a Hadamard matrix for 50 labels has 64 rows"):
        PartialHadamard(65, 50)
    for kind in MATRICES:
        with pytest.raises(ValueError, match="m is 0 and L is 5"):
            measurement_matrix(kind, 0, 5)
    with pytest.raises(ValueError, match="matrix is 'fourier'; wanted one of 'gaussian'"):
        measurement_matrix("fourier", 3, 5)


def test_coherence_by_hand() -> None:
    A = measurement_from_arrays(np.array([[1, 0], [0, 2], [3, 3]], dtype=np.float32), 3)
    assert coherence(A) == pytest.approx(np.sqrt(0.5))
    np.testing.assert_allclose(sorted(column_cosines(A)), [0, np.sqrt(0.5), np.sqrt(0.5)], atol=1e-6)
    assert coherence(GaussianMeasurement(3, 1)) == 0.0


def test_a_gram_matrix_that_is_too_large_is_refused_with_its_size(monkeypatch) -> None:
    A = GaussianMeasurement(2, 40_000)
    with pytest.raises(ValueError, match=r"the Gram matrix of 40000 labels takes 6.0 GiB; 10000 at most"):
        A.gram()
