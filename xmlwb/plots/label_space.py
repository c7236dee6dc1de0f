"""The space of label vectors, drawn: a cube's corners and the flat through them, spectra, quality by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, ORANGE, SKY, model_styles

#: Each frequency bin's colour and dash, the colours of the tail lens.
BIN_STYLES = {"head": (BLUE, "solid"), "torso": (ORANGE, "dash"), "tail": (GREEN, "dot")}
_ALL_STYLES = {"all": (BLACK, "longdash"), **BIN_STYLES}
_CAMERA = {"eye": {"x": 1.25, "y": -1.5, "z": 0.65}, "center": {"x": 0, "y": 0, "z": -0.2}}


def hypercube_figure(names: Sequence[str], counts: np.ndarray, V: np.ndarray, origin: np.ndarray) -> go.Figure:
    """Three labels' cube: its corners with their documents, the flat that codes live on, and what projection moves.

    Parameters
    ----------
    names : sequence of 3 str
    counts : ndarray, shape (2, 2, 2)
        Documents at each corner.
    V : ndarray, shape (3, m), m = 1 or 2
        Orthonormal directions of the flat.
    origin : ndarray, shape (3,)
        A point of the flat: the mean, or zero.
    """
    corners = np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)], dtype=float)
    documents = counts.ravel().astype(float)
    landed = (corners - origin) @ V @ V.T + origin
    figure = go.Figure()
    edges = [
        corner
        for a in corners
        for b in corners
        if np.abs(b - a).sum() == 1 and a.sum() < b.sum()
        for corner in (a, b, [None] * 3)
    ]
    figure.add_scatter3d(**_xyz(edges), mode="lines", line={"color": GREY, "width": 2}, showlegend=False)
    if V.shape[1] == 2:
        figure.add_trace(_flat(V, origin, landed))
    else:
        reach = (landed - origin) @ V[:, 0]
        ends = origin + np.outer([min(reach.min(), -0.2), max(reach.max(), 0.2)], V[:, 0])
        figure.add_scatter3d(**_xyz(ends), mode="lines", line={"color": SKY, "width": 12}, name="where codes live")
    moved = [point for a, b, n in zip(corners, landed, documents, strict=True) if n for point in (a, b, [None] * 3)]
    figure.add_scatter3d(
        **_xyz(moved), mode="lines", line={"color": ORANGE, "width": 7, "dash": "solid"}, name="what the code loses"
    )
    figure.add_scatter3d(
        **_xyz(corners),
        mode="markers",
        marker={
            "size": 6 + 26 * np.sqrt(documents / documents.max()),
            "color": [BLUE if n else "white" for n in documents],
            "line": {"color": BLUE, "width": 2},
            "opacity": 0.95,
        },
        name="documents",
    )
    # annotations, not text of a trace: plotly.js shrinks the latter when a figure is redrawn in place
    numbers = [
        {"x": x, "y": y, "z": z, "text": f"<b>{n:,.0f}</b>", "showarrow": False, "yshift": 20, "font": {"color": BLACK}}
        for (x, y, z), n in zip(corners, documents, strict=True)
    ]
    axis = {"range": [-0.35, 1.35], "tickvals": [0, 1], "showbackground": False, "gridcolor": "#EEEEEE"}
    titles = zip(("xaxis", "yaxis", "zaxis"), names, strict=True)
    scene: dict[str, object] = {
        key: {**axis, "title": {"text": escape(name), "font": {"size": FONT_SIZE}}} for key, name in titles
    }
    figure.update_layout(
        scene={
            **scene,
            "annotations": numbers,
            "camera": _CAMERA,
            "aspectmode": "cube",
        },
        height=560,
        margin={"l": 0, "r": 0, "t": 60, "b": 0},
        legend={"x": 0.0, "y": 0.0, "yanchor": "bottom"},
    )
    return figure


def _xyz(points: Sequence[Sequence[float | None]] | np.ndarray) -> dict[str, list[float | None]]:
    return {axis: [point[place] for point in points] for place, axis in enumerate("xyz")}


def _flat(V: np.ndarray, origin: np.ndarray, landed: np.ndarray) -> go.Mesh3d:
    """The rectangle of the flat that holds the projections of the corners."""
    codes = (landed - origin) @ V
    low, high = codes.min(axis=0) - 0.1, codes.max(axis=0) + 0.1
    square = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    return go.Mesh3d(
        **_xyz(origin + square @ V.T),
        i=[0, 0],
        j=[1, 2],
        k=[2, 3],
        color=SKY,
        opacity=0.35,
        name="where codes live",
        showlegend=True,
        hoverinfo="skip",
    )


def block_spectrum_figure(spectra: pd.DataFrame, level: float = 0.8) -> go.Figure:
    """Share of each bin's squares by number of directions, beside its most frequent labels alone; a panel a bin.

    Parameters
    ----------
    spectra : DataFrame
        From `xmlwb.lessons.label_spectrum.block_spectra`.
    level : float
        The share at which a line is drawn; each panel's title says what it takes to reach it, in directions and in
        labels alone, and what the former save.
    """
    bins = list(dict.fromkeys(spectra["bin"]))
    tables = [spectra[spectra["bin"] == name] for name in bins]
    titles = []
    for name, table in zip(bins, tables, strict=True):
        directions, alone = _reach(table, "directions", level), _reach(table, "labels alone", level)
        titles.append(
            f"<b>{name}</b>: {int(table['labels'].iloc[0]):,} labels<br>{level:.0%}: {directions} directions, "
            f"or {alone} labels alone<br>saves {1 - directions / alone:.0%}"
        )
    figure = make_subplots(cols=len(bins), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.05)
    for column, table in enumerate(tables, start=1):
        for y, colour, dash, name in (
            ("directions", BLUE, "solid", "its best m directions"),
            ("labels alone", ORANGE, "dash", "its m most frequent labels, and no others"),
        ):
            figure.add_scatter(
                x=[0, *table["m"]],
                y=[0, *(100 * table[y])],
                mode="lines+markers" if len(table) < 8 else "lines",
                line={"color": colour, "dash": dash, "width": 4},
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.add_hline(y=100 * level, line={"color": GREY, "width": 1, "dash": "dot"})
    figure.update_xaxes(title="m", rangemode="tozero")
    figure.update_yaxes(range=[0, 103])
    figure.update_yaxes(title="share of the bin's squares, %", col=1)
    return figure.update_layout(height=450, margin={"t": 100}, legend={"orientation": "h", "y": -0.22})


def _reach(table: pd.DataFrame, column: str, level: float) -> int:
    return int(table["m"][table[column] >= level - 1e-12].iloc[0])


def shared_energy_figure(tables: Mapping[str, pd.DataFrame], value: str, title: str, at: int = 50) -> go.Figure:
    """A share by number of directions, one line for each frequency bin, a panel for each data set.

    Parameters
    ----------
    tables : mapping of data set's name to DataFrame
        With "bin", "m" and the column ``value``, a fraction: from `xmlwb.lessons.label_spectrum`.
    value : str
        "share", "half kept" or "recovered".
    title : str
        Of the vertical axis, without its unit.
    at : int
        Number of directions that is marked; the panels' titles give the shares there.
    """
    titles = []
    for name, table in tables.items():
        shares = table[table["m"] == at].set_index("bin")[value]
        told = ", ".join(f"{bin_} {100 * shares[bin_]:.0f} %" for bin_ in _ALL_STYLES if bin_ in shares)
        titles.append(f"{name}<br>m = {at}: {told}" if told else name)
    figure = make_subplots(cols=len(tables), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.06)
    for column, table in enumerate(tables.values(), start=1):
        for name, (colour, dash) in _ALL_STYLES.items():
            part = table[table["bin"] == name]
            if part.empty:
                continue
            figure.add_scatter(
                x=part["m"],
                y=100 * part[value],
                mode="lines",
                line={"color": colour, "dash": dash, "width": 5},
                name="all labels" if name == "all" else f"labels of the {name}",
                legendgroup=name,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.add_vline(x=at, line={"color": GREY, "width": 2, "dash": "dot"})
    figure.update_xaxes(type="log", title="directions m", tickvals=[1, 2, 5, 10, 20, 50, 100, 200, 500])
    figure.update_yaxes(range=[-1, 104])
    figure.update_yaxes(title=f"{title}, %", col=1)
    return figure.update_layout(height=450, margin={"t": 70}, legend={"orientation": "h", "y": -0.24})


def rank_figure(
    study: pd.DataFrame, m: int, metric: str = "P@1", k: int = 5, constant: Mapping[str, float] | None = None
) -> go.Figure:
    """Left: a metric of each method against the rank, the present one marked. Right: recall by bin at that rank.

    Parameters
    ----------
    study : DataFrame
        From `xmlwb.lessons.label_directions.rank_study`.
    m : int
        The rank looked at; one of the study's.
    metric : str
        A column of the study.
    constant : mapping of bin to float, optional
        Recall of one and the same ranking for every document, drawn as a line across each bin's bars.
    """
    styles = model_styles(dict.fromkeys(study["method"]))
    at_m = study[study["m"] == m].sort_values(metric, ascending=False, kind="stable")
    order = ", ".join(f"{escape(row['method'])} {row[metric]:.3f}" for _, row in at_m.iterrows())
    figure = make_subplots(
        cols=2,
        column_widths=[0.55, 0.45],
        horizontal_spacing=0.12,
        subplot_titles=[f"{metric} by rank; at m = {m}: {order}", f"recall@{k} by frequency, at m = {m}"],
    )
    for name, style in styles.items():
        rows = study[study["method"] == name].sort_values("m")
        figure.add_scatter(
            x=rows["m"],
            y=rows[metric],
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 11},
            name=escape(name),
            legendgroup=name,
            row=1,
            col=1,
        )
        now = rows[rows["m"] == m]
        figure.add_bar(
            x=list(BIN_STYLES),
            y=[100 * float(now[bin_].iloc[0]) for bin_ in BIN_STYLES],
            marker={"color": style.colour},
            text=[f"{100 * float(now[bin_].iloc[0]):.0f}" for bin_ in BIN_STYLES],
            textposition="outside",
            textangle=0,
            name=escape(name),
            legendgroup=name,
            showlegend=False,
            row=1,
            col=2,
        )
    if constant is not None:
        add_constant_recall(figure, constant, col=2)
    figure.add_vline(x=m, line={"color": GREY, "width": 2, "dash": "dot"}, row=1, col=1)
    ticks = sorted(study["m"].unique())
    figure.update_xaxes(type="log", title="directions m", tickvals=ticks, row=1, col=1)
    figure.update_yaxes(title=metric, row=1, col=1)
    figure.update_xaxes(title="frequency bin", row=1, col=2)
    figure.update_yaxes(title=f"recall@{k}, %", range=[0, 104], row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(height=470, margin={"t": 60, "b": 110}, legend={"orientation": "h", "y": -0.28})


def add_constant_recall(figure: go.Figure, recall: Mapping[str, float], *, col: int) -> None:
    """Draw the recall of one ranking for every document as a line across each bin's bars."""
    # shapes, not traces: between the categories of an axis only they can be placed by number
    for place, bin_ in enumerate(BIN_STYLES):
        figure.add_shape(
            type="line",
            x0=place - 0.45,
            x1=place + 0.45,
            y0=100 * recall[bin_],
            y1=100 * recall[bin_],
            line={"color": GREY, "width": 4, "dash": "dot"},
            name="the same ranking for every document",
            showlegend=place == 0,
            row=1,
            col=col,
        )
