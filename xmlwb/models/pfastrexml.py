r"""FastXML for the tail: gains by propensity, and a second opinion from the labels' centroids."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.metrics import propensities
from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.fastxml import FastXML
from xmlwb.models.validation import check_number
from xmlwb.solvers.input_partition import unit_rows
from xmlwb.solvers.leaf_scores import rerank_by_centroids

#: Labels that the trees propose to the re-ranker, at most.
PROPOSED = 1000


class PfastreXML(FastXML):
    r"""FastXML with gains by propensity, whose proposals are re-ranked by how near each label's mean instance is.

    The nodes minimise `FastXML`'s objective with the gain :math:`1 / p_l` of label l in place of 1, where :math:`p_l`
    is its propensity: the chance that the label, where true, was recorded at all (`xmlwb.metrics.propensities`). The
    leaves weigh a label alike. The labels that the trees propose are then ranked by

    .. math:: \alpha \log P_\mathrm{tree}(l \mid x) + (1 - \alpha) \log P_\mathrm{tail}(l \mid x), \qquad
              P_\mathrm{tail} = \frac{1}{1 + \exp(\gamma \lVert x - \mu_l \rVert^2)}

    with x of length one and :math:`\mu_l` the mean of the training instances of label l, each of length one: a label
    with three instances, outvoted in every leaf, still has a mean that is near to what it is about.

    Parameters
    ----------
    n_trees : int, default 50
        They differ by the random start of each node's sides, as in `FastXML`.
    max_leaf : int, default 10
        A node with more instances is split, if it can be.
    C : float, default 4.0
        C_delta, the weight of the separator's loss; see `FastXML`.
    max_leaf_labels : int, default 100
        Labels that a leaf keeps.
    alpha : float, default 0.8
        Weight of the trees' opinion, from 0 to 1; the released code's default. May be changed after the fit: prediction
        uses it at once.
    gamma : float, default 30.0
        How fast a label loses with its distance; the released code's default. May be changed after the fit.
    A : float, default 0.55
        Constant of the propensity model; it belongs to the data set: ``dataset.propensity_ab``.
    B : float, default 1.5
        The model's other constant, likewise.
    n_jobs : int or None, default None
        Trees grown side by side, in threads. The model does not depend on it.
    random_state : int or None, default 0
        Each tree gets a seed of its own from it.

    Attributes
    ----------
    centroids_ : csr_array, shape (d, L), float32
        mu_l in column l; features by labels, as prediction reads them.
    tree_ptr_, first_child_, bias_, separators_, leaves_
        The trees, as in `FastXML`; a leaf's label has the share of the leaf's instances that carry it, times 1 / p_l.

    Notes
    -----
    As `FastXML`, and O(sum over i of nnz(x_i) nnz(y_i)) for the centroids, O(sum over the features of x of the labels
    whose centroid has them) to re-rank an instance, 8 bytes an entry of the centroids, of which there are at most as
    many as steps in the former sum. Prediction, whatever the number of instances, holds 32 MiB of proposals at a time,
    and 13 L bytes a thread.

    ============ ======================== ================================== =====================================
    what         paper (its abstract; the released code (PfastreXML_train,   here
                 rest was not at hand)    PfastreXML_test, fastXML.cpp)
    ============ ======================== ================================== =====================================
    gain         "propensity scored"      1 / p_l in nodes and leaves        the same
    node         nDCG (the method's       DCG: no division by the best that  nDCG
                 page)                    an instance's labels allow
    P_tail       not read                 exponent gamma ||x - mu_l||^2      the same
    proposed     not read                 1,000 labels with the best tree    the same, or k if that is more
                                          score
    score        not read                 P_tree^alpha P_tail^(1 - alpha)    its logarithm
    ============ ======================== ================================== =====================================

    References
    ----------
    Jain, Prabhu and Varma, "Extreme multi-label loss functions for recommendation, tagging, ranking & other missing
    label applications", KDD 2016.

    Examples
    --------
    >>> X = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    >>> Y = np.repeat(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), 20, axis=0)
    >>> model = PfastreXML(n_trees=5).fit(X, Y)
    >>> model.predict_topk(X[:1], k=2).toarray().round(2)
    array([[ 0.31, -2.59,  0.  ]], dtype=float32)
    """

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
        """The score at P_tree = 1/2 and a squared distance of 1/2: a convention, since P_tree is no probability."""
        return float(self.alpha * np.log(0.5) - (1 - self.alpha) * np.logaddexp(0, self.gamma / 2))

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """`FastXML`'s, and the centroids three times while they are made, an instance taken to have 5 labels."""
        return super().memory_estimate(n, d, L, nnz) + 8 * nnz + 24 * min(d * L, 5 * nnz)

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

    def _n_proposed(self, k: int) -> int:
        return max(k, min(PROPOSED, self.n_labels_))

    def _choose(
        self, labels: np.ndarray, scores: np.ndarray, X: sparse.csr_array, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        return rerank_by_centroids(
            labels, scores, unit_rows(X), self.centroids_, k, alpha=self.alpha, gamma=self.gamma, n_jobs=self.n_jobs
        )

    def _check_state(self) -> None:
        super()._check_state()
        self._require_shapes(centroids_=(self.n_features_in_, self.n_labels_))
        if self.centroids_.data.dtype != np.float32:
            raise ValueError(f"centroids_ is {self.centroids_.dtype}; wanted float32")


def label_means(X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
    """The mean of each label's instances, a column each: (d, L), float32; empty for a label without instances."""
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    M = sparse.csr_array(X.T @ Y)
    M.sort_indices()
    M.data = (M.data / counts[M.indices]).astype(np.float32)
    return M
