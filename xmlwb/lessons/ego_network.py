"""Chapter 06: a label among its neighbours: search it, click from neighbour to neighbour, ask for the shortest path."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import ipywidgets as widgets
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.graph_layout import edge_table, tie_strength
from xmlwb.plots.ego_network import ego_figure, path_strip_figure
from xmlwb.widgets import LiveFigure
from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.controls import STYLE
from xmlwb.widgets.messages import plain_line

#: How neighbours are chosen where there are more than are drawn.
BY_SHARED, BY_STRENGTH = "most shared documents", "most for how frequent both are"
_OFFERED = 30


class LabelSearch(widgets.Combobox):
    """A search box over any number of names: the page only ever gets the names that fit what is typed.

    Parameters
    ----------
    names : sequence of str
    weights : sequence of int
        Names of higher weight are offered first.
    **settings
        As `ipywidgets.Combobox` takes them.
    """

    def __init__(self, names: Sequence[str], weights: Sequence[int], **settings: Any) -> None:
        self._ranked = [names[place] for place in np.argsort(-np.asarray(weights), kind="stable")]
        super().__init__(options=self._ranked[:_OFFERED], style=STYLE, layout={"width": "min(400px, 95%)"}, **settings)
        self.observe(self._offer, names="value")
        hear_beside_cells(self)

    def matches(self, typed: str) -> list[str]:
        """Names that begin with what is typed, then those that contain it; the frequent ones first."""
        small = typed.lower().strip()
        holding = [name for name in self._ranked if small in name.lower()]
        return sorted(holding, key=lambda name: not name.lower().startswith(small))[:_OFFERED]

    def _offer(self, change: dict[str, Any]) -> None:
        self.options = self.matches(change["new"])


def ego_tables(
    graph: LabelGraph, label: int, *, by: str = BY_SHARED, max_nodes: int = 40, strength: LabelGraph | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A label's neighbours as `xmlwb.plots.ego_network.ego_figure` wants them, those of a community side by side.

    Parameters
    ----------
    graph : LabelGraph
    label : int
    by : str
        `BY_SHARED` or `BY_STRENGTH`: which neighbours stay where there are more than ``max_nodes - 1``.
    max_nodes : int
    strength : LabelGraph, optional
        From `by_strength`, if there are to be many questions.

    Returns
    -------
    nodes : DataFrame
        The label first: "node", "name", "count", "shared", "community", "hover".
    edges : DataFrame
        "a", "b" (rows of ``nodes``), "shared", "strength".
    """
    if by not in (BY_SHARED, BY_STRENGTH):
        raise ValueError(f"by is {by!r}; wanted {BY_SHARED!r} or {BY_STRENGTH!r}")
    chooser = graph if by == BY_SHARED else (strength or by_strength(graph))
    found = chooser.ego(label, max_nodes=max_nodes)
    around = found[1:]
    community = graph.subgraph(around).communities() if len(around) else np.zeros(0, dtype=np.int64)
    order = np.lexsort((np.arange(len(around)), community))
    nodes = np.concatenate([[label], around[order]])
    shared = graph.adjacency[[label]][:, nodes].toarray()[0].astype(np.int64)
    names = [str(node) for node in nodes] if graph.names is None else [graph.names[node] for node in nodes]
    counts = graph.counts[nodes]
    table = pd.DataFrame(
        {"node": nodes, "name": names, "count": counts, "shared": shared,
         "community": np.concatenate([[-1], community[order]]),
         "hover": [_hover(*row, names[0]) for row in zip(names, counts, shared, strict=True)]}
    )  # fmt: skip
    return table, edge_table(graph.subgraph(nodes))


def by_strength(graph: LabelGraph) -> LabelGraph:
    """The same graph with `tie_strength` as weights."""
    return LabelGraph(tie_strength(graph), graph.n_labels, graph.names, graph.counts)


def _hover(name: str, count: int, shared: int, centre: str) -> str:
    lines = [f"<b>{escape(name, quote=False)}</b>", f"{count:,} documents"]
    if shared:
        share = f"{shared / max(count, 1):.0%} of its own"
        lines.append(f"{shared:,} of them ({share}) shared with {escape(centre, quote=False)}")
    return "<br>".join(lines)


class EgoNetwork(widgets.VBox):
    """The search boxes, the network of the chosen label, and the path to another; see `ego_network`.

    Attributes
    ----------
    label : int
        In the middle now.
    search, target : LabelSearch
        The label in the middle; the label to find a path to.
    by : Dropdown
        How neighbours are chosen.
    back_button : Button
    view, path_view : LiveFigure
    figure, path_figure : plotly.graph_objects.Figure or None
    path : list of int
        From the label in the middle to the target; [] where there is none.
    """

    def __init__(self, graph: LabelGraph, label: int, *, max_nodes: int = 40) -> None:
        if graph.names is None:
            raise ValueError("graph has no names; wanted LabelGraph.from_labels(Y, names=...)")
        self.graph, self.label, self._max_nodes = graph, label, max_nodes
        self._names = graph.names
        self._node_of = {name: node for node, name in enumerate(graph.names)}
        self._strength = by_strength(graph)
        self._visited: list[int] = []
        self.path: list[int] = []
        self.figure: go.Figure | None = None
        self.path_figure: go.Figure | None = None
        counts = graph.counts.tolist()
        self.search = LabelSearch(graph.names, counts, value=graph.names[label], description="label")
        self.target = LabelSearch(graph.names, counts, placeholder="another label", description="shortest path to")
        self.by = widgets.Dropdown(options=[BY_SHARED, BY_STRENGTH], description="neighbours with", style=STYLE)
        self.back_button = widgets.Button(description="Back", icon="step-backward", disabled=True)
        self.view = LiveFigure(alt="A label, its neighbours in the label graph, and the edges between them")
        self.path_view = LiveFigure(alt="The shortest path between two labels")
        self._message = widgets.HTML()
        flow = {"display": "flex", "flex_flow": "row wrap", "grid_gap": "4px 24px"}
        bar = widgets.Box([self.search, self.by, self.back_button, self.target], layout=flow)
        super().__init__([bar, self._message, self.path_view, self.view])
        self.path_view.layout.display = "none"
        self.view.on_click(self.go_to)
        self.path_view.on_click(self.go_to)
        self.search.observe(lambda change: self._typed(change["new"]), names="value")
        self.target.observe(lambda _change: self._draw(), names="value")
        self.by.observe(lambda _change: self._draw(), names="value")
        self.back_button.on_click(lambda _button: self._go_back())
        for widget in (self.by, self.back_button):
            hear_beside_cells(widget)
        self._draw()

    def go_to(self, label: int) -> None:
        """Put another label into the middle."""
        if label != self.label:
            self._visited.append(self.label)
            self._move(int(label))

    def _go_back(self) -> None:
        if self._visited:
            self._move(self._visited.pop())

    def _move(self, label: int) -> None:
        self.label = label
        self.search.value = self._names[label]  # is heard by _typed, which finds the label in its place already
        self._draw()

    def _typed(self, text: str) -> None:
        node = self._node_of.get(text.strip())
        if node is None:
            some = self.search.matches(text)
            said = f"{len(some)}{' or more' if len(some) == _OFFERED else ''} labels contain {text!r}; choose one"
            self._message.value = plain_line(said if some else f"no label contains {text!r}")
        else:
            self._message.value = ""
            self.go_to(node)

    def _draw(self) -> None:
        self._message.value = ""
        self.back_button.disabled = not self._visited
        self._find_path()
        nodes, edges = ego_tables(
            self.graph, self.label, by=self.by.value, max_nodes=self._max_nodes, strength=self._strength
        )
        degree = int(self.graph.degrees[self.label])
        said = f"{nodes['count'].iloc[0]:,} documents; it shares some with {degree:,} labels"
        if degree >= len(nodes):
            said += f", drawn: the {len(nodes) - 1} with {self.by.value}"
        self.figure = ego_figure(
            nodes, edges, path=self.path, title=escape(self._names[self.label], quote=False),
            subtitle=said + "<br>colours: communities among the neighbours; a click on a neighbour goes there",
        )  # fmt: skip
        self.view.show(self.figure)

    def _find_path(self) -> None:
        target = self._node_of.get(self.target.value.strip())
        self.path = [] if target is None else self.graph.shortest_path(self.label, target)
        self.path_view.layout.display = "none" if len(self.path) < 2 else None
        if target is not None and not self.path:
            ends = f"{self._names[self.label]} and {self._names[target]}"
            self._message.value = plain_line(f"there is no path between {ends}: they are in different components")
        if len(self.path) < 2:
            return
        steps = [int(self.graph.adjacency[a, b]) for a, b in zip(self.path, self.path[1:], strict=False)]
        title = f"A shortest path: {len(steps)} step{'' if len(steps) == 1 else 's'}"
        self.path_figure = path_strip_figure(self.path, [self._names[v] for v in self.path], steps, title=title)
        self.path_view.show(self.path_figure)


def ego_network(ds: Dataset, label: str | None = None, *, to: str = "", max_nodes: int = 40) -> EgoNetwork:
    """A search box over a data set's labels, and the network around the chosen one.

    Only the drawn neighbourhood is ever sent to the page, so that data sets of 20,000 labels stay light.

    Parameters
    ----------
    ds : Dataset
    label : str, optional
        In the middle at first; otherwise the label whose number of neighbours is the median one.
    to : str
        The label to which the shortest path is shown at first; "" for none.
    max_nodes : int
        Nodes drawn, at most.

    Raises
    ------
    ValueError
        If there is no label of that name.
    """
    graph = LabelGraph.from_labels(ds.Y_train, names=ds.label_names)
    for name, text in (("label", label), ("to", to)):
        if text and text not in ds.label_names:
            raise ValueError(f"{name} is {text!r}; wanted the name of one of the {ds.n_labels:,} labels of {ds.name}")
    if label is None:
        tied = np.flatnonzero(graph.degrees)
        start = int(tied[np.argsort(graph.degrees[tied], kind="stable")[len(tied) // 2]])
    else:
        start = ds.label_names.index(label)
    network = EgoNetwork(graph, start, max_nodes=max_nodes)
    network.target.value = to
    return network
