r"""Half a round of alternating minimisation: one factor moves, the other holds still.

.. math:: \min_F \; \ell(M F, H) + \frac{\alpha}{2} \lVert F \rVert_F^2

for a loss of `xmlwb.solvers.factored_loss` and a linear map M: the features when the weights move (F = W, M F = X W),
nothing at all when the label embeddings do.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.factored_loss import FactoredLoss, LinearOperator, inner
from xmlwb.solvers.sparse_dense import times_dense, transposed

#: A direction is halved at most this often; then the factor stays where it is.
_HALVINGS = 12
#: Conjugate gradients end when the residual has fallen to this part of the gradient.
_TOLERANCE = 1e-3


class LinearMap(Protocol):
    """M of the half step: from (d, k) to (n, k) and back."""

    #: The diagonal of M^T M, shape (d,), float32.
    squares: np.ndarray

    def times(self, F: np.ndarray) -> np.ndarray:
        """M F."""

    def transposed_times(self, A: np.ndarray) -> np.ndarray:
        """M^T A, a new array."""


class Identity:
    """The map that does nothing, for a factor that is itself what the loss sees."""

    def __init__(self, n: int) -> None:
        self.squares = np.ones(n, dtype=np.float32)

    def times(self, F: np.ndarray) -> np.ndarray:
        return F

    def transposed_times(self, A: np.ndarray) -> np.ndarray:
        return A.copy()


class Features:
    """Multiplication with ``[X, 1]``: the features and a constant one; X stays sparse, and is stored once more."""

    def __init__(self, X: sparse.csr_array, n_jobs: int | None = None) -> None:
        self._X, self._X_transposed, self._n_jobs = X, transposed(X), n_jobs
        self.n_weights = X.shape[1] + 1
        squares = np.bincount(X.indices, weights=X.data.astype(np.float64) ** 2, minlength=X.shape[1])
        self.squares = np.append(squares, X.shape[0]).astype(np.float32)

    def times(self, F: np.ndarray) -> np.ndarray:
        product = times_dense(self._X, F[:-1], n_jobs=self._n_jobs)
        product += F[-1]
        return product

    def transposed_times(self, A: np.ndarray) -> np.ndarray:
        product = np.empty((self.n_weights, A.shape[1]), dtype=np.float32)
        times_dense(self._X_transposed, A, n_jobs=self._n_jobs, out=product[:-1])
        product[-1] = A.sum(axis=0, dtype=np.float64)
        return product


class Moved(NamedTuple):
    """A factor after its half step."""

    factor: np.ndarray  # (d, k)
    image: np.ndarray  # (n, k), M times it
    loss: float


def half_step(
    loss: FactoredLoss,
    linear_map: LinearMap,
    F: np.ndarray,
    A: np.ndarray,
    H: np.ndarray,
    *,
    alpha: float,
    cg_steps: int,
) -> Moved:
    """One truncated Newton step with backtracking: the objective never rises.

    Parameters
    ----------
    loss : FactoredLoss
        As a function of ``M F``.
    linear_map : LinearMap
        M.
    F : ndarray, shape (d, k), float32
        Where the moving factor stands.
    A : ndarray, shape (n, k), float32
        M F.
    H : ndarray, shape (L, k), float32
        The factor that holds still. The nearer H^T H is to diagonal, the sharper the preconditioner.
    alpha : float
        Weight of the penalty.
    cg_steps : int
        Conjugate-gradient steps for the direction, at most.

    Notes
    -----
    The preconditioner is the diagonal of the Hessian, with the loss's largest curvature in every place. Costs
    `cg_steps` products with M, one more with M^T, and as many as the former with the curvature.
    """
    of_codes = loss.given(H)
    loss_before, slope_of_codes = of_codes.value_and_gradient(A)
    gradient = linear_map.transposed_times(slope_of_codes)
    gradient += np.float32(alpha) * F
    spread = loss.curvature_bound * np.einsum("ij,ij->j", H, H)
    curvature = of_codes.curvature(A)
    D, MD = _newton_direction(linear_map, curvature, gradient, np.zeros_like(A), spread, np.float32(alpha), cg_steps)
    before, slope = loss_before + penalty(F, alpha), inner(gradient, D)
    for halving in range(_HALVINGS):
        t = np.float32(0.5**halving)
        factor, image = F + t * D, A + t * MD
        loss_after = of_codes.value(image)
        if loss_after + penalty(factor, alpha) <= before + 1e-4 * t * slope:
            return Moved(factor, image, loss_after)
    return Moved(F, A, loss_before)


def penalty(F: np.ndarray, alpha: float) -> float:
    """``alpha / 2 ||F||_F^2``."""
    return alpha / 2 * inner(F, F)


def _newton_direction(
    linear_map: LinearMap,
    curvature: LinearOperator,
    gradient: np.ndarray,
    MD: np.ndarray,
    spread: np.ndarray,
    alpha: np.float32,
    cg_steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Preconditioned conjugate gradients on ``Hessian D = -gradient``; D and M D, the latter in place of zeros.

    The preconditioner is ``linear_map.squares[j] * spread[c] + alpha``, never stored.
    """
    squares = linear_map.squares
    D, residual, P = np.zeros_like(gradient), -gradient, np.zeros_like(gradient)
    product = first = _advance(D, residual, P, P, np.float32(0), squares, spread, alpha)
    ratio = np.float32(0)
    for _ in range(cg_steps):
        if product <= _TOLERANCE**2 * first:
            break
        _turn(P, residual, ratio, squares, spread, alpha)
        MP = linear_map.times(P)
        image = linear_map.transposed_times(curvature(MP))
        step = np.float32(product / (inner(P, image) + alpha * inner(P, P)))
        previous, product = product, _advance(D, residual, P, image, step, squares, spread, alpha)
        MD += step * MP
        ratio = np.float32(product / previous)
    return D, MD


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract", "arcp"})
def _advance(
    D: np.ndarray,
    residual: np.ndarray,
    P: np.ndarray,
    image: np.ndarray,
    step: np.float32,
    squares: np.ndarray,
    spread: np.ndarray,
    alpha: np.float32,
) -> float:
    """A step along P, whose image under the Hessian is image + alpha P; the preconditioned residual's square.

    One pass over arrays that do not fit into the cache, instead of one for each operation.
    """
    total = 0.0
    for j in range(D.shape[0]):
        of_row = 0.0
        for c in range(D.shape[1]):
            D[j, c] += step * P[j, c]
            left = residual[j, c] - step * (image[j, c] + alpha * P[j, c])
            residual[j, c] = left
            of_row += left * left / (squares[j] * spread[c] + alpha)
        total += of_row
    return total


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract", "arcp"})
def _turn(
    P: np.ndarray,
    residual: np.ndarray,
    ratio: np.float32,
    squares: np.ndarray,
    spread: np.ndarray,
    alpha: np.float32,
) -> None:
    """The next direction: the preconditioned residual plus `ratio` times the last one."""
    for j in range(P.shape[0]):
        for c in range(P.shape[1]):
            P[j, c] = ratio * P[j, c] + residual[j, c] / (squares[j] * spread[c] + alpha)
