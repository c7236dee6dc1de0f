"""Chapter 06: how many neighbours vote, in how many clusters they are looked for, and what a graph search saves."""

from __future__ import annotations

import time
from collections.abc import Sequence

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from xmlwb.datasets import Dataset
from xmlwb.metrics import precision_at_k
from xmlwb.models.base import topk_to_csr
from xmlwb.models.dxml import DXML
from xmlwb.plots.neighbour_settings import neighbour_settings_figure
from xmlwb.solvers import hnsw
from xmlwb.solvers.embedded_neighbours import EmbeddedNeighbours, cluster
from xmlwb.solvers.neighbour_vote import vote
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE

#: What the sliders offer.
NEIGHBOURS = (1, 2, 5, 10, 20, 50, 100)
CLUSTERS = (1, 2, 4, 8, 16, 32, 64)


class NeighbourSettings:
    """Precision and time by k and the number of clusters, in the embedding of one fitted DXML, for `slider_figure`.

    The network stays as it is. Only the documents that vote change, so all of it is measured at once.

    Parameters
    ----------
    model : DXML, fitted
    X, Y : csr_array, shapes (r, d) and (r, L)
        Validation documents; k is chosen here, so never test documents.
    neighbours, clusters : sequence of int
        The k and the numbers of clusters to try; clusters begin with 1, which is no clusters at all.
    with_graph : bool
        Whether HNSW is measured, too. It needs the package hnswlib.
    random_state : int
        Of k-means and of the graph.

    Attributes
    ----------
    votes, searches : DataFrame
        As `neighbour_settings_figure` takes them; ``votes`` holds a row with clusters "hnsw" for each k, too.
    """

    def __init__(
        self, model: DXML, X: csr_array, Y: csr_array, *, neighbours: Sequence[int] = NEIGHBOURS,
        clusters: Sequence[int] = CLUSTERS, with_graph: bool = True, random_state: int = 0,
    ) -> None:  # fmt: skip
        if clusters[0] != 1:
            raise ValueError(f"clusters begin with {clusters[0]}; wanted 1, the exact search, to compare with")
        self.neighbours, self.clusters = tuple(neighbours), tuple(clusters)
        self._labels, self._power, self._Y = model.labels_, np.float32(model.vote_power), Y
        queries, vectors = model.embed(X), model.embedded_
        most = min(max(neighbours), len(vectors))
        votes, searches = [], []
        exact = np.empty(0)
        for number in (*clusters, *(("hnsw",) if with_graph else ())):
            find = _search(vectors, number, random_state)
            found, cosines, seconds = _timed(find, queries, most)
            exact = found if number == 1 else exact
            searches.append({"clusters": number, "ms": 1000 * seconds / len(queries), "recall": _recall(found, exact)})
            votes += [
                {"clusters": number, "k": k, **self._precision(found[:, :k], cosines[:, :k])} for k in self.neighbours
            ]
        self.votes, self.searches = pd.DataFrame(votes), pd.DataFrame(searches)

    def _precision(self, found: np.ndarray, cosines: np.ndarray) -> dict[str, float]:
        L = self._Y.shape[1]
        k = min(5, L)
        labels, scores = vote(found, np.maximum(cosines, 0) ** self._power, self._labels, k)
        hits = precision_at_k(self._Y, topk_to_csr(labels, scores, L), k, per_instance=True)
        half = 1.96 * hits.std(axis=0) / np.sqrt(len(hits))
        at = {"P@1": 0, "P@5": k - 1}
        return {
            **{name: float(hits[:, place].mean()) for name, place in at.items()},
            **{f"{name} ±": float(half[place]) for name, place in at.items()},
        }

    def best_k(self, clusters: int = 1, metric: str = "P@1") -> int:
        """The k of the highest precision on these validation documents; of equals the smallest."""
        table = self.votes[self.votes["clusters"] == clusters]
        return int(table["k"].to_numpy()[int(np.argmax(table[metric].to_numpy()))])

    def __call__(self, k: int = 20, clusters: int = 1) -> go.Figure:
        """The two panels, with rings where the sliders stand."""
        drawn = self.votes[self.votes["clusters"] != "hnsw"]
        return neighbour_settings_figure(drawn, self.searches, k, clusters)


def _search(vectors: np.ndarray, number: int | str, random_state: int) -> EmbeddedNeighbours:
    centres, assignment = cluster(vectors, 1 if number == "hnsw" else int(number), random_state)
    no_graph = np.zeros(0, dtype=np.uint8)
    graph = hnsw.build(vectors, random_state=random_state) if number == "hnsw" else no_graph
    return EmbeddedNeighbours(vectors, centres, assignment, graph)


def _timed(search: EmbeddedNeighbours, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, float]:
    """What a search finds, and the seconds of the faster of two runs, on one thread: HNSW has no more."""
    seconds = []
    with threadpool_limits(1):
        for _ in range(2):
            begin = time.perf_counter()
            found, cosines = search.find(queries, k)
            seconds.append(time.perf_counter() - begin)
    return found, cosines, min(seconds)


def _recall(found: np.ndarray, exact: np.ndarray) -> float:
    """The part of each row of `exact` that is in the same row of `found`, on average."""
    both = [len(np.intersect1d(a[a >= 0], b)) for a, b in zip(found, exact, strict=True)]
    return float(np.mean(both) / exact.shape[1])


def neighbour_settings(
    model: DXML,
    ds: Dataset,
    *,
    neighbours: Sequence[int] = NEIGHBOURS,
    clusters: Sequence[int] = CLUSTERS,
    most_rows: int = 1000,
    with_graph: bool = True,
) -> SliderFigure:
    """Sliders of k and of the number of clusters above precision and time on validation documents.

    Parameters
    ----------
    model : DXML, fitted on the data set's training rows
    ds : Dataset
        With validation rows.
    neighbours, clusters : sequence of int
        What the sliders offer.
    most_rows : int
        Validation documents, the first so many.
    with_graph : bool
        Whether HNSW is measured, too.
    """
    if ds.X_valid is None or ds.Y_valid is None:
        raise ValueError(f"{ds.name} has no validation rows; wanted some")
    X, Y = ds.X_valid[:most_rows], ds.Y_valid[:most_rows]
    study = NeighbourSettings(model, X, Y, neighbours=neighbours, clusters=clusters, with_graph=with_graph)
    start = {"k": model.n_neighbors, "clusters": model.n_clusters}
    offered = {"k": study.neighbours, "clusters": study.clusters}
    said = {"k": "k, neighbours that vote", "clusters": "clusters"}
    return slider_figure(
        study,
        alt="P@1 and P@5 against the number of neighbours, and time against neighbours found by number of clusters",
        **{
            name: widgets.SelectionSlider(
                options=values, value=start[name] if start[name] in values else values[len(values) // 2],
                description=said[name], style=STYLE, layout={"width": "min(420px, 95%)"},
            )
            for name, values in offered.items()
        },
    )  # fmt: skip
