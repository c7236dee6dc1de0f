r"""Many trees over the instances, each node split so that both sides can be ranked well."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xmlwb.metrics import precision_at_k
from xmlwb.models.base import EvalSet, XMCModel, topk_to_csr
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed, validate_X
from xmlwb.solvers.in_order import in_order
from xmlwb.solvers.instance_tree_growth import grow_tree
from xmlwb.solvers.instance_trees import InstanceForest, InstanceTree, join_trees
from xmlwb.solvers.leaf_scores import best_of_sums, mean_leaves
from xmlwb.solvers.ndcg_partition import gain_shares

#: Labels that the trees propose for all instances of a batch, at most; with their scores 32 MiB.
PLACES = 1 << 22
#: Instances of a batch, at least.
MIN_BATCH = 64


class FastXML(XMCModel):
    r"""A forest whose nodes part the instances so that each side has one ranking of the labels that suits it.

    At a node with the instances i, with :math:`\delta_i = \pm 1` the side of an instance and :math:`r^\pm` a ranking of
    all labels for each side:

    .. math:: \min_{w, \delta, r^+, r^-} \; \lVert w \rVert_1
              + \sum_i C_\delta(\delta_i) \log(1 + \exp(-\delta_i w^\top x_i))
              - C_r \sum_i \tfrac12 (1 + \delta_i) \, \mathrm{nDCG}(r^+, y_i)
              - C_r \sum_i \tfrac12 (1 - \delta_i) \, \mathrm{nDCG}(r^-, y_i)

    The rankings and the sides take turns while w = 0 (`xmlwb.solvers.ndcg_partition`); then w learns the sides, and
    from there on decides who goes where. A leaf holds the share of its instances that carry each label, and a label's
    score is the mean of that over the trees.

    Parameters
    ----------
    n_trees : int, default 50
        They differ by the random start of each node's sides; each sees all instances. The released code's default.
    max_leaf : int, default 10
        A node with more instances is split, if it can be. The released code's default.
    C : float, default 4.0
        C_delta, the weight of the separator's loss: an instance's own is C times the node's instances over those of its
        side, so that both sides weigh the same. The released code's default is 1, for rows as they come; rows of length
        one want more: validation chose 4 or 2 on bibtex's splits, 2 on delicious'. (C_r does not matter while w = 0.)
        With a much larger one the separator's ten Newton steps end short of its optimum.
    max_leaf_labels : int, default 100
        Labels that a leaf keeps, the most frequent ones. The released code's default.
    n_jobs : int or None, default None
        Trees grown side by side, in threads (the kernels need no interpreter). The model does not depend on it.
    random_state : int or None, default 0
        Each tree gets a seed of its own from it.

    Attributes
    ----------
    tree_ptr_ : ndarray, shape (n_trees + 1,), int64
        The nodes of tree t are ``tree_ptr_[t]`` to ``tree_ptr_[t + 1] - 1``, breadth first, its root first.
    first_child_ : ndarray, shape (n_nodes,), int32
        The child at delta = -1 of each inner node, numbered within its tree; the one at +1 is the next. 0 at a leaf.
    bias_ : ndarray, shape (n_nodes,), float32
        The weight of a constant feature 1, penalised like all others.
    separators_ : csr_array, shape (n_nodes, d), float32
        w of each inner node.
    leaves_ : csr_array, shape (n_nodes, L), float32
        The labels of each leaf. A row sums to the mean number of labels of the leaf's instances, less what
        `max_leaf_labels` cuts off; to 1 where each instance has one label.

    Notes
    -----
    A node whose instances all have the same labels is a leaf; so is one whose split leaves a side empty, for instance
    because all of its instances have the same features. Instances without labels go where the separator sends them.

    Train O(n_trees x depth x (passes x nnz(X) + rounds x nnz(Y))), where depth is about log2(n / max_leaf) + 2 and a
    tree needs some 20 passes and 10 rounds a level. Predict, an instance,
    O(n_trees x (depth x nnz(x) + labels of a leaf)). Size 8 bytes a weight and a leaf's label, 20 bytes a node. An
    ``eval_set`` costs, a tree, one walk down it and O(labels that the leaves so far hold) an instance, and 12 bytes for
    each of these labels.

    ============ ======================== ================================== =====================================
    what         paper (its abstract; the released code (fastXML.cpp)        here
                 rest was not at hand)
    ============ ======================== ================================== =====================================
    split        "optimizing an nDCG      sides and rankings in turn until   the same until nobody changes sides
                 based ranking loss"      the mean nDCG rises by < 1e-6;
                                          w once, at the end
    empty side   not read                 the node becomes a leaf            another random start, at most ten;
                                                                             also if both rankings are the same
                                                                             (if they still are, w learns the
                                                                             tenth start's sides)
    nDCG         not read                 all ranks; ties as std::sort       all ranks; ties by the lower label
                                          leaves them
    separator    not read                 LIBLINEAR's L1-regularised         the same scheme, 10 steps, 1 % of the
                                          logistic regression, 10 Newton     first violation; weights kept as
                                          steps at most; C = 1               float32; C = 4
    leaf         not read                 share of instances with each       the same
                                          label, the 100 largest
    same labels  not read                 split all the same                 a leaf
    ============ ======================== ================================== =====================================

    Leaves that sum to 1 (each label's share of the leaf's labels) did worse in validation on bibtex, whether normalised
    by instance or by leaf: they rank by proportion, and lose how many labels an instance has.

    P@1/3/5 over ten splits, C chosen on a part of the training rows: bibtex 63.06 / 38.53 / 28.31, delicious 69.58 /
    63.95 / 59.41, by ``benchmarks/paper_tables.py --table dxml-2 --methods fastxml``. Zhang et al. (2018, table 2)
    print 63.42 / 39.23 / 28.86 and 69.61 / 64.12 / 59.27.

    References
    ----------
    Prabhu and Varma, "FastXML: a fast, accurate and stable tree-classifier for extreme multi-label learning", KDD 2014.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.repeat(np.eye(3, dtype=np.float32), 20, axis=0)
    >>> Y = np.repeat(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]]), 20, axis=0)
    >>> model = FastXML(n_trees=5).fit(X, Y)
    >>> model.predict(X[::20])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1]])
    >>> [len(rows) for rows in model.instance_tree(0).rows_at(sparse.csr_array(X))]
    [60, 40, 20]
    """

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
        """The trees, twice while they are put one behind the other, and for each worker a node's own X and Y.

        A tree is taken to have n / 3 nodes, its inner ones 30 weights each, its leaves as many labels as they may keep;
        an instance to have 5 labels.
        """
        inner = n // 6 + 1
        tree = inner * (8 * 30 + 8 * min(L, self.max_leaf_labels) + 2 * 20)
        worker = 8 * (nnz + 5 * n) + 105 * n + 44 * d + 36 * L
        return 2 * self.n_trees * tree + min(self.n_trees, effective_n_jobs(self.n_jobs)) * worker

    def _check_params(self) -> None:
        check_number("n_trees", self.n_trees, low=1, integer=True)
        check_number("max_leaf", self.max_leaf, low=1, integer=True)
        check_number("C", self.C, low=0, strict=True)
        check_number("max_leaf_labels", self.max_leaf_labels, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        report.total = self.n_trees
        trees: list[InstanceTree] = []
        sums = None  # of the leaves that the validation instances have reached
        with closing(self._grow_trees(X, Y, self._gains(Y))) as grown:
            for tree in grown:
                trees.append(tree)
                figures = {"leaves": float(np.count_nonzero(tree.is_leaf))}
                if eval_set is not None:
                    shares = tree.leaves[tree.apply(eval_set[0])].astype(np.float64)
                    sums = shares if sums is None else sums + shares
                    figures |= self._figures_of(sums, len(trees), eval_set)
                if report(figures):
                    break
        self._keep(join_trees(trees))

    def _grow_trees(self, X: sparse.csr_array, Y: sparse.csr_array, gains: np.ndarray) -> Generator[InstanceTree]:
        """The trees in order, each with a seed of its own; no further one is begun once it is closed."""
        worth = gain_shares(Y, gains)
        seeds = check_random_state(self.random_state).randint(2**31, size=self.n_trees)

        def grow(seed: int) -> InstanceTree:
            return grow_tree(
                X, Y, worth, gains, max_leaf=self.max_leaf, max_leaf_labels=self.max_leaf_labels, C=self.C, seed=seed
            )

        return in_order(grow, ((seed,) for seed in seeds.tolist()), n_jobs=self.n_jobs)

    def _gains(self, Y: sparse.csr_array) -> np.ndarray:
        """g_l, what it is worth to rank a label where it is true: shape (L,), float64."""
        return np.ones(Y.shape[1])

    def _keep(self, forest: InstanceForest) -> None:
        self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_ = forest

    @property
    def _forest(self) -> InstanceForest:
        return InstanceForest(self.tree_ptr_, self.first_child_, self.bias_, self.separators_, self.leaves_)

    def _figures_of(self, sums: sparse.csr_array, n_trees: int, eval_set: EvalSet) -> dict[str, float]:
        """Precision on validation data, of which the leaves of so many trees have been added up."""
        X, Y = eval_set
        k = min(5, self.n_labels_)

        def propose(batch: slice, some: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
            return best_of_sums(sums[batch], n_trees, self._n_proposed(k), n_jobs=self.n_jobs)

        P = precision_at_k(Y, topk_to_csr(*self._in_batches(X, k, propose), self.n_labels_), k=k)
        return {f"valid P@{rank}": float(P[rank - 1]) for rank in (1, 5) if rank <= k}

    def _n_proposed(self, k: int) -> int:
        """Labels that the trees propose for an instance, at most, where k are wanted."""
        return k

    def _choose(
        self, labels: np.ndarray, scores: np.ndarray, X: sparse.csr_array, k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores (n, k) of what the trees propose for the instances X."""
        return labels, scores

    def _check_state(self) -> None:
        super()._check_state()
        self._forest.check(self.n_features_in_, self.n_labels_)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        forest = self._forest

        def propose(batch: slice, some: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
            return mean_leaves(forest, forest.apply(some, n_jobs=self.n_jobs), self._n_proposed(k), n_jobs=self.n_jobs)

        return self._in_batches(X, k, propose)

    def _in_batches(
        self, X: sparse.csr_array, k: int, propose: Callable[..., tuple[np.ndarray, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels and scores (n, k); ``propose(batch, X[batch])`` gives what the trees propose for some instances."""
        size = max(MIN_BATCH, PLACES // (self._n_proposed(k) + self.n_trees))
        chosen = []
        for begin in range(0, X.shape[0], size):
            batch = slice(begin, begin + size)
            some = X[batch] if size < X.shape[0] else X
            chosen.append(self._choose(*propose(batch, some), some, k))
        labels, scores = (np.concatenate(part) for part in zip(*chosen, strict=True))
        return labels, scores
