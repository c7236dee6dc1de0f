"""Sampled products of two dense matrices: the scores of chosen (instance, label) pairs, and what a loss makes of them.

Kernels of `ShortlistLoss`. Each instance, and each label, is summed up by one thread in one order. Four vectors at a
time share one reading of what they are multiplied with or added to.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit

#: Rows, or labels, are shared out in so many parts, whatever the number of threads.
_PARTS = 16
#: Below this number of pairs a second thread costs more than it brings.
_SERIAL_BELOW = 1 << 11
#: What LLVM may do with sums, so that they take vector registers; NaN and inf stay what they are.
_REASSOCIATE = {"reassoc", "nsz", "contract"}


def pair_scores(x: np.ndarray, W: np.ndarray, labels: np.ndarray, *, n_threads: int = 1) -> np.ndarray:
    """z of the labels (B, k) of each row of x (B, D), for W (L, D): (B, k) float32; 0 from a label of -1 on.

    As in `ShortlistLoss`, without gradients; the result does not depend on the threads.
    """
    if len(x) != len(labels) or x.shape[1] != W.shape[1] or (labels.size and labels.max() >= len(W)):
        raise ValueError(f"x, W and labels have shapes {x.shape}, {W.shape} and {labels.shape}, or name no row of W")
    z = np.zeros(labels.shape, dtype=np.float32)
    x, W = (np.ascontiguousarray(part, dtype=np.float32) for part in (x, W))

    def score(begin: int, end: int) -> None:
        _pair_scores(x[begin:end], W, labels[begin:end], z[begin:end])

    in_parts(score, np.arange(len(x) + 1) * labels.shape[1], n_threads)
    return z


def in_parts(work: Callable[[int, int], None], ptr: np.ndarray, n_threads: int) -> None:
    """``work(begin, end)`` for consecutive items in threads, about as many of their entries (`ptr`) in each."""
    if n_threads == 1 or ptr[-1] < _SERIAL_BELOW:
        work(0, len(ptr) - 1)
        return
    cuts = np.searchsorted(ptr, np.linspace(0, ptr[-1], _PARTS + 1)[1:-1])
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(lambda part: work(*part), pairwise([0, *cuts, len(ptr) - 1])))


@njit(nogil=True, cache=True)
def by_label(
    indptr: np.ndarray, labels: np.ndarray, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pairs sorted by label: the labels that occur, where each one's pairs begin, their rows and their places."""
    counts = np.zeros(n_labels + 1, dtype=np.int64)
    for p in range(len(labels)):
        counts[labels[p] + 1] += 1
    n_rows = 0
    for label in range(n_labels):
        n_rows += counts[label + 1] > 0
    rows, ptr = np.empty(n_rows, dtype=np.int64), np.zeros(n_rows + 1, dtype=np.int64)
    at = 0
    for label in range(n_labels):
        if counts[label + 1]:
            rows[at] = label
            ptr[at + 1] = ptr[at] + counts[label + 1]
            counts[label + 1] = ptr[at]  # from here on: where the label's next pair goes
            at += 1
    of_row, of_pair = np.empty(len(labels), dtype=np.int64), np.empty(len(labels), dtype=np.int64)
    for i in range(len(indptr) - 1):
        for p in range(indptr[i], indptr[i + 1]):
            place = counts[labels[p] + 1]
            counts[labels[p] + 1] += 1
            of_row[place], of_pair[place] = i, p
    return rows, ptr, of_row, of_pair


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE, error_model="numpy")
def scores_and_pulls(
    x: np.ndarray,
    W: np.ndarray,
    indptr: np.ndarray,
    labels: np.ndarray,
    positive: np.ndarray,
    omega: np.ndarray,
    positive_weight: np.float32,
    begin: int,
    end: int,
    scores: np.ndarray,
    pulls: np.ndarray,
    grad_x: np.ndarray,
    losses: np.ndarray,
) -> None:
    """Of each pair z and the loss's derivative by z; of each row the loss and the gradient of x."""
    one = np.float32(1)
    for i in range(begin, end):
        loss = 0.0
        begin_row, end_row = indptr[i], indptr[i + 1]
        for p in range(begin_row, end_row, 4):  # the vectors of four are still in the cache for the gradient
            last = min(p + 4, end_row)
            _score_rows(x[i], W, labels[p:last], scores[p:last])
            for q in range(p, last):
                z, sign = scores[q], one if positive[q] else -one
                weight = omega[i] * (positive_weight if positive[q] else one)
                small = np.exp(-abs(z))
                of_other = (small if sign * z > 0 else one) / (one + small)  # sigmoid(-sign z)
                loss += weight * (max(-sign * z, np.float32(0)) + np.log(one + small))
                pulls[q] = -sign * of_other * weight
            _add_rows(W, labels[p:last], pulls[p:last], grad_x[i])
        losses[i] = loss


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE)
def label_gradients(
    x: np.ndarray,
    ptr: np.ndarray,
    of_row: np.ndarray,
    pulls: np.ndarray,
    begin: int,
    end: int,
    grad_W: np.ndarray,
) -> None:
    for place in range(begin, end):
        grad_W[place] = 0
        for q in range(ptr[place], ptr[place + 1], 4):
            last = min(q + 4, ptr[place + 1])
            _add_rows(x, of_row[q:last], pulls[q:last], grad_W[place])


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE)
def _pair_scores(x: np.ndarray, W: np.ndarray, labels: np.ndarray, z: np.ndarray) -> None:
    for i in range(len(x)):
        n = 0
        while n < labels.shape[1] and labels[i, n] >= 0:
            n += 1
        for p in range(0, n, 4):
            _score_rows(x[i], W, labels[i, p : min(p + 4, n)], z[i, p : min(p + 4, n)])


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE, inline="always")
def _score_rows(x: np.ndarray, W: np.ndarray, rows: np.ndarray, z: np.ndarray) -> None:
    """z = W[rows] @ x, for at most four rows: x is read once for them."""
    if len(rows) == 4:
        w0, w1, w2, w3 = (
            W[np.uint64(rows[0])], W[np.uint64(rows[1])], W[np.uint64(rows[2])], W[np.uint64(rows[3])],
        )  # fmt: skip
        z0, z1, z2, z3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        for c in range(len(x)):
            z0 += x[c] * w0[c]
            z1 += x[c] * w1[c]
            z2 += x[c] * w2[c]
            z3 += x[c] * w3[c]
        z[0], z[1], z[2], z[3] = z0, z1, z2, z3
        return
    for q in range(len(rows)):
        w, total = W[np.uint64(rows[q])], np.float32(0)
        for c in range(len(x)):
            total += x[c] * w[c]
        z[q] = total


@njit(nogil=True, cache=True, fastmath=_REASSOCIATE, inline="always")
def _add_rows(A: np.ndarray, rows: np.ndarray, by: np.ndarray, out: np.ndarray) -> None:
    """out += by @ A[rows], for at most four rows: out is read and written once for them."""
    if len(rows) == 4:
        a0, a1, a2, a3 = (
            A[np.uint64(rows[0])], A[np.uint64(rows[1])], A[np.uint64(rows[2])], A[np.uint64(rows[3])],
        )  # fmt: skip
        b0, b1, b2, b3 = by[0], by[1], by[2], by[3]
        for c in range(len(out)):
            out[c] += b0 * a0[c] + b1 * a1[c] + b2 * a2[c] + b3 * a3[c]
        return
    for q in range(len(rows)):
        a, b = A[np.uint64(rows[q])], by[q]
        for c in range(len(out)):
            out[c] += b * a[c]
