r"""A partition of the input space on top of a linear classifier: an instance is scored for its part's labels only."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.base import EvalSet, XMCModel, model_class
from xmlwb.models.callbacks import STOP, Event, Reporter, _Stop
from xmlwb.models.one_vs_all import OneVsAll
from xmlwb.models.validation import check_number, check_seed, validate_X
from xmlwb.solvers.input_partition import GrowingTree, split_in_two, unit_rows
from xmlwb.solvers.instance_trees import InstanceForest, InstanceTree, join_trees
from xmlwb.solvers.label_assignment import assign_labels
from xmlwb.solvers.leaf_topk import topk_of_leaves
from xmlwb.solvers.topk import topk_product

#: The least that an instance pulls at the centre of its part, however badly the base ranks it.
MIN_WEIGHT = 0.01


class LPSR(XMCModel):
    r"""Label partitioning for sub-linear ranking.

    A base classifier scores labels, :math:`f_l(x)`. Two choices make its prediction sub-linear in L, and leave its
    scores as they are:

    - input partition: weighted 2-means, again and again, of the training instances; an instance weighs as much as the
      base is right about it, since no partition helps those whose labels the base would not find among all of them;
    - label assignment: each leaf keeps at most m labels, those that give its training instances the best precision at
      k when the base ranks no others,

    .. math:: \max_{S, \, |S| \le m} \; \sum_{i \in \text{leaf}} \;
              \bigl| \{ l \in S : y_{il} = 1, \; f_l(x_i) \text{ among the } k \text{ highest of } S \} \bigr|

    Parameters
    ----------
    base : XMCModel or None, default None
        A linear model, `OneVsAll` or `NaiveBayes`; `fit` clones it and fits the clone. None: ``OneVsAll()`` with this
        model's `n_jobs` and `random_state`.
    n_trees : int, default 2
        Partitions. An instance is scored for the labels of all its leaves.
    max_leaf : int, default 200
        Instances of a leaf, at most, unless they cannot be told apart.
    n_labels : int, default 100
        m, the labels that a leaf keeps. With all of them in one leaf the model is its base.
    k : int, default 5
        The k of the precision that the labels are chosen for.
    n_jobs : int or None, default None
        Threads. The model does not depend on it.
    random_state : int or None, default 0
        First centres of the 2-means, and the base's seed if `base` is None.

    Attributes
    ----------
    weights_ : csr_array, shape (L, d), float32; (L, 2 d + 1) over `NaiveBayes`
    intercept_ : ndarray, shape (L,), float32
        The fitted base. A label's weights lie side by side, since a leaf needs those of few labels.
    base_method_ : str
        Its class.
    tree_ptr_, first_child_, bias_, separators_, leaves_
        The partitions, as `xmlwb.solvers.instance_trees.InstanceForest` explains them; `instance_tree` gives one of
        them. ``leaves_`` (n_nodes, L) holds, for the labels that a leaf keeps, the part of its training instances that
        have them.

    Notes
    -----
    Train: the base; its scores of all labels for all instances, O(n (weights of an instance's features + L)), the
    dearest step over naive Bayes; O(n_trees x depth x turns of the 2-means x nnz(X)) for the partitions; and for the
    labels O(n_trees x n x (weights of an instance's features + m)). Predict, a batch, O(n_trees x depth x nnz(X)) to
    reach the leaves, then the weights of the leaves' labels: instances of one leaf share the reading of the base's
    weights, which is the larger part. Size: that of the base, and 8 bytes a separator's weight.

    Labels scored and P@1 are traded by m and by the number of trees. ``benchmarks/paper_tables.py --methods ova,lpsr``:
    P@1 over ten splits 63.2 on bibtex, 68.2 on delicious (one-vs-all 64.2 and 68.4; the paper of 2018 prints 62.11 and
    65.01 for LPSR). With few labels, as there, one-vs-all is the faster of the two; sub-linear pays from some thousands
    on, and for batches: a single instance has to read all weights of its leaves' labels.

    A STOP while the base learns leaves the base as far as it came, behind one leaf with all its labels if it holds more
    than `max_leaf` instances. One that comes between levels leaves the partition as it is; leaves that would have been
    parted further keep all labels of their instances. The base's own figures on validation data come before, under
    another name: ``base valid P@1``.

    ================== =============================== ======================================================
    what               paper (its abstract; the body   here
                       was not at hand)
    ================== =============================== ======================================================
    base               any that scores labels          linear, with sparse weights
    input partition    "an input partition"            weighted spherical 2-means; each side gets about a tenth
                                                       at least, if that parts no equal instances
    weights            not at hand                     the base's precision at k on the instance, at most
                                                       min(k, labels of the instance)
    label assignment   "such that precision at k is    the same, greedily; where nothing adds to precision
                       optimized"                      at k, at 2 k, 4 k, ...
    partitions         not at hand                     `n_trees`
    ================== =============================== ======================================================

    No code of the authors' was at hand. The figures of Zhang et al. (2018) are from LPSR over a base that they do not
    name on small sets, and over naive Bayes on large ones.

    References
    ----------
    Weston, Makadia and Yee, "Label partitioning for sublinear ranking", ICML 2013.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> X = np.array([[1, 0], [0, 1], [2, 0], [0, 2]], dtype=np.float32)
    >>> Y = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    >>> model = LPSR(n_trees=1, max_leaf=2, n_labels=1).fit(X, Y)
    >>> model.instance_tree().n_nodes
    3
    >>> model.predict_topk(X, k=2).toarray().astype(bool).astype(int)  # one label is scored
    array([[1, 0],
           [0, 1],
           [1, 0],
           [0, 1]])
    """

    stage = "step of the base, or level"

    def __init__(
        self,
        *,
        base: XMCModel | None = None,
        n_trees: int = 2,
        max_leaf: int = 200,
        n_labels: int = 100,
        k: int = 5,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.base = base
        self.n_trees = n_trees
        self.max_leaf = max_leaf
        self.n_labels = n_labels
        self.k = k
        self.n_jobs = n_jobs
        self.random_state = random_state

    def apply(self, X: object) -> np.ndarray:
        """The leaf that each row of X reaches in each tree, numbered within it: shape (n, n_trees), int32."""
        check_is_fitted(self)
        return self._forest.apply(unit_rows(validate_X(self, X, reset=False)), n_jobs=self.n_jobs)

    def instance_tree(self, tree: int = 0) -> InstanceTree:
        """One of the partitions; its separators are for rows of unit length."""
        check_is_fitted(self)
        if not 0 <= tree < self._forest.n_trees:
            raise ValueError(f"tree is {tree}; wanted 0 <= tree < {self._forest.n_trees}")
        return self._forest.tree(tree)

    def labels_scored(self, X: object) -> np.ndarray:
        """How many labels the base scores for each row of X, shape (n,), int64: what a prediction costs."""
        leaves = self.apply(X) + self.tree_ptr_[:-1]
        n = len(leaves)
        reached = sparse.csr_array(
            (np.ones(leaves.size, dtype=np.int32), leaves.ravel(), np.arange(0, leaves.size + 1, leaves.shape[1])),
            shape=(n, self.leaves_.shape[0]),
        )
        return np.diff((reached @ (self.leaves_ != 0)).indptr).astype(np.int64)

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The base's fit, copies of the data for the partition, the rankings of a batch of instances.

        A partition's separators are assumed to hold as many weights as X has entries on four levels.
        """
        levels = max(1, math.ceil(math.log2(max(1.0, n / self.max_leaf))))
        partition = self.n_trees * 8 * nnz * min(levels, 4) + 16 * nnz * (1 + effective_n_jobs(self.n_jobs))
        assignment = 12 * 64 * min(n, 1 << 17) + 24 * (n + L + d) + 16 * self.n_trees * self.n_labels * (n // 50 + 1)
        return self._new_base().memory_estimate(n, d, L, nnz) + partition + assignment

    def _check_params(self) -> None:
        if self.base is not None:
            if isinstance(self.base, type) or not isinstance(self.base, XMCModel):
                raise ValueError(f"base is {self.base!r}; wanted a model, such as OneVsAll() or NaiveBayes(), or None")
            if not hasattr(self.base, "linear_inputs"):
                raise ValueError(f"base is {self.base!r}, which is not linear; wanted OneVsAll(), NaiveBayes() or None")
            self.base._check_params()
        for name in ("n_trees", "max_leaf", "n_labels", "k"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_seed(self.random_state)

    def _new_base(self) -> XMCModel:
        return OneVsAll(n_jobs=self.n_jobs, random_state=self.random_state) if self.base is None else clone(self.base)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        weights = self._fit_base(X, Y, eval_set, report)
        n, L = Y.shape
        inputs, unit = self._linear_inputs(X), unit_rows(X)
        seeds = check_random_state(self.random_state).randint(2**31, size=self.n_trees).tolist()
        trees = [GrowingTree(n, seed) for seed in seeds]
        if not report.stopped:
            self._grow(trees, unit, weights, report)
        forest = join_trees([tree.finish(X.shape[1]) for tree in trees])
        limits = np.full(len(forest.first_child), self.n_labels, dtype=np.int64)
        for begin, tree in zip(forest.tree_ptr, trees, strict=False):
            for node in tree.waiting:  # a STOP came before their turn
                if len(tree.rows[node]) > self.max_leaf:
                    limits[begin + node] = L
        reached = forest.apply(unit, n_jobs=self.n_jobs)
        kept = [
            assign_labels(inputs, Y, self.weights_, self.intercept_, leaf, len(most), most, self.k, n_jobs=self.n_jobs)
            for leaf, most in zip(reached.T, np.split(limits, forest.tree_ptr[1:-1]), strict=True)
        ]
        leaves = sparse.csr_array(sparse.vstack(kept))
        self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_ = forest._replace(leaves=leaves)
        if not report.stopped:
            report.total = report.step + 1
            report({"leaves": float(np.count_nonzero(self.first_child_ == 0))} | self._valid_figures(eval_set))

    def _fit_base(
        self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter
    ) -> np.ndarray:
        """Keep its weights, labels by features; return those of the instances.

        The base, which has the same weights features by labels, is gone by then: the rest of the fit has them once.
        """
        base = self._new_base()
        later = self._levels_below(X.shape[0]) + 1

        def pass_on(event: Event) -> _Stop | None:
            report.total = event.total + later
            figures = {f"base {name}" if name.startswith("valid ") else name: x for name, x in event.figures.items()}
            return STOP if report(figures) else None

        base.fit(X, Y, eval_set=eval_set, callback=pass_on)
        self.base_method_ = type(base).__name__
        self.intercept_ = base.intercept_  # type: ignore[attr-defined]
        coef: sparse.csr_array = base.coef_  # type: ignore[attr-defined]
        right = np.ones(X.shape[0], dtype=np.float32) if report.stopped else self._weights(X, Y, coef)
        self.weights_ = sparse.csr_array(coef.T)
        return right

    def _weights(self, X: sparse.csr_array, Y: sparse.csr_array, coef: sparse.csr_array) -> np.ndarray:
        """How right the base is about each training instance: its precision at k, as a part of what can be reached."""
        inputs, k = self._linear_inputs(X), min(self.k, Y.shape[1])
        best, _ = topk_product(inputs, coef, k, bias=self.intercept_, n_jobs=self.n_jobs)
        rows, places = np.nonzero(best >= 0)
        found = sparse.csr_array((np.ones(len(rows), dtype=np.float32), (rows, best[rows, places])), shape=Y.shape)
        hits = np.asarray(found.multiply(Y).sum(axis=1))
        reachable = np.clip(np.diff(Y.indptr), 1, self.k)
        return np.maximum(hits / reachable, MIN_WEIGHT).astype(np.float32)

    def _grow(self, trees: list[GrowingTree], unit: sparse.csr_array, weights: np.ndarray, report: Reporter) -> None:
        """All trees, a level at a time."""
        with ThreadPoolExecutor(effective_n_jobs(self.n_jobs)) as pool:
            while any(tree.waiting for tree in trees):
                large = [
                    (tree, node) for tree in trees for node in tree.waiting if len(tree.rows[node]) > self.max_leaf
                ]
                if not large:
                    for tree in trees:
                        tree.add_level([None] * len(tree.waiting))
                    break
                parts = pool.map(
                    lambda at: split_in_two(unit, at[0].rows[at[1]], weights, (at[0].seed + at[1]) % 2**31), large
                )
                splits = dict(zip(large, parts, strict=True))
                for tree in trees:
                    tree.add_level([splits.get((tree, node)) for node in tree.waiting])
                most = max((len(tree.rows[node]) for tree in trees for node in tree.waiting), default=1)
                report.total = report.step + 2 + self._levels_below(most)
                if report({"parts": float(sum(len(tree.waiting) for tree in trees))}):
                    break

    def _levels_below(self, n: int) -> int:
        """Levels that n instances need at least."""
        return max(0, math.ceil(math.log2(n / self.max_leaf)))

    def _linear_inputs(self, X: sparse.csr_array) -> sparse.csr_array:
        return model_class(self.base_method_).linear_inputs(X)  # type: ignore[attr-defined]

    @property
    def _forest(self) -> InstanceForest:
        return InstanceForest(self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_)

    def _check_state(self) -> None:
        super()._check_state()
        if not hasattr(model_class(self.base_method_), "linear_inputs"):
            raise ValueError(f"base_method_ is {self.base_method_!r}, which is not linear")
        width = self._linear_inputs(sparse.csr_array((1, self.n_features_in_), dtype=np.float32)).shape[1]
        self._require_shapes(weights_=(self.n_labels_, width), intercept_=(self.n_labels_,))
        for name, part in (("weights_", self.weights_.data), ("intercept_", self.intercept_)):
            if part.dtype != np.float32:
                raise ValueError(f"{name} is {part.dtype}; wanted float32")
        self._forest.check(self.n_features_in_, self.n_labels_)
        if not self.leaves_.has_canonical_format:
            raise ValueError("leaves_ has labels out of order")

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        leaves = self._forest.apply(unit_rows(X), n_jobs=self.n_jobs) + self.tree_ptr_[:-1]
        return topk_of_leaves(
            self._linear_inputs(X), self.weights_, self.intercept_, self.leaves_, leaves, k, n_jobs=self.n_jobs
        )
