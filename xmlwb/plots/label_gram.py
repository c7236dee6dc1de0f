"""The Gram matrix of label embeddings beside the affinities that it is pulled to, and all pairs at a glance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, style_of_regularizer

#: From vermilion at -1 over white at 0 to blue at 1: two hues that the colour-blind tell apart.
_SCALE = [[0, "#D55E00"], [0.5, "#FFFFFF"], [1, "#0072B2"]]


def gram_figure(
    matrices: Mapping[str, np.ndarray], names: Sequence[str], *, title: str, subtitle: str = ""
) -> go.Figure:
    """Square matrices of the same labels side by side, each number written into its cell.

    Parameters
    ----------
    matrices : mapping of title to ndarray, shape (m, m)
        Entries between -1 and 1; two or three matrices.
    names : sequence of str, length m
    title, subtitle : str
    """
    short = _short(names)
    figure = make_subplots(
        cols=len(matrices), subplot_titles=[f"<b>{name}</b>" for name in matrices], horizontal_spacing=0.04
    )
    size = FONT_SIZE - 3 if len(names) > 10 else FONT_SIZE - 2
    for column, matrix in enumerate(matrices.values(), start=1):
        figure.add_heatmap(
            z=matrix,
            x=short,
            y=short,
            zmin=-1,
            zmax=1,
            colorscale=_SCALE,
            showscale=False,
            xgap=1,
            ygap=1,
            text=[[_number(value) for value in row] for row in matrix],
            texttemplate="%{text}",
            textfont={"size": size},
            hovertemplate="%{y}<br>%{x}: %{z:.2f}<extra></extra>",
            row=1,
            col=column,
        )
        figure.update_yaxes(autorange="reversed", showticklabels=column == 1, row=1, col=column)
    figure.update_xaxes(tickangle=90, ticks="", showline=False, tickfont={"size": FONT_SIZE - 1})
    figure.update_yaxes(ticks="", showline=False, tickfont={"size": FONT_SIZE - 1})
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, height=600, margin={"t": 120, "b": 20, "l": 20, "r": 10},
    )  # fmt: skip


def pull_figure(pairs: pd.DataFrame, *, title: str, subtitle: str = "") -> go.Figure:
    """Mean inner product of two labels' vectors by their affinity, for each regulariser; the target is the diagonal.

    Parameters
    ----------
    pairs : DataFrame
        "regulariser", "affinity" (mean of a group of pairs), "inner product" (mean), "low", "high" (tenth and ninetieth
        percentile) and "pairs" (how many), regularisers in the order of the legend.
    title, subtitle : str
    """
    figure = go.Figure()
    ends = [0, 1]
    figure.add_scatter(
        x=ends, y=ends, mode="lines", line={"color": BLACK, "dash": "dash", "width": 2}, hoverinfo="skip",
        name="the target of GLaS",
    )  # fmt: skip
    for place, (name, of_it) in enumerate(pairs.groupby("regulariser", sort=False)):
        look = style_of_regularizer(str(name))
        shift = 0.006 * (place - 1.5)
        figure.add_scatter(
            x=of_it["affinity"] + shift,
            y=of_it["inner product"],
            error_y={
                "array": of_it["high"] - of_it["inner product"],
                "arrayminus": of_it["inner product"] - of_it["low"],
                "symmetric": False,
                "thickness": 1.5,
                "width": 4,
            },
            mode="lines+markers",
            line={"color": look.colour, "dash": look.dash},
            marker={"symbol": look.symbol, "size": 10},
            name=escape(str(name)),
            customdata=of_it["pairs"],
            hovertemplate="%{customdata:,} pairs of affinity %{x:.2f}: inner product %{y:.2f}"
            f"<extra>{escape(str(name))}</extra>",
        )
    figure.update_xaxes(title="affinity U of two labels (0: they never meet)", range=[-0.04, 1.04])
    figure.update_yaxes(title="inner product of their vectors")
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, height=480, margin={"t": 100},
        legend={"x": 1.02, "y": 1, "xanchor": "left"},
    )  # fmt: skip


def _short(names: Sequence[str]) -> list[str]:
    """What stands after "::", unless two of them would then be alike; cut where it is long."""
    tails = [name.split("::")[-1] for name in names]
    chosen = [tail if tails.count(tail) == 1 else name for tail, name in zip(tails, names, strict=True)]
    return [escape(text if len(text) <= 24 else f"{text[:23]}…") for text in chosen]


def _number(value: float) -> str:
    """Two digits, without the 0 before the point and without -0."""
    text = f"{value:.1f}" if abs(value) < 0.995 else f"{value:.0f}"
    return "0" if float(text) == 0 else text.replace("0.", ".")
