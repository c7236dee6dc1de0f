"""Compressive sampling matching pursuit for many rows at once."""

from __future__ import annotations

from functools import partial

import numpy as np

from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import Supports, Watch, as_csr, check_rows, decode_rows, largest, least_squares


def cosamp(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int,
    *,
    n_iter: int = 20,
    tol: float = 1e-5,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Supports:
    r"""Merge the 2 s labels that correlate most with the residual into the support, fit, keep the s largest; repeat.

    .. math:: T = \operatorname{supp}_{2s}(A^\top (z - A y)) \cup \operatorname{supp}(y), \qquad
              y \leftarrow \arg\min \{ \lVert z - A u \rVert : u \text{ supported on } T \}
              \text{ cut to its } s \text{ largest entries}

    Parameters
    ----------
    Z : ndarray, shape (n, m), float32
    A : Measurement, shape (m, L)
    sparsity : int
        s: 1 <= s <= min(m, L). Each round fits 3 s labels by least squares, so m wants to be well above 3 s.
    n_iter : int, default 20
        Rounds, at most.
    tol : float, default 1e-5
        A row is done when its residual falls below this share of its length, or no longer shrinks.
    n_jobs : int or None
        Threads over batches of rows; the result does not depend on it.
    watch : callable, optional
        ``watch(labels, values)`` after each round of each batch.

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
    O(m L + s^3) a round and an instance. A row whose residual would grow keeps what it had and ends, so that the
    residual never rises; the paper leaves the halting rule open. As many candidates are merged as fit into m columns.

    References
    ----------
    Needell and Tropp, "CoSaMP: Iterative signal recovery from incomplete and inaccurate samples", Applied and
    Computational Harmonic Analysis 26, 2009.
    """
    check_rows(Z, A, sparsity, min(A.shape))
    batch = partial(_sample, A=A, sparsity=sparsity, n_iter=n_iter, tol=tol, watch=watch)
    return decode_rows(batch, Z, A, sparsity, n_jobs)


def _sample(Z: np.ndarray, A: Measurement, sparsity: int, n_iter: int, tol: float, watch: Watch | None) -> Supports:
    L = A.shape[1]
    of_z = of_residual = A.correlate(Z)
    labels = np.full((len(Z), sparsity), -1, dtype=np.int32)
    values = np.zeros((len(Z), sparsity), dtype=np.float32)
    length = residual = np.linalg.norm(Z, axis=1)
    open_rows = np.flatnonzero(length > 0)
    n_candidates = max(1, min(2 * sparsity, L, A.shape[0] - sparsity))
    for _ in range(n_iter):
        if len(open_rows) == 0:
            break
        candidates, _ = largest(of_residual[open_rows], n_candidates)
        merged = _merge(labels[open_rows], candidates)
        fitted = least_squares(A, of_z[open_rows], merged)
        new_labels, new_values = _cut(merged, fitted, sparsity)
        left = Z[open_rows] - A.encode(as_csr(new_labels, new_values, L))
        new_residual = np.linalg.norm(left, axis=1)
        better = new_residual < residual[open_rows]
        kept = open_rows[better]
        labels[kept], values[kept] = new_labels[better], new_values[better]
        residual = residual.copy()
        residual[kept] = new_residual[better]
        if watch is not None:
            watch(labels, values)
        going = better & (new_residual > tol * length[open_rows])
        open_rows = open_rows[going]
        of_residual = of_residual.copy()
        of_residual[open_rows] = A.correlate(left[going])
    return labels, values


def _merge(labels: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Each row's support, then its candidates that are not in it yet."""
    known = (candidates[:, :, None] == labels[:, None, :]).any(axis=2)
    return np.concatenate([labels, np.where(known, -1, candidates)], axis=1)


def _cut(labels: np.ndarray, values: np.ndarray, sparsity: int) -> Supports:
    """The `sparsity` values of largest magnitude, ties by place."""
    order = np.argsort(-np.abs(values), axis=1, kind="stable")[:, :sparsity]
    labels, values = np.take_along_axis(labels, order, axis=1), np.take_along_axis(values, order, axis=1)
    return np.where(values != 0, labels, -1).astype(np.int32), values.astype(np.float32)
