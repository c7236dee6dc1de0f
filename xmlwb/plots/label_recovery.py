"""Figures of label codes that were learned: what sparsity decoding needs, what m costs, where the tail drowns."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import (
    BLACK,
    BLUE,
    DASHES,
    FONT_SIZE,
    GREEN,
    GREY,
    ORANGE,
    PALETTE,
    SKY,
    SYMBOLS,
    VERMILION,
)

#: Bins of a count of labels: 1, 2, 3 to 4, 5 to 8, ...
_DOUBLING = (0, 1, 2, 4, 8, 16, 32, 64, 128, 100_000)


def sparsity_error_figure(documents: pd.DataFrame) -> go.Figure:
    """Decoding error against the sparsity of y (left) and of the estimate of E[y|x] (right), for the codes of both.

    Parameters
    ----------
    documents : DataFrame
        Columns "sparsity of y", "sparsity of E", "error of y", "error of E"; one row a document. With "floor of E" a
        dotted line shows what decoding cannot reach.
    """
    correlations = documents.corr(method="spearman")
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    looks = {"error of y": ("decoded from A y", BLUE, "circle", "solid"),
             "error of E": ("decoded from A Ê[y|x]", ORANGE, "diamond", "dash")}  # fmt: skip
    axes = {"sparsity of y": "labels that hold 90 % of y", "sparsity of E": "labels that hold 90 % of Ê[y|x]"}
    for column, (sparsity, axis) in enumerate(axes.items(), start=1):
        bins = pd.cut(documents[sparsity], _DOUBLING)
        rows = documents.groupby(bins, observed=True)
        names = [_span(interval, rows.size()[interval]) for interval in rows.size().index]
        for error, (name, colour, symbol, dash) in looks.items():
            quartiles = rows[error].quantile([0.25, 0.5, 0.75]).unstack()
            figure.add_scatter(
                x=names,
                y=quartiles[0.5],
                error_y={
                    "array": quartiles[0.75] - quartiles[0.5],
                    "arrayminus": quartiles[0.5] - quartiles[0.25],
                    "thickness": 2,
                    "width": 5,
                },
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                marker={"symbol": symbol, "size": 11},
                name=name,
                legendgroup=error,
                showlegend=column == 1,
                row=1,
                col=column,
            )
        if "floor of E" in documents:
            figure.add_scatter(
                x=names,
                y=rows["floor of E"].median(),
                mode="lines",
                line={"color": BLACK, "dash": "dot", "width": 2},
                name="of Ê[y|x], what the decoder's number of labels cannot hold",
                legendgroup="floor",
                showlegend=column == 1,
                row=1,
                col=column,
            )
        said = ", ".join(f"{error[-1]}: {correlations.loc[error, sparsity]:+.2f}" for error in looks).replace(
            "E:", "Ê:"
        )
        figure.add_annotation(
            x=0.03, y=0.97, xref=f"x{column if column > 1 else ''} domain", yref="y domain", showarrow=False,
            text=f"rank correlation with the error<br>of {said}", align="left", xanchor="left", yanchor="top",
            bgcolor="rgba(255,255,255,.8)",
        )  # fmt: skip
        figure.update_xaxes(title=axis, type="category", row=1, col=column)
    figure.update_yaxes(title="squared error, share of squared length", rangemode="tozero", row=1, col=1)
    return figure.update_layout(
        title=_title("What makes decoding hard?", "middle document of each group; bars: the middle half of them"),
        height=480,
        margin={"t": 90},
        legend={"orientation": "h", "y": -0.32},
    )


def _span(interval: pd.Interval, count: int) -> str:
    low, high = int(interval.left) + 1, int(interval.right)
    name = str(low) if low == high else f"{low}+" if high >= _DOUBLING[-1] else f"{low}-{high}"
    return f"{name}<br><span style='font-size:{FONT_SIZE - 3}px'>({count})</span>"


def precision_by_m_figure(table: pd.DataFrame, uncompressed: dict[str, float], n_labels: int) -> go.Figure:
    """Precision of decoded codes against the number of measurements, one line a decoder.

    Parameters
    ----------
    table : DataFrame
        Columns "decoder", "m", and one for each metric, "P@1" and "P@5" say.
    uncompressed : dict of str to float
        For each metric, that of the same scores without compression: a horizontal line.
    n_labels : int
        L, for the axis.
    """
    figure = make_subplots(cols=len(uncompressed), horizontal_spacing=0.12, subplot_titles=list(uncompressed))
    for column, (metric, level) in enumerate(uncompressed.items(), start=1):
        for place, (decoder, rows) in enumerate(table.groupby("decoder", sort=False)):
            figure.add_scatter(
                x=rows["m"],
                y=rows[metric],
                mode="lines+markers",
                line={"color": PALETTE[place], "dash": DASHES[place]},
                marker={"symbol": SYMBOLS[place]},
                name=escape(str(decoder)),
                legendgroup=str(decoder),
                showlegend=column == 1,
                row=1,
                col=column,
            )
        figure.add_hline(y=level, line={"color": BLACK, "width": 2, "dash": "dot"}, row=1, col=column)
        head = figure.layout.annotations[column - 1]
        head.text += f"; dotted: one regression for each<br>of {n_labels} labels, {level:.3f}"
        figure.update_xaxes(
            title="measurements, m", type="log", tickvals=sorted(set(table["m"])), tickangle=0, row=1, col=column
        )
        top = max(level, float(table[metric].max()))
        figure.update_yaxes(title=metric, range=[0, 1.15 * top], row=1, col=column)
    figure.update_annotations(font={"size": FONT_SIZE})
    return figure.update_layout(height=430, legend={"orientation": "h", "y": -0.25}, margin={"t": 70})


def tail_recall_figure(table: pd.DataFrame, *, k: str, title: str, subtitle: str = "") -> go.Figure:
    """Recall by tenths of the labels, the most frequent first; one line a column of the table.

    Parameters
    ----------
    table : DataFrame
        Index: tenths; "positives": mean training positives of a tenth's labels; the other columns from 0 to 1.
    k : str
        Within which answers a label counts as found, for the axis.
    """
    ticks = [f"<b>{name}</b><br>{positives:,.0f}" for name, positives in table["positives"].items()]
    figure = go.Figure()
    for place, name in enumerate(c for c in table.columns if c != "positives"):
        figure.add_scatter(
            x=ticks,
            y=100 * table[name],
            mode="lines+markers",
            line={"color": PALETTE[place], "dash": DASHES[place]},
            marker={"symbol": SYMBOLS[place]},
            name=escape(name),
        )
    figure.update_xaxes(
        title="tenth of the labels, most frequent first; below: mean training positives of its labels",
        type="category",
        tickangle=0,
    )
    figure.update_yaxes(title=f"recall {k}, per cent", range=[-3, 103])
    return figure.update_layout(
        title=_title(title, subtitle),
        height=450,
        margin={"t": 90},
        legend={"x": 1.02, "y": 1, "xanchor": "left"},
        showlegend=True,
    )


def crosstalk_figure(labels: pd.DataFrame, length: float, m: int) -> go.Figure:
    """Each label's own signal, by its frequency, against the noise that squeezing to m numbers adds.

    Parameters
    ----------
    labels : DataFrame
        "positives" and "signal" (mean estimated score on the documents that have the label), one row a label.
    length : float
        Typical length of a row of scores; a Gaussian matrix adds noise of this over the root of m to each label.
    m : int
    """
    noise = length / np.sqrt(m)
    seen = labels[labels["positives"] > 0]
    drowned = seen["signal"] < noise
    figure = go.Figure()
    for inside, name, colour, symbol in (
        (~drowned, "above the noise", BLUE, "circle"),
        (drowned, "below it", ORANGE, "diamond"),
    ):
        figure.add_scatter(
            x=seen["positives"][inside],
            y=seen["signal"][inside],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 9, "line": {"color": "white", "width": 0.5}},
            name=f"{name}: {inside.sum()} labels",
            hovertemplate="%{x} positives: %{y:.2f}<extra></extra>",
        )
    groups = pd.cut(np.log2(seen["positives"]), np.arange(-0.5, 15.5))
    middle = seen.groupby(groups, observed=True)[["positives", "signal"]].median()
    figure.add_scatter(
        x=middle["positives"],
        y=middle["signal"],
        mode="lines+markers",
        line={"color": GREEN, "width": 4},
        marker={"symbol": "square", "size": 10},
        name="the middle label",
    )
    figure.add_hline(y=noise, line={"color": VERMILION, "width": 4, "dash": "dash"})
    figure.add_annotation(
        x=1, y=noise, xref="paper", text=f"noise of m = {m}: {noise:.2f}", showarrow=False, xanchor="right",
        yanchor="bottom", font={"color": VERMILION}, bgcolor="rgba(255,255,255,.85)",
    )  # fmt: skip
    figure.update_xaxes(type="log", title="training positives of the label", dtick=1)
    figure.update_yaxes(title="mean score on documents that have it", range=[-0.05, 1])
    share = f"{drowned.mean():.0%} of the labels are weaker than the noise"
    return figure.update_layout(
        title=_title(f"m = {m}: {share}", ""),
        height=460,
        legend={"x": 0.01, "y": 0.99, "bgcolor": "rgba(255,255,255,.8)"},
    )


def _title(text: str, subtitle: str) -> dict[str, object]:
    return {"text": text, "subtitle": {"text": subtitle}} if subtitle else {"text": text}


def sparsity_before_after_figure(table: pd.DataFrame, names: Sequence[str]) -> go.Figure:
    """How many labels the middle document needs, for each set: of y, of A y, and of the estimate of E[y|x].

    Parameters
    ----------
    table : DataFrame
        One row a set; columns (name, "median") and (name, "95th").
    names : sequence of str
        Which counts to draw, in this order.
    """
    figure = go.Figure()
    looks = ((BLUE, "circle"), (GREY, "square"), (ORANGE, "diamond"), (SKY, "x"))
    for name, (colour, symbol) in zip(names, looks, strict=False):
        middle, high = table[name, "median"], table[name, "95th"]
        figure.add_scatter(
            x=middle,
            y=[f"<b>{escape(str(row))}</b>" for row in table.index],
            error_x={"array": high - middle, "arrayminus": 0 * middle, "thickness": 2, "width": 6},
            mode="markers",
            # rows are dodged along their own axis; without it, along the x axis: the counts themselves would move
            orientation="h",
            marker={"color": colour, "symbol": symbol, "size": 13},
            name=escape(name),
        )
    figure.update_xaxes(
        type="log", title="number of entries (marker: middle document; bar: to the 95th per cent)", dtick=1
    )
    figure.update_yaxes(autorange="reversed", type="category")
    return figure.update_layout(
        scattermode="group",
        height=190 + 75 * len(table),
        margin={"t": 70},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
