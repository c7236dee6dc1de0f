"""Growing one instance tree, all of it inside a compiled kernel.

The instances of a node are a stretch of one array of row numbers, which a split reorders in place. A node works on
small matrices of its own: its labels and features are numbered afresh, so that a small node never walks through an
array that is as long as the data set is wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.instance_trees import InstanceTree, goes_right
from xmlwb.solvers.ndcg_partition import generator, partition, rank_discounts
from xmlwb.solvers.sparse_logistic import learn_separator


def grow_tree(
    X: sparse.csr_array,
    Y: sparse.csr_array,
    worth: np.ndarray,
    gains: np.ndarray,
    *,
    max_leaf: int = 10,
    max_leaf_labels: int = 100,
    C: float = 1.0,
    tol: float = 0.01,
    max_iter: int = 10,
    seed: int = 0,
) -> InstanceTree:
    """Grow a tree by nDCG partitions.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
        Stored entries are the instances' labels.
    worth : ndarray, shape (nnz(Y),), float32
        `gain_shares` of Y.
    gains : ndarray, shape (L,), float64
        What an instance adds to its leaf's sum for a label of its own, before the sum is divided by the instances.
    max_leaf : int
        A node with more instances is split, unless all of them have the same labels, or the split fails: the partition
        or the separator leaves one side empty.
    max_leaf_labels : int
        Labels that a leaf keeps, those with the largest sums; ties by the lower label.
    C, tol, max_iter : float, float, int
        The separators', see `partition_steps`.
    seed : int

    Returns
    -------
    InstanceTree

    Raises
    ------
    ValueError
        The shapes do not fit together.

    Notes
    -----
    Time, a level of the tree, O(passes x nnz(X) + rounds x nnz(Y)). Memory, besides the tree,
    8 (nnz(X) + nnz(Y)) + 36 L + 8 d + 65 n bytes.
    """
    if X.shape[0] != Y.shape[0] or worth.shape != (Y.nnz,) or gains.shape != (Y.shape[1],):  # the kernel does not look
        shapes = X.shape, Y.shape, worth.shape, gains.shape
        raise ValueError(
            "X, Y, worth and gains have shapes {}, {}, {} and {}, which do not fit together".format(*shapes)
        )
    first_child, bias, *flat = _grow(
        X.indptr.astype(np.int64), X.indices.astype(np.int32, copy=False), X.data, X.shape[1],
        Y.indptr.astype(np.int64), Y.indices.astype(np.int32, copy=False), worth, gains, rank_discounts(Y.shape[1]),
        max_leaf, max_leaf_labels, C, tol, max_iter, seed,
    )  # fmt: skip
    n_nodes = len(first_child)
    children = np.where(first_child[:, None] > 0, first_child[:, None] + np.array([0, 1]), -1).astype(np.int32)
    separators, leaves = (
        sparse.csr_array((data, indices, indptr), shape=(n_nodes, width))
        for (data, indices, indptr), width in ((flat[:3], X.shape[1]), (flat[3:], Y.shape[1]))
    )
    return InstanceTree(children, separators, bias, leaves)


@njit(nogil=True, cache=True)
def _grow(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    d: int,
    Y_indptr: np.ndarray,
    Y_indices: np.ndarray,
    worth: np.ndarray,
    gains: np.ndarray,
    discounts: np.ndarray,
    max_leaf: int,
    max_leaf_labels: int,
    C: float,
    tol: float,
    max_iter: int,
    seed: int,
) -> tuple[np.ndarray, ...]:
    """The tree as first child, bias, and the parts (data, indices, indptr) of its separators and leaves."""
    n, L = len(X_indptr) - 1, len(gains)
    random = generator(seed)
    rows = np.arange(n).astype(np.int32)
    aside = np.empty(n, dtype=np.int32)
    delta = np.empty(n, dtype=np.int8)
    weight = np.empty(n)  # of an instance's loss
    label_place = np.full(L, -1, dtype=np.int32)  # within the node at hand; all -1 in between
    feature_place = np.full(d, -1, dtype=np.int32)
    dense = np.zeros(d, dtype=np.float32)  # the separator at hand; all zero in between
    y_indptr = np.zeros(n + 1, dtype=np.int64)
    y_places = np.empty(len(Y_indices), dtype=np.int32)
    y_worth = np.empty(len(Y_indices), dtype=np.float32)
    sums, discount = np.empty((2, L)), np.empty((2, L))
    x_rows = np.empty(len(X_indices) + n, dtype=np.int32)
    x_values = np.empty(len(X_indices) + n, dtype=np.float32)

    begins, ends = [0], [n]
    first_child, bias = np.zeros(64, dtype=np.int32), np.zeros(64, dtype=np.float32)
    W_indptr, P_indptr = np.zeros(65, dtype=np.int64), np.zeros(65, dtype=np.int64)
    W_indices, W_data = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.float32)
    P_indices, P_data = np.empty(1024, dtype=np.int32), np.empty(1024, dtype=np.float32)
    v = 0
    while v < len(begins):
        if v == len(first_child):
            first_child, bias = _longer(first_child, 2 * v), _longer(bias, 2 * v)
            W_indptr, P_indptr = _longer(W_indptr, 2 * v + 1), _longer(P_indptr, 2 * v + 1)
        first_child[v], bias[v] = 0, 0.0
        W_end, P_end = W_indptr[v], P_indptr[v]
        here = rows[begins[v] : ends[v]]
        n_here, n_plus = len(here), 0
        labels = _distinct(Y_indptr, Y_indices, here, label_place)
        _take_rows(Y_indptr, Y_indices, worth, here, label_place, y_indptr, y_places, y_worth)
        label_place[labels] = -1
        if n_here > max_leaf and y_indptr[n_here] < len(labels) * n_here:  # else all have the same labels
            n_plus, random = partition(
                y_indptr, y_places, y_worth, n_here, len(labels), discounts, sums, discount, delta, random
            )
        if 0 < n_plus < n_here:
            for s in range(n_here):
                weight[s] = C * n_here / (n_plus if delta[s] > 0 else n_here - n_plus)
            features = _distinct(X_indptr, X_indices, here, feature_place)
            x_indptr = _columns(X_indptr, X_indices, X_data, here, feature_place, len(features), x_rows, x_values)
            feature_place[features] = -1
            w = np.zeros(len(features) + 1)
            random = learn_separator(
                x_indptr, x_rows, x_values, len(w), delta[:n_here], weight[:n_here], tol, max_iter, w, random
            )
            kept = np.flatnonzero(w[:-1])
            W_end += len(kept)
            if W_end > len(W_indices):
                W_indices, W_data = _longer(W_indices, 2 * W_end), _longer(W_data, 2 * W_end)
            W_indices[W_indptr[v] : W_end] = features[kept]
            W_data[W_indptr[v] : W_end] = w[kept]
            dense[features[kept]] = W_data[W_indptr[v] : W_end]
            n_plus = _send(X_indptr, X_indices, X_data, here, aside, dense, np.float32(w[-1]))
            dense[features[kept]] = 0.0
        if 0 < n_plus < n_here:
            first_child[v], bias[v] = len(begins), w[-1]
            middle = ends[v] - n_plus
            begins += [begins[v], middle]
            ends += [middle, ends[v]]
        else:
            W_end = W_indptr[v]  # a separator that leaves one side empty is forgotten
            total = sums[0, : len(labels)]
            total[:] = 0.0
            for q in range(y_indptr[n_here]):
                total[y_places[q]] += 1.0
            total *= gains[labels] / n_here
            best = np.argsort(-total, kind="mergesort")[:max_leaf_labels]
            best.sort()
            P_end += len(best)
            if P_end > len(P_indices):
                P_indices, P_data = _longer(P_indices, 2 * P_end), _longer(P_data, 2 * P_end)
            P_indices[P_indptr[v] : P_end] = labels[best]
            P_data[P_indptr[v] : P_end] = total[best]
        W_indptr[v + 1], P_indptr[v + 1] = W_end, P_end
        v += 1
    return (
        first_child[:v].copy(), bias[:v].copy(),
        W_data[: W_indptr[v]].copy(), W_indices[: W_indptr[v]].copy(), W_indptr[: v + 1].copy(),
        P_data[: P_indptr[v]].copy(), P_indices[: P_indptr[v]].copy(), P_indptr[: v + 1].copy(),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _longer(array: np.ndarray, length: int) -> np.ndarray:
    longer = np.empty(length, dtype=array.dtype)
    longer[: len(array)] = array
    return longer


@njit(nogil=True, cache=True)
def _distinct(indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The distinct columns of some rows, ascending; ``place``, -1 before, then holds each one's place among them."""
    n_entries = 0
    for i in rows:
        n_entries += indptr[i + 1] - indptr[i]
    found = np.empty(min(n_entries, len(place)), dtype=np.int32)
    n_found = 0
    for i in rows:
        for p in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[p])
            if place[j] < 0:
                place[j] = 0
                found[n_found] = j
                n_found += 1
    found = found[:n_found].copy()
    found.sort()
    for t in range(n_found):
        place[found[t]] = t
    return found


@njit(nogil=True, cache=True)
def _take_rows(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    place: np.ndarray,
    out_indptr: np.ndarray,
    out_indices: np.ndarray,
    out_data: np.ndarray,
) -> None:
    """Some rows of a CSR matrix as one of their own, with columns renamed to their places."""
    q = 0
    for s in range(len(rows)):
        for p in range(indptr[rows[s]], indptr[rows[s] + 1]):
            out_indices[q] = place[indices[p]]
            out_data[q] = data[p]
            q += 1
        out_indptr[s + 1] = q


@njit(nogil=True, cache=True)
def _columns(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    place: np.ndarray,
    n_columns: int,
    out_rows: np.ndarray,
    out_data: np.ndarray,
) -> np.ndarray:
    """Some rows of a CSR matrix by columns, renamed to their places, and a last column of ones; where each begins."""
    begin = np.zeros(n_columns + 3, dtype=np.int64)
    for i in rows:
        for p in range(indptr[i], indptr[i + 1]):
            begin[place[np.uint64(indices[p])] + 2] += 1
    begin = np.cumsum(begin)
    for s in range(len(rows)):
        for p in range(indptr[rows[s]], indptr[rows[s] + 1]):
            j = place[np.uint64(indices[p])] + 1  # begin[j] moves on, and ends up where column j begins
            out_rows[begin[j]] = s
            out_data[begin[j]] = data[p]
            begin[j] += 1
    nnz = begin[n_columns]
    out_rows[nnz : nnz + len(rows)] = np.arange(len(rows))
    out_data[nnz : nnz + len(rows)] = 1.0
    begin[n_columns + 1] = nnz + len(rows)
    return begin[: n_columns + 2]


@njit(nogil=True, cache=True)
def _send(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    rows: np.ndarray,
    aside: np.ndarray,
    weights: np.ndarray,
    bias: np.float32,
) -> int:
    """Put the rows that go to -1 first, then the others, both in their old order; how many others there are."""
    n_minus, n_plus = 0, 0
    for s in range(len(rows)):
        i = rows[s]
        if goes_right(indices, data, indptr[i], indptr[i + 1], weights, bias):
            aside[n_plus] = i
            n_plus += 1
        else:
            rows[n_minus] = i
            n_minus += 1
    rows[n_minus:] = aside[:n_plus]
    return n_plus
