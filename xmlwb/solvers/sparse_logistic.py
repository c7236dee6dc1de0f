r"""A sparse linear separator of two groups of instances: logistic regression with an L1 penalty.

.. math:: \min_w \; \lVert w \rVert_1 + \sum_i C_i \log(1 + \exp(-\delta_i w^\top x_i)), \qquad \delta_i = \pm 1

Newton's method with coordinate descent inside: each step replaces the loss by its second-order expansion, lowers that
plus the L1 norm one coordinate at a time, and backtracks along the direction so found. It is the scheme of LIBLINEAR's
L1-regularised logistic regression, which FastXML's released code (fastXML.cpp) carries along. Almost all weights stay
at zero, so a coordinate is only walked through while its gradient is near or past the penalty's slope; in the first
step, past it. A step makes ten passes at most: with C far above 10 the default ten steps end short of the optimum.

The kernels work on the columns of a node's own small matrix, with its features numbered afresh: no array here is as
long as the data set is wide.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.xorshift import advance, below

#: Added to the second derivatives, so that a column without curvature does not divide by zero.
TINY = 1e-12
#: Share of the predicted decrease that a step must bring (Armijo).
ARMIJO = 0.01
MAX_HALVINGS = 20
#: Passes over the active columns for one Newton step, at most.
MAX_PASSES = 10


def sparse_separator(
    X: sparse.csr_array,
    delta: np.ndarray,
    *,
    C: float | np.ndarray = 1.0,
    tol: float = 0.01,
    max_iter: int = 10,
    state: int | np.uint64 = 1,
) -> tuple[np.ndarray, float]:
    """Learn to tell the instances with delta = +1 from those with -1.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    delta : ndarray of +1 and -1, shape (n,)
    C : float or ndarray, shape (n,)
        Weight of an instance's loss.
    tol : float
        Converged when the violations of the optimality conditions sum to this share of what they were at w = 0.
    max_iter : int
        Newton steps, at most.
    state : int
        Of the random generator that orders the coordinates, not 0.

    Returns
    -------
    w : ndarray, shape (d,), float32
    bias : float
        Weight of a constant feature 1, penalised like all others.

    Notes
    -----
    Time O(nnz(X)) a Newton step and O(nnz of the active columns) for each of its at most 10 passes.
    """
    n, d = X.shape
    columns = sparse.csc_array(sparse.hstack([X, np.ones((n, 1), dtype=np.float32)]))
    weights = np.broadcast_to(np.asarray(C, dtype=np.float64), n).copy()
    w = np.zeros(d + 1)
    learn_separator(
        columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data.astype(np.float32), d + 1,
        delta.astype(np.int8), weights, tol, max_iter, w, np.uint64(state),
    )  # fmt: skip
    return w[:d].astype(np.float32), float(w[d])


@njit(nogil=True, cache=True)
def learn_separator(
    indptr: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    n_columns: int,
    delta: np.ndarray,
    C: np.ndarray,
    tol: float,
    max_iter: int,
    w: np.ndarray,
    random: np.uint64,
) -> np.uint64:
    """Improve w, shape (n_columns,) float64, which is zero at the start; the random generator's state afterwards.

    Column j holds ``values[indptr[j]:indptr[j + 1]]`` at those ``rows``; only the first entries of the arrays are used.
    """
    n = len(delta)
    margin = np.zeros(n)
    slope = np.empty(n)  # of the loss in the margin
    curvature = np.empty(n)
    pull = np.empty(n)  # curvature times the change of the margin so far
    change = np.empty(n)
    gradient = np.empty(n_columns)
    second = np.empty(n_columns)
    new = w.copy()
    active = np.empty(n_columns, dtype=np.int32)
    first_violation, near = 0.0, 0.0
    inner_tol = 1.0
    for iteration in range(max_iter):
        for i in range(n):
            p = 1.0 / (1.0 + np.exp(delta[i] * margin[i]))
            slope[i] = -C[i] * delta[i] * p
            curvature[i] = C[i] * p * (1.0 - p)
        violation, worst, n_active = 0.0, 0.0, 0
        for j in range(n_columns):
            g = 0.0
            for q in range(indptr[j], indptr[j + 1]):
                g += values[q] * slope[np.uint64(rows[q])]
            gradient[j] = g
            missed = abs(g + np.sign(w[j])) if w[j] != 0.0 else max(0.0, abs(g) - 1.0)
            violation += missed
            worst = max(worst, missed)
            if w[j] == 0.0 and abs(g) < 1.0 - near:
                continue
            h = TINY
            for q in range(indptr[j], indptr[j + 1]):
                h += values[q] * values[q] * curvature[np.uint64(rows[q])]
            second[j] = h
            active[n_active] = j
            n_active += 1
        if iteration == 0:
            first_violation = violation
        if violation <= tol * first_violation:
            return random
        n_passes, random = _direction(
            indptr, rows, values, curvature, gradient, second, active, n_active, w, new, pull,
            inner_tol * first_violation, n, random,
        )  # fmt: skip
        if n_passes == 1:
            inner_tol *= 0.25
        change[:] = 0.0
        predicted = 0.0
        for s in range(n_active):
            j = active[s]
            z = new[j] - w[j]
            if z != 0.0:
                predicted += gradient[j] * z + abs(new[j]) - abs(w[j])
                for q in range(indptr[j], indptr[j + 1]):
                    change[np.uint64(rows[q])] += values[q] * z
        step = _backtrack(delta, C, margin, change, active, n_active, w, new, predicted)
        for s in range(n_active):
            j = active[s]
            w[j] = w[j] + step * (new[j] - w[j]) if step < 1.0 else new[j]
            new[j] = w[j]
        for i in range(n):
            margin[i] += step * change[i]
        if step == 0.0:
            return random
        near = worst / n
    return random


@njit(nogil=True, cache=True)
def _direction(
    indptr: np.ndarray,
    rows: np.ndarray,
    values: np.ndarray,
    curvature: np.ndarray,
    gradient: np.ndarray,
    second: np.ndarray,
    active: np.ndarray,
    n_active: int,
    w: np.ndarray,
    new: np.ndarray,
    pull: np.ndarray,
    enough: float,
    n: int,
    random: np.uint64,
) -> tuple[int, np.uint64]:
    """Coordinate descent on the expansion at w: leaves its minimiser, about, in `new`."""
    pull[:] = 0.0
    near, walked = np.inf, n_active
    for n_passes in range(1, MAX_PASSES + 1):
        violation, worst = 0.0, 0.0
        for s in range(walked):
            random = advance(random)
            r = s + below(walked - s, random)
            active[s], active[r] = active[r], active[s]
        s = 0
        while s < walked:
            j = active[s]
            g = gradient[j]
            for q in range(indptr[j], indptr[j + 1]):
                g += values[q] * pull[np.uint64(rows[q])]
            at = new[j]
            missed = abs(g + np.sign(at)) if at != 0.0 else max(0.0, abs(g) - 1.0)
            if at == 0.0 and abs(g) < 1.0 - near:
                walked -= 1  # will stay at zero: leave it out for the rest of this direction
                active[s], active[walked] = active[walked], active[s]
                continue
            violation += missed
            worst = max(worst, missed)
            h = second[j]
            if g + 1.0 < h * at:
                z = -(g + 1.0) / h
            elif g - 1.0 > h * at:
                z = -(g - 1.0) / h
            else:
                z = -at
            z = min(max(z, -10.0), 10.0)
            if abs(z) > 1e-12:
                new[j] = 0.0 if z == -at else at + z
                for q in range(indptr[j], indptr[j + 1]):
                    i = np.uint64(rows[q])
                    pull[i] += values[q] * z * curvature[i]
            s += 1
        if violation <= enough:
            if walked == n_active:
                return n_passes, random
            walked, near = n_active, np.inf
        else:
            near = worst / n
    return MAX_PASSES, random


@njit(nogil=True, cache=True)
def _backtrack(
    delta: np.ndarray,
    C: np.ndarray,
    margin: np.ndarray,
    change: np.ndarray,
    active: np.ndarray,
    n_active: int,
    w: np.ndarray,
    new: np.ndarray,
    predicted: float,
) -> float:
    """The longest of 1, 1/2, 1/4, ... that lowers the objective enough; 0 if none does."""
    step = 1.0
    for _ in range(MAX_HALVINGS):
        risen = 0.0
        for s in range(n_active):
            j = active[s]
            if new[j] != w[j]:
                risen += abs(w[j] + step * (new[j] - w[j])) - abs(w[j])
        for i in range(len(delta)):
            if change[i] != 0.0:
                before, after = -delta[i] * margin[i], -delta[i] * (margin[i] + step * change[i])
                risen += C[i] * (_softplus(after) - _softplus(before))
        if risen <= ARMIJO * step * predicted:
            return step
        step *= 0.5
    return 0.0


@njit(nogil=True, cache=True, inline="always")
def _softplus(z: float) -> float:
    """log(1 + exp(z)), also for a large z."""
    return max(z, 0.0) + np.log1p(np.exp(-abs(z)))
