r"""Bonsai: unbalanced label trees, shallow, by hundreds."""

from __future__ import annotations

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse

from xmlwb.models.label_trees import LabelTrees
from xmlwb.models.validation import check_choice, check_number
from xmlwb.solvers.label_clustering import label_centroids, split_by_k_means


class Bonsai(LabelTrees):
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
        :math:`z_i`: the features of a label's positives, the labels that come with it, or both, side by side as they
        are.
    C : float, default 1.0
        Weight of the loss, as in `Parabel`.
    threshold : float, default 0.1
        Weights smaller than this are dropped.
    beam : int, default 10
        P: inner nodes kept at each level when predicting; may be changed after the fit.
    tol : float, default 0.1
        As in `OneVsAll`.
    max_iter : int, default 100
        Passes over a node's instances, at most.
    n_jobs : int or None, default None
        Nodes learned side by side, in threads. The model does not depend on it.
    random_state : int or None, default 0
        First centroids of each clustering, order of the solver's visits.

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

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """As for Parabel, and K dense centroids for each worker."""
        return super().memory_estimate(n, d, L, nnz) + effective_n_jobs(self.n_jobs) * 8 * self.n_clusters * d

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
        groups = split_by_k_means(V, labels, self.n_clusters, seed, n_jobs=self.n_jobs if level == 0 else 1)
        if len(groups) == 1:  # all point the same way: any division is as good, but one there must be
            return np.array_split(labels, min(self.n_clusters, -(-len(labels) // self.max_leaf)))
        return groups
