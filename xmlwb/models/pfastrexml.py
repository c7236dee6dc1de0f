r"""FastXML for the tail: gains by propensity, and a second opinion from the labels' centroids."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.metrics import propensities
from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.fastxml import FastXML
from xmlwb.models.validation import check_number
from xmlwb.solvers.instance_trees import InstanceForest
from xmlwb.solvers.leaf_scores import mean_leaves, rerank_by_centroids

#: Labels that the trees propose to the re-ranker, at most.
PROPOSED = 1000


class PfastreXML(FastXML):
    """PfastreXML."""

    def __init__(
        self,
        *,
        n_trees: int = 50,
        max_leaf: int = 10,
        C: float = 4.0,
        max_leaf_labels: int = 100,
        alpha: float = 0.8,
        gamma: float = 30.0,
        A: float = 0.55,
        B: float = 1.5,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        super().__init__(
            n_trees=n_trees, max_leaf=max_leaf, C=C, max_leaf_labels=max_leaf_labels, n_jobs=n_jobs,
            random_state=random_state,
        )  # fmt: skip
        self.alpha = alpha
        self.gamma = gamma
        self.A = A
        self.B = B

    @property
    def decision_threshold(self) -> float:  # type: ignore[override]
        """The score of a label that half of the leaves' instances carry, at a squared distance of one half."""
        return float(self.alpha * np.log(0.5) - (1 - self.alpha) * np.logaddexp(0, self.gamma / 2))

    def _check_params(self) -> None:
        super()._check_params()
        check_number("alpha", self.alpha, low=0)
        if self.alpha > 1:
            raise ValueError(f"alpha is {self.alpha!r}; wanted a number of at most 1")
        check_number("gamma", self.gamma, low=0)
        check_number("A", self.A, low=0)
        check_number("B", self.B, low=0, strict=True)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        self.centroids_ = label_means(unit_rows(X), Y)
        super()._fit(X, Y, eval_set, report)

    def _gains(self, Y: sparse.csr_array) -> np.ndarray:
        return 1.0 / propensities(Y, self.A, self.B)

    def _rank(
        self, forest: InstanceForest, reached: np.ndarray, X: sparse.csr_array, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        proposed = mean_leaves(forest, reached, max(k, min(PROPOSED, self.n_labels_)), n_jobs=self.n_jobs)
        return rerank_by_centroids(
            *proposed, unit_rows(X), self.centroids_, k, alpha=self.alpha, gamma=self.gamma, n_jobs=self.n_jobs
        )

    def _check_state(self) -> None:
        super()._check_state()
        self._require_shapes(centroids_=(self.n_features_in_, self.n_labels_))


def unit_rows(X: sparse.csr_array) -> sparse.csr_array:
    lengths = np.sqrt(np.add.reduceat(np.concatenate([np.square(X.data, dtype=np.float64), [0.0]]), X.indptr[:-1]))
    lengths[np.diff(X.indptr) == 0] = 1.0
    lengths[lengths == 0] = 1.0
    data = X.data / np.repeat(lengths, np.diff(X.indptr)).astype(np.float32)
    return sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)


def label_means(X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
    """(d, L)"""
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    M = sparse.csr_array(X.T @ Y)
    M.data /= counts[M.indices]
    M.data = M.data.astype(np.float32)
    M.sort_indices()
    return M
