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

#: Instances that are predicted at a time.
_BATCH = 1 << 13


def vote_weights(cosines: np.ndarray, power: float) -> np.ndarray:
    """What the neighbours' votes weigh: the power of their cosines (q, k), none below 0, float32.

    In parts of a row's largest, since the power of a small cosine may be less than a float32 can tell from 0; where the
    largest is not above 0, all votes weigh the same.

    >>> vote_weights(np.float32([[0.5, 0.25, -1], [0, 0, 0]]), 2)
    array([[1.  , 0.25, 0.  ],
           [1.  , 1.  , 1.  ]], dtype=float32)
    """
    largest = cosines.max(axis=1, keepdims=True)
    parts = np.divide(cosines, largest, out=np.ones_like(cosines), where=largest > 0)
    return np.maximum(parts, 0) ** np.float32(power)


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

    decision_threshold: ClassVar[float] = 0.5
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
        cluster_seed, graph_seed = check_random_state(self.random_state).randint(2**31, size=2).tolist()
        self.embedded_, self.labels_ = embedded, labels
        self.centres_, self.assignment_ = cluster(embedded, self.n_clusters, cluster_seed)
        self.graph_ = np.zeros(0, dtype=np.uint8)
        if self.search == "hnsw":
            self.graph_ = hnsw.build(embedded, random_state=graph_seed)
        self._neighbours = self._read_neighbours()

    def _vote(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k labels that weigh most among the neighbours of embedded queries."""
        parts = []
        for begin in range(0, len(queries), _BATCH):
            neighbours, cosines = self._neighbours.find(queries[begin : begin + _BATCH], self.n_neighbors)
            parts.append(vote(neighbours, vote_weights(cosines, self.vote_power), self.labels_, k))
        labels, scores = (np.concatenate(part) for part in zip(*parts, strict=True))
        return labels, scores

    def _check_state(self) -> None:
        super()._check_state()
        n, width = self.embedded_.shape
        if len(self.graph_):
            hnsw.check(self.graph_, n, width)
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
