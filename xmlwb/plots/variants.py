"""Variants of one method beside each other: a panel for each measure, a row for each variant, a stroke a seed."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY


def variants_figure(
    runs: pd.DataFrame, measures: Mapping[str, str], *, base: str, title: str, subtitle: str = "", row_height: int = 52
) -> go.Figure:
    """Means as dots with their value, seeds as strokes.

    Parameters
    ----------
    runs : DataFrame
        A row for each variant and seed: "variant" and the measures, as they are to be shown.
    measures : mapping of column to what stands at its axis
    base : str
        The variant that a line through each panel marks.
    title, subtitle : str
    row_height : int
        Pixels of a variant.
    """
    names = list(dict.fromkeys(runs["variant"]))
    figure = make_subplots(cols=len(measures), shared_yaxes=True, horizontal_spacing=0.03)
    means = runs.groupby("variant", sort=False)[list(measures)].mean()
    for column, (measure, axis) in enumerate(measures.items(), start=1):
        low, high = runs[measure].min(), runs[measure].max()
        room = max(high - low, 1e-9 * max(abs(high), 1))
        figure.add_scatter(
            x=runs[measure], y=[escape(name) for name in runs["variant"]], mode="markers", showlegend=False,
            marker={"symbol": "line-ns-open", "size": 13, "color": BLUE, "line": {"width": 2}}, row=1, col=column,
            hovertemplate="%{y}, one seed: %{x:.4g}<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=means[measure], y=[escape(name) for name in names], mode="markers+text", showlegend=False,
            marker={"size": 11, "color": BLUE}, row=1, col=column, text=[f"{value:.3g}" for value in means[measure]],
            textposition="top center", textfont={"size": FONT_SIZE - 2}, cliponaxis=False,
            hovertemplate="%{y}, mean: %{x:.4g}<extra></extra>",
        )  # fmt: skip
        if base in means.index:
            figure.add_vline(
                x=means.loc[base, measure], line={"color": GREY, "dash": "dot", "width": 2}, row=1, col=column
            )
        figure.update_xaxes(title=axis, range=[low - 0.22 * room, high + 0.22 * room], nticks=5, row=1, col=column)
    figure.update_yaxes(
        autorange=False, range=[len(names) - 0.4, -0.7], categoryorder="array",
        categoryarray=[escape(name) for name in names],
    )  # fmt: skip
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}},
        height=170 + row_height * len(names),
        margin={"t": 90, "b": 70},
    )
