"""Approximate nearest neighbours by a navigable small-world graph, as bytes that a model can save and load.

The library is hnswlib (Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", TPAMI 2020). Graphs are built and searched with one thread: with more, two
builds of the same vectors differ.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import numpy as np


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

    Raises
    ------
    ImportError
        hnswlib is not installed.

    Notes
    -----
    Time O(n log n) distances, about ``ef`` times; size 4 n (l + 2 n_links + 4) bytes.
    """
    index = _hnswlib().Index(space=space, dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=ef, M=n_links, random_seed=random_state)
    index.add_items(vectors, num_threads=1)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph")
        index.save_index(path)
        return np.fromfile(path, dtype=np.uint8)


def read(graph: np.ndarray, dim: int, *, space: str = "ip") -> Any:
    """The live index of a serialised graph over vectors of that many dimensions."""
    index = _hnswlib().Index(space=space, dim=dim)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "graph")
        graph.tofile(path)
        index.load_index(path)
    return index


def search(index: Any, queries: np.ndarray, k: int, *, ef: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """The k vectors nearest to each query, nearest first, as far as the graph leads to them.

    Parameters
    ----------
    index
        What `read` returned.
    queries : ndarray, shape (q, l), float32
    k : int
        At most the vectors in the graph.
    ef : int
        Width of the search, at least k: wider finds more of the true neighbours and takes longer.

    Returns
    -------
    indices : ndarray, shape (q, k), int32
    distances : ndarray, shape (q, k), float32
        The squared distance, or 1 less the inner product.
    """
    index.set_ef(max(ef, k))
    found, distances = index.knn_query(queries, k=k, num_threads=1)
    return found.astype(np.int32), distances


def _hnswlib() -> Any:
    try:
        import hnswlib
    except ImportError as error:
        raise ImportError(
            'search="hnsw" needs the package hnswlib (pip install hnswlib; it is compiled, so g++ and the Python '
            'headers must be there); search="exact" needs nothing'
        ) from error
    return hnswlib
