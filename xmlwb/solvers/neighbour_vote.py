"""Nearest neighbours in an embedding, exactly, and the vote of neighbours on labels."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.solvers.topk import topk_dense, topk_rows

#: Similarities that `nearest` holds at a time: 64 MiB.
_BATCH_SIMILARITIES = 1 << 24


def nearest(queries: np.ndarray, vectors: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k vectors of the greatest inner product with each query.

    Parameters
    ----------
    queries : ndarray, shape (q, l), float32
    vectors : ndarray, shape (n, l), float32
    k : int
        1 <= k <= n.

    Returns
    -------
    indices : ndarray, shape (q, k), int32
        Nearest first; ties by the lower index.
    similarities : ndarray, shape (q, k), float32

    Notes
    -----
    Time O(q n l), in BLAS; memory 64 MiB, or one row of similarities if that is more.

    Examples
    --------
    >>> import numpy as np
    >>> unit = np.array([[1, 0], [0, 1], [0.8, 0.6]], dtype=np.float32)
    >>> nearest(unit[:1], unit, 2)[0]
    array([[0, 2]], dtype=int32)
    """
    if not 1 <= k <= len(vectors):
        raise ValueError(f"k is {k}; wanted 1 to {len(vectors)}, the number of vectors")
    indices = np.empty((len(queries), k), dtype=np.int32)
    similarities = np.empty((len(queries), k), dtype=np.float32)
    n_rows = max(1, _BATCH_SIMILARITIES // len(vectors))
    for begin in range(0, len(queries), n_rows):
        batch = slice(begin, begin + n_rows)
        indices[batch], similarities[batch] = topk_dense(queries[batch] @ vectors.T, k)
    return indices, similarities


def vote(
    neighbours: np.ndarray, weights: np.ndarray, labels: sparse.csr_array, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k labels that weigh most among each instance's neighbours.

    Parameters
    ----------
    neighbours : ndarray of int, shape (q, m)
        Rows of `labels`; -1 is none.
    weights : ndarray, shape (q, m), float32
        Negative weights count as 0. A row's weights are divided by their sum, so that a score is the part of the
        neighbourhood that carries the label.
    labels : csr_array, shape (n, L), float32
    k : int

    Returns
    -------
    labels : ndarray, shape (q, k), int32
        Best first; ties by the lower label; -1 where the neighbours carry fewer than k labels.
    scores : ndarray, shape (q, k), float32
        In [0, 1].

    Notes
    -----
    Time O(q m times the labels of an instance).

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import sparse
    >>> labels = sparse.csr_array(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32))
    >>> vote(np.array([[0, 1]]), np.array([[1.0, 0.25]], dtype=np.float32), labels, 2)
    (array([[0, 1]], dtype=int32), array([[1. , 0.2]], dtype=float32))
    """
    weights = np.where(neighbours >= 0, np.maximum(weights, 0), 0).astype(np.float32)
    total = weights.sum(axis=1, keepdims=True)
    weights = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    indptr = np.arange(0, weights.size + 1, neighbours.shape[1])
    shape = (len(weights), labels.shape[0])
    ballots = sparse.csr_array((weights.ravel(), np.maximum(neighbours, 0).ravel(), indptr), shape=shape)
    ballots.eliminate_zeros()
    scores = ballots @ labels
    scores.sort_indices()
    return topk_rows(scores, k)
