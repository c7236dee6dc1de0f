"""What quality costs: each setting's cost and metric, and the front that no other setting beats."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import (
    FRONT_LINE,
    MOST_PANELS,
    cost_title,
    groups_of,
    hover_texts,
    log_ticks,
    note,
    panel_grid,
    per_cent,
    place_of,
    scatter_of,
    styles_of,
    title_of,
    wrapped,
)
from xmlwb.plots.theme import BLACK, INK
from xmlwb.run_table import pareto_front, settings_of


def front_of(runs: pd.DataFrame, cost: str, metric: str) -> pd.DataFrame:
    """The settings on the Pareto front of each data set, cheapest first, numbered by "front" from 1 in each.

    Returns
    -------
    DataFrame, as `xmlwb.run_table.settings_of`, of the settings that no other setting of the same data set beats: none
    costs as little and is as good, and better in one of the two. Of settings equal in both, the first.
    """
    settings = settings_of(runs, [cost, metric])
    parts = []
    for _, inside in settings.groupby("data", sort=False):
        front = inside[pareto_front(inside[cost], inside[metric])].sort_values(cost, kind="stable")
        front = front.drop_duplicates([cost, metric])
        parts.append(front.assign(front=range(1, len(front) + 1)))
    return pd.concat(parts, ignore_index=True) if parts else settings.assign(front=pd.Series(dtype=int))


def cost_figure(runs: pd.DataFrame, cost: str, metric: str, *, colour: str = "method") -> go.Figure:
    """Cost against quality, a mark a setting (the mean over its seeds), a panel a data set, the Pareto front dotted.

    Parameters
    ----------
    runs : DataFrame
        A table of runs, see `xmlwb.run_table`.
    cost : str
        A column with its unit in the name, such as "train s"; drawn on a logarithmic axis.
    metric : str
        A metric, or a metric by frequency bin; fractions.
    colour : str
        "method", "data", "study" or a parameter.

    Notes
    -----
    The numbers at the front are those of `front_of`.
    """
    for column in (cost, metric):
        if column not in runs:
            raise ValueError(f"found no column {column!r} in the table of runs")
    settings = settings_of(runs, [cost, metric])
    settings = settings[settings[metric].notna() & (settings[cost] > 0)]
    if settings.empty:
        return note(go.Figure(layout={"height": 480}), f"no chosen run has both {cost} and {metric}")
    panels = list(settings["data"].unique())[:MOST_PANELS]
    figure = panel_grid(panels)
    styles, kind = styles_of(settings, colour), scatter_of(len(settings))
    group_of_setting = groups_of(settings, colour)
    fronts = front_of(runs, cost, metric)
    shown: set[str] = set()
    for number, data in enumerate(panels):
        for group, style in styles.items():
            of_it = settings[(settings["data"] == data) & (group_of_setting == group)]
            if of_it.empty:
                continue
            texts = hover_texts(of_it["label"], len(settings))
            values = f"{escape(cost)} %{{x:.3g}}, {escape(metric)} %{{y:.2f}} %"
            figure.add_trace(
                kind(
                    x=of_it[cost].to_numpy(), y=100 * of_it[metric].to_numpy(), mode="markers", name=wrapped(group),
                    legendgroup=group, showlegend=group not in shown,
                    marker={"color": style.colour, "symbol": style.symbol, "size": 9, "opacity": 0.6},
                    text=texts, customdata=of_it["setting"].to_numpy() if "setting" in of_it else None,
                    hovertemplate=("%{text}<br>" if texts else "") + values + f"<extra>{escape(group)}</extra>",
                ),
                **place_of(number),
            )  # fmt: skip
            shown.add(group)
        _add_front(figure, fronts[fronts["data"] == data], cost, metric, number)
    columns = min(len(panels), 3)
    figure.update_xaxes(title=wrapped(f"{cost_title(cost)}, logarithmic", 90 // columns))
    for number, data in enumerate(panels):
        ticks = log_ticks(settings.loc[settings["data"] == data, cost], panels=columns)
        figure.update_xaxes(**ticks, **place_of(number))
    figure.update_yaxes(title=per_cent(metric), col=1)
    subtitle = "a mark is a setting, the mean over its seeds; numbered: no other setting is as cheap and as good"
    return figure.update_layout(title=title_of("What does quality cost?", subtitle))


def _add_front(figure: go.Figure, front: pd.DataFrame, cost: str, metric: str, number: int) -> None:
    figure.add_scatter(
        x=front[cost], y=100 * front[metric], mode="lines+markers+text", name="Pareto front",
        legendgroup="Pareto front",
        showlegend=number == 0, line=FRONT_LINE,
        marker={"symbol": "circle-open", "size": 15, "color": BLACK, "line": {"width": 2}},
        text=_numbers_apart(front, cost, metric), textposition="top left",
        textfont={"color": INK}, cliponaxis=False, customdata=front.get("setting"),
        hovertext=[wrapped(label, 60) for label in front["label"]],
        hovertemplate="<b>%{hovertext}</b><br>%{x:.3g}, %{y:.2f} %<extra>front</extra>",
        **place_of(number),
    )  # fmt: skip


def _numbers_apart(front: pd.DataFrame, cost: str, metric: str) -> list[str]:
    """The numbers of the front's points, but for those that would stand on one another."""
    x, y = np.log10(front[cost].to_numpy()), front[metric].to_numpy()
    x, y = (z / max(float(np.ptp(z)), 1e-12) if len(z) else z for z in (x, y))
    texts, last = [], (-np.inf, -np.inf)
    for place, number in enumerate(front["front"]):
        if max(abs(x[place] - last[0]), abs(y[place] - last[1])) < 0.09:
            texts.append("")
        else:
            last = (x[place], y[place])
            texts.append(str(number))
    return texts
