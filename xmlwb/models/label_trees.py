r"""Partitioned label trees: Parabel (balanced, deep, by twos) and Bonsai (unbalanced, shallow, by hundreds).

Both hang the labels into a tree, so that similar labels share a branch, and learn at each node one linear classifier for
each child, on the instances that reach the node. They differ in how a node's labels are divided, and in nothing else:
`Parabel` and `Bonsai` are two front doors to one method.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_choice, check_number, check_seed
from xmlwb.solvers.beam_search import beam_search
from xmlwb.solvers.label_clustering import label_centroids, split_by_k_means, split_in_halves
from xmlwb.solvers.label_forest import Forest, plant
from xmlwb.solvers.label_tree import LabelTree, grow
from xmlwb.solvers.lanes import LANES
from xmlwb.solvers.node_classifiers import NodeWeights, learn_node, popularity_node
from xmlwb.solvers.squared_hinge import squared_norms

#: From this number of labels on a Bonsai has three levels of children instead of two, if not told otherwise.
DEEP_FROM = 100_000

Learned = tuple[LabelTree, list[NodeWeights]]


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
        instance and 300 weights a label and tree are assumed.
        """
        centroids = 8 * min(L * d, 5 * nnz)
        node = 8 * nnz + 4 * LANES * (2 * n + 2 * d)
        return 2 * centroids + effective_n_jobs(self.n_jobs) * node + 18 * self.n_trees * L * min(d, 300)

    def _check_params(self) -> None:
        check_number("n_trees", self.n_trees, low=1, integer=True)
        check_number("C", self.C, low=0, strict=True)
        check_number("threshold", self.threshold, low=0)
        check_number("beam", self.beam, low=1, integer=True)
        check_number("tol", self.tol, low=0, strict=True)
        check_number("max_iter", self.max_iter, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        if not self.label_counts_.any():
            self._set_forest(plant([]))
            report()
            return
        seeds = check_random_state(self.random_state).randint(2**31, size=(2, self.n_trees)).tolist()
        trees = self._grow(X, Y, seeds[0])
        report.total = sum(len(tree.levels) - 1 for tree in trees)
        finished: list[Learned] = []
        learned = self._learn_nodes(X, Y, trees, seeds[1], report)
        for tree in trees:
            nodes: list[NodeWeights] = []
            for level in tree.levels[:-1]:
                nodes += [next(learned) for _ in range(np.count_nonzero(tree.label[level.start : level.stop] < 0))]
                figures = {"nodes": float(sum(len(weights) for _, weights in finished) + len(nodes))}
                if level == tree.levels[-2]:
                    finished.append((tree, nodes))
                    if eval_set is not None:
                        self._set_forest(plant(finished))
                        figures |= self._valid_figures(eval_set)
                if report(figures):
                    break
            if report.stopped:
                break
        if not finished:  # stopped within the first tree, which then ends at the level that it has reached
            finished.append(_cut(tree, nodes, self.label_counts_))
        self._set_forest(plant(finished))

    def _grow(self, X: sparse.csr_array, Y: sparse.csr_array, seeds: list[int]) -> list[LabelTree]:
        """The shapes of all trees, over the labels that have a positive."""
        labels = np.flatnonzero(self.label_counts_).astype(np.int32)
        V = self._representation(X, Y)
        n_levels = self._n_levels(len(labels))
        n_jobs = effective_n_jobs(self.n_jobs)
        with ThreadPoolExecutor(n_jobs) as workers, ThreadPoolExecutor(len(seeds)) as growers:

            def grow_one(seed: int) -> LabelTree:
                rng = np.random.default_rng(seed)

                def divide(groups: list[np.ndarray], level: int) -> list[list[np.ndarray]]:
                    node_seeds = rng.integers(2**31, size=len(groups)).tolist()
                    return list(
                        workers.map(lambda group, s: self._divide(V, group, level, n_levels, s), groups, node_seeds)
                    )

                return grow(labels, divide)

            return list(growers.map(grow_one, seeds))

    def _learn_nodes(
        self, X: sparse.csr_array, Y: sparse.csr_array, trees: list[LabelTree], seeds: list[int], report: Reporter
    ) -> Iterator[NodeWeights]:
        """The classifiers of all inner nodes, tree by tree and breadth first; none is begun once the fit is stopped."""
        rows_of = Y.tocsc()
        sq_norms = squared_norms(X)
        settings = {"C": self.C, "threshold": self.threshold, "tol": self.tol, "max_iter": self.max_iter}
        inner = (
            (tree, seed, int(node))
            for tree, seed in zip(trees, seeds, strict=False)
            for node in np.flatnonzero(tree.label < 0)
        )
        jobs = (
            delayed(_learn_one)(X, sq_norms, rows_of.indptr, rows_of.indices, tree, node, seed + node, settings)
            for tree, seed, node in takewhile(lambda _: not report.stopped, inner)
        )
        return Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(jobs)

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
    def __init__(
        self,
        *,
        n_trees: int = 3,
        max_leaf: int = 100,
        C: float = 1.0,
        threshold: float = 0.1,
        beam: int = 10,
        tol: float = 0.1,
        max_iter: int = 20,
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
    def __init__(
        self,
        *,
        n_trees: int = 3,
        n_clusters: int = 100,
        depth: int | None = None,
        representation: str = "input",
        C: float = 1.0,
        threshold: float = 0.1,
        beam: int = 10,
        tol: float = 0.1,
        max_iter: int = 20,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_trees = n_trees
        self.n_clusters = n_clusters
        self.depth = depth
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
        check_number("n_clusters", self.n_clusters, low=2, integer=True)
        if self.depth is not None:
            check_number("depth", self.depth, low=1, integer=True)
        check_choice("representation", self.representation, ("input", "output", "joint"))

    def _representation(self, X: sparse.csr_array, Y: sparse.csr_array) -> sparse.csr_array:
        if self.representation == "input":
            return label_centroids(X, Y, n_jobs=self.n_jobs)
        if self.representation == "output":
            return label_centroids(Y, Y, n_jobs=self.n_jobs)
        return label_centroids(sparse.csr_array(sparse.hstack([X, Y])), Y, n_jobs=self.n_jobs)

    def _n_levels(self, n_labels: int) -> int:
        if self.depth is not None:
            return self.depth - 1
        return 1 if n_labels <= DEEP_FROM else 2

    def _divide(
        self, V: sparse.csr_array, labels: np.ndarray, level: int, n_levels: int, seed: int
    ) -> list[np.ndarray]:
        if level >= n_levels or len(labels) <= self.n_clusters:
            return [labels]
        return split_by_k_means(V, labels, self.n_clusters, seed, n_jobs=self.n_jobs if level == 0 else 1)


def _learn_one(
    X: sparse.csr_array,
    sq_norms: np.ndarray,
    indptr: np.ndarray,
    indices: np.ndarray,
    tree: LabelTree,
    node: int,
    seed: int,
    settings: dict[str, Any],
) -> NodeWeights:
    """One node's classifiers: an instance is positive for a child if it has a label below it."""
    positives = []
    for child in tree.children(node):
        labels = tree.labels_under(child)
        rows = [indices[indptr[label] : indptr[label + 1]] for label in labels]
        positives.append(rows[0] if len(rows) == 1 else np.unique(np.concatenate(rows)))
    return learn_node(X, sq_norms, positives, **settings, seed=seed)


def _cut(tree: LabelTree, nodes: list[NodeWeights], label_counts: np.ndarray) -> Learned:
    """A tree that ends below its first nodes: what hangs under them is ranked by its share of the positives."""
    first = np.flatnonzero(tree.label < 0)[len(nodes)]  # of those that were not learned
    level = tree.levels[tree.depth[first]]
    groups = [tree.labels_under(node) if tree.label[node] < 0 else np.zeros(0, dtype=np.int32) for node in level]
    below = np.concatenate(groups)
    sizes = np.array([len(group) for group in groups])
    n_children = np.concatenate([np.diff(tree.children_ptr[: level.start + 1]), sizes, np.zeros(len(below), dtype=int)])
    cut = LabelTree(np.concatenate([[0], np.cumsum(n_children)]), np.concatenate([tree.label[: level.stop], below]))
    return cut, nodes + [popularity_node(label_counts[group]) for group in groups if len(group)]
