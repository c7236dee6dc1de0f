"""What all sparse decoders share: batches of rows, supports of at most s labels, least squares on a support.

A batch of sparse vectors is a pair (labels, values) of shape (b, s): label -1 marks an empty place, whose value is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse
from threadpoolctl import ThreadpoolController

from xmlwb.solvers.measurement import Measurement

Supports = tuple[np.ndarray, np.ndarray]
#: ``watch(labels, values)`` after each step of a decoder, with the batch as it stands.
Watch = Callable[[np.ndarray, np.ndarray], None]

#: A column whose squared distance from the span of the others is below this share of its length counts as dependent.
DEPENDENT = 1e-5
#: Rows of a batch: as many as keep (rows, L) at about this many numbers, within the bounds below.
_BATCH_NUMBERS, _FEWEST_ROWS, _MOST_ROWS = 1 << 18, 16, 256
_BLAS = ThreadpoolController()


def decode_rows(
    decode_batch: Callable[[np.ndarray], Supports], Z: np.ndarray, A: Measurement, sparsity: int, n_jobs: int | None
) -> Supports:
    """Run a decoder over all rows, batch by batch, in threads; order each row by value, largest first.

    The batches do not depend on n_jobs, and so neither does the result. BLAS keeps to one thread meanwhile: the
    products of a batch are too small to share, and its threads would wait for one another by spinning.
    """
    Z = np.ascontiguousarray(Z, dtype=np.float32)
    rows = min(_MOST_ROWS, max(_FEWEST_ROWS, _BATCH_NUMBERS // A.shape[1]))
    labels = np.full((len(Z), sparsity), -1, dtype=np.int32)
    values = np.zeros((len(Z), sparsity), dtype=np.float32)

    def decode(begin: int) -> None:
        part = slice(begin, begin + rows)
        _order_by_value(*decode_batch(Z[part]), labels[part], values[part])

    with _BLAS.limit(limits=1, user_api="blas"), ThreadPoolExecutor(effective_n_jobs(n_jobs)) as pool:
        for _ in pool.map(decode, range(0, len(Z), rows)):
            pass  # map hands on what a thread raised
    return labels, values


def check_rows(Z: np.ndarray, A: Measurement, sparsity: int, most: int) -> None:
    """ValueError unless Z is (n, m) and 1 <= sparsity <= most."""
    m, L = A.shape
    if np.ndim(Z) != 2 or Z.shape[1] != m:
        raise ValueError(f"Z has shape {np.shape(Z)}; wanted (n, {m}), one column for each measurement")
    if not 1 <= sparsity <= most:
        raise ValueError(f"sparsity is {sparsity}; wanted 1 <= sparsity <= {most} ({m} measurements, {L} labels)")


def as_csr(labels: np.ndarray, values: np.ndarray, L: int) -> sparse.csr_array:
    """The batch as a sparse (b, L) float32 array, entries in the order of the batch."""
    kept = labels >= 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sparse.csr_array((values[kept].astype(np.float32), labels[kept], indptr), shape=(len(labels), L))


def gram_blocks(A: Measurement, labels: np.ndarray) -> np.ndarray:
    """The Gram entries of each row's support: labels (b, t) to (b, t, t) float32; empty places hold label 0's."""
    labels = np.maximum(labels, 0)
    if A.has_gram:
        return A.gram()[labels[:, :, None], labels[:, None, :]]
    atoms = np.ascontiguousarray(A.columns(labels.ravel()).T).reshape(*labels.shape, A.shape[0])
    return atoms @ atoms.transpose(0, 2, 1)


def least_squares(A: Measurement, C: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The least-squares values of z on each row's support, from its correlations.

    Parameters
    ----------
    A : Measurement
    C : ndarray, shape (b, L), float32
        A^T z of each row.
    labels : ndarray, shape (b, t), int32

    Returns
    -------
    ndarray, shape (b, t), float64
        0.0 in empty places, and for a column that depends on those before it.

    Notes
    -----
    Normal equations by Cholesky, O(t^3) a row.
    """
    values = np.zeros(labels.shape)
    _solve_blocks(gram_blocks(A, labels), C, labels, values)
    return values


def largest(V: np.ndarray, k: int) -> Supports:
    """The k entries of largest magnitude of each row of V (b, L) float32, largest first, ties by the lower label.

    Zeros (and NaN) are never taken: their places stay empty.
    """
    labels = np.full((len(V), k), -1, dtype=np.int32)
    values = np.zeros((len(V), k), dtype=np.float32)
    _largest(np.ascontiguousarray(V, dtype=np.float32), labels, values)
    return labels, values


@njit(nogil=True, cache=True)
def _largest(V: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    k = labels.shape[1]
    for i in range(V.shape[0]):
        smallest = np.float32(0)  # a place that is still empty holds 0
        for label in range(V.shape[1]):
            magnitude = abs(V[i, label])
            if magnitude > smallest:
                place = k - 1
                while place > 0 and magnitude > abs(values[i, place - 1]):
                    values[i, place] = values[i, place - 1]
                    labels[i, place] = labels[i, place - 1]
                    place -= 1
                values[i, place] = V[i, label]
                labels[i, place] = label
                smallest = abs(values[i, k - 1])


@njit(nogil=True, cache=True)
def _solve_blocks(blocks: np.ndarray, C: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    t = labels.shape[1]
    lower = np.zeros((t, t))
    for row in range(labels.shape[0]):
        for i in range(t):
            label = labels[row, i]
            for j in range(i):
                total = float(blocks[row, i, j])
                for q in range(j):
                    total -= lower[i, q] * lower[j, q]
                lower[i, j] = total / lower[j, j] if lower[j, j] > 0 else 0.0
            pivot = length = float(blocks[row, i, i])
            for q in range(i):
                pivot -= lower[i, q] * lower[i, q]
            if label < 0 or pivot <= DEPENDENT * length:
                lower[i, i] = 0.0  # left out of the system
                values[row, i] = 0.0
            else:
                lower[i, i] = np.sqrt(pivot)
                total = float(C[row, label])
                for q in range(i):
                    total -= lower[i, q] * values[row, q]
                values[row, i] = total / lower[i, i]
        for i in range(t - 1, -1, -1):
            if lower[i, i] > 0:
                total = values[row, i]
                for q in range(i + 1, t):
                    total -= lower[q, i] * values[row, q]
                values[row, i] = total / lower[i, i]


@njit(nogil=True, cache=True)
def _order_by_value(
    labels: np.ndarray, values: np.ndarray, ordered_labels: np.ndarray, ordered_values: np.ndarray
) -> None:
    """Sort each row by insertion, largest value first, ties by the lower label; leave out empty places and zeros."""
    for i in range(labels.shape[0]):
        size = 0
        for p in range(labels.shape[1]):
            label, value = labels[i, p], np.float32(values[i, p])
            if label < 0 or value == 0:
                continue
            place = size
            while place > 0 and (
                value > ordered_values[i, place - 1]
                or (value == ordered_values[i, place - 1] and label < ordered_labels[i, place - 1])
            ):
                ordered_values[i, place] = ordered_values[i, place - 1]
                ordered_labels[i, place] = ordered_labels[i, place - 1]
                place -= 1
            ordered_labels[i, place] = label
            ordered_values[i, place] = value
            size += 1
