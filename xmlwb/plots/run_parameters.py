"""What a knob does: metrics against the values of one parameter, over all the other settings and over seeds."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Literal

import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import (
    FAINT,
    MOST_PANELS,
    LevelAxis,
    cost_title,
    error_bars,
    groups_of,
    hover_texts,
    note,
    panel_grid,
    per_cent,
    place_of,
    scatter_of,
    styles_of,
    title_of,
    wrapped,
)
from xmlwb.plots.theme import Style
from xmlwb.run_table import COSTS, PARAM, as_text, settings_of

Others = Literal["best", "mean"]
_SAID = {"best": "of the other parameters the best setting", "mean": "the mean over the other parameters"}


def parameter_figure(
    runs: pd.DataFrame,
    parameter: str,
    metrics: Sequence[str],
    *,
    colour: str = "method",
    others: Others = "best",
) -> go.Figure:
    """Metrics against one parameter: a panel for each data set and metric, a line for each method.

    Parameters
    ----------
    runs : DataFrame
        A table of runs, see `xmlwb.run_table`. Those with status "ok" whose method has the parameter are drawn.
    parameter : str
        Without the "param." of its column.
    metrics : sequence of str
        Columns: metrics ("P@5"), metrics by frequency bin ("P@5 tail"), or costs ("train s").
    colour : str
        "method", "data", "study" or another parameter.
    others : "best" or "mean"
        What a line shows at each value: the setting that is best in its mean over seeds, with its lowest and highest
        seed (of a single seed its bootstrap interval); or each seed's mean over all settings, likewise.

    Notes
    -----
    The faint marks are all settings, means over their seeds. The best of many settings is chosen on the very rows that
    it is shown on, so it flatters parameters that were tried more often.
    """
    column = PARAM + parameter
    if column not in runs:
        raise ValueError(f"parameter: found {parameter!r}, wanted one of the table's")
    missing = [metric for metric in metrics if metric not in runs]
    if missing or not metrics:
        raise ValueError(f"metrics: found {missing or 'none'}, wanted columns of the table")
    known = runs[(runs["status"] == "ok") & runs["method"].isin(runs.loc[runs[column].notna(), "method"].unique())]
    panels = [(data, metric) for data in known["data"].unique() for metric in metrics][:MOST_PANELS]
    if not panels:
        return note(go.Figure(layout={"height": 480}), f"no chosen run has the parameter {parameter}")
    several_data = known["data"].nunique() > 1
    figure = panel_grid([_panel(data, metric, several_data, metrics) for data, metric in panels])
    axis, styles = LevelAxis(known[column]), styles_of(known, colour)
    settings = settings_of(known, metrics)
    settings = settings.assign(level=settings[column].map(as_text), group=groups_of(settings, colour))
    if others == "mean":
        known = known.assign(level=known[column].map(as_text), group=groups_of(known, colour))
    shown: set[str] = set()
    for number, (data, metric) in enumerate(panels):
        inside = settings[(settings["data"] == data) & settings[metric].notna()]
        for place, (group, style) in enumerate(styles.items()):
            of_it = inside[inside["group"] == group]
            if of_it.empty:
                continue
            shift = axis.shift(place, len(styles))
            if others == "best":
                line = of_it.sort_values(metric, ascending=metric in COSTS, kind="stable").drop_duplicates("level")
            else:
                line = _means(known[(known["data"] == data) & (known["group"] == group)], metric)
            _add_cloud(figure, of_it, metric, axis, shift, style, number, n_points=len(settings))
            _add_line(figure, line, metric, axis, shift, (group, style), number, legend=group not in shown)
            shown.add(group)
        if metric in COSTS:
            figure.update_yaxes(title=cost_title(metric), type="log", **place_of(number))
    if not set(metrics) & set(COSTS):
        figure.update_yaxes(title=per_cent(metrics[0]) if len(metrics) == 1 else "per cent", col=1)
    axis.settle(figure, parameter, panels=min(len(panels), 3))
    bars = "bars: lowest to highest seed; of one seed, 95 % bootstrap"
    return figure.update_layout(title=title_of(f"What does {parameter} do?", f"lines: {_SAID[others]}; {bars}"))


def _panel(data: str, metric: str, several_data: bool, metrics: Sequence[str]) -> str:
    if len(metrics) == 1:
        return data
    return f"{data}: {metric}" if several_data else metric


def _means(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    by_seed = runs.groupby(["level", "seed"], sort=False)[metric].mean().groupby("level", sort=False)
    out = pd.DataFrame({metric: by_seed.mean(), f"{metric} low": by_seed.min(), f"{metric} high": by_seed.max()})
    n = runs.groupby("level", sort=False)["params"].nunique()
    return out.reset_index().assign(label=[f"mean of {n[level]} settings" for level in out.index])


def _scale(metric: str) -> float:
    return 1.0 if metric in COSTS else 100.0


def _add_cloud(
    figure: go.Figure, of_it: pd.DataFrame, metric: str, axis: LevelAxis, shift: float, style: Style, number: int,
    *, n_points: int,
) -> None:  # fmt: skip
    kind = scatter_of(n_points)
    texts = hover_texts(of_it["label"], n_points)
    figure.add_trace(
        kind(
            x=of_it["level"].map(axis.position).to_numpy(dtype=float) + shift,
            y=(_scale(metric) * of_it[metric]).to_numpy(),
            mode="markers", showlegend=False, marker={"color": style.colour, "symbol": style.symbol, **FAINT},
            text=texts, customdata=of_it["setting"].to_numpy() if "setting" in of_it else None,
            hovertemplate=("%{text}<br>" if texts else "click for the setting<br>") + "%{y:.4g}<extra></extra>",
        ),
        **place_of(number),
    )  # fmt: skip


def _add_line(
    figure: go.Figure, line: pd.DataFrame, metric: str, axis: LevelAxis, shift: float, group: tuple[str, Style],
    number: int, *, legend: bool,
) -> None:  # fmt: skip
    name, style = group
    line = line.assign(x=line["level"].map(axis.position)).sort_values("x")
    figure.add_scatter(
        x=line["x"] + shift, y=_scale(metric) * line[metric], name=wrapped(name), legendgroup=name, showlegend=legend,
        error_y=error_bars(line[metric], line[f"{metric} low"], line[f"{metric} high"], _scale(metric)),
        mode="lines+markers" if axis.numeric else "markers",
        line={"color": style.colour, "dash": style.dash}, marker={"color": style.colour, "symbol": style.symbol},
        customdata=line["setting"].to_numpy() if "setting" in line else None,
        text=[wrapped(label, 60) for label in line["label"]],
        hovertemplate=f"<b>{escape(name)}</b>: %{{y:.4g}}<br>%{{text}}<extra></extra>",
        **place_of(number),
    )  # fmt: skip
