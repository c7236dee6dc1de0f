"""A label's neighbours on a flat map beside its neighbours in the label graph: which are true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, ORANGE, VERMILION

TRUE, SURROUNDINGS, ARTEFACT, TORN = "true", "surroundings", "artefact", "torn apart"
#: Colour, symbol and meaning of each kind of neighbour.
KINDS = {
    TRUE: (GREEN, "circle", "near on the map, and a strongest neighbour in the graph"),
    SURROUNDINGS: (BLUE, "square", "near on the map and in the embedding, but no strongest neighbour"),
    ARTEFACT: (VERMILION, "x", "near on the map only: an artefact of the flattening"),
    TORN: (ORANGE, "diamond", "a strongest neighbour, but not near on the map"),
}


class Neighbour(NamedTuple):
    """A label beside the chosen one: its number, its kind (of `KINDS`), and the documents that the two share."""

    label: int
    kind: str
    shared: int


def map_and_graph_figure(
    places: np.ndarray,
    names: Sequence[str],
    positives: np.ndarray,
    chosen: int,
    neighbours: Sequence[Neighbour],
    shares: Mapping[str, float],
    method: str = "the map",
) -> go.Figure:
    """Left: the map with the chosen label's neighbours marked. Right: the same labels as an ego network.

    Parameters
    ----------
    places : ndarray, shape (L, 2)
    names : sequence of str, length L
    positives : ndarray, shape (L,)
        Training positives; labels without any are not drawn.
    chosen : int
    neighbours : sequence of Neighbour
        The graph's, strongest first, and the map's, nearest first.
    shares : mapping of kind to float
        Of the labels near on the map, the part of each kind, over all labels.
    method : str
        How the map was made.
    """
    figure = make_subplots(
        cols=2, column_widths=[0.5, 0.5], horizontal_spacing=0.03,
        subplot_titles=[f"<b>on the map</b> ({escape(method)})", "<b>in the graph</b>, with documents shared"],
    )  # fmt: skip
    _add_map(figure, places, names, positives, chosen, neighbours)
    _add_ego(figure, names, positives, chosen, neighbours)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showticklabels=False, showgrid=False, showline=False, ticks="")
    figure.update_xaxes(title="near = similar; the axes have no unit", title_standoff=8, row=1, col=1)
    low, high = _window(places, positives, [chosen, *(n.label for n in neighbours)])
    figure.update_xaxes(range=[low[0], high[0]], row=1, col=1)
    figure.update_yaxes(range=[low[1], high[1]], row=1, col=1)
    near = [n for n in neighbours if n.kind != TORN]
    number = {kind: sum(n.kind == kind for n in near) for kind in KINDS}
    title = (
        f"<b>{escape(names[chosen])}</b>, {positives[chosen]:,.0f} documents: of its {len(near)} nearest on the map, "
        f"<b>{number[TRUE]} true</b>, {number[SURROUNDINGS]} by surroundings, {number[ARTEFACT]} artefacts"
    )
    all_labels = (
        f"all labels: {shares[TRUE]:.0%} true, {shares[SURROUNDINGS]:.0%} by surroundings, "
        f"{shares[ARTEFACT]:.0%} artefacts"
    )
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE + 1}, "subtitle": {"text": all_labels}},
        height=620,
        margin={"t": 110, "b": 110, "l": 20, "r": 20},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "font": {"size": FONT_SIZE - 1}},
    )


def _window(places: np.ndarray, positives: np.ndarray, marked: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The part of the map that holds the marked labels, at least a third of it each way: corners low and high."""
    drawn, inside = places[positives > 0], places[list(marked)]
    least = np.ptp(drawn, axis=0) / 3
    middle, size = (inside.max(axis=0) + inside.min(axis=0)) / 2, 1.15 * np.ptp(inside, axis=0)
    half = np.maximum(size, least) / 2
    return middle - half, middle + half


def _add_map(
    figure: go.Figure, places: np.ndarray, names: Sequence[str], positives: np.ndarray, chosen: int,
    neighbours: Sequence[Neighbour],
) -> None:  # fmt: skip
    drawn = np.flatnonzero(positives > 0)
    figure.add_scatter(
        x=places[drawn, 0],
        y=places[drawn, 1],
        mode="markers",
        marker={"color": "#BBBBBB", "size": 5},
        text=[escape(names[int(label)]) for label in drawn],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        row=1,
        col=1,
    )
    for kind, (colour, symbol, meaning) in KINDS.items():
        labels = [n.label for n in neighbours if n.kind == kind]
        figure.add_scatter(
            x=places[labels, 0] if labels else [None],
            y=places[labels, 1] if labels else [None],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 12, "line": {"color": "white", "width": 1}},
            text=[escape(names[label]) for label in labels],
            hovertemplate="%{text}<extra></extra>",
            name=meaning,
            legendgroup=kind,
            row=1,
            col=1,
        )
    figure.add_scatter(
        x=[places[chosen, 0]], y=[places[chosen, 1]], mode="markers",
        marker={"color": BLACK, "symbol": "star", "size": 18, "line": {"color": "white", "width": 1}},
        hovertemplate=escape(names[chosen]) + "<extra></extra>", name="the chosen label", row=1, col=1,
    )  # fmt: skip


def _add_ego(
    figure: go.Figure, names: Sequence[str], positives: np.ndarray, chosen: int, neighbours: Sequence[Neighbour]
) -> None:
    """The chosen label between two columns: the graph's strongest neighbours, and those of the map that are not."""
    shown = [short_name(names[n.label]) for n in neighbours]
    columns = (
        (-0.35, "middle left", [n for n in neighbours if n.kind in (TRUE, TORN)]),
        (0.35, "middle right", [n for n in neighbours if n.kind in (SURROUNDINGS, ARTEFACT)]),
    )
    for x, side, column in columns:
        heights = [0.0] if len(column) == 1 else np.linspace(1, -1, max(len(column), 2)).tolist()
        if column:
            figure.add_annotation(
                x=x, y=1.12, xanchor="right" if x < 0 else "left", yanchor="bottom", showarrow=False,
                text="its strongest neighbours" if x < 0 else "others near on the map", row=1, col=2,
            )  # fmt: skip
        for y, (label, kind, shared) in zip(heights, column, strict=False):
            colour, symbol, _ = KINDS[kind]
            name = short_name(names[label])
            name = name if shown.count(name) == 1 else names[label]
            strength = shared / max(1.0, float(np.sqrt(positives[chosen] * positives[label])))
            if shared:
                figure.add_scatter(
                    x=[0, x], y=[0, y], mode="lines", line={"color": GREY, "width": 1 + 9 * min(1.0, strength)},
                    opacity=0.5, hoverinfo="skip", showlegend=False, row=1, col=2,
                )  # fmt: skip
            figure.add_scatter(
                x=[x],
                y=[y],
                mode="markers+text",
                marker={"color": colour, "symbol": symbol, "size": 13},
                text=[f"&nbsp;{escape(name)} ({shared})&nbsp;"],
                textposition=side,
                textfont={"size": FONT_SIZE - 2},
                hovertemplate=(
                    f"{escape(names[label])}: {positives[label]:,.0f} documents, {shared} of them shared<extra></extra>"
                ),
                legendgroup=kind,
                showlegend=False,
                row=1,
                col=2,
            )
    figure.add_scatter(
        x=[0], y=[0], mode="markers",
        marker={"color": BLACK, "symbol": "star", "size": 20, "line": {"color": "white", "width": 1}},
        hovertemplate=escape(names[chosen]) + "<extra></extra>", showlegend=False, row=1, col=2,
    )  # fmt: skip
    figure.update_xaxes(range=[-1, 1], row=1, col=2)
    figure.update_yaxes(range=[-1.1, 1.28], row=1, col=2)


def short_name(name: str, most: int = 22) -> str:
    """What stands after the facet, cut at its end where it is long.

    >>> short_name("works-with::text")
    'text'
    """
    own = name.partition("::")[2] or name
    return own if len(own) <= most else f"{own[: most - 1]}…"
