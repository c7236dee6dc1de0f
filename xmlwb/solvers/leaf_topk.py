"""The k best of those labels that an instance's leaves hold; the others are never scored.

Instances that reach the same leaf are taken together. The weights of the leaf's labels are read once for all of them,
those of features that occur in none of them left out, and put in order by feature; then each instance adds up a few
short rows in a buffer as long as the leaf's list.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

from xmlwb.solvers.topk import _keep_best


def topk_of_leaves(
    X: sparse.csr_array,
    W: sparse.csr_array,
    bias: np.ndarray,
    leaf_labels: sparse.csr_array,
    leaves: np.ndarray,
    k: int,
    *,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The k largest entries of each row of ``X @ W.T + bias`` among the columns that the row's leaves hold.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    W : csr_array, shape (L, d), float32
        Indices ascending.
    bias : ndarray, shape (L,), float32
        A label whose bias is ``-inf`` is never chosen.
    leaf_labels : csr_array, shape (n_leaves, L)
        The labels of each leaf are the columns of its stored entries; indices ascending.
    leaves : ndarray of int, shape (n, T)
        The leaves of each row.
    k : int
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    columns : ndarray, shape (n, k), int32
        Best first; ties by the lower column; -1 where fewer than k columns can be chosen.
    scores : ndarray, shape (n, k), float32
        The same numbers, to the last bit, that `topk_product` gives these columns; ``-inf`` in the empty places.

    Notes
    -----
    Time O(for each leaf that is reached, the weights of its labels + for each row and leaf, those that belong to the
    row's features); memory 8 k bytes an entry of ``leaves``, and for a thread 5 d bytes and 20 a weight of a leaf.
    """
    if X.shape[1] != W.shape[1] or bias.shape != (W.shape[0],) or leaf_labels.shape[1] != W.shape[0]:
        shapes = X.shape, W.shape, bias.shape, leaf_labels.shape
        raise ValueError("X, W, bias and leaf_labels have shapes {}, {}, {} and {}: no fit".format(*shapes))
    if leaves.ndim != 2 or len(leaves) != X.shape[0] or leaves.min() < 0 or leaves.max() >= leaf_labels.shape[0]:
        raise ValueError(f"leaves has shape {leaves.shape}; wanted a leaf's number for each row and tree")
    n, T = leaves.shape
    order = np.argsort(leaves, axis=None, kind="stable")  # pairs of a row and a tree, by leaf
    by_leaf = leaves.ravel()[order]
    group_ptr = np.flatnonzero(np.concatenate([[True], by_leaf[1:] != by_leaf[:-1], [True]]))
    columns = np.empty((n * T, k), dtype=np.int32)
    scores = np.empty((n * T, k), dtype=np.float32)

    def score(first: int, last: int) -> None:
        _score_groups(
            X.indptr, X.indices, X.data, X.shape[1], W.indptr, W.indices, W.data, bias,
            leaf_labels.indptr, leaf_labels.indices, T, order, by_leaf, group_ptr, first, last, columns, scores,
        )  # fmt: skip

    n_threads = effective_n_jobs(n_jobs)
    n_parts = 1 if n_threads == 1 else min(4 * n_threads, len(group_ptr) - 1)
    cuts = np.unique(np.searchsorted(group_ptr, np.linspace(0, n * T, n_parts + 1).astype(np.int64)))
    with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms
        for part in [pool.submit(score, first, last) for first, last in pairwise(cuts)]:
            part.result()
    if T == 1:
        return columns, scores
    return _merged(columns.reshape(n, T, k), scores.reshape(n, T, k))


@njit(nogil=True, cache=True)
def _score_groups(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    d: int,
    W_indptr: np.ndarray,
    W_indices: np.ndarray,
    W_data: np.ndarray,
    bias: np.ndarray,
    leaf_ptr: np.ndarray,
    leaf_labels: np.ndarray,
    T: int,
    order: np.ndarray,
    by_leaf: np.ndarray,
    group_ptr: np.ndarray,
    first: int,
    last: int,
    columns: np.ndarray,
    scores: np.ndarray,
) -> None:
    occurs = np.zeros(d, dtype=np.bool_)  # features of the instances at hand
    number = np.empty(d, dtype=np.int32)  # and their number among those
    features = np.empty(1024, dtype=np.int32)
    where = np.empty(
        (2, 1024), dtype=np.int32
    )  # of each weight that is needed: its feature's number, its label's place
    weights = np.empty(1024, dtype=np.float32)
    for g in range(first, last):
        leaf = by_leaf[group_ptr[g]]
        labels = leaf_labels[leaf_ptr[leaf] : leaf_ptr[leaf + 1]]
        n_features = 0
        for q in range(group_ptr[g], group_ptr[g + 1]):
            i = order[q] // T
            for p in range(X_indptr[i], X_indptr[i + 1]):
                j = np.uint64(X_indices[p])
                if not occurs[j]:
                    occurs[j] = True
                    number[j] = n_features
                    if n_features == len(features):
                        features = _grown(features, 2 * n_features)
                    features[n_features] = X_indices[p]
                    n_features += 1
        room = 0
        for s in range(len(labels)):
            room += W_indptr[labels[s] + 1] - W_indptr[labels[s]]
        if room > len(weights):
            where = np.empty((2, 2 * room), dtype=np.int32)
            weights = np.empty(2 * room, dtype=np.float32)
        begins = np.zeros(n_features + 2, dtype=np.int64)
        n_weights = 0
        for s in range(len(labels)):
            for r in range(W_indptr[labels[s]], W_indptr[labels[s] + 1]):
                j = np.uint64(W_indices[r])
                if occurs[j]:
                    where[0, n_weights] = number[j]
                    where[1, n_weights] = s
                    weights[n_weights] = W_data[r]
                    begins[number[j] + 2] += 1
                    n_weights += 1
        for f in range(2, n_features + 2):
            begins[f] += begins[f - 1]
        places = np.empty(n_weights, dtype=np.int32)  # the same weights by feature
        values = np.empty(n_weights, dtype=np.float32)
        for r in range(n_weights):
            f = where[0, r] + 1
            places[begins[f]] = where[1, r]
            values[begins[f]] = weights[r]
            begins[f] += 1
        total = np.empty(len(labels), dtype=np.float32)
        for q in range(group_ptr[g], group_ptr[g + 1]):
            pair = order[q]
            i = pair // T
            for s in range(len(labels)):
                total[s] = bias[labels[s]]
            for p in range(X_indptr[i], X_indptr[i + 1]):
                f, value = number[np.uint64(X_indices[p])], X_data[p]
                for r in range(begins[f], begins[f + 1]):
                    total[np.uint64(places[r])] += value * values[r]
            _keep_best(total, columns[pair], scores[pair])
            for s in range(columns.shape[1]):
                if columns[pair, s] >= 0:
                    columns[pair, s] = labels[columns[pair, s]]
        for f in range(n_features):
            occurs[features[f]] = False


@njit(nogil=True, cache=True)
def _grown(array: np.ndarray, size: int) -> np.ndarray:
    larger = np.empty(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


@njit(nogil=True, cache=True)
def _merged(columns: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best k of the lists of several trees; a label that is in several of them has the same score in each."""
    n, T, k = columns.shape
    best = np.full((n, k), -1, dtype=np.int32)
    best_scores = np.full((n, k), -np.inf, dtype=np.float32)
    for i in range(n):
        for t in range(T):
            for s in range(k):
                label, score = columns[i, t, s], scores[i, t, s]
                if label < 0:
                    break
                place = k
                while place > 0 and (
                    score > best_scores[i, place - 1]
                    or (score == best_scores[i, place - 1] and label < best[i, place - 1])
                    or best[i, place - 1] < 0
                ):
                    place -= 1
                if place == k:
                    break  # the rest of this list is worse still
                if place > 0 and best[i, place - 1] == label:
                    continue
                for after in range(k - 1, place, -1):
                    best[i, after] = best[i, after - 1]
                    best_scores[i, after] = best_scores[i, after - 1]
                best[i, place] = label
                best_scores[i, place] = score
    return best, best_scores
