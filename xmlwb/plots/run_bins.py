"""A metric by frequency bin: which settings are good at the head, which at the tail."""

from __future__ import annotations

from html import escape

import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import (
    MOST_PANELS,
    error_bars,
    note,
    panel_grid,
    per_cent,
    place_of,
    title_of,
    wrapped,
)
from xmlwb.plots.theme import model_styles
from xmlwb.run_table import best_settings, bins_of, settings_of

_MOST_LINES = 20
_MEANING = {
    "P": "<br>a bin's value is what its right labels add to the whole",
    "R": "<br>a bin's value is the share of its true labels that is found",
}


def bins_figure(runs: pd.DataFrame, metric: str, *, ranked_by: str | None = None) -> go.Figure:
    """A metric by frequency bin, the best setting of each method, a panel a data set.

    Parameters
    ----------
    runs : DataFrame
        A table of runs with columns such as "P@5 head", see `xmlwb.run_table`.
    metric : str
        "P@5", of which there are columns by bin.
    ranked_by : str, optional
        What decides which setting of a method is best, a bin's column such as "P@5 tail"; the metric over all labels
        otherwise.
    """
    bins = bins_of(runs, metric)
    ranked_by = ranked_by or metric
    if not bins:
        return note(go.Figure(layout={"height": 480}), f"these runs have {metric} by no frequency bin")
    columns = [f"{metric} {name}" for name in bins]
    best = best_settings(settings_of(runs, list(dict.fromkeys([*columns, metric, ranked_by]))), ranked_by)
    panels = [data for data in runs["data"].unique() if (best["data"] == data).any()][:MOST_PANELS]
    if not panels:
        return note(go.Figure(layout={"height": 480}), f"no chosen run has {ranked_by}")
    figure = panel_grid(panels)
    styles = dict(list(model_styles(dict.fromkeys(best["method"])).items())[:_MOST_LINES])
    shown: set[str] = set()
    for number, data in enumerate(panels):
        for method, style in styles.items():
            rows = best[(best["data"] == data) & (best["method"] == method)]
            if rows.empty:
                continue
            row = rows.iloc[0]
            mean, low, high = (
                pd.Series([row[f"{c}{side}"] for c in columns], dtype=float) for side in ("", " low", " high")
            )
            figure.add_scatter(
                x=list(range(len(bins))), y=100 * mean, error_y=error_bars(mean, low, high), name=wrapped(method),
                legendgroup=method, showlegend=method not in shown, mode="markers", cliponaxis=False,
                marker={"color": style.colour, "symbol": style.symbol, "size": 11},
                text=[wrapped(row["label"], 60)] * len(bins),
                customdata=[row["setting"]] * len(bins) if "setting" in row else None,
                hovertemplate=f"<b>{escape(method)}</b>: %{{y:.2f}} %<br>%{{text}}<extra></extra>",
                **place_of(number),
            )  # fmt: skip
            shown.add(method)
    figure.update_xaxes(
        tickvals=list(range(len(bins))), ticktext=[f"<b>{escape(name)}</b>" for name in bins],
        range=[-0.5, len(bins) - 0.5], title="labels, from frequent to rare",
    )  # fmt: skip
    figure.update_yaxes(title=per_cent(metric), col=1)
    best_by = "over all labels" if ranked_by == metric else f"by {escape(ranked_by)}"
    meant = _MEANING.get(metric.partition("@")[0], "")
    subtitle = f"the best setting of each method {best_by}; bars: lowest to highest seed{meant}"
    figure.update_layout(scattermode="group", scattergap=0.4)
    return figure.update_layout(title=title_of(f"{metric} by frequency of the labels", subtitle))
