"""What a forest gains by growing, and what scoring fewer labels costs."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import FONT_SIZE, GREY, model_styles

_METRICS = ("P@1", "PSP@1")


def forest_figure(curves: Mapping[str, pd.DataFrame]) -> go.Figure:
    """P@1 and PSP@1 against the number of trees, on a logarithmic axis, a line for each model.

    Parameters
    ----------
    curves : mapping of model to DataFrame
        "trees", "P@1", "PSP@1" as fractions; from `xmlwb.lessons.tree_race.forest_curve`.
    """
    styles = model_styles(curves)
    figure = make_subplots(cols=2, subplot_titles=[f"<b>{m}</b>" for m in _METRICS], horizontal_spacing=0.13)
    for column, metric in enumerate(_METRICS, start=1):
        for model, curve in curves.items():
            figure.add_scatter(
                x=curve["trees"],
                y=100 * curve[metric],
                mode="lines+markers",
                line={"color": styles[model].colour, "dash": styles[model].dash},
                marker={"size": 10, "symbol": styles[model].symbol},
                name=escape(model),
                legendgroup=model,
                showlegend=column == 1,
                hovertemplate="%{x} trees: %{y:.1f} %<extra>" + escape(model) + "</extra>",
                row=1,
                col=column,
            )
        figure.update_yaxes(title=f"{metric}, per cent", row=1, col=column)
    sizes = sorted({int(n) for curve in curves.values() for n in curve["trees"]})
    low, high = np.log10(max(1, sizes[0])) - 0.08, np.log10(sizes[-1]) + 0.08
    figure.update_xaxes(
        type="log", title="trees", tickvals=sizes, ticktext=[str(n) for n in sizes], tickangle=0, range=[low, high]
    )
    figure.update_annotations(font_size=FONT_SIZE + 1)
    return figure.update_layout(
        height=430, margin={"t": 50, "b": 110}, legend={"orientation": "h", "y": -0.24, "yanchor": "top"}
    )


def scored_labels_figure(table: pd.DataFrame, base: str | None = None) -> go.Figure:
    """P@1 and PSP@1 against the labels scored for a document, on a logarithmic axis; a point for each fit.

    Parameters
    ----------
    table : DataFrame
        "model", "labels scored", "P@1", "PSP@1"; from `xmlwb.lessons.tree_race.scored_labels_curve`.
    base : str, optional
        The model that the others spare labels of; drawn apart, with a line across at its height.
    """
    styles = model_styles(["LPSR", base or "base"])
    rest = table[table["model"] != base].sort_values("labels scored")
    figure = make_subplots(cols=2, subplot_titles=[f"<b>{m}</b>" for m in _METRICS], horizontal_spacing=0.13)
    for column, metric in enumerate(_METRICS, start=1):
        for rows, name in ((rest, "LPSR"), (table[table["model"] == base], base or "base")):
            figure.add_scatter(
                x=rows["labels scored"],
                y=100 * rows[metric],
                mode="lines+markers" if name == "LPSR" else "markers",
                line={"color": styles[name].colour, "width": 2},
                marker={"size": 12, "color": styles[name].colour, "symbol": styles[name].symbol},
                text=[escape(model) for model in rows["model"]],
                name=escape(name) + (", all labels scored" if name != "LPSR" else ""),
                legendgroup=name,
                showlegend=column == 1 and len(rows) > 0,
                hovertemplate="%{text}: %{x:,.0f} labels, %{y:.1f} %<extra></extra>",
                row=1,
                col=column,
            )
        for value in table.loc[table["model"] == base, metric]:
            figure.add_hline(y=100 * value, line={"color": GREY, "dash": "dot", "width": 2}, row=1, col=column)
        figure.update_yaxes(title=f"{metric}, per cent", row=1, col=column)
    figure.update_xaxes(type="log", title="labels scored for a document, mean")
    figure.update_annotations(font_size=FONT_SIZE + 1)
    return figure.update_layout(
        height=430, margin={"t": 50, "b": 110}, legend={"orientation": "h", "y": -0.24, "yanchor": "top"}
    )
