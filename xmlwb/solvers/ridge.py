r"""Ridge regression on many targets at once: every linear label space ends in one.

.. math:: \min_{W, b} \; \lVert X W + \mathbf 1 b^\top - T \rVert_F^2 + \alpha \lVert W \rVert_F^2

The targets share the matrix, so they share the work: one Cholesky factor where d is small, and elsewhere conjugate
gradients (preconditioned by the diagonal where that is safe) that step all targets together, so that each pass over X
serves all of them. X is centred implicitly and stays sparse.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numba import njit
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from xmlwb.solvers.sparse_dense import times_dense, transposed

#: Up to this number of features the d x d Gram matrix is factored: 128 MiB, and about a second of work.
DIRECT_UP_TO = 4096
#: Below this share of the features' mean square a penalty is weak.
WEAK = 0.01
#: Rows that are made dense at a time while the Gram matrix of a dense-ish X is summed.
_GRAM_ROWS = 1024

#: ``on_step(step, last, residual) -> stop?``, after each conjugate-gradient step.
OnStep = Callable[[int, bool, float], bool]


class RidgeSystem:
    """The normal equations of one X and one alpha, solved for any number of targets.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    alpha : float
        Weight of the penalty, > 0. The intercept is not penalised.
    fit_intercept : bool, default True
    n_jobs : int or None
        Threads of the sparse products; the result does not depend on it.
    tol : float, default 3e-3
        Conjugate gradients end when no target's residual, preconditioned, is larger than this part of its first.
    max_iter : int, default 200
        Conjugate-gradient steps, at most.

    Attributes
    ----------
    direct : bool
        Whether the Gram matrix is factored (d <= `DIRECT_UP_TO`).
    n_iter : int
        Conjugate-gradient steps of the last `solve`; 0 with a factor.

    Raises
    ------
    ValueError
        In `solve`: alpha is too small for the features, which depend on each other.

    Notes
    -----
    Direct: O(nnz of X^T X + d^3) once, then O(d^2 m); 8 d^2 bytes. Iterative: O(nnz(X) m) a step; X once more, and
    four (d, m) arrays.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[0], [1], [2]], dtype=np.float32))
    >>> W, b = RidgeSystem(X, alpha=1e-6).solve(np.array([[1], [3], [5]]))
    >>> W.round(3), b.round(3)
    (array([[2.]], dtype=float32), array([1.], dtype=float32))
    """

    def __init__(
        self,
        X: sparse.csr_array,
        alpha: float,
        *,
        fit_intercept: bool = True,
        n_jobs: int | None = None,
        tol: float = 3e-3,
        max_iter: int = 200,
    ) -> None:
        self.X = X
        self.alpha = alpha
        self.n_jobs = n_jobs
        self.tol = tol
        self.max_iter = max_iter
        self.direct = X.shape[1] <= DIRECT_UP_TO
        self.n_iter = 0
        self.fit_intercept = fit_intercept
        # Summed in float64: a mean that is off in float32's last digit makes the centred Gram matrix indefinite.
        sums = np.bincount(X.indices, weights=X.data.astype(np.float64), minlength=X.shape[1])
        self.mean = sums / X.shape[0] if fit_intercept else np.zeros(X.shape[1])

    def solve(self, T: np.ndarray, *, on_step: OnStep | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The weights of all targets.

        Parameters
        ----------
        T : ndarray, shape (n, m)
        on_step : callable, optional
            ``on_step(step, last, residual)`` after each conjugate-gradient step, never with a factor; True ends the
            solve with the weights so far.

        Returns
        -------
        W : ndarray, shape (d, m), float32
        intercept : ndarray, shape (m,), float32
        """
        T = np.asarray(T, dtype=np.float32)
        T_mean = T.mean(axis=0, dtype=np.float64) if self.fit_intercept else np.zeros(T.shape[1])
        # X_c^T 1 = 0 would let T stay as it is; its mean is taken off for the sake of float32's digits.
        T = T - T_mean.astype(np.float32)
        W = self._solve_direct(T) if self.direct else self._solve_iterative(self._transposed_times(T), on_step)
        return W, (T_mean - self.mean @ W).astype(np.float32)

    def hat(self, T: np.ndarray) -> np.ndarray:
        """The fitted values of the targets, ``X W + b``: the hat matrix applied to T; shape (n, m), float32."""
        W, intercept = self.solve(T)
        return times_dense(self.X, W, n_jobs=self.n_jobs) + intercept

    @cached_property
    def _X_transposed(self) -> sparse.csr_array:
        return transposed(self.X)

    @cached_property
    def _factor(self) -> tuple[np.ndarray, bool]:
        gram = _gram(self.X)
        gram -= self.X.shape[0] * np.outer(self.mean, self.mean)
        gram[np.diag_indices_from(gram)] += self.alpha
        largest = float(gram.diagonal().max())
        try:
            return cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError as error:
            least = 10 * len(gram) * np.finfo(np.float64).eps * largest
            raise ValueError(
                f"alpha is {self.alpha}; wanted at least about {least:.1g}, or features that do not depend on each "
                f"other: rounding leaves the normal equations without a solution"
            ) from error

    def _transposed_times(self, A: np.ndarray) -> np.ndarray:
        """``X_c^T A`` for the centred X_c."""
        product = times_dense(self._X_transposed, A, n_jobs=self.n_jobs)
        product -= np.outer(self.mean, A.sum(axis=0, dtype=np.float64)).astype(np.float32)
        return product

    def _solve_direct(self, T: np.ndarray) -> np.ndarray:
        # In float64: what float32 rounds off lies outside the span of X's rows too, where only alpha divides it.
        right = _in_float64(self.X).T @ T - np.outer(self.mean, T.sum(axis=0, dtype=np.float64))
        return cho_solve(self._factor, right, check_finite=False).astype(np.float32)

    def _preconditioner(self) -> np.ndarray:
        """One over the diagonal of the normal matrix, shape (d,); ones where rows are few or the penalty is weak.

        Plain steps from 0 never leave the span of X's rows. Scaled ones do, and then only the penalty leads back.
        """
        n, d = self.X.shape
        squares = np.bincount(self.X.indices, weights=self.X.data.astype(np.float64) ** 2, minlength=d)
        squares = np.maximum(squares - n * self.mean**2, 0)
        if n < d or self.alpha < WEAK * squares.mean():
            return np.ones(d, dtype=np.float32)
        return (1 / (squares + self.alpha)).astype(np.float32)

    def _solve_iterative(self, right: np.ndarray, on_step: OnStep | None) -> np.ndarray:
        """Conjugate gradients, a step length for each target: `m` solves that share their passes over X."""
        mean, inverse = self.mean.astype(np.float32), self._preconditioner()

        def apply(P: np.ndarray) -> np.ndarray:
            centred = times_dense(self.X, P, n_jobs=self.n_jobs)
            centred -= mean @ P
            return self._transposed_times(centred)

        W, residual, P = np.zeros_like(right), right.copy(), np.zeros_like(right)
        nothing = np.zeros(right.shape[1], dtype=np.float32)
        products = _advance(W, residual, P, P, nothing, np.float32(self.alpha), inverse)
        goal = self.tol**2 * products
        started = products > 0
        ratios = nothing
        self.n_iter = 0
        while (products > goal).any() and self.n_iter < self.max_iter:
            _turn(P, residual, ratios, inverse)
            image = apply(P)
            curvature = _column_products(P, image) + self.alpha * _column_products(P, P)
            steps = _divided(products, curvature)
            previous = products
            products = _advance(W, residual, P, image, steps, np.float32(self.alpha), inverse)
            ratios = _divided(products, previous)
            self.n_iter += 1
            last = bool((products <= goal).all()) or self.n_iter == self.max_iter
            worst = self.tol * float(np.sqrt((products[started] / goal[started]).max()))
            if on_step is not None and on_step(self.n_iter, last, worst):
                break
        return W


def _gram(X: sparse.csr_array) -> np.ndarray:
    """X^T X, shape (d, d), float64."""
    n, d = X.shape
    if X.nnz < n * d / 10:
        X = _in_float64(X)
        return (X.T @ X).toarray()
    gram = np.zeros((d, d))
    for begin in range(0, n, _GRAM_ROWS):
        rows = X[begin : begin + _GRAM_ROWS].toarray().astype(np.float64)
        gram += rows.T @ rows
    return gram


def _in_float64(X: sparse.csr_array) -> sparse.csr_array:
    """X with values of its own in float64, and the same indices."""
    return sparse.csr_array((X.data.astype(np.float64), X.indices, X.indptr), shape=X.shape)


def _divided(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """float32, 0 where there is nothing to divide by: a target that is done, or was all zeros."""
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0).astype(np.float32)


def _column_products(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->j", A, B, dtype=np.float64)


@njit(nogil=True, cache=True)
def _advance(
    W: np.ndarray,
    residual: np.ndarray,
    P: np.ndarray,
    image: np.ndarray,
    steps: np.ndarray,
    alpha: np.float32,
    inverse: np.ndarray,
) -> np.ndarray:
    """Each target a step along its column of P, whose image is image + alpha P; the squares of what is left.

    One pass over arrays that do not fit into the cache, instead of one for each operation.
    """
    squares = np.zeros(W.shape[1])
    for j in range(W.shape[0]):
        for c in range(W.shape[1]):
            W[j, c] += steps[c] * P[j, c]
            left = residual[j, c] - steps[c] * (image[j, c] + alpha * P[j, c])
            residual[j, c] = left
            squares[c] += left * left * inverse[j]
    return squares


@njit(nogil=True, cache=True)
def _turn(P: np.ndarray, residual: np.ndarray, ratios: np.ndarray, inverse: np.ndarray) -> None:
    """The next directions: the preconditioned residuals plus a share of the last ones."""
    for j in range(P.shape[0]):
        for c in range(P.shape[1]):
            P[j, c] = ratios[c] * P[j, c] + inverse[j] * residual[j, c]
