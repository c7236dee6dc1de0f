r"""Stochastic gradient descent on the WARP loss of a joint embedding of instances and labels.

The loss of Weston, Bengio and Usunier (IJCAI 2011) for an instance with the positive labels :math:`y` and the scores
:math:`f_l = z^\top h_l`, :math:`z = W^\top x`, is

.. math:: \sum_{p \in y} \Lambda(\operatorname{rank}_p) \, \max(0,\, 1 - f_p + f_q), \qquad
          \Lambda(r) = \sum_{j=1}^{r} \tfrac1j

where :math:`q` is drawn at random from the labels that are not in :math:`y` until one violates the margin
(:math:`f_q > f_p - 1`), and the rank is estimated from the number N of draws that this took: floor(negatives / N).

All positives of an instance are treated at the same parameters, so that its embedding, and the score of a label that is
drawn more than once, are computed once. A step then is the gradient of the instance's whole loss:
:math:`-\sum_l c_l h_l` for z and :math:`-c_l z` for :math:`h_l`, with :math:`c_l` the sum of the weights
:math:`\Lambda` with which label l was to rise, less those with which it was to fall.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.xorshift import advance, below, shuffle

#: Added to the sums of squared gradients; no more than what keeps the first step finite.
TINY = 1e-12


def rank_weights(n: int) -> np.ndarray:
    """Lambda(r) = 1 + 1/2 + ... + 1/r for r = 0..n, float32, shape (n + 1,).

    >>> rank_weights(3).round(3).tolist()
    [0.0, 1.0, 1.5, 1.8329999446868896]
    """
    return np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, n + 1))]).astype(np.float32)


class WarpDescent:
    """The state of a descent, a pass over the instances at a time.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
        Stored entries are the positives.
    W : ndarray, shape (d + 1, m), float32, C-contiguous
        The last row is that of the constant feature.
    H : ndarray, shape (L, m), float32, C-contiguous
        The start; both are changed in place.
    constant : float
        Value of the constant feature that every instance gets; 0 for none.
    max_norm : float
        No row of W or H is longer. A row that is, at the start, is only shortened when a step touches it.
    max_draws : int
        Draws for one positive, at most; where all of them fail, the positive counts as ranked first.
    seed : int
        Of the order of the instances and of the draws.

    Raises
    ------
    ValueError
        The shapes do not fit together.

    Notes
    -----
    Only labels that have a positive are drawn. An instance that has all of these, or none, takes no step.

    Each row of W and H has a step size of its own, the learning rate over the root of the sum of the squared lengths
    of its gradients so far: AdaGrad with one number a row, which depends neither on the choice of axes in the embedding
    space nor, much, on its dimension. The learning rate thus is the length of the first step.

    A pass takes O(m (nnz(X) + draws)), and for each instance at most L scores are computed; memory besides W and H
    is at most 4 (d + 8 L) + 8 n bytes: step sizes of the rows, seven notes for each label, the order of the instances.
    """

    def __init__(
        self,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        W: np.ndarray,
        H: np.ndarray,
        *,
        constant: float,
        max_norm: float,
        max_draws: int,
        seed: int,
    ) -> None:
        shapes = (X.shape, Y.shape, W.shape, H.shape)
        if X.shape[0] != Y.shape[0] or X.shape[1] + 1 != len(W) or Y.shape[1] != len(H) or W.shape[1] != H.shape[1]:
            raise ValueError("X, Y, W and H have shapes {}, {}, {} and {}, which do not fit together".format(*shapes))
        self._X, self._Y, self._W, self._H = X, Y, W, H
        self._labels = np.unique(Y.indices).astype(np.int32)
        self._rank_weights = rank_weights(len(self._labels))
        self._constant, self._max_norm, self._max_draws = np.float32(constant), np.float32(max_norm), max_draws
        self._squares_W = np.zeros(len(W), dtype=np.float32)
        self._squares_H = np.zeros(len(H), dtype=np.float32)
        self._order = np.arange(X.shape[0])
        mixed = (seed * 2685821657736338717 + 88172645463325252) % 2**64
        self._random = np.uint64(mixed or 1)  # a generator that is at 0 stays there

    def run_epoch(self, learning_rate: float, last_rate: float) -> tuple[float, float]:
        """One pass over all instances in a new random order.

        Parameters
        ----------
        learning_rate, last_rate : float
            The learning rate at the first instance, and at the one that would follow the last; linear in between.

        Returns
        -------
        loss : float
            Mean over the positives of the sampled loss, met before the step that it led to.
        rank : float
            Mean of the estimated ranks: how many labels that are not positives violate the margin.
        """
        loss, rank, n_positives, random = _descend(
            self._X.indptr, self._X.indices, self._X.data, self._Y.indptr, self._Y.indices, self._order, self._labels,
            self._rank_weights, self._W, self._H, self._squares_W, self._squares_H,
            learning_rate, last_rate, self._constant, self._max_norm, self._max_draws, self._random,
        )  # fmt: skip
        self._random = np.uint64(random)
        return loss / max(n_positives, 1), rank / max(n_positives, 1)


@njit(nogil=True, fastmath=True, cache=True)
def _descend(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    Y_indptr: np.ndarray,
    Y_indices: np.ndarray,
    order: np.ndarray,
    labels: np.ndarray,
    rank_weights: np.ndarray,
    W: np.ndarray,
    H: np.ndarray,
    squares_W: np.ndarray,
    squares_H: np.ndarray,
    learning_rate: float,
    last_rate: float,
    constant: np.float32,
    max_norm: np.float32,
    max_draws: int,
    random: np.uint64,
) -> tuple[float, float, int, np.uint64]:
    n, m, L = len(order), W.shape[1], len(H)
    z = np.empty(m, dtype=np.float32)
    g = np.empty(m, dtype=np.float32)
    scores = np.empty(L, dtype=np.float32)
    scored_at = np.full(L, -1, dtype=np.int32)  # the step at which a label's score was computed
    positive_at = np.full(L, -1, dtype=np.int32)
    c = np.zeros(L, dtype=np.float32)
    moved = np.empty(L, dtype=np.int32)
    loss, rank_sum, n_positives = 0.0, 0.0, 0
    random = shuffle(order, n, random)
    for step in range(n):
        i = order[step]
        positives = Y_indices[Y_indptr[i] : Y_indptr[i + 1]]
        n_negatives = len(labels) - len(positives)
        n_positives += len(positives)
        if len(positives) == 0 or n_negatives == 0:
            continue
        begin, end = X_indptr[i], X_indptr[i + 1]
        for t in range(m):
            z[t] = constant * W[-1, t]
        for p in range(begin, end):
            _add(z, W[X_indices[p]], X_data[p])
        for p in positives:
            positive_at[p] = step
            scored_at[p] = step
            scores[p] = _dot(z, H[p])
        n_moved = 0
        for p in positives:
            for draw in range(1, min(n_negatives, max_draws) + 1):
                q = p
                while positive_at[q] == step:
                    random = advance(random)
                    q = labels[below(len(labels), random)]
                if scored_at[q] != step:
                    scored_at[q] = step
                    scores[q] = _dot(z, H[q])
                violation = np.float32(1.0) - scores[p] + scores[q]
                if violation > 0:
                    rank = n_negatives // draw
                    weight = rank_weights[rank]
                    loss += weight * violation
                    rank_sum += rank
                    for label, sign in ((p, np.float32(1.0)), (q, np.float32(-1.0))):
                        if c[label] == 0:
                            moved[n_moved] = label
                            n_moved += 1
                        c[label] += sign * weight
                    break
        if n_moved == 0:
            continue
        rate = np.float32(learning_rate + (last_rate - learning_rate) * step / n)
        g[:] = 0
        z_square = _dot(z, z)
        for s in range(n_moved):
            label = moved[s]
            _add(g, H[label], c[label])
            _move(H, squares_H, label, z, c[label], z_square, rate, max_norm)
            c[label] = 0
        g_square = _dot(g, g)
        for p in range(begin, end):
            j, x = X_indices[p], X_data[p]
            _move(W, squares_W, j, g, x, g_square, rate, max_norm)
        if constant != 0:
            _move(W, squares_W, len(W) - 1, g, constant, g_square, rate, max_norm)
    return loss, rank_sum, n_positives, random


@njit(nogil=True, fastmath=True, cache=True, inline="always")
def _dot(a: np.ndarray, b: np.ndarray) -> np.float32:
    total = np.float32(0.0)
    for t in range(len(a)):
        total += a[t] * b[t]
    return total


@njit(nogil=True, fastmath=True, cache=True, inline="always")
def _add(a: np.ndarray, b: np.ndarray, factor: np.float32) -> None:
    for t in range(len(a)):
        a[t] += factor * b[t]


@njit(nogil=True, fastmath=True, cache=True, inline="always")
def _move(
    rows: np.ndarray,
    squares: np.ndarray,
    r: int,
    direction: np.ndarray,
    factor: np.float32,
    square_length: np.float32,
    rate: np.float32,
    max_norm: np.float32,
) -> None:
    """AdaGrad's step of one row against its gradient, -factor * direction, and back onto the ball.

    A row that no step touches stays in the ball, so that looking at the touched ones is enough.
    """
    row = rows[r]
    squares[r] += factor * factor * square_length
    _add(row, direction, factor * rate / np.sqrt(squares[r] + np.float32(TINY)))
    square = _dot(row, row)
    if square > max_norm * max_norm:
        factor = max_norm / np.sqrt(square)
        for t in range(len(row)):
            row[t] *= factor
