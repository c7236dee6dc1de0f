"""Balanced and unbalanced label trees side by side: depths, leaf sizes, and the company of tail labels."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import FONT_SIZE, model_styles

_BINS = ("head", "torso", "tail")


def tree_shape_figure(places: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Left: how deep labels sit. Middle: how many siblings tail labels have. Right: how frequent those are, by bin.

    Right, for each label the median of its siblings' training positives; of these the median and the quartiles.

    Parameters
    ----------
    places : mapping of method to DataFrame
        From `xmlwb.lessons.label_tree_shape.label_places`.
    """
    titles = ["depth of a label", "tail labels with at most so many siblings", "siblings: median, quartiles"]
    figure = make_subplots(cols=3, subplot_titles=titles, horizontal_spacing=0.1, column_widths=[0.27, 0.36, 0.37])
    styles = model_styles(places)
    for name, table in places.items():
        style = styles[name]
        depth = table["depth"].value_counts(normalize=True).sort_index()
        common = {"name": escape(name, quote=False), "legendgroup": name}
        figure.add_bar(
            x=depth.index.astype(str), y=100 * depth, marker={"color": style.colour},
            text=[f"{100 * share:.0f}" for share in depth], textposition="outside", **common, row=1, col=1,
        )  # fmt: skip
        tail = table.loc[table["bin"] == "tail", "siblings"]
        size = np.sort((tail if len(tail) else table["siblings"]).to_numpy())
        value, last = np.unique(size[::-1], return_index=True)
        figure.add_scatter(
            x=[0.5, *np.maximum(value, 0.5), 2.0 * max(int(value[-1]), 1)],
            y=[0.0, *(100 * (1 - last / len(size))), 100.0],
            mode="lines",
            line={"color": style.colour, "dash": style.dash, "shape": "hv"},
            showlegend=False, **common, row=1, col=2,
        )  # fmt: skip
        for bin_ in _BINS:
            company = table.loc[table["bin"] == bin_, "siblings' positives"].dropna()
            if company.empty:
                continue
            low, middle, high = company.quantile([0.25, 0.5, 0.75])
            figure.add_scatter(
                x=[bin_], y=[middle], mode="markers",
                marker={"color": style.colour, "symbol": style.symbol, "size": 13},
                error_y={"type": "data", "array": [high - middle], "arrayminus": [middle - low], "thickness": 3},
                offsetgroup=name, showlegend=False, **common, row=1, col=3,
            )  # fmt: skip
    order = [str(d) for d in sorted({int(d) for table in places.values() for d in table["depth"]})]
    figure.update_xaxes(title="depth (0 is the root)", type="category", categoryarray=order, row=1, col=1)
    figure.update_yaxes(title="labels, %", range=[0, 110], row=1, col=1)
    most = max(int(table["siblings"].max()) for table in places.values())
    figure.update_xaxes(
        title="siblings in the same node", type="log", tickvals=[t * 10**e for e in range(6) for t in (1, 2, 5)],
        range=[np.log10(0.5), np.log10(1.3 * max(most, 1))], row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(title="tail labels, %", range=[0, 103], row=1, col=2)
    figure.update_xaxes(title="the label's own frequency bin", categoryarray=list(_BINS), row=1, col=3)
    figure.update_yaxes(
        title="training positives of its siblings", type="log",
        tickvals=[t * 10**e for e in range(7) for t in (1, 2, 5)], row=1, col=3,
    )  # fmt: skip
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        height=440, margin={"t": 50}, scattermode="group", legend={"orientation": "h", "y": -0.25}
    )
