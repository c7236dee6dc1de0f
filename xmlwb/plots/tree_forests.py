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


def scored_labels_figure(table: pd.DataFrame) -> go.Figure:
    """P@1 and PSP@1 of LPSR against the labels scored for a document, on a logarithmic axis, beside its base.

    Parameters
    ----------
    table : DataFrame
        From `xmlwb.lessons.tree_race.scored_labels_curve`.
    """
    base = next(model for model in table["model"] if model != "LPSR")
    styles = model_styles(["LPSR", base])
    figure = make_subplots(cols=2, subplot_titles=[f"<b>{m}</b>" for m in _METRICS], horizontal_spacing=0.13)
    for column, metric in enumerate(_METRICS, start=1):
        for name, said in (("LPSR", "LPSR; at each point the labels that a leaf keeps"), (base, f"{base}: all labels")):
            rows = table[table["model"] == name].sort_values("labels scored")
            figure.add_scatter(
                x=rows["labels scored"],
                y=100 * rows[metric],
                mode="lines+markers+text",
                text=[f"{size:.0f}" if size == size else "" for size in rows["labels a leaf"]],
                textposition=_beside(rows["labels scored"].to_numpy(dtype=np.float64)),
                textfont={"size": FONT_SIZE - 2},
                line={"color": styles[name].colour, "width": 2},
                marker={"size": 12, "color": styles[name].colour, "symbol": styles[name].symbol},
                name=escape(said),
                legendgroup=name,
                showlegend=column == 1,
                customdata=rows["ms a document"],
                hovertemplate="%{x:,.0f} labels scored: %{y:.1f} %, %{customdata:.3f} ms<extra>" + name + "</extra>",
                row=1,
                col=column,
            )
        height = 100 * float(table.loc[table["model"] == base, metric].iloc[0])
        figure.add_hline(y=height, line={"color": GREY, "dash": "dot", "width": 2}, row=1, col=column)
        figure.update_yaxes(title=f"{metric}, per cent", row=1, col=column)
    scored = table["labels scored"]
    low, high = np.log10(max(scored.min(), 1.0)) - 0.15, np.log10(scored.max()) + 0.2
    ticks = [step * 10**decade for decade in range(7) for step in (1, 2, 5)]
    figure.update_xaxes(
        type="log",
        tickvals=ticks,
        ticktext=[f"{tick:,}" for tick in ticks],
        tickangle=0,
        range=[low, high],
        title="labels scored for a document, mean",
    )
    figure.update_annotations(font_size=FONT_SIZE + 1)
    return figure.update_layout(
        height=430, margin={"t": 50, "b": 110}, legend={"orientation": "h", "y": -0.24, "yanchor": "top"}
    )


def _beside(x: np.ndarray) -> list[str]:
    """Where the texts of points on a logarithmic axis stand: to the right, but to the left of a close neighbour."""
    gaps = np.append(np.diff(np.log10(x)), np.inf)
    return ["bottom left" if gap < 0.2 else "bottom right" for gap in gaps]
