r"""One linear classifier for each label: the strong, honest baseline of extreme classification."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import takewhile

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from xmlwb.metrics import precision_at_k
from xmlwb.models.base import EvalSet, XMCModel, topk_to_csr
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.lanes import LANES
from xmlwb.solvers.squared_hinge import solve_block, squared_norms
from xmlwb.solvers.topk import topk_product

#: A fit reports at most about this many times, however many labels there are.
MAX_EVENTS = 64


class OneVsAll(XMCModel):
    r"""L2-regularised squared-hinge one-vs-all with pruned weights, as in DiSMEC.

    .. math:: \min_{w_l} \; \tfrac12 \lVert w_l \rVert^2 + C \sum_{i=1}^{n} \max(0,\, 1 - y_{il} w_l^\top x_i)^2
              \qquad \text{for each label } l, \; y_{il} = \pm 1

    and then :math:`w_{lj} \leftarrow 0` where :math:`|w_{lj}| < \Delta`.

    Parameters
    ----------
    C : float, default 1.0
        Weight of the loss; LIBLINEAR's default, and so that of DiSMEC's released code.
    threshold : float, default 0.1
        Delta: weights smaller than this are dropped. DiSMEC's released code keeps those from 0.01 on, PECOS from 0.1.
    tol : float, default 0.1
        When a label counts as converged: no projected gradient of its dual problem is larger (LIBLINEAR and PECOS:
        epsilon = 0.1).
    max_iter : int, default 1000
        Passes over the instances for a block of 16 labels, at most (LIBLINEAR: 1,000). With rows of length one some
        45 are enough; longer rows, such as raw counts, need many more.
    n_jobs : int or None, default None
        Blocks learned side by side. Threads (the solver needs no interpreter), or processes inside
        ``joblib.parallel_config("loky")``. The model does not depend on it.
    random_state : int or None, default 0
        Order in which the solver visits the instances.

    Attributes
    ----------
    coef_ : csr_array, shape (d, L), float32
        The weights that were kept; features by labels, as prediction reads them.
    intercept_ : ndarray, shape (L,), float32
        Weights of the constant feature; ``-inf`` for a label that was not learned.
    n_iter_ : int
        The most passes that a block needed.

    Notes
    -----
    Labels are learned from the most to the least frequent, so a fit that is stopped early knows the head; with an
    ``eval_set`` the events show precision grow as the tail comes in.

    Train O(passes x nnz(X) x L); predict, for an instance, O(sum over its features of the labels that use them + L);
    size 8 bytes a kept weight.

    ============== =========================== ============================== ================================
    what           paper (DiSMEC's abstract)   released code (readme,         here
                                               linear.cpp)
    ============== =========================== ============================== ================================
    solver         not named                   trust region Newton (-s 2)     dual coordinate descent, 16 labels
                                                                              at a time; same optimum
    parallelism    a double layer              OpenMP; a launch of its own    joblib, blocks of 16 labels
                                               for each 1,000 labels
    threshold      "filters out spurious       0.01, the constant's weight    0.1, the constant's weight is
                   parameters"                 included                       always kept
    constant       not named                   feature 1, regularised (-B 1)  the same
    ============== =========================== ============================== ================================

    P@1 over ten splits: bibtex 63.4, delicious 68.4, by ``benchmarks/peers.py --data bibtex,delicious --splits 10
    --repeats 1 --methods ova``. Zhang et al. (2018, table 2) print 62.62 and 65.02 for a one-vs-all of unstated loss.

    References
    ----------
    Babbar and Schoelkopf, "DiSMEC: distributed sparse machines for extreme multi-label classification", WSDM 2017.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    >>> OneVsAll().fit(X, Y).predict(X)
    array([[1, 0],
           [0, 1],
           [1, 0],
           [0, 1]])
    """

    stage = "group of labels"  # several blocks of 16, where there are many

    def __init__(
        self,
        *,
        C: float = 1.0,
        threshold: float = 0.1,
        tol: float = 0.1,
        max_iter: int = 1000,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.C = C
        self.threshold = threshold
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state

    @staticmethod
    def linear_inputs(X: sparse.csr_array) -> sparse.csr_array:
        """What ``coef_`` multiplies: X as it is."""
        return X

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The dense arrays of a block of labels for each worker, and 48 bytes a kept weight until they are in order.

        How many weights will be kept cannot be known before: 1,000 a label are assumed (of debtags' labels 1,005 on
        average, of debdeps' 119), or all d of them if none are dropped.
        """
        kept = d if self.threshold == 0 else min(d, 1000)
        return effective_n_jobs(self.n_jobs) * 4 * LANES * (2 * n + 3 * d) + 48 * L * kept + 4 * n

    def _check_params(self) -> None:
        check_number("C", self.C, low=0, strict=True)
        check_number("threshold", self.threshold, low=0)
        check_number("tol", self.tol, low=0, strict=True)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        d, L = X.shape[1], Y.shape[1]
        by_frequency = np.argsort(-self.label_counts_, kind="stable").astype(np.int32)
        learnable = by_frequency[: np.count_nonzero(self.label_counts_)]
        blocks = [learnable[begin : begin + LANES] for begin in range(0, len(learnable), LANES)]
        per_event = max(1, -(-len(blocks) // MAX_EVENTS))
        report.total = -(-len(blocks) // per_event)
        curve = _ValidationCurve(eval_set, L) if eval_set is not None else None

        nothing = np.zeros(0, dtype=np.int32)
        weights: list[tuple[np.ndarray, ...]] = [(nothing, nothing, nothing.astype(np.float32))]
        self.intercept_ = np.full(L, -np.inf, dtype=np.float32)
        self.n_iter_ = n_unfinished = 0
        for number, learned in enumerate(self._learn_blocks(X, Y, blocks, report)):
            if report.stopped:
                continue  # a block that was under way when STOP came: which ones are depends on n_jobs
            block, (features, lanes, values, bias, n_iter, converged) = blocks[number], learned
            weights.append((features, block[lanes], values))
            n_unfinished += not converged
            self.intercept_[block] = bias
            self.n_iter_ = max(self.n_iter_, n_iter)
            if curve is not None:
                curve.add(block, features, lanes, values, bias)
            if (number + 1) % per_event == 0 or number + 1 == len(blocks):
                figures = {"labels": float(min((number + 1) * LANES, len(learnable)))}
                report(figures | (curve.figures() if curve is not None else {}))
        self.coef_ = _assemble(weights, (d, L))
        if n_unfinished:
            warnings.warn(
                f"{n_unfinished} of {len(blocks)} blocks of labels had not converged to tol={self.tol} after "
                f"max_iter={self.max_iter} passes",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _learn_blocks(
        self, X: sparse.csr_array, Y: sparse.csr_array, blocks: list[np.ndarray], report: Reporter
    ) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, bool]]:
        """What `_learn_block` finds for each block, in order; no further block is begun once the fit is stopped."""
        rows_of = Y.tocsc()
        sq_norms = squared_norms(X)
        seed = int(check_random_state(self.random_state).randint(2**31))
        jobs = (
            delayed(_learn_block)(
                X, sq_norms, [rows_of.indices[rows_of.indptr[label] : rows_of.indptr[label + 1]] for label in block],
                self.C, self.tol, self.max_iter, self.threshold, seed + number,
            )
            for number, block in takewhile(lambda _: not report.stopped, enumerate(blocks))
        )  # fmt: skip
        return Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(jobs)

    def _check_state(self) -> None:
        super()._check_state()
        self._require_shapes(coef_=(self.n_features_in_, self.n_labels_), intercept_=(self.n_labels_,))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return topk_product(X, self.coef_, k, bias=self.intercept_, n_jobs=self.n_jobs)


def _learn_block(
    X: sparse.csr_array,
    sq_norms: np.ndarray,
    positives: list[np.ndarray],
    C: float,
    tol: float,
    max_iter: int,
    threshold: float,
    seed: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int, bool]:
    """One block's kept weights as (features, lanes, values), its biases, the passes it took, whether they sufficed."""
    W, bias, n_iter, converged = solve_block(X, sq_norms, positives, C=C, tol=tol, max_iter=max_iter, seed=seed)
    W, bias = W[:, : len(positives)], bias[: len(positives)]
    features, lanes = np.nonzero(np.abs(W) >= max(threshold, np.finfo(np.float32).tiny))
    return features.astype(np.int32), lanes.astype(np.int8), W[features, lanes], bias, n_iter, converged


def _assemble(weights: list[tuple[np.ndarray, ...]], shape: tuple[int, int]) -> sparse.csr_array:
    features, labels, values = (np.concatenate(part) for part in zip(*weights, strict=True))
    W = sparse.csr_array((values, (features, labels)), shape=shape)
    W.sort_indices()
    return W


class _ValidationCurve:
    """Precision on validation data as blocks of labels come in; keeps only each row's best five so far."""

    def __init__(self, eval_set: EvalSet, n_labels: int) -> None:
        self._X, self._Y = eval_set
        self._k = min(5, n_labels)
        self._labels = np.full((self._X.shape[0], self._k), -1)
        self._scores = np.full((self._X.shape[0], self._k), -np.inf, dtype=np.float32)

    def add(
        self, block: np.ndarray, features: np.ndarray, lanes: np.ndarray, values: np.ndarray, bias: np.ndarray
    ) -> None:
        W = sparse.csr_array((values, (features, lanes)), shape=(self._X.shape[1], len(block)))
        scores = np.hstack([self._scores, (self._X @ W).toarray() + bias])
        labels = np.hstack([self._labels, np.broadcast_to(block, (len(scores), len(block)))])
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self._k]
        self._scores = np.take_along_axis(scores, best, axis=1)
        self._labels = np.take_along_axis(labels, best, axis=1)

    def figures(self) -> dict[str, float]:
        P = precision_at_k(self._Y, topk_to_csr(self._labels, self._scores, self._Y.shape[1]), k=self._k)
        return {f"valid P@{k}": float(P[k - 1]) for k in (1, 5) if k <= self._k}
