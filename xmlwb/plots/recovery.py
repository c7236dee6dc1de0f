"""Figures of sparse recovery: phase transitions, decoders at work, and what a measurement matrix does to lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, DASHES, FONT_SIZE, GREY, INK, ORANGE, PALETTE, SKY, SYMBOLS, VERMILION

_FOUND, _WRONG, _EMPTY = "#9ADBC5", "#F3D9C6", "#F4F4F4"


def phase_figure(
    values: np.ndarray,
    measurements: Sequence[int],
    sparsities: Sequence[int],
    *,
    title: str,
    bound: tuple[np.ndarray, str] | None = None,
) -> go.Figure:
    """Share of label vectors that come back whole, over sparsity and number of measurements.

    Parameters
    ----------
    values : ndarray, shape (len(measurements), len(sparsities))
        Shares from 0 to 1; NaN, drawn white, where nothing is known yet.
    measurements, sparsities : the grid's rows and columns.
    title : str
    bound : (ndarray, str), optional
        A line to draw over the map: its m for each sparsity, and its name.
    """
    known = [[None if np.isnan(v) else float(v) for v in row] for row in values]
    at_s, at_m = np.arange(len(sparsities)), np.arange(len(measurements))
    hover = [[f"s = {s}, m = {m}" for s in sparsities] for m in measurements]
    figure = go.Figure(
        go.Heatmap(
            z=known,
            x=at_s,
            y=at_m,
            text=hover,
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            xgap=1,
            ygap=1,
            colorbar={"title": {"text": "share<br>recovered<br>whole"}, "tickformat": ".0%"},
            hovertemplate="%{text}: %{z:.0%}<extra></extra>",
            hoverongaps=False,
        )
    )
    if bound is not None:
        m, name = bound
        inside = (m >= measurements[0]) & (m <= measurements[-1])
        between = np.interp(m[inside], measurements, at_m)  # a value of m lies between two rows
        for colour, width in ((BLACK, 6), ("white", 3)):
            figure.add_scatter(
                x=at_s[inside],
                y=between,
                mode="lines",
                line={"color": colour, "width": width, "dash": "solid" if colour == BLACK else "dash"},
                name=name,
                hoverinfo="skip",
                showlegend=False,
            )
        title = f"{title}<br>dashed: {name}"
    for axis, ticks, text in (("xaxis", at_s, sparsities), ("yaxis", at_m, measurements)):
        figure.update_layout(
            {axis: {"tickvals": ticks, "ticktext": [str(t) for t in text], "showgrid": False, "constrain": "domain"}}
        )
    figure.update_xaxes(title="labels of the vector, s", range=[-0.5, len(sparsities) - 0.5])
    figure.update_yaxes(title="measurements, m", range=[-0.5, len(measurements) - 0.5])
    return figure.update_layout(title=_small(title), height=480, margin={"t": 80})


def bound_figure(
    points: Mapping[str, tuple[np.ndarray, np.ndarray]], constants: Mapping[str, float], *, level: float = 0.5
) -> go.Figure:
    """The m at which half of the vectors come back, against s ln(L/s): a straight line where the bound's form holds.

    Parameters
    ----------
    points : mapping of str to (x, m)
        For each decoder s ln(L/s) and the measured m; NaN is left out.
    constants : mapping of str to float
        The slope of each decoder's line through the origin; a decoder without one gets points alone.
    level : float
        The share of vectors, for the axis.
    """
    figure = go.Figure()
    for place, (name, (x, m)) in enumerate(points.items()):
        known = ~np.isnan(m)
        colour, dash = PALETTE[place % len(PALETTE)], DASHES[place % len(DASHES)]
        constant = constants.get(name)
        figure.add_scatter(
            x=x[known],
            y=m[known],
            mode="markers",
            marker={"color": colour, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 11},
            name=escape(name) if constant is None else f"{escape(name)}: m ≈ {constant:.1f} s ln(L/s)",
            legendgroup=name,
        )
        if constant is not None and known.any():
            ends = np.array([0.0, x[known].max()])
            figure.add_scatter(
                x=ends,
                y=constant * ends,
                mode="lines",
                line={"color": colour, "dash": dash, "width": 2},
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip",
            )
    figure.update_xaxes(title="s ln(L/s)", rangemode="tozero")
    figure.update_yaxes(title=f"m at which {level:.0%} come back whole", rangemode="tozero")
    return figure.update_layout(
        title="Measured, against the bound's form", height=440, legend={"x": 1.02, "y": 1, "xanchor": "left"}
    )


def pursuit_figure(
    names: Sequence[str],
    correlations: np.ndarray,
    chosen: Sequence[int] | np.ndarray,
    true: Sequence[int] | np.ndarray,
    *,
    title: str,
    shown: int = 14,
) -> go.Figure:
    """The labels that what is left of the code correlates with most, and those chosen so far.

    Parameters
    ----------
    names : sequence of str
        All L label names.
    correlations : ndarray, shape (L,)
        Of the residual with each column.
    chosen : sequence of int
        Labels already chosen, in that order; their correlation is 0. They are listed beside the bars.
    true : sequence of int
        The document's labels.
    title : str
    shown : int
        Bars.
    """
    strength = np.abs(correlations).astype(float)
    strength[list(chosen)] = -1
    best = np.argsort(-strength, kind="stable")[:shown]
    figure = go.Figure()
    looks = ((True, "a label of the document", BLUE, ""), (False, "not a label of it", ORANGE, "/"))
    for is_true, name, colour, pattern in looks:
        rows = [rank for rank, label in enumerate(best) if (label in set(true)) == is_true]
        figure.add_bar(
            x=[float(abs(correlations[best[rank]])) for rank in rows],
            y=[_ranked(rank, names[best[rank]]) for rank in rows],
            orientation="h",
            name=name,
            marker={
                "color": colour,
                "pattern": {"shape": pattern, "fgcolor": "white", "bgcolor": colour, "size": 8, "solidity": 0.2},
            },
            hovertemplate="%{y}: %{x:.2f}<extra></extra>",
        )
    order = [_ranked(rank, names[label]) for rank, label in enumerate(best)]
    figure.update_xaxes(title="correlation with what is left of the code, |a<sub>l</sub> · r|", range=[0, 2.2])
    figure.update_yaxes(categoryorder="array", categoryarray=order[::-1], tickfont={"size": FONT_SIZE - 2})
    listed = [f"{'✓' if label in set(true) else '✗'} {escape(_cut(names[label], 28))}" for label in chosen]
    figure.add_annotation(
        x=1.02, y=1, xref="paper", yref="paper", xanchor="left", yanchor="top", align="left", showarrow=False,
        text="<br>".join(["<b>chosen so far</b>", *(listed or ["none"])]), font={"size": FONT_SIZE - 1},
    )  # fmt: skip
    return figure.update_layout(
        title=_small(title),
        height=130 + 26 * shown,
        margin={"t": 60, "r": 260},
        showlegend=True,
        legend={"x": 1, "y": 0, "xanchor": "right", "yanchor": "bottom", "bgcolor": "rgba(255,255,255,.8)"},
    )


def race_figure(
    columns: Mapping[str, Sequence[str]], truth: Sequence[str], *, title: str, shorten: int = 24
) -> go.Figure:
    """What several decoders give back for one document: a column each, right labels marked.

    Parameters
    ----------
    columns : mapping of str to sequence of str
        For each decoder the names that it gives back, strongest first.
    truth : sequence of str
        The document's labels.
    title : str
    shorten : int
        Longest name shown; longer ones are cut in their middle.
    """
    known, rows = set(truth), max(len(truth), *(len(names) for names in columns.values()))
    text, marks = [], []
    for rank in range(rows):
        line = [names[rank] if rank < len(names) else None for names in columns.values()]
        text.append(["" if n is None else f"{'✓ ' if n in known else '✗ '}{_cut(n, shorten)}" for n in line])
        marks.append([0.0 if n is None else 2.0 if n in known else 1.0 for n in line])
    heads = [f"<b>{escape(d)}</b><br>{len(known & set(names))} of {len(known)}" for d, names in columns.items()]
    figure = go.Figure(
        go.Heatmap(
            z=marks,
            x=heads,
            y=[str(rank + 1) for rank in range(rows)],
            text=text,
            texttemplate="%{text}",
            textfont={"size": 13, "color": "black"},
            colorscale=[[0, _EMPTY], [0.5, _WRONG], [1, _FOUND]],
            zmin=0,
            zmax=2,
            showscale=False,
            xgap=4,
            ygap=3,
            hoverinfo="skip",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, ticks="", type="category", title="place")
    figure.update_xaxes(side="top", showgrid=False, ticks="", type="category")
    return figure.update_layout(title=_small(title), height=190 + 32 * rows, margin={"t": 140, "b": 20})


def coherence_figure(C: np.ndarray, *, guaranteed: int, smallest: float, shown: int = 40) -> go.Figure:
    """The cosines between a matrix's columns: some of them as a map, all of them as a histogram.

    Parameters
    ----------
    C : ndarray, shape (L, L)
        Cosines of the columns.
    guaranteed : int
        The sparsity that the coherence guarantees.
    smallest : float
        The smallest coherence that any matrix of this shape has.
    shown : int
        Columns of the map.
    """
    upper = np.abs(C[np.triu_indices(len(C), 1)])
    mu = float(upper.max())
    figure = make_subplots(cols=2, column_widths=[0.42, 0.58], horizontal_spacing=0.2)
    figure.add_heatmap(
        z=np.abs(C[:shown, :shown]),
        zmin=0,
        zmax=1,
        colorscale="Cividis",
        colorbar={"title": {"text": "|cos|"}, "x": 0.4, "thickness": 14},
        hovertemplate="columns %{x} and %{y}: %{z:.2f}<extra></extra>",
        row=1,
        col=1,
    )
    counts, edges = np.histogram(upper, bins=50, range=(0, 1))
    figure.add_bar(
        x=(edges[:-1] + edges[1:]) / 2,
        y=counts / counts.sum(),
        marker={"color": SKY, "line": {"color": BLUE, "width": 1}},
        hovertemplate="|cos| near %{x:.2f}: %{y:.2%} of the pairs<extra></extra>",
        showlegend=False,
        row=1,
        col=2,
    )
    for value, text, colour, dash, place in (
        (mu, f"coherence μ = {mu:.2f}", VERMILION, "solid", 1.17),
        (smallest, f"no matrix has less: {smallest:.2f}", BLACK, "dot", 1.08),
    ):
        figure.add_vline(x=value, line={"color": colour, "dash": dash, "width": 3}, row=1, col=2)
        figure.add_annotation(
            x=value, y=place, yref="y2 domain", xref="x2", text=text, showarrow=False, align="left",
            xanchor="left" if value < 0.6 else "right", xshift=-4, font={"color": colour}, yanchor="top",
        )  # fmt: skip
    figure.update_xaxes(title="column", row=1, col=1)
    figure.update_yaxes(title="column", autorange="reversed", row=1, col=1)
    figure.update_xaxes(title="|cosine| of two columns", range=[0, 1], row=1, col=2)
    figure.update_yaxes(title="share of all pairs", tickformat=".0%", row=1, col=2)
    plural = "label" if guaranteed == 1 else "labels"
    promise = f"OMP is certain to recover documents of up to {guaranteed} {plural}"
    return figure.update_layout(title=_small(promise), height=450, bargap=0, margin={"t": 110})


def isometry_figure(
    table: pd.DataFrame, *, limit: float, size: int, marked: tuple[float, str] | None = None
) -> go.Figure:
    """How A changes lengths, against m: sampled supports at their worst, and nine in ten real documents.

    Parameters
    ----------
    table : DataFrame
        Index m; columns "low", "high", "real low", "real high": bounds of |A v|^2 / |v|^2.
    limit : float
        The guarantee needs everything between 1 - limit and 1 + limit.
    size : int
        Labels of a sampled support.
    marked : (float, str), optional
        An m to mark by a dotted line, and its name.
    """
    figure = go.Figure()
    bands = (
        ("low", "high", f"{size} columns at a time, at their worst", ORANGE, "rgba(230,159,0,.25)", "/"),
        ("real low", "real high", "nine in ten documents", BLUE, "rgba(0,114,178,.35)", ""),
    )
    for low, high, name, colour, fill, shape in bands:
        figure.add_scatter(
            x=[*table.index, *table.index[::-1]],
            y=[*table[high], *table[low][::-1]],
            fill="toself",
            fillcolor=fill,
            fillpattern={"shape": shape, "fgcolor": colour, "bgcolor": fill, "size": 10, "solidity": 0.1},
            line={"color": colour, "width": 2},
            mode="lines",
            name=name,
            hoverinfo="skip",
        )
    limits = {"color": BLACK, "dash": "dash", "width": 2}
    for sign in (1, -1):
        figure.add_hline(y=1 + sign * limit, line=limits)
    if marked is not None:
        m, name = marked
        figure.add_vline(x=m, line={"color": GREY, "dash": "dot", "width": 3})
        figure.add_annotation(
            x=m, y=1, yref="paper", text=name, showarrow=False, yanchor="bottom", font={"color": INK},
        )  # fmt: skip
    inside = table[(table["low"] >= 1 - limit) & (table["high"] <= 1 + limit)]
    found = f"from m = {inside.index[0]} on" if len(inside) else "at no m shown"
    figure.update_xaxes(title="measurements, m")
    figure.add_scatter(x=[None], y=[None], mode="lines", line=limits, name="the guarantee needs all between these")
    figure.update_yaxes(title="‖A v‖² / ‖v‖²", range=[0, 3])
    return figure.update_layout(
        title=_small(f"Supports of {size} labels lie between the lines {found}"),
        height=450,
        margin={"t": 90},
        legend={"x": 1, "y": 1, "xanchor": "right", "bgcolor": "rgba(255,255,255,.8)"},
    )


def _small(text: str) -> dict[str, object]:
    return {"text": text, "font": {"size": FONT_SIZE + 1}}


def _ranked(rank: int, name: str) -> str:
    return f"{rank + 1}. {_cut(name, 34)}"


def _cut(name: str, most: int) -> str:
    """Cut a long name in its middle."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"
