"""A random walk on a label's network, step by step, and the pairs that a window finds in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.ego_network import ego_figure, ring_places
from xmlwb.plots.label_graph import short
from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, INK, VERMILION

_LINE = 23  # pixels of a line of the list
_LINES = 26


@dataclass(frozen=True)
class WalkState:
    """What is to be seen at one step.

    Attributes
    ----------
    walk : tuple of int
        The whole walk, as places of rows of the network's nodes.
    taken : int
        Nodes of the walk that have been visited by now.
    centre : int
        The place in the walk where the window is; -1 while the walk goes on.
    window : int
        Places on each side of the centre that make pairs with it.
    """

    walk: tuple[int, ...]
    taken: int
    centre: int
    window: int

    def contexts(self, centre: int) -> list[int]:
        """Places of the walk that lie in the window of a place."""
        low, high = max(0, centre - self.window), min(len(self.walk), centre + self.window + 1)
        return [place for place in range(low, high) if place != centre]

    def pairs(self) -> list[tuple[int, int]]:
        """(centre, context) as rows of the nodes, of all windows up to this one, in the order in which they form."""
        return [
            (self.walk[at], self.walk[place]) for at in range(self.centre + 1) for place in self.contexts(at)
        ]  # fmt: skip


def walk_states(walk: Sequence[int], window: int) -> list[WalkState]:
    """First the walk, a node at a time; then the window over it, a centre at a time."""
    whole = tuple(int(node) for node in walk)
    going = [WalkState(whole, taken, -1, window) for taken in range(1, len(whole) + 1)]
    return [*going, *(WalkState(whole, len(whole), centre, window) for centre in range(len(whole)))]


def walk_figure(nodes: pd.DataFrame, edges: pd.DataFrame, state: WalkState, *, height: int = 700) -> go.Figure:
    """Left: the walk on the network. Right: the walk as a list, like the words of a sentence, and the window's pairs.

    Parameters
    ----------
    nodes, edges : DataFrames
        As `xmlwb.plots.ego_network.ego_figure` takes them.
    state : WalkState
    height : int
        Pixels.
    """
    visited = state.walk[: state.taken]
    contexts = state.contexts(state.centre) if state.centre >= 0 else []
    now = visited[-1] if state.centre < 0 else state.walk[state.centre]
    figure = ego_figure(nodes, edges, height=height, room=0.95)
    figure.update_xaxes(domain=[0, 0.6])
    at = ring_places(len(nodes))
    figure.add_scatter(
        x=at[list(visited), 0], y=at[list(visited), 1], mode="lines", hoverinfo="skip", name="the walk",
        line={"color": INK, "width": 2, "dash": "dot"},
    )  # fmt: skip
    if state.centre < 0 and len(visited) > 1:
        figure.add_annotation(
            x=at[now, 0], y=at[now, 1], ax=at[visited[-2], 0], ay=at[visited[-2], 1], xref="x", yref="y", axref="x",
            ayref="y", text="", showarrow=True, arrowhead=2, arrowwidth=4, arrowcolor=VERMILION, standoff=8,
        )  # fmt: skip
    within = sorted({state.walk[place] for place in contexts} - {now})
    for rows, look, symbol, said in (
        ([now], VERMILION, "circle-open", "here" if state.centre < 0 else "centre"),
        (within, BLUE, "square-open", "context"),
    ):
        if rows:
            figure.add_scatter(
                x=at[rows, 0], y=at[rows, 1], mode="markers", hoverinfo="skip", name=said,
                marker={"color": look, "symbol": symbol, "size": 30, "line": {"width": 3}},
            )  # fmt: skip
    lines = _lines(nodes["name"].tolist(), state, contexts)
    figure.add_scatter(  # keeps the axes of the list
        x=[0], y=[0], mode="markers", marker={"opacity": 0}, hoverinfo="skip", xaxis="x2", yaxis="y2", showlegend=False
    )
    n_lines = max(_LINES, len(lines), (height - 130) // _LINE)
    notes = [
        {"x": 0, "y": place, "xref": "x2", "yref": "y2", "xanchor": "left", "showarrow": False, "align": "left",
         "text": text, "font": {"size": FONT_SIZE - 2, "color": colour}}
        for place, (text, colour) in enumerate(lines)
    ]  # fmt: skip
    return figure.update_layout(
        xaxis2={"domain": [0.62, 1], "anchor": "y2", "visible": False, "fixedrange": True, "range": [0, 1]},
        yaxis2={"anchor": "x2", "visible": False, "fixedrange": True, "range": [n_lines, -1]},
        annotations=[*figure.layout.annotations, *notes],
        title={"text": _title(state, len(visited))},
        margin={"t": 60},
    )


def _title(state: WalkState, visited: int) -> str:
    if state.centre < 0:
        steps = visited - 1
        return f"The walk: {steps} step{'' if steps == 1 else 's'} of {len(state.walk) - 1}"
    pairs = state.pairs()
    said = f"The window at place {state.centre}: {len(pairs):,} pair{'' if len(pairs) == 1 else 's'} so far"
    return f"{said}, {len(set(pairs)):,} different"


def _lines(names: Sequence[str], state: WalkState, contexts: Sequence[int]) -> list[tuple[str, str]]:
    """The list's lines with their colours: the walk, and below it the pairs of the window."""
    lines = [("<b>the walk, as a sentence</b>", INK)]
    for place, node in enumerate(state.walk):
        name = escape(short(names[node], 34), quote=False)
        if place >= state.taken:
            lines.append((f"{place}", GREY))
        elif place == state.centre or (state.centre < 0 and place == state.taken - 1):
            lines.append((f"<b>{place}  {name}</b>", VERMILION))
        elif place in contexts:
            lines.append((f"{place}  {name}  [in the window]", BLUE))
        else:
            lines.append((f"{place}  {name}", INK))
    if state.centre >= 0:
        lines += [("", INK), ("<b>pairs of this window (centre, context)</b>", INK)]
        centre = escape(short(names[state.walk[state.centre]], 24), quote=False)
        for place in contexts:
            lines.append((f"({centre}, {escape(short(names[state.walk[place]], 24), quote=False)})", INK))
    return lines
