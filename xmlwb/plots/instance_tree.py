"""One node of an instance tree: documents in the plane on two sides, a ranking of labels for each, the objective."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREY, INK, ORANGE

#: Each side's colour, symbol and sign.
SIDES = {1: (BLUE, "circle", "+"), -1: (ORANGE, "diamond", "−")}
_LISTED = 8
_LINE_HEIGHT = 0.058
_LISTS = (0.56, 0.79)  # where the rankings begin, as shares of the figure's width


def split_figure(
    places: NDArray[np.floating],
    side: NDArray[np.integer],
    moved: NDArray[np.bool_],
    rankings: tuple[Sequence[tuple[str, float]], Sequence[tuple[str, float]]],
    *,
    objective: Sequence[float],
    phases: Sequence[str],
    documents: Sequence[str] | None = None,
    before: tuple[Sequence[str], Sequence[str]] = ((), ()),
    line: tuple[NDArray[np.floating], float] | None = None,
    title: str = "",
) -> go.Figure:
    """Left: the documents of a node. Right: both rankings' first labels, and the objective so far.

    Parameters
    ----------
    places : ndarray, shape (n, 2)
    side : ndarray of int, shape (n,)
        delta: 1 or -1.
    moved : ndarray of bool, shape (n,)
        Documents ringed in black.
    rankings : two sequences of (label name, share)
        r+ and r-, the first label first, each with the share (0 to 1) of that side's documents that have the label.
        At most eight are shown; empty before the first ranking step.
    objective : sequence of float
        Mean nDCG after each step so far; NaN, where there is no ranking yet, is left out.
    phases : sequence of str
        Names of all steps, so that the axis stays while they are made.
    documents : sequence of str, length n, optional
        What a document says when the pointer rests on it.
    before : two sequences of str
        The first labels a step ago; what is new among the shown ones is set in bold.
    line : (w, b), optional
        The separator in the plane, w . x + b = 0, where the features are the two coordinates themselves.
    """
    figure = go.Figure()
    said = [""] * len(places) if documents is None else [escape(document) for document in documents]
    for delta, (colour, symbol, sign) in SIDES.items():
        inside = np.flatnonzero(side == delta)
        figure.add_scatter(
            x=places[inside, 0],
            y=places[inside, 1],
            mode="markers",
            marker={
                "color": colour,
                "symbol": symbol,
                "size": 11,
                "opacity": 0.85,
            },
            text=[said[i] for i in inside],
            hoverinfo="skip" if documents is None else "text",
            name=f"δ = {sign}1: {len(inside)} documents",
        )
    figure.add_scatter(
        x=places[moved, 0] if moved.any() else [None],
        y=places[moved, 1] if moved.any() else [None],
        mode="markers",
        marker={"symbol": "circle-open", "color": BLACK, "size": 17, "line": {"width": 3}},
        hoverinfo="skip",
        name=f"changed sides: {int(moved.sum())}",
    )
    low, high = _window(places)
    if line is not None:
        ends = line_in_box(*line, low, high)
        figure.add_scatter(
            x=ends[:, 0],
            y=ends[:, 1],
            mode="lines",
            line={"color": INK, "width": 4, "dash": "dash"},
            hoverinfo="skip",
            name="separator",
        )
    hidden = {"showticklabels": False, "ticks": "", "showgrid": False, "mirror": True, "linecolor": GREY}
    figure.update_layout(
        xaxis={"range": [low[0], high[0]], "title": "first coordinate", "domain": [0, _LISTS[0] - 0.03], **hidden},
        yaxis={"range": [low[1], high[1]], "title": {"text": "second coordinate", "standoff": 4}, **hidden},
    )
    for at, delta, ranking, old in zip(_LISTS, (1, -1), rankings, before, strict=True):
        _add_ranking(figure, at, delta, ranking, old)
    _add_objective(figure, objective, phases)
    return figure.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE + 1}},
        height=600,
        margin={"t": 60, "b": 100},
        legend={"orientation": "h", "x": 0, "y": -0.13, "yanchor": "top"},
    )


def _window(places: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = places.min(axis=0), places.max(axis=0)
    edge = 0.06 * np.maximum(high - low, 1e-9)
    return (low - edge).astype(np.float64), (high + edge).astype(np.float64)


def line_in_box(
    w: NDArray[np.floating], b: float, low: NDArray[np.floating], high: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The two ends of the line w . x + b = 0 on the edges of a box; no rows where it does not cross the box.

    >>> import numpy as np
    >>> line_in_box(np.array([1.0, 0.0]), -0.5, np.zeros(2), np.ones(2)).tolist()
    [[0.5, 0.0], [0.5, 1.0]]
    """
    ends: list[list[float]] = []
    for axis in (1, 0):
        other = 1 - axis
        for edge in (low[axis], high[axis]):
            if abs(w[other]) > 1e-12:
                at = -(b + w[axis] * edge) / w[other]
                point = [0.0, 0.0]
                point[axis], point[other] = float(edge), float(at)
                if low[other] <= at <= high[other] and point not in ends:
                    ends.append(point)
    return np.array(ends[:2]).reshape(-1, 2)


def _add_ranking(
    figure: go.Figure, at: float, delta: int, ranking: Sequence[tuple[str, float]], old: Sequence[str]
) -> None:
    colour, symbol, sign = SIDES[delta]
    mark = {"circle": "●", "diamond": "◆"}[symbol]
    texts = [f'<span style="color:{colour}">{mark}</span> <b>ranking r<sup>{sign}</sup></b>']
    texts += [_entry(rank, name, share, old) for rank, (name, share) in enumerate(ranking[:_LISTED], start=1)]
    if not ranking:
        texts.append("none yet")
    for row, text in enumerate(texts):
        figure.add_annotation(
            x=at,
            y=1 - _LINE_HEIGHT * row,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="top",
            showarrow=False,
            text=text,
            font={"size": FONT_SIZE - (2 if row else 0)},
        )


def _entry(rank: int, name: str, share: float, old: Sequence[str]) -> str:
    text = f"{rank}. {escape(_cut(name, 24))} {share:.0%}"
    return f"<b>{text}</b>" if old and name not in list(old)[:_LISTED] else text


def _add_objective(figure: go.Figure, objective: Sequence[float], phases: Sequence[str]) -> None:
    done = [(step, value) for step, value in enumerate(objective) if np.isfinite(value)]
    figure.add_scatter(
        x=[step for step, _ in done],
        y=[value for _, value in done],
        mode="lines+markers",
        line={"color": INK, "width": 3},
        marker={"size": [14 if step == len(objective) - 1 else 8 for step, _ in done], "color": INK, "opacity": 1},
        text=[phases[step] for step, _ in done],
        hovertemplate="%{text}: %{y:.4f}<extra></extra>",
        showlegend=False,
        xaxis="x2",
        yaxis="y2",
    )
    figure.update_layout(
        xaxis2={
            "title": "step",
            "range": [-0.5, len(phases) - 0.5],
            "domain": [_LISTS[0] + 0.06, 1],
            "anchor": "y2",
            "dtick": 1 if len(phases) < 15 else 2,
        },
        yaxis2={"title": "mean nDCG", "domain": [0, 0.36], "anchor": "x2", "nticks": 5},
    )


def _cut(name: str, most: int) -> str:
    """Cut a long name in its middle."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"
