"""Shortlists of labels: the vectors nearest to a query by cosine, exactly or by a navigable small-world graph."""

from __future__ import annotations

from typing import Self

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from sklearn.preprocessing import normalize

from xmlwb.solvers import hnsw
from xmlwb.solvers.in_order import in_order

#: Queries of one task: the answers do not depend on how many threads share the tasks.
_AT_ONCE = 256
#: Cosines of the exact search that a task holds at a time: 8 MiB.
_COSINES = 1 << 21
_NO_GRAPH = np.empty(0, dtype=np.uint8)


class Shortlist:
    """Finds the vectors of the largest cosines with queries.

    Parameters
    ----------
    vectors : ndarray, shape (L, D), float32
        Of unit length, as far as they may be found; `build` makes them so.
    among : ndarray of int, shape (L',)
        The rows that may be found, ascending: of labels those with a training positive.
    graph : ndarray of uint8
        What `hnsw.build` returned for ``vectors[among]``; empty for the exact search. ValueError if it is another's.

    Examples
    --------
    >>> vectors = np.array([[2, 0], [0, 3], [1, 1]], dtype=np.float32)
    >>> shortlist = Shortlist.build(vectors, np.array([0, 2]), search="exact")
    >>> shortlist.find(np.array([[0, 5]], dtype=np.float32), k=3)
    (array([[ 2,  0, -1]], dtype=int32), array([[0.70710677, 0.        , 0.        ]], dtype=float32))
    """

    def __init__(self, vectors: np.ndarray, among: np.ndarray, graph: np.ndarray = _NO_GRAPH) -> None:
        self.source = self.vectors, self.among, self.graph = vectors, among, graph
        self._live = hnsw.read(graph, len(among), vectors.shape[1]) if len(graph) else None
        everything = len(among) == len(vectors)
        self._found_among = vectors if everything or len(graph) else np.ascontiguousarray(vectors[among])

    @classmethod
    def build(
        cls,
        vectors: np.ndarray,
        among: np.ndarray,
        *,
        search: str = "hnsw",
        ef_construction: int = 200,
        n_links: int = 16,
        random_state: int = 0,
    ) -> Self:
        """Scale vectors (L, D) to unit length and, for "hnsw", lay the graph over those that may be found.

        Parameters
        ----------
        vectors : ndarray, shape (L, D)
            A vector of length 0 stays; its cosines are 0.
        among : ndarray of int
        search : {"hnsw", "exact"}
        ef_construction, n_links, random_state : int
            See `hnsw.build`.

        Raises
        ------
        ImportError
            hnswlib is not installed.
        """
        if search not in ("hnsw", "exact"):
            raise ValueError(f"search is {search!r}; wanted 'hnsw' or 'exact'")
        unit = normalize(np.asarray(vectors, dtype=np.float32))
        graph = _NO_GRAPH
        if search == "hnsw" and len(among):
            graph = hnsw.build(unit[among], ef=ef_construction, n_links=n_links, random_state=random_state)
        return cls(unit, among, graph)

    def find(
        self, queries: np.ndarray, k: int, *, ef: int | None = None, n_jobs: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k rows nearest to each query.

        Parameters
        ----------
        queries : ndarray, shape (q, D), float32
            Of any length; a query of length 0 has cosine 0 with all.
        k : int
        ef : int or None
            Width of the search in the graph, at least k is taken; None: k.
        n_jobs : int or None
            Threads; the result does not depend on it.

        Returns
        -------
        rows : ndarray, shape (q, k), int32
            Largest cosine first; -1 in the empty places.
        cosines : ndarray, shape (q, k), float32
            0 in the empty places.

        Notes
        -----
        Time of a query O(L D), or by the graph O(ef log L) cosines.
        """
        rows = np.full((len(queries), k), -1, dtype=np.int32)
        cosines = np.zeros((len(queries), k), dtype=np.float32)
        width = min(k, len(self.among))
        if not width:
            return rows, cosines

        def work(begin: int) -> None:
            batch = slice(begin, begin + _AT_ONCE)
            unit = normalize(queries[batch])
            if self._live is None:
                found, values = self._exact(unit, width)
            else:
                found, distances = hnsw.search(self._live, unit, width, ef=max(ef or k, k))
                values = np.where(found >= 0, 1 - distances, 0)
            rows[batch, :width] = np.where(found >= 0, self.among[found], -1)
            cosines[batch, :width] = values

        begins = range(0, len(queries), _AT_ONCE)
        if effective_n_jobs(n_jobs) == 1 or len(begins) == 1:
            for begin in begins:
                work(begin)
        else:
            for _ in in_order(work, [(begin,) for begin in begins], n_jobs=n_jobs):
                pass
        return rows, cosines

    def recall(
        self, queries: np.ndarray, k: int, *, ef: int | None = None, n_sample: int = 1000, n_jobs: int | None = None
    ) -> float:
        """Share of the exact search's k rows that `find` has, over at most n_sample queries, evenly taken."""
        if self._live is None or not len(queries):
            return 1.0
        sample = queries[:: -(-len(queries) // n_sample)]
        exact, _ = Shortlist(self.vectors, self.among).find(sample, k, n_jobs=n_jobs)
        found, _ = self.find(sample, k, ef=ef, n_jobs=n_jobs)
        return n_common(found, exact) / max(1, int(np.count_nonzero(exact >= 0)))

    def _exact(self, unit: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Places among those that may be found, and their cosines."""
        found = np.empty((len(unit), width), dtype=np.int64)
        values = np.empty((len(unit), width), dtype=np.float32)
        at_once = max(1, _COSINES // len(self.among))
        for begin in range(0, len(unit), at_once):
            batch = slice(begin, begin + at_once)
            S = unit[batch] @ self._found_among.T
            if width < S.shape[1]:
                least = np.partition(S, S.shape[1] - width, axis=1)[:, -width]
                best, S = _from_least_on(S, least, width)
            else:
                best = np.broadcast_to(np.arange(width), S.shape)
            order = np.argsort(-S, axis=1, kind="stable")  # ties: the lower row
            found[batch] = np.take_along_axis(best, order, axis=1)
            values[batch] = np.take_along_axis(S, order, axis=1)
        return found, values


@njit(nogil=True, cache=True)
def _from_least_on(S: np.ndarray, least: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a row's width largest entries, ascending, and these; least is the smallest of them.

    Of entries equal to it the first ones are taken.
    """
    columns = np.zeros((len(S), width), dtype=np.int64)  # of NaN nothing is found
    values = np.zeros((len(S), width), dtype=np.float32)
    for i in range(len(S)):
        n_above = 0
        for c in range(S.shape[1]):
            n_above += S[i, c] > least[i]
        room, at = width - n_above, 0
        for c in range(S.shape[1]):
            equal = S[i, c] == least[i]
            if S[i, c] > least[i] or (equal and room > 0):
                columns[i, at], values[i, at] = c, S[i, c]
                at += 1
                room -= equal
    return columns, values


def n_common(rows: np.ndarray, others: np.ndarray) -> int:
    """How many entries of each row (q, k) occur in the same row of others (q, m) too, in all; -1 is no entry.

    Time O(q k m).

    >>> n_common(np.array([[3, 1, -1], [0, 2, 5]]), np.array([[1, 4], [2, 0]]))
    3
    """
    if len(rows) != len(others):  # the kernel does not look
        raise ValueError(f"rows and others have shapes {rows.shape} and {others.shape}; wanted as many rows")
    return int(_n_common(rows, others))


@njit(nogil=True, cache=True)
def _n_common(rows: np.ndarray, others: np.ndarray) -> int:
    found = 0
    for i in range(len(rows)):
        for place in range(rows.shape[1]):
            if rows[i, place] >= 0:
                for other in range(others.shape[1]):
                    if others[i, other] == rows[i, place]:
                        found += 1
                        break
    return found
