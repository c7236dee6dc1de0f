"""What trees do to tail labels: recall by tenths, where right labels get lost, quality with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, SKY, model_styles
from xmlwb.tails import TailViews

#: What becomes of a right label: column, fill, lines of the pattern, pattern.
_FATES = (
    ("among the first k", BLUE, BLUE, ""),
    ("reached, outranked", "#D8EDF9", SKY, "/"),
    ("never reached", "#E8E8E8", GREY, "x"),
)
_DECILES = [str(tenth) for tenth in range(1, 11)]
_TENTHS = "tenth of the labels, most frequent first"


def quality_intervals_figure(quality: pd.DataFrame) -> go.Figure:
    """P@k on the left, PSP@k on the right: one dot with its interval for each model and k, in per cent.

    Parameters
    ----------
    quality : DataFrame
        "model", "metric" ("P@1", ..., "PSP@5"), "value", "low", "high"; from
        `xmlwb.lessons.tree_race.quality_intervals`.
    """
    models = list(dict.fromkeys(quality["model"]))
    styles = model_styles(models)
    kinds = {"P": "right answers, per cent", "PSP": "weighted by 1 / propensity, per cent"}
    titles = ["<b>P@k</b>: every right answer counts 1", "<b>PSP@k</b>: a rare label's counts more"]
    figure = make_subplots(cols=2, subplot_titles=titles, horizontal_spacing=0.11)
    for column, (kind, unit) in enumerate(kinds.items(), start=1):
        for model in models:
            rows = quality[(quality["model"] == model) & quality["metric"].str.startswith(kind + "@")]
            figure.add_scatter(
                x=rows["metric"],
                y=100 * rows["value"],
                error_y={
                    "array": 100 * (rows["high"] - rows["value"]),
                    "arrayminus": 100 * (rows["value"] - rows["low"]),
                    "thickness": 2,
                    "width": 5,
                },
                mode="markers",
                marker={"size": 11, "color": styles[model].colour, "symbol": styles[model].symbol},
                name=escape(model),
                legendgroup=model,
                showlegend=column == 1,
                hovertemplate="%{x}: %{y:.1f} %<extra>" + escape(model) + "</extra>",
                row=1,
                col=column,
            )
        of_kind = quality[quality["metric"].str.startswith(kind + "@")]
        low, high = 100 * of_kind["low"].min(), 100 * of_kind["high"].max()
        edge = 0.06 * (high - low)
        figure.update_yaxes(title=unit, range=[low - edge, high + edge], row=1, col=column)
    figure.update_xaxes(type="category", range=[-0.5, quality["metric"].nunique() / 2 - 0.5])
    figure.update_annotations(font_size=FONT_SIZE + 1)
    return figure.update_layout(
        scattermode="group",
        scattergap=0.35,
        height=460,
        margin={"t": 50, "b": 100},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
    )


def decile_recall_figure(views: TailViews, captions: Mapping[str, str] | None = None) -> go.Figure:
    """Recall by tenths of label frequency, a panel for each model, each beside the baseline's line.

    Parameters
    ----------
    views : TailViews
        With ``kind="decile"``; its baseline is drawn grey in all panels.
    captions : mapping of model to str, optional
        What stands under the model's name, such as "splits labels, unbalanced".

    Raises
    ------
    ValueError
        If the bins are no tenths, or there is no model beside the baseline.
    """
    if "1" not in views.bins.index:
        raise ValueError(f"views: found the bins {list(views.bins.index)}, wanted tenths (kind='decile')")
    others = [model for model in views.models if model != views.baseline]
    if not others:
        raise ValueError(f"views: found {views.baseline} alone, wanted a model to compare with it")
    styles, captions = model_styles(views.models), captions or {}
    titles = [f"<b>{escape(model)}</b>" + (f"<br>{captions[model]}" if model in captions else "") for model in others]
    figure, places = _panels(titles)
    reference = _recalls(views, views.baseline)
    ticks = _decile_ticks(views)
    for number, (model, (row, col)) in enumerate(zip(others, places, strict=True)):
        figure.add_scatter(
            x=_DECILES,
            y=reference["recall"],
            mode="lines+markers",
            line={"color": GREY, "width": 2, "dash": "dot"},
            marker={"size": 7, "color": GREY, "symbol": styles[views.baseline].symbol},
            name=f"{escape(views.baseline)} (in all panels)",
            legendgroup="baseline",
            showlegend=number == 0,
            hovertemplate="%{y:.1f} %<extra>" + escape(views.baseline) + "</extra>",
            row=row,
            col=col,
        )
        here = _recalls(views, model)
        figure.add_scatter(
            x=_DECILES,
            y=here["recall"],
            error_y={
                "array": here["high"] - here["recall"],
                "arrayminus": here["recall"] - here["low"],
                "thickness": 2,
                "width": 5,
            },
            mode="lines+markers",
            line={"color": styles[model].colour, "width": 3},
            marker={"size": 10, "color": styles[model].colour, "symbol": styles[model].symbol},
            name=escape(model),
            hovertemplate="%{y:.1f} %<extra>" + escape(model) + "</extra>",
            row=row,
            col=col,
        )
    figure.update_xaxes(type="category", tickvals=_DECILES, ticktext=ticks, range=[-0.5, 9.5], tickangle=0)
    figure.update_yaxes(range=[-3, 103])
    figure.update_yaxes(title=f"recall@{views.k}, per cent", col=1)
    _below(figure, f"{_TENTHS}; under it the fewest training positives of its labels", tick_lines=2)
    return figure


def whereabouts_figure(table: pd.DataFrame, k: int = 5) -> go.Figure:
    """Of the right labels of each tenth, the shares among the first k, outranked and never reached; a panel a model.

    Parameters
    ----------
    table : DataFrame
        From `xmlwb.lessons.tree_race.whereabouts`.
    k : int
        The one that the table was made with.
    """
    models = list(dict.fromkeys(table["model"]))
    figure, places = _panels([f"<b>{escape(model)}</b>" for model in models])
    for number, (model, (row, col)) in enumerate(zip(models, places, strict=True)):
        rows = table[table["model"] == model]
        for fate, colour, lines, pattern in _FATES:
            name = f"among the first {k}" if fate == _FATES[0][0] else fate
            figure.add_bar(
                x=rows["decile"].astype(str),
                y=100 * rows[fate],
                name=name,
                legendgroup=fate,
                showlegend=number == 0,
                marker={
                    "color": colour,
                    "line": {"color": GREY, "width": 1},
                    "pattern": {"shape": pattern, "fgcolor": lines, "bgcolor": colour, "size": 8, "solidity": 0.2},
                },
                customdata=rows["positives"],
                hovertemplate="tenth %{x}: %{y:.1f} % of %{customdata:,} right labels<extra>" + name + "</extra>",
                row=row,
                col=col,
            )
    figure.update_xaxes(type="category")
    figure.update_yaxes(range=[0, 101])
    figure.update_yaxes(title="right labels, per cent", col=1)
    _below(figure, _TENTHS)
    return figure.update_layout(barmode="stack", bargap=0.15)


def _panels(titles: Sequence[str]) -> tuple[go.Figure, list[tuple[int, int]]]:
    """Panels of one size that share their axes, two or three beside each other, and the place of each."""
    n = len(titles)
    columns = n if n < 3 else 2 if n == 4 else 3
    rows = -(-n // columns)
    lines = max(title.count("<br>") for title in titles) + 1
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=titles,
        shared_yaxes=True,
        horizontal_spacing=0.04,
        vertical_spacing=(0.12 + 0.05 * lines) if rows > 1 else 0,
    )
    figure.update_annotations(font_size=FONT_SIZE)
    figure.update_layout(height=180 + 250 * rows, margin={"t": 40 + 20 * lines, "b": 110})
    return figure, [(number // columns + 1, number % columns + 1) for number in range(n)]


def _below(figure: go.Figure, axis: str, tick_lines: int = 1) -> None:
    """One title for all horizontal axes, and the legend under it."""
    tall = figure.layout.height - figure.layout.margin.t - figure.layout.margin.b
    down = 12 + 20 * tick_lines  # pixels
    figure.add_annotation(
        x=0.5, y=-down / tall, xref="paper", yref="paper", yanchor="top", text=axis, showarrow=False,
        font={"size": FONT_SIZE + 1},
    )  # fmt: skip
    figure.update_layout(legend={"orientation": "h", "y": -(down + 32) / tall, "yanchor": "top", "x": 0})


def _recalls(views: TailViews, model: str) -> pd.DataFrame:
    rows = views.quality[views.quality["model"] == model].set_index("bin").reindex(_DECILES)
    return 100 * rows[["recall", "low", "high"]].astype(np.float64)


def _decile_ticks(views: TailViews) -> list[str]:
    fewest = views.bins["fewest"].reindex(_DECILES)
    return [f"<b>{tenth}</b><br>≥ {int(n):,}" if n == n else f"<b>{tenth}</b>" for tenth, n in fewest.items()]
