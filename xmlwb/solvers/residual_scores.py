"""A classifier behind a residual layer, as prediction reads it: numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xmlwb.solvers.sampled_products import pair_scores
from xmlwb.solvers.topk import topk_dense


@dataclass(frozen=True)
class ResidualClassifier:
    r"""Scores :math:`w_l^\top (x + \mathrm{ReLU}(x R + r)) + b_l`.

    Parameters
    ----------
    R, r : ndarrays, shapes (D, D) and (D,), float32
    W, b : ndarrays, shapes (L, D) and (L,), float32
    """

    R: np.ndarray
    r: np.ndarray
    W: np.ndarray
    b: np.ndarray

    def scores(self, x: np.ndarray, labels: np.ndarray, *, n_threads: int = 1) -> np.ndarray:
        """Of the labels (n, k) of each row of x (n, D): (n, k) float32, -inf for a label of -1.

        >>> eye, zero = np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32)
        >>> ResidualClassifier(eye, zero, eye, zero + 1).scores(np.float32([[1, -1]]), np.array([[0, 1, -1]]))
        array([[  3.,   0., -inf]], dtype=float32)
        """
        z = pair_scores(transfer(x, self.R, self.r), self.W, labels, n_threads=n_threads)
        z += self.b[labels]
        z[labels < 0] = -np.inf
        return z


def transfer(x: np.ndarray, R: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """x + ReLU(x R + bias), (n, D) float32: the layer of `SpectralResidual.weights`.

    >>> transfer(np.float32([[1, -1]]), np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32)).tolist()
    [[2.0, -1.0]]
    """
    moved = x @ R
    moved += bias
    np.maximum(moved, 0, out=moved)
    moved += x
    return moved


def best_places(scores: np.ndarray, k: int) -> np.ndarray:
    """Places of the k largest of each row, best first, ties by the place; -1 where fewer are above -inf.

    >>> best_places(np.float32([[1, 3, 2], [5, -np.inf, -np.inf]]), 2).tolist()
    [[1, 2], [0, -1]]
    """
    return topk_dense(scores, min(k, scores.shape[1]))[0]


def at_places(values: np.ndarray, places: np.ndarray, empty: float) -> np.ndarray:
    """The values (n, m) at some places (n, k) of each row, `empty` for a place of -1."""
    taken = np.take_along_axis(values, np.maximum(places, 0), axis=1)
    taken[places < 0] = empty
    return taken


def sigmoid(z: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-z), 0 for -inf."""
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-z))
