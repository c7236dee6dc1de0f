from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.label_affinity import KINDS, affinity, distinct_submatrix, submatrix


@pytest.fixture(scope="module")
def Y() -> sparse.csr_array:
    rng = np.random.default_rng(0)
    dense = rng.random((60, 12)) < rng.uniform(0.02, 0.6, size=12)
    dense[:, 3] = False
    dense[:, 4] = True  # a label of all instances
    return sparse.csr_array(dense.astype(np.float32))


def dense_affinity(Y: np.ndarray, kind: str) -> np.ndarray:
    """By the definitions, pair by pair."""
    n, K = Y.shape
    U = np.zeros((K, K))
    for y in range(K):
        for z in range(K):
            both, one, other = (Y[:, y] * Y[:, z]).sum(), Y[:, y].sum(), Y[:, z].sum()
            if both == 0:
                continue
            U[y, z] = {
                "arithmetic": (both / one + both / other) / 2,
                "geometric": np.sqrt(both / one * both / other),
                "jaccard": both / np.count_nonzero(Y[:, y] + Y[:, z]),
                "pmi": 1.0 if both == n else max(0, np.log(both * n / (one * other)) / -np.log(both / n)),
            }[kind]
    return U


@pytest.mark.parametrize("kind", KINDS)
def test_affinity_is_its_definition(Y, kind: str) -> None:
    U = affinity(Y, kind)
    assert isinstance(U, sparse.csr_array)
    assert U.dtype == np.float32
    np.testing.assert_allclose(U.toarray(), dense_affinity(Y.toarray(), kind), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_affinity_is_symmetric_with_ones_for_the_labels_that_occur(Y, kind: str) -> None:
    U = affinity(Y, kind).toarray()
    np.testing.assert_array_equal(U, U.T)
    np.testing.assert_allclose(U.diagonal(), [label != 3 for label in range(12)], atol=1e-6)
    assert U.min() >= 0
    assert U.max() <= 1 + 1e-6


def test_arithmetic_mean_is_that_of_equation_3(Y) -> None:
    present = np.delete(Y.toarray().astype(np.float64), 3, axis=1)
    A = present.T @ present
    Z_inverse = np.diag(1 / A.diagonal())
    U = affinity(sparse.csr_array(present.astype(np.float32)))
    np.testing.assert_allclose(U.toarray(), (A @ Z_inverse + Z_inverse @ A) / 2, rtol=1e-6)


def test_many_labels_need_no_square() -> None:
    K = 300_000  # K x K floats would be 360 GB
    rng = np.random.default_rng(0)
    Y = sparse.csr_array((np.ones(4000), (np.repeat(np.arange(1000), 4), rng.integers(K, size=4000))), shape=(1000, K))
    U = affinity(Y)
    assert U.nnz <= 1000 * 16
    labels = rng.integers(K, size=64)
    assert submatrix(U, labels).shape == (64, 64)


@pytest.mark.parametrize("labels", [[0, 5, 2], [7, 7, 1, 7, 1], [3], [], list(range(12))])
def test_submatrix_is_that_of_the_dense_matrix(Y, labels: list[int]) -> None:
    U = affinity(Y)
    at = np.array(labels, dtype=np.int64)
    expected = U.toarray()[np.ix_(at, at)]
    np.testing.assert_array_equal(submatrix(U, at), expected)
    own, place = distinct_submatrix(U, at)
    assert own.shape == (len(set(labels)),) * 2
    np.testing.assert_array_equal(own[place][:, place], expected)


@pytest.mark.parametrize("labels", [[0, 12], [-1]])
def test_submatrix_refuses_labels_that_are_not_there(Y, labels: list[int]) -> None:
    with pytest.raises(ValueError, match=r"labels lie in .*; wanted 0\.\.11"):
        submatrix(affinity(Y), np.array(labels))


def test_unknown_kind(Y) -> None:
    with pytest.raises(ValueError, match="kind is 'cosine'; wanted one of arithmetic"):
        affinity(Y, "cosine")
