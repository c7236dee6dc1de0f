"""Figure 2 of the LightDXML paper: precision by beta and by the epochs of the classifier, by label frequency too."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, ORANGE, PURPLE

#: Measures of the upper and of the lower panels: colour, symbol, dash.
MEASURES = (
    {"P@1": (BLACK, "circle", "solid"), "PSP@1": (PURPLE, "cross", "longdash")},
    {
        "head": (BLUE, "circle", "solid"),
        "torso": (ORANGE, "diamond", "dash"),
        "tail": (GREEN, "square", "dot"),
    },
)


def blend_figure(
    table: pd.DataFrame, epoch: int, beta: float, *, rows: str = "validation", height: int = 700
) -> go.Figure:
    """Left: by beta, after one epoch. Right: by the epochs of the classifier, at one beta.

    Parameters
    ----------
    table : DataFrame
        Columns "epoch", "beta" and the `MEASURES`, fractions; every epoch with every beta.
    epoch : int
    beta : float
        One of the table's.
    rows : str
        What rows it was measured on.
    height : int
        Pixels.
    """
    figure = make_subplots(
        rows=2, cols=2, shared_yaxes=True, horizontal_spacing=0.06, vertical_spacing=0.16,
        subplot_titles=[f"after epoch {epoch} of the classifier", f"at β = {beta:g}", "", ""],
    )  # fmt: skip
    by_beta = table[table["epoch"] == epoch].sort_values("beta")
    by_epoch = table[np.isclose(table["beta"], beta)].sort_values("epoch")
    for row, measures in enumerate(MEASURES, start=1):
        for measure, (colour, symbol, dash) in measures.items():
            for column, (part, x, here) in enumerate(((by_beta, "beta", beta), (by_epoch, "epoch", epoch)), start=1):
                name = measure if row == 1 else f"{measure} labels"
                figure.add_scatter(
                    x=part[x], y=100 * part[measure], mode="lines+markers", name=name, showlegend=column == 1,
                    line={"color": colour, "dash": dash}, marker={"symbol": symbol, "size": 8}, legendgroup=name,
                    row=row, col=column, hovertemplate=f"{name}: %{{y:.1f}} %<extra></extra>",
                )  # fmt: skip
                best = part.iloc[int(part[measure].to_numpy().argmax())]
                figure.add_scatter(
                    x=[best[x]], y=[100 * best[measure]], mode="markers", showlegend=False, hoverinfo="skip",
                    marker={"symbol": "star", "size": 16, "color": colour, "line": {"color": BLACK, "width": 1}},
                    row=row, col=column,
                )  # fmt: skip
                figure.add_vline(x=here, line={"color": BLACK, "width": 1, "dash": "dot"}, row=row, col=column)
    figure.add_scatter(
        x=[None], y=[None], mode="markers", name="best of its curve",
        marker={"symbol": "star", "size": 14, "color": "white", "line": {"color": BLACK, "width": 1}}, row=1, col=1,
    )  # fmt: skip
    figure.update_xaxes(range=[-0.05, 1.05], col=1)
    figure.update_xaxes(title="β, weight of the classifier", row=2, col=1)
    figure.update_xaxes(title="e<sub>model</sub>, epochs of the classifier", row=2, col=2)
    figure.update_yaxes(title="per cent", row=1, col=1)
    figure.update_yaxes(title="found among five, per cent", row=2, col=1)
    best = by_beta.iloc[len(by_beta) - 1 - int(by_beta["P@1"].to_numpy()[::-1].argmax())]  # the larger at a tie
    flat = 100 * np.ptp(by_beta["P@1"].to_numpy())
    figure.update_annotations(font={"size": FONT_SIZE})
    return figure.update_layout(
        title={
            "text": f"P@1 is best at <b>β = {best['beta']:g}</b>: {100 * best['P@1']:.1f} on {rows} rows",
            "subtitle": {"text": f"from the worst β to the best: {flat:.1f} points"},
        },
        height=height,
        margin={"t": 120, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
