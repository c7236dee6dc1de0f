"""k nearest neighbours by cosine: no training at all, and a tail that many trained models envy."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_choice, check_number, check_seed
from xmlwb.solvers import hnsw
from xmlwb.solvers.neighbour_vote import vote
from xmlwb.solvers.topk import topk_product


class KNN(XMCModel):
    r"""Similarity-weighted vote of the most similar training instances.

    .. math:: s_l(x) = \frac{\sum_{i \in N_k(x)} \cos(x, x_i) \, y_{il}}{\sum_{i \in N_k(x)} \cos(x, x_i)}

    Parameters
    ----------
    n_neighbors : int, default 20
        k, the number of neighbours that vote.
    search : {"exact", "hnsw"}, default "exact"
        ``"exact"`` goes through the shared features of every training instance. ``"hnsw"`` walks a navigable
        small-world graph over a dense projection (truncated SVD) to ``4 * n_neighbors`` candidates, which are then
        ranked by their exact cosine.
    n_components : int, default 256
        Width of that projection; sets with fewer features are not projected.
    ef : int, default 200
        Width of the graph search, while building and while searching.
    n_links : int, default 16
        M, links of an instance in the graph.
    n_jobs : int or None, default None
        Threads of the exact search; the result does not depend on it. The graph is built and searched with one thread,
        so that it is the same each time.
    random_state : int or None, default 0
        Seed of the projection and of the graph.

    Attributes
    ----------
    instances_ : csr_array, shape (d, n), float32
        Training instances, l2-normalised, by feature.
    labels_ : csr_array, shape (n, L), float32
    projection_ : ndarray, shape (d, n_components), float32
        Only with ``"hnsw"`` on wide data; else of width 0.
    index_ : ndarray of uint8
        The serialised graph; empty with ``"exact"``.

    Notes
    -----
    Scores lie in [0, 1]. Labels that no neighbour carries are not predicted, so a row may hold fewer than k labels;
    negative cosines do not vote.

    Train O(nnz(X)), with ``"hnsw"`` one truncated SVD and O(n log n) more; predict, for an instance, O(sum over its
    features of the instances that have them), with ``"hnsw"`` O(ef log n) distances; size nnz(X) + nnz(Y).

    P@1 over ten splits: bibtex 56.7 (paper 57.04), delicious 65.3 (paper 64.95), by ``benchmarks/peers.py --data
    bibtex,delicious --splits 10 --repeats 1 --methods knn``. The splits are not the paper's.

    ============ ============================ ===================== ============================
    what         paper (Zhang et al. 2018)    released code         here
    ============ ============================ ===================== ============================
    neighbours   not stated                   none known            20
    similarity   not stated                                         cosine
    vote         not stated                                         weighted by the similarity
    ============ ============================ ===================== ============================

    References
    ----------
    Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small
    world graphs", TPAMI 2020. Results of KNN beside other methods: Zhang et al., "Deep extreme multi-label learning",
    ICMR 2018, tables 2 and 4.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0.9, 0.1], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    >>> KNN(n_neighbors=2).fit(X, Y).predict_topk(np.array([[1.0, 0.0]]), k=3).toarray().round(2)
    array([[1. , 0.5, 0. ]], dtype=float32)
    """

    stage = "index"
    decision_threshold = 0.5
    prediction_params = frozenset({"n_neighbors"})

    def __init__(
        self,
        *,
        n_neighbors: int = 20,
        search: str = "exact",
        n_components: int = 256,
        ef: int = 200,
        n_links: int = 16,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.search = search
        self.n_components = n_components
        self.ef = ef
        self.n_links = n_links
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The training set by feature; with ``"hnsw"`` also projection, projected instances and graph."""
        exact = 2 * 8 * nnz
        if self.search == "exact":
            return exact
        width = min(d, self.n_components)
        return exact + 3 * 4 * n * width + 4 * d * width + 2 * 4 * n * (2 * self.n_links + 4)

    def _check_params(self) -> None:
        check_choice("search", self.search, ("exact", "hnsw"))
        check_seed(self.random_state)
        for name in ("n_neighbors", "n_components", "ef", "n_links"):
            check_number(name, getattr(self, name), low=2 if name == "n_links" else 1, integer=True)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        unit = sparse.csr_array(normalize(X))
        self.instances_ = sparse.csr_array(unit.T)
        self.labels_ = Y
        self.projection_ = np.zeros((X.shape[1], 0), dtype=np.float32)
        self.index_ = np.zeros(0, dtype=np.uint8)
        if self.search == "hnsw":
            seed = int(check_random_state(self.random_state).randint(2**31))
            if X.shape[1] > self.n_components:
                rank = max(1, min(self.n_components, X.shape[0] - 1))
                svd = TruncatedSVD(rank, random_state=seed).fit(unit)
                self.projection_ = np.ascontiguousarray(svd.components_.T, dtype=np.float32)
            self.index_ = hnsw.build(self._project(unit), ef=self.ef, n_links=self.n_links, random_state=seed)
        self._graph = self._read_graph()
        report({"instances": float(X.shape[0])} | self._valid_figures(eval_set))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        unit = sparse.csr_array(normalize(X))
        n_neighbors = min(self.n_neighbors, self.labels_.shape[0])
        if self._graph is None:
            neighbours, cosines = topk_product(unit, self.instances_, n_neighbors, n_jobs=self.n_jobs)
        else:
            neighbours, cosines = self._search_graph(unit, n_neighbors)
        return vote(neighbours, cosines, self.labels_, k)

    def _check_state(self) -> None:
        super()._check_state()
        n, d = self.labels_.shape[0], self.n_features_in_
        width = self.projection_.shape[1]
        self._require_shapes(instances_=(d, n), labels_=(n, self.n_labels_), projection_=(d, width))

    @classmethod
    def _restore(cls, params: dict[str, Any], state: dict[str, Any]) -> Self:
        model = super()._restore(params, state)
        model._graph = model._read_graph()
        return model

    def _read_graph(self) -> Any:
        """The live graph behind ``index_``, or None with the exact search."""
        if len(self.index_) == 0:
            return None
        return hnsw.read(self.index_, self.labels_.shape[0], self.projection_.shape[1] or self.n_features_in_)

    def _project(self, unit: sparse.csr_array) -> np.ndarray:
        dense = unit @ self.projection_ if self.projection_.shape[1] else unit.toarray()
        return np.ascontiguousarray(normalize(dense), dtype=np.float32)

    def _search_graph(self, unit: sparse.csr_array, n_neighbors: int) -> tuple[np.ndarray, np.ndarray]:
        n_candidates = min(4 * n_neighbors, self.labels_.shape[0])
        candidates, _ = hnsw.search(self._graph, self._project(unit), n_candidates, ef=self.ef)
        train = sparse.csr_array(self.instances_.T)
        cosines = np.empty(candidates.shape, dtype=np.float32)
        for begin in range(0, len(candidates), 1024):
            rows = candidates[begin : begin + 1024]  # -1, where the graph led to fewer, is looked up in vain
            repeated = unit[begin : begin + 1024][np.repeat(np.arange(len(rows)), rows.shape[1])]
            shared = train[rows.ravel()].multiply(repeated)
            cosines[begin : begin + 1024] = shared.sum(axis=1).reshape(rows.shape)
        cosines[candidates < 0] = -np.inf
        best = np.argsort(-cosines, axis=1, kind="stable")[:, :n_neighbors]
        return np.take_along_axis(candidates, best, axis=1), np.take_along_axis(cosines, best, axis=1)
