"""A search over the layers of a small-world graph: the layers as planes above each other, and what is found so far."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go

from xmlwb.plots.label_graph import short
from xmlwb.plots.theme import BLUE, FONT_SIZE, GREEN, GREY, INK, ORANGE, VERMILION

#: How far a plane leans to the right, how deep it is drawn, and the room of the lowest, which has most of the points.
_LEAN, _DEPTH, _LOWEST = 0.45, 0.72, 1.9
_PLANE, _LINK = "#F4F6F8", "rgba(127,127,127,0.16)"
_LINE = 24  # pixels of a line of the list

Layers = Sequence[Mapping[int, Sequence[int]]]


def small_world_figure(
    places: np.ndarray,
    layers: Layers,
    hops: Sequence[tuple[int, int]],
    *,
    query: np.ndarray,
    query_name: str,
    best: Sequence[tuple[str, float, bool]],
    met: int,
    height: int = 760,
) -> go.Figure:
    """The way of a search so far.

    Parameters
    ----------
    places : ndarray, shape (m, 2)
        Of the vectors in the unit square.
    layers : sequence of mapping of vector to its links
        The lowest first.
    hops : sequence of (layer, vector)
        Whose links have been looked at, in order; the last one is the present hop.
    query : ndarray, shape (2,)
        Where to draw the query.
    query_name : str
    best : sequence of (name, cosine, whether it is one of the document's own)
        What is known to be nearest, nearest first.
    met : int
        Vectors whose distance has been computed so far.
    height : int
        Pixels.
    """
    floors = [0.0, *(_LOWEST + 1.05 * number for number in range(len(layers) - 1))]

    def drawn(of: np.ndarray, layer: int) -> np.ndarray:
        deep = of[..., 1] * (_LOWEST - 0.25 if layer == 0 else _DEPTH)
        return np.stack([of[..., 0] + _LEAN * of[..., 1], floors[layer] + deep], axis=-1)

    figure = go.Figure()
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) * 1.04 - 0.02
    now = hops[-1]
    for layer, links in enumerate(layers):
        plane, nodes = drawn(corners, layer), np.array(sorted(links))
        at = drawn(places, layer)
        _add_lines(figure, [plane], colour="#C8D0D8", width=1, fill=True)
        _add_lines(figure, [at[[a, b]] for a in nodes for b in links[int(a)]], colour=_LINK, width=0.7)
        figure.add_scatter(
            x=at[nodes, 0], y=at[nodes, 1], mode="markers", marker={"color": GREY, "size": 4 if layer == 0 else 6},
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_annotation(
            x=-0.05, y=plane[:, 1].mean(), text=f"<b>layer {layer}</b><br>{len(links):,}", showarrow=False,
            xanchor="right", font={"size": FONT_SIZE - 1, "color": VERMILION if layer == now[0] else INK},
        )  # fmt: skip
    way = np.array([drawn(places[vector], layer) for layer, vector in hops])
    looked = drawn(places, now[0])[list(layers[now[0]][now[1]])]
    _add_lines(figure, [np.stack([way[-1], end]) for end in looked], colour=BLUE, width=1.5)
    _add_dots(figure, looked, BLUE, "circle", 8, "its links")
    changes = [number for number in range(1, len(hops)) if hops[number][0] != hops[number - 1][0]]
    down = [np.stack([drawn(places[hops[n][1]], hops[n - 1][0]), way[n]]) for n in changes]
    _add_lines(figure, down, colour=VERMILION, width=2, dash="dot")
    if now[0] == 0:
        opened = way[[number for number, (layer, _) in enumerate(hops) if layer == 0]]
        _add_dots(figure, opened, ORANGE, "circle", 9, "opened before")
        going = way[: 1 + max((number for number, (layer, _) in enumerate(hops) if layer > 0), default=0)]
    else:
        going = way
    steps = [np.stack([a, b]) for (la, a), (lb, b) in _pairs(hops, going) if la == lb]
    _add_lines(figure, steps, colour=VERMILION, width=3)
    _add_dots(figure, way[-1:], VERMILION, "circle-open", 18, "here")
    _add_dots(figure, drawn(np.asarray(query), now[0])[None], GREEN, "star", 16, "the document")
    _add_list(figure, best, height)
    return figure.update_layout(
        title={
            "text": f"Hop {len(hops)}, layer {now[0]}: <b>{met:,} of {len(places):,}</b> distances so far",
            "subtitle": {"text": escape(short(query_name, 90), quote=False)},
        },
        xaxis={"domain": [0, 0.68], "visible": False, "fixedrange": True, "range": [-0.2, 1.06 + _LEAN]},
        yaxis={
            "visible": False,
            "fixedrange": True,
            "range": [-0.1, floors[-1] + (_DEPTH if len(layers) > 1 else _LOWEST) + 0.1],
        },
        height=height,
        margin={"t": 80, "l": 10, "r": 10, "b": 60},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )


def _pairs(hops: Sequence[tuple[int, int]], way: np.ndarray) -> list[tuple]:
    ends = [(layer, end) for (layer, _), end in zip(hops, way, strict=False)]
    return list(itertools.pairwise(ends))


def _add_lines(
    figure: go.Figure,
    lines: Sequence[np.ndarray],
    *,
    colour: str,
    width: float,
    dash: str = "solid",
    fill: bool = False,
) -> None:
    """Many lines as one trace."""
    gap = np.full((1, 2), np.nan)
    ends = np.concatenate([part for line in lines for part in (line, gap)]) if lines else gap
    figure.add_scatter(
        x=ends[:, 0], y=ends[:, 1], mode="lines", line={"color": colour, "width": width, "dash": dash},
        fill="toself" if fill else None, fillcolor=_PLANE, hoverinfo="skip", showlegend=False,
    )  # fmt: skip


def _add_dots(figure: go.Figure, at: np.ndarray, colour: str, symbol: str, size: float, name: str) -> None:
    figure.add_scatter(
        x=at[:, 0], y=at[:, 1], mode="markers", name=name, hoverinfo="skip",
        marker={"color": colour, "symbol": symbol, "size": size, "line": {"width": 3 if "open" in symbol else 0}},
    )  # fmt: skip


def _add_list(figure: go.Figure, best: Sequence[tuple[str, float, bool]], height: int) -> None:
    """What is found so far, with the document's own labels marked."""
    figure.add_scatter(  # keeps the axes of the list
        x=[0], y=[0], mode="markers", marker={"opacity": 0}, hoverinfo="skip", xaxis="x2", yaxis="y2", showlegend=False
    )
    rows = (height - 140) // _LINE
    lines = [("<b>nearest so far, cosine</b>", INK)]
    for name, cosine, own in best[: rows - 2]:
        text = f"{cosine:.2f}  {escape(short(name, 30), quote=False)}"
        lines.append((f"<b>{text} ✓</b>", GREEN) if own else (text, INK))
    lines += [(f"and {len(best) - rows + 2} more", GREY)] if len(best) > rows - 2 else []
    for place, (text, colour) in enumerate(lines):
        figure.add_annotation(
            x=0, y=place, xref="x2", yref="y2", xanchor="left", showarrow=False, align="left", text=text,
            font={"size": FONT_SIZE - 1, "color": colour},
        )  # fmt: skip
    figure.update_layout(
        xaxis2={"domain": [0.7, 1], "anchor": "y2", "visible": False, "fixedrange": True, "range": [0, 1]},
        yaxis2={"anchor": "x2", "visible": False, "fixedrange": True, "range": [rows, -1]},
    )
