"""An ablation beside the paper's: what each value of one parameter does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, VERMILION


def ablation_figure(
    ours: pd.DataFrame,
    paper: Mapping[str, float],
    *,
    base: str,
    measure: str,
    factor: str,
    title: str,
    subtitle: str = "",
    more_is_better: bool = True,
) -> go.Figure:
    """Left: our runs by the parameter's value. Right: what the paper prints, on the same number of points.

    Parameters
    ----------
    ours : DataFrame
        "level" and "value" (per cent), a row for each run; levels in the order of the axis.
    paper : mapping of level to per cent
        Levels that the paper has.
    base : str
        The level of the base setting, drawn apart.
    measure, factor : str
        Titles of the axes.
    title, subtitle : str
    more_is_better : bool
        Whether the highest mean is the best one.
    """
    levels = list(dict.fromkeys(ours["level"]))
    means = ours.groupby("level", sort=False)["value"].mean()
    known = [level for level in levels if level in paper]
    panels = 2 if known else 1
    figure = make_subplots(
        cols=panels, horizontal_spacing=0.1, column_widths=[0.56, 0.44] if known else None,
        subplot_titles=["<b>here</b>", "<b>the paper, AmazonCat-13K</b>"][:panels],
    )  # fmt: skip
    best = means.idxmax() if more_is_better else means.idxmin()
    _add_levels(figure, levels, means, base, best, column=1)
    for level, runs in ours.groupby("level", sort=False):
        figure.add_scatter(
            x=[level] * len(runs), y=runs["value"], mode="markers", showlegend=False,
            marker={"color": GREY, "symbol": "line-ew-open", "size": 18, "line": {"width": 2}},
            hovertemplate="one run: %{y:.2f} %<extra></extra>", row=1, col=1,
        )  # fmt: skip
    spans = [(float(ours["value"].min()), float(ours["value"].max()))]
    if known:
        theirs = pd.Series({level: paper[level] for level in known})
        _add_levels(figure, known, theirs, base, theirs.idxmax(), column=2)
        spans.append((theirs.min(), theirs.max()))
    room = 1.35 * max(high - low for low, high in spans) + 0.2
    for column, (low, high) in enumerate(spans, start=1):
        middle = (low + high) / 2
        figure.update_yaxes(range=[middle - room / 2, middle + room / 2], row=1, col=column)
        figure.update_xaxes(type="category", title=factor, row=1, col=column)
    figure.update_yaxes(title=f"{measure}, per cent", row=1, col=1)
    if known:
        figure.update_yaxes(title="test P@1, per cent", row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        title={"text": title, "subtitle": {"text": subtitle}}, height=480, margin={"t": 130, "b": 130},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )  # fmt: skip


def _add_levels(
    figure: go.Figure, levels: Sequence[str], values: pd.Series, base: str, best: object, *, column: int
) -> None:
    for kind, symbol, colour, inside in (
        ("the base setting", "circle", BLUE, [level for level in levels if level == base]),
        ("another value", "diamond", VERMILION, [level for level in levels if level != base]),
    ):
        figure.add_scatter(
            x=inside, y=[values[level] for level in inside], mode="markers+text", name=kind, legendgroup=kind,
            marker={"color": colour, "symbol": symbol, "size": 14}, showlegend=column == 1,
            text=[f"<b>{values[level]:.1f}</b>" if level == best else f"{values[level]:.1f}" for level in inside],
            textposition="top center", cliponaxis=False, hovertemplate="%{x}: %{y:.2f} %<extra></extra>",
            row=1, col=column,
        )  # fmt: skip
    figure.update_xaxes(categoryorder="array", categoryarray=list(levels), row=1, col=column)


def stored_curves_figure(curves: pd.DataFrame, colours: Mapping[str, tuple[str, str]], *, title: str) -> go.Figure:
    """Training and held-out P@1 by epoch, several settings over their seeds: means, and where all seeds lie.

    Parameters
    ----------
    curves : DataFrame
        "setting", "seed", "epoch", "train P@1", "test P@1" (per cent).
    colours : mapping of setting to (colour, marker symbol)
        In the order of the legend.
    title : str
    """
    figure = go.Figure()
    for setting, (colour, symbol) in colours.items():
        of_it = curves[curves["setting"] == setting]
        for part, dash in (("train P@1", "solid"), ("test P@1", "dash")):
            by_epoch = of_it.groupby("epoch")[part]
            mean, low, high = by_epoch.mean(), by_epoch.min(), by_epoch.max()
            if of_it["seed"].nunique() > 1:
                figure.add_scatter(
                    x=[*mean.index, *mean.index[::-1]], y=[*high, *low[::-1]], fill="toself", mode="none",
                    fillcolor=_faint(colour), showlegend=False, hoverinfo="skip",
                )  # fmt: skip
            figure.add_scatter(
                x=mean.index, y=mean, mode="lines+markers", line={"color": colour, "dash": dash},
                marker={"symbol": symbol if dash == "solid" else f"{symbol}-open", "size": 8},
                name=f"{escape(setting)}, {part.split()[0]}",
                hovertemplate=f"{escape(setting)}, {part}, epoch %{{x}}: %{{y:.1f}} %<extra></extra>",
            )  # fmt: skip
    figure.update_xaxes(title="epoch", rangemode="tozero")
    figure.update_yaxes(title="P@1, per cent")
    return figure.update_layout(
        title=title, height=480, margin={"t": 80}, legend={"x": 1.02, "y": 1, "xanchor": "left"}
    )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.15)"


def differences_table(rows: Mapping[str, Mapping[str, np.ndarray]], base: str) -> pd.DataFrame:
    """Means, and differences to the base setting seed by seed, with the range of the seeds.

    Parameters
    ----------
    rows : mapping of setting to mapping of measure to ndarray
        A value for each seed, in the same order for all settings.
    base : str
    """
    told: dict[str, dict[str, str]] = {}
    for setting, measures in rows.items():
        told[setting] = {}
        for measure, values in measures.items():
            text = f"{np.mean(values):.1f}"
            if setting != base:
                apart = values - rows[base][measure]
                spread = f"; {apart.min():+.1f} to {apart.max():+.1f}" if len(apart) > 1 else ""
                text += f" ({np.mean(apart):+.1f}{spread})"
            told[setting][measure] = text
    return pd.DataFrame.from_dict(told, orient="index")
