"""The curve of a running fit from its events."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from xmlwb.models.callbacks import Event
from xmlwb.plots.theme import DASHES, SYMBOLS

#: Figures that only grow with the steps: a line of its own would tell nothing.
_COUNTS = ("labels", "measurements")


def learning_curve(events: Sequence[Event]) -> go.Figure:
    """Plot what a fit has reported so far, step by step.

    Figures between 0 and 1 (precisions) share the left axis; the others (a loss) the right one; counts of what was
    learned are left to the status line. A fit that reports nothing but its steps shows the seconds that they took.
    """
    names = [name for name in dict.fromkeys(n for event in events for n in event.figures) if name not in _COUNTS]
    series = {name: [(event.step, event.figures[name]) for event in events if name in event.figures] for name in names}
    figure = go.Figure()
    if not series:
        series = {"elapsed (s)": [(event.step, event.elapsed) for event in events]}
    fractions = [name for name, points in series.items() if all(0 <= value <= 1 for _, value in points)]
    for place, (name, points) in enumerate(series.items()):
        steps, values = zip(*points, strict=True)
        second = bool(fractions) and name not in fractions
        figure.add_scatter(
            x=steps,
            y=values,
            name=name,
            mode="lines+markers",
            line_dash=DASHES[place % len(DASHES)],
            marker_symbol=SYMBOLS[place % len(SYMBOLS)],
            yaxis="y2" if second else "y",
        )
    last = events[-1]
    others = [name for name in series if name not in fractions]
    figure.update_layout(
        height=420,
        showlegend=True,
        legend={"orientation": "h", "x": 0, "y": -0.28, "yanchor": "top"},  # beside, it would cover the right axis
        xaxis={"title": f"step ({last.stage})", "range": [0, last.total]},
        yaxis={"title": "fraction", "rangemode": "tozero"} if fractions else {"title": next(iter(series))},
        yaxis2={"overlaying": "y", "side": "right", "title": ", ".join(others), "showgrid": False, "tickmode": "auto"},
    )
    return figure
