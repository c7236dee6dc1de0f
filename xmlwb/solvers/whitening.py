"""Vectors whose directions all weigh the same."""

from __future__ import annotations

import numpy as np


def whiten(V: np.ndarray) -> np.ndarray:
    r"""Centre the rows of V and turn their covariance into the identity, with as little change as can be.

    .. math:: (V - \bar v) \Sigma^{-1/2}, \qquad \Sigma = \frac{1}{m} (V - \bar v)^\top (V - \bar v)

    over the m rows that are not 0; the others stay 0.

    Parameters
    ----------
    V : ndarray, shape (L, l), float32

    Returns
    -------
    ndarray, shape (L, l), float32
        Directions in which the rows do not differ stay 0.

    Notes
    -----
    Time O(L l^2 + l^3).

    Where L <= l + 1, m = L rows in general position come out as the corners of a regular simplex: their Gram matrix is
    L (I - 1 1^T / L), any two rows have the cosine -1 / (L - 1). Nothing is left of which rows were close to each
    other, and directions of mere noise are as long as the others. What is left for a larger L grows with L / l.

    Examples
    --------
    >>> V = np.array([[9, 1], [9, -1], [7, 1], [7, -1], [0, 0]], dtype=np.float32)
    >>> whiten(V * np.float32([1, 5]))
    array([[ 1.,  1.],
           [ 1., -1.],
           [-1.,  1.],
           [-1., -1.],
           [ 0.,  0.]], dtype=float32)
    """
    known = V.any(axis=1)
    rows = V[known].astype(np.float64)
    if not len(rows):
        return V.copy()
    rows -= rows.mean(axis=0)
    variances, directions = np.linalg.eigh(rows.T @ rows / len(rows))
    kept = variances > 1e-10 * variances[-1]  # float32 leaves noise of about 1e-14 where there is nothing
    scale = np.zeros_like(variances)
    scale[kept] = variances[kept] ** -0.5
    white = np.zeros_like(V)
    white[known] = rows @ (directions * scale) @ directions.T
    return white
