"""What the figures of a table of runs share: panels for data sets, colours for groups, names that are not cut off."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import FONT_SIZE, GREY, Style, model_styles
from xmlwb.run_table import NOT_A_PARAMETER, PARAM, are_numbers, as_number, as_text, levels, spread_by_decades

PANELS_A_ROW = 3
MOST_PANELS = 6
#: More points than this are drawn by WebGL, and told apart by a click instead of a text each.
MANY_POINTS = 1500
_LEGEND_WIDTH, _HOVER_WIDTH = 26, 60


def wrapped(text: str, width: int = _LEGEND_WIDTH) -> str:
    """A name over as many lines as it needs, safe to stand in a figure."""
    lines = textwrap.wrap(str(text), width, break_long_words=True, break_on_hyphens=False)
    return "<br>".join(escape(line) for line in lines) or "-"


def panel_grid(titles: Sequence[str], *, height: int = 480, spacing: float = 0.09) -> go.Figure:
    """Panels side by side, three a row, each with its title; legend at the right of them all."""
    columns = min(len(titles), PANELS_A_ROW)
    rows = -(-len(titles) // columns)
    figure = make_subplots(
        rows, columns, subplot_titles=[f"<b>{wrapped(title)}</b>" for title in titles],
        horizontal_spacing=spacing, vertical_spacing=0.28 / rows,
    )  # fmt: skip
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        height=height if rows == 1 else 120 + 360 * rows,
        legend={"x": 1.02, "y": 1, "xanchor": "left", "tracegroupgap": 4},
        showlegend=True,
        margin={"t": 120, "r": 20},
    )


def place_of(number: int) -> dict[str, int]:
    """Row and column of a panel, as plotly wants them."""
    return {"row": number // PANELS_A_ROW + 1, "col": number % PANELS_A_ROW + 1}


def title_of(text: str, subtitle: str = "") -> dict[str, Any]:
    """A title with a line below it."""
    return {
        "text": escape(text), "subtitle": {"text": subtitle}, "yref": "container", "y": 1, "yanchor": "top",
        "pad": {"t": 16},
    }  # fmt: skip


def note(figure: go.Figure, text: str) -> go.Figure:
    """Say in an empty figure why it is empty."""
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return figure.add_annotation(
        text=wrapped(text, _HOVER_WIDTH), x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font_size=18
    )


def groups_of(runs: pd.DataFrame, colour: str) -> pd.Series:
    """What each row is coloured by, as text: its method, its data set, or the value of a parameter."""
    column = colour if colour in ("method", "data", "study") else PARAM + colour
    if column not in runs:
        raise ValueError(f"colour: found {colour!r}, wanted method, data, study or a parameter of the runs")
    return runs[column].map(as_text)


def styles_of(runs: pd.DataFrame, colour: str) -> dict[str, Style]:
    """A colour, symbol and dash for each group; methods keep those that they have in every figure."""
    column = colour if colour in ("method", "data", "study") else PARAM + colour
    return model_styles(dict.fromkeys(levels(runs[column]).values()))


def scatter_of(n_points: int) -> type[go.Scatter] | type[go.Scattergl]:
    """SVG for few points, WebGL for many."""
    return go.Scattergl if n_points > MANY_POINTS else go.Scatter


def hover_texts(labels: Iterable[str], n_points: int) -> list[str] | None:
    """The text of each point, or None where there are too many points to send one for each."""
    return [wrapped(label, _HOVER_WIDTH) for label in labels] if n_points <= MANY_POINTS else None


class LevelAxis:
    """Where the values of a parameter stand on an axis: numbers by size or decades, words side by side.

    Attributes
    ----------
    numeric, decades : bool
        Whether the values are numbers, and whether the axis is logarithmic.
    position : dict of text to float
    step : float
        The smallest distance of two values.
    """

    def __init__(self, values: pd.Series) -> None:
        found = levels(values)
        there = [value for value in found if value is not None]
        self.numeric = are_numbers(there)
        numbers = [as_number(value) or 0.0 for value in there] if self.numeric else []
        self.decades = spread_by_decades(numbers)
        if self.numeric:
            places = [float(np.log10(n)) if self.decades else n for n in numbers]
        else:
            places = [float(i) for i in range(len(there))]
        gaps = np.diff(sorted(set(places)))
        span = max(places) - min(places) if places else 0.0
        self.span = span if span > 0 else 1.0
        self.step = max(float(gaps.min()), self.span / 25) if len(gaps) else 1.0
        self.position = dict(zip((found[value] for value in there), places, strict=True))
        if None in found:  # what a study left at its default
            self.position[NOT_A_PARAMETER] = (min(places) if places else 0.0) - max(self.step, self.span / 6)

    def settle(self, figure: go.Figure, title: str, *, panels: int) -> None:
        """Write the axis of every panel: ticks at the values, at most about a dozen of them."""
        shown = sorted(self.position.items(), key=lambda item: item[1])
        room = max(3, 12 // panels)
        if self.numeric and len(shown) > room:
            apart, kept = (shown[-1][1] - shown[0][1]) / room, [shown[0]]
            for text, place in shown[1:]:
                if place - kept[-1][1] >= apart:
                    kept.append((text, place))
            shown = kept
        texts = ["default" if text == NOT_A_PARAMETER else wrapped(text, 14) for text, _ in shown]
        low, high = min(self.position.values()), max(self.position.values())
        margin = 0.6 * self.step if not self.numeric else 0.07 * max(self.span, high - low)
        kind = ", logarithmic" if self.decades else ""
        figure.update_xaxes(
            tickvals=[place for _, place in shown], ticktext=texts, range=[low - margin, high + margin],
            title=wrapped(f"{title}{kind}", 40), tickangle=0, zeroline=False,
        )  # fmt: skip

    def shift(self, group: int, groups: int) -> float:
        """How far a group's marks stand beside the value, so that intervals do not cover each other."""
        width = 0.5 * self.step if not self.numeric else min(0.3 * self.step, 0.02 * self.span)
        return 0.0 if groups < 2 else width * (group / (groups - 1) - 0.5)


def per_cent(metric: str) -> str:
    """An axis title for a metric that is stored as a fraction."""
    return f"{escape(metric)}, per cent"


#: What the costs are called on an axis.
_COST_TITLES = {
    "train s": "training time, seconds",
    "ms per instance": "prediction time, ms an instance",
    "model MB": "size of the model, MB",
    "peak RSS MB": "peak memory, MB",
}


def cost_title(cost: str) -> str:
    """An axis title for a cost, with its unit."""
    return _COST_TITLES.get(cost, escape(cost))


def log_ticks(values: pd.Series, *, panels: int) -> dict[str, Any]:
    """Ticks of a logarithmic axis at 1, 2 and 5 times each decade, or at the decades where those are too many."""
    low, high = np.log10([values.min(), values.max()])
    low, high = (low - 0.2, high + 0.2) if high - low < 0.5 else (low - 0.07 * (high - low), high + 0.07 * (high - low))
    decades = range(int(np.floor(low)), int(np.ceil(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = [tick for tick in ticks if low <= np.log10(tick) <= high]
        if len(ticks) <= max(3, 9 // panels):
            break
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks], "range": [low, high]}


def error_bars(mean: pd.Series, low: pd.Series, high: pd.Series, scale: float = 100.0) -> dict[str, Any]:
    """Plotly's error bars from bounds."""
    return {
        "array": scale * (high - mean).clip(lower=0), "arrayminus": scale * (mean - low).clip(lower=0),
        "thickness": 2, "width": 6,
    }  # fmt: skip


FAINT = {"opacity": 0.25, "size": 6}
FRONT_LINE = {"color": GREY, "width": 2, "dash": "dot", "shape": "hv"}
