"""Theorems 2.1 and B.1 drawn: scores of random label vectors, and where they begin to tell labels apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, ORANGE, VERMILION

_BELOW = {"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"}
_LOOKS: dict[str, dict[str, Any]] = {
    "measured": {"mode": "lines+markers", "line": {"color": BLUE}, "marker": {"symbol": "circle", "size": 10}},
    "expected": {"mode": "lines", "line": {"color": GREY, "dash": "dash"}},
    "best": {"mode": "markers", "marker": {"color": GREEN, "symbol": "star", "size": 17}},
}


class Curve(NamedTuple):
    """Share of the instances by d; look is "measured", "expected" or "best"."""

    d: Sequence[float]
    share: Sequence[float]
    look: str


def separation_figure(
    relevant: np.ndarray,
    others: np.ndarray,
    highest: np.ndarray,
    curves: Mapping[str, Curve],
    now: tuple[float, float],
    *,
    title: str,
    subtitle: str,
    bounds: Mapping[str, float],
    lines: Mapping[str, float],
    score: str,
    step: float,
) -> go.Figure:
    """Left: scores of relevant and of other labels. Right: share of the instances that come out right, by d.

    Parameters
    ----------
    relevant, others : ndarrays
        Scores of labels, for two histograms.
    highest : ndarray
        The highest score of an irrelevant label, instance by instance.
    curves : mapping of name to `Curve`
    now : (d, share)
        Where the sliders stand.
    title, subtitle : str
    bounds : mapping of name to d
        Dimensions that a proof asks for.
    lines : mapping of name to score
        Thresholds.
    score : str
        Title of the axis of scores.
    step : float
        Scores are multiples of it; the histograms' bins are whole steps wide.
    """
    figure = make_subplots(cols=2, column_widths=[0.52, 0.48], horizontal_spacing=0.11)
    low = min(float(np.quantile(others, 0.001)), float(relevant.min()))
    high = float(max(relevant.max(), highest.max()))
    width = step * max(1, np.ceil((high - low) / 45 / step))
    edges = np.arange(np.floor(low / width) - 0.5, high / width + 1.5) * width
    for values, name, colour, dash in (
        (others, "an irrelevant label", ORANGE, "dash"),
        (highest, "the highest irrelevant one", VERMILION, "dot"),
        (relevant, "a relevant label", BLUE, "solid"),
    ):
        part = 100 * np.histogram(values, edges)[0] / max(len(values), 1)
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2, y=part, mode="lines", name=name, fill="tozeroy",
            line={"color": colour, "dash": dash, "shape": "hvh"}, hovertemplate="score %{x:.2f}: %{y:.1f} %",
            row=1, col=1,
        )  # fmt: skip
    for text, place in lines.items():
        figure.add_vline(
            x=place, line={"color": BLACK, "dash": "dot", "width": 2}, annotation_text=text,
            annotation_position="top", annotation_font_size=FONT_SIZE, row=1, col=1,
        )  # fmt: skip
    for name, (d, share, look) in curves.items():
        figure.add_scatter(
            x=list(d), y=[100 * value for value in share], name=name, cliponaxis=False, **_LOOKS[look],
            hovertemplate="d = %{x}: %{y:.0f} %<extra></extra>", row=1, col=2,
        )  # fmt: skip
    figure.add_scatter(
        x=[now[0]], y=[100 * now[1]], mode="markers", name="the sliders as they stand", hoverinfo="skip",
        marker={"symbol": "circle-open", "size": 22, "color": BLACK, "line": {"width": 3}}, cliponaxis=False,
        row=1, col=2,
    )  # fmt: skip
    for number, (name, wanted) in enumerate(bounds.items()):
        colour, dash = ((BLACK, "dash"), (VERMILION, "dot"))[number % 2]
        figure.add_scatter(
            x=[wanted, wanted], y=[0, 100], mode="lines", name=f"{name}: d = {wanted:,.0f}",
            line={"color": colour, "dash": dash, "width": 3}, hoverinfo="skip", row=1, col=2,
        )  # fmt: skip
    figure.update_xaxes(title=score, row=1, col=1)
    figure.update_yaxes(title="per cent of these labels", row=1, col=1)
    most = max([*(max(d) for d, _, _ in curves.values()), *bounds.values()])
    ticks = [4**power for power in range(1, 9) if 4**power <= 2 * most]
    figure.update_xaxes(
        title="d, dimension of the vectors", type="log", tickvals=ticks, range=[np.log10(6), np.log10(1.3 * most)],
        row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(title="instances all right, per cent", range=[-3, 106], row=1, col=2)
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, height=510,
        margin={"t": 110, "b": 150}, legend=_BELOW,
    )  # fmt: skip


def projection_figure(
    target: np.ndarray,
    found: np.ndarray,
    epsilon: float,
    errors: Mapping[int, float],
    perfect: Mapping[int, float],
    d: int,
    *,
    title: str,
    subtitle: str,
) -> go.Figure:
    """Left: inner products of label vectors beside the geometric means. Right: largest error and accuracy by d.

    Parameters
    ----------
    target, found : ndarrays
        Of pairs of labels: sqrt(F(y|y') F(y'|y)), and v_y . v_y'.
    epsilon : float
        The error that the theorem allows.
    errors, perfect : mapping of d to number
        Largest error of a pair; share of the instances without a mistake.
    d : int
        Where the slider stands.
    title, subtitle : str
    """
    figure = make_subplots(cols=2, horizontal_spacing=0.12, specs=[[{}, {"secondary_y": True}]])
    ends = np.array([0.0, 1.0])
    figure.add_scatter(
        x=[*ends, *ends[::-1]], y=[*(ends + epsilon), *(ends[::-1] - epsilon)], fill="toself", mode="none",
        fillcolor="rgba(0,158,115,0.25)", name="the theorem's band, ± ε", hoverinfo="skip", row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=target, y=found, mode="markers", marker={"color": BLUE, "size": 5, "opacity": 0.5}, name="a pair of labels",
        hovertemplate="geometric mean %{x:.2f}, inner product %{y:.2f}<extra></extra>", row=1, col=1,
    )  # fmt: skip
    dims = sorted(errors)
    figure.add_scatter(
        x=dims, y=[errors[one] for one in dims], mode="lines+markers", name="largest error of a pair",
        line={"color": BLUE}, marker={"symbol": "circle", "size": 9},
        hovertemplate="d = %{x}: largest error %{y:.2f}<extra></extra>", row=1, col=2,
    )  # fmt: skip
    figure.add_scatter(
        x=[dims[0], dims[-1]], y=[epsilon, epsilon], mode="lines", line={"color": GREEN, "dash": "dash"},
        name=f"ε = {epsilon:.2f}", hoverinfo="skip", row=1, col=2,
    )  # fmt: skip
    figure.add_scatter(
        x=dims, y=[100 * perfect[one] for one in dims], mode="lines+markers",
        name="instances without a mistake (right)", line={"color": ORANGE, "dash": "dot"},
        marker={"symbol": "diamond", "size": 10},
        hovertemplate="d = %{x}: %{y:.0f} %<extra></extra>", row=1, col=2, secondary_y=True,
    )  # fmt: skip
    figure.add_vline(x=d, line={"color": BLACK, "dash": "dot", "width": 2}, row=1, col=2)
    figure.update_xaxes(title="geometric mean of F(y|y') and F(y'|y)", range=[-0.03, 1.03], row=1, col=1)
    figure.update_yaxes(title="inner product of the label vectors", range=[-0.85, 1.6], row=1, col=1)
    figure.update_xaxes(title="d, dimension of the vectors", type="log", tickvals=dims, row=1, col=2)
    figure.update_yaxes(title="largest error", rangemode="tozero", row=1, col=2, secondary_y=False)
    figure.update_yaxes(
        title="per cent of the instances", range=[-3, 106], tickvals=[0, 25, 50, 75, 100], showgrid=False,
        row=1, col=2, secondary_y=True,
    )  # fmt: skip
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, height=490, margin={"t": 100, "b": 120}, legend=_BELOW
    )
