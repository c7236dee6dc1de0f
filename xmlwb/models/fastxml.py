r"""Many trees over the instances, each node split so that both sides can be ranked well."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xmlwb.metrics import precision_at_k
from xmlwb.models.base import EvalSet, XMCModel, topk_to_csr
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed, validate_X
from xmlwb.solvers.instance_tree_growth import grow_tree
from xmlwb.solvers.instance_trees import InstanceForest, InstanceTree, join_trees
from xmlwb.solvers.leaf_scores import mean_leaves
from xmlwb.solvers.ndcg_partition import gain_shares

#: Instances whose leaves are held at a time in prediction.
BATCH = 1 << 16


class FastXML(XMCModel):
    """FastXML."""

    stage = "tree"
    decision_threshold = 0.5

    def __init__(
        self,
        *,
        n_trees: int = 50,
        max_leaf: int = 10,
        C: float = 4.0,
        max_leaf_labels: int = 100,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_trees = n_trees
        self.max_leaf = max_leaf
        self.C = C
        self.max_leaf_labels = max_leaf_labels
        self.n_jobs = n_jobs
        self.random_state = random_state

    def apply(self, X: object) -> np.ndarray:
        """The leaf that each instance reaches in each tree, as `instance_tree` numbers it: (n, n_trees), int32."""
        check_is_fitted(self)
        return self._forest.apply(validate_X(self, X, reset=False), n_jobs=self.n_jobs)

    def instance_tree(self, tree: int = 0) -> InstanceTree:
        """One of the trees: its shape, its separators, its leaves.

        Raises ValueError if there is no tree of that number.
        """
        check_is_fitted(self)
        if not 0 <= tree < self._forest.n_trees:
            raise ValueError(f"tree is {tree}; wanted 0 <= tree < {self._forest.n_trees}")
        return self._forest.tree(tree)

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The trees, and for each worker a node's own columns of X and labels.

        A tree is taken to have n / 5 nodes with 32 weights or labels each; an instance to have 5 labels.
        """
        trees = self.n_trees * (n // 5 + 1) * (8 * 32 + 32)
        worker = 8 * (nnz + 5 * n) + 32 * L + 8 * d + 29 * n
        return 2 * trees + min(self.n_trees, effective_n_jobs(self.n_jobs)) * worker

    def _check_params(self) -> None:
        check_number("n_trees", self.n_trees, low=1, integer=True)
        check_number("max_leaf", self.max_leaf, low=1, integer=True)
        check_number("C", self.C, low=0, strict=True)
        check_number("max_leaf_labels", self.max_leaf_labels, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        report.total = self.n_trees
        trees: list[InstanceTree] = []
        reached: list[np.ndarray] = []
        for tree in self._grow_trees(X, Y, self._gains(Y), report):
            if report.stopped:
                continue  # a tree that was under way when STOP came: which ones are depends on n_jobs
            trees.append(tree)
            figures = {"leaves": float(np.count_nonzero(tree.is_leaf))}
            if eval_set is not None:
                reached.append(tree.apply(eval_set[0]))
                figures |= self._figures_of(join_trees(trees), np.stack(reached, axis=1), eval_set)
            report(figures)
        self._keep(join_trees(trees))

    def _grow_trees(
        self, X: sparse.csr_array, Y: sparse.csr_array, gains: np.ndarray, report: Reporter
    ) -> Iterator[InstanceTree]:
        """The trees in order, each with a seed of its own; no further one is begun once the fit is stopped."""
        worth = gain_shares(Y, gains)
        seeds = check_random_state(self.random_state).randint(2**31, size=self.n_trees)
        jobs = (
            delayed(grow_tree)(
                X, Y, worth, gains, max_leaf=self.max_leaf, max_leaf_labels=self.max_leaf_labels, C=self.C, seed=seed
            )
            for seed in takewhile(lambda _: not report.stopped, seeds.tolist())
        )  # fmt: skip
        return Parallel(n_jobs=self.n_jobs, prefer="threads", return_as="generator")(jobs)

    def _gains(self, Y: sparse.csr_array) -> np.ndarray:
        """g_l, what it is worth to rank a label where it is true: shape (L,), float64."""
        return np.ones(Y.shape[1])

    def _keep(self, forest: InstanceForest) -> None:
        self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_ = forest

    @property
    def _forest(self) -> InstanceForest:
        return InstanceForest(self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_)

    def _figures_of(self, forest: InstanceForest, reached: np.ndarray, eval_set: EvalSet) -> dict[str, float]:
        X, Y = eval_set
        k = min(5, self.n_labels_)
        P = precision_at_k(Y, topk_to_csr(*self._rank(forest, reached, X, k), self.n_labels_), k=k)
        return {f"valid P@{rank}": float(P[rank - 1]) for rank in (1, 5) if rank <= k}

    def _rank(
        self, forest: InstanceForest, reached: np.ndarray, X: sparse.csr_array, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores (n, k) of instances by the leaves that they have reached."""
        return mean_leaves(forest, reached, k, n_jobs=self.n_jobs)

    def _check_state(self) -> None:
        super()._check_state()
        self._forest.check(self.n_features_in_, self.n_labels_)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        batches = [X[begin : begin + BATCH] for begin in range(0, X.shape[0], BATCH)] if X.shape[0] > BATCH else [X]
        forest = self._forest
        ranked = [self._rank(forest, forest.apply(rows, n_jobs=self.n_jobs), rows, k) for rows in batches]
        labels, scores = (np.concatenate(part) for part in zip(*ranked, strict=True))
        return labels, scores
