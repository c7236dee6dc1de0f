r"""Which labels a leaf keeps: those that let the base classifier put true labels at the top of its instances' rankings.

The base ranks the labels of each instance once and for all; a leaf that keeps only the labels S shortens these rankings
and changes nothing else. S is chosen for the precision at k of the leaf's training instances,

.. math:: \max_{S, \, |S| \le m} \; \sum_i \bigl| \{ l \in S : y_{il} = 1, \; r_i(l \mid S) \le k \} \bigr|

where :math:`r_i(l \mid S)` is the place of l among S in the base's ranking of instance i. Greedily: the label comes
next that adds most, true labels that it brings into the first k places less those that it pushes out of them. Labels
without a true instance in the leaf cannot add anything.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.leaf_topk import topk_of_leaves
from xmlwb.solvers.sparse_dense import in_parts, threads_for

#: Places of an instance's ranking, among the labels that its leaf could keep, that are looked at.
RANKED = 64
#: Instances whose rankings are held at a time.
BATCH = 1 << 16


def assign_labels(
    X: sparse.csr_array,
    Y: sparse.csr_array,
    W: sparse.csr_array,
    bias: np.ndarray,
    leaves: np.ndarray,
    n_leaves: int,
    n_labels: np.ndarray,
    k: int,
    *,
    n_jobs: int | None = None,
) -> sparse.csr_array:
    """The labels that each leaf keeps.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
    W : csr_array, shape (L, d), float32, indices ascending
    bias : ndarray, shape (L,), float32
        The base's scores are ``X @ W.T + bias``; it does not know a label whose bias is ``-inf``.
    leaves : ndarray of int, shape (n,)
        The leaf of each instance.
    n_leaves : int
    n_labels : ndarray of int, shape (n_leaves,)
        How many labels each leaf may keep.
    k : int
        The places at the top that count. When no label adds anything at k, the same goes on at 2 k, 4 k, and so on:
        room that is left is not wasted. In the end the labels with the most instances come in.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    csr_array, shape (n_leaves, L), float32
        The part of a leaf's instances that have a label, for the labels that it keeps; indices ascending.

    Notes
    -----
    Time as `topk_of_leaves` over the labels that occur in each leaf, and O(n_labels x instances x ``RANKED``).
    """
    n, L = Y.shape
    sizes = np.bincount(leaves, minlength=n_leaves)
    members = np.argsort(leaves, kind="stable")
    leaf_ptr = np.concatenate([[0], np.cumsum(sizes)])
    indicator = sparse.csr_array((np.ones(n, dtype=np.float32), members, leaf_ptr), shape=(n_leaves, n))
    known = sparse.dia_array((np.isfinite(bias)[None].astype(np.float32), [0]), shape=(L, L))
    found = sparse.csr_array(indicator @ Y @ known)  # for each leaf, the instances that have a label
    found.eliminate_zeros()
    found.sort_indices()
    kept = np.ones(found.nnz, dtype=np.bool_)
    full = np.flatnonzero(np.diff(found.indptr) > n_labels)
    batches = np.flatnonzero(np.diff(np.cumsum(sizes[full]) // BATCH, prepend=-1))  # where each begins, among `full`
    for first, last in pairwise([*batches, len(full)]):
        some = full[first:last]
        rows = np.concatenate([members[leaf_ptr[leaf] : leaf_ptr[leaf + 1]] for leaf in some])
        ranked, _ = topk_of_leaves(X[rows], W, bias, found, leaves[rows][:, None], RANKED, n_jobs=n_jobs)
        row_ptr = np.concatenate([[0], np.cumsum(sizes[some])])

        choose = partial(
            _choose, Y.indptr, Y.indices, rows, row_ptr, ranked, found.indptr, found.indices, found.data, some,
            n_labels, k, L, kept,
        )  # fmt: skip
        in_parts(choose, row_ptr, threads_for(len(rows) * RANKED * int(n_labels[some].max()), n_jobs))
    shares = found.data / np.repeat(np.maximum(sizes, 1), np.diff(found.indptr)).astype(np.float32)
    indptr = np.concatenate([[0], np.cumsum(kept)])[found.indptr]
    return sparse.csr_array((shares[kept], found.indices[kept], indptr), shape=(n_leaves, L))


@njit(nogil=True, cache=True)
def _choose(
    Y_indptr: np.ndarray,
    Y_indices: np.ndarray,
    rows: np.ndarray,
    row_ptr: np.ndarray,
    ranked: np.ndarray,
    found_ptr: np.ndarray,
    found_labels: np.ndarray,
    found_counts: np.ndarray,
    leaves: np.ndarray,
    n_labels: np.ndarray,
    k: int,
    L: int,
    kept: np.ndarray,
    begin: int,
    end: int,
) -> None:
    place = np.full(L, -1, dtype=np.int32)  # of a label among those of the leaf at hand
    true_for = np.full(L, -1, dtype=np.int64)  # the last instance that has the label
    for number in range(begin, end):
        leaf = leaves[number]
        labels = found_labels[found_ptr[leaf] : found_ptr[leaf + 1]]
        for s in range(len(labels)):
            place[labels[s]] = s
        m = row_ptr[number + 1] - row_ptr[number]
        order = np.full((m, ranked.shape[1]), -1, dtype=np.int32)
        is_true = np.zeros((m, ranked.shape[1]), dtype=np.bool_)
        for s in range(m):
            i = rows[row_ptr[number] + s]
            for p in range(Y_indptr[i], Y_indptr[i + 1]):
                true_for[Y_indices[p]] = i
            for r in range(ranked.shape[1]):
                label = ranked[row_ptr[number] + s, r]
                if label < 0:
                    break
                order[s, r] = place[label]
                is_true[s, r] = true_for[label] == i
        counts = found_counts[found_ptr[leaf] : found_ptr[leaf + 1]]
        kept[found_ptr[leaf] : found_ptr[leaf + 1]] = choose_labels(order, is_true, counts, n_labels[leaf], k)


@njit(nogil=True, cache=True)
def choose_labels(order: np.ndarray, is_true: np.ndarray, counts: np.ndarray, n_labels: int, k: int) -> np.ndarray:
    """Greedy choice of the labels of one leaf.

    Parameters
    ----------
    order : ndarray, shape (m, R), int32
        The ranking of each instance, best first; -1 from where it ends.
    is_true : ndarray of bool, shape (m, R)
        Whether the instance has the label that stands there.
    counts : ndarray, shape (K,)
        The instances that have each label; of labels that add as much, the more frequent one is taken, then the lower.
    n_labels, k : int

    Returns
    -------
    ndarray of bool, shape (K,)
        min(K, n_labels) are True.
    """
    m, R = order.shape
    K = len(counts)
    chosen = np.zeros(K, dtype=np.bool_)
    gain = np.empty(K, dtype=np.int64)
    n_chosen = 0
    while n_chosen < min(K, n_labels):
        gain[:] = 0
        for s in range(m):
            end, n_above, pushed_out = R, 0, np.int64(0)
            for r in range(R):  # who is at place k, and falls out if another one comes in above
                if order[s, r] < 0:
                    end = r
                    break
                if chosen[order[s, r]]:
                    n_above += 1
                    if n_above == k:
                        end, pushed_out = r, np.int64(is_true[s, r])
                        break
            for r in range(end):
                if not chosen[order[s, r]]:
                    gain[order[s, r]] += np.int64(is_true[s, r]) - pushed_out
        best = -1
        for label in range(K):
            if not chosen[label] and (
                best < 0 or gain[label] > gain[best] or (gain[label] == gain[best] and counts[label] > counts[best])
            ):
                best = label
        if gain[best] <= 0 and k <= R:
            k *= 2
            continue
        chosen[best] = True
        n_chosen += 1
    return chosen
