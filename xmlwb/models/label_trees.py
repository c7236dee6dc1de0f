r"""Partitioned label trees: Parabel (balanced, deep, by twos) and Bonsai (unbalanced, shallow, by hundreds).

Both hang the labels into a tree, so that similar labels share a branch, and learn at each node one linear classifier
for each child, on the instances that reach the node. They differ in how a node's labels are divided, and in nothing
else: `Parabel` and `Bonsai` are two front doors to one method.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from itertools import takewhile

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_choice, check_number, check_seed
from xmlwb.solvers.beam_search import beam_search
from xmlwb.solvers.label_clustering import label_centroids, split_by_k_means, split_in_halves
from xmlwb.solvers.label_forest import Forest, LearnedTree, cut, plant
from xmlwb.solvers.label_tree import LabelTree, grow
from xmlwb.solvers.lanes import LANES
from xmlwb.solvers.node_classifiers import NodeWeights, learn_node, positives_below
from xmlwb.solvers.row_subset import frequent_first
from xmlwb.solvers.squared_hinge import squared_norms


class _LabelTrees(XMCModel):
    """What Parabel and Bonsai share: all but the division of a node's labels."""

    stage = "level"
    decision_threshold = math.log(0.5)

    n_trees: int
    C: float
    threshold: float
    beam: int
    tol: float
    max_iter: int
    n_jobs: int | None
    random_state: int | None

    @abstractmethod
    def _representation(self, X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
        """A unit vector for each label, (L, any); labels are divided by their directions."""

    @abstractmethod
    def _divide(
        self, V: sparse.csr_array, labels: np.ndarray, level: int, n_levels: int, seed: int
    ) -> list[np.ndarray]:
        """The groups of labels below a node; a single group where the labels themselves are its children."""

    @abstractmethod
    def _n_levels(self, n_labels: int) -> int:
        """Levels of inner nodes, at most."""

    def label_tree(self, tree: int = 0) -> LabelTree:
        """The shape of one tree: which labels hang together."""
        return self._forest().tree(tree)

    def classifiers(self, node: int, tree: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
        """The classifiers of a node's children: weights, shape (d, children), and biases, shape (children,)."""
        label = self.label_tree(tree).label
        if not 0 <= node < len(label) or label[node] >= 0:
            raise ValueError(f"node is {node}; wanted an inner node of a tree with {len(label)} nodes")
        inner = self.tree_ptr_[tree] + np.count_nonzero(label[:node] < 0)
        return self._forest().classifiers(int(inner), self.n_features_in_)

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """Label representations twice, the rows and dense arrays of a node for each worker, 18 bytes a kept weight.

        How many entries the representations have and how many weights are kept cannot be known before: 5 labels an
        instance and 200 weights a label and tree are assumed.
        """
        centroids = 8 * min(L * d, 5 * nnz)
        node = 8 * nnz + 4 * LANES * (2 * n + 2 * d)
        return 2 * centroids + effective_n_jobs(self.n_jobs) * node + 18 * self.n_trees * L * min(d, 200)

    def _check_params(self) -> None:
        check_number("n_trees", self.n_trees, low=1, integer=True)
        check_number("C", self.C, low=0, strict=True)
        check_number("threshold", self.threshold, low=0)
        check_number("beam", self.beam, low=1, integer=True)
        check_number("tol", self.tol, low=0, strict=True)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        self.n_iter_ = 0
        if not self.label_counts_.any():
            self._set_forest(plant([], X.shape[1]))
            report()
            return
        seeds = check_random_state(self.random_state).randint(2**31, size=(2, self.n_trees)).tolist()
        trees = self._grow(X, Y, seeds[0])
        report.total = sum(len(tree.levels) - 1 for tree in trees)
        finished: list[LearnedTree] = []
        learned = self._learn_nodes(X, Y, trees, seeds[1], report)
        for tree in trees:
            nodes: list[NodeWeights] = []
            for level in tree.levels[:-1]:
                nodes += [next(learned) for _ in range(np.count_nonzero(tree.label[level.start : level.stop] < 0))]
                figures = {"nodes": float(sum(len(weights) for _, weights in finished) + len(nodes))}
                if level == tree.levels[-2]:
                    finished.append((tree, nodes))
                    if eval_set is not None:
                        self._set_forest(plant(finished, X.shape[1]))
                        figures |= self._valid_figures(eval_set)
                if report(figures):
                    break
            if report.stopped:
                break
        if not finished:  # stopped within the first tree, which then ends at the level that it has reached
            finished.append(cut(tree, nodes, self.label_counts_))
        self.n_iter_ = max(weights.n_iter for _, nodes in finished for weights in nodes)
        self._set_forest(plant(finished, X.shape[1]))

    def _grow(self, X: sparse.csr_array, Y: sparse.csr_array, seeds: list[int]) -> list[LabelTree]:
        """The shapes of all trees, over the labels that have a positive."""
        labels = np.flatnonzero(self.label_counts_).astype(np.int32)
        V = self._representation(X, Y)
        n_levels = self._n_levels(len(labels))

        def divide(group: np.ndarray, level: int, seed: int) -> list[np.ndarray]:
            return self._divide(V, group, level, n_levels, seed)

        return grow(labels, divide, seeds, n_jobs=self.n_jobs)

    def _learn_nodes(
        self, X: sparse.csr_array, Y: sparse.csr_array, trees: list[LabelTree], seeds: list[int], report: Reporter
    ) -> Iterator[NodeWeights]:
        """The classifiers of all inner nodes, tree by tree and breadth first; none is begun once the fit is stopped."""
        rows_of = Y.tocsc()
        sq_norms = squared_norms(X)
        X, features = frequent_first(X)

        def learn(tree: LabelTree, node: int, seed: int) -> NodeWeights:
            return learn_node(
                X, features, sq_norms, positives_below(tree, node, rows_of), C=self.C, threshold=self.threshold,
                tol=self.tol, max_iter=self.max_iter, seed=seed + node,
            )  # fmt: skip

        inner = (
            (tree, int(node), seed)
            for tree, seed in zip(trees, seeds, strict=True)
            for node in np.flatnonzero(tree.label < 0)
        )
        jobs = (delayed(learn)(*task) for task in takewhile(lambda _: not report.stopped, inner))
        return Parallel(n_jobs=self.n_jobs, require="sharedmem", return_as="generator")(jobs)

    def _set_forest(self, forest: Forest) -> None:
        for name, part in forest._asdict().items():
            setattr(self, name + "_", part)

    def _forest(self) -> Forest:
        return Forest(*(getattr(self, name + "_") for name in Forest._fields))

    def _check_state(self) -> None:
        super()._check_state()
        self._forest().check(self.n_features_in_, self.n_labels_)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return beam_search(X, self._forest(), self.n_labels_, k, self.beam, n_jobs=self.n_jobs)


class Parabel(_LabelTrees):
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
    leaf level     labels one-vs-all in a leaf     the same                    the same; all leaves equally deep
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


class Bonsai(_LabelTrees):
    r"""Shallow label trees: a node's labels in up to a hundred clusters of any size, three levels deep at most.

    As `Parabel`, but a node's labels are divided by spherical K-means without balance, so that few levels suffice and a
    cluster may be as large as the data have it:

    .. math:: \max_{\mu_1 \ldots \mu_K,\, c} \; \tfrac1m \sum_l \mu_{c(l)}^\top v_l , \qquad
              v_l \propto \sum_{i:\, y_{il} = 1} z_i, \quad z_i = x_i, \; y_i \text{ or } (x_i, y_i).

    Parameters
    ----------
    n_trees : int, default 3
        T; they differ in the labels that K-means starts from. omikuji's default.
    n_clusters : int, default 100
        K, as omikuji's README sets it to compare with the released code.
    depth : int, default 3
        Steps from the root to a label, at most, as in the same comparison; 2 makes one level of clusters.
    max_leaf : int, default 100
        A node with no more labels than this is not divided further; omikuji's default.
    representation : {"input", "output", "joint"}, default "input"
        :math:`z_i`: the features of a label's positives, the labels that come with it, or both.
    C, threshold, beam, tol, max_iter, n_jobs, random_state
        As in `Parabel`.

    Attributes
    ----------
    tree_ptr_ to entry_weight_, n_iter_
        As in `Parabel`.

    Notes
    -----
    Train as `Parabel`, and O(turns x K x entries of the representations) for each level of clusters; predict, for an
    instance and a tree, O(depth x P x nnz(x) + P x children of a node). A node of many children costs a beam dearly,
    and saves the mistakes of many levels.

    ============== ================================ ============================ ===============================
    what           paper                            omikuji (README)             here
    ============== ================================ ============================ ===============================
    text           its abstract                     read                         after what cites and rebuilds it
    division       "constraint-free multi-way       cluster.k=100, unbalanced,   K = 100, depth 3
                   partitions", "shallow trees"     max_depth=3
    z              input, output, joint spaces      input                        all three
    tiny clusters  not at hand                      a single label is moved to   a single label is a leaf of its
                                                    another cluster              own; empty ones are left out
    ============== ================================ ============================ ===============================

    Beside omikuji on the same data: ``benchmarks/peers.py --methods bonsai,omikuji-bonsai``; figures: README.

    References
    ----------
    Khandagale, Xiao and Babbar, "Bonsai: diverse and shallow trees for extreme multi-label classification", Machine
    Learning 109, 2020.

    Examples
    --------
    >>> X = np.eye(6, dtype=np.float32)[[0, 1, 2, 3, 4, 5] * 2]
    >>> model = Bonsai(n_trees=1, n_clusters=3, max_leaf=2).fit(X, X)
    >>> len(model.label_tree().children(0)) <= 3
    True
    >>> model.predict_topk(X[:6], k=1).indices.tolist()
    [0, 1, 2, 3, 4, 5]
    """

    def __init__(
        self,
        *,
        n_trees: int = 3,
        n_clusters: int = 100,
        depth: int = 3,
        max_leaf: int = 100,
        representation: str = "input",
        C: float = 1.0,
        threshold: float = 0.1,
        beam: int = 10,
        tol: float = 0.1,
        max_iter: int = 100,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_trees = n_trees
        self.n_clusters = n_clusters
        self.depth = depth
        self.max_leaf = max_leaf
        self.representation = representation
        self.C = C
        self.threshold = threshold
        self.beam = beam
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.random_state = random_state

    def _check_params(self) -> None:
        super()._check_params()
        check_number("n_clusters", self.n_clusters, low=1, integer=True)
        check_number("depth", self.depth, low=1, integer=True)
        check_number("max_leaf", self.max_leaf, low=1, integer=True)
        check_choice("representation", self.representation, ("input", "output", "joint"))

    def _representation(self, X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
        if self.representation == "input":
            return label_centroids(X, Y, n_jobs=self.n_jobs)
        if self.representation == "output":
            return label_centroids(Y, Y, n_jobs=self.n_jobs)
        return label_centroids(sparse.csr_array(sparse.hstack([X, Y])), Y, n_jobs=self.n_jobs)

    def _n_levels(self, n_labels: int) -> int:
        return self.depth - 1

    def _divide(
        self, V: sparse.csr_array, labels: np.ndarray, level: int, n_levels: int, seed: int
    ) -> list[np.ndarray]:
        if level >= n_levels or len(labels) <= self.max_leaf:
            return [labels]
        return split_by_k_means(V, labels, self.n_clusters, seed, n_jobs=self.n_jobs if level == 0 else 1)
