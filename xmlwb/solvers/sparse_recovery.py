"""Decoders: get an s-sparse label vector y back from its measurements z = A y (plus noise).

Each takes a batch of rows Z (n, m), a measurement matrix and the sparsity s, and gives labels (n, s) int32, -1 where a
row has fewer, and values (n, s) float32; ``DECODERS`` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from xmlwb.solvers.cosamp import cosamp
from xmlwb.solvers.hard_thresholding import iterative_hard_thresholding
from xmlwb.solvers.lasso import fista
from xmlwb.solvers.matching_pursuit import orthogonal_matching_pursuit
from xmlwb.solvers.measurement import Measurement
from xmlwb.solvers.supports import Supports, Watch, as_csr, check_rows, decode_rows, largest, least_squares


def correlation(
    Z: np.ndarray,
    A: Measurement,
    sparsity: int,
    *,
    refit: bool = False,
    n_jobs: int | None = None,
    watch: Watch | None = None,
) -> Supports:
    """The labels whose columns correlate most with z, and these correlations: A^T z, cut to its s largest entries.

    Parameters
    ----------
    Z : ndarray, shape (n, m), float32
    A : Measurement, shape (m, L)
    sparsity : int
        s: 1 <= s <= L, and s <= m with ``refit``.
    refit : bool, default False
        Least squares on the chosen labels (one step of OMP that takes s labels at once).
    n_jobs : int or None
        Threads over batches of rows; the result does not depend on it.
    watch : callable, optional
        ``watch(labels, values)`` once for each batch.

    Returns
    -------
    labels : ndarray, shape (n, s), int32
        In order of value, largest first; -1 in empty places.
    values : ndarray, shape (n, s), float32

    Raises
    ------
    ValueError
        Z has another width than m, or sparsity is out of range.

    Notes
    -----
    O(m L) an instance. The values are exact only where the columns are orthogonal; else each label hears all others,
    noise of variance about ||y||^2 / m.
    """
    check_rows(Z, A, sparsity, min(A.shape) if refit else A.shape[1])
    return decode_rows(partial(_correlate, A=A, sparsity=sparsity, refit=refit, watch=watch), Z, A, sparsity, n_jobs)


def _correlate(Z: np.ndarray, A: Measurement, sparsity: int, refit: bool, watch: Watch | None) -> Supports:
    of_z = A.correlate(Z)
    labels, values = largest(of_z, sparsity)
    if refit:
        values = least_squares(A, of_z, labels)
    if watch is not None:
        watch(labels, values)
    return labels, values


#: All decoders by their short names; each is called as ``decoder(Z, A, sparsity, **options)``.
DECODERS: dict[str, Callable[..., Supports]] = {
    "omp": orthogonal_matching_pursuit,
    "cosamp": cosamp,
    "iht": iterative_hard_thresholding,
    "fista": fista,
    "correlation": correlation,
}


@dataclass(frozen=True)
class RecoveryStep:
    """Where a decoder stands after a step.

    Parameters
    ----------
    labels : ndarray, shape (t,), int32
        The support, in the decoder's own order (for OMP that of selection).
    values : ndarray, shape (t,), float32
    residual : float
        ``||z - A y||``.
    """

    labels: np.ndarray
    values: np.ndarray
    residual: float


def recovery_trace(decoder: str, z: np.ndarray, A: Measurement, sparsity: int, **options: Any) -> list[RecoveryStep]:
    """Follow a decoder on one row, step by step.

    Parameters
    ----------
    decoder : str
        A key of ``DECODERS``.
    z : ndarray, shape (m,)
    A : Measurement, shape (m, L)
    sparsity : int
    **options
        Of the decoder.

    Returns
    -------
    list of RecoveryStep
        One a step; empty for z = 0 where a decoder takes none. A decoder's final cut or refit is not among them.

    Examples
    --------
    >>> from xmlwb.solvers.measurement import GaussianMeasurement
    >>> A = GaussianMeasurement(20, 50)
    >>> y = np.zeros(50); y[[3, 40]] = 1, 2
    >>> [(step.labels.tolist(), round(step.residual, 3)) for step in recovery_trace("omp", A.measure(y), A, 2)]
    [([40], 1.0...), ([40, 3], 0.0)]
    """
    if decoder not in DECODERS:
        raise ValueError(f"decoder is {decoder!r}; wanted one of {', '.join(map(repr, DECODERS))}")
    row = np.asarray(z, dtype=np.float32)[None, :]
    steps: list[RecoveryStep] = []

    def keep(labels: np.ndarray, values: np.ndarray) -> None:
        kept = labels[0] >= 0
        left = row - A.encode(as_csr(labels, values, A.shape[1]))
        steps.append(RecoveryStep(labels[0][kept], values[0][kept].astype(np.float32), float(np.linalg.norm(left))))

    DECODERS[decoder](row, A, sparsity, watch=keep, **options)
    return steps
