"""Chapter 06: places for a label graph's nodes, and its edges as a table."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array, triu

from xmlwb.label_graph import LabelGraph


def tie_strength(graph: LabelGraph) -> csr_array:
    """Shared documents for how frequent the two labels are: n_ab / sqrt(n_a n_b), the cosine of two columns of Y.

    Shape (V, V), as the adjacency; 1 where two labels are always together.
    """
    shared = graph.adjacency
    root = np.sqrt(np.maximum(graph.counts, 1))
    rows = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr))
    strength = shared.data / (root[rows] * root[shared.indices])
    return csr_array((strength.astype(np.float32), shared.indices, shared.indptr), shape=shared.shape)


def edge_table(graph: LabelGraph) -> pd.DataFrame:
    """Each edge once: its ends "a" < "b", "shared" (documents, the edge's weight) and "strength" (`tie_strength`)."""
    shared, strength = (triu(matrix, format="coo") for matrix in (graph.adjacency, tie_strength(graph)))
    a, b = shared.coords
    return pd.DataFrame({"a": a, "b": b, "shared": shared.data.astype(np.int64), "strength": strength.data})


def places(
    graph: LabelGraph, groups: NDArray[np.integer], *, n_strongest: int = 5, n_steps: int = 150, random_state: int = 0
) -> NDArray[np.float64]:
    """Places of the nodes in the square from -1 to 1: edges are springs, and all nodes push each other away.

    Only each node's strongest ties pull, since with all 23,000 edges of debtags everything hangs together.

    Parameters
    ----------
    graph : LabelGraph
        Each step takes O(V^2) time: for a few thousand nodes.
    groups : ndarray, shape (V,)
        Where the nodes start: those of a group together.
    n_strongest : int
        Ties of each node that pull.
    n_steps : int
    random_state : int

    Returns
    -------
    ndarray, shape (V, 2)

    Notes
    -----
    The forces are those of networkx's ``spring_layout``: attraction d^2 / k, repulsion k^2 / d. At the end the places
    are drawn half-way to their ranks, which takes crowds apart and keeps who is left of whom and above whom.
    """
    V = len(graph.counts)
    rng = np.random.default_rng(random_state)
    angle = 2 * np.pi * groups / max(1, groups.max() + 1)
    at = 0.5 * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(scale=0.1, size=(V, 2))
    pulls = _strongest_ties(tie_strength(graph), n_strongest)
    _spring_steps(at, pulls.indptr, pulls.indices, pulls.data.astype(np.float64), n_steps)
    low, high = at.min(axis=0), at.max(axis=0)
    by_size = 2 * (at - low) / np.maximum(high - low, 1e-12) - 1
    by_rank = 2 * np.argsort(np.argsort(at, axis=0, kind="stable"), axis=0, kind="stable") / max(1, V - 1) - 1
    return (by_size + by_rank) / 2


def _strongest_ties(strength: csr_array, most: int) -> csr_array:
    """A tie stays if it is among the strongest of one of its ends."""
    rows = np.repeat(np.arange(strength.shape[0]), np.diff(strength.indptr))
    order = np.lexsort((-strength.data, rows))
    place = np.arange(strength.nnz) - np.repeat(strength.indptr[:-1], np.diff(strength.indptr))
    kept = order[place < most]
    chosen = csr_array((strength.data[kept], (rows[kept], strength.indices[kept])), shape=strength.shape)
    return csr_array(chosen.maximum(chosen.T))


@njit(nogil=True, cache=True)
def _spring_steps(
    at: NDArray[np.float64],
    indptr: NDArray[np.integer],
    indices: NDArray[np.integer],
    pull: NDArray[np.float64],
    n_steps: int,
) -> None:
    """Move the nodes, in place; the longest way of a step falls to 0."""
    V = len(at)
    k = 1.0 / np.sqrt(V)
    move = np.empty_like(at)
    for step in range(n_steps):
        for i in range(V):
            fx = fy = 0.0
            for j in range(V):
                dx, dy = at[i, 0] - at[j, 0], at[i, 1] - at[j, 1]
                push = k * k / max(dx * dx + dy * dy, 1e-6)
                fx += dx * push
                fy += dy * push
            for place in range(indptr[i], indptr[i + 1]):
                j = indices[place]
                dx, dy = at[i, 0] - at[j, 0], at[i, 1] - at[j, 1]
                towards = pull[place] * np.sqrt(dx * dx + dy * dy) / k
                fx -= dx * towards
                fy -= dy * towards
            fx -= 0.5 * at[i, 0]  # a little to the middle: parts without edges between them would drift away
            fy -= 0.5 * at[i, 1]
            move[i, 0], move[i, 1] = fx, fy
        longest = 0.1 * (1.0 - step / n_steps)
        for i in range(V):
            length = max(np.sqrt(move[i, 0] ** 2 + move[i, 1] ** 2), 1e-12)
            way = min(length, longest) / length
            at[i, 0] += move[i, 0] * way
            at[i, 1] += move[i, 1] * way
