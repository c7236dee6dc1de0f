r"""Losses of factored scores: :math:`\sum_{(i,j) \in \Omega} \ell(Y_{ij},\, a_i^\top h_j)` for A (n, k) and H (L, k).

Each class gives, for one kind of :math:`\Omega` and a given H, the value, the gradient and curvature-times-vector as
functions of A, without an n x L array. What an alternating method needs for H, it gets from the same class made of Y
transposed.

* `SquaredLoss`, every entry observed: all three from k x k Gram matrices, O((nnz(Y) + n k) k).
* `DenseLoss`, any loss, every entry observed: batches of rows through BLAS, O(n L k).
* `ObservedLoss`, any loss, some entries observed: O(number of them times k).

Labels are 0/1; the logistic loss and the squared hinge read them as -1/+1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.sparse_dense import in_parts, threads_for, times_dense

LinearOperator = Callable[[np.ndarray], np.ndarray]

SQUARED, LOGISTIC, SQUARED_HINGE = range(3)
#: loss(y, z): (y - z)^2; log(1 + exp(-y z)); max(0, 1 - y z)^2.
LOSSES = {"squared": SQUARED, "logistic": LOGISTIC, "squared_hinge": SQUARED_HINGE}
#: The largest second derivative of each.
CURVATURE_BOUND = {"squared": 2.0, "logistic": 0.25, "squared_hinge": 2.0}
#: Scores that `DenseLoss` holds at a time: 8 MiB.
_BATCH_SCORES = 1 << 21


class FactoredLoss(ABC):
    """A loss over entries of ``A @ H.T``."""

    #: An upper bound of the loss's second derivative.
    curvature_bound: float

    @abstractmethod
    def given(self, H: np.ndarray) -> LossOfCodes:
        """The loss as a function of A, for one H of shape (L, k)."""


class LossOfCodes(ABC):
    """A loss over entries of ``A @ H.T`` as a function of A, of shape (n, k), float32."""

    @abstractmethod
    def value(self, A: np.ndarray) -> float:
        """The sum of the loss over the observed entries."""

    @abstractmethod
    def value_and_gradient(self, A: np.ndarray) -> tuple[float, np.ndarray]:
        """The same and its derivative at A, shape (n, k), float32."""

    @abstractmethod
    def curvature(self, A: np.ndarray) -> LinearOperator:
        """Its second derivative at A, as a function that multiplies with it: (n, k) to (n, k)."""


class SquaredLoss(FactoredLoss):
    """``||Y - A H^T||_F^2``: every entry counts, and none but the positives is ever touched."""

    curvature_bound = CURVATURE_BOUND["squared"]

    def __init__(self, Y: sparse.csr_array, *, n_jobs: int | None = None) -> None:
        self._Y = Y
        self._n_jobs = n_jobs

    def given(self, H: np.ndarray) -> SquaredLossOfCodes:
        return SquaredLossOfCodes(gram(H), times_dense(self._Y, H, n_jobs=self._n_jobs), self._Y.nnz)


class SquaredLossOfCodes(LossOfCodes):
    """``tr(A^T A H^T H) - 2 <A, Y H> + nnz(Y)``, from H^T H (k, k) and Y H (n, k)."""

    def __init__(self, gram_of_H: np.ndarray, YH: np.ndarray, n_positives: int) -> None:
        self._gram, self._YH, self._n_positives = gram_of_H, YH, n_positives

    def value(self, A: np.ndarray) -> float:
        return float(np.sum(gram(A) * self._gram) - 2 * inner(self._YH, A) + self._n_positives)

    def value_and_gradient(self, A: np.ndarray) -> tuple[float, np.ndarray]:
        slope = A @ (2 * self._gram).astype(np.float32)
        slope -= 2 * self._YH
        return self.value(A), slope

    def curvature(self, A: np.ndarray) -> LinearOperator:
        twice = (2 * self._gram).astype(np.float32)
        return lambda S: S @ twice

    def minimiser(self, alpha: float) -> np.ndarray:
        """The A that minimises the loss plus ``alpha / 2 ||A||^2``: one k x k system for all rows."""
        values, vectors = np.linalg.eigh(self._gram)  # not an inverse: where H has dependent columns, alpha is all
        along = (self._YH @ vectors) / (np.maximum(values, 0) + alpha / 2)
        return (along @ vectors.T).astype(np.float32)


class DenseLoss(FactoredLoss):
    """Any loss with every entry observed; scores exist for a batch of rows at a time."""

    def __init__(self, Y: sparse.csr_array, loss: str) -> None:
        self._Y = Y
        self._kind = LOSSES[loss]
        self.curvature_bound = CURVATURE_BOUND[loss]

    def given(self, H: np.ndarray) -> DenseLossOfCodes:
        return DenseLossOfCodes(self._Y, H, self._kind)


class DenseLossOfCodes(LossOfCodes):
    """What `DenseLoss` is for one H; O(n L k) a call."""

    def __init__(self, Y: sparse.csr_array, H: np.ndarray, kind: int) -> None:
        self._Y, self._H, self._kind = Y, H, kind

    def value(self, A: np.ndarray) -> float:
        return sum(self._to_slope(rows, A[rows] @ self._H.T) for rows in self._batches())

    def value_and_gradient(self, A: np.ndarray) -> tuple[float, np.ndarray]:
        total, out = 0.0, np.empty_like(A)
        for rows in self._batches():
            Z = A[rows] @ self._H.T
            total += self._to_slope(rows, Z)
            np.matmul(Z, self._H, out=out[rows])
        return total, out

    def curvature(self, A: np.ndarray) -> LinearOperator:
        def times(S: np.ndarray) -> np.ndarray:
            out = np.empty_like(A)
            for rows in self._batches():
                Z, image = A[rows] @ self._H.T, S[rows] @ self._H.T
                _dense_curvature(Z, image, self._Y.indptr, self._Y.indices, rows.start, self._kind)
                np.matmul(image, self._H, out=out[rows])
            return out

        return times

    def _batches(self) -> Iterator[slice]:
        n, L = self._Y.shape
        n_rows = max(1, _BATCH_SCORES // L)
        return (slice(begin, min(n, begin + n_rows)) for begin in range(0, n, n_rows))

    def _to_slope(self, rows: slice, Z: np.ndarray) -> float:
        """Turn a batch of scores into derivatives, in place; the sum of their losses."""
        return _dense_slope(Z, self._Y.indptr, self._Y.indices, rows.start, self._kind)


class ObservedLoss(FactoredLoss):
    """Any loss over the stored entries of a matrix that holds 1 where a label is known to be there, 0 where not to be.

    Parameters
    ----------
    known : csr_array, shape (n, L), float32
        Stored zeros are observed absences; what is not stored is not known and costs nothing.
    loss : {"squared", "logistic", "squared_hinge"}
    """

    def __init__(self, known: sparse.csr_array, loss: str, *, n_jobs: int | None = None) -> None:
        self._known = known
        self._kind = LOSSES[loss]
        self._n_jobs = n_jobs
        self.curvature_bound = CURVATURE_BOUND[loss]

    def given(self, H: np.ndarray) -> ObservedLossOfCodes:
        return ObservedLossOfCodes(self._known, H, self._kind, self._n_jobs)


class ObservedLossOfCodes(LossOfCodes):
    """What `ObservedLoss` is for one H; O(observed entries x k) a call."""

    def __init__(self, known: sparse.csr_array, H: np.ndarray, kind: int, n_jobs: int | None) -> None:
        self._known, self._H, self._kind, self._n_jobs = known, np.ascontiguousarray(H), kind, n_jobs

    def value(self, A: np.ndarray) -> float:
        return _slope(self._scores(A), self._known.data, self._kind)

    def value_and_gradient(self, A: np.ndarray) -> tuple[float, np.ndarray]:
        entries = self._scores(A)
        total = _slope(entries, self._known.data, self._kind)
        return total, self._times_H(entries)

    def curvature(self, A: np.ndarray) -> LinearOperator:
        second = self._scores(A)
        _to_second_derivative(second, self._known.data, self._kind)
        return lambda S: self._times_H(second * self._scores(S))

    def _scores(self, A: np.ndarray) -> np.ndarray:
        """``a_i . h_j`` of each observed entry."""
        A, H = np.ascontiguousarray(A), self._H
        entries = np.empty(self._known.nnz, dtype=np.float32)
        indptr, indices = self._known.indptr, self._known.indices

        def compute(begin: int, end: int) -> None:
            _sampled_product(indptr, indices, A, H, begin, end, entries)

        in_parts(compute, indptr, threads_for(self._known.nnz * A.shape[1], self._n_jobs))
        return entries

    def _times_H(self, entries: np.ndarray) -> np.ndarray:
        G = sparse.csr_array((entries, self._known.indices, self._known.indptr), shape=self._known.shape)
        return times_dense(G, self._H, n_jobs=self._n_jobs)


def gram(A: np.ndarray) -> np.ndarray:
    """``A^T A``, shape (k, k), float64: products in float32 over parts of the rows, summed in float64."""
    total = np.zeros((A.shape[1], A.shape[1]))
    for begin in range(0, len(A), 4096):
        rows = A[begin : begin + 4096]
        total += rows.T @ rows
    return total


def inner(A: np.ndarray, B: np.ndarray) -> float:
    """The sum of the products of their entries, in float64."""
    return float(np.einsum("ij,ij->", A, B, dtype=np.float64))


@njit(nogil=True, cache=True, inline="always")
def _loss_and_slope(y: float, z: float, kind: int) -> tuple[float, float]:
    """The loss of one entry and its derivative by z; y is 0 or 1."""
    if kind == SQUARED:
        return (y - z) * (y - z), 2 * (z - y)
    sign = 2 * y - 1
    margin = sign * z
    if kind == LOGISTIC:
        # exp of a negative number only: it cannot overflow
        small = np.exp(-abs(margin))
        loss = np.log1p(small) + max(-margin, 0.0)
        return loss, -sign * (small / (1 + small) if margin > 0 else 1 / (1 + small))
    short = max(0.0, 1 - margin)
    return short * short, -2 * sign * short


@njit(nogil=True, cache=True, inline="always")
def _second_derivative(y: float, z: float, kind: int) -> float:
    if kind == SQUARED:
        return 2.0
    if kind == LOGISTIC:
        small = np.exp(-abs(z))
        return small / ((1 + small) * (1 + small))
    return 2.0 if (2 * y - 1) * z < 1 else 0.0


@njit(nogil=True, cache=True)
def _slope(Z: np.ndarray, y: np.ndarray, kind: int) -> float:
    total = 0.0
    for p in range(len(Z)):
        loss, slope = _loss_and_slope(y[p], Z[p], kind)
        total += loss
        Z[p] = slope
    return total


@njit(nogil=True, cache=True)
def _to_second_derivative(Z: np.ndarray, y: np.ndarray, kind: int) -> None:
    for p in range(len(Z)):
        Z[p] = _second_derivative(y[p], Z[p], kind)


@njit(nogil=True, cache=True)
def _dense_slope(Z: np.ndarray, indptr: np.ndarray, indices: np.ndarray, first_row: int, kind: int) -> float:
    total = 0.0
    for i in range(len(Z)):
        p, end = indptr[first_row + i], indptr[first_row + i + 1]
        for j in range(Z.shape[1]):
            y = 0.0
            if p < end and indices[p] == j:
                y = 1.0
                p += 1
            loss, slope = _loss_and_slope(y, Z[i, j], kind)
            total += loss
            Z[i, j] = slope
    return total


@njit(nogil=True, cache=True)
def _dense_curvature(
    Z: np.ndarray, image: np.ndarray, indptr: np.ndarray, indices: np.ndarray, first_row: int, kind: int
) -> None:
    for i in range(len(Z)):
        p, end = indptr[first_row + i], indptr[first_row + i + 1]
        for j in range(Z.shape[1]):
            y = 0.0
            if p < end and indices[p] == j:
                y = 1.0
                p += 1
            image[i, j] *= _second_derivative(y, Z[i, j], kind)


# The dot product may be summed in any order: in registers, side by side.
@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _sampled_product(
    indptr: np.ndarray, indices: np.ndarray, A: np.ndarray, H: np.ndarray, begin: int, end: int, entries: np.ndarray
) -> None:
    for i in range(begin, end):
        for p in range(indptr[i], indptr[i + 1]):
            j = np.uint64(indices[p])
            total = np.float32(0)
            for c in range(A.shape[1]):
                total += A[i, c] * H[j, c]
            entries[p] = total
