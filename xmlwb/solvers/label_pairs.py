"""Which labels each instance of a batch learns from: its own, its shortlist, and some at random."""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.shortlist_loss import Candidates
from xmlwb.solvers.xorshift import advance, below


def label_pairs(
    Y: sparse.csr_array,
    batch: np.ndarray,
    shortlists: np.ndarray | None,
    among: np.ndarray,
    n_random: int,
    rng: np.random.Generator,
) -> Candidates:
    """The candidates of some instances.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    batch : ndarray of int64, shape (B,)
        Rows of Y and of the shortlists.
    shortlists : ndarray, shape (n, k), int32, or None
        -1 is no label. None: no instance has a shortlist.
    among : ndarray of int, shape (m,)
        The labels that are drawn from: those with a training positive.
    n_random : int
        Labels drawn for each instance, each as likely; one that is in already is not drawn anew.
    rng : numpy Generator
        One number is taken from it.

    Returns
    -------
    Candidates
        Of each instance first its own labels, then the others in the order of its shortlist, then those drawn.

    Notes
    -----
    Time O(labels of the batch + B (k + n_random)), memory as much and O(L).

    Examples
    --------
    >>> Y = sparse.csr_array(np.float32([[0, 1, 0, 0], [0, 0, 0, 1]]))
    >>> shortlists = np.array([[2, 1], [0, -1]], dtype=np.int32)
    >>> rng = np.random.default_rng(0)
    >>> pairs = label_pairs(Y, np.array([1, 0]), shortlists, np.arange(4), 0, rng)
    >>> pairs.indptr.tolist(), pairs.labels.tolist(), pairs.positive.tolist()
    ([0, 2, 4], [3, 0, 1, 2], [True, False, True, False])
    """
    seed = np.uint64(rng.integers(1, 2**63))
    lists = np.empty((Y.shape[0], 0), dtype=np.int32) if shortlists is None else shortlists
    drawn = np.ascontiguousarray(among, dtype=np.int64)
    room = int(np.diff(Y.indptr)[batch].sum()) + len(batch) * (lists.shape[1] + (n_random if len(drawn) else 0))
    indptr = np.zeros(len(batch) + 1, dtype=np.int64)
    labels = np.empty(room, dtype=np.int32)
    positive = np.zeros(room, dtype=np.bool_)
    _pairs(Y.indptr, Y.indices, batch, lists, drawn, n_random, seed, Y.shape[1], indptr, labels, positive)
    return Candidates(indptr, labels[: indptr[-1]], positive[: indptr[-1]])


@njit(nogil=True, cache=True)
def _pairs(
    Y_indptr: np.ndarray,
    Y_indices: np.ndarray,
    batch: np.ndarray,
    lists: np.ndarray,
    drawn: np.ndarray,
    n_random: int,
    random: np.uint64,
    n_labels: int,
    indptr: np.ndarray,
    labels: np.ndarray,
    positive: np.ndarray,
) -> None:
    seen = np.full(n_labels, -1, dtype=np.int64)
    at = 0
    for i in range(len(batch)):
        row = batch[i]
        for p in range(Y_indptr[row], Y_indptr[row + 1]):
            label = Y_indices[p]
            seen[label] = i
            labels[at], positive[at] = label, True
            at += 1
        for s in range(lists.shape[1]):
            label = lists[row, s]
            if label >= 0 and seen[label] != i:
                seen[label] = i
                labels[at] = label
                at += 1
        if len(drawn):
            for _ in range(n_random):
                random = advance(random)
                label = drawn[below(len(drawn), random)]
                if seen[label] != i:
                    seen[label] = i
                    labels[at] = label
                    at += 1
        indptr[i + 1] = at
