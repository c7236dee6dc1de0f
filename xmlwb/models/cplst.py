r"""Conditional principal label space transformation: directions of the label space that the features can predict."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import eigh

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.label_space import LabelSpaceModel
from xmlwb.models.validation import check_number
from xmlwb.solvers.centred_labels import CentredLabels, right_singular_vectors
from xmlwb.solvers.ridge import RidgeSystem
from xmlwb.solvers.sparse_dense import times_dense

#: A pass that lowers the objective by less than this part of what is explained so far is the last one.
TRACE_TOL = 1e-3
#: Directions beyond m that the first block holds, so that those about to enter the best m are there.
EXTRA_DIRECTIONS = 10
#: Up to this many labels `occa` builds its (L, L) matrix.
OCCA_UP_TO = 4096


class CPLST(LabelSpaceModel):
    r"""Conditional principal label space transformation (Chen and Lin 2012).

    PLST keeps the directions in which label vectors vary most, whether or not the features foretell them. CPLST counts
    both errors, that of the regression and that of the encoding:

    .. math:: \min_{W,\; V^\top V = I} \; \underbrace{\lVert X W - Y_c V \rVert_F^2 + \alpha \lVert W \rVert_F^2}_{
              \text{OCCA}} + \underbrace{\lVert Y_c - Y_c V V^\top \rVert_F^2}_{\text{PLST}}

    with X and Y centred. For a given V the best W is a ridge regression, which leaves
    :math:`\lVert Y_c \rVert_F^2 - \operatorname{tr}(V^\top Y_c^\top H Y_c V)` with the hat matrix
    :math:`H = X (X^\top X + \alpha I)^{-1} X^\top`: V holds the m leading eigenvectors of :math:`Y_c^\top H Y_c`.

    Parameters
    ----------
    n_components : int, default 100
        m (the paper's M), the dimension of the compressed label space; 100 is the embedding's width in Zhang et al.
        (2018). No more are used than there are instances, or labels with a positive.
    alpha : float, default 1.0
        Weight of the ridge penalty, for rows of X of length one. The intercept is not penalised.
    n_passes : int, default 6
        Passes of the eigenvector iteration, at most; each is one ridge regression of at most m + 10 targets.
    n_jobs : int or None, default None
        Threads of the sparse products. The model does not depend on it.
    random_state : int or None, default 0
        Seed of the Lanczos iteration that finds PLST's directions, where the passes begin.

    Attributes
    ----------
    W_ : ndarray, shape (d, m), float32
        Regressor from features to codes.
    H_ : ndarray, shape (L, m), float32
        V, orthonormal columns, the largest entry of each positive. (The letter is the decoder's in every method of this
        family, not the hat matrix.)
    bias_ : ndarray, shape (L,), float32
        V b plus the mean label vector; ``-inf`` for a label without a training positive.
    objectives_ : ndarray, shape (passes,), float64
        The minimised sum after each pass. The first is PLST's or already lower, and it never rises.

    Notes
    -----
    Since :math:`V^\top V = I`, the two errors add up to :math:`\lVert Y_c - X W V^\top \rVert_F^2`: CPLST is ridge
    regression on all labels with the weight matrix held to rank m. `LEML` with the squared loss looks for the same,
    with a penalty on both factors.

    The eigenvectors come from a block Krylov iteration: the regression is solved for a block of directions, the best m
    of all directions seen so far are chosen (Rayleigh and Ritz), and the residuals of those that have not settled are
    the next block. The regressors are combined like the directions, so every pass ends with a whole model; neither H
    nor :math:`Y_c^\top H Y_c` is ever formed. An event is a pass; STOP keeps the pass.
    A fit cannot be stopped before it has the singular vectors that the first pass starts from.

    Train: the SVD of `PLST` and `n_passes` ridge regressions, by Cholesky (O(d^3 + d^2 m)) up to 4,096 features and by
    conjugate gradients (O(nnz(X) m) a step) beyond; a pass adds O((d + L) m^2 n_passes). Predict, for an instance,
    O(nnz(x) m + L m); size 4 m (d + L) bytes.

    ============== ============================== ============================== ==============================
    what           paper (abstract)               released code (mlc_lsdr)       here
    ============== ============================== ============================== ==============================
    eigenvectors   "a simple use of singular      dense SVD of the L x L matrix  block Krylov iteration, from
                   value decomposition"                                          PLST's directions
    hat matrix     not in the abstract            ridge, lambda = 0.1, of X as   ridge, alpha, of the centred X:
                                                  it is, without a constant      the regression's own
    labels         not in the abstract            -1 and 1                       0 and 1; the directions are the
                                                                                 same for the same lambda
    kernels        offered                        none                           none
    ============== ============================== ============================== ==============================

    References
    ----------
    Chen and Lin, "Feature-aware label space dimension reduction for multi-label classification", NIPS 2012; code at
    github.com/hsuantien/mlc_lsdr.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]])  # the features tell only the last label
    >>> CPLST(n_components=1, alpha=0.01).fit(X, Y).H_.round(3) + 0.0
    array([[0.],
           [0.],
           [1.]], dtype=float32)
    """

    stage = "pass"

    def __init__(
        self,
        *,
        n_components: int = 100,
        alpha: float = 1.0,
        n_passes: int = 6,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        super().__init__(n_components=n_components, alpha=alpha, n_jobs=n_jobs, random_state=random_state)
        self.n_passes = n_passes

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """As for `PLST`, and all directions seen with their images and regressors, and once more while one is added."""
        seen = min(self.n_passes * (min(self.n_components, n, L) + EXTRA_DIRECTIONS), L)
        return super().memory_estimate(n, d, L, nnz) + seen * (3 * 8 * L + 3 * 4 * d)

    def _check_params(self) -> None:
        super()._check_params()
        check_number("n_passes", self.n_passes, low=1, integer=True)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        labels = CentredLabels(Y, n_jobs=self.n_jobs)
        m = self._n_codes(X.shape[0])
        width = min(m + EXTRA_DIRECTIONS, *Y.shape)
        block = right_singular_vectors(Y, width, centred=True, random_state=self._seed())
        space = PredictableSpace(X, labels, RidgeSystem(X, self.alpha, n_jobs=self.n_jobs))
        objectives: list[float] = []
        report.total = self.n_passes
        while True:
            space.extend(block)
            V, W, intercept, explained, block = space.best(m)
            objectives.append(labels.squared_norm - explained)
            settled = len(objectives) > 1 and objectives[-2] - objectives[-1] <= TRACE_TOL * explained
            last = settled or block.shape[1] == 0 or len(objectives) == self.n_passes
            self._keep(W, intercept, V, labels.mean)
            self.objectives_ = np.array(objectives)
            if last:
                report.total = len(objectives)
            if report({"objective": objectives[-1]} | self._valid_figures(eval_set)) or last:
                return


class PredictableSpace:
    """A growing orthonormal set of label directions, each with its ridge regression.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    labels : CentredLabels
    system : RidgeSystem
        Of the same X.
    """

    def __init__(self, X: sparse.csr_array, labels: CentredLabels, system: RidgeSystem) -> None:
        self._X, self._labels, self._system = X, labels, system
        L, d = labels.shape[1], X.shape[1]
        self._Q, self._image = np.zeros((L, 0)), np.zeros((L, 0))  # directions, and Y_c^T H Y_c times them
        self._W, self._intercept = np.zeros((d, 0), dtype=np.float32), np.zeros(0, dtype=np.float32)

    def extend(self, block: np.ndarray) -> None:
        """Take in orthonormal directions, shape (L, b), that are orthogonal to those held."""
        Z = self._labels.times(block)
        W, intercept = self._system.solve(Z)
        fitted = times_dense(self._X, W, n_jobs=self._system.n_jobs) + intercept
        self._Q = np.hstack([self._Q, block])
        self._image = np.hstack([self._image, self._labels.transposed_times(fitted)])
        self._W = np.hstack([self._W, W])
        self._intercept = np.concatenate([self._intercept, intercept])

    def best(self, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, np.ndarray]:
        """The m most predictable directions of the span, their regression, and where to look next.

        Returns
        -------
        V : ndarray, shape (L, m), float64
        W, intercept : ndarray, shapes (d, m) and (m,)
        explained : float
            tr(V^T Y_c^T H Y_c V).
        residuals : ndarray, shape (L, b), float64
            Orthonormal, orthogonal to all directions held; empty when nothing can be gained.
        """
        values, mixing = _leading(self._Q.T @ self._image, m)
        V = self._Q @ mixing
        signs = _signs(V)
        V, mixing = V * signs, mixing * signs
        residuals = self._image @ mixing - V * values
        unsettled = np.linalg.norm(residuals, axis=0) > 1e-6 * max(values[0], 0.0)
        W, intercept = self._W @ mixing.astype(np.float32), self._intercept @ mixing
        return V, W, intercept, float(values.sum()), self._orthonormalised(residuals[:, unsettled])

    def _orthonormalised(self, block: np.ndarray) -> np.ndarray:
        """An orthonormal basis of what the block adds to the directions held; dependent columns are left out."""
        lengths = np.linalg.norm(block, axis=0)
        block = block / np.where(lengths > 0, lengths, 1.0)
        for _ in range(2):  # once is not enough for float64's digits
            block = block - self._Q @ (self._Q.T @ block)
            strengths, mixing = eigh(block.T @ block)
            kept = strengths > 1e-10
            block = block @ (mixing[:, kept] / np.sqrt(strengths[kept]))
        return block


def occa(
    X: sparse.csr_array, Y: sparse.csr_array, n_components: int, *, alpha: float = 1.0, n_jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    r"""Orthogonally constrained canonical correlation analysis: the label directions that are easiest to predict.

    .. math:: \min_{W,\; V^\top V = I} \; \lVert X W - Y_c V \rVert_F^2 + \alpha \lVert W \rVert_F^2
              = \operatorname{tr}\, V^\top Y_c^\top (I - H) Y_c V

    the feature-aware half of `CPLST` (Chen and Lin 2012). Alone it is no good label space: a direction that hardly
    varies costs nothing to predict, so labels without positives come first and the rarest next. That is what CPLST's
    other half is for.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L), float32
    n_components : int
        m, 1 <= m <= L.
    alpha : float, default 1.0
        Weight of the ridge penalty.
    n_jobs : int or None

    Returns
    -------
    V : ndarray, shape (L, m), float64
        Orthonormal columns, the easiest first.
    errors : ndarray, shape (m,), float64
        What each costs, ascending.

    Raises
    ------
    ValueError
        m or alpha out of range, or more than 4,096 labels: the smallest eigenvalues lie too close together for an
        iteration, so this needs the whole L x L matrix, 27 L^2 bytes at the peak and O(L^3).

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32))
    >>> Y = sparse.csr_array(np.array([[1, 1], [1, 0], [0, 1], [0, 0]], dtype=np.float32))  # X tells the last label
    >>> V, errors = occa(X, Y, 1, alpha=0.01)
    >>> V.round(3) + 0.0
    array([[0.],
           [1.]])
    """
    L = Y.shape[1]
    check_number("n_components", n_components, low=1, integer=True)
    check_number("alpha", alpha, low=0, strict=True)
    if n_components > L:
        raise ValueError(f"n_components is {n_components}; wanted at most the {L} labels")
    if L > OCCA_UP_TO:
        raise ValueError(
            f"Y has {L} labels; wanted at most {OCCA_UP_TO}: OCCA needs an L x L matrix, {27 * L**2 / 2**30:.1f} GiB"
        )
    labels, system = CentredLabels(Y, n_jobs=n_jobs), RidgeSystem(X, alpha, n_jobs=n_jobs)
    unexplained = labels.gram()
    for begin in range(0, L, 256):
        block = np.eye(L, min(256, L - begin), -begin)
        unexplained[:, begin : begin + 256] -= labels.transposed_times(system.hat(labels.times(block)))
    errors, V = eigh((unexplained + unexplained.T) / 2, subset_by_index=(0, n_components - 1))
    return V * _signs(V), np.maximum(errors, 0.0)


def _leading(A: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """The m largest eigenvalues, descending, and eigenvectors of a matrix that is symmetric but for rounding."""
    values, vectors = eigh((A + A.T) / 2)
    return values[::-1][:m], vectors[:, ::-1][:, :m]


def _signs(V: np.ndarray) -> np.ndarray:
    """What makes the largest entry of each column positive."""
    largest = np.take_along_axis(V, np.abs(V).argmax(axis=0, keepdims=True), axis=0)
    return np.where(largest < 0, -1.0, 1.0)
