r"""How much labels belong together, from the instances they share: the matrix U of the GLaS regulariser, sparse."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

#: The measures of `affinity`.
KINDS = ("arithmetic", "geometric", "pmi", "jaccard")
#: The measure behind each regulariser of GLaS's trainer; None: it needs none.
KIND_OF_REGULARIZER: dict[str | None, str | None] = {
    None: None,
    "spread-out": None,
    "gravity": None,
    "laplacian": "arithmetic",
    "glas": "arithmetic",
    "glas-geometric": "geometric",
    "glas-pmi": "pmi",
    "glas-jaccard": "jaccard",
}


def affinity(Y: sparse.csr_array, kind: str = "arithmetic") -> sparse.csr_array:
    r"""U, of the label co-occurrences :math:`A = Y^\top Y` and the label frequencies :math:`Z = \mathrm{diag}(A)`.

    Parameters
    ----------
    Y : csr_array, shape (n, K)
        0/1.
    kind : {"arithmetic", "geometric", "pmi", "jaccard"}
        Of the conditional frequencies F(y|y') = A_yy' / A_y'y' and F(y'|y), the arithmetic mean
        1/2 (A Z^-1 + Z^-1 A), which is the paper's equation 3, or the geometric mean, that of theorem B.1. Jaccard:
        instances with both labels among those with either. PMI: log(n A_yy' / A_yy A_y'y') by -log(A_yy' / n), that is
        pointwise mutual information normed to at most 1 (the paper does not say how); negative ones count as 0, as
        do labels that never meet.

    Returns
    -------
    csr_array, shape (K, K), float32
        Symmetric, sorted indices; 1 on the diagonal for the labels that occur, 0 for the others.

    Notes
    -----
    Time and memory O(sum over the instances of the square of their labels), never K x K.

    References
    ----------
    Guo, Mousavi, Wu, Holtmann-Rice, Kale, Reddi and Kumar, "Breaking the glass ceiling for embedding-based classifiers
    for large output spaces", NeurIPS 2019, section 3.2 and appendix B.

    Examples
    --------
    >>> Y = sparse.csr_array(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]], dtype=np.float32))
    >>> affinity(Y).toarray().round(3)
    array([[1.   , 0.833, 0.   ],
           [0.833, 1.   , 0.   ],
           [0.   , 0.   , 0.   ]], dtype=float32)
    """
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; wanted one of {', '.join(KINDS)}")
    ones = sparse.csr_array((np.ones(Y.nnz), Y.indices, Y.indptr), shape=Y.shape)
    A = sparse.csr_array(ones.T @ ones)
    A.sort_indices()
    z = A.diagonal()
    row = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    both, one, other = A.data, z[row], z[A.indices]
    if kind == "arithmetic":
        u = (both / one + both / other) / 2
    elif kind == "geometric":
        u = both / np.sqrt(one * other)
    elif kind == "jaccard":
        u = both / (one + other - both)
    else:
        n = Y.shape[0]
        with np.errstate(divide="ignore", invalid="ignore"):
            u = np.log(n * both / (one * other)) / -np.log(both / n)
        u = np.where(both == n, 1.0, np.maximum(u, 0))  # labels of all instances: 0 / 0
    U = sparse.csr_array((u.astype(np.float32), A.indices, A.indptr), shape=A.shape)
    U.eliminate_zeros()
    return U


def submatrix(U: sparse.csr_array, labels: np.ndarray) -> np.ndarray:
    """``U[labels][:, labels]``, dense: of algorithm 2 the line that takes a batch's affinities.

    Parameters
    ----------
    U : csr_array, shape (K, K), float32
    labels : ndarray of int, shape (B,)
        A label may come more than once.

    Returns
    -------
    ndarray, shape (B, B), float32

    Notes
    -----
    Time O(the stored entries of those rows + B^2).

    Examples
    --------
    >>> U = sparse.csr_array(np.array([[1, 0.5], [0.5, 1]], dtype=np.float32))
    >>> submatrix(U, np.array([1, 0, 1]))
    array([[1. , 0.5, 1. ],
           [0.5, 1. , 0.5],
           [1. , 0.5, 1. ]], dtype=float32)
    """
    own, place = distinct_submatrix(U, labels)
    return own if np.array_equal(place, np.arange(len(own))) else _spread(own, place)


def distinct_submatrix(U: sparse.csr_array, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `submatrix` needs, not yet spread out: ``submatrix(U, labels)`` is ``own[place][:, place]``.

    Returns
    -------
    own : ndarray, shape (b, b), float32
        The affinities of the distinct labels, in ascending order.
    place : ndarray of int, shape (B,)
        Where each of ``labels`` stands among them.

    Notes
    -----
    Time O(the stored entries of those rows + b^2).
    """
    labels = np.asarray(labels, dtype=np.int64)
    if len(labels) and not 0 <= labels.min() <= labels.max() < U.shape[0]:  # the kernel below does not look
        raise ValueError(f"labels lie in {labels.min()}..{labels.max()}; wanted 0..{U.shape[0] - 1}")
    once, place = np.unique(labels, return_inverse=True)
    own = np.zeros((len(once), len(once)), dtype=np.float32)
    _scatter(U.indptr, U.indices, U.data, once, np.full(U.shape[1], -1, dtype=np.int32), own)
    return own, place


@njit(nogil=True, cache=True)
def _scatter(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, once: np.ndarray, column: np.ndarray, own: np.ndarray
) -> None:
    for place in range(len(once)):
        column[once[place]] = place
    for place in range(len(once)):
        for p in range(indptr[once[place]], indptr[once[place] + 1]):
            at = column[indices[p]]
            if at >= 0:
                own[place, at] = data[p]


@njit(nogil=True, cache=True)
def _spread(own: np.ndarray, place: np.ndarray) -> np.ndarray:
    out = np.empty((len(place), len(place)), dtype=np.float32)
    for i in range(len(place)):
        row = own[place[i]]
        for j in range(len(place)):
            out[i, j] = row[np.uint64(place[j])]
    return out
