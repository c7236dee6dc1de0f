"""Chapter 08: one search for a document's shortlist, hop by hop over the layers of the graph of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from xmlwb.lessons.label_map import map_places
from xmlwb.lessons.small_world import Hop, SmallWorld, met_so_far, read_layers, search
from xmlwb.plots.small_world import small_world_figure
from xmlwb.solvers import hnsw
from xmlwb.widgets import StepFigure, step_figure


class SearchSteps:
    """Searches over the graph of label vectors, for `step_figure`.

    Parameters
    ----------
    vectors : ndarray, shape (L, D)
        Of labels; one of length zero is left out, and so is one that equals an earlier one.
    names : sequence of str, length L
    documents : mapping of title to (ndarray of shape (D,), set of int)
        What can be searched for, and the labels that it has.

    Attributes
    ----------
    world : SmallWorld
        Of the last run.
    labels : ndarray of int
        Which label each vector of the graph is.
    """

    def __init__(
        self,
        vectors: NDArray[np.floating],
        names: Sequence[str],
        documents: Mapping[str, tuple[NDArray[np.floating], set[int]]],
    ) -> None:
        unit = normalize(np.asarray(vectors, dtype=np.float32))
        _, first = np.unique(unit, axis=0, return_index=True)
        self.labels = np.sort(first[np.abs(unit[first]).sum(axis=1) > 0])
        self._unit, self._names, self._documents = unit[self.labels], names, dict(documents)
        places = map_places(self._unit)
        self.places = (places - places.min(axis=0)) / np.ptp(places, axis=0)
        self._worlds: dict[int, SmallWorld] = {}

    def run(self, document: str, n_links: int = 4, ef: int = 10) -> list[Hop]:
        """All hops for a document.

        Parameters
        ----------
        document : str
            Its title.
        n_links : int
            M, the links of a vector in the upper layers.
        ef : int
            Width of the search in the lowest layer.
        """
        if n_links not in self._worlds:
            graph = hnsw.build(self._unit, n_links=n_links)
            self._worlds[n_links] = read_layers(graph, *self._unit.shape)
        self.world = self._worlds[n_links]
        vector, self._own = self._documents[document]
        self._document = document
        self._query = normalize(np.asarray(vector, dtype=np.float32)[None])[0]
        return search(self.world, self._query, ef)

    def draw(self, hops: Sequence[Hop], at: int) -> go.Figure:
        """The figure of the search up to one hop."""
        so_far = hops[: at + 1]
        best = [
            (self._names[self.labels[node]], 1 - distance, int(self.labels[node]) in self._own)
            for distance, node in so_far[-1].best
        ]
        nearest = np.argsort(-self._unit @ self._query)[:3]
        return small_world_figure(
            self.places,
            self.world.layers,
            [(hop.layer, hop.at) for hop in so_far],
            query=self.places[nearest].mean(axis=0) + 0.012,  # beside its labels, not upon them
            query_name=self._document,
            best=best,
            met=len(met_so_far(self.world, so_far)),
        )

    def exact(self, k: int) -> list[int]:
        """The labels that the last document should find: those of the k largest cosines."""
        return [int(self.labels[place]) for place in np.argsort(-self._unit @ self._query, kind="stable")[:k]]


def search_steps(
    vectors: NDArray[np.floating],
    names: Sequence[str],
    documents: Mapping[str, tuple[NDArray[np.floating], set[int]]],
) -> StepFigure[Hop]:
    """Buttons and a slider over the hops of a search, menus for the document and the graph; see `SearchSteps`."""
    steps = SearchSteps(vectors, names, documents)
    return step_figure(
        steps.run,
        steps.draw,
        document=list(documents),
        n_links=[2, 4, 8, 16],
        ef=(1, 40),
        labels={"n_links": "links M", "ef": "width ef of the search"},
        alt="A search over the layers of a graph of labels: the way down, the links looked at, the labels found so far",
    )
