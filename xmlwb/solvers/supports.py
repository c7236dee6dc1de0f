"""What all sparse decoders share: batches of rows, supports of at most s labels, least squares on a support.

A batch of sparse vectors is a pair (labels, values) of shape (b, s): label -1 marks an empty place, whose value is 0.
"""

from __future__ import annotations

import threading
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
#: Labels whose largest magnitude is looked up together; only a block that holds a candidate is looked at one by one.
BLOCK = 64
#: Rows of a batch: as many as keep (rows, L) at about this many numbers, within the bounds below.
_BATCH_NUMBERS, _FEWEST_ROWS, _MOST_ROWS = 1 << 18, 16, 256


class _OneBlasThread:
    """Holds BLAS to one thread. The limit is the process's: of uses that overlap the first sets it, the last lifts it.

    Both happen in one thread of their own: since threadpoolctl 3.8 only the thread that set a limit can lift it, and
    the first use need not end last.
    """

    def __init__(self) -> None:
        self._blas = ThreadpoolController()
        self._lock = threading.Lock()
        self._users = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._users == 0:
                self._setter = ThreadPoolExecutor(1)
                self._limit = self._setter.submit(self._blas.limit, limits=1, user_api="blas").result()
                self._setter.submit(self._limit.__enter__).result()
            self._users += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._setter.submit(self._limit.__exit__, None, None, None).result()
                self._setter.shutdown()


_ONE_BLAS_THREAD = _OneBlasThread()


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

    with _ONE_BLAS_THREAD, ThreadPoolExecutor(effective_n_jobs(n_jobs)) as pool:
        for _ in pool.map(decode, range(0, len(Z), rows)):
            pass  # map hands on what a thread raised
    return labels, values


def check_rows(Z: np.ndarray, A: Measurement, sparsity: int, most: int) -> None:
    """ValueError unless Z is (n, m) and finite and 1 <= sparsity <= most."""
    m, L = A.shape
    if np.ndim(Z) != 2 or Z.shape[1] != m:
        raise ValueError(f"Z has shape {np.shape(Z)}; wanted (n, {m}), one column for each measurement")
    if not np.isfinite(Z).all():
        raise ValueError("Z contains NaN or infinity")
    if not 1 <= sparsity <= most:
        raise ValueError(f"sparsity is {sparsity}; wanted 1 <= sparsity <= {most} ({m} measurements, {L} labels)")


def as_csr(labels: np.ndarray, values: np.ndarray, L: int) -> sparse.csr_array:
    """The batch as a sparse (b, L) float32 array, entries in the order of the batch."""
    kept = labels >= 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return sparse.csr_array((values[kept].astype(np.float32), labels[kept], indptr), shape=(len(labels), L))


def gram_blocks(A: Measurement, labels: np.ndarray) -> np.ndarray:
    """The Gram entries of each row's support: labels (b, t) to (b, t, t) float32; empty places hold label 0's."""
    columns = A.columns(np.maximum(labels, 0).ravel())
    atoms = np.ascontiguousarray(columns.T).reshape(*labels.shape, A.shape[0])
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
    if A.has_gram:
        _solve_with_gram(A.gram(), C, labels, values)
    else:
        _solve_with_blocks(gram_blocks(A, labels), C, labels, values)
    return values


def largest(V: np.ndarray, k: int) -> Supports:
    """The k entries of largest magnitude of each row of V (b, L) float32, largest first, ties by the lower label.

    V is finite. Zeros are never taken: their places stay empty.
    """
    labels = np.full((len(V), k), -1, dtype=np.int32)
    values = np.zeros((len(V), k), dtype=np.float32)
    _largest(np.ascontiguousarray(V, dtype=np.float32), labels, values)
    return labels, values


@njit(nogil=True, cache=True, fastmath={"nnan", "nsz"})
def largest_magnitude(row: np.ndarray) -> np.float32:
    """The largest magnitude of finite entries, 0 for none; in this form LLVM may use vector registers."""
    highest = np.float32(0)
    for j in range(len(row)):
        highest = max(highest, abs(row[j]))
    return highest


@njit(nogil=True, cache=True)
def _largest(V: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    k, n_labels = labels.shape[1], V.shape[1]
    for i in range(V.shape[0]):
        smallest = np.float32(0)  # a place that is still empty holds 0
        for begin in range(0, n_labels, BLOCK):
            end = min(begin + BLOCK, n_labels)
            if largest_magnitude(V[i, begin:end]) <= smallest:
                continue
            for label in range(begin, end):
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
def _solve_with_gram(gram: np.ndarray, C: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    t = labels.shape[1]
    block = np.empty((t, t), dtype=np.float32)
    for row in range(labels.shape[0]):
        for i in range(t):
            entries = gram[max(labels[row, i], 0)]
            for j in range(i + 1):
                block[i, j] = entries[max(labels[row, j], 0)]
        _solve(block, C[row], labels[row], values[row])


@njit(nogil=True, cache=True)
def _solve_with_blocks(blocks: np.ndarray, C: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    for row in range(labels.shape[0]):
        _solve(blocks[row], C[row], labels[row], values[row])


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = 0.0
    for q in range(len(a)):
        total += a[q] * b[q]
    return total


@njit(nogil=True, cache=True)
def _solve(block: np.ndarray, of_z: np.ndarray, labels: np.ndarray, values: np.ndarray) -> None:
    """Cholesky of the block's lower half, empty places and dependent columns left out; values are overwritten."""
    t = len(labels)
    lower = np.zeros((t, t))
    for i in range(t):
        values[i] = 0.0
        length = float(block[i, i])
        if labels[i] < 0:
            continue
        for j in range(i):
            if lower[j, j] > 0:
                lower[i, j] = (float(block[i, j]) - _dot(lower[i, :j], lower[j, :j])) / lower[j, j]
        pivot = length - _dot(lower[i, :i], lower[i, :i])
        if pivot <= DEPENDENT * length:
            lower[i, :] = 0.0
            continue
        lower[i, i] = np.sqrt(pivot)
        values[i] = (float(of_z[labels[i]]) - _dot(lower[i, :i], values[:i])) / lower[i, i]
    for i in range(t - 1, -1, -1):
        if lower[i, i] > 0:
            values[i] /= lower[i, i]
            for q in range(i):  # by rows of the factor: its columns lie far apart
                values[q] -= lower[i, q] * values[i]


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
