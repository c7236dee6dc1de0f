"""Chapter 06: walk length, window, dimension and number of walks as sliders against neighbour quality."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.neighbour_quality import NeighbourQuality
from xmlwb.plots.embedding_quality import embedding_quality_figure
from xmlwb.solvers.deep_walk import DeepWalk
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE

#: What each slider offers.
SETTINGS: dict[str, tuple[int, ...]] = {
    "walk_length": (2, 5, 10, 40),
    "window": (1, 2, 5, 10),
    "n_components": (2, 8, 32, 100),
    "n_walks": (1, 5, 20, 80),
}
#: Where the sliders stand at first.
START = {"walk_length": 40, "window": 1, "n_components": 32, "n_walks": 80}
#: What the reader calls them.
NAMES = {
    "walk_length": "walk length, labels",
    "window": "window, steps",
    "n_components": "dimension",
    "n_walks": "walks from each label",
}

Embed = Callable[..., np.ndarray]


def deep_walk(adjacency: csr_array, *, random_state: int = 0, **settings: Any) -> np.ndarray:
    """DeepWalk's vectors (V, l) of all nodes, two threads."""
    return DeepWalk(**settings, n_jobs=2, random_state=random_state).fit(adjacency).embeddings_


class WalkSettings:
    """Neighbour quality by DeepWalk's settings, for `slider_figure`; nothing is embedded twice.

    Parameters
    ----------
    adjacency : csr_array, shape (V, V)
        The weighted label graph's, from training documents.
    quality : NeighbourQuality
    references : mapping of name to mapping of measure to value
        As `embedding_quality_figure` takes them.
    settings : mapping of setting to the values that its slider offers
    start : mapping of setting to one of these values
    embed : callable
        ``embed(adjacency, random_state=..., **settings)`` returns vectors (V, l), the labels first.
    random_state : int
    """

    def __init__(
        self,
        adjacency: csr_array,
        quality: NeighbourQuality,
        references: Mapping[str, Mapping[str, float]],
        *,
        settings: Mapping[str, Sequence[int]] = SETTINGS,
        start: Mapping[str, int] = START,
        embed: Embed = deep_walk,
        random_state: int = 0,
    ) -> None:
        ones = csr_array((np.ones_like(adjacency.data), adjacency.indices, adjacency.indptr), shape=adjacency.shape)
        self._adjacency = {True: adjacency, False: ones}
        self._quality, self._references = quality, references
        self._settings, self._start = settings, dict(start)
        self._embed, self._random_state = embed, random_state
        self._known: dict[Any, tuple[dict[str, float], float]] = {}
        self._curves: pd.DataFrame | None = None

    def measure(self, *, weighted: bool = False, **setting: int) -> tuple[dict[str, float], float]:
        """Both measures at a setting, and the seconds that the embedding took."""
        key = (weighted, *sorted(setting.items()))
        if key not in self._known:
            begin = time.perf_counter()
            V = self._embed(self._adjacency[weighted], random_state=self._random_state, **setting)
            seconds = time.perf_counter() - begin
            self._known[key] = self._quality(V[: len(self._quality.seen)]), seconds
        return self._known[key]

    def curves(self) -> pd.DataFrame:
        """Each setting varied by itself, the others where they start, without weights: "setting", "value", measures."""
        if self._curves is None:
            rows = [
                {"setting": name, "value": value, **self.measure(weighted=False, **{**self._start, name: value})[0]}
                for name, values in self._settings.items()
                for value in values
            ]
            self._curves = pd.DataFrame(rows)
        return self._curves

    def __call__(self, weighted: bool = False, **setting: int) -> go.Figure:
        """The curves, with rings where the sliders stand."""
        here = {**self._start, **setting}
        curves = self.curves()
        now, seconds = self.measure(weighted=weighted, **here)
        return embedding_quality_figure(curves, here, now, self._references, NAMES, seconds)


def walk_settings(
    ds: Dataset,
    *,
    k: int = 10,
    settings: Mapping[str, Sequence[int]] = SETTINGS,
    start: Mapping[str, int] = START,
    embed: Embed = deep_walk,
) -> SliderFigure:
    """Sliders of DeepWalk's settings above curves of how good each label's nearest neighbours are.

    The curves vary one setting at a time; rings show what the sliders together reach. The dotted lines are chance, and
    the graph itself: a label's strongest neighbours in the training documents, by the measure that the held-out ones
    are chosen by, so that they are hard to beat there.

    Parameters
    ----------
    ds : Dataset
        With validation rows and ``label_parents``. Graph and walks see its training labels only; neighbours are judged
        by the hierarchy and by the validation labels.
    k : int
        Neighbours of a label that count.
    settings, start, embed
        As `WalkSettings` takes them.

    Raises
    ------
    ValueError
        If the data set has no validation rows or no hierarchy.
    """
    if ds.Y_valid is None or ds.label_parents is None:
        raise ValueError(f"{ds.name} has no validation rows or no label_parents; wanted both")
    quality = NeighbourQuality(ds.Y_train, ds.Y_valid, ds.label_parents, k=k)
    references = {"graph, no walks": quality.without_walks(ds.Y_train), "chance": quality.by_chance()}
    graph = LabelGraph.from_labels(ds.Y_train)
    study = WalkSettings(graph.adjacency, quality, references, settings=settings, start=start, embed=embed)
    return slider_figure(
        study,
        alt="Share of good neighbours against walk length, window, dimension and number of walks",
        labels={"weighted": "walks prefer heavy edges"},
        **{name: _notches(NAMES[name], values, start[name]) for name, values in settings.items()},
        weighted=False,
    )


def _notches(label: str, values: Sequence[int], start: int) -> widgets.SelectionSlider:
    """A slider over a few values; it answers to the release, since a new value takes a second."""
    return widgets.SelectionSlider(
        options=list(values), value=start, description=label, continuous_update=False, style=STYLE,
        layout={"width": "min(420px, 95%)"},
    )  # fmt: skip
