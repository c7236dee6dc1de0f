r"""Half a round of alternating minimisation: one factor moves, the other holds still.

.. math:: \min_F \; \ell(M F, H) + \frac{\alpha}{2} \lVert F \rVert_F^2

for a loss of `xmlwb.solvers.factored_loss` and a linear map M: the features when the weights move (F = W, M F = X W),
nothing at all when the label embeddings do.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from scipy import sparse

from xmlwb.solvers.factored_loss import FactoredLoss, LinearOperator
from xmlwb.solvers.sparse_dense import times_dense, transposed

#: A direction is halved at most this often; then the factor stays where it is.
_HALVINGS = 12
#: Conjugate gradients end when the residual has fallen to this part of the gradient.
_TOLERANCE = 1e-3


class LinearMap(Protocol):
    """M of the half step: from (d, k) to (n, k) and back."""

    @property
    def squares(self) -> np.ndarray:
        """The diagonal of M^T M, shape (d,)."""

    def times(self, F: np.ndarray) -> np.ndarray:
        """M F."""

    def transposed_times(self, A: np.ndarray) -> np.ndarray:
        """M^T A."""


class Identity:
    """The map that does nothing, for a factor that is itself what the loss sees."""

    def __init__(self, n: int) -> None:
        self.squares = np.ones(n, dtype=np.float32)

    def times(self, F: np.ndarray) -> np.ndarray:
        return F

    def transposed_times(self, A: np.ndarray) -> np.ndarray:
        return A


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
        product = times_dense(self._X_transposed, A, n_jobs=self._n_jobs)
        return np.vstack([product, A.sum(axis=0, dtype=np.float64).astype(np.float32)])


class Moved(NamedTuple):
    """A factor after its half step, and what the loss sees of it."""

    factor: np.ndarray  # (d, k)
    image: np.ndarray  # (n, k)


def half_step(
    loss: FactoredLoss, linear_map: LinearMap, F: np.ndarray, H: np.ndarray, *, alpha: float, cg_steps: int
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
    H : ndarray, shape (L, k), float32
        The factor that holds still. The nearer H^T H is to diagonal, the sharper the preconditioner.
    alpha : float
        Weight of the penalty.
    cg_steps : int
        Conjugate-gradient steps for the direction, at most.

    Notes
    -----
    The preconditioner is the diagonal of the Hessian with the loss's largest curvature in every place. Costs
    `cg_steps` + 1 products with M and M^T and as many with the curvature.
    """
    A = linear_map.times(F)
    gradient = linear_map.transposed_times(loss.gradient(A, H)) + np.float32(alpha) * F
    curvature = loss.curvature(A, H)
    diagonal = loss.curvature_bound * np.outer(linear_map.squares, np.einsum("ij,ij->j", H, H)) + np.float32(alpha)
    D, MD = _newton_direction(linear_map, curvature, gradient, diagonal, np.float32(alpha), cg_steps)
    before = loss.value(A, H) + penalty(F, alpha)
    slope = _inner(gradient, D)
    for halving in range(_HALVINGS):
        t = 0.5**halving
        factor, image = F + np.float32(t) * D, A + np.float32(t) * MD
        if loss.value(image, H) + penalty(factor, alpha) <= before + 1e-4 * t * slope:
            return Moved(factor, image)
    return Moved(F, A)


def penalty(F: np.ndarray, alpha: float) -> float:
    """``alpha / 2 ||F||_F^2``."""
    return alpha / 2 * _inner(F, F)


def _newton_direction(
    linear_map: LinearMap,
    curvature: LinearOperator,
    gradient: np.ndarray,
    diagonal: np.ndarray,
    alpha: np.float32,
    cg_steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Preconditioned conjugate gradients on ``Hessian D = -gradient``; D and M D."""
    D = np.zeros_like(gradient)
    MD = np.zeros_like(linear_map.times(D))
    residual = -gradient
    scaled = residual / diagonal
    P = scaled.copy()
    product = first = _inner(residual, scaled)
    for _ in range(cg_steps):
        if product <= _TOLERANCE**2 * first:
            break
        MP = linear_map.times(P)
        image = linear_map.transposed_times(curvature(MP)) + alpha * P
        step = np.float32(product / _inner(P, image))
        D += step * P
        MD += step * MP
        residual -= step * image
        scaled = residual / diagonal
        previous, product = product, _inner(residual, scaled)
        P *= np.float32(product / previous)
        P += scaled
    return D, MD


def _inner(A: np.ndarray, B: np.ndarray) -> float:
    return float(np.einsum("ij,ij->", A, B, dtype=np.float64))
