"""Differences of many settings to one, with their intervals and p-values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import note, title_of, wrapped
from xmlwb.plots.theme import BLUE, GREY, INK, VERMILION

_LOOKS = (
    ("better", BLUE, "triangle-right"),
    ("worse", VERMILION, "triangle-left"),
    ("may be chance", GREY, "circle-open"),
)


def differences_figure(differences: pd.DataFrame, base: str, metric: str, *, pairs: str, correction: str) -> go.Figure:
    """A row for each setting: its difference to the base, the interval, and the corrected p-value beside it.

    Parameters
    ----------
    differences : DataFrame
        From `xmlwb.run_differences.corrected`, of a metric stored as a fraction.
    base, metric : str
        Names of the base setting and of the metric.
    pairs : str
        What was paired: "instances" or "seeds".
    correction : str
        How p-values were corrected, for the reader.
    """
    if differences.empty:
        return note(go.Figure(layout={"height": 480}), "there is no other setting to hold against the base")
    rows = differences[::-1].reset_index(drop=True)  # plotly draws from below
    sure = rows["significant"].fillna(False).astype(bool)
    figure = go.Figure()
    masks = (sure & (rows["difference"] > 0), sure & (rows["difference"] < 0), ~sure)
    for (name, colour, symbol), mask in zip(_LOOKS, masks, strict=True):
        part = rows[mask]
        figure.add_scatter(
            x=100 * part["difference"], y=part.index, mode="markers", name=name,
            error_x={"array": 100 * (part["high"] - part["difference"]), "thickness": 2, "width": 6,
                     "arrayminus": 100 * (part["difference"] - part["low"])},
            marker={"color": colour, "symbol": symbol, "size": 13, "line": {"width": 2, "color": colour}},
            customdata=part["setting"], text=[wrapped(label, 60) for label in part["label"]],
            hovertemplate="<b>%{text}</b><br>%{x:+.2f} points<extra></extra>",
        )  # fmt: skip
    bounds = 100 * rows[["low", "high", "difference"]].to_numpy(dtype=float)
    low, high = min(0.0, float(np.nanmin(bounds))), max(0.0, float(np.nanmax(bounds)))
    span = max(high - low, 0.1)
    for place, (p, n) in enumerate(zip(rows["adjusted p"], rows["pairs"], strict=True)):
        figure.add_annotation(
            x=1, xref="paper", xanchor="left", xshift=8, y=place, text=_p_text(p, n), showarrow=False, font_size=13
        )
    names = [wrapped(label, 44) for label in rows["label"]]
    figure.update_yaxes(tickvals=list(rows.index), ticktext=names, range=[-0.6, len(rows) - 0.4], tickfont_size=13)
    figure.update_xaxes(
        title=wrapped(f"{metric}, percentage points over {base}", 90), range=[low - 0.06 * span, high + 0.06 * span],
        zeroline=True, zerolinecolor=INK, zerolinewidth=2,
    )  # fmt: skip
    lines = sum(name.count("<br>") + 1 for name in names)
    subtitle = (
        f"paired over {pairs}; bars: each difference's own 95 % interval; p: {correction}, {len(rows)} comparisons"
    )
    return figure.update_layout(
        title=title_of("Which differences are real?", subtitle), height=max(400, 210 + 24 * max(lines, len(rows))),
        legend={"orientation": "h", "yref": "container", "y": 0.01, "yanchor": "bottom", "x": 0},
        margin={"t": 100, "r": 110, "b": 120}, showlegend=True,
    )  # fmt: skip


def _p_text(p: float, pairs: float) -> str:
    if np.isnan(p):
        return "no test" if pairs else "no pairs"
    return "p < .001" if p < 0.001 else f"p = {p:.3f}".replace("0.", ".", 1)
