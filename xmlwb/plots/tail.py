"""The four figures of the tail lens, alike in every chapter: same quantities, units, order and scales."""

from __future__ import annotations

from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, ORANGE, SKY, model_styles
from xmlwb.power_law import PowerLaw
from xmlwb.tails import UNSEEN, TailViews

# Points drawn of a rank-frequency curve: evenly spread on the log axis, so that a million labels stay a small figure.
_CURVE_POINTS = 500
_BIN_LOOKS = ((BLUE, "circle"), (ORANGE, "diamond"), (GREEN, "square"))
_BINS_BY_MASS = ("head", "torso", "tail")
_FEW_BINS = 6
_PANELS_A_ROW = 3
_KINDS = {  # fill, lines of the pattern, pattern
    "right at least once": (BLUE, BLUE, ""),
    "predicted, never right": ("#D8EDF9", SKY, "/"),
    "never predicted": ("#E8E8E8", GREY, ""),
}
_MARGIN = {"t": 100}


class TailFigures(NamedTuple):
    """The four views of `tail_figures`, in the order in which the chapters show them."""

    rank_frequency: go.Figure
    quality: go.Figure
    gain: go.Figure
    coverage: go.Figure


def tail_figures(views: TailViews) -> TailFigures:
    """The four figures of the tables that `xmlwb.tails.tail_views` made."""
    return TailFigures(
        rank_frequency_figure(views.labels, views.power_law),
        quality_figure(views),
        gain_figure(views),
        coverage_figure(views),
    )


def rank_frequency_figure(labels: pd.DataFrame, power_law: PowerLaw | None = None) -> go.Figure:
    """Training positives by rank on log axes, coloured by bin, with the fitted power law over the range it covers.

    Parameters
    ----------
    labels : DataFrame with "positives", "rank" and "bin", from `frequency_bins` or `TailViews.labels`.
    power_law : drawn as a dashed line if given.
    """
    seen = labels[labels["positives"] > 0].sort_values("rank")
    kept = np.unique(np.geomspace(1, max(1, len(seen)), _CURVE_POINTS).astype(int)) - 1
    drawn = seen.iloc[kept[kept < len(seen)]]
    bins = [b for b in labels["bin"].cat.categories if (seen["bin"] == b).any()]
    figure = go.Figure()
    for number, name in enumerate(bins):
        colour, symbol = _look(name)
        inside, all_of_it = drawn[drawn["bin"] == name], seen[seen["bin"] == name]
        figure.add_scatter(
            x=inside["rank"],
            y=inside["positives"],
            mode="markers",
            marker={"size": 9, "color": colour, "symbol": symbol},
            name=f"<b>{name}</b>: {_count(len(all_of_it), 'label')}",
            hovertemplate="rank %{x}: %{y} positives<extra></extra>",
        )
        if number:
            figure.add_vline(x=float(all_of_it["rank"].iloc[0]) - 0.5, line={"color": GREY, "width": 1, "dash": "dot"})
    fitted = ""
    if power_law is not None:
        x = np.unique(np.geomspace(power_law.x_min, float(seen["positives"].max()), 60).round())
        figure.add_scatter(
            x=power_law.rank_of(x),
            y=x,
            mode="lines",
            line={"color": BLACK, "width": 3, "dash": "dash"},
            name="fitted power law",
            hoverinfo="skip",
        )
        fitted = (
            f"frequency ~ rank<sup>-{power_law.rank_exponent:.2f}</sup> (α = {power_law.alpha:.2f}), fitted to"
            f" the {_count(power_law.n_covered, 'label')} with at least {_count(power_law.x_min, 'positive')}"
        )
    figure.update_xaxes(type="log", title="rank of the label (1 = most frequent)", dtick=1)
    figure.update_yaxes(type="log", title="training positives", dtick=1)
    return figure.update_layout(
        title=_title("Label frequency by rank", fitted),
        height=480,
        legend={"orientation": "v", "x": 1.02, "y": 1, "xanchor": "left"},
        margin=_MARGIN,
    )


def _look(bin_name: str) -> tuple[str, str]:
    """Colour and symbol of a bin, by its name, so that they do not depend on which bins a data set has."""
    place = _BINS_BY_MASS.index(bin_name) if bin_name in _BINS_BY_MASS else int(bin_name) - 1
    return _BIN_LOOKS[place % len(_BIN_LOOKS)]


def quality_figure(views: TailViews) -> go.Figure:
    """Recall at k of each frequency bin, one dot with its interval for each model; always from 0 to 100 %."""
    figure = _dots(views, views.quality, "recall", views.models)
    figure.update_yaxes(title=f"recall@{views.k}, per cent", range=[-3, 103])
    return figure.update_layout(title=_title("How much of each bin is found?", _intervals(views)))


def gain_figure(views: TailViews) -> go.Figure:
    """Recall at k of each bin less the baseline's, in percentage points; the axis spans at least -10 to 10."""
    others = [m for m in views.models if m != views.baseline]
    figure = _dots(views, views.gain, "gain", others)
    figure.add_hline(y=0, line={"color": BLACK, "width": 2}, layer="below")
    if not others:
        figure.add_annotation(
            text="one model only: nothing to compare", x=0.5, y=0.75, xref="paper", yref="paper", showarrow=False
        )
    bounds = np.abs(100 * views.gain[["low", "high", "gain"]].to_numpy(dtype=float))
    reach = 10 * np.ceil(1.05 * np.nanmax(bounds, initial=9.0) / 10)
    figure.update_yaxes(
        title=f"recall@{views.k}: percentage points over {escape(views.baseline)}", range=[-reach, reach]
    )
    title = f"What is gained over {escape(views.baseline)}, and where?"
    return figure.update_layout(title=_title(title, f"above 0 is better; {_intervals(views)}"))


def coverage_figure(views: TailViews) -> go.Figure:
    """Of each bin's labels in the test set, the shares ever right, ever and never predicted; a panel a model."""
    columns = min(len(views.models), _PANELS_A_ROW)
    rows = -(-len(views.models) // columns)
    titles = [f"<b>{escape(model)}</b>" for model in views.models]
    figure = make_subplots(
        rows, columns, shared_yaxes=True, subplot_titles=titles, horizontal_spacing=0.03, vertical_spacing=0.3 / rows
    )
    for number, model in enumerate(views.models):
        table = views.coverage[views.coverage["model"] == model]
        few = len(table) <= _FEW_BINS
        ticks = [
            f"<b>{bin_}</b><br>{n:,}" if few else ("<br>" if bin_ == UNSEEN else "") + bin_
            for bin_, n in zip(table["bin"], table["labels"], strict=True)
        ]
        for kind, (colour, lines, pattern) in _KINDS.items():
            figure.add_bar(
                x=ticks,
                y=100 * table[kind],
                name=kind,
                legendgroup=kind,
                showlegend=number == 0,
                marker={
                    "color": colour,
                    "line": {"color": GREY, "width": 1},
                    "pattern": {"shape": pattern, "fgcolor": lines, "bgcolor": colour, "size": 8, "solidity": 0.2},
                },
                text=[f"{100 * v:.0f}" if few and v >= 0.06 else "" for v in table[kind]],
                textposition="inside",
                insidetextanchor="middle",
                textangle=0,
                textfont={"color": "white" if colour == BLUE else "black"},
                hovertemplate="%{x}: %{y:.1f} %<extra>" + kind + "</extra>",
                row=number // columns + 1,
                col=number % columns + 1,
            )
    figure.update_annotations(font_size=FONT_SIZE)
    figure.update_xaxes(type="category", tickangle=0)
    figure.update_yaxes(range=[0, 101])
    figure.update_yaxes(title="labels, per cent", col=1)
    counted = (
        "under each bin: its labels that occur in the test set, 100 %"
        if few
        else "of the labels in the test set, by tenths, the most frequent first"
    )
    return figure.update_layout(
        title=_title(f"Which labels are ever among the first {views.k}?", counted),
        barmode="stack",
        bargap=0.15,
        height=180 + 300 * rows,
        legend={"x": 1.02, "y": 1, "xanchor": "left", "traceorder": "normal"},
        margin={"t": 120},
    )


def _dots(views: TailViews, table: pd.DataFrame, value: str, models: list[str]) -> go.Figure:
    few = len(views.bins) <= _FEW_BINS
    ticks = {name: _tick(str(name), row, few) for name, row in views.bins.iterrows()}
    styles = model_styles(views.models)
    figure = go.Figure()
    for model in models:
        rows = table[table["model"] == model]
        figure.add_scatter(
            x=rows["bin"].map(ticks),
            y=100 * rows[value],
            error_y={
                "array": 100 * (rows["high"] - rows[value]),
                "arrayminus": 100 * (rows[value] - rows["low"]),
                "thickness": 2,
                "width": 9 if few else 4,
            },
            mode="markers",
            cliponaxis=False,
            marker={"size": 10, "color": styles[model].colour, "symbol": styles[model].symbol},
            name=escape(model),
            hovertemplate="%{x}: %{y:.1f}<extra>" + escape(model) + "</extra>",
        )
    if not few:
        figure.update_xaxes(title="tenth of the labels, most frequent first; positives of each of its labels")
    figure.update_xaxes(
        tickangle=0, categoryorder="array", categoryarray=list(ticks.values()), range=[-0.5, len(ticks) - 0.5]
    )
    return figure.update_layout(
        scattermode="group",
        scattergap=0.4,
        height=480,
        showlegend=True,
        legend={"x": 1.02, "y": 1, "xanchor": "left"},
        margin=_MARGIN,
    )


def _title(text: str, subtitle: str) -> dict[str, object]:
    return {"text": text, "subtitle": {"text": subtitle}}


def _tick(name: str, row: pd.Series, few: bool) -> str:
    fewest, most = int(row["fewest"]), int(row["most"])
    if not few:
        return f"<b>{name}</b><br>" + (f"≥ {fewest:,}" if fewest else "0")
    span = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return f"<b>{name}</b><br>{_count(int(row['labels']), 'label')}<br>of {span} positives"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _intervals(views: TailViews) -> str:
    over = "groups of test instances" if views.grouped else "test instances"
    return f"bars: {views.confidence:.0%} bootstrap intervals over {over}"
