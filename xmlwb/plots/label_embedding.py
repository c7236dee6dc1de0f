"""Labels as vectors, drawn: directions and what they are made of, a map with names, the lengths of embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, PALETTE, SYMBOLS, model_styles


def directions_figure(tables: Mapping[str, pd.DataFrame], most: int = 12) -> go.Figure:
    """Each method's leading directions: how much of a direction a text tells, and which labels it is made of.

    Parameters
    ----------
    tables : mapping of method to DataFrame
        From `xmlwb.lessons.label_directions.direction_table`.
    most : int
        Directions shown.
    """
    figure = make_subplots(
        cols=len(tables), subplot_titles=[f"<b>{escape(name)}</b>" for name in tables], horizontal_spacing=0.03
    )
    styles = model_styles(tables)
    for column, (name, whole) in enumerate(tables.items(), start=1):
        table = whole.head(most)
        figure.add_bar(
            y=table.index.astype(str),
            x=100 * table["R2"].clip(lower=0),
            orientation="h",
            marker={"color": styles[name].colour, "opacity": 0.45},
            text=[f"{escape(made)}" for made in table["made of"]],
            textposition="none",
            row=1,
            col=column,
        )
        for place, (r2, made) in enumerate(zip(table["R2"], table["made of"], strict=True)):
            figure.add_annotation(
                x=1,
                y=place,
                text=f"<b>{100 * r2:.0f} %</b>  {escape(made)}",
                xanchor="left",
                showarrow=False,
                font={"size": FONT_SIZE - 2},
                row=1,
                col=column,
            )
    figure.update_xaxes(range=[0, 103], title="of it told by the text (R² on validation documents), %")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    figure.update_yaxes(title="direction", col=1)
    return figure.update_layout(showlegend=False, height=130 + 34 * most, margin={"t": 50})


def label_map_figure(
    places: np.ndarray, names: Sequence[str], groups: Sequence[str], positives: np.ndarray, named: Sequence[int]
) -> go.Figure:
    """Labels as points with names; groups told apart by colour and symbol, those without one in grey.

    Parameters
    ----------
    places : ndarray, shape (L, 2)
    names, groups : sequences of str, length L
        A label's name and its group; "" stands for "others".
    positives : ndarray, shape (L,)
        Training positives, which decide a point's size.
    named : sequence of int
        Labels whose name is written beside the point.
    """
    figure = go.Figure()
    of = np.array(groups)
    size = 6 + 5 * np.log10(np.maximum(positives, 1))
    shown = [group for group in dict.fromkeys(groups) if group]
    looks = {"": ("#BBBBBB", "circle")} | {
        group: (PALETTE[place % len(PALETTE)], SYMBOLS[(place + place // len(PALETTE)) % len(SYMBOLS)])
        for place, group in enumerate(shown)
    }
    for group, (colour, symbol) in looks.items():
        inside = np.flatnonzero(of == group).tolist()
        figure.add_scatter(
            x=places[inside, 0],
            y=places[inside, 1],
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": size[inside], "opacity": 0.8},
            customdata=[[names[label], int(positives[label])] for label in inside],
            hovertemplate="%{customdata[0]}: %{customdata[1]:,} positives<extra></extra>",
            name=escape(group) or "other facets",
        )
    at = list(named)
    figure.add_scatter(
        x=places[at, 0],
        y=places[at, 1],
        mode="markers+text",
        marker={"size": size[at], "opacity": 0},  # invisible: keeps a name above its point
        text=[escape(names[label].partition("::")[2] or names[label]) for label in at],
        textposition="top center",
        textfont={"size": FONT_SIZE - 3, "color": BLACK},
        hoverinfo="skip",
        name="names",
        showlegend=False,
    )
    figure.update_xaxes(title="near = similar; the axes have no unit", title_standoff=0)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showticklabels=False, showgrid=False, showline=False, ticks="")
    return figure.update_layout(height=720, margin={"t": 30}, legend={"title": "facet", "x": 1.02, "y": 1})


def embedding_length_figure(lengths: Mapping[str, np.ndarray], positives: np.ndarray) -> go.Figure:
    """Length of each label's embedding (of the longest, per cent) against its training positives; a panel a method."""
    figure = make_subplots(
        cols=len(lengths),
        subplot_titles=[f"<b>{escape(name)}</b>" for name in lengths],
        shared_yaxes=True,
        horizontal_spacing=0.05,
    )
    seen = positives > 0
    styles = model_styles(lengths)
    for column, (name, length) in enumerate(lengths.items(), start=1):
        figure.add_scatter(
            x=positives[seen],
            y=100 * length[seen] / length.max(),
            mode="markers",
            marker={"color": styles[name].colour, "symbol": styles[name].symbol, "size": 7, "opacity": 0.6},
            row=1,
            col=column,
        )
    figure.update_xaxes(type="log", title="training positives", dtick=1)
    figure.update_yaxes(range=[-2, 104])
    figure.update_yaxes(title="length, % of the longest", col=1)
    return figure.update_layout(height=400, showlegend=False, margin={"t": 50})
