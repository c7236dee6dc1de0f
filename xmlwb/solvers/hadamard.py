"""The fast Walsh-Hadamard transform: multiply by a p x p matrix of +-1 in p log p additions, without storing it.

The matrix is Sylvester's, :math:`H_{2p} = [[H_p, H_p], [H_p, -H_p]]`, whose entry is
:math:`H_{ij} = (-1)^{\\text{number of common one bits of } i \\text{ and } j}`.
"""

from __future__ import annotations

import numpy as np
from numba import njit


def walsh_hadamard(V: np.ndarray) -> np.ndarray:
    """Multiply each row by the Hadamard matrix, in place.

    Parameters
    ----------
    V : ndarray, shape (n, p), float32 or float64, C-contiguous
        p a power of two. Overwritten.

    Returns
    -------
    ndarray, shape (n, p)
        V itself, now V H (H is symmetric, so that each row is ``H @ v``).

    Raises
    ------
    ValueError
        p is no power of two, or V is not two-dimensional, contiguous and of a floating type.

    Notes
    -----
    Time O(n p log p), no memory besides V.

    Examples
    --------
    >>> walsh_hadamard(np.array([[1.0, 0.0, 0.0, 2.0]]))
    array([[ 3., -1., -1.,  3.]])
    """
    if V.ndim != 2 or V.dtype not in (np.float32, np.float64) or not V.flags.c_contiguous:
        raise ValueError(f"V is {V.dtype} of shape {V.shape}; wanted a C-contiguous (n, p) array of float32 or float64")
    p = V.shape[1]
    if p < 1 or p & (p - 1):
        raise ValueError(f"V has {p} columns; wanted a power of two")
    _transform_rows(V)
    return V


def hadamard_entries(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The entries H[rows, columns], +1 or -1, of a Hadamard matrix of any order that holds them.

    Parameters
    ----------
    rows, columns : ndarray, shape (a,) and (b,), int64
        Non-negative.

    Returns
    -------
    ndarray, shape (a, b), float32

    Examples
    --------
    >>> hadamard_entries(np.array([0, 3]), np.arange(4))
    array([[ 1.,  1.,  1.,  1.],
           [ 1., -1., -1.,  1.]], dtype=float32)
    """
    return _entries(np.ascontiguousarray(rows, dtype=np.int64), np.ascontiguousarray(columns, dtype=np.int64))


def next_power_of_two(size: int) -> int:
    """The smallest power of two of at least ``size``.

    >>> [next_power_of_two(size) for size in (1, 2, 3, 983)]
    [1, 2, 4, 1024]
    """
    return 1 << max(0, size - 1).bit_length()


@njit(nogil=True, cache=True)
def _transform_rows(V: np.ndarray) -> None:
    n, p = V.shape
    for i in range(n):
        row = V[i]
        half = 1
        if p >= 4:  # the first two levels in one pass: too short for the vector loop below
            for j in range(0, p, 4):
                a, b = row[j] + row[j + 1], row[j] - row[j + 1]
                c, d = row[j + 2] + row[j + 3], row[j + 2] - row[j + 3]
                row[j], row[j + 1], row[j + 2], row[j + 3] = a + c, b + d, a - c, b - d
            half = 4
        while half < p:
            for begin in range(0, p, 2 * half):
                left, right = row[begin : begin + half], row[begin + half : begin + 2 * half]
                for j in range(half):
                    a, b = left[j], right[j]
                    left[j] = a + b
                    right[j] = a - b
            half *= 2


@njit(nogil=True, cache=True)
def _entries(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    entries = np.empty((len(rows), len(columns)), dtype=np.float32)
    for i in range(len(rows)):
        for j in range(len(columns)):
            common = rows[i] & columns[j]
            for shift in (32, 16, 8, 4, 2, 1):  # fold the bits together: the last one is their parity
                common ^= common >> shift
            entries[i, j] = 1 - 2 * (common & 1)
    return entries
