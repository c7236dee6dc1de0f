"""Runs of LightDXML beside each other: what they find, what their shortlists hold, how hard the negatives are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, DASHES, FONT_SIZE, GREEN, ORANGE, PURPLE, SKY, SYMBOLS, VERMILION

_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
#: Columns of the events, and the panels' titles.
PANELS = {
    "valid P@1": "P@1, validation rows",
    "shortlist recall": "true labels in the shortlist",
    "negative hardness": "hardness of the negatives",
}


@dataclass(frozen=True)
class CycleRun:
    """One run.

    Attributes
    ----------
    name : str
    events : DataFrame
        A row for each step: "elapsed" seconds and the columns of `PANELS`, fractions, as far as they are known.
    """

    name: str
    events: pd.DataFrame


def cycle_runs_figure(runs: Sequence[CycleRun], *, total: int, height: int = 470, most: int = 6) -> go.Figure:
    """A panel for each quantity by step; the last run is the present one, drawn thicker.

    Parameters
    ----------
    runs : sequence of CycleRun
        Of the earlier ones the latest are drawn.
    total : int
        Steps planned for the present run.
    height : int
        Pixels.
    most : int
        Runs drawn.
    """
    figure = make_subplots(cols=len(PANELS), subplot_titles=list(PANELS.values()), horizontal_spacing=0.07)
    begun = [run for run in runs if len(run.events)]
    shown = begun[-most:]
    if not shown:
        return figure.update_layout(height=height)
    first = len(begun) - len(shown)
    for place, run in enumerate(shown, start=first):
        look = place % len(_COLOURS)
        for column, name in enumerate(PANELS, start=1):
            known = run.events[name].notna() if name in run.events else pd.Series(False, index=run.events.index)
            figure.add_scatter(
                x=np.arange(1, len(run.events) + 1)[known.to_numpy()],
                y=100 * run.events[name][known] if known.any() else [],
                mode="lines+markers", name=escape(run.name), legendgroup=str(place), showlegend=column == 1,
                line={"color": _COLOURS[look], "dash": DASHES[look], "width": 4 if run is shown[-1] else 2},
                marker={"symbol": SYMBOLS[look], "size": 8 if run is shown[-1] else 6}, row=1, col=column,
                hovertemplate=f"{escape(run.name)}, step %{{x}}: %{{y:.1f}} %<extra></extra>",
            )  # fmt: skip
    last = max(total, *(len(run.events) for run in shown))
    figure.update_xaxes(title="step of the run", range=[0, last + 1])
    figure.update_yaxes(title="per cent", col=1)
    figure.update_annotations(font={"size": FONT_SIZE})
    now = shown[-1]
    found = now.events["valid P@1"].dropna() if "valid P@1" in now.events else pd.Series(dtype=float)
    said = f"<b>{100 * found.iloc[-1]:.1f} % P@1</b>" if len(found) else "no classifier yet"
    return figure.update_layout(
        title={
            "text": f"{escape(now.name)}: {said}",
            "subtitle": {"text": f"step {len(now.events)} of {total}, {now.events['elapsed'].iloc[-1]:.1f} s"},
        },
        height=height,
        margin={"t": 110, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
