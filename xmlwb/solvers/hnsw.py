"""Approximate nearest neighbours by a navigable small-world graph, as bytes that a model can save and load.

The library is hnswlib (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", TPAMI 2020). Graphs are built and searched with one thread: with more, two
builds of the same vectors differ.

Of equal vectors the graph holds one, since copies are each other's nearest: more of them than a vector has links would
be an island that no search leaves.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_left
from functools import partial
from typing import Any

import numpy as np
from numba import njit

#: The header of hnswlib's file (``saveIndex`` in its hnswalg.h): 6 numbers of 8 bytes, 2 of 4, 5 of 8.
HEADER = np.dtype(
    [
        *((name, "<u8") for name in ("level0", "room", "count", "width", "label_at", "vector_at")),
        ("top", "<i4"), ("entry", "<u4"),
        *((name, "<u8") for name in ("links", "links0", "M")), ("mult", "<f8"), ("ef", "<u8"),
    ]
)  # fmt: skip


class Graph:
    """A live graph.

    Parameters
    ----------
    index : hnswlib.Index
        Over the different ones among the vectors, in the order in which they first occur.
    places : ndarray of int, shape (n,)
        For each of the n vectors, which of the different ones it is.
    """

    def __init__(self, index: Any, places: np.ndarray) -> None:
        self.index = index
        self._rows = np.argsort(places, kind="stable").astype(np.int32)
        self._ptr = np.concatenate([[0], np.cumsum(np.bincount(places))])

    def __len__(self) -> int:
        """How many different vectors there are."""
        return len(self._ptr) - 1

    def rows_of(self, found: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The first k among the copies of the different vectors that were found, and their distances."""
        rows = np.full((len(found), k), -1, dtype=np.int32)
        of_rows = np.full((len(found), k), np.inf, dtype=np.float32)
        _spread(found, distances, self._rows, self._ptr, rows, of_rows)
        return rows, of_rows


def build(
    vectors: np.ndarray, *, ef: int = 200, n_links: int = 16, random_state: int = 0, space: str = "ip"
) -> np.ndarray:
    """The serialised graph over some vectors.

    Parameters
    ----------
    vectors : ndarray, shape (n, l), float32
    ef : int
        Width of the search while building.
    n_links : int
        M, links of a vector in the graph's upper layers; twice as many in the lowest.
    random_state : int
        Draws each vector's highest layer.
    space : {"ip", "l2"}
        Neighbours by inner product or by squared distance.

    Returns
    -------
    ndarray of uint8
        hnswlib's file; where some vectors are equal, `Graph.places` follows as int32.

    Raises
    ------
    ImportError
        hnswlib is not installed.

    Notes
    -----
    Time O(n log n) distances, about ``ef`` times; size 4 n (l + 2 n_links + 4) bytes.
    """
    hnswlib = _hnswlib()
    first, places = _different(vectors)
    index = hnswlib.Index(space=space, dim=vectors.shape[1])
    index.init_index(max_elements=len(first), ef_construction=ef, M=n_links, random_seed=random_state)
    index.add_items(vectors if len(first) == len(vectors) else vectors[first], num_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph")
        index.save_index(path)
        graph = np.fromfile(path, dtype=np.uint8)
    return graph if len(first) == len(vectors) else np.concatenate([graph, places.astype("<i4").view(np.uint8)])


def check(graph: np.ndarray, n: int, dim: int) -> int:
    """Whether these are the bytes of a graph over n vectors of that many dimensions.

    hnswlib trusts what it loads: a link or a number out of place makes a search read beyond its memory. Here nothing of
    it is executed; all that a search follows is compared with what `build` writes.

    Returns
    -------
    int
        Where hnswlib's part ends.

    Raises
    ------
    ValueError

    Notes
    -----
    Time O(bytes).
    """
    if graph.dtype != np.uint8 or graph.ndim != 1 or len(graph) < HEADER.itemsize or len(graph) % 4:
        raise ValueError(f"the search graph is an array of {graph.dtype}, shape {graph.shape}; wanted a graph's bytes")
    head = {name: graph[: HEADER.itemsize].view(HEADER)[0][name].item() for name in HEADER.names or ()}
    m, M = head["count"], head["links"]
    width = 4 * (2 * M + 1) + 4 * dim + 8
    if not (1 <= m <= n and 1 <= M <= len(graph)) or head["width"] != width:
        raise ValueError(
            f"the search graph holds {m} vectors, {head['width']} bytes each; wanted at most {n} of {dim} dimensions"
        )
    wanted = {"level0": 0, "room": m, "vector_at": 4 * (2 * M + 1), "label_at": width - 8, "links0": 2 * M, "M": M}
    for name, value in wanted.items():
        if head[name] != value:
            raise ValueError(f"the search graph's header has {name} {head[name]}; wanted {value}")
    words = graph.view("<u4")
    words = words if words.flags.aligned else words.copy()
    begin = HEADER.itemsize // 4
    end = begin + m * width // 4
    if end + m > len(words):
        raise ValueError(f"the search graph has {len(graph)} bytes; wanted at least {4 * (end + m)}")
    vectors = words[begin:end].reshape(m, -1)
    if vectors[:, 0].max() > 2 * M or vectors[:, 1 : 2 * M + 1].max() >= m:
        raise ValueError(f"the search graph has links beyond its {m} vectors")
    if not np.array_equal(vectors[:, -2], np.arange(m)) or vectors[:, -1].any():
        raise ValueError(f"the search graph does not number its vectors 0 to {m - 1}")
    end = _check_layers(words, end, m, M, head["top"], head["entry"])
    places = words[end:].view("<i4")
    if len(places) != (0 if m == n else n):
        raise ValueError(f"the search graph is one over {m + len(places)} vectors; wanted {n}")
    if len(places) and (places.min() < 0 or places.max() >= m or len(np.unique(places)) < m):
        raise ValueError(f"the search graph's copies do not belong to its {m} vectors")
    return 4 * end


def read(graph: np.ndarray, n: int, dim: int, *, space: str = "ip") -> Graph:
    """The live graph of a serialised one, over n vectors of that many dimensions; ValueError if it is none."""
    index = _hnswlib().Index(space=space, dim=dim)
    end = check(graph, n, dim)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph")
        graph[:end].tofile(path)
        index.load_index(path)
    places = graph[end:].copy().view("<i4") if end < len(graph) else np.arange(n)
    return Graph(index, places)


def search(graph: Graph, queries: np.ndarray, k: int, *, ef: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The k vectors nearest to each query, nearest first, as far as the graph leads to them.

    Parameters
    ----------
    graph : Graph
        What `read` returned.
    queries : ndarray, shape (q, l), float32
    k : int
    ef : int
        Width of the search, at least k: wider finds more of the true neighbours and takes longer.

    Returns
    -------
    indices : ndarray, shape (q, k), int32
        -1 where the graph led to fewer than k.
    distances : ndarray, shape (q, k), float32
        The squared distance, or 1 less the inner product; infinite in the empty places.
    """
    width = min(k, len(graph))
    graph.index.set_ef(max(ef, width))
    try:
        found, distances = graph.index.knn_query(queries, k=width, num_threads=1)
    except RuntimeError as error:
        if _TOO_FEW not in str(error):
            raise
        found, distances = _as_many_as_there_are(graph.index, queries, width)
    return graph.rows_of(found.astype(np.int64), distances, k)


#: In hnswlib's words: the search of some query ended with fewer than k.
_TOO_FEW = "Cannot return the results in a contiguous 2D array"


def _as_many_as_there_are(index: Any, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """One query after the other, each with the largest k up to this one for which there is an answer; -1 beyond it."""
    found = np.full((len(queries), k), -1, dtype=np.int64)
    distances = np.full((len(queries), k), np.inf, dtype=np.float32)

    for row in range(len(queries)):
        query = queries[row : row + 1]
        most = bisect_left(range(1, k + 1), True, key=partial(_is_too_many, index, query))
        if most:
            found[row, :most], distances[row, :most] = index.knn_query(query, k=most, num_threads=1)
    return found, distances


def _is_too_many(index: Any, query: np.ndarray, k: int) -> bool:
    try:
        index.knn_query(query, k=k, num_threads=1)
    except RuntimeError as error:
        if _TOO_FEW not in str(error):
            raise
        return True
    return False


def _different(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row of each of the different vectors, ascending, and which of them each vector is."""
    rows = np.ascontiguousarray(vectors + np.float32(0))  # -0 and 0 are equal, and then have the same bytes
    _, first, group = np.unique(
        rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel(),
        return_index=True,
        return_inverse=True,
    )
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[group]


def _check_layers(words: np.ndarray, at: int, m: int, M: int, top: int, entry: int) -> int:
    """Follow the lists of the upper layers, which begin at a word, to their end; ValueError if they lead nowhere.

    For each vector the bytes of its lists, one list of M + 1 words a layer: how many links, and the links.
    """
    layers = np.zeros(m, dtype=np.int64)
    begins: list[int] = []
    of_layer: list[int] = []
    for vector in range(m):
        size = int(words[at]) if at < len(words) else 1
        layers[vector], rest = divmod(size, 4 * (M + 1))
        at += 1
        if rest or at + size // 4 > len(words):
            raise ValueError(f"the search graph's upper layers break off at vector {vector} of {m}")
        if size:
            begins += range(at, at + size // 4, M + 1)
            of_layer += range(1, int(layers[vector]) + 1)
            at += size // 4
    if entry >= m or top != layers.max() or layers[entry] != top:
        raise ValueError(f"the search graph begins at vector {entry} in layer {top}, which is not its highest")
    if begins:
        lists = words[np.array(begins)[:, None] + np.arange(M + 1)].astype(np.int64)
        used = np.arange(M) < lists[:, :1]
        links = np.where(used, lists[:, 1:], 0)
        if lists[:, 0].max() > M or links.max() >= m or (layers[links] < np.array(of_layer)[:, None])[used].any():
            raise ValueError(f"the search graph's upper layers have links beyond its {m} vectors")
    return at


@njit(nogil=True, cache=True)
def _spread(
    found: np.ndarray,
    distances: np.ndarray,
    rows_of: np.ndarray,
    ptr: np.ndarray,
    rows: np.ndarray,
    of_rows: np.ndarray,
) -> None:
    for i in range(len(found)):
        filled = 0
        for j in range(found.shape[1]):
            if found[i, j] < 0:
                break
            for place in range(ptr[found[i, j]], ptr[found[i, j] + 1]):
                if filled == rows.shape[1]:
                    break
                rows[i, filled] = rows_of[place]
                of_rows[i, filled] = distances[i, j]
                filled += 1


def _hnswlib() -> Any:
    try:
        import hnswlib
    except ImportError as error:
        raise ImportError(
            'search="hnsw" needs the package hnswlib (pip install hnswlib; it is compiled, so g++ and the Python '
            'headers must be there); search="exact" needs nothing'
        ) from error
    return hnswlib
