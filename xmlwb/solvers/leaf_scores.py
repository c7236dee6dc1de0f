"""Ranking labels by the mean of the leaves that an instance reaches, and re-ranking them by their centroids."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

from xmlwb.solvers.instance_trees import InstanceForest

#: Places from which on labels are sorted, instead of each being put in its place.
SORT_FROM = 64


def mean_leaves(
    forest: InstanceForest, reached: np.ndarray, k: int, *, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The k labels with the largest mean over the leaves that each row has reached.

    Parameters
    ----------
    forest : InstanceForest
    reached : ndarray, shape (n, T), int32
        `InstanceForest.apply`.
    k : int
        1 <= k <= L.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    labels : ndarray, shape (n, k), int32
        Best first; ties by the lower label; -1 where the leaves hold fewer than k labels.
    scores : ndarray, shape (n, k), float32

    Notes
    -----
    Time O(labels in the leaves that are reached) a row, and what sorting the distinct ones costs where k is 64 or more;
    memory 13 L bytes a thread.
    """
    leaves = forest.leaves
    n_labels = leaves.shape[1]

    def rank(begin: int, end: int, labels: np.ndarray, scores: np.ndarray) -> None:
        _mean_leaves(
            forest.tree_ptr, leaves.indptr, leaves.indices, leaves.data, n_labels, reached, begin, end, labels, scores
        )

    return _in_threads(rank, len(reached), k, n_jobs)


def best_of_sums(
    sums: sparse.csr_array, n_trees: int, k: int, *, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """What `mean_leaves` returns, to the last bit, where the leaves of each row have been added up already.

    Parameters
    ----------
    sums : csr_array, shape (n, L), float64
        ``leaves[reached]`` of one tree after the other.
    n_trees : int
        How many have been added.
    k : int
        1 <= k <= L.
    n_jobs : int or None
        Threads; the result does not depend on it.
    """

    def rank(begin: int, end: int, labels: np.ndarray, scores: np.ndarray) -> None:
        _best_of_sums(sums.indptr, sums.indices, sums.data, n_trees, begin, end, labels, scores)

    return _in_threads(rank, sums.shape[0], k, n_jobs)


def rerank_by_centroids(
    labels: np.ndarray,
    scores: np.ndarray,
    X: sparse.csr_array,
    centroids: sparse.csr_array,
    k: int,
    *,
    alpha: float,
    gamma: float,
    n_jobs: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Of proposed labels the k with the largest :math:`\alpha \log s + (1 - \alpha) \log P`, as `mean_leaves`.

    Parameters
    ----------
    labels, scores : ndarrays, shape (n, m)
        What `mean_leaves` returns: proposed labels, -1 where there is none, and their positive scores s.
    X : csr_array, shape (n, d), float32
        Rows of length one, or empty.
    centroids : csr_array, shape (d, L), float32
        The mean :math:`\mu_l` of the instances of each label, a column each.
    k : int
        1 <= k.
    alpha : float
        From 0 to 1.
    gamma : float
        Of :math:`P = 1 / (1 + \exp(\gamma \lVert x - \mu_l \rVert^2))`.

    Notes
    -----
    Time, a row, O(sum over its features of the labels whose centroid has them); memory 4 L bytes a thread.
    """
    indptr, indices = X.indptr.astype(np.int64), X.indices.astype(np.int32, copy=False)
    squares = np.bincount(centroids.indices, np.square(centroids.data, dtype=np.float64), minlength=centroids.shape[1])

    def rank(begin: int, end: int, out_labels: np.ndarray, out_scores: np.ndarray) -> None:
        _rerank(
            labels, scores, indptr, indices, X.data, centroids.indptr, centroids.indices, centroids.data, squares,
            alpha, gamma, begin, end, out_labels, out_scores,
        )  # fmt: skip

    return _in_threads(rank, len(labels), k, n_jobs)


def _in_threads(rank: Callable[..., None], n: int, k: int, n_jobs: int | None) -> tuple[np.ndarray, np.ndarray]:
    labels = np.empty((n, k), dtype=np.int32)
    scores = np.empty((n, k), dtype=np.float32)
    n_threads = effective_n_jobs(n_jobs)
    edges = np.linspace(0, n, max(1, min(4 * n_threads, n // 64)) + 1).astype(np.int64)
    with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms
        for part in [pool.submit(rank, begin, end, labels, scores) for begin, end in pairwise(edges)]:
            part.result()
    return labels, scores


@njit(nogil=True, cache=True)
def _mean_leaves(
    tree_ptr: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    n_labels: int,
    reached: np.ndarray,
    begin: int,
    end: int,
    labels: np.ndarray,
    scores: np.ndarray,
) -> None:
    n_trees = len(tree_ptr) - 1
    total = np.zeros(n_labels, dtype=np.float64)
    seen = np.zeros(n_labels, dtype=np.bool_)
    met = np.empty(n_labels, dtype=np.int32)
    mean = np.empty(n_labels, dtype=np.float32)
    for i in range(begin, end):
        n_met = 0
        for t in range(n_trees):
            leaf = tree_ptr[t] + reached[i, t]
            for q in range(indptr[leaf], indptr[leaf + 1]):
                label = np.uint64(indices[q])
                if not seen[label]:
                    seen[label] = True
                    met[n_met] = indices[q]
                    n_met += 1
                total[label] += data[q]
        for s in range(n_met):
            label = met[s]
            mean[s] = total[label] / n_trees
            total[label] = 0.0
            seen[label] = False
        _put_best(met[:n_met], mean[:n_met], labels[i], scores[i])


@njit(nogil=True, cache=True)
def _best_of_sums(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    n_trees: int,
    begin: int,
    end: int,
    labels: np.ndarray,
    scores: np.ndarray,
) -> None:
    for i in range(begin, end):
        row = data[indptr[i] : indptr[i + 1]]
        mean = np.empty(len(row), dtype=np.float32)
        for s in range(len(row)):
            mean[s] = row[s] / n_trees
        _put_best(indices[indptr[i] : indptr[i + 1]], mean, labels[i], scores[i])


@njit(nogil=True, cache=True)
def _rerank(
    proposed: np.ndarray,
    tree_scores: np.ndarray,
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    M_indptr: np.ndarray,
    M_indices: np.ndarray,
    M_data: np.ndarray,
    squares: np.ndarray,
    alpha: float,
    gamma: float,
    begin: int,
    end: int,
    labels: np.ndarray,
    scores: np.ndarray,
) -> None:
    product = np.empty(len(squares), dtype=np.float32)
    combined = np.empty(proposed.shape[1], dtype=np.float32)
    for i in range(begin, end):
        product[:] = 0.0
        square = 0.0
        for p in range(X_indptr[i], X_indptr[i + 1]):
            j, value = X_indices[p], X_data[p]
            square += value * value
            for q in range(M_indptr[j], M_indptr[j + 1]):
                product[np.uint64(M_indices[q])] += value * M_data[q]
        n_proposed = 0
        for s in range(proposed.shape[1]):
            label = proposed[i, s]
            if label < 0:
                break
            n_proposed += 1
            z = gamma * (square + squares[label] - 2.0 * product[label])
            log_tail = -max(z, 0.0) - np.log1p(np.exp(-abs(z)))  # log(1 / (1 + exp(z))), also for a large z
            combined[s] = alpha * np.log(tree_scores[i, s]) + (1.0 - alpha) * log_tail
        _put_best(proposed[i, :n_proposed], combined[:n_proposed], labels[i], scores[i])


@njit(nogil=True, cache=True)
def _put_best(found: np.ndarray, score: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> None:
    """The labels with the highest scores, best first; equal scores by the lower label; -1 where there are no more."""
    n_best = min(len(found), len(labels))
    labels[:] = -1
    scores[:] = -np.inf
    if n_best < SORT_FROM:
        for s in range(len(found)):
            _insert(labels[:n_best], scores[:n_best], found[s], score[s])
        return
    order = np.argsort(found)
    order = order[np.argsort(-score[order], kind="mergesort")]  # stable
    for place in range(n_best):
        labels[place] = found[order[place]]
        scores[place] = score[order[place]]


@njit(nogil=True, cache=True, inline="always")
def _insert(labels: np.ndarray, scores: np.ndarray, label: int, score: np.float32) -> None:
    """Put a label into its place among the best so far, if it has one; equal scores by the lower label."""
    place = len(scores)
    while place > 0:
        before = labels[place - 1]
        if score < scores[place - 1] or (score == scores[place - 1] and 0 <= before < label):
            break
        if place < len(scores):
            scores[place] = scores[place - 1]
            labels[place] = labels[place - 1]
        place -= 1
    if place < len(scores):
        scores[place] = score
        labels[place] = label
