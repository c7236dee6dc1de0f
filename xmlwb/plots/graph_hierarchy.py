"""The co-occurrence graph beside a given hierarchy: what is near in the one, is it near in the other?"""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, INK, SKY, VERMILION

#: From near to far, told apart by darkness and, beyond the last, by a pattern.
_HOPS = ((BLUE, "", "white"), (SKY, "", INK), ("#D9D9D9", "", INK), ("#FFFFFF", "/", INK))


def graph_hierarchy_figure(hops: pd.DataFrame, relatives: pd.DataFrame, *, height: int = 470) -> go.Figure:
    """Left: pairs by their relation in the hierarchy, and how far apart the graph has them. Right: the other way round.

    Parameters
    ----------
    hops : DataFrame
        From `xmlwb.lessons.graph_hierarchy.hops_by_relation`: index the relation, "pairs", then a column for each
        distance in the graph with its share of the pairs.
    relatives : DataFrame
        From `xmlwb.lessons.graph_hierarchy.relatives_by_tie`: index the tie, "pairs", "related" (share of the pairs
        that are siblings, or parent and child) and "by chance".
    height : int
        Pixels.
    """
    figure = make_subplots(
        cols=2, horizontal_spacing=0.22,
        subplot_titles=["<b>near in the hierarchy: how far apart in the graph?</b>",
                        "<b>edges of the graph: related in the hierarchy?</b>"],
    )  # fmt: skip
    rows = [f"{name}<br>{pairs:,} pairs" for name, pairs in zip(hops.index, hops["pairs"], strict=True)]
    for (colour, pattern, ink), column in zip(_HOPS, hops.columns[1:], strict=False):
        share = 100 * hops[column]
        figure.add_bar(
            y=rows, x=share, orientation="h", name=column, textposition="inside", insidetextanchor="middle",
            text=[f"{value:.0f}" if value >= 4 else "" for value in share], textangle=0, textfont={"color": ink},
            marker={"color": colour, "pattern": {"shape": pattern, "fgcolor": "#888888"},
                    "line": {"width": 1, "color": "#888888"}},
            hovertemplate="%{x:.1f} % of the pairs<extra>" + column + "</extra>", row=1, col=1,
        )  # fmt: skip
    rows = [f"{name}<br>{pairs:,} pairs" for name, pairs in zip(relatives.index, relatives["pairs"], strict=True)]
    share = 100 * relatives["related"]
    figure.add_bar(
        y=rows, x=share, orientation="h", marker={"color": VERMILION}, text=[f"{value:.1f}" for value in share],
        textposition="outside", cliponaxis=False, name="siblings, or parent and child", showlegend=False, row=1, col=2,
        hovertemplate="%{x:.1f} % of the pairs<extra></extra>",
    )  # fmt: skip
    chance = 100 * relatives["by chance"].iloc[0]
    figure.add_vline(x=chance, line={"color": INK, "dash": "dash", "width": 2}, layer="below", row=1, col=2)
    figure.add_annotation(
        x=chance, y=1, yref="y2 domain", yanchor="bottom", yshift=-2, xanchor="left", showarrow=False,
        text=f"all pairs: {chance:.1f} %", font={"size": FONT_SIZE - 2}, row=1, col=2,
    )  # fmt: skip
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(title="pairs of labels, %", range=[0, 100], row=1, col=1)
    most = max(1.25 * float(share.max()), 1.5 * chance)
    figure.update_xaxes(title="siblings, or parent and child, % of the pairs", range=[0, most], row=1, col=2)
    for note in figure.layout.annotations[:2]:
        note.update(font={"size": FONT_SIZE}, yshift=18)
    return figure.update_layout(
        barmode="stack",
        height=height,
        margin={"t": 75, "r": 30},
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "title": {"text": "in the graph: "},
                "traceorder": "normal", "font": {"size": FONT_SIZE - 1}},
    )  # fmt: skip
