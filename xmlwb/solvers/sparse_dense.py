"""Sparse times dense: the product that every method with a compressed label space spends its time in.

scipy's own runs on one core. Here the rows are shared out among threads, each row is summed by one of them in the order
of its entries, so that the result does not depend on their number.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

#: Below this number of multiplications a second thread costs more than it brings.
_SERIAL_BELOW = 1 << 18


def times_dense(
    X: sparse.csr_array, B: np.ndarray, *, n_jobs: int | None = None, out: np.ndarray | None = None
) -> np.ndarray:
    """``X @ B``.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    B : ndarray, shape (d, m), float32
    n_jobs : int or None
        Threads; the result does not depend on it. None: one, unless a ``joblib.parallel_config`` says more.
    out : ndarray, shape (n, m), float32, optional
        Where the product goes; a new array if not given.

    Returns
    -------
    ndarray, shape (n, m), float32

    Raises
    ------
    ValueError
        The shapes do not fit together.

    Notes
    -----
    Time O(nnz(X) m); no memory beyond the result.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[0, 2], [1, 0]], dtype=np.float32))
    >>> times_dense(X, np.array([[1, 2], [3, 4]], dtype=np.float32))
    array([[6., 8.],
           [1., 2.]], dtype=float32)
    """
    if B.ndim != 2 or X.shape[1] != B.shape[0]:  # the kernel below does not look
        raise ValueError(f"X and B have shapes {X.shape} and {B.shape}, which do not fit together")
    shape = (X.shape[0], B.shape[1])
    if out is not None and out.shape != shape:
        raise ValueError(f"out has shape {out.shape}; wanted {shape}")
    B = np.ascontiguousarray(B, dtype=np.float32)
    product = np.empty(shape, dtype=np.float32) if out is None else out

    def compute(begin: int, end: int) -> None:
        _rows_times_dense(X.indptr, X.indices, X.data, B, begin, end, product)

    in_parts(compute, X.indptr, threads_for(X.nnz * B.shape[1], n_jobs))
    return product


def transposed(X: sparse.csr_array) -> sparse.csr_array:
    """X^T with its rows stored one after the other, so that `times_dense` serves ``X.T @ A`` too.

    Takes as much memory as X, once; the product over the columns of X would need a lock or a copy for each thread.
    """
    return sparse.csr_array(X.T)


def threads_for(n_multiplications: int, n_jobs: int | None) -> int:
    """As many threads as `n_jobs` allows, or one where a second costs more than it brings."""
    return effective_n_jobs(n_jobs) if n_multiplications > _SERIAL_BELOW else 1


def in_parts(compute: Callable[[int, int], None], indptr: np.ndarray, n_threads: int) -> None:
    """Call ``compute(begin, end)`` for consecutive rows of a CSR matrix, in threads, about as many entries in each."""
    if n_threads == 1:
        compute(0, len(indptr) - 1)
        return
    cuts = np.searchsorted(indptr, np.linspace(0, indptr[-1], 4 * n_threads + 1)[1:-1])
    with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms, longer than this takes
        for _ in pool.map(compute, [0, *cuts], [*cuts, len(indptr) - 1]):
            pass  # asks for the results, so that an error in a thread is raised here


@njit(nogil=True, cache=True)
def _rows_times_dense(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    B: np.ndarray,
    begin: int,
    end: int,
    out: np.ndarray,
) -> None:
    n_columns = B.shape[1]
    total = np.empty(n_columns, dtype=np.float32)
    for i in range(begin, end):
        total[:] = 0
        for p in range(indptr[i], indptr[i + 1]):
            j, value = np.uint64(indices[p]), data[p]  # unsigned: no test for a negative index
            for column in range(n_columns):
                total[column] += value * B[j, column]
        out[i] = total
