"""One label among its neighbours, and the shortest path from one label to another."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmlwb.plots.label_graph import community_looks, point_sizes, segments, short, strongest_edges
from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, INK, VERMILION

_AMONG = "rgba(110,110,110,0.35)"
_AMONG_EACH = 3  # edges between neighbours that are drawn, for each of them


def ring_places(n: int) -> NDArray[np.float64]:
    """Places of a label (0, 0) and its n - 1 neighbours on a circle, shape (n, 2).

    Neighbours go down the right side and up the left at equal heights, so that names written outside the circle do not
    cover each other.

    >>> ring_places(3).round(2).tolist()
    [[0.0, 0.0], [1.0, 0.0], [-1.0, 0.0]]
    """
    right = (n - 1 + 1) // 2
    left = n - 1 - right
    heights = [1 - (2 * np.arange(side) + 1) / max(side, 1) for side in (right, left)]
    y = np.concatenate([[0.0], heights[0], heights[1][::-1]])
    x = np.sqrt(1 - y**2) * np.concatenate([[0.0], np.ones(right), -np.ones(left)])
    return np.column_stack([x, y])


def ego_figure(
    nodes: pd.DataFrame, edges: pd.DataFrame, *, path: Sequence[int] = (), title: str = "", subtitle: str = "",
    height: int = 700, room: float = 0.62,
) -> go.Figure:  # fmt: skip
    """A label in the middle, its neighbours around it, with all names.

    Parameters
    ----------
    nodes : DataFrame
        The label itself, then its neighbours in the order in which they stand on the circle: "node" (what a click
        tells), "name", "count", "community" (of the label itself: -1), "hover" (lines of text about the node).
    edges : DataFrame
        "a", "b" (places of rows of ``nodes``) and "shared", "strength". Those of the label itself are drawn in
        three widths, of the others only the strongest.
    path : sequence of int
        Values of "node" that are marked.
    title, subtitle : str
    height : int
        Pixels.
    room : float
        For the names on each side of the circle, in radii of it.
    """
    at = ring_places(len(nodes))
    x, y = at[:, 0], at[:, 1]
    own = ((edges["a"] == 0) | (edges["b"] == 0)).to_numpy()
    figure = go.Figure()
    among, most = edges[~own], _AMONG_EACH * len(nodes)
    said = "edges between neighbours" if len(among) <= most else f"the {most} strongest edges between neighbours"
    _add_lines(figure, x, y, strongest_edges(among, most), {"color": _AMONG, "width": 1}, said)
    for low, high, width in shared_bins(edges.loc[own, "shared"]):
        inside = own & edges["shared"].between(low, high).to_numpy()
        said = f"{low:,}" if low == high else f"{low:,}–{high:,}"
        line = {"color": "rgba(0,114,178,0.45)", "width": width}
        _add_lines(figure, x, y, edges[inside], line, f"{said} shared document{'' if high == 1 else 's'}")
    size = np.maximum(point_sizes(nodes["count"]), 8)
    around = nodes.iloc[1:]
    for look in community_looks(around):
        inside = np.flatnonzero(nodes["community"].isin(look.communities))
        _add_points(figure, nodes, at, inside, size, {"color": look.colour, "symbol": look.symbol, "opacity": 0.9})
    _add_points(
        figure,
        nodes,
        at,
        np.array([0]),
        size + 6,
        {"color": VERMILION, "opacity": 1, "line": {"color": INK, "width": 2}},
    )
    marked = np.flatnonzero(nodes["node"].isin(path))
    figure.add_scatter(
        x=x[marked], y=y[marked], mode="markers", hoverinfo="skip", showlegend=False,
        marker={"color": "rgba(0,0,0,0)", "size": size[marked] + 10, "line": {"color": VERMILION, "width": 3}},
    )  # fmt: skip
    if len(nodes) > 1:
        _mark_names(figure, nodes, at, size)
    figure.add_annotation(
        x=0, y=0, yshift=-float(size[0]) / 2 - 16, showarrow=False, bgcolor="rgba(255,255,255,0.85)",
        text=f"<b>{escape(nodes['name'].iloc[0], quote=False)}</b>", font={"size": FONT_SIZE},
    )  # fmt: skip
    hidden = {"visible": False, "fixedrange": True}
    figure.update_xaxes(hidden | {"range": [-1 - room, 1 + room]})
    figure.update_yaxes(hidden | {"range": [-1.05, 1.05]})
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}},
        height=height,
        margin={"t": 105, "l": 5, "r": 5, "b": 10},
        legend={
            "orientation": "h",
            "y": -0.01,
            "yanchor": "top",
            "itemsizing": "trace",
            "font": {"size": FONT_SIZE - 2},
        },
        dragmode=False,
    )


def shared_bins(shared: pd.Series) -> list[tuple[int, int, float]]:
    """(lowest, highest, line width) of at most three thirds of the numbers of shared documents, fewest first.

    >>> shared_bins(pd.Series([1, 1, 1, 9, 80]))
    [(1, 1, 2.5), (9, 80, 5.0)]
    """
    if shared.empty:
        return []
    cuts = np.quantile(shared, [1 / 3, 2 / 3], method="higher")
    of = np.searchsorted(cuts, shared.to_numpy(), side="right")
    bins = [(shared[of == third], width) for third, width in enumerate((1.0, 2.5, 5.0))]
    return [(int(inside.min()), int(inside.max()), width) for inside, width in bins if len(inside)]


def _add_lines(
    figure: go.Figure, x: NDArray[np.float64], y: NDArray[np.float64], edges: pd.DataFrame, line: dict, name: str
) -> None:
    line_x, line_y = segments(x, y, edges)
    figure.add_scatter(
        x=line_x, y=line_y, mode="lines", line=line, hoverinfo="skip", name=name, showlegend=bool(len(edges))
    )


def _add_points(
    figure: go.Figure, nodes: pd.DataFrame, at: NDArray[np.float64], inside: NDArray[np.integer],
    size: NDArray[np.float64], marker: dict,
) -> None:  # fmt: skip
    rows = nodes.iloc[inside]
    figure.add_scatter(
        x=at[inside, 0], y=at[inside, 1], mode="markers", marker=marker | {"size": size[inside]},
        customdata=rows["node"].tolist(), hovertext=rows["hover"].tolist(), hoverinfo="text", showlegend=False,
    )  # fmt: skip


def _mark_names(figure: go.Figure, nodes: pd.DataFrame, at: NDArray[np.float64], size: NDArray[np.float64]) -> None:
    """Names outside the circle; they can be clicked on, too."""
    for side, anchor in ((1, "middle right"), (-1, "middle left")):
        inside = np.flatnonzero(at[1:, 0] * side > 0) + 1
        figure.add_scatter(
            x=at[inside, 0], y=at[inside, 1], mode="markers+text", textposition=anchor, showlegend=False,
            marker={"size": size[inside] + 8, "opacity": 0},  # invisible: keeps a name clear of its point
            text=[escape(short(name, 34), quote=False) for name in nodes["name"].iloc[inside]],
            textfont={"size": FONT_SIZE - 2, "color": INK}, customdata=nodes["node"].iloc[inside].tolist(),
            hovertext=nodes["hover"].iloc[inside].tolist(), hoverinfo="text",
        )  # fmt: skip


def path_strip_figure(
    nodes: Sequence[int], names: Sequence[str], shared: Sequence[int], *, title: str = "", height: int = 135
) -> go.Figure:
    """Labels of a path in a row, and how many documents each shares with the next.

    Parameters
    ----------
    nodes : sequence of int
        What a click tells.
    names : sequence of str
    shared : sequence of int
        One fewer than nodes.
    title : str
    height : int
        Pixels.
    """
    if len(shared) != max(0, len(nodes) - 1):
        raise ValueError(f"shared has {len(shared)} numbers; wanted one between two of {len(nodes)} labels")
    x = np.arange(len(nodes))
    figure = go.Figure()
    figure.add_scatter(x=x, y=0 * x, mode="lines", line={"color": GREY, "width": 2}, hoverinfo="skip")
    figure.add_scatter(
        x=x, y=0 * x, mode="markers+text", textposition="top center", customdata=list(nodes), hoverinfo="skip",
        marker={"color": [VERMILION] + [BLUE] * (len(nodes) - 1), "size": 14},
        text=[escape(short(name, 34), quote=False) for name in names], textfont={"color": INK},
    )  # fmt: skip
    notes = [
        {"x": place + 0.5, "y": 0, "yshift": -16, "showarrow": False, "font": {"size": FONT_SIZE - 3},
         "text": f"{n:,} shared document{'' if n == 1 else 's'}"}
        for place, n in enumerate(shared)
    ]  # fmt: skip
    figure.update_xaxes(visible=False, fixedrange=True, range=[-0.6, max(len(nodes) - 0.4, 0.6)])
    figure.update_yaxes(visible=False, fixedrange=True, range=[-1, 1.2])
    return figure.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE}},
        annotations=notes,
        height=height,
        margin={"t": 35, "b": 0, "l": 5, "r": 5},
        showlegend=False,
        dragmode=False,
    )
