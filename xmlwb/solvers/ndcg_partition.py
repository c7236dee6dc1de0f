r"""One node of FastXML: part instances in two so that each side has a ranking of the labels that suits it.

.. math:: \max_{\delta, r^+, r^-} \; \sum_i \tfrac12 (1 + \delta_i) \, \mathrm{nDCG}(r^+, y_i)
          + \tfrac12 (1 - \delta_i) \, \mathrm{nDCG}(r^-, y_i), \qquad
          \mathrm{nDCG}(r, y) = I(y) \sum_{l \in y} \frac{g_l}{\log_2(1 + r_l)}

with :math:`r_l` the place of label l, counted from 1, :math:`g_l` its gain (1, or :math:`1 / p_l` in PfastreXML) and
I(y) the inverse of the best that any ranking reaches. Two steps take turns, and neither ever lowers the objective:

- ranking step: with the sides fixed, the best ranking of a side sorts the labels by :math:`\sum_i I(y_i) g_l y_{il}`
  over the side's instances; equal sums go by the lower label;
- sign step: with the rankings fixed, each instance goes to the side whose ranking has the higher nDCG for it; it stays
  where it is if both have the same.

The separator's weights are zero meanwhile, so that its loss is log 2 on either side and has no say in the sign step.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.instance_trees import sides
from xmlwb.solvers.sparse_logistic import sparse_separator
from xmlwb.solvers.xorshift import advance

#: Rounds of the two steps, at most; they come to rest long before.
MAX_ROUNDS = 100
#: Random starts, at most. One is of no use if a side ends up empty, or if both come to the same ranking, so that nobody
#: has a reason to be on either.
MAX_STARTS = 10


@dataclass(frozen=True)
class PartitionStep:
    """Where a node's instances and rankings stand after a step of the alternating minimisation.

    Parameters
    ----------
    kind : {"start", "ranking", "sign", "separator"}
        What was done: a random start, a ranking step, a sign step; last, the separator took over the sides.
    delta : ndarray of +1 and -1, shape (n,), int8
        The side of each instance.
    ranking_plus, ranking_minus : ndarray, int32
        The labels of these instances, best first. They are those of the last ranking step; empty before it.
    objective : float
        Mean nDCG of the instances under their side's ranking; nan at the start.
    w : ndarray, shape (d,), float32
    bias : float
        The separator; zero before the last step. ``w @ x + bias >= 0`` is the side of +1.
    """

    kind: str
    delta: np.ndarray
    ranking_plus: np.ndarray
    ranking_minus: np.ndarray
    objective: float
    w: np.ndarray
    bias: float


def partition_steps(
    X: sparse.csr_array,
    Y: sparse.csr_array,
    *,
    seed: int = 0,
    gains: np.ndarray | None = None,
    C: float = 1.0,
    tol: float = 0.01,
    max_iter: int = 10,
) -> Iterator[PartitionStep]:
    """The steps that part the instances of one node, by the kernels that grow the trees.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
        Stored entries are the instances' labels.
    seed : int
        Of the random start.
    gains : ndarray, shape (L,), optional
        g_l > 0; 1 for all if not given.
    C, tol, max_iter : float, float, int
        The separator's, see `sparse_separator`; C is C_delta, and each side weighs as much as the other: the loss of an
        instance is weighted by C times n over the number of instances on its side.

    Yields
    ------
    PartitionStep
        The start; ranking and sign steps in turn, until a sign step moves nobody; all of that again from another start,
        at most ten times, if a side is empty or both have the same ranking; the separator, if both sides hold somebody.

    Raises
    ------
    ValueError
        X and Y have different numbers of rows, or gains another length than Y has columns.
    """
    n, d = X.shape
    if Y.shape[0] != n or (gains is not None and gains.shape != (Y.shape[1],)):
        shapes = X.shape, Y.shape, None if gains is None else gains.shape
        raise ValueError("X, Y and gains have shapes {}, {} and {}, which do not fit together".format(*shapes))
    labels, places = np.unique(Y.indices, return_inverse=True)
    labels = labels.astype(np.int32)
    worth = gain_shares(Y, gains)
    indptr, places = Y.indptr.astype(np.int64), places.astype(np.int32)
    delta = np.empty(n, dtype=np.int8)
    random = np.uint64(generator(seed))
    sums, discount = np.empty((2, len(labels))), np.empty((2, len(labels)))
    nothing = np.zeros(d, dtype=np.float32)
    empty = labels[:0]
    discounts = rank_discounts(len(labels))
    for _ in range(MAX_STARTS):
        random = np.uint64(random_sides(delta, n, random))
        yield PartitionStep("start", delta.copy(), empty, empty, float("nan"), nothing, 0.0)
        for _ in range(MAX_ROUNDS):
            total = ranking_step(indptr, places, worth, delta, n, discounts, sums, discount, len(labels))
            minus, plus = (labels[np.argsort(-discount[side], kind="stable")] for side in (0, 1))
            yield PartitionStep("ranking", delta.copy(), plus, minus, total / n, nothing, 0.0)
            n_moved, total = sign_step(indptr, places, worth, discount, delta, n)
            yield PartitionStep("sign", delta.copy(), plus, minus, total / n, nothing, 0.0)
            if n_moved == 0:
                break
        n_plus = int((delta > 0).sum())
        if 0 < n_plus < n and (discount[0] != discount[1]).any():
            break
    if not 0 < n_plus < n:
        return
    weights = np.where(delta > 0, C * n / n_plus, C * n / (n - n_plus))
    w, bias = sparse_separator(X, delta, C=weights, tol=tol, max_iter=max_iter, state=random)
    delta = sides(X, w, bias)
    total = value(indptr, places, worth, discount, delta, n)
    yield PartitionStep("separator", delta, plus, minus, total / n, w, bias)


def rank_discounts(n_labels: int) -> np.ndarray:
    """1 / log2(1 + rank) for the ranks from 1 to n_labels, float64."""
    return 1.0 / np.log2(np.arange(2, n_labels + 2))


def gain_shares(Y: sparse.csr_array, gains: np.ndarray | None = None) -> np.ndarray:
    """I(y_i) g_l for each stored entry of Y, float32: the entry's share of its row's best DCG before the discount.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    gains : ndarray, shape (L,), optional
        g_l > 0; 1 for all if not given.
    """
    of_entry = np.ones(Y.nnz) if gains is None else gains[Y.indices].astype(np.float64)
    longest = int(np.diff(Y.indptr).max(initial=0))
    return _gain_shares(Y.indptr.astype(np.int64), of_entry, rank_discounts(longest)).astype(np.float32)


@njit(nogil=True, cache=True)
def _gain_shares(indptr: np.ndarray, gain: np.ndarray, discounts: np.ndarray) -> np.ndarray:
    share = np.empty(len(gain))
    for i in range(len(indptr) - 1):
        of_row = gain[indptr[i] : indptr[i + 1]]
        ideal = np.sum(np.sort(of_row)[::-1] * discounts[: len(of_row)])
        share[indptr[i] : indptr[i + 1]] = of_row / ideal
    return share


@njit(nogil=True, cache=True)
def generator(seed: int) -> np.uint64:
    """The state of a random generator for this seed, never 0."""
    return np.uint64(seed) * np.uint64(2685821657736338717) + np.uint64(88172645463325253)


@njit(nogil=True, cache=True)
def random_sides(delta: np.ndarray, n: int, random: np.uint64) -> np.uint64:
    """Throw a coin for each of the first n instances; the generator's state."""
    for i in range(n):
        random = advance(random)
        delta[i] = 1 if random >> np.uint64(63) else -1
    return random


@njit(nogil=True, cache=True)
def ranking_step(
    indptr: np.ndarray,
    labels: np.ndarray,
    worth: np.ndarray,
    delta: np.ndarray,
    n: int,
    discounts: np.ndarray,
    sums: np.ndarray,
    discount: np.ndarray,
    n_labels: int,
) -> float:
    """The best ranking of each side: fills ``discount[side, label]``, side 0 that of -1; the sum of nDCG then.

    Labels are numbered from 0 within the node, ascending; ``sums`` is scratch of shape (2, at least n_labels).
    """
    sums[:, :n_labels] = 0.0
    for i in range(n):
        side = 1 if delta[i] > 0 else 0
        for p in range(indptr[i], indptr[i + 1]):
            sums[side, np.uint64(labels[p])] += worth[p]  # unsigned: no test for a negative index
    total = 0.0
    for side in range(2):
        order = np.argsort(-sums[side, :n_labels], kind="mergesort")  # stable: ties by the lower label
        for place in range(n_labels):
            discount[side, order[place]] = discounts[place]
            total += discounts[place] * sums[side, order[place]]
    return total


@njit(nogil=True, cache=True)
def sign_step(
    indptr: np.ndarray, labels: np.ndarray, worth: np.ndarray, discount: np.ndarray, delta: np.ndarray, n: int
) -> tuple[int, float]:
    """Send each instance to the side that ranks its labels better: how many moved, and the sum of nDCG then."""
    n_moved, total = 0, 0.0
    for i in range(n):
        plus, minus = 0.0, 0.0
        for p in range(indptr[i], indptr[i + 1]):
            plus += worth[p] * discount[1, np.uint64(labels[p])]
            minus += worth[p] * discount[0, np.uint64(labels[p])]
        if (plus > minus and delta[i] < 0) or (minus > plus and delta[i] > 0):
            delta[i] = -delta[i]
            n_moved += 1
        total += max(plus, minus)
    return n_moved, total


@njit(nogil=True, cache=True)
def value(
    indptr: np.ndarray, labels: np.ndarray, worth: np.ndarray, discount: np.ndarray, delta: np.ndarray, n: int
) -> float:
    """The sum of nDCG of the instances under their side's ranking."""
    total = 0.0
    for i in range(n):
        side = 1 if delta[i] > 0 else 0
        for p in range(indptr[i], indptr[i + 1]):
            total += worth[p] * discount[side, labels[p]]
    return total


@njit(nogil=True, cache=True)
def partition(
    indptr: np.ndarray,
    labels: np.ndarray,
    worth: np.ndarray,
    n: int,
    n_labels: int,
    discounts: np.ndarray,
    sums: np.ndarray,
    discount: np.ndarray,
    delta: np.ndarray,
    random: np.uint64,
) -> tuple[int, np.uint64]:
    """All of the above steps for one node: leaves the sides in `delta`; how many are at +1, the generator's state."""
    for _ in range(MAX_STARTS):
        random = random_sides(delta, n, random)
        for _ in range(MAX_ROUNDS):
            ranking_step(indptr, labels, worth, delta, n, discounts, sums, discount, n_labels)
            n_moved, _ = sign_step(indptr, labels, worth, discount, delta, n)
            if n_moved == 0:
                break
        n_plus = np.count_nonzero(delta[:n] > 0)
        if 0 < n_plus < n and np.any(discount[0, :n_labels] != discount[1, :n_labels]):
            break
    return int(n_plus), random
