"""Chapter 06: from documents to graph: the label graph grows as documents arrive."""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.graph_layout import edge_table, places
from xmlwb.plots.label_graph import community_looks, growth_figure, strongest_edges
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE


class GraphGrowth:
    """The label graph after the first n documents, for `slider_figure`.

    Places, communities and colours are those of the final graph, so that a label stays where it is.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    names : sequence of str, length L
    max_nodes : int
        Labels that are drawn, the most frequent; the curves and the figures count all.
    max_edges : int
        Edges that are drawn, the strongest of the final graph.
    n_sizes : int
        Positions of the slider, evenly spaced in the logarithm.
    random_state : int
        Of the order in which the documents arrive, of the communities and of the places.

    Attributes
    ----------
    growth : DataFrame
        "documents", "nodes" (labels seen), "edges", "largest" (share of the seen labels in the largest component).
    nodes, edges : DataFrame
        What is drawn in the end; an edge's "since" is the number of documents at which it is there.
    """

    def __init__(
        self, Y: csr_array, names: list[str], *, max_nodes: int = 1_000, max_edges: int = 1_500, n_sizes: int = 25,
        random_state: int = 0,
    ) -> None:  # fmt: skip
        self._Y = csr_array(Y[np.random.default_rng(random_state).permutation(Y.shape[0])])
        sizes = np.geomspace(min(10, Y.shape[0]), Y.shape[0], n_sizes)
        rounded = [int(float(f"{size:.2g}")) for size in sizes[:-1]]
        self.growth = growth_table(self._Y, [*sorted({n for n in rounded if n < Y.shape[0]}), Y.shape[0]])
        whole = LabelGraph.from_labels(self._Y, names=names)
        self._drawn = np.argsort(-whole.counts, kind="stable")[: min(max_nodes, np.count_nonzero(whole.counts))]
        graph = whole.subgraph(self._drawn)
        communities = graph.communities(random_state=random_state)
        at = places(graph, communities, random_state=random_state)
        self.nodes = pd.DataFrame(
            {"name": graph.names, "x": at[:, 0], "y": at[:, 1], "community": communities, "count": graph.counts}
        )
        self.edges = strongest_edges(edge_table(graph), max_edges)
        self.edges = self.edges.assign(since=first_together(self._Y[:, self._drawn], self.edges[["a", "b"]].to_numpy()))
        self._looks = community_looks(self.nodes)

    def __call__(self, documents: int) -> go.Figure:
        """The graph after so many documents, one of ``growth["documents"]``."""
        counts = np.bincount(self._Y[:documents].indices, minlength=self._Y.shape[1])[self._drawn]
        there = self.edges[self.edges["since"] <= documents]
        figure = growth_figure(self.nodes.assign(count=counts), there, self.growth, documents, self._looks)
        seen, edges = self.growth.loc[self.growth["documents"] == documents, ["nodes", "edges"]].iloc[0]
        points = "" if seen == np.count_nonzero(counts) else f"of the {len(counts):,} most frequent labels "
        if points or edges > len(there):
            said = (
                f"<br>drawn {points}are {len(there):,} of the {len(self.edges):,} edges that are strongest in the end"
            )
            figure.layout.title.subtitle.text += said
        return figure


def growth_table(Y: csr_array, documents: list[int]) -> pd.DataFrame:
    """Labels seen, edges and the largest component's share of them after the first n rows, for each n."""
    rows = []
    for n in documents:
        graph = LabelGraph.from_labels(Y[:n])
        seen = graph.counts > 0
        largest = np.bincount(graph.components()[seen]).max() / seen.sum() if seen.any() else np.nan
        rows.append((n, int(seen.sum()), graph.adjacency.nnz // 2, float(largest)))
    return pd.DataFrame(rows, columns=["documents", "nodes", "edges", "largest"])


def first_together(Y: csr_array, pairs: NDArray[np.integer]) -> NDArray[np.int64]:
    """After how many rows of Y each pair of labels, shape (m, 2), has shared one; n + 1 where it never does."""
    columns = csc_array(Y)
    columns.sort_indices()
    rows_of = np.split(columns.indices, columns.indptr[1:-1])
    found = np.full(len(pairs), Y.shape[0] + 1, dtype=np.int64)
    for place, (a, b) in enumerate(pairs.tolist()):
        both = np.intersect1d(rows_of[a], rows_of[b], assume_unique=True)
        if len(both):
            found[place] = both[0] + 1
    return found


def graph_growth(ds: Dataset, **settings: int) -> SliderFigure:
    """A slider over the number of training documents above the growing label graph and the curves of its growth.

    Parameters
    ----------
    ds : Dataset
    **settings
        As `GraphGrowth` takes them.
    """
    growth = GraphGrowth(ds.Y_train, ds.label_names, **settings)
    sizes = growth.growth["documents"].tolist()
    slider = widgets.SelectionSlider(
        options=[(f"{n:,}", n) for n in sizes], value=sizes[len(sizes) // 3], description="documents", style=STYLE,
        layout={"width": "min(620px, 95%)"},
    )  # fmt: skip
    return slider_figure(growth, documents=slider, alt="The label graph after so many documents, and how it grows")
