"""The last step of the methods that embed instances: those nearest in the embedding vote on the labels."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import XMCModel
from xmlwb.models.validation import check_choice, check_number
from xmlwb.solvers import hnsw
from xmlwb.solvers.embedded_neighbours import EmbeddedNeighbours, cluster
from xmlwb.solvers.neighbour_vote import vote


class EmbeddedVote(XMCModel):
    """Base of a method with one embedding of all training instances, divided by k-means.

    A subclass has the arguments `n_neighbors`, `vote_power`, `n_clusters`, `search` and `random_state`, and calls
    `_place` when its instances are embedded.

    Attributes
    ----------
    embedded_ : ndarray, shape (n, l), float32
        The training instances, rows of unit length.
    labels_ : csr_array, shape (n, L), float32
    centres_, assignment_ : ndarrays, shapes (m, l) float32 and (n,) int32
        The clusters.
    graph_ : ndarray of uint8
        The small-world graph of ``search="hnsw"``, else empty.
    """

    prediction_params: ClassVar[frozenset[str]] = frozenset({"n_neighbors", "vote_power"})

    n_neighbors: int
    vote_power: float
    n_clusters: int
    search: str
    random_state: int | None

    def _check_vote(self) -> None:
        check_number("n_neighbors", self.n_neighbors, low=1, integer=True)
        check_number("n_clusters", self.n_clusters, low=1, integer=True)
        check_number("vote_power", self.vote_power, low=0)
        check_choice("search", self.search, ("exact", "hnsw"))

    def _place(self, embedded: np.ndarray, labels: sparse.csr_array) -> None:
        """Take these for the training instances, and divide them."""
        self.embedded_, self.labels_ = embedded, labels
        cluster_seed, graph_seed = check_random_state(self.random_state).randint(2**31, size=2).tolist()
        self.centres_, self.assignment_ = cluster(embedded, self.n_clusters, cluster_seed)
        self.graph_ = np.zeros(0, dtype=np.uint8)
        if self.search == "hnsw":
            self.graph_ = hnsw.build(embedded, random_state=graph_seed)
        self._neighbours = self._read_neighbours()

    def _vote(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k labels that weigh most among the neighbours of embedded queries."""
        neighbours, cosines = self._neighbours.find(queries, self.n_neighbors)
        return vote(neighbours, np.maximum(cosines, 0) ** np.float32(self.vote_power), self.labels_, k)

    def _check_state(self) -> None:
        super()._check_state()
        n, width = self.embedded_.shape
        m = len(self.centres_)
        self._require_shapes(labels_=(n, self.n_labels_), centres_=(m, width), assignment_=(n,))
        if n and not 0 <= self.assignment_.min() <= self.assignment_.max() < m:
            raise ValueError(f"assignment_ names cluster {self.assignment_.max()}; wanted 0 to {m - 1}")

    @classmethod
    def _restore(cls, params: dict[str, Any], state: dict[str, Any]) -> Self:
        model = super()._restore(params, state)
        model._neighbours = model._read_neighbours()
        return model

    def _read_neighbours(self) -> EmbeddedNeighbours:
        return EmbeddedNeighbours(self.embedded_, self.centres_, self.assignment_, self.graph_)
