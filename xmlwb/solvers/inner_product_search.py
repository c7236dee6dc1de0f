"""Maximum inner product search among label vectors: all of them, or by a navigable small-world graph."""

from __future__ import annotations

import numpy as np

from xmlwb.solvers import hnsw
from xmlwb.solvers.topk import topk_dense

#: Queries that are scored at once.
_AT_ONCE = 512


class InnerProductSearch:
    """Finds the vectors of the largest inner products with queries.

    Parameters
    ----------
    vectors : ndarray, shape (K, d), float32
    among : ndarray of int, shape (K',)
        The rows that may be found, ascending.
    graph : ndarray of uint8
        What `hnsw.build` returned for ``vectors[among]``; empty for the exact search. ValueError if it is another's.
    """

    def __init__(self, vectors: np.ndarray, among: np.ndarray, graph: np.ndarray) -> None:
        self.source = vectors, among, graph
        self._never = np.delete(np.arange(len(vectors)), among)
        self._graph = hnsw.read(graph, len(among), vectors.shape[1]) if len(graph) else None

    def find(self, queries: np.ndarray, k: int, *, ef: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows of each query (q, k), -1 where there are none, and their inner products.

        ef is the width of the search in the graph. Time of a query O(K d), or by the graph O(ef log K' d).
        """
        vectors, among, _ = self.source
        rows = np.full((len(queries), k), -1, dtype=np.int32)
        products = np.zeros((len(queries), k), dtype=np.float32)
        width = min(k, len(among))
        if width and self._graph is not None:
            found, distances = hnsw.search(self._graph, queries, width, ef=ef)
            rows[:, :width] = np.where(found >= 0, among[found], -1)
            products[:, :width] = np.where(found >= 0, 1 - distances, 0)
        elif width:
            for begin in range(0, len(queries), _AT_ONCE):
                batch = slice(begin, begin + _AT_ONCE)
                S = queries[batch] @ vectors.T
                S[:, self._never] = -np.inf
                rows[batch, :width], products[batch, :width] = topk_dense(S, width)
        return rows, products
