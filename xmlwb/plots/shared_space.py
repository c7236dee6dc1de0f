"""Documents and labels in one space, epoch by epoch, with the loss and the precision beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, GREY, PALETTE, SYMBOLS


def shared_space_figure(
    documents: Mapping[str, tuple[np.ndarray, np.ndarray]],
    groups: Sequence[str],
    labels: tuple[np.ndarray, Sequence[str], Sequence[int]],
    curves: Mapping[str, tuple[Sequence[int], Sequence[float]]],
    *,
    epoch: int,
    total: int,
    window: tuple[np.ndarray, np.ndarray],
    remark: str = "",
) -> go.Figure:
    """Left: documents, coloured by group, and labels as stars. Right: curves by epoch, each on an axis of its own.

    Parameters
    ----------
    documents : mapping of part to (places (r, 2), group (r,) int)
        "training" is drawn filled, other parts as rings; every part must name the same groups.
    groups : sequence of str
        Names of the groups.
    labels : (places (m, 2), names of length m, group of length m)
        A group of -1: none of them, drawn small and grey, without a name.
    curves : mapping of name to (epochs, values)
        Two of them at most.
    epoch, total : int
        The epoch shown, and those planned; 0 before the first.
    window : (low (2,), high (2,))
        Corners of the map, the same for every epoch.
    remark : str
        Stands below the title.
    """
    figure = make_subplots(
        cols=2, column_widths=[0.64, 0.36], horizontal_spacing=0.08, specs=[[{}, {"secondary_y": True}]],
    )  # fmt: skip
    _add_documents(figure, documents, groups)
    _add_labels(figure, *labels)
    _add_curves(figure, curves, epoch, total)
    low, high = window
    figure.update_xaxes(
        range=[low[0], high[0]], title="first direction of the label embeddings", title_standoff=8, row=1, col=1
    )
    figure.update_yaxes(range=[low[1], high[1]], title="second direction", title_standoff=8, row=1, col=1)
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(showticklabels=False, showgrid=False, ticks="", row=1, col=1)
    where = f"epoch {epoch} of {total}" if epoch else "before the first epoch"
    return figure.update_layout(
        title={"text": f"<b>{where}</b>", "subtitle": {"text": remark}},
        height=560,
        margin={"t": 90, "b": 130},
        legend={"orientation": "h", "y": -0.16, "yanchor": "top"},
    )


def _add_documents(
    figure: go.Figure, documents: Mapping[str, tuple[np.ndarray, np.ndarray]], groups: Sequence[str]
) -> None:
    for part, (places, group) in documents.items():
        for number, name in enumerate(groups):
            inside = group == number
            colour, symbol = PALETTE[number % len(PALETTE)], SYMBOLS[number % len(SYMBOLS)]
            filled = part == "training"
            figure.add_scatter(
                x=places[inside, 0],
                y=places[inside, 1],
                mode="markers",
                marker={
                    "color": colour,
                    "symbol": symbol if filled else f"{symbol}-open",
                    "size": 7 if filled else 9,
                    "opacity": 0.55 if filled else 0.9,
                },
                name=escape(name),
                legendgroup=name,
                showlegend=filled,
                hovertemplate=f"a {part} document of {escape(name)}<extra></extra>",
                row=1,
                col=1,
            )
        if part != "training":
            figure.add_scatter(
                x=[None], y=[None], mode="markers", marker={"symbol": "circle-open", "size": 9, "color": BLACK},
                name=f"open: {part} documents", row=1, col=1,
            )  # fmt: skip


def _add_labels(figure: go.Figure, places: np.ndarray, names: Sequence[str], group: Sequence[int]) -> None:
    of = np.asarray(group)
    others, named = np.flatnonzero(of < 0), np.flatnonzero(of >= 0)
    figure.add_scatter(
        x=places[others, 0], y=places[others, 1], mode="markers",
        marker={"symbol": "star", "size": 7, "color": "#999999"},
        text=[escape(names[int(label)]) for label in others], hovertemplate="label %{text}<extra></extra>",
        name="other labels", row=1, col=1,
    )  # fmt: skip
    figure.add_scatter(
        x=places[named, 0],
        y=places[named, 1],
        mode="markers",
        marker={
            "symbol": "star",
            "size": 20,
            "color": [PALETTE[of[label] % len(PALETTE)] for label in named],
            "line": {"color": BLACK, "width": 2},
        },
        text=[escape(names[int(label)]) for label in named],
        hovertemplate="label %{text}<extra></extra>",
        showlegend=False,
        row=1,
        col=1,
    )
    for label in named:
        figure.add_annotation(
            x=places[label, 0], y=places[label, 1], text=f"<b>{escape(names[int(label)])}</b>", showarrow=False,
            yshift=20, font={"size": FONT_SIZE - 2}, bgcolor="rgba(255,255,255,0.75)", row=1, col=1,
        )  # fmt: skip


def _add_curves(
    figure: go.Figure, curves: Mapping[str, tuple[Sequence[int], Sequence[float]]], epoch: int, total: int
) -> None:
    for number, (name, (epochs, values)) in enumerate(curves.items()):
        figure.add_scatter(
            x=list(epochs),
            y=list(values),
            mode="lines",
            line={"color": (BLACK, GREY)[number % 2], "dash": ("solid", "dash")[number % 2]},
            name=name,
            row=1,
            col=2,
            secondary_y=number == 1,
        )
        figure.update_yaxes(title=name, rangemode="tozero", row=1, col=2, secondary_y=number == 1)
    figure.update_yaxes(showgrid=False, tickmode="auto", row=1, col=2, secondary_y=True)
    figure.update_xaxes(title="epoch", range=[0, max(total, 1)], row=1, col=2)
    if epoch:
        figure.add_shape(
            type="line", x0=epoch, x1=epoch, y0=0, y1=1, xref="x2", yref="y2 domain",
            line={"color": BLACK, "width": 1, "dash": "dot"},
        )  # fmt: skip
