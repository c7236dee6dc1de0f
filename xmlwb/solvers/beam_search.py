"""Beam search through label trees, many instances at a time.

Instances walk down together, a level at a time, and those that stand at the same node are served one after the other
(level_scores.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

from xmlwb.solvers.label_forest import Forest
from xmlwb.solvers.level_scores import score_level

#: Instances that walk together, from and to: eight times as many as a tree has inner nodes, so that a node, once it has
#: been fetched from memory, serves a good number of them.
BATCH = 2048
WIDEST_BATCH = 16384
#: Labels that the instances of a batch may reach, at most (256 MiB): wide beams in wide trees make batches smaller.
BATCH_LABELS = 1 << 26
#: In a mean over trees, log-probabilities below this count as this: float64 would round their exponentials to 0.
LOWEST = -700.0


def beam_search(
    X: sparse.csr_array, forest: Forest, n_labels: int, k: int, beam: int, *, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""The k most probable labels of each row of X.

    A child c of v is taken with probability :math:`\exp(-\max(0, 1 - w_c^\top x - b_c)^2)`; a label has the product
    along its path, and over the trees the mean, where a tree whose beam lost the label counts 0. What is returned is
    its logarithm, in which improbable labels can still be told apart (over several trees down to -700).

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    forest : Forest
    n_labels : int
        L.
    k : int
    beam : int
        Inner nodes that are kept at each level of a tree.
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    labels : ndarray, shape (n, k), int32
        Best first; ties by the lower label; -1 where the beams reached fewer than k labels.
    log_probabilities : ndarray, shape (n, k), float32

    Notes
    -----
    Time, for an instance and a tree, O(depth x beam x (nnz(x) + the weights met + children)), and for a batch
    O(L + d + nodes); memory for each thread O(L + d + labels that a batch reaches).
    """
    n = X.shape[0]
    labels = np.empty((n, k), dtype=np.int32)
    log_probabilities = np.empty((n, k), dtype=np.float32)
    n_threads = effective_n_jobs(n_jobs)
    widest = int(np.diff(forest.children_ptr).max(initial=1))
    beam = min(beam, len(forest.child) + 1)
    reach = forest.n_trees * min(n_labels, beam * widest)
    batch = min(WIDEST_BATCH, max(BATCH, 8 * (len(forest.children_ptr) - 1) // max(1, forest.n_trees)))
    batch = max(1, min(batch, BATCH_LABELS // max(1, reach)))
    n_parts = max(1, n_threads * -(-n // (n_threads * batch)) if n >= 64 * n_threads else -(-n // batch))
    edges = np.linspace(0, n, n_parts + 1).astype(np.int64)

    def search(begin: int, end: int) -> None:
        _search(
            X.indptr, X.indices, X.data, X.shape[1], *forest, beam, begin, end, labels, log_probabilities
        )  # fmt: skip

    with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms, longer than this takes
        for part in [pool.submit(search, begin, end) for begin, end in pairwise(edges)]:
            part.result()
    return labels, log_probabilities


@njit(nogil=True, cache=True)
def _search(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    d: int,
    tree_ptr: np.ndarray,
    children_ptr: np.ndarray,
    child: np.ndarray,
    bias: np.ndarray,
    rows_ptr: np.ndarray,
    entries_ptr: np.ndarray,
    features: np.ndarray,
    n_entries: np.ndarray,
    entry_child: np.ndarray,
    entry_weight: np.ndarray,
    beam: int,
    begin: int,
    end: int,
    labels: np.ndarray,
    log_probabilities: np.ndarray,
) -> None:
    n = end - begin
    n_trees = len(tree_ptr) - 1
    entries_of = np.zeros(d, dtype=np.int64)  # of the node being served: where each feature's weights begin, how many
    # The levels at which labels were found, each as ptr, beam_node, offsets and scores below.
    kept_ptr, kept_node = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    kept_offsets, kept_scores = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.float32)]
    for tree in range(n_trees):
        level_begin, level_end = tree_ptr[tree], min(tree_ptr[tree] + 1, tree_ptr[tree + 1])
        # The beams: beam_node[ptr[i] : ptr[i + 1]] are the nodes of instance i at this level.
        ptr = np.arange(n + 1)
        beam_node = np.full(n, level_begin, dtype=np.int64)
        beam_score = np.zeros(n, dtype=np.float32)
        while level_begin < level_end:
            offsets = np.empty(len(beam_node) + 1, dtype=np.int64)
            offsets[0] = 0
            for place in range(len(beam_node)):
                node = beam_node[place]
                offsets[place + 1] = offsets[place] + children_ptr[node + 1] - children_ptr[node]
            scores = np.empty(offsets[-1], dtype=np.float32)
            score_level(
                X_indptr, X_indices, X_data, children_ptr, bias, rows_ptr, entries_ptr, features, n_entries,
                entry_child, entry_weight, begin, level_begin, level_end, ptr, beam_node, beam_score, offsets,
                entries_of, scores,
            )  # fmt: skip
            next_begin, next_end, has_labels = level_end, level_end, False
            for edge in range(children_ptr[level_begin], children_ptr[level_end]):
                next_end = max(next_end, child[edge] + 1)
                has_labels |= child[edge] < 0
            if has_labels:
                kept_ptr.append(ptr)
                kept_node.append(beam_node)
                kept_offsets.append(offsets)
                kept_scores.append(scores)
            next_ptr = np.empty(n + 1, dtype=np.int64)
            width = min(beam, next_end - next_begin)
            next_node = np.empty(n * width, dtype=np.int64)
            next_score = np.empty(n * width, dtype=np.float32)
            used = 0
            for i in range(n):
                next_ptr[i] = used
                stop = used
                for place in range(ptr[i], ptr[i + 1]):
                    first = children_ptr[beam_node[place]]
                    for s in range(offsets[place], offsets[place + 1]):
                        target = child[first + s - offsets[place]]
                        if target < 0:
                            continue
                        if width == next_end - next_begin:  # room for all, and no need to sort them
                            next_node[stop], next_score[stop] = target, scores[s]
                            stop += 1
                        else:
                            stop = _keep(next_node, next_score, used, stop, used + width, target, scores[s])
                used = stop
            next_ptr[n] = used
            ptr, beam_node, beam_score = next_ptr, next_node[:used], next_score[:used]
            level_begin, level_end = next_begin, next_end
    _best(
        kept_ptr, kept_node, kept_offsets, kept_scores, children_ptr, child, n_trees, labels[begin:end],
        log_probabilities[begin:end],
    )  # fmt: skip


@njit(nogil=True, cache=True, inline="always")
def _keep(
    nodes: np.ndarray, scores: np.ndarray, begin: int, stop: int, limit: int, node: int, score: np.float32
) -> int:
    """Put a node into ``nodes[begin:stop]``, best first, equal scores by the lower number; the new stop."""
    if stop == limit:
        if limit == begin or not (score > scores[stop - 1] or (score == scores[stop - 1] and node < nodes[stop - 1])):
            return stop
        stop -= 1
    place = stop
    while place > begin and (score > scores[place - 1] or (score == scores[place - 1] and node < nodes[place - 1])):
        nodes[place] = nodes[place - 1]
        scores[place] = scores[place - 1]
        place -= 1
    nodes[place] = node
    scores[place] = score
    return stop + 1


@njit(nogil=True, cache=True)
def _best(
    kept_ptr: list[np.ndarray],
    kept_node: list[np.ndarray],
    kept_offsets: list[np.ndarray],
    kept_scores: list[np.ndarray],
    children_ptr: np.ndarray,
    child: np.ndarray,
    n_trees: int,
    labels: np.ndarray,
    log_probabilities: np.ndarray,
) -> None:
    """The k best of the labels that were found: the logarithm of their mean probability over the trees."""
    n, k = labels.shape
    n_scores = np.zeros(n, dtype=np.int64)
    for c in range(1, len(kept_ptr)):
        for i in range(n):
            n_scores[i] += kept_offsets[c][kept_ptr[c][i + 1]] - kept_offsets[c][kept_ptr[c][i]]
    found_label = np.empty(max(n_scores), dtype=np.int32)
    found_score = np.empty(len(found_label), dtype=np.float32)
    highest = np.empty(n_trees * k, dtype=np.float32)
    places = np.empty(n_trees * k, dtype=np.int32)
    n_slots = 2
    while n_slots < 2 * len(found_label):
        n_slots *= 2
    slots = np.full(n_slots, -1, dtype=np.int32)
    candidates = np.empty(len(found_label), dtype=np.int32)
    total = np.empty(len(found_label), dtype=np.float64)
    for i in range(n):
        m = 0
        for c in range(1, len(kept_ptr)):
            ptr, beam_node, offsets, scores = kept_ptr[c], kept_node[c], kept_offsets[c], kept_scores[c]
            for place in range(ptr[i], ptr[i + 1]):
                first = children_ptr[beam_node[place]]
                for s in range(offsets[place], offsets[place + 1]):
                    target = child[first + s - offsets[place]]
                    if target < 0:
                        found_label[m], found_score[m] = -1 - target, scores[s]
                        m += 1
        best, top, stop = labels[i], log_probabilities[i], 0
        if n_trees == 1:
            for p in range(m):
                stop = _keep(best, top, 0, stop, k, found_label[p], found_score[p])
        else:
            lowest = _lowest_candidate(found_score[:m], highest, places, n_trees)
            n_candidates = _means(found_label[:m], found_score[:m], lowest, slots, candidates, total)
            for p in range(n_candidates):
                stop = _keep(best, top, 0, stop, k, candidates[p], np.float32(np.log(total[p] / n_trees)))
        best[stop:] = -1
        top[stop:] = -np.inf


@njit(nogil=True, cache=True)
def _lowest_candidate(scores: np.ndarray, highest: np.ndarray, places: np.ndarray, n_trees: int) -> np.float32:
    """A label with no score as high as this is not among the k best.

    The ``len(highest)`` = k T highest scores belong to k labels or more, and each of these has at least a mean of
    1 / T times the lowest of the scores.
    """
    n = 0
    for p in range(len(scores)):
        n = _keep(places, highest, 0, n, len(highest), p, max(scores[p], np.float32(LOWEST)))
    if n < len(highest):
        return np.float32(-np.inf)
    return highest[n - 1] - np.float32(np.log(n_trees) + 1e-3)  # a little more than what float32 rounds


@njit(nogil=True, cache=True)
def _means(
    labels: np.ndarray,
    scores: np.ndarray,
    lowest: np.float32,
    slots: np.ndarray,
    candidates: np.ndarray,
    total: np.ndarray,
) -> int:
    """Sums of the probabilities of all labels with a score of at least `lowest`; how many they are.

    `slots` is a hash table of the candidates: small, where an array over all labels would not stay in the cache.
    """
    n = 0
    for p in range(len(labels)):
        if max(scores[p], np.float32(LOWEST)) >= lowest:
            slot = _slot(labels[p], slots, candidates)
            if slots[slot] < 0:
                slots[slot] = n
                candidates[n], total[n] = labels[p], 0.0
                n += 1
    for p in range(len(labels)):
        slot = _slot(labels[p], slots, candidates)
        if slots[slot] >= 0:
            total[slots[slot]] += np.exp(max(np.float64(scores[p]), LOWEST))
    for p in range(n - 1, -1, -1):  # the last one in first: those before it are found until they are taken out
        slots[_slot(candidates[p], slots, candidates)] = -1
    return n


@njit(nogil=True, cache=True, inline="always")
def _slot(label: int, slots: np.ndarray, candidates: np.ndarray) -> np.uint64:
    """Where a candidate is in the table, or would be."""
    slot = np.uint64(label) & np.uint64(len(slots) - 1)
    while slots[slot] >= 0 and candidates[slots[slot]] != label:
        slot = (slot + np.uint64(1)) & np.uint64(len(slots) - 1)
    return slot
