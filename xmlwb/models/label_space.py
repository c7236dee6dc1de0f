r"""What the linear label-space methods share: codes of m numbers for L labels, one ridge regression, a linear decoder.

Each method names a matrix that takes label vectors to codes and one that takes them back; the rest is here. With the
codes Z (n, m), the decoder H (L, m) and an offset (L,), the scores of an instance are

.. math:: s(x) = H (W^\top x + b) + \text{offset}, \qquad
          W, b = \arg\min \lVert X W + \mathbf 1 b^\top - Z \rVert_F^2 + \alpha \lVert W \rVert_F^2 .
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import ceil, log
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.centred_labels import CentredLabels, by_gram_matrix
from xmlwb.solvers.ridge import DIRECT_UP_TO, RidgeSystem
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.topk import topk_factored


class LabelSpaceModel(XMCModel):
    """Base of the methods that regress a few codes and decode them linearly.

    A method's `_fit` ends in `_keep`.

    Attributes
    ----------
    W_ : ndarray, shape (d, m), float32
        Regressor from features to codes.
    H_ : ndarray, shape (L, m), float32
        Decoder from codes to labels.
    bias_ : ndarray, shape (L,), float32
        The decoded intercept and the offset; ``-inf`` for a label without a training positive.
    """

    stage = "solver step"
    decision_threshold = 0.5

    def __init__(
        self,
        *,
        n_components: int = 100,
        alpha: float = 1.0,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.alpha = alpha
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """Codes, regressor, decoder; the singular vectors' workspace or Gram matrix; the ridge's matrix or arrays."""
        m = min(self.n_components, n, L)
        model = 4 * m * (n + d + L)
        short = min(n, L)
        directions = 24 * short**2 if by_gram_matrix(short, m) else 8 * (2 * m + 1) * short + 8 * m * (n + 2 * L)
        ridge = 16 * d * d if d <= DIRECT_UP_TO else 8 * nnz + 6 * 4 * m * (n + d)
        return model + max(directions, ridge)

    def _check_params(self) -> None:
        check_number("n_components", self.n_components, low=1, integer=True)
        check_number("alpha", self.alpha, low=0, strict=True)
        check_seed(self.random_state)

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31))

    def _n_codes(self, n: int) -> int:
        """m: as many components as asked for, but no more than instances or labels with a positive."""
        return max(1, min(self.n_components, n, int(np.count_nonzero(self.label_counts_))))

    def _keep(self, W: np.ndarray, intercept: np.ndarray, H: np.ndarray, offset: np.ndarray) -> None:
        self.W_ = np.ascontiguousarray(W, dtype=np.float32)
        self.H_ = np.ascontiguousarray(H, dtype=np.float32)
        bias = H @ intercept + offset
        self.bias_ = np.where(self.label_counts_ > 0, bias, -np.inf).astype(np.float32)

    def _check_state(self) -> None:
        super()._check_state()
        m = self.H_.shape[-1]
        self._require_shapes(W_=(self.n_features_in_, m), H_=(self.n_labels_, m), bias_=(self.n_labels_,))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return topk_factored(X, self.W_, self.H_, k, bias=self.bias_, n_jobs=self.n_jobs)


class CodedLabelModel(LabelSpaceModel):
    """Base of those whose codes are known before the regression: one ridge regression of all codes, and that is all."""

    @abstractmethod
    def _encode(self, Y: sparse.csr_array, m: int) -> LabelCode:
        """The m codes of each row of Y and the way back."""

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        code = self._encode(Y, self._n_codes(X.shape[0]))
        system = RidgeSystem(X, self.alpha, n_jobs=self.n_jobs)
        report.total = 1 if system.direct else system.max_iter + 1

        def on_step(step: int, last: bool, residual: float) -> bool:
            # The residual falls by about the same factor each step, so that where it will end can be told.
            to_come = step if last else ceil(step * log(system.tol) / log(residual)) if residual < 1 else report.total
            report.total = max(step, min(to_come, system.max_iter)) + 1
            return report({"residual": residual})

        W, intercept = system.solve(code.Z, on_step=on_step)
        self._keep(W, intercept, code.H, code.offset)
        if not report.stopped:
            report.total = report.step + 1
            report({"components": float(W.shape[1])} | self._valid_figures(eval_set))


@dataclass(frozen=True)
class LabelCode:
    """Label vectors as a method squeezes them, and how it opens them again.

    Attributes
    ----------
    Z : ndarray, shape (n, m), float32
        The codes of the training instances.
    H : ndarray, shape (L, m), float32
        Labels are decoded as ``Z @ H.T + offset``.
    offset : ndarray, shape (L,), float32
    """

    Z: np.ndarray
    H: np.ndarray
    offset: np.ndarray


class LabelSpaceErrors(NamedTuple):
    """The two parts of what a label space loses, both squared Frobenius norms; `total` is CPLST's objective."""

    #: ``||X W - Y_c V||^2 + alpha ||W||^2``: what the regression misses of the codes.
    prediction: float
    #: ``||Y_c - Y_c V V^T||^2``: what the codes miss of the labels.
    encoding: float

    @property
    def total(self) -> float:
        """Their sum."""
        return self.prediction + self.encoding


def label_space_errors(
    X: sparse.csr_array, Y: sparse.csr_array, V: np.ndarray, *, alpha: float = 1.0, n_jobs: int | None = None
) -> LabelSpaceErrors:
    """How well directions of the label space can be predicted, and how much of the labels they hold.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L), float32
    V : ndarray, shape (L, m)
        Directions, as columns; for PLST and CPLST they are orthonormal.
    alpha : float, default 1.0
        Weight of the ridge penalty.
    n_jobs : int or None

    Returns
    -------
    LabelSpaceErrors
        PLST minimises ``encoding`` over orthonormal V, OCCA ``prediction``, CPLST ``total``.

    Raises
    ------
    ValueError
        alpha is not above 0.

    Examples
    --------
    >>> X = sparse.csr_array(np.eye(4, dtype=np.float32))
    >>> Y = sparse.csr_array(np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32))
    >>> V = np.array([[1], [-1]]) / np.sqrt(2)
    >>> errors = label_space_errors(X, Y, V, alpha=1.0)  # Y_c has rank one, and half of its square is fitted
    >>> round(errors.prediction, 3), round(errors.encoding, 3), round(errors.total, 3)
    (1.0, 0.0, 1.0)
    """
    check_number("alpha", alpha, low=0, strict=True)
    centred = CentredLabels(Y, n_jobs=n_jobs)
    Z = centred.times(V).astype(np.float64)
    W, intercept = RidgeSystem(X, alpha, n_jobs=n_jobs).solve(Z.astype(np.float32))
    misses = times_dense(X, W, n_jobs=n_jobs) + intercept - Z
    prediction = np.sum(misses**2) + alpha * np.sum(W.astype(np.float64) ** 2)
    scatter = Z.T @ Z
    encoding = centred.squared_norm - 2 * np.trace(scatter) + np.sum(scatter * (V.T @ V))
    return LabelSpaceErrors(float(prediction), float(encoding))
