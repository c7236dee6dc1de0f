"""Chapter 06: the flat map of label embeddings beside the label graph: which neighbours are true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_map import map_places
from xmlwb.lessons.neighbour_quality import nearest_labels, strongest_neighbours
from xmlwb.plots.map_neighbours import ARTEFACT, SURROUNDINGS, TORN, TRUE, Neighbour, map_and_graph_figure
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE


def flat_maps(V: np.ndarray, seen: np.ndarray, *, random_state: int = 0) -> dict[str, np.ndarray]:
    """Two maps (L, 2) of unit label embeddings: t-SNE, which keeps neighbours, and PCA, which keeps large distances.

    Parameters
    ----------
    V : ndarray, shape (L, l)
    seen : ndarray of bool, shape (L,)
        The others are placed at 0.
    """
    maps = {"t-SNE": map_places(V[seen], random_state=random_state)}
    maps["PCA"] = PCA(2, random_state=random_state).fit_transform(normalize(V[seen]))
    found = {}
    for name, places in maps.items():
        found[name] = np.zeros((len(V), 2))
        found[name][seen] = places
    return found


def nearest_places(places: np.ndarray, k: int, among: np.ndarray) -> NDArray[np.int64]:
    """Each label's k nearest on a map, nearest first; shape (L, k), -1 where there is none.

    An L x L array of distances: for maps that people look at.
    """
    asked = np.flatnonzero(among)
    inside = places[asked]
    squared = ((inside[:, None, :] - inside[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    found = np.full((len(places), k), -1, dtype=np.int64)
    few = min(k, len(asked) - 1)
    found[asked, :few] = asked[np.argsort(squared, axis=1, kind="stable")[:, :few]]
    return found


class MapBesideGraph:
    """A label's neighbours on a map and in the graph, for `slider_figure`.

    Parameters
    ----------
    V : ndarray, shape (L, l)
        Label embeddings; only their directions count.
    Y : csr_array, shape (n, L)
        Training labels: who shares documents with whom.
    names : sequence of str, length L
    k : int
        Neighbours of a label, on the map, in the embedding and in the graph.
    maps : mapping of name to ndarray, shape (L, 2), optional
        By default those of `flat_maps`.

    Attributes
    ----------
    strongest, near : ndarray, shape (L, k)
        Neighbours in the graph (cosine of the labels' columns of Y) and in the embedding.
    """

    def __init__(
        self, V: np.ndarray, Y: csr_array, names: Sequence[str], *, k: int = 10,
        maps: Mapping[str, np.ndarray] | None = None,
    ) -> None:  # fmt: skip
        self.k, self.names = k, list(names)
        self.positives = np.bincount(Y.indices, minlength=Y.shape[1])
        seen = self.positives > 0
        self.maps = dict(maps) if maps is not None else flat_maps(V, seen)
        self.strongest = strongest_neighbours(Y, k, seen)
        self.near = nearest_labels(V, k, seen)
        self._on_map = {name: nearest_places(places, k, seen) for name, places in self.maps.items()}
        self._columns = Y.tocsc()
        self._shares = {name: self._kinds_of_all(on_map) for name, on_map in self._on_map.items()}

    def neighbours(self, label: int, method: str) -> list[Neighbour]:
        """The strongest ones in the graph, strongest first, then the others that the map shows near, nearest first."""
        on_map, strongest, near = ((a[label][a[label] >= 0]) for a in (self._on_map[method], self.strongest, self.near))
        found = [(other, TRUE if other in on_map else TORN) for other in strongest]
        others = [other for other in on_map if other not in strongest]
        found += [(other, SURROUNDINGS if other in near else ARTEFACT) for other in others]
        return [Neighbour(int(other), kind, self._shared(label, int(other))) for other, kind in found]

    def shares(self, method: str) -> dict[str, float]:
        """Of all labels' neighbours on a map, the part of each kind."""
        return self._shares[method]

    def _kinds_of_all(self, on_map: np.ndarray) -> dict[str, float]:
        true = (on_map[:, :, None] == self.strongest[:, None, :]).any(axis=2)
        close = (on_map[:, :, None] == self.near[:, None, :]).any(axis=2)
        drawn = on_map >= 0
        total = max(1, int(drawn.sum()))
        return {
            TRUE: float((true & drawn).sum() / total),
            SURROUNDINGS: float((close & ~true & drawn).sum() / total),
            ARTEFACT: float((~close & ~true & drawn).sum() / total),
        }

    def _shared(self, a: int, b: int) -> int:
        rows = [self._columns.indices[self._columns.indptr[j] : self._columns.indptr[j + 1]] for j in (a, b)]
        return len(np.intersect1d(*rows))

    def __call__(self, label: str, method: str = "t-SNE") -> go.Figure:
        """The two panels of one label."""
        if label not in self.names:
            raise ValueError(f"there is no label {label!r}; type a part of its name and choose one from the list")
        chosen = self.names.index(label)
        if not self.positives[chosen]:
            raise ValueError(f"{label} has no training document, so it has no place")
        return map_and_graph_figure(
            self.maps[method], self.names, self.positives, chosen, self.neighbours(chosen, method),
            self.shares(method), method,
        )  # fmt: skip


def map_beside_graph(ds: Dataset, V: np.ndarray, *, start: str | None = None, k: int = 10) -> SliderFigure:
    """A search box for a label above the map of embeddings and the label's neighbours in the graph.

    Parameters
    ----------
    ds : Dataset
        Whose training labels made the graph.
    V : ndarray, shape (L, l)
        ``DXML.label_embeddings_``, or the first L rows of ``DeepWalk.embeddings_``.
    start : str, optional
        The label shown at first; by default the median one by frequency, of those with 100 documents or more.
    k : int
        Neighbours of a label.
    """
    study = MapBesideGraph(V, ds.Y_train, ds.label_names, k=k)
    seen = [name for name, number in zip(ds.label_names, study.positives, strict=True) if number]
    box = widgets.Combobox(
        value=start or _median_label(study), options=seen, ensure_option=True, continuous_update=False,
        description="label", placeholder="type a part of a name", style=STYLE, layout={"width": "min(420px, 95%)"},
    )  # fmt: skip
    return slider_figure(
        study,
        label=box,
        method=list(study.maps),
        labels={"method": "map by"},
        alt="A map of labels with the neighbours of a chosen one, and the same labels in the graph",
    )


def _median_label(study: MapBesideGraph) -> str:
    often = np.flatnonzero(study.positives >= min(100, study.positives.max()))
    order = often[np.argsort(-study.positives[often], kind="stable")]
    return study.names[order[len(order) // 2]]
