r"""Embeddings that keep the similarity of each instance to its nearest neighbours in label space, and no other.

With unit label vectors y_i and Omega the pairs of which one is among the k nearest of the other,

.. math:: \min_{Z \in R^{n \times l}} \; \tfrac12 \sum_{(i,j) \in \Omega} \left( y_i^\top y_j - z_i^\top z_j \right)^2

Singular value projection takes a gradient step on the matrix M = Z Z^T, which touches Omega only, and goes back to the
nearest matrix that is positive semidefinite and of rank l. M is never formed: low rank plus sparse is all it takes to
multiply with it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state

from xmlwb.solvers.sparse_dense import in_parts, threads_for, times_dense
from xmlwb.solvers.topk import topk_product

#: Directions that the subspace has beyond those asked for: the last of these converge sooner.
_SPARE = 10
#: Subspace iterations before the first projection.
_WARM_UP = 3


def label_neighbours(Y: sparse.csr_array, k: int, *, n_jobs: int | None = None) -> sparse.csr_array:
    """The cosines of each row's label vector to its k nearest, and to those whose nearest it is.

    Parameters
    ----------
    Y : csr_array, shape (n, L), float32
        Rows without a label are similar to nothing.
    k : int
        At most n are used. A row is its own first neighbour, but for ties, which go to the lower row.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    csr_array, shape (n, n), float32
        Symmetric, its indices sorted. It stores zeros: a neighbour that shares no label is to stay at a right angle.

    Notes
    -----
    Time O(sum over labels of their count squared + n^2), memory O(n k).

    Examples
    --------
    >>> Y = sparse.csr_array(np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32))
    >>> label_neighbours(Y, 2).toarray().round(2)
    array([[1.  , 1.  , 0.71, 0.  ],
           [1.  , 1.  , 0.  , 0.  ],
           [0.71, 0.  , 1.  , 0.71],
           [0.  , 0.  , 0.71, 1.  ]], dtype=float32)
    """
    n = Y.shape[0]
    k = min(k, n)
    unit = sparse.csr_array(normalize(Y))
    nearest, cosines = topk_product(unit, sparse.csr_array(unit.T), k, n_jobs=n_jobs)
    # One more than the cosine, so that scipy takes no neighbour at a right angle for one that is not there.
    one_way = sparse.csr_array((cosines.ravel() + 1, nearest.ravel(), np.arange(0, n * k + 1, k)), shape=(n, n))
    one_way.sort_indices()
    both_ways = sparse.csr_array(one_way.maximum(sparse.csr_array(one_way.T)))
    both_ways.data -= 1
    return both_ways


def embed_neighbours(
    similarities: sparse.csr_array,
    n_components: int,
    *,
    n_steps: int = 10,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose inner products are the given similarities, by singular value projection.

    Parameters
    ----------
    similarities : csr_array, shape (n, n), float32
        Symmetric; its stored entries, zeros too, are Omega.
    n_components : int
        l. Beyond n, and where the similarities need no more, columns are 0.
    n_steps : int
        Gradient steps. With 0 the answer is the projection of the similarities with zeros outside of Omega.
    random_state : int or None
        The subspace iteration's start.
    n_jobs : int or None
        Threads of the sparse products; the result does not depend on it.

    Returns
    -------
    Z : ndarray, shape (n, n_components), float32
        The columns are orthogonal, the longest first.
    errors : ndarray, shape (n_steps + 1,), float64
        The root of the mean squared error over Omega, before and after each step.

    Notes
    -----
    The step length is 1: it puts the wanted similarities into Omega and leaves the current ones elsewhere, the step
    that with an exact projection never raises the error. The projection is by subspace iteration, one multiplication a
    step, which starts from the last step's subspace.

    Time O((|Omega| l + n l^2) n_steps); memory |Omega| numbers more and about six (n, l) arrays.

    Examples
    --------
    >>> Y = sparse.csr_array(np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float32))
    >>> Z, errors = embed_neighbours(label_neighbours(Y, 3), 2, n_steps=30)
    >>> (Z @ Z.T)[2].round(2)
    array([0.71, 0.71, 1.  , 0.71], dtype=float32)
    """
    n = similarities.shape[0]
    width = min(n, n_components + _SPARE)
    gradient = sparse.csr_array((similarities.data.copy(), similarities.indices, similarities.indptr), shape=(n, n))
    Z = np.zeros((n, n_components), dtype=np.float32)
    errors = np.empty(n_steps + 1)

    def step(V: np.ndarray) -> np.ndarray:
        """(M - gradient) V"""
        image = times_dense(gradient, V, n_jobs=n_jobs)
        image += Z @ (Z.T @ V)
        return image

    V = check_random_state(random_state).standard_normal((n, width)).astype(np.float32)
    for _ in range(_WARM_UP):
        V = _orthonormal(step(V))
    for t in range(n_steps + 1):
        image = step(V)
        values, turn = np.linalg.eigh((V.T @ image).astype(np.float64))
        roots = np.sqrt(np.maximum(values, 0))[::-1][:n_components]
        Z = np.zeros_like(Z)
        Z[:, : len(roots)] = V @ (turn[:, ::-1][:, : len(roots)] * roots).astype(np.float32)
        V = _orthonormal(image)
        _to_gradient(similarities, Z, gradient.data, n_jobs)
        errors[t] = np.sqrt(np.mean(np.square(gradient.data, dtype=np.float64))) if len(gradient.data) else 0.0
    return Z, errors


def _orthonormal(B: np.ndarray) -> np.ndarray:
    """A basis of B's columns, by their Gram matrix: a tenth of the time of a QR factor, which is for dependent ones."""
    wide = B.astype(np.float64)
    values, vectors = np.linalg.eigh(wide.T @ wide)
    if values[0] <= 1e-10 * values[-1]:
        return np.linalg.qr(B)[0]
    return (wide @ (vectors / np.sqrt(values))).astype(np.float32)


def _to_gradient(similarities: sparse.csr_array, Z: np.ndarray, out: np.ndarray, n_jobs: int | None) -> None:
    """What is missing in Z Z^T on Omega."""

    def compute(begin: int, end: int) -> None:
        _missing(similarities.indptr, similarities.indices, similarities.data, Z, begin, end, out)

    in_parts(compute, similarities.indptr, threads_for(similarities.nnz * Z.shape[1], n_jobs))


# The inner product may be summed in any order: in registers, side by side.
@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _missing(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, Z: np.ndarray, begin: int, end: int, out: np.ndarray
) -> None:
    for i in range(begin, end):
        for p in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[p])
            total = np.float32(0)
            for c in range(Z.shape[1]):
                total += Z[i, c] * Z[j, c]
            out[p] = data[p] - total
