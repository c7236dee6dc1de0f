"""Which labels gain and which lose, by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import log_ticks, note, scatter_of, title_of, wrapped
from xmlwb.plots.theme import BLUE, GREY, INK, VERMILION

_SIDES = (("A", BLUE, "triangle-up"), ("B", VERMILION, "triangle-down"))
LEVEL = 0.05


def label_gains_figure(gains: pd.DataFrame, *, n: int = 12) -> go.Figure:
    """The labels that gain most and those that lose most, by name, as bars.

    Parameters
    ----------
    gains : DataFrame
        From `xmlwb.label_gains.label_gains`.
    n : int
        Labels on each side.
    """
    won = gains[gains["gain"] > 0].nlargest(n, "gain")
    lost = gains[gains["gain"] < 0].nsmallest(n, "gain")
    if won.empty and lost.empty:
        return note(go.Figure(layout={"height": 480}), "A and B find the same labels on the same number of instances")
    shown = pd.concat([won, lost[::-1]])[::-1]  # plotly draws from below
    shown = shown.assign(place=range(len(shown)))
    names = [_name(label) for label in shown["label"]]
    figure = go.Figure()
    for name, colour, _ in _SIDES:
        rows = shown[(shown["gain"] > 0) == (name == "A")]
        sure = rows["adjusted p"] <= LEVEL
        figure.add_bar(
            x=rows["gain"], y=rows["place"], orientation="h", name=f"{name} finds more",
            marker={"color": colour, "line": {"color": colour, "width": 2},
                    "pattern": {"shape": ["" if s else "/" for s in sure], "fillmode": "replace", "size": 8,
                                "fgcolor": colour, "bgcolor": "white"}},
            text=[f"{a:g} : {b:g} of {m}" for a, b, m in
                  zip(rows["found by A"].round(1), rows["found by B"].round(1), rows["test positives"], strict=True)],
            textposition="outside", cliponaxis=False, customdata=rows["index"],
            hovertext=[_name(label) for label in rows["label"]],
            hovertemplate="<b>%{hovertext}</b><br>%{text} found, %{x:+.3g}<extra></extra>",
        )  # fmt: skip
    reach = float(shown["gain"].abs().max())
    low, high = float(min(shown["gain"].min(), 0.0)), float(max(shown["gain"].max(), 0.0))
    figure.update_xaxes(
        title="instances found by A less those found by B", zeroline=True, zerolinecolor=INK, zerolinewidth=2,
        range=[low - 0.45 * reach if low < 0 else -0.05 * reach, high + 0.45 * reach],
    )  # fmt: skip
    figure.update_yaxes(tickvals=shown["place"], ticktext=names, range=[-0.6, len(shown) - 0.4], tickfont_size=13)
    lines = sum(name.count("<br>") + 1 for name in names)
    subtitle = "beside a bar: found by A : by B of the label's instances; hatched: the difference may be chance"
    return figure.update_layout(
        title=title_of("Which labels gain, which lose?", subtitle), height=max(420, 170 + 22 * lines), bargap=0.25,
        barmode="overlay", legend={"x": 1.02, "y": 1, "xanchor": "left"}, showlegend=True, margin={"t": 100, "r": 20},
    )  # fmt: skip


def gain_by_frequency_figure(gains: pd.DataFrame, *, n: int = 4) -> go.Figure:
    """Each label's gain against its training frequency; the n largest on each side with their names.

    Parameters
    ----------
    gains : DataFrame
        From `xmlwb.label_gains.label_gains`.
    n : int
        Names on each side.
    """
    figure, kind = go.Figure(), scatter_of(len(gains))
    if gains.empty:
        return note(go.Figure(layout={"height": 480}), "no label occurs among these instances")
    x = gains["positives"].clip(lower=0.5)
    sure = gains["adjusted p"] <= LEVEL
    for name, colour, symbol in (*_SIDES, ("", GREY, "circle")):
        side = gains["gain"] > 0 if name == "A" else gains["gain"] < 0 if name == "B" else gains["gain"] == 0
        legend = f"{name} finds more" if name else "as many"
        for clear in (True, False) if name else (False,):
            rows = gains[side & (sure == clear)]
            if rows.empty:
                continue
            figure.add_trace(
                kind(
                    x=x[rows.index].to_numpy(), y=rows["gain"].to_numpy(dtype=float), mode="markers",
                    name=legend + ("" if clear or not name else ", may be chance"),
                    text=[_name(label) for label in rows["label"]],
                    marker={"color": colour, "symbol": symbol if clear or not name else f"{symbol}-open", "size": 9,
                            "opacity": 1.0 if clear else 0.5},
                    customdata=rows["index"].to_numpy(),
                    hovertemplate="<b>%{text}</b><br>%{x:.0f} training positives, %{y:+.3g} instances<extra></extra>",
                )
            )  # fmt: skip
    named = pd.concat([gains[gains["gain"] > 0].nlargest(n, "gain"), gains[gains["gain"] < 0].nsmallest(n, "gain")])
    reach = 1.35 * float(gains["gain"].abs().max() or 1.0)
    for row in _apart(named, x, reach).itertuples():
        figure.add_annotation(
            x=float(np.log10(x[row.Index])), y=row.gain, text=_name(row.label), showarrow=True, arrowhead=0, ax=0,
            ay=-26 if row.gain > 0 else 26, arrowcolor=GREY, font_size=12, bgcolor="rgba(255,255,255,0.7)",
        )  # fmt: skip
    figure.update_xaxes(title="training positives of the label, logarithmic", **log_ticks(x, panels=1))
    figure.update_yaxes(title="instances found by A less B", zeroline=True, zerolinecolor=INK, range=[-reach, reach])
    return figure.update_layout(
        title=title_of("Gains and losses by frequency", "a mark is a label; click on one for its documents"),
        height=480,
        legend={"x": 1.02, "y": 1, "xanchor": "left"}, showlegend=True, margin={"t": 100, "r": 20},
    )  # fmt: skip


def _name(label: str) -> str:
    return wrapped(label, 34)


def _apart(named: pd.DataFrame, x: pd.Series, reach: float) -> pd.DataFrame:
    """Those of the labels whose names do not cover the name of a larger gain."""
    width = max(float(np.log10(x.max() / x.min())), 1.0)
    kept: list[tuple[float, float]] = []
    rows = []
    for row in named.loc[named["gain"].abs().sort_values(ascending=False).index].itertuples():
        at = (float(np.log10(x[row.Index])) / width, float(row.gain) / reach)
        if all(abs(at[0] - a) > 0.22 or abs(at[1] - b) > 0.1 for a, b in kept):
            kept.append(at)
            rows.append(row.Index)
    return named.loc[rows]
