"""How often readers of many comparisons are wrong, and what caution costs them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from xmlwb.plots.run_panels import title_of
from xmlwb.plots.theme import BLACK, BLUE, VERMILION


def false_findings_figure(readers: Mapping[str, tuple[float, float]], m: int, level: float) -> go.Figure:
    """Two bars a reader: wrong at least once, and real differences found.

    Parameters
    ----------
    readers : mapping of name to (share of studies with a false finding, share of real differences found or NaN)
    m : int
        Comparisons in a study.
    level : float
        What each reader holds p-values against; drawn as a line.
    """
    names = list(readers)
    wrong, found = (100 * np.array([pair[side] for pair in readers.values()]) for side in (0, 1))
    figure = go.Figure()
    for name, values, colour, pattern in (
        ("studies with at least one false finding", wrong, VERMILION, ""),
        ("real differences that are found", found, BLUE, "/"),
    ):
        if np.isnan(values).all():
            continue
        figure.add_bar(
            x=names, y=values, name=name, marker={"color": colour, "pattern": {"shape": pattern}},
            text=[f"{value:.0f} %" for value in values], textposition="outside", cliponaxis=False,
            hovertemplate="%{x}: %{y:.1f} %<extra></extra>",
        )  # fmt: skip
    figure.add_hline(y=100 * level, line={"color": BLACK, "dash": "dot", "width": 2})
    figure.update_yaxes(title="per cent", range=[0, 108])
    said = f"{m} comparisons with one base, level {100 * level:g} %: who is wrong, and how often?"
    subtitle = f"dotted: {100 * level:g} %, what each single test promises"
    return figure.update_layout(
        title=title_of(said, subtitle), height=460, barmode="group", margin={"t": 100, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )  # fmt: skip
