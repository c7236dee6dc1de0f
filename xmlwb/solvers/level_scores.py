"""The scores of a level of a label tree: what all instances of a batch find at the nodes where they stand.

A node serves its instances one after the other: where the weights of its features lie is spread out into a table once,
then each instance looks its own features up in it. A node that few instances have reached is searched by bisection
instead, so that an instance never pays for a large node alone. Large models do not fit into any cache: the lookups of
an instance go step by step together, and what a step needs does not depend on the last lookup's answer.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: Rows whose first entry is noted down together, where few of a node's rows will be looked up.
BLOCK = 8
#: Of the 64 that say where a feature's weights begin and how many there are, at most one for each child of a node.
COUNT_BITS = 24


@njit(nogil=True, cache=True)
def score_level(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    children_ptr: np.ndarray,
    bias: np.ndarray,
    rows_ptr: np.ndarray,
    entries_ptr: np.ndarray,
    features: np.ndarray,
    n_entries: np.ndarray,
    entry_child: np.ndarray,
    entry_weight: np.ndarray,
    begin: int,
    level_begin: int,
    level_end: int,
    ptr: np.ndarray,
    beam_node: np.ndarray,
    beam_score: np.ndarray,
    offsets: np.ndarray,
    entries_of: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Log-probabilities of the children of all nodes in the beams, node by node."""
    visits_ptr = np.zeros(level_end - level_begin + 1, dtype=np.int64)
    for node in beam_node:
        visits_ptr[node - level_begin + 1] += 1
    visits_ptr = np.cumsum(visits_ptr)
    visit = np.empty(len(beam_node), dtype=np.int64)
    visitor = np.empty(len(beam_node), dtype=np.int64)
    cursor = visits_ptr.copy()
    for i in range(len(ptr) - 1):
        for place in range(ptr[i], ptr[i + 1]):
            node = beam_node[place] - level_begin
            visit[cursor[node]] = place
            visitor[cursor[node]] = begin + i
            cursor[node] += 1
    most_rows = 0
    for node in range(level_begin, level_end):
        most_rows = max(most_rows, rows_ptr[node + 1] - rows_ptr[node])
    starts = np.empty(most_rows + 1, dtype=np.int64)
    most_features = 0
    for i in range(len(ptr) - 1):
        most_features = max(most_features, X_indptr[begin + i + 1] - X_indptr[begin + i])
    row = np.empty(most_features, dtype=np.int64)
    first, count = np.empty_like(row), np.empty_like(row)
    for node in range(level_begin, level_end):
        v_begin, v_end = visits_ptr[node - level_begin], visits_ptr[node - level_begin + 1]
        if v_begin == v_end:
            continue
        own = features[rows_ptr[node] : rows_ptr[node + 1]]
        n_rows = len(own)
        counts = n_entries[rows_ptr[node] : rows_ptr[node + 1]]
        n_lookups = 0
        for v in range(v_begin, v_end):
            n_lookups += X_indptr[visitor[v] + 1] - X_indptr[visitor[v]]
        spread = n_rows < 16 * n_lookups  # bisection costs about as much as spreading out and clearing some rows
        if spread:
            start = entries_ptr[node]
            for r in range(n_rows):
                entries_of[np.uint64(own[r])] = start << COUNT_BITS | counts[r]
                start += counts[r]
        else:
            _note_starts(counts, entries_ptr[node], starts)
        first_child, n_children = children_ptr[node], children_ptr[node + 1] - children_ptr[node]
        for v in range(v_begin, v_end):
            margin = scores[offsets[visit[v]] : offsets[visit[v]] + n_children]
            margin[:] = bias[first_child : first_child + n_children]
            begin_x, end_x = X_indptr[visitor[v]], X_indptr[visitor[v] + 1]
            x, value = X_indices[begin_x:end_x], X_data[begin_x:end_x]
            if spread:
                for p in range(len(x)):
                    entries = entries_of[np.uint64(x[p])]
                    first[p], count[p] = entries >> COUNT_BITS, entries & (1 << COUNT_BITS) - 1
            else:
                _bisect(own, x, row)
                _entries_by_block(row[: len(x)], counts, starts, first, count)
            for p in range(len(x)):
                for q in range(first[p], first[p] + count[p]):
                    margin[np.uint64(entry_child[q])] += value[p] * entry_weight[q]
            above = beam_score[visit[v]]
            for c in range(n_children):
                shortfall = max(np.float32(1.0) - margin[c], np.float32(0.0))
                margin[c] = above - shortfall * shortfall
        if spread:
            for r in range(n_rows):
                entries_of[np.uint64(own[r])] = 0


@njit(nogil=True, cache=True)
def _note_starts(counts: np.ndarray, start: int, starts: np.ndarray) -> None:
    """The first entry of each block of rows."""
    for b in range(len(counts) // BLOCK):
        starts[b] = start
        total = np.uint32(0)
        for r in range(np.uint64(b * BLOCK), np.uint64(b * BLOCK + BLOCK)):
            total += np.uint32(counts[r])
        start = start + int(total)
    starts[len(counts) // BLOCK] = start


@njit(nogil=True, cache=True)
def _entries_by_block(
    row: np.ndarray, counts: np.ndarray, starts: np.ndarray, first: np.ndarray, count: np.ndarray
) -> None:
    """The first entry of some rows and how many there are; none for row -1."""
    for p in range(len(row)):
        first[p], count[p] = 0, 0
        if row[p] < 0:
            continue
        block = row[p] // BLOCK
        first[p] = starts[block]
        for r in range(block * BLOCK, row[p]):
            first[p] += counts[np.uint64(r)]
        count[p] = counts[np.uint64(row[p])]


@njit(nogil=True, cache=True)
def _bisect(own: np.ndarray, x: np.ndarray, place: np.ndarray) -> None:
    """Where in `own`, ascending, each of `x` is; -1 where it is not.

    All take a step, then all the next: the memory then serves them side by side.
    """
    place[: len(x)] = 0
    rest = len(own)
    if rest == 0:
        place[: len(x)] = -1
        return
    while rest > 1:
        half = rest >> 1
        for p in range(len(x)):
            place[p] += half * np.int64(own[np.uint64(place[p] + half)] <= x[p])
        rest -= half
    for p in range(len(x)):
        if own[np.uint64(place[p])] != x[p]:
            place[p] = -1
