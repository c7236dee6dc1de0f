"""Orthogonal matching pursuit for many rows at once."""

from __future__ import annotations

from functools import partial

import numpy as np
from numba import njit

from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import (
    BLOCK,
    DEPENDENT,
    Supports,
    Watch,
    as_csr,
    check_rows,
    decode_rows,
    largest_magnitude,
)


def orthogonal_matching_pursuit(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int,
    *,
    nonnegative: bool = False,
    tol: float = 1e-5,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Supports:
    r"""Add the label that correlates most with the residual; fit all values again; repeat ``sparsity`` times.

    .. math:: l_t = \arg\max_l |a_l^\top (z - A y^{t-1})|, \qquad
              y^t = \arg\min \{ \lVert z - A y \rVert : y \text{ supported on } l_1, \dots, l_t \}

    Parameters
    ----------
    Z : ndarray, shape (n, m), float32
        Measurements, one row an instance.
    A : Measurement, shape (m, L)
    sparsity : int
        s, the most labels of a row: 1 <= s <= min(m, L).
    nonnegative : bool, default False
        Choose by the largest correlation instead of its magnitude, as fits label vectors; a row ends where none is
        positive. (The values are plain least squares all the same.)
    tol : float, default 1e-5
        A row is done when no correlation with its residual exceeds this share of the largest one of z.
    n_jobs : int or None
        Threads over batches of rows; the result does not depend on it.
    watch : callable, optional
        ``watch(labels, values)`` after each step of each batch, in the order of selection.

    Returns
    -------
    labels : ndarray, shape (n, s), int32
        Each row's support in order of value, largest first; -1 in empty places.
    values : ndarray, shape (n, s), float32
        0 in empty places.

    Raises
    ------
    ValueError
        Z has another width than m, or sparsity is out of range.

    Notes
    -----
    Up to GRAM_LABELS labels by Batch-OMP: the correlations A^T z of a batch are one matrix product, those of the
    residual follow from s rows of the Gram matrix, and the Cholesky factor of the support's block grows by a row a
    step: O(m L + s^2 L / 2 + s^3 / 3) an instance, and 4 L^2 bytes once. Beyond, each step correlates the residuals
    anew: O(s m L) an instance, or O(s p log p) with a Hadamard matrix.

    References
    ----------
    Pati, Rezaiifar and Krishnaprasad, "Orthogonal matching pursuit", Asilomar 1993. Rubinstein, Zibulevsky and Elad,
    "Efficient implementation of the K-SVD algorithm using batch orthogonal matching pursuit", Technion 2008.

    Examples
    --------
    >>> from xmlwb.solvers.measurement import GaussianMeasurement
    >>> A = GaussianMeasurement(20, 50)
    >>> y = np.zeros((1, 50)); y[0, [3, 40]] = 1, 2
    >>> labels, values = orthogonal_matching_pursuit(A.measure(y), A, 3)
    >>> labels.tolist(), values.round(3).tolist()
    ([[40, 3, -1]], [[2.0, 1.0, 0.0]])
    """
    check_rows(Z, A, sparsity, min(A.shape))
    batch = partial(_pursue, A=A, sparsity=sparsity, nonnegative=nonnegative, tol=tol, watch=watch)
    return decode_rows(batch, Z, A, sparsity, n_jobs)


def _pursue(
    Z: np.ndarray, A: Measurement, sparsity: int, nonnegative: bool, tol: float, watch: Watch | None
) -> Supports:
    b = len(Z)
    of_z = A.correlate(Z)
    of_residual = of_z.copy()
    labels = np.full((b, sparsity), -1, dtype=np.int32)
    values = np.zeros((b, sparsity))
    factor = np.zeros((b, sparsity, sparsity))
    solved = np.zeros((b, sparsity))  # factor^-1 A_S^T z
    floor = np.maximum(tol * np.abs(of_z).max(axis=1), np.finfo(np.float32).tiny)
    for t in range(sparsity):
        _select(of_residual, labels, t, floor, nonnegative)
        _extend(_with_support(A, labels, t), of_z, labels, values, factor, solved, t)
        if not np.any(labels[:, t] >= 0):
            break
        if watch is not None:
            watch(labels, values)
        if t + 1 == sparsity:
            break
        if A.has_gram:
            _subtract_explained(of_z, A.gram(), labels, values, t + 1, of_residual)
        else:
            of_residual = A.correlate(Z - A.encode(as_csr(labels, values, A.shape[1])))
    return labels, values


def _with_support(A: Measurement, labels: np.ndarray, t: int) -> np.ndarray:
    """Inner products of each row's label t with its labels 0..t: (b, t + 1) float32."""
    chosen = np.maximum(labels[:, : t + 1], 0)
    if A.has_gram:
        return A.gram()[chosen[:, t, None], chosen]
    atoms = A.columns(chosen.ravel()).T.reshape(len(labels), t + 1, A.shape[0])
    return np.einsum("btm,bm->bt", atoms, atoms[:, t])


@njit(nogil=True, cache=True)
def _select(of_residual: np.ndarray, labels: np.ndarray, t: int, floor: np.ndarray, nonnegative: bool) -> None:
    n_labels = of_residual.shape[1]
    for i in range(labels.shape[0]):
        if t > 0 and labels[i, t - 1] < 0:
            continue  # this row is done
        best, chosen = floor[i], -1
        for begin in range(0, n_labels, BLOCK):
            end = min(begin + BLOCK, n_labels)
            if largest_magnitude(of_residual[i, begin:end]) <= best:
                continue
            for label in range(begin, end):
                value = of_residual[i, label] if nonnegative else abs(of_residual[i, label])
                if value > best:
                    best, chosen = value, label
        labels[i, t] = chosen


@njit(nogil=True, cache=True)
def _extend(
    with_support: np.ndarray,
    of_z: np.ndarray,
    labels: np.ndarray,
    values: np.ndarray,
    factor: np.ndarray,
    solved: np.ndarray,
    t: int,
) -> None:
    """One more row of each Cholesky factor, and the least-squares values of the larger support."""
    for i in range(labels.shape[0]):
        if labels[i, t] < 0:
            continue
        lower = factor[i]
        pivot = length = float(with_support[i, t])
        total = float(of_z[i, labels[i, t]])
        for p in range(t):
            entry = float(with_support[i, p])
            for q in range(p):
                entry -= lower[p, q] * lower[t, q]
            lower[t, p] = entry / lower[p, p]
            pivot -= lower[t, p] * lower[t, p]
            total -= lower[t, p] * solved[i, p]
        if pivot <= DEPENDENT * length:
            labels[i, t] = -1  # it lies in the span of the support: nothing is left but rounding
            continue
        lower[t, t] = np.sqrt(pivot)
        solved[i, t] = total / lower[t, t]
        for p in range(t, -1, -1):
            total = solved[i, p]
            for q in range(p + 1, t + 1):
                total -= lower[q, p] * values[i, q]
            values[i, p] = total / lower[p, p]


@njit(nogil=True, cache=True)
def _subtract_explained(
    of_z: np.ndarray, gram: np.ndarray, labels: np.ndarray, values: np.ndarray, size: int, of_residual: np.ndarray
) -> None:
    n_labels = of_z.shape[1]
    for i in range(labels.shape[0]):
        if labels[i, size - 1] < 0:
            continue  # this row is done
        row = of_residual[i]
        row[:] = of_z[i]
        p = 0
        while p + 4 <= size:  # four Gram rows in one pass over the row
            v0, v1 = np.float32(values[i, p]), np.float32(values[i, p + 1])
            v2, v3 = np.float32(values[i, p + 2]), np.float32(values[i, p + 3])
            g0, g1 = gram[labels[i, p]], gram[labels[i, p + 1]]
            g2, g3 = gram[labels[i, p + 2]], gram[labels[i, p + 3]]
            for label in range(n_labels):
                row[label] -= v0 * g0[label] + v1 * g1[label] + (v2 * g2[label] + v3 * g3[label])
            p += 4
        while p < size:
            value, column = np.float32(values[i, p]), gram[labels[i, p]]
            for label in range(n_labels):
                row[label] -= value * column[label]
            p += 1
