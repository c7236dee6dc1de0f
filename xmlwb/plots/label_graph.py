"""A label graph with names: coloured by community, sized by frequency; and how it grows with the documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, PALETTE, SYMBOLS, VERMILION

_OTHERS, _EDGE = "#BBBBBB", "rgba(110,110,110,0.22)"
_MANY = 1_000  # nodes that SVG still draws at once; past them the page needs WebGL
_LETTER, _LINE = 7.2, 19.0  # pixels of a name
_LONGEST = 26


@dataclass(frozen=True)
class CommunityLook:
    """How a community is drawn and called; its members are told by `communities`."""

    colour: str
    symbol: str
    name: str
    communities: tuple[int, ...]


def community_looks(nodes: pd.DataFrame) -> list[CommunityLook]:
    """A colour with a symbol of its own for each of the seven largest communities; one grey for all others.

    A community is called by its two most frequent labels.

    Parameters
    ----------
    nodes : DataFrame
        "community", "count", "name". Communities of one node are among the others.
    """
    looks = []
    by_count = nodes.sort_values("count", ascending=False, kind="stable")
    sizes = nodes["community"].value_counts(sort=False).sort_index()
    ranked = sizes[sizes > 1].sort_values(ascending=False, kind="stable").index[: len(PALETTE)]
    for place, community in enumerate(ranked):
        members = by_count.loc[by_count["community"] == community, "name"]
        called = ", ".join(short(name) for name in members[:2])
        more = f" + {len(members) - 2:,}" if len(members) > 2 else ""
        looks.append(CommunityLook(PALETTE[place], SYMBOLS[place], called + more, (int(community),)))
    rest = tuple(int(community) for community in sizes.index if community not in ranked)
    if rest:
        looks.append(CommunityLook(_OTHERS, "circle-open", f"others: {int(sizes[list(rest)].sum()):,}", rest))
    return looks


def strongest_edges(edges: pd.DataFrame, most: int) -> pd.DataFrame:
    """At most ``most`` edges: each node's strongest, so that none looks alone, then the strongest of the others.

    Parameters
    ----------
    edges : DataFrame
        "a", "b" (nodes), "strength".
    """
    if len(edges) <= most:
        return edges
    order = edges.iloc[np.argsort(-edges["strength"].to_numpy(), kind="stable")]
    ends = order[["a", "b"]].to_numpy().ravel()  # a and b of the strongest edge, of the next ...
    first = np.unique(np.unique(ends, return_index=True)[1] // 2)
    rest = np.setdiff1d(np.arange(len(order)), first)
    return order.iloc[np.concatenate([first, rest])[:most]]


def label_graph_figure(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    *,
    max_edges: int = 1_500,
    n_names: int = 30,
    title: str = "",
    height: int = 760,
) -> go.Figure:
    """The graph: a point for each label, a line for each of the strongest edges, names of the most frequent labels.

    Parameters
    ----------
    nodes : DataFrame
        One row a node: "x" and "y" in -1..1, "community", "count", "name", and "degree" if it is to be told.
    edges : DataFrame
        "a" and "b" (places of rows of ``nodes``) and "strength".
    max_edges : int
        Edges drawn, at most; the title says how many of them there are.
    n_names : int
        Names written, at most; each community's most frequent label first, then the most frequent, as far as they do
        not cover each other.
    title : str
        In the place of the number of labels.
    height : int
        Pixels.

    Notes
    -----
    All edges are one trace, and past 1,000 nodes points and edges are drawn by WebGL, of which a page holds only a few.
    """
    figure = go.Figure()
    drawn = strongest_edges(edges, max_edges)
    looks = community_looks(nodes)
    _add_graph(figure, nodes, drawn, looks, n_names=n_names)
    said = f"{len(nodes):,} labels, {len(edges):,} edges"
    if len(drawn) < len(edges):
        said += f"; drawn: the {len(drawn):,} strongest, each label's own first"
    return figure.update_layout(
        title={"text": title or "The label graph", "subtitle": {"text": said}},
        height=height,
        margin={"t": 80, "l": 10, "r": 10, "b": 10},
        legend={"y": -0.06} | _LEGEND,
    )


_LEGEND = {
    "title": {"text": "communities, by their most frequent labels (size of a point: documents)", "side": "top"},
    "orientation": "h", "yanchor": "top", "entrywidth": 0.32, "entrywidthmode": "fraction",
    "font": {"size": FONT_SIZE - 2},
}  # fmt: skip

#: The curves beside a growing graph: column of the table, axis title, whether it grows through decades.
_CURVES = (("nodes", "labels seen", True), ("edges", "edges", True), ("largest", "largest component, %", False))


def growth_figure(
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    growth: pd.DataFrame,
    documents: int,
    looks: list[CommunityLook],
    *,
    n_names: int = 22,
    height: int = 800,
) -> go.Figure:
    """The graph after so many documents, on places that do not change; beside it the curves of its growth.

    Parameters
    ----------
    nodes : DataFrame
        As `label_graph_figure` takes it, with the counts of now; nodes of count 0 are not drawn.
    edges : DataFrame
        Those that are drawn now: "a", "b", "strength".
    growth : DataFrame
        "documents", "nodes", "edges", "largest" (share of the seen labels that are in the largest component).
    documents : int
        One of ``growth["documents"]``, which is marked on the curves.
    looks : list of CommunityLook
        Of the final graph, so that colours and legend stay.
    """
    now = growth.loc[growth["documents"] == documents]
    if now.empty:
        wanted = ", ".join(map(str, growth["documents"]))
        raise ValueError(f"documents is {documents!r}; wanted one of {wanted}")
    figure = make_subplots(
        rows=3, cols=2, column_widths=[0.7, 0.3], horizontal_spacing=0.1, vertical_spacing=0.06, shared_xaxes=True,
        specs=[[{"rowspan": 3}, {}], [None, {}], [None, {}]],
    )  # fmt: skip
    _add_graph(figure, nodes, edges, looks, n_names=n_names, width=560)
    for row, (column, said, in_decades) in enumerate(_CURVES, start=1):
        y = growth[column] * (1 if in_decades else 100)
        figure.add_scatter(
            x=growth["documents"], y=y, mode="lines", line={"color": BLUE}, showlegend=False, row=row, col=2,
            hovertemplate="%{x:,} documents: %{y:,.4~g}<extra>" + said + "</extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=[documents], y=y[now.index], mode="markers", marker={"color": VERMILION, "size": 12},
            showlegend=False, hoverinfo="skip", row=row, col=2,
        )  # fmt: skip
        figure.update_yaxes(title=said, row=row, col=2, **(_decades(y) if in_decades else {"range": [0, 104]}))
        figure.update_xaxes(**_decades(growth["documents"]), row=row, col=2, showticklabels=row == 3)
    figure.update_xaxes(title="documents", row=3, col=2)
    n, m, largest = (now[column].iloc[0] for column, _, _ in _CURVES)
    said = f"{n:,} labels seen, {m:,} edges, {100 * largest:.1f} % of the labels in one component"
    return figure.update_layout(
        title={"text": f"After {documents:,} documents", "subtitle": {"text": said}},
        height=height,
        margin={"t": 100, "l": 10, "r": 10, "b": 10},
        legend={"y": -0.08} | _LEGEND,
    )


def _decades(values: pd.Series) -> dict[str, Any]:
    """A logarithmic axis that stays as it is while a marker moves over it; two numbers or more written on it."""
    low, high = np.log10(max(values.min(), 1)), np.log10(max(values.max(), 2))
    room = 0.04 * (high - low) + 0.02
    ticks = [m * 10**e for e in range(int(high) + 1) for m in ((1,) if high - low > 2 else (1, 3))]
    return {"type": "log", "range": [low - room, high + room], "tickvals": ticks, "ticktext": [f"{t:,}" for t in ticks]}


def _add_graph(
    figure: go.Figure, nodes: pd.DataFrame, edges: pd.DataFrame, looks: list[CommunityLook], *, n_names: int,
    width: float = 800,
) -> None:  # fmt: skip
    """Edges, points and names in the figure's first place; nodes of count 0 are left out."""
    points = go.Scattergl if len(nodes) > _MANY else go.Scatter
    x, y = nodes["x"].to_numpy(dtype=np.float32), nodes["y"].to_numpy(dtype=np.float32)
    line_x, line_y = segments(x, y, edges)
    figure.add_trace(
        points(x=line_x, y=line_y, mode="lines", line={"color": _EDGE, "width": 1}, hoverinfo="skip", showlegend=False)
    )
    seen = (nodes["count"] > 0).to_numpy()
    size = point_sizes(nodes["count"])
    of = nodes["community"].to_numpy()
    said = np.array([_hover(row) for row in nodes.to_dict("records")], dtype=object)
    for look in looks:
        inside = seen & np.isin(of, look.communities)
        empty = not inside.any()  # a trace without points has no place in the legend
        figure.add_trace(
            points(
                x=[None] if empty else x[inside],
                y=[None] if empty else y[inside],
                mode="markers",
                marker={"color": look.colour, "symbol": look.symbol, "size": [8] if empty else size[inside],
                        "opacity": 0.85, "line": {"width": int("open" in look.symbol), "color": look.colour}},
                hovertext=said[inside],
                hoverinfo="text",
                name=escape(look.name, quote=False),
            )
        )  # fmt: skip
    figure.update_layout(
        annotations=[*figure.layout.annotations, *_names(nodes, size, named(nodes, n_names, width=width))]
    )
    axis = {"range": [-1.06, 1.06], "showticklabels": False, "showgrid": False, "showline": False, "ticks": ""}
    figure.update_xaxes(axis | {"title": {"text": "near = strongly tied; the axes have no unit", "standoff": 0}},
                        selector=0)  # fmt: skip
    figure.update_yaxes(axis, selector=0)


def segments(x: NDArray[Any], y: NDArray[Any], edges: pd.DataFrame) -> tuple[NDArray[Any], NDArray[Any]]:
    """Coordinates of all edges as one broken line: both ends of each, then a gap."""
    ends = edges[["a", "b"]].to_numpy(dtype=np.int64)
    gap = np.full((len(ends), 1), np.nan, dtype=np.float32)
    line_x, line_y = (np.hstack([c[ends], gap]).astype(np.float32).ravel() for c in (x, y))
    return line_x, line_y


def point_sizes(count: Any) -> NDArray[np.float64]:
    """Diameters in pixels, by the logarithm of the frequency."""
    return np.round(5 + 5 * np.log10(np.maximum(np.asarray(count), 1)), 1)


def short(name: str, longest: int = _LONGEST) -> str:
    """A name cut to so many letters.

    >>> short("a-very-long-package-name-indeed")
    'a-very-long-package-name-…'
    """
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _hover(row: Mapping[Any, Any]) -> str:
    lines = [f"<b>{escape(row['name'], quote=False)}</b>", f"{row['count']:,} documents"]
    if "degree" in row:
        lines.append(f"shares documents with {row['degree']:,} labels")
    return "<br>".join(lines)


def _names(nodes: pd.DataFrame, size: NDArray[Any], shown: list[int]) -> list[dict[str, Any]]:
    """Names as annotations, which lie above points that WebGL draws, too."""
    return [
        {
            "x": float(nodes["x"].iloc[node]), "y": float(nodes["y"].iloc[node]), "xref": "x", "yref": "y",
            "showarrow": False, "yshift": float(size[node]) / 2 + 8, "bgcolor": "rgba(255,255,255,0.75)",
            "text": escape(short(nodes["name"].iloc[node]), quote=False), "font": {"size": FONT_SIZE - 3},
        }
        for node in shown
    ]  # fmt: skip


def named(nodes: pd.DataFrame, most: int, *, width: float = 800, height: float = 600) -> list[int]:
    """Nodes whose names do not cover each other on a figure of that many pixels; in the order in which they are chosen.

    Each community's most frequent label comes first, then the most frequent ones; nodes of count 0 never.
    """
    count = nodes["count"].to_numpy()
    by_count = np.argsort(-count, kind="stable")
    leads = np.unique(nodes["community"].to_numpy()[by_count], return_index=True)[1]
    sizes = nodes["community"].map(nodes["community"].value_counts()).to_numpy()
    leads = np.array([place for place in np.sort(leads) if sizes[by_count[place]] > 1], dtype=np.int64)
    order = [*by_count[leads], *np.delete(by_count, leads)]
    x, y = nodes["x"].to_numpy() * width / 2, nodes["y"].to_numpy() * height / 2
    half = np.array([len(short(name)) * _LETTER / 2 for name in nodes["name"]])
    chosen: list[int] = []
    for node in order:
        if len(chosen) == most or count[node] == 0:
            break
        clear = (np.abs(x[chosen] - x[node]) > half[chosen] + half[node]) | (np.abs(y[chosen] - y[node]) > _LINE)
        if clear.all():
            chosen.append(int(node))
    return chosen
