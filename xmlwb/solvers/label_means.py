"""Where an instance's labels lie: the direction of the mean of their vectors."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.solvers.sparse_dense import times_dense

#: A sum of label vectors shorter than this part of their lengths is rounding: the labels cancel out.
_ROUNDING = 1e-5
#: Instances at a time, where only something small is kept of each.
_BATCH = 1 << 13


def label_directions(Y: sparse.csr_array, V: np.ndarray, *, n_jobs: int | None = None) -> np.ndarray:
    r"""The mean of the labels' vectors, scaled to unit length.

    .. math:: f_y = \frac{V^\top y}{\lVert V^\top y \rVert}

    Parameters
    ----------
    Y : csr_array, shape (n, L), float32
        0/1.
    V : ndarray, shape (L, l), float32
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    ndarray, shape (n, l), float32
        0 for an instance without labels, or whose labels' vectors cancel out up to rounding: of whitened, thus centred,
        vectors the sum over all labels does.

    Notes
    -----
    Time O(nnz(Y) l).

    Examples
    --------
    >>> V = np.array([[3, 0], [0, 4], [-3, 0]], dtype=np.float32)
    >>> label_directions(sparse.csr_array(np.float32([[1, 1, 0], [0, 1, 0], [1, 0, 1]])), V)
    array([[0.6, 0.8],
           [0. , 1. ],
           [0. , 0. ]], dtype=float32)
    """
    sums = times_dense(Y, V, n_jobs=n_jobs)
    lengths = np.linalg.norm(sums, axis=1)
    points = lengths > _ROUNDING * (Y @ np.linalg.norm(V, axis=1))
    sums /= np.where(points, lengths, np.float32(1))[:, None]
    sums[~points] = 0
    return sums


def with_direction(Y: sparse.csr_array, V: np.ndarray) -> np.ndarray:
    """The rows of Y (n, L) whose labels have a direction, see `label_directions`; ascending, int64."""
    begins = range(0, Y.shape[0], _BATCH)
    parts = [label_directions(Y[begin : begin + _BATCH], V).any(axis=1) for begin in begins]
    return np.flatnonzero(np.concatenate(parts))
