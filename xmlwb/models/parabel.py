r"""Parabel: balanced label trees, deep, by twos."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse

from xmlwb.models.label_trees import LabelTrees
from xmlwb.models.validation import check_number
from xmlwb.solvers.label_clustering import label_centroids, split_in_halves


class Parabel(LabelTrees):
    r"""Balanced label trees: halves of the labels down to groups of 100, a classifier for each child.

    A node's labels are halved by balanced spherical 2-means of their representations :math:`v_l` (the direction of the
    mean positive instance),

    .. math:: \max_{\mu_\pm,\, \alpha \in \{\pm 1\}^m} \; \tfrac1m \sum_l
              \bigl( \tfrac{1 + \alpha_l}{2} \mu_+ + \tfrac{1 - \alpha_l}{2} \mu_- \bigr)^{\!\top} v_l
              \qquad \text{with } \Bigl| \sum_l \alpha_l \Bigr| \le 1,

    and for each child c, over the instances I(v) that have a label below its parent v,

    .. math:: \min_{w_c} \; \tfrac12 \lVert w_c \rVert^2 + C \sum_{i \in I(v)} \max(0,\, 1 - y_{ic} w_c^\top x_i)^2 ,
              \qquad \log P(c \mid v, x) = -\max(0,\, 1 - w_c^\top x)^2 .

    A label's probability is the product along its path, found by beam search, averaged over the trees.

    Parameters
    ----------
    n_trees : int, default 3
        T; they differ in the labels that 2-means starts from. omikuji's default.
    max_leaf : int, default 100
        M: labels in a leaf group, at most. omikuji's and PECOS's default.
    C : float, default 1.0
        Weight of the loss; omikuji's and PECOS's default.
    threshold : float, default 0.1
        Weights smaller than this are dropped; omikuji's and PECOS's default.
    beam : int, default 10
        P: inner nodes kept at each level when predicting; may be changed after the fit.
    tol : float, default 0.1
        As in `OneVsAll`; omikuji's and PECOS's default.
    max_iter : int, default 100
        Passes over a node's instances, at most; PECOS's default. A cap, not a promise: omikuji makes 20.
    n_jobs : int or None, default None
        Nodes learned side by side, in threads; prediction shares out the instances. The model does not depend on it.
    random_state : int or None, default 0
        First centroids of each clustering, order of the solver's visits.

    Attributes
    ----------
    tree_ptr_, children_ptr_, child_, bias_, rows_ptr_, entries_ptr_, features_, n_entries_, entry_child_, entry_weight_
        The trees as flat arrays, each as in `xmlwb.solvers.label_forest.Forest`; `label_tree` and `classifiers` read
        them.
    n_iter_ : int
        The most passes that a node needed.

    Notes
    -----
    `predict_topk` scores are log-probabilities. Trees are learned one after the other and level by level; a fit that
    is stopped keeps its whole trees, or, within the first, ends it at the level that was reached and ranks the labels
    below by their share of the positives.

    Train, for a tree, O(passes x sum over labels of the entries of their instances x log(L / M)) at most; predict, for
    an instance and a tree, O(P log(L / M) x nnz(x) + P M); size 5 bytes a kept weight and 3 to 5 a feature of a node.

    ============== =============================== =========================== =================================
    what           paper                           omikuji (defaults; README)  here
    ============== =============================== =========================== =================================
    text           its full text was not at hand   read                        after what cites and rebuilds it
    leaf level     labels one-vs-all in a leaf     the same                    the same; leaves equally deep
    solver         not at hand                     dual coordinate descent,    the same dual, 16 (or 4) children
                                                   20 passes                   at a time, to tol or 100 passes
    constant       not at hand                     a feature, pruned too       a feature, never pruned
    unlabelled     not at hand                     not at hand                 reach no node
    prediction     not at hand                     instance by instance        a level at a time for a batch
    ============== =============================== =========================== =================================

    Beside PECOS and omikuji on the same data: ``benchmarks/peers.py --methods
    parabel:n_trees=1,pecos-xlinear,parabel,omikuji-parabel``; the README shows the figures.

    References
    ----------
    Prabhu, Kag, Harsola, Agrawal and Varma, "Parabel: partitioned label trees for extreme classification with
    application to dynamic search advertising", WWW 2018.

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 0, 1, 2, 3]]
    >>> model = Parabel(n_trees=1, max_leaf=2).fit(X, X)
    >>> sorted(len(model.label_tree().labels_under(child)) for child in model.label_tree().children(0))
    [2, 2]
    >>> model.predict_topk(X[:4], k=1).indices.tolist()
    [0, 1, 2, 3]
    """

    def __init__(
        self,
        *,
        n_trees: int = 3,
        max_leaf: int = 100,
        C: float = 1.0,
        threshold: float = 0.1,
        beam: int = 10,
        tol: float = 0.1,
        max_iter: int = 100,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_trees = n_trees
        self.max_leaf = max_leaf
        self.C = C
        self.threshold = threshold
        self.beam = beam
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check_params(self) -> None:
        super()._check_params()
        check_number("max_leaf", self.max_leaf, low=1, integer=True)

    def _representation(self, X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
        return label_centroids(X, Y, n_jobs=self.n_jobs)

    def _n_levels(self, n_labels: int) -> int:
        return max(0, math.ceil(math.log2(n_labels / self.max_leaf)))

    def _divide(
        self, V: sparse.csr_array, labels: np.ndarray, level: int, n_levels: int, seed: int
    ) -> list[np.ndarray]:
        return split_in_halves(V, labels, seed) if level < n_levels else [labels]
