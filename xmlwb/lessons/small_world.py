"""Chapter 08: an HNSW graph opened up: its layers, read from the graph's bytes, and a search over them, hop by hop."""

from __future__ import annotations

import heapq
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from xmlwb.solvers import hnsw


@dataclass(frozen=True)
class SmallWorld:
    """A graph of vectors in layers; each layer holds some of the layer below.

    Attributes
    ----------
    vectors : ndarray, shape (m, D), float32
    layers : list of dict of int to list of int
        ``layers[0]`` is the lowest one, with all m vectors; of each vector in a layer its links there.
    entry : int
        The vector of the highest layer where every search begins.
    """

    vectors: NDArray[np.float32]
    layers: list[dict[int, list[int]]]
    entry: int

    def distance(self, query: NDArray[np.float32], node: int) -> float:
        """1 less the inner product: for unit vectors 1 less the cosine."""
        return float(1 - self.vectors[node] @ query)


def read_layers(graph: NDArray[np.uint8], n: int, dim: int) -> SmallWorld:
    """Take a graph's bytes apart.

    Parameters
    ----------
    graph : ndarray of uint8
        From `xmlwb.solvers.hnsw.build`, over n different vectors of dim numbers.

    Raises
    ------
    ValueError
        If they are not the bytes of such a graph, or some of the vectors are equal.

    Notes
    -----
    The format is that of hnswlib's ``saveIndex``, in words of 4 bytes: a header; for each vector its number of links in
    the lowest layer, room for 2 M of them, the vector, its number (two words); then for each vector the bytes of its
    lists in higher layers, and these lists: the number of links, and room for M of them.
    """
    if hnsw.check(graph, n, dim) != len(graph):
        raise ValueError("some vectors are equal; wanted a graph over different ones")
    words = graph.view("<u4")
    header = graph[: hnsw.HEADER.itemsize].view(hnsw.HEADER)[0]
    M, width = int(header["M"]), int(header["width"]) // 4
    at = hnsw.HEADER.itemsize // 4
    rows = words[at : at + n * width].reshape(n, width)
    layers = [{node: rows[node, 1 : 1 + rows[node, 0]].tolist() for node in range(n)}]
    layers += [{} for _ in range(int(header["top"]))]
    at += n * width
    for node in range(n):
        size = int(words[at]) // 4
        for layer, begin in enumerate(range(at + 1, at + 1 + size, M + 1), start=1):
            layers[layer][node] = words[begin + 1 : begin + 1 + words[begin]].tolist()
        at += 1 + size
    vectors = rows[:, 1 + 2 * M : 1 + 2 * M + dim].copy().view(np.float32)
    return SmallWorld(vectors, layers, int(header["entry"]))


@dataclass(frozen=True)
class Hop:
    """Where a search is.

    Attributes
    ----------
    layer : int
    at : int
        The vector whose links are looked at.
    best : list of (distance, vector)
        What it knows to be nearest, nearest first.
    """

    layer: int
    at: int
    best: list[tuple[float, int]]


def descend(world: SmallWorld, query: NDArray[np.float32]) -> Iterator[Hop]:
    """The upper layers: from the entry go to the nearest of the links, as long as that is nearer; then a layer down."""
    at = world.entry
    for layer in reversed(range(1, len(world.layers))):
        while True:
            links = world.layers[layer][at]
            nearest = min([at, *links], key=lambda node: world.distance(query, node))
            yield Hop(layer, at, [(world.distance(query, nearest), nearest)])
            if nearest == at:
                break
            at = nearest


def spread(world: SmallWorld, query: NDArray[np.float32], start: int, ef: int) -> Iterator[Hop]:
    """The lowest layer: open the nearest vector not yet opened, until it is farther off than the ef best known."""
    first = (world.distance(query, start), start)
    best, waiting, met = [first], [first], {start}
    while waiting:
        distance, at = heapq.heappop(waiting)
        if len(best) == ef and distance > best[-1][0]:
            break
        for node in world.layers[0][at]:
            if node in met:
                continue
            met.add(node)
            found = (world.distance(query, node), node)
            if len(best) < ef or found < best[-1]:
                heapq.heappush(waiting, found)
                insort(best, found)
                del best[ef:]
        yield Hop(0, at, [*best])


def search(world: SmallWorld, query: NDArray[np.float32], ef: int = 10) -> list[Hop]:
    """All hops of a search; the last one's ``best`` is its answer, at most ef vectors.

    Parameters
    ----------
    world : SmallWorld
    query : ndarray, shape (D,), float32
    ef : int
        Width of the search in the lowest layer.
    """
    way = list(descend(world, query))
    start = way[-1].best[0][1] if way else world.entry
    return way + list(spread(world, query, start, ef))


def met_so_far(world: SmallWorld, hops: Sequence[Hop]) -> set[int]:
    """The vectors whose distance has been computed in these hops: the price of the search."""
    met = {world.entry}
    for hop in hops:
        met.update(world.layers[hop.layer][hop.at])
    return met


def compare_with_hnswlib(
    vectors: NDArray[np.floating],
    queries: NDArray[np.floating],
    k: int = 10,
    *,
    widths: Sequence[int] = (10, 20, 50, 100),
    n_links: int = 16,
) -> pd.DataFrame:
    """Our search, hnswlib's and the exact one on the same vectors, by the search's width.

    Parameters
    ----------
    vectors : ndarray, shape (n, D)
        Their directions count; those of length zero, and copies, are left out.
    queries : ndarray, shape (q, D)
    k : int
        Nearest vectors wanted; at most each of the widths.
    widths : sequence of int
        ef.
    n_links : int
        M.

    Returns
    -------
    DataFrame
        A row for each ef: shares of the k that are "found" of the exact search's, that are the "same as hnswlib"'s,
        and the mean number of "distances", of "vectors" in all.
    """
    unit = np.unique(normalize(np.asarray(vectors, dtype=np.float32)), axis=0)
    unit, asked = unit[np.abs(unit).sum(axis=1) > 0], normalize(np.asarray(queries, dtype=np.float32))
    graph = hnsw.build(unit, n_links=n_links)
    world, live = read_layers(graph, *unit.shape), hnsw.read(graph, *unit.shape)
    nearest = np.argsort(-asked @ unit.T, axis=1, kind="stable")[:, :k]
    rows = {}
    for ef in widths:
        ways = [search(world, query, ef) for query in asked]
        ours = [{node for _, node in way[-1].best[:k]} for way in ways]
        theirs = hnsw.search(live, asked, k, ef=ef)[0]
        rows[ef] = {
            "found": np.mean([len(found & set(wanted)) for found, wanted in zip(ours, nearest.tolist(), strict=True)])
            / k,
            "same as hnswlib": np.mean([len(a & set(b)) for a, b in zip(ours, theirs.tolist(), strict=True)]) / k,
            "distances": np.mean([len(met_so_far(world, way)) for way in ways]),
            "vectors": len(unit),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("ef")
