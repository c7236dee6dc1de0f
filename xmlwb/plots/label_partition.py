"""A partition of labels in the plane: unit vectors on a circle, directions, dividing line, who moves, the objective."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, GREY, INK, PALETTE, SYMBOLS

_SECTOR = 6.0  # degrees: labels of one sector stand on top of each other, outwards from the circle
_STACK = 0.07
_REACH = 1.6


def partition_figure(
    V: NDArray[np.floating],
    directions: NDArray[np.floating],
    side: NDArray[np.integer],
    moved: NDArray[np.bool_],
    *,
    names: Sequence[str],
    objective: Sequence[float],
    phases: Sequence[tuple[int, str]],
    at: int,
    cut: float = 0.0,
    title: str = "",
) -> go.Figure:
    """Left: labels on the circle, stacked outwards where they crowd. Right: the objective so far, by rounds.

    Parameters
    ----------
    V : ndarray, shape (n, 2)
        Unit vectors.
    directions : ndarray, shape (K, 2)
    side : ndarray of int, shape (n,)
        The direction of each label; -1 is none yet.
    moved : ndarray of bool, shape (n,)
        Labels ringed in black.
    names : sequence of str, length n
    objective : sequence of float
        Mean cosine after each step of the run; NaN is left out. Those to come are not drawn, but the axes hold them.
    phases : sequence of (int, str)
        Round and name of each step.
    at : int
        The present step.
    cut : float
        With two directions: the difference of the two cosines at which the sides part.
    """
    figure = make_subplots(cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.12)
    places = stacked(V)
    for k in (-1, *range(len(directions))):
        inside = np.flatnonzero(side == k)
        if not len(inside):
            continue
        figure.add_scatter(
            x=places[inside, 0],
            y=places[inside, 1],
            mode="markers",
            marker={
                "color": _colour(k),
                "symbol": "circle" if k < 0 else SYMBOLS[k % len(SYMBOLS)],
                "size": 10,
                "line": {"width": np.where(moved[inside], 3, 0), "color": BLACK},
            },
            text=[escape(names[i], quote=False) for i in inside.tolist()],
            hovertemplate="%{text}<extra></extra>",
            name="no side yet" if k < 0 else f"side {k + 1}: {len(inside)} labels",
            row=1,
            col=1,
        )
    if moved.any():
        figure.add_scatter(
            x=[None],
            y=[None],
            mode="markers",
            marker={"color": "white", "size": 11, "line": {"width": 3, "color": BLACK}},
            name="changes sides now",
            row=1,
            col=1,
        )
    if cut:
        _add_line(figure, directions, 0.0, width=1, dash="dot", name="equal cosines")
    _add_line(figure, directions, cut, width=3, dash="dash", name="where the sides part")
    _add_directions(figure, directions)
    figure.add_shape(type="circle", x0=-1, y0=-1, x1=1, y1=1, line={"color": GREY, "width": 1}, row=1, col=1)
    figure.update_xaxes(range=[-_REACH, _REACH], visible=False, row=1, col=1)
    figure.update_yaxes(range=[-_REACH, _REACH], visible=False, scaleanchor="x", row=1, col=1)
    _add_objective(figure, objective, phases, at)
    figure.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE}},
        height=560,
        margin={"t": 50, "b": 110, "l": 10},
        legend={"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"},
    )
    return figure


def _add_objective(figure: go.Figure, objective: Sequence[float], phases: Sequence[tuple[int, str]], at: int) -> None:
    values = np.array(objective, dtype=float)
    done = [step for step in range(at + 1) if np.isfinite(values[step])]
    figure.add_scatter(
        x=done,
        y=[values[step] for step in done],
        mode="lines+markers+text",
        line={"color": INK, "width": 3},
        marker={"size": [14 if step == at else 8 for step in done], "color": INK, "opacity": 1},
        text=[f"  {phases[step][1]}" if step == at else "" for step in done],
        textposition="middle right",  # what is to come is not drawn: nothing is in the way
        customdata=[f"round {phases[step][0]}, {phases[step][1]}" for step in done],
        hovertemplate="%{customdata}: %{y:.4f}<extra></extra>",
        showlegend=False,
        row=1,
        col=2,
    )
    begins = [step for step in range(1, len(phases)) if phases[step][0] != phases[step - 1][0]]
    few = begins[:: 1 + len(begins) // 12]
    ticks = {"tickvals": few, "ticktext": [str(phases[step][0]) for step in few]}
    figure.update_xaxes(title="round", range=[-0.5, 1.25 * len(phases)], **ticks, row=1, col=2)
    seen = values[np.isfinite(values)]
    pad = 0.12 * max(float(np.ptp(seen)), 0.02) if len(seen) else 0.1
    low, high = (float(seen.min()) - 2 * pad, float(seen.max()) + pad) if len(seen) else (0.0, 1.0)
    figure.update_yaxes(title="mean cosine to the own direction", range=[low, high], row=1, col=2)


def stacked(V: NDArray[np.floating]) -> NDArray[np.float64]:
    """Places of unit vectors, those of one narrow sector pushed outwards one after another; angles stay."""
    V = np.asarray(V, dtype=np.float64)
    sector = np.floor(np.degrees(np.arctan2(V[:, 1], V[:, 0])) / _SECTOR)
    above = np.zeros(len(V))
    for which in np.unique(sector):
        inside = np.flatnonzero(sector == which)
        above[inside] = np.arange(len(inside))
    return V * (1 + _STACK * (above[:, None] + 0.5))


def boundary_angles(directions: NDArray[np.floating], cut: float = 0.0) -> NDArray[np.float64]:
    """Angles (radians) on the circle at which the sides part.

    Two directions: where the difference of the cosines is ``cut``. More: half-way between neighbours.
    """
    if len(directions) == 2:
        normal = np.asarray(directions[0], dtype=np.float64) - directions[1]
        length = float(np.linalg.norm(normal))
        if length < 1e-12:
            return np.zeros(0)
        half = np.arccos(np.clip(cut / length, -1, 1))
        middle = np.arctan2(normal[1], normal[0])
        return np.array([middle - half, middle + half])
    pointing = directions[np.linalg.norm(directions, axis=1) > 0]
    angles = np.sort(np.arctan2(pointing[:, 1], pointing[:, 0]))
    following = np.append(angles[1:], angles[0] + 2 * np.pi)
    return (angles + following) / 2 if len(angles) > 1 else np.zeros(0)


def _add_line(
    figure: go.Figure, directions: NDArray[np.floating], cut: float, *, width: int, dash: str, name: str
) -> None:
    angles = boundary_angles(directions, cut)
    ends = np.column_stack([np.cos(angles), np.sin(angles)])
    xs: list[float | None] = []
    ys: list[float | None] = []
    if len(directions) == 2 and len(ends) == 2:  # the chord, and on from its ends past the stacks
        path = np.vstack([_REACH * ends[0], ends[0], ends[1], _REACH * ends[1]])
        xs, ys = list(path[:, 0]), list(path[:, 1])
    else:
        for end in ends:
            xs += [0.0, _REACH * end[0], None]
            ys += [0.0, _REACH * end[1], None]
    figure.add_scatter(
        x=xs,
        y=ys,
        mode="lines",
        line={"color": GREY, "width": width, "dash": dash},
        hoverinfo="skip",
        name=name,
        row=1,
        col=1,
    )


def _add_directions(figure: go.Figure, directions: NDArray[np.floating]) -> None:
    for k, (x, y) in enumerate(directions):
        figure.add_annotation(
            x=0.95 * x,
            y=0.95 * y,
            ax=0,
            ay=0,
            xref="x",
            yref="y",
            axref="x",
            ayref="y",
            showarrow=True,
            arrowhead=2,
            arrowsize=1.2,
            arrowwidth=5,
            arrowcolor=_colour(k),
            text="",
        )


def _colour(k: int) -> str:
    return "#BBBBBB" if k < 0 else PALETTE[k % len(PALETTE)]
