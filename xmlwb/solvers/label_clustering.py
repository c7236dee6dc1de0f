r"""Clustering labels by the direction of their representation: balanced 2-means and K-means on the unit sphere.

Both maximise, over unit vectors :math:`\mu_1 \ldots \mu_K` and a division of the labels into K clusters,

.. math:: \frac1L \sum_{l} v_l^\top \mu_{c(l)}, \qquad \lVert v_l \rVert = 1,

by turns: labels go to centroids, centroids to the mean direction of their labels. With ``K = 2`` and halves of equal
size the first step has a closed form: sort the labels by :math:`v_l^\top (\mu_1 - \mu_2)` and cut at the median.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.row_subset import take_rows
from xmlwb.solvers.sparse_dense import in_parts, threads_for
from xmlwb.solvers.xorshift import advance, below

#: Turns of a clustering, at most; it ends as soon as one gains less than ``MIN_GAIN``.
MAX_TURNS = 20
MIN_GAIN = 1e-4


def label_centroids(X: sparse.csr_array, Y: sparse.csr_array, *, n_jobs: int | None = None) -> sparse.csr_array:
    r"""The direction of the mean positive instance of each label, :math:`v_l \propto \sum_{i: y_{il}=1} x_i`.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    csr_array, shape (L, d), float32
        Rows of unit length, or without entries for a label without positives. Indices are not sorted.

    Notes
    -----
    Time and memory O(sum over the stored entries of Y of nnz of that row of X).
    """
    L, d = Y.shape[1], X.shape[1]
    rows_of = Y.tocsc()
    work = np.concatenate([[0], np.cumsum(np.diff(X.indptr), dtype=np.int64)])  # entries of X before each row
    work = (work[rows_of.indices.astype(np.int64) + 1] - work[rows_of.indices]).cumsum(dtype=np.int64)
    upper = np.concatenate([[0], work])[rows_of.indptr]  # entries that a label's row can have at most, summed up
    counts = np.zeros(L, dtype=np.int64)
    threads = threads_for(int(upper[-1]), n_jobs)

    def count(begin: int, end: int) -> None:
        _count_union(rows_of.indptr, rows_of.indices, X.indptr, X.indices, d, begin, end, counts)

    in_parts(count, upper, threads)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    indices = np.empty(indptr[-1], dtype=np.int32)
    data = np.empty(indptr[-1], dtype=np.float32)

    def add(begin: int, end: int) -> None:
        _sum_rows(
            rows_of.indptr, rows_of.indices, X.indptr, X.indices, X.data, d, begin, end, indptr, indices, data
        )  # fmt: skip

    in_parts(add, upper, threads)
    return sparse.csr_array((data, indices, indptr), shape=(L, d))


@njit(nogil=True, cache=True)
def _count_union(
    of_indptr: np.ndarray,
    of_indices: np.ndarray,
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    d: int,
    begin: int,
    end: int,
    counts: np.ndarray,
) -> None:
    seen = np.full(d, -1, dtype=np.int64)
    for label in range(begin, end):
        n = 0
        for s in range(of_indptr[label], of_indptr[label + 1]):
            i = of_indices[s]
            for p in range(X_indptr[i], X_indptr[i + 1]):
                j = np.uint64(X_indices[p])
                if seen[j] != label:
                    seen[j] = label
                    n += 1
        counts[label] = n


@njit(nogil=True, cache=True)
def _sum_rows(
    of_indptr: np.ndarray,
    of_indices: np.ndarray,
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    d: int,
    begin: int,
    end: int,
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
) -> None:
    place = np.full(d, -1, dtype=np.int64)
    for label in range(begin, end):
        first = q = indptr[label]
        for s in range(of_indptr[label], of_indptr[label + 1]):
            i = of_indices[s]
            for p in range(X_indptr[i], X_indptr[i + 1]):
                j = np.uint64(X_indices[p])
                if place[j] < first:  # of an earlier label
                    place[j] = q
                    indices[q] = X_indices[p]
                    data[q] = np.float32(0.0)
                    q += 1
                data[np.uint64(place[j])] += X_data[p]
        square = 0.0
        for q in range(first, indptr[label + 1]):
            square += np.float64(data[q]) ** 2
        if square > 0:
            scale = np.float32(1.0 / np.sqrt(square))
            for q in range(first, indptr[label + 1]):
                data[q] *= scale


def split_in_halves(V: sparse.csr_array, labels: np.ndarray, seed: int) -> list[np.ndarray]:
    """Balanced spherical 2-means: two halves of the labels, of sizes that differ by one at most.

    Parameters
    ----------
    V : csr_array, shape (L, d), float32
        Unit rows.
    labels : ndarray of int, shape (m,), m >= 2
        The rows of V to divide.
    seed : int
        Which label is the first centroid; the one least like it is the second.

    Returns
    -------
    list of two ndarrays
        ``ceil(m / 2)`` and ``floor(m / 2)`` of the labels, each ascending in the difference of similarities.

    Notes
    -----
    Time O(turns x (entries of these rows of V + m log m)); memory 12 bytes an entry.
    """
    rows = V if 2 * len(labels) > V.shape[0] else take_rows(V, labels)[0]
    members = labels if rows is V else np.arange(len(labels))
    ordered = _split_in_halves(rows.indptr, rows.indices, rows.data, rows.shape[1], members, np.uint64(seed))
    ordered = ordered if rows is V else labels[ordered]
    return np.array_split(ordered, 2)


@njit(nogil=True, cache=True)
def _split_in_halves(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, d: int, members: np.ndarray, seed: np.uint64
) -> np.ndarray:
    m = len(members)
    middle = (m + 1) // 2
    mu = np.zeros((2, d), dtype=np.float32)
    random = advance(seed * np.uint64(2685821657736338717) + np.uint64(88172645463325252))
    for p in range(indptr[members[below(m, random)]], indptr[members[below(m, random)] + 1]):
        mu[0, indices[p]] = data[p]
    other = balance(indptr, indices, data, members, mu)[m - 1]  # with mu[1] = 0: the one least like the first
    for p in range(indptr[other], indptr[other + 1]):
        mu[1, indices[p]] = data[p]
    ordered = members
    objective = -1.0
    for _ in range(MAX_TURNS):
        ordered = balance(indptr, indices, data, members, mu)
        mu[:] = 0
        for s in range(m):
            cluster = 0 if s < middle else 1
            for p in range(indptr[ordered[s]], indptr[ordered[s] + 1]):
                mu[cluster, np.uint64(indices[p])] += data[p]
        before, objective = objective, 0.0
        for cluster in range(2):
            square = 0.0
            for j in range(d):
                square += np.float64(mu[cluster, j]) ** 2
            norm = np.sqrt(square)  # of the sum of the members: their summed similarity to its direction
            objective += norm / m
            if norm > 0:
                mu[cluster] /= np.float32(norm)
        if objective - before < MIN_GAIN:
            break
    return ordered


@njit(nogil=True, cache=True)
def balance(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, members: np.ndarray, mu: np.ndarray
) -> np.ndarray:
    """The step in which labels go to centroids: the members (rows of V), those nearest to mu[0] first.

    Cut in the middle, the order gives the halves with the largest sum of similarities to their centroids, (2, d).
    """
    m = len(members)
    difference = mu[1] - mu[0]
    gain = np.empty(m, dtype=np.float32)
    for s in range(m):
        total = np.float32(0.0)
        for p in range(indptr[members[s]], indptr[members[s] + 1]):
            total += data[p] * difference[np.uint64(indices[p])]
        gain[s] = total
    return members[np.argsort(gain, kind="mergesort")]  # stable: labels without entries stay where they are


def split_by_k_means(
    V: sparse.csr_array, labels: np.ndarray, n_clusters: int, seed: int, *, n_jobs: int | None = None
) -> list[np.ndarray]:
    """Spherical K-means: clusters of any size, those that stay empty left out.

    Parameters
    ----------
    V : csr_array, shape (L, d), float32
        Unit rows.
    labels : ndarray of int, shape (m,)
        The rows of V to divide.
    n_clusters : int
        K; at most m are made.
    seed : int
        Which labels are the first centroids.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    list of ndarrays
        The labels of each cluster, in the order in which they were given.

    Notes
    -----
    Time O(turns x K x entries of these rows of V); memory 12 bytes an entry and 8 K d' for the d' features that occur.
    """
    rows = V if 2 * len(labels) > V.shape[0] else take_rows(V, labels)[0]
    members = labels if rows is V else np.arange(len(labels))
    m, K = len(labels), min(n_clusters, len(labels))
    start = np.random.default_rng(seed).choice(m, size=K, replace=False)
    mu = rows[members[start]].T.toarray(order="C")  # (d, K): a feature's entries lie side by side
    cluster = np.zeros(m, dtype=np.int32)
    similarity = np.zeros(m, dtype=np.float32)
    objective = -1.0
    work = np.concatenate([[0], np.cumsum(np.diff(rows.indptr)[members])])
    threads = threads_for(int(work[-1]) * K, n_jobs)

    def assign(begin: int, end: int) -> None:
        _nearest(rows.indptr, rows.indices, rows.data, members, mu, begin, end, cluster, similarity)

    for _ in range(MAX_TURNS):
        in_parts(assign, work, threads)
        before, objective = objective, float(similarity.mean(dtype=np.float64))
        if objective - before < MIN_GAIN:
            break
        _mean_directions(rows.indptr, rows.indices, rows.data, members, cluster, mu)
    by_cluster = labels[np.argsort(cluster, kind="stable")]
    parts = np.split(by_cluster, np.cumsum(np.bincount(cluster, minlength=K))[:-1])
    return [part for part in parts if len(part)]


@njit(nogil=True, cache=True)
def _nearest(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    members: np.ndarray,
    mu: np.ndarray,
    begin: int,
    end: int,
    cluster: np.ndarray,
    similarity: np.ndarray,
) -> None:
    K = mu.shape[1]
    total = np.empty(K, dtype=np.float32)
    for s in range(begin, end):
        total[:] = 0
        for p in range(indptr[members[s]], indptr[members[s] + 1]):
            j, value = np.uint64(indices[p]), data[p]
            for c in range(K):
                total[c] += value * mu[j, c]
        best = 0
        for c in range(1, K):
            if total[c] > total[best]:
                best = c
        cluster[s] = best
        similarity[s] = total[best]


@njit(nogil=True, cache=True)
def _mean_directions(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, members: np.ndarray, cluster: np.ndarray, mu: np.ndarray
) -> None:
    mu[:] = 0
    for s in range(len(members)):
        own = np.uint64(cluster[s])
        for p in range(indptr[members[s]], indptr[members[s] + 1]):
            mu[np.uint64(indices[p]), own] += data[p]
    squares = np.zeros(mu.shape[1])
    for j in range(len(mu)):
        for c in range(mu.shape[1]):
            squares[c] += np.float64(mu[j, c]) ** 2
    scale = np.zeros(mu.shape[1], dtype=np.float32)
    for c in range(len(scale)):
        if squares[c] > 0:  # an empty cluster stays empty
            scale[c] = np.float32(1.0 / np.sqrt(squares[c]))
    for j in range(len(mu)):
        for c in range(len(scale)):
            mu[j, c] *= scale[c]
