"""The k best columns of a product, row by row, without ever storing the product.

One-vs-all prediction (X times the weights) and exact nearest neighbours (X times the training set) are the same
computation: accumulate one row of ``X @ W + bias`` in a buffer, keep its k largest entries, go on. Where the weights
are a product of two thin matrices (`topk_factored`), a batch of rows goes through BLAS at a time.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

from xmlwb.solvers.sparse_dense import times_dense

#: Scores that `topk_factored` holds at a time: 16 MiB.
_BATCH_SCORES = 1 << 22
#: From this share of stored entries on, a dense copy of W (at most twice the memory) is walked in vector registers.
DENSE_FROM = 0.25


def topk_product(
    X: sparse.csr_array,
    W: sparse.csr_array,
    k: int,
    *,
    bias: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest entries of each row of ``X @ W + bias``.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    W : csr_array, shape (d, m), float32
    k : int
        1 <= k <= m.
    bias : ndarray, shape (m,), float32, optional
        A column whose bias is ``-inf`` is never chosen.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    columns : ndarray, shape (n, k), int32
        Best first; ties by the lower column; -1 where fewer than k columns can be chosen.
    scores : ndarray, shape (n, k), float32
        ``-inf`` in the empty places.

    Notes
    -----
    Time O(sum over the stored entries of X of nnz of that row of W, + n m); memory m floats a thread.
    """
    if bias is None:
        bias = np.zeros(W.shape[1], dtype=np.float32)
    if X.shape[1] != W.shape[0] or bias.shape != (W.shape[1],):  # the kernels below do not look
        raise ValueError(f"X, W and bias have shapes {X.shape}, {W.shape} and {bias.shape}, which do not fit together")
    columns = np.empty((X.shape[0], k), dtype=np.int32)
    scores = np.empty((X.shape[0], k), dtype=np.float32)
    n_threads = effective_n_jobs(n_jobs)
    n_parts = max(1, min(4 * n_threads, X.shape[0] // 64))
    edges = np.linspace(0, X.shape[0], n_parts + 1).astype(np.int64)
    if W.nnz > DENSE_FROM * W.shape[0] * W.shape[1]:
        topk_part = partial(_topk_rows_of_dense, X.indptr, X.indices, X.data, W.toarray())
    else:
        topk_part = partial(_topk_rows, X.indptr, X.indices, X.data, W.indptr, W.indices, W.data)
    with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms, longer than this takes
        for part in [pool.submit(topk_part, bias, begin, end, columns, scores) for begin, end in pairwise(edges)]:
            part.result()
    return columns, scores


def topk_factored(
    X: sparse.csr_array,
    W: np.ndarray,
    H: np.ndarray,
    k: int,
    *,
    bias: np.ndarray | None = None,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest entries of each row of ``X @ W @ H.T + bias``, in the form of `topk_product`.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    W : ndarray, shape (d, m), float32
    H : ndarray, shape (L, m), float32
    k : int
        1 <= k <= L.
    bias : ndarray, shape (L,), float32, optional
        A label whose bias is ``-inf`` is never chosen.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Notes
    -----
    Time O(nnz(X) m + n L m); memory n m floats and 16 MiB, or one row of scores if that is more.
    """
    L = len(H)
    if X.shape[1] != W.shape[0] or W.shape[1] != H.shape[1] or (bias is not None and bias.shape != (L,)):
        shapes = X.shape, W.shape, H.shape, None if bias is None else bias.shape
        raise ValueError("X, W, H and bias have shapes {}, {}, {} and {}, which do not fit together".format(*shapes))
    Z = times_dense(X, W, n_jobs=n_jobs)
    columns = np.empty((len(Z), k), dtype=np.int32)
    scores = np.empty((len(Z), k), dtype=np.float32)
    n_rows = max(1, _BATCH_SCORES // L)
    for begin in range(0, len(Z), n_rows):
        batch = slice(begin, begin + n_rows)
        S = Z[batch] @ H.T
        if bias is not None:
            S += bias
        columns[batch], scores[batch] = topk_dense(S, k)
    return columns, scores


def topk_dense(S: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest entries of each row of a batch of scores (b, L), in the form of `topk_product`; -inf is none."""
    S = np.ascontiguousarray(S, dtype=np.float32)
    columns = np.empty((len(S), k), dtype=np.int32)
    scores = np.empty((len(S), k), dtype=np.float32)
    _topk_dense(S, columns, scores)
    return columns, scores


def topk_rows(S: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest stored entries of each row of S, in the form of `topk_product`."""
    columns = np.empty((S.shape[0], k), dtype=np.int32)
    scores = np.empty((S.shape[0], k), dtype=np.float32)
    _topk_stored(S.indptr, S.indices, S.data, columns, scores)
    return columns, scores


@njit(nogil=True, cache=True)
def _topk_rows(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    W_indptr: np.ndarray,
    W_indices: np.ndarray,
    W_data: np.ndarray,
    bias: np.ndarray,
    begin: int,
    end: int,
    columns: np.ndarray,
    scores: np.ndarray,
) -> None:
    total = np.empty(len(bias), dtype=np.float32)
    for i in range(begin, end):
        total[:] = bias
        for p in range(X_indptr[i], X_indptr[i + 1]):
            j, value = X_indices[p], X_data[p]
            for q in range(W_indptr[j], W_indptr[j + 1]):
                total[np.uint64(W_indices[q])] += value * W_data[q]  # unsigned: no test for a negative index
        _keep_best(total, columns[i], scores[i])


@njit(nogil=True, cache=True)
def _topk_rows_of_dense(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    W: np.ndarray,
    bias: np.ndarray,
    begin: int,
    end: int,
    columns: np.ndarray,
    scores: np.ndarray,
) -> None:
    n_columns = len(bias)
    total = np.empty(n_columns, dtype=np.float32)
    for i in range(begin, end):
        total[:] = bias
        for p in range(X_indptr[i], X_indptr[i + 1]):
            j, value = np.uint64(X_indices[p]), X_data[p]
            for column in range(n_columns):  # in this form LLVM sees that it may use vector registers
                total[column] += value * W[j, column]
        _keep_best(total, columns[i], scores[i])


@njit(nogil=True, cache=True)
def _topk_dense(S: np.ndarray, columns: np.ndarray, scores: np.ndarray) -> None:
    for i in range(len(S)):
        _keep_best(S[i], columns[i], scores[i])


@njit(nogil=True, cache=True)
def _keep_best(total: np.ndarray, columns: np.ndarray, scores: np.ndarray) -> None:
    columns[:] = -1
    scores[:] = -np.inf
    worst = scores[-1]
    for column in range(len(total)):
        if total[column] > worst:
            _insert(columns, scores, column, total[column])
            worst = scores[-1]


@njit(nogil=True, cache=True)
def _topk_stored(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, columns: np.ndarray, scores: np.ndarray
) -> None:
    for i in range(len(indptr) - 1):
        columns[i] = -1
        scores[i] = -np.inf
        for p in range(indptr[i], indptr[i + 1]):
            if data[p] > scores[i, -1]:
                _insert(columns[i], scores[i], indices[p], data[p])


@njit(nogil=True, cache=True, inline="always")
def _insert(columns: np.ndarray, scores: np.ndarray, column: int, score: float) -> None:
    """Put a column into its place among the best so far; an equal score stays behind the earlier, lower column."""
    place = len(scores) - 1
    while place > 0 and score > scores[place - 1]:
        scores[place] = scores[place - 1]
        columns[place] = columns[place - 1]
        place -= 1
    scores[place] = score
    columns[place] = column
