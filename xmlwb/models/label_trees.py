r"""Partitioned label trees: one method with two front doors, `Parabel` (parabel.py) and `Bonsai` (bonsai.py).

Both hang the labels into a tree, so that similar labels share a branch, and learn at each node one linear classifier
for each child, on the instances that reach the node. They differ in how a node's labels are divided, and in nothing
else: Parabel halves them, deep and balanced; Bonsai makes up to a hundred clusters, shallow and of any size.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Generator
from contextlib import closing
from itertools import islice

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.beam_search import beam_search
from xmlwb.solvers.in_order import in_order
from xmlwb.solvers.label_forest import Forest, LearnedTree, cut, plant
from xmlwb.solvers.label_tree import LabelTree, grow
from xmlwb.solvers.lanes import LANES
from xmlwb.solvers.node_classifiers import NodeWeights, learn_node, positives_below
from xmlwb.solvers.row_subset import frequent_first
from xmlwb.solvers.squared_hinge import squared_norms


class LabelTrees(XMCModel):
    """What Parabel and Bonsai share: all but the division of a node's labels.

    A front door says what a label is represented by, into which groups a node's labels fall, and how deep that goes.
    """

    stage = "level"
    decision_threshold = math.log(0.5)
    prediction_params = frozenset({"beam"})

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
        self._check_tree(tree)
        return self._forest().tree(tree)

    def classifiers(self, node: int, tree: int = 0) -> tuple[sparse.csr_array, np.ndarray]:
        """The classifiers of a node's children: weights, shape (d, children), and biases, shape (children,)."""
        label = self.label_tree(tree).label
        if not 0 <= node < len(label) or label[node] >= 0:
            raise ValueError(f"node is {node}; wanted an inner node of a tree with {len(label)} nodes")
        inner = self.tree_ptr_[tree] + np.count_nonzero(label[:node] < 0)
        return self._forest().classifiers(int(inner), self.n_features_in_)

    def _check_tree(self, tree: int) -> None:
        check_is_fitted(self)
        n_trees = len(self.tree_ptr_) - 1
        if not 0 <= tree < n_trees:
            raise ValueError(f"tree is {tree}; wanted 0 <= tree < {n_trees}")

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
            report(self._valid_figures(eval_set))
            return
        # A row a tree: the first trees of a large forest are those of a small one.
        seeds = check_random_state(self.random_state).randint(2**31, size=(self.n_trees, 2)).T.tolist()
        trees = self._grow(X, Y, seeds[0])
        report.total = sum(len(tree.levels) - 1 for tree in trees)
        finished: list[LearnedTree] = []
        with closing(self._learn_nodes(X, Y, trees, seeds[1])) as learned:
            for tree in trees:
                nodes: list[NodeWeights] = []
                for level in tree.levels[:-1]:
                    nodes += islice(learned, int(np.count_nonzero(tree.label[level.start : level.stop] < 0)))
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
        self, X: sparse.csr_array, Y: sparse.csr_array, trees: list[LabelTree], seeds: list[int]
    ) -> Generator[NodeWeights]:
        """The classifiers of all inner nodes, tree by tree and breadth first; none is begun once it is closed."""
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
        return in_order(learn, inner, n_jobs=self.n_jobs)

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
