"""All settings at once: a line each, an axis for each parameter and figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.run_panels import LevelAxis, log_ticks, note, title_of
from xmlwb.plots.theme import FONT_SIZE
from xmlwb.run_table import NOT_A_PARAMETER, PARAM, as_text, levels, settings_of, spread_by_decades

_FEW = 12


def parallel_figure(
    runs: pd.DataFrame, parameters: Sequence[str], metric: str, *, cost: str | None = None
) -> go.Figure:
    """Parallel coordinates of settings: method, parameters, a cost and a metric, coloured by the metric.

    Parameters
    ----------
    runs : DataFrame
        A table of runs, see `xmlwb.run_table`.
    parameters : sequence of str
        Axes, in this order. Values of few kinds stand at even distances, in order; many numbers by their size, by
        decades where they span a factor of 20 or more. A setting without the parameter runs through "-".
    metric : str
        The last axis, and the colour.
    cost : str, optional
        The axis before it.

    Notes
    -----
    Lines are drawn by WebGL. Dragging along an axis keeps the lines that pass through the marked part.
    """
    figures = [metric] if cost is None else [cost, metric]
    settings = settings_of(runs, figures)
    settings = settings[settings[figures].notna().all(axis=1)].sort_values(metric)  # the best ones on top
    if settings.empty:
        return note(go.Figure(layout={"height": 480}), f"no chosen run has {' and '.join(figures)}")
    axes: list[dict[str, Any]] = []
    for name, column in (("method", "method"), ("data", "data"), *((p, PARAM + p) for p in parameters)):
        if name == "data" and settings["data"].nunique() == 1:
            continue
        axes.append({"label": name, **_axis_of(settings[column])})
    if cost is not None:
        axes.append({"label": cost, **_axis_of_numbers(settings[cost], 1.0)})
    axes.append({"label": f"{metric}, per cent", **_axis_of_numbers(settings[metric], 100.0)})
    low, high = (100 * float(np.quantile(settings[metric], q)) for q in (0.05, 1.0))
    figure = go.Figure(
        go.Parcoords(
            dimensions=axes,
            line={
                "color": (100 * settings[metric]).to_numpy(), "colorscale": "Cividis", "reversescale": True,
                "cmin": low, "cmax": max(high, low + 1e-9), "showscale": True,
                "colorbar": {"title": {"text": metric}, "ticksuffix": " %", "thickness": 16, "x": 1.03},
            },
            unselected={"line": {"color": "#999999", "opacity": 0.06}},
            labelfont={"size": FONT_SIZE}, tickfont={"size": FONT_SIZE - 2}, rangefont={"size": 1, "color": "white"},
            labelangle=-20 if len(axes) > 6 else 0,
        )
    )  # fmt: skip
    longest = max((len(text) for text in axes[0].get("ticktext", [])), default=4)
    subtitle = "a line is a setting; drag along an axis to keep a part of it; drag an axis' name to move it"
    return figure.update_layout(
        title=title_of(f"{len(settings):,} settings at once", subtitle), height=520,
        margin={"l": 40 + 7 * min(longest, 24), "r": 60, "t": 170 if len(axes) > 6 else 140, "b": 40},
    )  # fmt: skip


def _axis_of(values: pd.Series) -> dict[str, Any]:
    axis, found = LevelAxis(values), levels(values)
    texts = values.map(as_text)
    if axis.numeric and len(found) > _FEW:
        ticks = sorted(axis.position.items(), key=lambda item: item[1])
        ticks = ticks[:: -(-len(ticks) // 8)]
        return {
            "values": texts.map(axis.position).to_numpy(dtype=float),
            "tickvals": [place for _, place in ticks], "ticktext": [text for text, _ in ticks],
        }  # fmt: skip
    order = [text for text in found.values() if text != NOT_A_PARAMETER]
    order = [NOT_A_PARAMETER, *order] if None in found else order
    place = {text: float(i) for i, text in enumerate(order)}
    # Lines through the same values would hide each other; a little to either side shows how many they are.
    beside = np.random.default_rng(0).uniform(-0.12, 0.12, len(texts))
    return {
        "values": texts.map(place).to_numpy(dtype=float) + beside, "tickvals": list(place.values()), "ticktext": order,
        "range": [-0.3, max(len(order) - 0.7, 0.3)],
    }  # fmt: skip


def _axis_of_numbers(values: pd.Series, scale: float) -> dict[str, Any]:
    numbers = (scale * values).to_numpy(dtype=float)
    if not spread_by_decades(numbers):
        return {"values": numbers}
    places = np.log10(numbers)
    ticks = log_ticks(pd.Series(numbers), panels=1)
    return {
        "values": places, "tickvals": np.log10(ticks["tickvals"]).tolist(), "ticktext": ticks["ticktext"],
        "range": ticks["range"],
    }  # fmt: skip
