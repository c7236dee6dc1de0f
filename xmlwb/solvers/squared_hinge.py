r"""Linear SVMs with the squared hinge loss, sixteen labels at a time.

For each label, with :math:`y_i = \pm 1`,

.. math:: \min_w \; \tfrac12 \lVert w \rVert^2 + C \sum_i \max(0, 1 - y_i w^\top x_i)^2

is solved in its dual by coordinate descent: Hsieh et al., "A dual coordinate descent method for large-scale linear
SVM", ICML 2008, the method inside LIBLINEAR and thus inside Parabel and PECOS. Two things differ:

- sixteen labels walk through the instances together, so that each sparse row is read once for all of them (`lanes`);
- the paper's shrinking drops an instance that sits at its bound, :math:`\alpha_i = 0`. Extreme labels defeat it: with
  a handful of positives, nearly every negative instance keeps a tiny positive :math:`\alpha_i`, because together they
  hold up the constant feature's weight. Here an instance is left out while all sixteen labels are *nearly* optimal at
  it, and a solution counts only once a pass over all instances confirms it.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.lanes import FEW_LANES, LANES, NARROW, WIDE, add_to_rows, add_weighted_rows
from xmlwb.solvers.xorshift import shuffle

#: An instance is left out while every violation at it is below this share of ``tol``.
IDLE = 0.5
#: Violations below this do not move the weights: float32 could not tell.
NEGLIGIBLE = 1e-6


def solve_block(
    X: sparse.csr_array,
    sq_norms: np.ndarray,
    positives: list[np.ndarray],
    *,
    C: float = 1.0,
    tol: float = 0.1,
    max_iter: int = 1000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, int, bool]:
    """Learn up to sixteen labels' separators on the same instances.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    sq_norms : ndarray, shape (n,), float32
        Squared row norms of X (`squared_norms`), shared by all blocks.
    positives : list of ndarray of int
        For each label the rows of X that carry it; at most 16 labels.
    C : float
        Weight of the loss.
    tol : float
        The block has converged when no projected gradient of any label is larger than this in size.
    max_iter : int
        Passes over the instances, at most.
    seed : int
        Order in which instances are visited.

    Returns
    -------
    W : ndarray, shape (d, 16), float32
        Or (d, 4) for up to four labels; columns past ``len(positives)`` are zero.
    bias : ndarray, shape (16,) or (4,), float32
        The weight of a constant feature 1, regularised like all others (LIBLINEAR's ``-B 1``).
    n_iter : int
        Passes that were made.
    converged : bool
        Whether they sufficed for ``tol``.

    Notes
    -----
    Time O(passes x nnz(X) x 16); memory 4 x 16 x (2 n + d) bytes.
    """
    n, d = X.shape
    if not 1 <= len(positives) <= LANES:
        raise ValueError(f"positives holds {len(positives)} labels; wanted 1..{LANES}")
    lanes = NARROW if len(positives) <= FEW_LANES else WIDE
    y = np.zeros((n, len(lanes)), dtype=np.float32)  # 0: a lane without a label, which nothing moves
    y[:, : len(positives)] = -1.0
    for lane, rows in enumerate(positives):
        y[rows, lane] = 1.0
    W = np.zeros((d, len(lanes)), dtype=np.float32)
    bias = np.zeros(len(lanes), dtype=np.float32)
    n_iter, converged = _descend(
        X.indptr, X.indices, X.data, sq_norms, y, np.float32(0.5 / C), np.float32(tol), max_iter,
        np.uint64(seed), W, bias, lanes,
    )  # fmt: skip
    return W, bias, n_iter, converged


def squared_norms(X: sparse.csr_array) -> np.ndarray:
    """Squared Euclidean norm of each row, float32, shape (n,)."""
    return _squared_norms(X.indptr, X.data)


@njit(nogil=True, cache=True)
def _squared_norms(indptr: np.ndarray, data: np.ndarray) -> np.ndarray:
    norms = np.zeros(len(indptr) - 1, dtype=np.float32)
    for i in range(len(norms)):
        for p in range(indptr[i], indptr[i + 1]):
            norms[i] += data[p] * data[p]
    return norms


@njit(nogil=True, fastmath=True, cache=True)
def _descend(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    sq_norms: np.ndarray,
    y: np.ndarray,
    diagonal: np.float32,
    tol: np.float32,
    max_iter: int,
    seed: np.uint64,
    W: np.ndarray,
    bias: np.ndarray,
    lanes: tuple[int, ...],
) -> tuple[int, bool]:
    n, n_lanes = len(sq_norms), len(lanes)
    alpha = np.zeros((n, n_lanes), dtype=np.float32)
    for t in range(n_lanes):
        if y[0, t] == 0:  # where y = 0 the gradient is diagonal alpha - 1: at its optimum from the start
            alpha[:, t] = np.float32(1.0) / diagonal
    order = np.arange(n)
    n_active = n
    idle = np.float32(IDLE) * tol
    margin = np.empty(n_lanes, dtype=np.float32)
    step = np.empty(n_lanes, dtype=np.float32)
    random = seed * np.uint64(2685821657736338717) + np.uint64(88172645463325252)
    for iteration in range(max_iter):
        was_full = n_active == n
        worst = np.float32(0.0)
        random = shuffle(order, n_active, random)
        s = 0
        while s < n_active:
            i = order[s]
            begin, end = indptr[i], indptr[i + 1]
            margin[:] = bias
            add_weighted_rows(margin, W, indices, data, begin, end, lanes)  # type: ignore[call-arg]
            inverse = np.float32(1.0) / (sq_norms[i] + np.float32(1.0) + diagonal)
            violation = np.float32(0.0)
            for t in range(n_lanes):
                a = alpha[i, t]
                G = y[i, t] * margin[t] - np.float32(1.0) + diagonal * a
                PG = G if a > 0 else min(G, np.float32(0.0))
                violation = max(violation, abs(PG))
                moved = max(a - G * inverse, np.float32(0.0))
                step[t] = (moved - a) * y[i, t]
                alpha[i, t] = moved
            worst = max(worst, violation)
            if violation > np.float32(NEGLIGIBLE):
                bias += step
                add_to_rows(W, indices, data, begin, end, step, lanes)
            if violation > idle:
                s += 1
            else:  # nothing to move here: leave the instance out until the next full pass
                n_active -= 1
                order[s], order[n_active] = order[n_active], i
        if worst <= tol:
            if was_full:
                return iteration + 1, True
            n_active = n
    return max_iter, False
