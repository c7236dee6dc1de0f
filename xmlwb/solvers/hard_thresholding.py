"""Iterative hard thresholding for many rows at once."""

from __future__ import annotations

from functools import partial

import numpy as np

from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import Supports, Watch, as_csr, check_rows, decode_rows, largest


def iterative_hard_thresholding(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int,
    *,
    n_iter: int = 100,
    tol: float = 1e-5,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Supports:
    r"""A gradient step on :math:`\tfrac12 \lVert z - A y \rVert^2`, cut to its s largest entries; repeat.

    .. math:: y \leftarrow H_s\bigl(y + \mu A^\top (z - A y)\bigr), \qquad
              \mu = \frac{\lVert g_\Gamma \rVert^2}{\lVert A g_\Gamma \rVert^2},
              \quad g = A^\top (z - A y), \; \Gamma = \operatorname{supp}(y)

    Parameters
    ----------
    Z : ndarray, shape (n, m), float32
    A : Measurement, shape (m, L)
    sparsity : int
        s: 1 <= s <= min(m, L).
    n_iter : int, default 100
        Steps, at most.
    tol : float, default 1e-5
        A row is done when its residual falls below this share of its length, or a step shortens it by less than that
        share of it.
    n_jobs : int or None
        Threads over batches of rows; the result does not depend on it.
    watch : callable, optional
        ``watch(labels, values)`` after each step of each batch.

    Returns
    -------
    labels : ndarray, shape (n, s), int32
        Each row's support in order of value, largest first; -1 in empty places.
    values : ndarray, shape (n, s), float32

    Raises
    ------
    ValueError
        Z has another width than m, or sparsity is out of range.

    Notes
    -----
    O(m L) a step and an instance; no Gram matrix.

    The step length is that of the normalised form (2010); with :math:`\mu = 1`, as first published (2009), A must have
    norm below 1. Where the residual would grow, the row stays as it is and halves its step; the paper bounds the same
    growth by comparing the step with :math:`\lVert \Delta y \rVert^2 / \lVert A \Delta y \rVert^2` where the support
    changes.

    References
    ----------
    Blumensath and Davies, "Iterative hard thresholding for compressed sensing", Applied and Computational Harmonic
    Analysis 27, 2009; "Normalized iterative hard thresholding: guaranteed stability and performance", IEEE Journal of
    Selected Topics in Signal Processing 4, 2010.
    """
    check_rows(Z, A, sparsity, min(A.shape))
    batch = partial(_threshold, A=A, sparsity=sparsity, n_iter=n_iter, tol=tol, watch=watch)
    return decode_rows(batch, Z, A, sparsity, n_jobs)


def _threshold(Z: np.ndarray, A: Measurement, sparsity: int, n_iter: int, tol: float, watch: Watch | None) -> Supports:
    b, L = len(Z), A.shape[1]
    labels = np.full((b, sparsity), -1, dtype=np.int32)
    values = np.zeros((b, sparsity), dtype=np.float32)
    residual_rows = Z.copy()
    length = np.linalg.norm(Z, axis=1)
    residual = length.copy()
    shrink = np.ones(b, dtype=np.float32)
    rows = np.flatnonzero(length > 0)
    for step in range(n_iter):
        if len(rows) == 0:
            break
        gradient = A.correlate(residual_rows[rows])
        support = largest(gradient, sparsity)[0] if step == 0 else labels[rows]
        new_labels, new_values = _step(A, gradient, support, labels[rows], values[rows], shrink[rows], sparsity)
        left = Z[rows] - A.encode(as_csr(new_labels, new_values, L))
        new_residual = np.linalg.norm(left, axis=1)
        better = new_residual < residual[rows]
        kept = rows[better]
        gained = residual[kept] - new_residual[better]
        slow = gained <= tol * residual[kept]
        labels[kept], values[kept] = new_labels[better], new_values[better]
        residual[kept], residual_rows[kept] = new_residual[better], left[better]
        shrink[kept] = 1.0
        shrink[rows[~better]] /= 2
        if watch is not None:
            watch(labels, values)
        done = np.zeros(b, dtype=bool)
        done[kept[slow]] = True
        done |= (residual <= tol * length) | (shrink < 1e-3)
        rows = rows[~done[rows]]
    return labels, values


def _step(
    A: Measurement,
    gradient: np.ndarray,
    support: np.ndarray,
    labels: np.ndarray,
    values: np.ndarray,
    shrink: np.ndarray,
    sparsity: int,
) -> Supports:
    L = A.shape[1]
    on_support = np.where(support >= 0, np.take_along_axis(gradient, np.maximum(support, 0), axis=1), 0)
    measured = A.encode(as_csr(support, on_support, L))
    downhill = np.sum(on_support**2, axis=1)
    curvature = np.maximum(np.sum(measured**2, axis=1), np.finfo(np.float32).tiny)
    moved = gradient * (shrink * downhill / curvature)[:, None]
    moved += as_csr(labels, values, L).toarray()
    return largest(moved, sparsity)
