r"""An ensemble of local embeddings that keep who is near whom in label space, and a vote of neighbours."""

from __future__ import annotations

import warnings
from itertools import pairwise
from math import ceil

import numpy as np
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.local_embedding import embed_neighbours, label_neighbours
from xmlwb.solvers.neighbour_vote import nearest, vote
from xmlwb.solvers.ridge import DIRECT_UP_TO, RidgeSystem
from xmlwb.solvers.row_subset import take_rows
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.topk import topk_product

#: Rounds of k-means, as in the released code: the clusters only have to be different and of a size.
_KMEANS_ROUNDS = 7
#: Instances that are predicted at a time.
_BATCH = 1 << 13


class SLEEC(XMCModel):
    r"""Sparse local embeddings for extreme multi-label classification.

    In each cluster of instances, with unit label vectors :math:`y_i` and Omega the pairs of which one is among the
    nearest of the other in label space, low-dimensional :math:`z_i` are learned that have the same inner products on
    Omega, then a regression from the features to them:

    .. math:: Z = \arg\min_{Z \in R^{m \times l}}
                  \sum_{(i,j) \in \Omega} \left( y_i^\top y_j - z_i^\top z_j \right)^2, \qquad
              V = \arg\min_{V \in R^{l \times d}} \sum_i \lVert z_i - V x_i \rVert^2 + \alpha \lVert V \rVert_F^2

    A new instance goes to the closest cluster and lets the training instances nearest to V x there vote on its labels.
    Label vectors far from each other may be anywhere: so few dimensions serve labels without a common low rank.
    Clusterings are random; several of them are asked, and their neighbours vote together.

    Parameters
    ----------
    n_components : int, default 100
        l. The released parameters have 100 for the small sets, 50 or 75 for the large.
    n_learners : int, default 5
        Clusterings, each with embeddings of its own. Released: 1 to 20, most often 5. Where all instances fit into one
        cluster there is nothing that differs, and one learner is all there is.
    cluster_size : int, default 5000
        Instances of a cluster, on average: a learner has ceil(n / cluster_size) clusters. Released: 100 clusters for
        the 490,449 instances of Amazon-670K, 50 for the 196,606 of Delicious-200K.
    n_graph_neighbors : int, default 100
        Nearest in label space whose similarity is kept, an instance itself among them. Released: 100 for Eurlex, 250 to
        500 for the other small sets, 15 to 50 for the large.
    n_neighbors : int, default 25
        Neighbours that vote, of each learner. Released: 25 for bibtex, 70 for delicious, 4 to 11 where there are
        several learners (70 for Delicious-200K).
    alpha : float, default 2.5
        Weight of the regression's penalty, for rows of unit length. The released cost c is 1 / (2 alpha): 0.2 for
        bibtex, 0.1 for delicious and most large sets.
    n_steps : int, default 5
        Steps of singular value projection. In validation 5 were better than none on bibtex and delicious, and 20 no
        better than 5 on bibtex.
    n_jobs : int or None, default None
        Threads of the sparse products; the model does not depend on it.
    random_state : int or None, default 0
        Each learner gets a seed of its own from it.

    Attributes
    ----------
    learner_ptr_ : ndarray, shape (learners + 1,), int64
        The clusters of learner t are ``learner_ptr_[t]`` to ``learner_ptr_[t + 1] - 1``.
    centres_ : csr_array, shape (clusters, d), float32
        The mean of each cluster's instances.
    member_ptr_ : ndarray, shape (clusters + 1,), int64
        Where each cluster's instances begin in `members_` and `embeddings_`.
    members_ : ndarray, shape (learners * n,), int32
        The training instances, cluster by cluster.
    embeddings_ : ndarray, shape (learners * n, l), float32
        V x of each of them.
    feature_ptr_ : ndarray, shape (clusters + 1,), int64
        Where each cluster's features begin in `features_` and `weights_`.
    features_ : ndarray, shape (features of all clusters,), int32
        The features that occur in each cluster, ascending.
    weights_ : ndarray, shape (features of all clusters, l), float32
        V transposed, one row a feature.
    labels_ : csr_array, shape (n, L), float32
    errors_ : ndarray, shape (clusters,), float64
        The root of the mean squared error of the similarities, as `embed_neighbours` left it.

    Notes
    -----
    A score is the share of the neighbours that carry the label. Labels that none carries are not predicted, so a row
    may hold fewer than k labels.

    With m instances in a cluster, each with s of the features, k = `n_graph_neighbors`, T learners:
    train O(T n (L-vectors' overlap + m + (k + l) l n_steps + s l x regression steps)); predict, an instance,
    O(T (s + m) l); size 4 l (T n + features of all clusters) bytes and the labels. Nothing is n x n.

    ============ ============================ ================================== ===================================
    what         paper (its abstract, and     released code, as a repository     here
                 notes of a reader; its text  holds it (FrancesZhou/XMTC_SLEEC)
                 was not at hand)
    ============ ============================ ================================== ===================================
    clusters     by features, several         k-means on unit rows from random   the same; centres at the mean,
                 clusterings                  rows, 7 rounds; the centre of      the closest one by distance
                                              greatest inner product
    Omega        k nearest in label space     by cosine, one way                 by cosine, both ways
    Z            singular value projection    200 gradient steps at most on      singular value projection, a step
                                              Z^T W, Z and W apart, from a       of subspace iteration each
                                              truncated SVD
    V            squared loss, L1 of V x      ADMM, 2 rounds, c = 1/(2 alpha).   ridge regression
                 (lambda) and L2 of V         It sets to 0 what is below 10,
                                              and z are not longer than about
                                              1: a ridge, but for a thousandth
    sparsity     -                            the smallest weights and           none; only features that occur
                                              coordinates dropped: 1 % on small  in the cluster have weights
                                              sets, 50 to 95 % on large
    neighbours   k nearest of V x_i           of V x_i, by distance              the same
    vote         of all learners              a count                            a count, as a share
    ============ ============================ ================================== ===================================

    By inner product or by cosine in place of distance, P@1 is lower by 2 or more on bibtex' validation rows.

    References
    ----------
    Bhatia, Jain, Kar, Varma and Jain, "Sparse local embeddings for extreme multi-label classification", NIPS 2015.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018, prints its results on more sets.

    Examples
    --------
    >>> X = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0)
    >>> Y = np.repeat(np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1]]), 10, axis=0)
    >>> model = SLEEC(n_components=3, n_neighbors=5, alpha=0.1).fit(X, Y)
    >>> model.predict(X[::10])
    array([[1, 1, 0],
           [0, 1, 0],
           [0, 0, 1],
           [1, 0, 1]])
    """

    stage = "learner"
    decision_threshold = 0.5
    prediction_params = frozenset({"n_neighbors"})

    def __init__(
        self,
        *,
        n_components: int = 100,
        n_learners: int = 5,
        cluster_size: int = 5000,
        n_graph_neighbors: int = 100,
        n_neighbors: int = 25,
        alpha: float = 2.5,
        n_steps: int = 5,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.n_learners = n_learners
        self.cluster_size = cluster_size
        self.n_graph_neighbors = n_graph_neighbors
        self.n_neighbors = n_neighbors
        self.alpha = alpha
        self.n_steps = n_steps
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The model, twice while a learner is added to it, and the largest cluster's graph, embedding and regression.

        The largest cluster is taken to hold twice `cluster_size` instances, and a cluster's instances to share none of
        their features.
        """
        n_clusters = ceil(n / self.cluster_size)
        m = min(n, 2 * self.cluster_size)
        width, k = self.n_components, min(m, self.n_graph_neighbors)
        entries = nnz * m // n + 1
        features = min(d, entries)
        n_learners = self.n_learners if n_clusters > 1 else 1
        model = n_learners * (4 * n * (width + 1) + n_clusters * (4 * (width + 1) + 8) * min(d, nnz // n_clusters + 1))
        embedding = 56 * m * k + 4 * 7 * m * (width + 10)
        regression = 24 * entries + (16 * features**2 if features <= DIRECT_UP_TO else 20 * features * width)
        clustering = 8 * nnz + 3 * 8 * n_clusters * d + 64 * n
        return 2 * model + 8 * nnz + max(clustering, embedding + regression) + 4 * m * width

    def _check_params(self) -> None:
        for name in ("n_components", "n_learners", "cluster_size", "n_graph_neighbors", "n_neighbors"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("alpha", self.alpha, low=float(np.finfo(np.float32).tiny))
        check_number("n_steps", self.n_steps, low=0, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        n, d = X.shape
        unit = sparse.csr_array(normalize(X))
        n_clusters = ceil(n / self.cluster_size)
        report.total = self.n_learners if n_clusters > 1 else 1
        seeds = check_random_state(self.random_state).randint(2**31, size=report.total).tolist()
        width = min(self.n_components, n)
        self.labels_ = Y
        self.learner_ptr_ = np.zeros(1, dtype=np.int64)
        self.centres_ = sparse.csr_array((0, d), dtype=np.float32)
        self.member_ptr_, self.members_ = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32)
        self.embeddings_ = np.empty((0, width), dtype=np.float32)
        self.feature_ptr_, self.features_ = np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32)
        self.weights_ = np.empty((0, width), dtype=np.float32)
        self.errors_ = np.empty(0)
        for seed in seeds:
            self._add_learner(unit, _clusters(unit, n_clusters, seed), seed)
            newest = self.errors_[self.learner_ptr_[-2] :]
            if report({"error": float(newest.mean())} | self._valid_figures(eval_set)):
                break

    def _add_learner(self, X: sparse.csr_array, clusters: list[np.ndarray], seed: int) -> None:
        """Embed the clusters of one clustering, each on its own, and put them behind what is there."""
        centres, members, embeddings, features, weights, errors = [], [], [], [], [], []
        for rows in clusters:
            inputs, used = take_rows(X, rows)
            mean = np.zeros(X.shape[1], dtype=np.float32)
            mean[used] = np.bincount(inputs.indices, inputs.data.astype(np.float64), minlength=len(used)) / len(rows)
            centres.append(sparse.csr_array(mean[None]))
            omega = label_neighbours(self.labels_[rows], self.n_graph_neighbors, n_jobs=self.n_jobs)
            Z, missing = embed_neighbours(
                omega, self.weights_.shape[1], n_steps=self.n_steps, random_state=seed, n_jobs=self.n_jobs
            )
            system = RidgeSystem(inputs, self.alpha, fit_intercept=False, n_jobs=self.n_jobs)
            V = system.solve(Z)[0]
            members.append(rows)
            embeddings.append(times_dense(inputs, V, n_jobs=self.n_jobs))
            features.append(used)
            weights.append(V)
            errors.append(missing[-1])
        self.learner_ptr_ = np.append(self.learner_ptr_, self.learner_ptr_[-1] + len(clusters))
        self.centres_ = sparse.csr_array(sparse.vstack([self.centres_, *centres]))
        self.member_ptr_ = _extended(self.member_ptr_, members)
        self.members_ = np.concatenate([self.members_, *members], dtype=np.int32)
        self.embeddings_ = np.concatenate([self.embeddings_, *embeddings])
        self.feature_ptr_ = _extended(self.feature_ptr_, features)
        self.features_ = np.concatenate([self.features_, *features], dtype=np.int32)
        self.weights_ = np.concatenate([self.weights_, *weights])
        self.errors_ = np.append(self.errors_, errors)

    def _check_state(self) -> None:
        super()._check_state()
        n, width = self.labels_.shape[0], self.weights_.shape[-1]
        n_clusters = len(self.member_ptr_) - 1
        self._require_shapes(
            labels_=(n, self.n_labels_), members_=(len(self.embeddings_),), features_=(len(self.weights_),),
            embeddings_=(len(self.members_), width), weights_=(len(self.features_), width), errors_=(n_clusters,),
            centres_=(n_clusters, self.n_features_in_), feature_ptr_=(n_clusters + 1,),
        )  # fmt: skip
        for name, end, least in (
            ("learner_ptr_", n_clusters, 1),
            ("member_ptr_", len(self.members_), 1),
            ("feature_ptr_", len(self.features_), 0),
        ):
            ptr = getattr(self, name)
            if ptr.ndim != 1 or len(ptr) < 2 or ptr[0] != 0 or ptr[-1] != end or (ptr[1:] < ptr[:-1] + least).any():
                raise ValueError(f"{name} does not part 0..{end}")
        for name, end in (("members_", n), ("features_", self.n_features_in_)):
            places = getattr(self, name)
            if len(places) and not 0 <= places.min() <= places.max() < end:
                raise ValueError(f"{name} holds the index {places.min()} or {places.max()}; wanted 0..{end - 1}")

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        unit = sparse.csr_array(normalize(X))
        parts = []
        for begin in range(0, X.shape[0], _BATCH):
            neighbours = self._neighbours(unit[begin : begin + _BATCH])
            parts.append(vote(neighbours, np.ones(neighbours.shape, dtype=np.float32), self.labels_, k))
        labels, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        return labels, scores

    def _neighbours(self, X: sparse.csr_array) -> np.ndarray:
        """The nearest training instances in each learner's embedding of the closest cluster.

        Shape (q, n_learners * k), int32, k at most the largest cluster; -1 where a cluster has fewer.
        """
        k = min(self.n_neighbors, int(np.diff(self.member_ptr_).max()))
        found = np.full((X.shape[0], len(self.learner_ptr_) - 1, k), -1, dtype=np.int32)
        for learner, (first, last) in enumerate(pairwise(self.learner_ptr_)):
            centres = self.centres_[first:last]
            offset = centres.multiply(centres).sum(axis=1).astype(np.float32) / -2
            closest = topk_product(X, sparse.csr_array(centres.T), 1, bias=offset, n_jobs=self.n_jobs)[0][:, 0]
            for cluster in np.unique(closest):
                queries = np.flatnonzero(closest == cluster)
                near = self._neighbours_in(X[queries], first + cluster)
                found[queries, learner, : near.shape[1]] = near
        return found.reshape(len(found), -1)

    def _neighbours_in(self, X: sparse.csr_array, cluster: int) -> np.ndarray:
        used = slice(*self.feature_ptr_[cluster : cluster + 2])
        inside = slice(*self.member_ptr_[cluster : cluster + 2])
        inputs = sparse.csr_array(X[:, self.features_[used]])
        queries = times_dense(inputs, self.weights_[used], n_jobs=self.n_jobs)
        Z = self.embeddings_[inside]
        # -|q - z|^2 / 2 = q.z - |z|^2 / 2, but for what is the same for all z
        lengths = np.square(Z).sum(axis=1, keepdims=True) / -2
        ones = np.ones((len(queries), 1), dtype=np.float32)
        k = min(self.n_neighbors, len(Z))
        places, _ = nearest(np.hstack([queries, ones]), np.hstack([Z, lengths]), k)
        return self.members_[inside][places]


def _clusters(X: sparse.csr_array, n_clusters: int, seed: int) -> list[np.ndarray]:
    """The rows of each cluster, by k-means from random rows."""
    if n_clusters == 1:
        return [np.arange(X.shape[0], dtype=np.int32)]
    kmeans = KMeans(n_clusters, init="random", n_init=1, max_iter=_KMEANS_ROUNDS, random_state=seed)
    # One thread: several add up the centres in the order in which they happen to end.
    with threadpool_limits(1, user_api="openmp"), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than clusters: these stay empty
        of = kmeans.fit_predict(X)
    return [np.flatnonzero(of == cluster).astype(np.int32) for cluster in np.unique(of)]


def _extended(ptr: np.ndarray, parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([ptr, ptr[-1] + np.cumsum([len(part) for part in parts])])
