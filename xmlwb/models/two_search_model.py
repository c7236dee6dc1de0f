"""An encoder of word vectors, and two searches behind it: what Astec's modules 1 and 2 leave for prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.validation import validate_X
from xmlwb.models.word_table import WordTableModel
from xmlwb.solvers import hnsw
from xmlwb.solvers.bag_features import bag_features
from xmlwb.solvers.shortlist import Shortlist
from xmlwb.solvers.two_searches import TwoSearches

#: From so many vectors on "auto" searches in a graph.
_GRAPH_FROM = 16_384
#: Width of the search while building, and links, of the two graphs (the released code: 300 and 100, 50 and 50).
_LABEL_GRAPH = {"ef_construction": 200, "n_links": 32}
_INSTANCE_GRAPH = {"ef_construction": 100, "n_links": 24}


class TwoSearchModel(WordTableModel):
    """Base of a method with a frozen encoder and the shortlists of `TwoSearches`.

    A subclass has the arguments `search`, `ef`, `shortlist_size`, `n_neighbours`, `gamma` and `n_jobs`, besides those
    of `WordTableModel`. How the structures answer, exactly or by a graph, is fitted state.

    Attributes
    ----------
    E_ : ndarray, shape (d, D), float32
    label_embeddings_ : ndarray, shape (L, D), float32
    instances_, instance_labels_ : ndarray (n', D), csr_array (n', L)
    graph_, instance_graph_ : ndarrays of uint8
    learned_ : ndarray of int
    """

    E_: np.ndarray
    label_embeddings_: np.ndarray
    instances_: np.ndarray
    instance_labels_: sparse.csr_array
    graph_: np.ndarray
    instance_graph_: np.ndarray
    learned_: np.ndarray

    search: str
    ef: int | None
    shortlist_size: int
    n_neighbours: int
    gamma: float
    n_jobs: int | None
    _live: tuple[tuple[Any, ...], TwoSearches] | None = None

    def embed(self, X: Any) -> np.ndarray:
        """phi(x) of the rows of X, sparse or dense (n, d): rows of unit length, none below 0; (n, D) float32."""
        check_is_fitted(self, "E_")  # also in the callback of a fit
        return self._encode(validate_X(self, X, reset=False))

    def shortlist(self, X: Any, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The shortlists of the rows of X (n, d).

        Parameters
        ----------
        X : sparse or dense, shape (n, d)
        k : int or None
            None: as many as in the fit.

        Returns
        -------
        labels : ndarray, shape (n, k), int32
            Best first; -1 in the empty places.
        sums : ndarray, shape (n, k), float32
            See `TwoSearches`.
        """
        check_is_fitted(self, "graph_")
        return self._shortlists(self._encode(validate_X(self, X, reset=False)), k)

    def _encode(self, X: sparse.csr_array) -> np.ndarray:
        return bag_features(X, self.E_, "relu", n_jobs=self.n_jobs)

    def _build_searches(self, Z: np.ndarray, Y: sparse.csr_array) -> None:
        """The two structures over the centroids, which are there, and over training instances at Z (n, D)."""
        rows = np.flatnonzero(np.diff(Y.indptr))
        seed = 0 if self.random_state is None else self.random_state
        kind = self._kind(len(self.learned_))
        by_label = Shortlist.build(
            self.label_embeddings_, self.learned_, search=kind, random_state=seed, **_LABEL_GRAPH
        )  # fmt: skip
        self.graph_ = by_label.graph
        self.instances_, self.instance_graph_ = np.zeros((0, Z.shape[1]), np.float32), np.empty(0, np.uint8)
        self.instance_labels_ = sparse.csr_array(Y[rows] if len(rows) < Y.shape[0] else Y)
        if self.n_neighbours and len(rows):
            by_instance = Shortlist.build(
                Z[rows], np.arange(len(rows)), search=self._kind(len(rows)), random_state=seed, **_INSTANCE_GRAPH
            )  # fmt: skip
            self.instance_graph_ = by_instance.graph
            if not len(self.instance_graph_):  # a graph has the vectors itself
                self.instances_ = by_instance.vectors

    def _kind(self, n: int) -> str:
        return self.search if self.search != "auto" else "hnsw" if n > _GRAPH_FROM else "exact"

    def _searches(self) -> TwoSearches:
        source = (self.label_embeddings_, self.learned_, self.graph_, self.instances_, self.instance_labels_,
                  self.instance_graph_, self.gamma)  # fmt: skip
        if self._live is None or any(a is not b for a, b in zip(self._live[0], source, strict=True)):
            by_label = Shortlist(self.label_embeddings_, self.learned_, self.graph_)
            vectors, by_instance = self.instances_, None
            if len(self.instance_graph_):  # only their number and width are asked for
                vectors = np.broadcast_to(np.float32(0), (self.instance_labels_.shape[0], self.E_.shape[1]))
            if len(vectors):
                by_instance = Shortlist(vectors, np.arange(len(vectors)), self.instance_graph_)
            self._live = source, TwoSearches(by_label, by_instance, self.instance_labels_, self.gamma)
        return self._live[1]

    def _shortlists(self, Z: np.ndarray, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        size = min(k or self.shortlist_size, self.n_labels_)
        m = min(self.n_neighbours, self.instance_labels_.shape[0])
        return self._searches().find(Z, size, n_neighbours=m, ef=self.ef, n_jobs=self.n_jobs)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_live": None}  # made anew from what is there

    def _check_state(self) -> None:
        super()._check_state()
        d, L, D = self.n_features_in_, self.n_labels_, self.E_.shape[1]
        n = self.instance_labels_.shape[0]
        self._require_shapes(E_=(d, D), label_embeddings_=(L, D), instance_labels_=(n, L))
        if len(self.instances_):
            self._require_shapes(instances_=(n, D))
        occur = np.flatnonzero(self.label_counts_)
        if self.learned_.dtype.kind != "i" or not np.array_equal(self.learned_, occur):
            raise ValueError("learned_ are not the labels with a count in label_counts_, ascending")
        for graph, size in ((self.graph_, len(self.learned_)), (self.instance_graph_, n)):
            if len(graph):
                hnsw.check(graph, size, D)
        if not np.isin(self.instance_labels_.indices, self.learned_).all():
            raise ValueError("instance_labels_ has labels without a count in label_counts_")
        lengths = np.linalg.norm(self.label_embeddings_, axis=1)
        if not (lengths < 1.001).all():  # NaN is not either
            raise ValueError("label_embeddings_ are not of unit length")
