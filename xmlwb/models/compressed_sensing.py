r"""Compressed sensing: predict m random mixtures of the labels, then find the few labels that explain them."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log, sqrt

import numpy as np
from scipy import sparse

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_choice, check_number, check_seed
from xmlwb.solvers.measurement import (
    GRAM_LABELS,
    MATRICES,
    Measurement,
    measurement_from_arrays,
    measurement_matrix,
)
from xmlwb.solvers.ridge import DIRECT_UP_TO, RidgeSystem
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.sparse_recovery import DECODERS

#: Each decoded instance is compared with every label in every step: above this number the method makes no sense.
MAX_LABELS = 100_000
#: A fit reports after each of at most this many groups of measurements.
MAX_EVENTS = 8
#: Instances that are predicted at a time.
_ROWS = 2048


class CompressedSensing(XMCModel):
    r"""Regression on random projections of the label vectors, decoded by sparse recovery.

    .. math:: \min_{W, b} \; \lVert X W + \mathbf 1 b^\top - Y A^\top \rVert_F^2 + \alpha \lVert W \rVert_F^2, \qquad
              \hat y(x) = \operatorname{decode}_s(W^\top x + b) \approx \arg\min_{\lVert y \rVert_0 \le s}
              \lVert W^\top x + b - A y \rVert

    Parameters
    ----------
    n_measurements : int or None, default None
        m, rows of A; more than the labels (with a Hadamard matrix: the next power of two) bring nothing and are not
        taken. None: :math:`\lceil 5\, s \ln(L / s) \rceil`, at most L. The theory asks for m of order s log(L/s) and
        leaves the factor open; 5 is ours.
    matrix : {"hadamard", "gaussian", "bernoulli"}, default "hadamard"
        Kind of A. Random rows of a Hadamard matrix are among the paper's examples, and need no memory.
    decoder : {"omp", "cosamp", "iht", "fista", "correlation"}, default "omp"
        Which function of `xmlwb.solvers.sparse_recovery` finds the labels, with that function's own defaults.
    sparsity : int, default 10
        s, the labels that are decoded for an instance, and so the most that can be predicted; m or L where that is
        fewer. Rather more than the labels of an instance: E[y | x] has more entries than y, and k are to be ranked.
    alpha : float, default 1.0
        Weight of the ridge penalty, for rows of unit length.
    n_jobs : int or None, default None
        Threads of the sparse products and of the decoder; the result does not depend on it.
    random_state : int or None, default 0
        Seed of A.

    Attributes
    ----------
    labels_ : ndarray, shape (L',), int32
        The labels with a training positive; A has a column for each of these alone, so that no other is predicted.
    measurement_ : ndarray
        A: its columns, shape (L', m), float32, or the row numbers of a Hadamard matrix, shape (m,), int64.
    W_ : ndarray, shape (d, m), float32
    bias_ : ndarray, shape (m,), float32

    Raises
    ------
    ValueError
        In fit, above 100,000 labels, with the memory that it would take.

    Notes
    -----
    The least-squares solution for the target A y estimates A E[y | x], by linearity, so that the decoder's values
    estimate E[y | x]: they are the scores. The regression's error enters the recovered vector no more than a constant
    times enlarged, as long as A keeps the lengths of s-sparse vectors; what does not enter is anything beyond the s
    largest entries of E[y | x], which act as noise of their own.

    Measurements are learned in groups, in random order. A fit that is stopped has fewer of them, and is the model of
    that smaller m; with an ``eval_set`` the events show precision grow with m.

    Train: one factor or one conjugate-gradient solve for all targets (see `RidgeSystem`), O(nnz(Y) m) for Y A^T;
    predict, for an instance, O(nnz(x) m) and the decoder, for OMP O(m L + s^2 L); size 4 (d + 1) m bytes and A's.
    Decoding keeps A^T A up to 10,000 labels (400 MB there).

    ============ ======================================== ==================================================
    what         paper                                    here
    ============ ======================================== ==================================================
    regressor    any: a reduction to regression           ridge with an unpenalised intercept
    matrix       any that keeps sparse vectors' lengths,  the same; rows of a Hadamard matrix, Gaussian, +-1
                 such as random rows of Hadamard
    decoder      iterative and greedy ones: OMP, CoSaMP,  OMP; CoSaMP, IHT, FISTA (lasso), correlation
                 forward-backward greedy
    sparsity     a bound on the labels of an instance     10, whatever the data: they are to be ranked
    scores       the recovered vector                     the same; other labels are not predicted
    ============ ======================================== ==================================================

    P@1 over ten splits: bibtex 63.95, delicious 66.69, by ``benchmarks/paper_tables.py --table dxml-2 --methods cs``,
    which chooses m = 150 for bibtex's 159 labels and m = 300 for delicious's 983: with more measurements the method
    nears the ridge regression on the labels themselves. Zhang et al. (2018, table 2) print 58.87 and 61.36.

    References
    ----------
    Hsu, Kakade, Langford and Zhang, "Multi-label prediction via compressed sensing", NIPS 2009.

    Examples
    --------
    >>> X = np.eye(6, dtype=np.float32)
    >>> model = CompressedSensing(n_measurements=4, sparsity=1, alpha=0.01).fit(X, np.eye(6))
    >>> model.predict_topk(X, k=1).indices
    array([0, 1, 2, 3, 4, 5]...)
    """

    stage = "group of measurements"
    decision_threshold = 0.5

    def __init__(
        self,
        *,
        n_measurements: int | None = None,
        matrix: str = "hadamard",
        decoder: str = "omp",
        sparsity: int = 10,
        alpha: float = 1.0,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_measurements = n_measurements
        self.matrix = matrix
        self.decoder = decoder
        self.sparsity = sparsity
        self.alpha = alpha
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The targets, the weights twice, the ridge's factor or its vectors, A (unless Hadamard) twice and A^T A."""
        m = self._number_of_measurements(L)
        ridge = 16 * d * d if d <= DIRECT_UP_TO else 8 * nnz + 16 * d * ceil(m / MAX_EVENTS)
        stored = 0 if self.matrix == "hadamard" else 8 * L * m
        return 4 * n * m + 8 * d * m + ridge + stored + (4 * L * L if L <= GRAM_LABELS else 0)

    def _number_of_measurements(self, L: int) -> int:
        """m for L labels."""
        if self.n_measurements is not None:
            most = 1 << (L - 1).bit_length() if self.matrix == "hadamard" else L
            return min(self.n_measurements, most)
        s = min(self.sparsity, L)
        return min(L, max(1, ceil(5 * s * log(L / s)))) if s < L else L

    def _check_params(self) -> None:
        if self.n_measurements is not None:
            check_number("n_measurements", self.n_measurements, low=1, integer=True)
        check_choice("matrix", self.matrix, tuple(MATRICES))
        check_choice("decoder", self.decoder, tuple(DECODERS))
        check_number("sparsity", self.sparsity, low=1, integer=True)
        check_number("alpha", self.alpha, low=0, strict=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        self.labels_ = np.flatnonzero(self.label_counts_).astype(np.int32)
        L = len(self.labels_)
        if L > MAX_LABELS:
            needed = self.memory_estimate(X.shape[0], X.shape[1], L, X.nnz) / 2**30
            raise ValueError(
                f"Y has {L:,} labels with instances; CompressedSensing compares each instance with every label in each "
                f"of {self.sparsity} steps: wanted at most {MAX_LABELS:,} (the fit would take {needed:.1f} GiB)"
            )
        if L == 0:
            nothing = np.zeros((0, 0), dtype=np.float32)
            self._keep(None, nothing, np.zeros((X.shape[1], 0), dtype=np.float32), nothing[0:0].ravel())
            report({"measurements": 0.0} | self._valid_figures(eval_set))
            return
        m = self._number_of_measurements(L)
        A = measurement_matrix(self.matrix, m, L, self.random_state)
        Z = A.encode(Y[:, self.labels_])
        system = RidgeSystem(X, self.alpha, n_jobs=self.n_jobs)
        W, bias = np.empty((X.shape[1], m), dtype=np.float32), np.empty(m, dtype=np.float32)
        edges = np.unique(np.linspace(0, m, min(MAX_EVENTS, m) + 1).astype(int)).tolist()
        report.total = len(edges) - 1
        for begin, end in pairwise(edges):
            W[:, begin:end], bias[begin:end] = system.solve(Z[:, begin:end])
            # Fewer measurements make a matrix of their own, whose columns have unit length again.
            scale = np.float32(sqrt(m / end))
            smaller = A.prefix(end)
            self._keep(smaller, smaller.arrays, W[:, :end] * scale, bias[:end] * scale)
            if report({"measurements": float(end)} | self._valid_figures(eval_set)):
                break

    def _keep(self, A: Measurement | None, arrays: np.ndarray, W: np.ndarray, bias: np.ndarray) -> None:
        self._A, self.measurement_, self.W_, self.bias_ = A, arrays, W, bias

    def _check_state(self) -> None:
        super()._check_state()
        L, m = len(self.labels_), len(self.bias_)
        self._require_shapes(labels_=(L,), bias_=(m,), W_=(self.n_features_in_, m))
        self._require_shapes(measurement_=(m,) if self.measurement_.ndim == 1 else (L, m))
        labels = self.labels_
        in_range = np.all((labels >= 0) & (labels < self.n_labels_))
        if labels.dtype.kind not in "iu" or not in_range or np.any(labels[1:] <= labels[:-1]):
            raise ValueError(f"labels_ hold {labels}; wanted ascending label numbers below {self.n_labels_}")
        self._A = measurement_from_arrays(self.measurement_, L) if L else None

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        n = X.shape[0]
        labels = np.full((n, k), -1, dtype=np.int32)
        scores = np.zeros((n, k), dtype=np.float32)
        if self._A is None:
            return labels, scores
        sparsity = min(self.sparsity, *self._A.shape)
        width = min(k, sparsity)
        for begin in range(0, n, _ROWS):
            rows = slice(begin, begin + _ROWS)
            Z = times_dense(X[rows], self.W_, n_jobs=self.n_jobs) + self.bias_
            found, values = DECODERS[self.decoder](Z, self._A, sparsity, n_jobs=self.n_jobs)
            labels[rows, :width] = np.where(found >= 0, self.labels_[found], -1)[:, :width]
            scores[rows, :width] = values[:, :width]
        return labels, scores
