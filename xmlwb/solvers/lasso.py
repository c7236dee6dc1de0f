"""FISTA for the lasso, for many rows at once."""

from __future__ import annotations

from functools import partial

import numpy as np

from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import Supports, Watch, check_rows, decode_rows, largest, least_squares


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
        A batch is done when no entry moves by more than this share of its row's largest.
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
    square of the steps.

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
    scale = np.abs(of_z).max(axis=1, keepdims=True)
    step = np.float32(1 / A.squared_norm)
    threshold = step * np.float32(alpha) * scale
    V = ahead = np.zeros_like(of_z)
    momentum = 1.0
    for _ in range(n_iter):
        moved = ahead + step * (of_z - A.correlate(A.measure(ahead)))
        new = np.sign(moved) * np.maximum(np.abs(moved) - threshold, 0)
        next_momentum = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        change = new - V
        ahead = new + np.float32((momentum - 1) / next_momentum) * change
        V, momentum = new, next_momentum
        if watch is not None:
            watch(*largest(V, sparsity))
        if np.all(np.abs(change).max(axis=1, keepdims=True) <= tol * scale):
            break
    labels, values = largest(V, sparsity)
    return labels, least_squares(A, of_z, labels) if refit else values
