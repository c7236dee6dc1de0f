"""Neighbours in an embedding that k-means has divided, exactly in the closest cluster or by a graph over all."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from xmlwb.solvers import hnsw
from xmlwb.solvers.neighbour_vote import nearest


def cluster(vectors: np.ndarray, n_clusters: int, random_state: int) -> tuple[np.ndarray, np.ndarray]:
    """k-means.

    Parameters
    ----------
    vectors : ndarray, shape (n, l), float32
    n_clusters : int
        m is at most that many; less where fewer vectors differ. No cluster is empty.
    random_state : int

    Returns
    -------
    centres : ndarray, shape (m, l), float32
    assignment : ndarray, shape (n,), int32
    """
    n_clusters = min(n_clusters, len(vectors))
    if n_clusters == 1:
        return vectors.mean(axis=0, keepdims=True), np.zeros(len(vectors), dtype=np.int32)
    # One thread: several add up the centres in the order in which they happen to end.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different vectors than clusters: some stay empty
        means = KMeans(n_clusters, n_init=1, random_state=random_state).fit(vectors)
    used, assignment = np.unique(means.labels_, return_inverse=True)
    return means.cluster_centers_[used].astype(np.float32), assignment.astype(np.int32)


class EmbeddedNeighbours:
    """Finds the neighbours of queries among embedded instances.

    Parameters
    ----------
    vectors : ndarray, shape (n, l), float32
        Rows of unit length.
    centres : ndarray, shape (m, l), float32
    assignment : ndarray of int, shape (n,)
        The cluster of each vector.
    graph : ndarray of uint8
        What `hnsw.build` returned for the vectors; empty for the exact search.

    Raises
    ------
    ValueError
        The graph is not one over so many vectors of this width.
    """

    def __init__(self, vectors: np.ndarray, centres: np.ndarray, assignment: np.ndarray, graph: np.ndarray) -> None:
        self._vectors, self._centres = vectors, centres
        self._members = np.argsort(assignment, kind="stable")
        self._ptr = np.concatenate([[0], np.cumsum(np.bincount(assignment, minlength=len(centres)))])
        self._graph = hnsw.read(graph, *vectors.shape) if len(graph) else None

    def find(self, queries: np.ndarray, k: int, *, ef: int = 200) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest of each query, and their cosines.

        Parameters
        ----------
        queries : ndarray, shape (q, l), float32
            Rows of unit length.
        k : int
        ef : int
            Width of the graph search.

        Returns
        -------
        indices : ndarray, shape (q, k), int32
            Nearest first; -1 where the closest cluster has fewer than k members, or the graph leads to fewer.
        cosines : ndarray, shape (q, k), float32
            0 in the empty places.

        Notes
        -----
        Exact: O(m l + l n / m) for a query where clusters are of one size. By the graph: O(ef log n) distances.
        """
        k = min(k, len(self._vectors))
        if self._graph is not None:
            found, distances = hnsw.search(self._graph, queries, k, ef=ef)
            return found, np.where(found >= 0, 1 - distances, np.float32(0))
        if len(self._centres) == 1:
            return nearest(queries, self._vectors, k)
        indices = np.full((len(queries), k), -1, dtype=np.int32)
        cosines = np.zeros((len(queries), k), dtype=np.float32)
        closest = closest_centre(queries, self._centres)
        for number in np.unique(closest):
            members = self._members[self._ptr[number] : self._ptr[number + 1]]
            rows = np.flatnonzero(closest == number)
            width = min(k, len(members))
            if width:
                found, similarity = nearest(queries[rows], self._vectors[members], width)
                indices[rows, :width], cosines[rows, :width] = members[found], similarity
        return indices, cosines


def closest_centre(queries: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """The number of the centre at the smallest distance from each query (the paper's equation 4); ties by the lower."""
    return np.argmin((centres**2).sum(axis=1) / 2 - queries @ centres.T, axis=1)
