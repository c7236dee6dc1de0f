"""Beam search seen from outside and inside: what a wider beam finds and costs, and where true labels are lost."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

_BINS = {
    "all labels": (BLACK, "solid", "circle"),
    "head": (BLUE, "dot", "circle"),
    "torso": (ORANGE, "dash", "diamond"),
    "tail": (GREEN, "longdash", "square"),
}
_QUALITIES = {
    "recall": (VERMILION, "solid", "circle"),
    "P@1": (SKY, "dash", "diamond"),
    "P@3": (PURPLE, "dot", "triangle-up"),
    "P@5": (GREY, "longdash", "square"),
}
# At the figure's edge: a legend placed by the panels is drawn over their titles until plotly knows its height.
_BELOW = {"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom"}


def survival_figure(survival: pd.DataFrame, beam: str | int, k: int = 5) -> go.Figure:
    """Share of the true labels that are still in the beam after each level, by frequency bin, for one beam width.

    Parameters
    ----------
    survival : DataFrame
        From `xmlwb.lessons.label_tree_cascade.survival_table`.
    beam : str or int
        One of its beams.
    k : int
        As in the table.
    """
    figure = make_subplots()
    _add_survival(figure, survival, str(beam), k, col=1)
    return figure.update_layout(height=480, margin={"t": 50, "b": 140}, legend=_BELOW)


def beam_figure(study: pd.DataFrame, beam: str | int) -> go.Figure:
    """What each beam width finds (left) and what it costs (right), the present one marked.

    Parameters
    ----------
    study : DataFrame
        From `xmlwb.lessons.label_tree_cascade.beam_study`.
    beam : str or int
        One of its beams.
    """
    figure = make_subplots(cols=2, column_widths=[0.62, 0.38], horizontal_spacing=0.12)
    _add_quality(figure, study, str(beam), columns=(1, 2))
    figure.update_layout(title={"text": _now(study, str(beam)), "font": {"size": FONT_SIZE}})
    return figure.update_layout(height=450, margin={"t": 60, "b": 140}, legend=_BELOW)


def cascade_figure(survival: pd.DataFrame, study: pd.DataFrame, beam: str | int = 10, k: int = 5) -> go.Figure:
    """Left: true labels down the levels of one tree. Middle and right: what the model finds, and its time.

    Parameters
    ----------
    survival, study : DataFrame
        From `xmlwb.lessons.label_tree_cascade`, with the same beams.
    beam : str or int
    k : int
    """
    figure = make_subplots(cols=3, column_widths=[0.42, 0.34, 0.24], horizontal_spacing=0.085)
    _add_survival(figure, survival, str(beam), k, col=1)
    _add_quality(figure, study, str(beam), columns=(2, 3))
    figure.update_layout(title={"text": _now(study, str(beam)), "font": {"size": FONT_SIZE}})
    return figure.update_layout(height=500, margin={"t": 70, "b": 140}, legend=_BELOW)


def _add_survival(figure: go.Figure, survival: pd.DataFrame, beam: str, k: int, col: int) -> None:
    now = survival[survival["beam"] == beam]
    if now.empty:
        raise ValueError(f"beam is {beam}; wanted one of {', '.join(dict.fromkeys(survival['beam']))}")
    last = int(now["level"].max())
    for bin_, (colour, dash, symbol) in _BINS.items():
        part = now[now["bin"] == bin_].sort_values("level")
        if part.empty:
            continue
        figure.add_scatter(
            x=part["level"], y=100 * part["alive"], mode="lines+markers",
            line={"color": colour, "dash": dash, "width": 4 if bin_ == "all labels" else 3},
            marker={"symbol": symbol, "size": 10},
            hovertemplate=f"{bin_}: %{{y:.1f}} %<extra></extra>",
            name=f"true labels: {'all' if bin_ == 'all labels' else bin_}", row=1, col=col,
        )  # fmt: skip
    ticks = ["root", *(str(level) for level in range(1, last)), f"first {k}"]
    figure.update_xaxes(title="level of one tree", tickvals=list(range(last + 1)), ticktext=ticks, row=1, col=col)
    figure.update_yaxes(title="true labels still in the beam, %", range=[0, 104], row=1, col=col)


def _add_quality(figure: go.Figure, study: pd.DataFrame, beam: str, columns: tuple[int, int]) -> None:
    if beam not in set(study["beam"]):
        raise ValueError(f"beam is {beam}; wanted one of {', '.join(study['beam'])}")
    quality, cost = columns
    for column, (colour, dash, symbol) in _QUALITIES.items():
        if column in study:
            figure.add_scatter(
                x=study["beam"], y=100 * study[column], mode="lines+markers",
                line={"color": colour, "dash": dash, "width": 3}, marker={"symbol": symbol, "size": 10},
                name="beam recall" if column == "recall" else column, row=1, col=quality,
            )  # fmt: skip
    figure.add_scatter(
        x=study["beam"], y=study["ms"], mode="lines+markers", line={"color": GREY, "width": 3},
        marker={"size": 10}, name="time", showlegend=False, row=1, col=cost,
    )  # fmt: skip
    for col in columns:
        figure.add_vline(x=list(study["beam"]).index(beam), line={"color": GREY, "width": 2, "dash": "dot"}, col=col)
        figure.update_xaxes(title="beam", type="category", row=1, col=col)
    figure.update_yaxes(title="beam recall and P@k, %", range=[0, 104], row=1, col=quality)
    figure.update_yaxes(title="ms a document", rangemode="tozero", row=1, col=cost)


def _now(study: pd.DataFrame, beam: str) -> str:
    row = study[study["beam"] == beam].iloc[0]
    told = ", ".join(f"{name} {100 * row[name]:.1f} %" for name in ("P@1", "P@3", "P@5") if name in study)
    return f"<b>beam {beam}</b>: recall {100 * row['recall']:.1f} % of the whole search's labels, {told}"
