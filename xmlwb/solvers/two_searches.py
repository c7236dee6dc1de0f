"""Astec's shortlists: labels by their centroids, and labels of the nearest training instances, in one ranking."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.in_order import in_order
from xmlwb.solvers.shortlist import Shortlist

#: Queries of one task.
_AT_ONCE = 256


class TwoSearches:
    r"""The labels nearest to an instance, by the sum of two structures.

    .. math:: s_l(x) = (1 - \gamma) \cos(x, \mu_l) + \gamma \sum_{i \in N(x):\, y_{il} = 1} \cos(x, x_i)

    with the first term for the labels that the search among centroids finds, and the m nearest instances N(x).

    Parameters
    ----------
    centroids : Shortlist
        Over the labels, (L, D).
    instances : Shortlist or None
        Over training instances, (n, D); None: centroids alone, and s is the cosine.
    Y : csr_array, shape (n, L)
    gamma : float
        What the second term weighs.

    Examples
    --------
    >>> unit = np.eye(2, dtype=np.float32)
    >>> by_label, by_instance = (Shortlist.build(unit, np.arange(2), search="exact") for _ in range(2))
    >>> search = TwoSearches(by_label, by_instance, sparse.csr_array(np.float32([[1, 0], [1, 1]])), gamma=0.25)
    >>> labels, sums = search.find(np.float32([[0, 1]]), 2, n_neighbours=1)
    >>> labels.tolist(), sums.tolist()
    ([[1, 0]], [[1.0, 0.25]])
    """

    def __init__(self, centroids: Shortlist, instances: Shortlist | None, Y: sparse.csr_array, gamma: float) -> None:
        if len(centroids.vectors) != Y.shape[1] or (instances is not None and len(instances.vectors) != Y.shape[0]):
            raise ValueError(f"Y has shape {Y.shape}, which does not fit to the centroids, or to the instances")
        self.centroids, self.instances, self.Y, self.gamma = centroids, instances, Y, gamma

    def find(
        self,
        queries: np.ndarray,
        k: int,
        *,
        n_neighbours: int = 300,
        ef: int | None = None,
        n_jobs: int | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k labels of the largest s, best first.

        Parameters
        ----------
        queries : ndarray, shape (q, D), float32
        k : int
        n_neighbours : int
            m.
        ef : int or None
            See `Shortlist.find`.
        n_jobs : int or None
            Threads; the result does not depend on it.

        Returns
        -------
        labels : ndarray, shape (q, k), int32
            Ties by the lower label; -1 in the empty places.
        sums : ndarray, shape (q, k), float32
            s; 0 in the empty places.

        Notes
        -----
        Time two searches and O(k + m labels of an instance) log of it.
        """
        labels, cosines = self.centroids.find(queries, k, ef=ef, n_jobs=n_jobs)
        if self.instances is None or not n_neighbours:
            return labels, cosines
        near, of_near = self.instances.find(queries, n_neighbours, ef=ef, n_jobs=n_jobs)
        found, sums = np.full_like(labels, -1), np.zeros_like(cosines)

        def merge(begin: int) -> None:
            part = slice(begin, begin + _AT_ONCE)
            _merge(
                labels[part], cosines[part], near[part], of_near[part], self.Y.indptr, self.Y.indices,
                self.Y.shape[1], np.float32(self.gamma), found[part], sums[part],
            )  # fmt: skip

        for _ in in_order(merge, [(begin,) for begin in range(0, len(labels), _AT_ONCE)], n_jobs=n_jobs):
            pass
        return found, sums


@njit(nogil=True, cache=True)
def _merge(
    labels: np.ndarray,
    cosines: np.ndarray,
    near: np.ndarray,
    of_near: np.ndarray,
    Y_indptr: np.ndarray,
    Y_indices: np.ndarray,
    n_labels: int,
    gamma: np.float32,
    found: np.ndarray,
    sums: np.ndarray,
) -> None:
    place = np.full(n_labels, -1, dtype=np.int64)
    collected = np.empty(n_labels, dtype=np.int32)
    total = np.empty(n_labels, dtype=np.float32)
    k = labels.shape[1]
    for i in range(len(labels)):
        n = 0
        for s in range(k):
            label = labels[i, s]
            if label >= 0:
                place[label], collected[n], total[n] = n, label, (np.float32(1) - gamma) * cosines[i, s]
                n += 1
        for s in range(near.shape[1]):
            row = near[i, s]
            if row >= 0:
                for p in range(Y_indptr[row], Y_indptr[row + 1]):
                    label = Y_indices[p]
                    if place[label] < 0:
                        place[label], collected[n], total[n] = n, label, np.float32(0)
                        n += 1
                    total[place[label]] += gamma * of_near[i, s]
        for s in range(n):
            place[collected[s]] = -1
        by_label = np.argsort(collected[:n])
        best = by_label[np.argsort(-total[:n][by_label], kind="mergesort")]
        for s in range(min(n, k)):
            found[i, s], sums[i, s] = collected[best[s]], total[best[s]]
