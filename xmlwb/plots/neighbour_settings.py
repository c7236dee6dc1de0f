"""How many neighbours vote and in how many clusters they are looked for, against precision and time."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREY, ORANGE, VERMILION

_LOOKS = {"P@1": (BLUE, "circle", "solid"), "P@5": (ORANGE, "diamond", "dash")}


def neighbour_settings_figure(votes: pd.DataFrame, searches: pd.DataFrame, k: int, clusters: int) -> go.Figure:
    """Left: P@1 and P@5 against k. Right: what a search finds and what it costs, by the number of clusters.

    Parameters
    ----------
    votes : DataFrame
        "clusters", "k", "P@1", "P@5" (fractions) and their 95 % half-widths "P@1 ±", "P@5 ±".
    searches : DataFrame
        One row for each way to search: "clusters" (1 is exact; "hnsw" is the graph over all), "ms" (milliseconds a
        document) and "recall" (part of the nearest that are found).
    k, clusters : int
        Where the sliders stand.
    """
    here = votes[votes["clusters"] == clusters].sort_values("k")
    now = here[here["k"] == k].iloc[0]
    exact = votes[votes["clusters"] == votes["clusters"].min()].sort_values("k")
    search = searches[searches["clusters"] == clusters].iloc[0]
    figure = make_subplots(
        cols=2, horizontal_spacing=0.12,
        subplot_titles=[
            f"<b>k = {k}</b>: P@1 {100 * now['P@1']:.1f} %, P@5 {100 * now['P@5']:.1f} %",
            f"<b>{_clusters(clusters)}</b>: {search['ms']:.3g} ms, finds {search['recall']:.0%} of the nearest",
        ],
    )  # fmt: skip
    for metric, (colour, symbol, dash) in _LOOKS.items():
        figure.add_scatter(
            x=here["k"],
            y=100 * here[metric],
            error_y={"array": 100 * here[f"{metric} ±"], "thickness": 1.5, "width": 4},
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"symbol": symbol, "size": 9},
            name=f"{metric}, {_clusters(clusters)}",
            legendgroup=metric,
            hovertemplate=f"k = %{{x}}: {metric} %{{y:.1f}} %<extra></extra>",
            row=1,
            col=1,
        )
        if clusters != exact["clusters"].iloc[0]:
            figure.add_scatter(
                x=exact["k"], y=100 * exact[metric], mode="lines", line={"color": GREY, "dash": dash, "width": 2},
                name=f"{metric}, no clusters", hoverinfo="skip", row=1, col=1,
            )  # fmt: skip
        _ring(figure, k, 100 * now[metric], 1, first=metric == "P@1")
    _add_searches(figure, searches)
    _ring(figure, search["ms"], 100 * search["recall"], 2)
    figure.update_xaxes(title="k, neighbours that vote", type="log", tickvals=sorted(set(votes["k"])), row=1, col=1)
    figure.update_yaxes(title="per cent, validation documents", row=1, col=1)
    low, high = (100 * votes[list(_LOOKS)].to_numpy()).min(), (100 * votes[list(_LOOKS)].to_numpy()).max()
    room = 0.08 * (high - low)
    figure.update_yaxes(range=[low - room, high + room], row=1, col=1)
    figure.update_xaxes(title="milliseconds a document, one thread", rangemode="tozero", row=1, col=2)
    figure.update_yaxes(title="of the k nearest found, per cent", range=[0, 106], row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        height=470,
        margin={"t": 50, "b": 120},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )


def _add_searches(figure: go.Figure, searches: pd.DataFrame) -> None:
    by_clusters = searches[searches["clusters"] != "hnsw"]
    figure.add_scatter(
        x=by_clusters["ms"],
        y=100 * by_clusters["recall"],
        mode="lines+markers+text",
        line={"color": BLUE},
        marker={"symbol": "circle", "size": 9},
        text=[f"{number}" for number in by_clusters["clusters"]],
        textposition="bottom right",
        cliponaxis=False,
        name="in the closest of so many clusters",
        hovertemplate="%{text} clusters: %{x:.3g} ms, %{y:.0f} %<extra></extra>",
        row=1,
        col=2,
    )
    graph = searches[searches["clusters"] == "hnsw"]
    if len(graph):
        figure.add_scatter(
            x=graph["ms"], y=100 * graph["recall"], mode="markers",
            marker={"color": VERMILION, "symbol": "star", "size": 17}, name="HNSW, over all",
            hovertemplate="HNSW: %{x:.3g} ms, %{y:.1f} %<extra></extra>", row=1, col=2,
        )  # fmt: skip


def _ring(figure: go.Figure, x: float, y: float, column: int, *, first: bool = False) -> None:
    figure.add_scatter(
        x=[x], y=[y], mode="markers", hoverinfo="skip", legendgroup="now", showlegend=first,
        marker={"symbol": "circle-open", "size": 20, "color": BLACK, "line": {"width": 3}},
        name="the sliders as they stand", cliponaxis=False, row=1, col=column,
    )  # fmt: skip


def _clusters(number: int) -> str:
    return "no clusters" if number == 1 else f"{number} clusters"
