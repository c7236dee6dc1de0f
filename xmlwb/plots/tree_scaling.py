"""What label trees cost and find as the number of labels grows."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, DASHES, FONT_SIZE, GREY, INK, model_styles

#: (column, panel's title, axis, scale, what a guide line grows like)
_PANELS = (
    ("train_s", "Training", "seconds", "log", "L"),
    ("model_MB", "Size of the model", "MB", "log", "L"),
    ("ms_per_instance", "Prediction", "ms an instance", "log", "log L"),
    ("recall@5", "Beam recall at 5", "% of the exact top 5", "linear", None),
)


def tree_scaling_figure(table: pd.DataFrame, *, beam: int = 10) -> go.Figure:
    """Training time, model size, prediction time and beam recall against the number of labels; a panel each.

    Parameters
    ----------
    table : DataFrame
        Columns method, distribution, L, beam, train_s, model_MB, ms_per_instance and recall@5 (in per cent), as
        `xmlwb.lessons.tree_scaling.measured_scaling` returns it. A NaN is left out.
    beam : int
        The rows to show.

    Returns
    -------
    Figure
        Colour and marker tell the methods apart, the kind of line the label distributions. Dotted grey lines grow like
        L, or log L; they start at the lowest curve's first point.

    Raises
    ------
    ValueError
        The table has no rows of that beam.
    """
    rows = _of_beam(table, beam)
    figure = make_subplots(
        rows=2, cols=2, subplot_titles=[f"<b>{title}</b>" for _, title, *_ in _PANELS],
        horizontal_spacing=0.14, vertical_spacing=0.17,
    )  # fmt: skip
    dashes, styles = _dashes(rows), model_styles(dict.fromkeys(rows["method"]))
    labels = sorted(set(rows["L"]))
    for place, (column, _, axis, scale, guide) in enumerate(_PANELS):
        at = {"row": place // 2 + 1, "col": place % 2 + 1}
        if guide is not None:
            _add_guide(figure, rows, column, guide, at)
        for (method, distribution), curve in rows.groupby(["method", "distribution"], sort=False):
            curve = curve.dropna(subset=[column]).sort_values("L")
            style, name = styles[method], f"{method}, {distribution}"
            figure.add_scatter(
                x=curve["L"].tolist(),
                y=curve[column].tolist(),
                mode="lines+markers",
                line={"color": style.colour, "dash": dashes[distribution], "width": 2.5},
                marker={"color": style.colour, "symbol": style.symbol, "size": 9},
                name=name,
                hovertemplate=f"{escape(name)}<br>L = %{{x:,}}: %{{y:.3~g}} {axis}<extra></extra>",
                showlegend=False,
                **at,
            )
        figure.update_xaxes(title="labels, L", type="log", tickvals=labels, ticktext=_powers(labels), **at)
        figure.update_yaxes(title=axis, type=scale, **at)
        if scale == "log":
            ticks = _log_ticks(rows[column])
            figure.update_yaxes(
                tickvals=ticks,
                ticktext=[f"{tick:,g}" for tick in ticks],
                minor={"ticks": "outside", "dtick": "D1"},
                **at,
            )
        else:
            figure.update_yaxes(range=[min(0.98 * rows[column].min(), 90), 101], **at)
    _add_legend(figure, dashes, styles)
    return figure.update_layout(
        title={"text": f"Label trees as the number of labels grows (beam {beam})", "font": {"size": FONT_SIZE + 2}},
        height=780,
        margin={"t": 100, "b": 130},
        legend={
            "orientation": "h",
            "x": 0,
            "y": -0.12,
            "yanchor": "top",
            "itemwidth": 50,
            "itemclick": False,
            "itemdoubleclick": False,
        },
    )


def beam_recall_figure(table: pd.DataFrame, *, distribution: str) -> go.Figure:
    """Beam recall and P@1 against the beam's width, for each number of labels; a panel each for the methods.

    Parameters
    ----------
    table : DataFrame
        As for `tree_scaling_figure`, with several beams.
    distribution : str
        The label distribution to show.

    Raises
    ------
    ValueError
        The table has no such distribution.
    """
    rows = table[table["distribution"] == distribution]
    if rows.empty:
        known = ", ".join(dict.fromkeys(table["distribution"]))
        raise ValueError(f"distribution is {distribution!r}; the table has {known}")
    methods, labels = list(dict.fromkeys(rows["method"])), sorted(set(rows["L"]))
    beams = sorted(set(rows["beam"]))
    styles = model_styles(methods)
    figure = make_subplots(
        cols=len(methods), subplot_titles=[f"<b>{escape(m)}</b>" for m in methods], shared_yaxes=True,
        horizontal_spacing=0.06,
    )  # fmt: skip
    for column, method in enumerate(methods, start=1):
        for place, L in enumerate(labels):
            curve = rows[(rows["method"] == method) & (rows["L"] == L)].sort_values("beam")
            dash = DASHES[place % len(DASHES)]
            figure.add_scatter(
                x=curve["beam"].tolist(),
                y=curve["recall@5"].tolist(),
                mode="lines+markers",
                line={"color": styles[method].colour, "dash": dash, "width": 2.5},
                marker={"color": styles[method].colour, "symbol": styles[method].symbol, "size": 9},
                name=f"{method}, L = {L:,}",
                customdata=curve["P@1"].tolist(),
                hovertemplate=f"L = {L:,}, beam %{{x}}: recall %{{y:.1f}} %, P@1 %{{customdata:.1f}} %<extra></extra>",
                showlegend=False,
                row=1,
                col=column,
            )
            if column == 1:
                figure.add_scatter(
                    x=[None], y=[None], mode="lines", line={"color": BLACK, "dash": dash, "width": 2.5},
                    name=f"L = {_powers([L])[0]}",
                )  # fmt: skip
        figure.update_xaxes(
            title="beam", type="log", tickvals=beams, ticktext=[str(b) for b in beams], row=1, col=column
        )
    figure.update_yaxes(title="beam recall at 5, %", col=1)
    return figure.update_layout(
        title={"text": f"What the beam search returns of the exhaustive top 5: {escape(distribution)}",
               "font": {"size": FONT_SIZE + 2}},
        height=430,
        margin={"t": 90},
        legend={"x": 1.02, "y": 1, "xanchor": "left", "itemwidth": 50, "itemclick": False, "itemdoubleclick": False},
    )  # fmt: skip


def _of_beam(table: pd.DataFrame, beam: int) -> pd.DataFrame:
    rows = table[table["beam"] == beam]
    if rows.empty:
        raise ValueError(f"beam is {beam}; the table has {', '.join(map(str, sorted(set(table['beam']))))}")
    return rows


def _dashes(rows: pd.DataFrame) -> dict[str, str]:
    return {name: DASHES[i % len(DASHES)] for i, name in enumerate(dict.fromkeys(rows["distribution"]))}


def _add_guide(figure: go.Figure, rows: pd.DataFrame, column: str, like: str, at: dict[str, int]) -> None:
    """A dotted line that grows like L or log L from the lowest curve's first point on."""
    first = rows["L"].min()
    start = rows.loc[rows["L"] == first, column].min()
    L = np.geomspace(first, rows["L"].max(), 40)
    grown = L / first if like == "L" else np.log(L) / np.log(first)
    figure.add_scatter(
        x=L, y=0.8 * start * grown, mode="lines", line={"color": GREY, "dash": "dot", "width": 2},
        name=f"grows like {like}", hoverinfo="skip", showlegend=False, **at,
    )  # fmt: skip
    figure.add_annotation(
        x=np.log10(L[-1]), y=np.log10(0.8 * start * grown[-1]), text=f"∝ {like}", showarrow=False, xanchor="right",
        yanchor="top", yshift=-4, font={"color": INK, "size": FONT_SIZE - 1}, **at,
    )  # fmt: skip


def _add_legend(figure: go.Figure, dashes: dict[str, str], styles: dict) -> None:
    """Entries without points: the methods by colour and marker, the distributions by kind of line."""
    for method, style in styles.items():
        figure.add_scatter(
            x=[None], y=[None], mode="markers", marker={"color": style.colour, "symbol": style.symbol, "size": 12},
            name=escape(method),
        )  # fmt: skip
    for distribution, dash in dashes.items():
        figure.add_scatter(
            x=[None], y=[None], mode="lines", line={"color": BLACK, "dash": dash, "width": 2.5},
            name=escape(distribution),
        )  # fmt: skip


def _log_ticks(values: pd.Series) -> list[float]:
    """Powers of ten; also their double and fivefold where the values span little."""
    low, high = np.log10([values.min(), values.max()])
    steps = (1, 2, 5) if high - low < 2 else (1,)
    decades = range(int(np.floor(low)) - 1, int(np.ceil(high)) + 1)
    return [float(f"{step}e{decade}") for decade in decades for step in steps]


def _powers(labels: Sequence[int]) -> list[str]:
    """10^4 as a power where it is one, else the number."""
    exponents = [round(float(np.log10(L))) for L in labels]
    return [f"10<sup>{e}</sup>" if 10**e == L else f"{L:,}" for e, L in zip(exponents, labels, strict=True)]
