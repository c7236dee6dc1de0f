"""FISTA for the lasso, for many rows at once."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import Supports, Watch, check_rows, decode_rows, largest, least_squares

#: Finished rows are taken out of a batch once no more than this share of it goes on: a copy each time.
_COMPACT = 0.75


def fista(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int | None = None,
    *,
    alpha: float = 0.02,
    n_iter: int = 200,
    refit: bool = True,
    tol: float = 1e-4,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Supports:
    r"""The lasso by accelerated proximal gradient steps, cut to its largest entries.

    .. math:: \min_y \; \tfrac12 \lVert z - A y \rVert^2 + \lambda \lVert y \rVert_1, \qquad
              \lambda = \alpha \lVert A^\top z \rVert_\infty

    Parameters
    ----------
    Z : ndarray, shape (n, m), float32
    A : Measurement, shape (m, L)
    sparsity : int or None
        Keep this many entries, those of largest magnitude: 1 <= s <= L, and s <= m with ``refit``. None: min(m, L).
    alpha : float, default 0.02
        The penalty as a share of the smallest one at which the solution is zero; 0 < alpha < 1.
    n_iter : int, default 200
        Steps, at most.
    refit : bool, default True
        Least squares on the labels that were kept, which undoes the penalty's shrinkage of the values.
    tol : float, default 1e-4
        A row is done when no entry moves by more than this share of its largest correlation max |A^T z|.
    n_jobs : int or None
        Threads over batches of rows; the result does not depend on it.
    watch : callable, optional
        ``watch(labels, values)`` after each step of each batch, with the largest entries, not refitted.

    Returns
    -------
    labels : ndarray, shape (n, s), int32
        In order of value, largest first; -1 in empty places.
    values : ndarray, shape (n, s), float32

    Raises
    ------
    ValueError
        Z has another width than m, sparsity or alpha is out of range.

    Notes
    -----
    O(m L) a step and an instance, O(p log p) with a Hadamard matrix; the error of the objective falls as the inverse
    square of the steps. A row whose last move went uphill loses its momentum (O'Donoghue and Candes 2015).

    References
    ----------
    Tibshirani, "Regression shrinkage and selection via the lasso", JRSS B 58, 1996. Beck and Teboulle, "A fast
    iterative shrinkage-thresholding algorithm for linear inverse problems", SIAM Journal on Imaging Sciences 2, 2009.
    """
    sparsity = min(A.shape) if sparsity is None else sparsity
    check_rows(Z, A, sparsity, min(A.shape) if refit else A.shape[1])
    if not 0 < alpha < 1:
        raise ValueError(f"alpha is {alpha!r}; wanted 0 < alpha < 1, a share of the largest correlation")
    batch = partial(_shrink, A=A, sparsity=sparsity, alpha=alpha, n_iter=n_iter, refit=refit, tol=tol, watch=watch)
    return decode_rows(batch, Z, A, sparsity, n_jobs)


def _shrink(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int,
    alpha: float,
    n_iter: int,
    refit: bool,
    tol: float,
    watch: Watch | None,
) -> Supports:
    of_z = A.correlate(Z)
    scale = np.abs(of_z).max(axis=1)
    step = np.float32(1 / A.squared_norm)
    y = np.zeros_like(of_z)
    rows = np.flatnonzero(scale > 0)  # those under way; the arrays below hold these alone
    target, here, ahead = of_z[rows], y[rows], y[rows]
    momentum, moved = np.ones(len(rows)), np.empty(len(rows), dtype=np.float32)
    for _ in range(n_iter):
        if len(rows) == 0:
            break
        downhill = target - A.correlate(A.measure(ahead))
        _proximal_step(here, ahead, downhill, momentum, moved, step, step * np.float32(alpha) * scale[rows])
        if watch is not None:
            y[rows] = here
            watch(*largest(y, sparsity))
        going = moved > tol * scale[rows]
        if going.sum() < _COMPACT * len(rows):
            y[rows] = here
            rows, target, here, ahead = rows[going], target[going], here[going], ahead[going]
            momentum, moved = momentum[going], moved[going]
    y[rows] = here
    labels, values = largest(y, sparsity)
    return labels, least_squares(A, of_z, labels) if refit else values


@njit(nogil=True, cache=True)
def _proximal_step(
    here: np.ndarray,
    ahead: np.ndarray,
    downhill: np.ndarray,
    momentum: np.ndarray,
    moved: np.ndarray,
    step: np.float32,
    threshold: np.ndarray,
) -> None:
    """Shrink ``ahead + step * downhill`` into ``here`` and look ahead again; ``moved``: each row's largest change."""
    for i in range(here.shape[0]):
        largest_change, against = np.float32(0), np.float32(0)
        limit = np.float32(threshold[i])
        y, point, slope = here[i], ahead[i], downhill[i]
        for j in range(len(y)):
            candidate = point[j] + step * slope[j]
            new = max(candidate - limit, np.float32(0)) + min(candidate + limit, np.float32(0))
            change = new - y[j]
            against += (point[j] - new) * change
            largest_change = max(largest_change, abs(change))
            y[j] = new
            slope[j] = change  # read once more below
        if against > 0:
            momentum[i] = 1.0  # the last move went uphill: begin again without momentum
        following = (1 + np.sqrt(1 + 4 * momentum[i] ** 2)) / 2
        weight = np.float32((momentum[i] - 1) / following)
        for j in range(len(y)):
            point[j] = y[j] + weight * slope[j]
        momentum[i] = following
        moved[i] = largest_change
