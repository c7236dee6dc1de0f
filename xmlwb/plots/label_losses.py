"""Losses of one label against its score, and what models make of labels that were knocked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREY, ORANGE, model_styles

Floats = NDArray[np.float64]
LossOf = Callable[[Floats], Floats]


def loss_figure(losses: Mapping[str, tuple[LossOf, LossOf]], recorded: float, best: Mapping[str, float]) -> go.Figure:
    """Each loss where the label is recorded and where it is not, their mean, and where the mean is least.

    Parameters
    ----------
    losses : mapping of name to (loss where recorded, loss where absent)
        Functions of an array of scores.
    recorded : float in [0, 1]
        How often the label is recorded; weighs the mean.
    best : mapping of name to float
        The score of least mean loss; not marked where it lies outside the axis.
    """
    lowest = {name: f"lowest at {at:.2f}" if np.isfinite(at) else "no lowest" for name, at in best.items()}
    titles = [f"<b>{name.replace('_', ' ')}</b><br>{lowest[name]}" for name in losses]
    figure = make_subplots(cols=len(losses), subplot_titles=titles, shared_yaxes=True, horizontal_spacing=0.04)
    s = np.linspace(-3, 3, 241)
    for column, (name, (present, absent)) in enumerate(losses.items(), start=1):
        mean = recorded * present(s) + (1 - recorded) * absent(s)
        for y, colour, dash, width, what in (
            (present(s), BLUE, "dash", 3, "label recorded (1)"),
            (absent(s), ORANGE, "dot", 3, "label not recorded (0)"),
            (mean, BLACK, "solid", 5, f"mean, recorded with probability {recorded:.2f}"),
        ):
            figure.add_scatter(
                x=s,
                y=y,
                mode="lines",
                line={"color": colour, "dash": dash, "width": width},
                name=what,
                legendgroup=what[:9],
                showlegend=column == 1,
                row=1,
                col=column,
            )
        if abs(best[name]) <= 3:
            at = np.array([best[name]])
            figure.add_scatter(
                x=at,
                y=recorded * present(at) + (1 - recorded) * absent(at),
                mode="markers",
                marker={"size": 16, "color": "white", "line": {"color": BLACK, "width": 4}},
                name="lowest mean",
                legendgroup="lowest",
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(title="score s", range=[-3, 3])
    figure.update_yaxes(range=[0, 4.2])
    figure.update_yaxes(title="loss", col=1)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(height=450, margin={"t": 70, "b": 110}, legend={"orientation": "h", "y": -0.32})


def knock_out_figure(study: pd.DataFrame, strength: float, k: int = 5) -> go.Figure:
    """Left: P@1 of each model against the share of 1s lost. Right: recall by frequency bin at one strength.

    Parameters
    ----------
    study : DataFrame
        From `xmlwb.lessons.label_losses.knock_out_study`.
    strength : float
        One of the study's.
    """
    styles = model_styles(dict.fromkeys(study["model"]))
    at = study[study["strength"] == strength]
    whole = study[study["strength"] == study["strength"].min()]
    lost, tail = float(at["lost"].iloc[0]), float(at["lost of the tail"].iloc[0])
    figure = make_subplots(
        cols=2,
        column_widths=[0.45, 0.55],
        horizontal_spacing=0.12,
        subplot_titles=[
            "P@1 on whole labels",
            f"recall@{k}: {lost:.0%} of all 1s gone, {tail:.0%} of the tail's<br>(outline: with all labels)",
        ],
    )
    bins = ["head", "torso", "tail"]
    for name, style in styles.items():
        rows = study[study["model"] == name].sort_values("strength")
        figure.add_scatter(
            x=100 * rows["lost"],
            y=rows["P@1"],
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 12},
            name=name,
            legendgroup=name,
            cliponaxis=False,
            row=1,
            col=1,
        )
        before, now = (
            [100 * float(table.loc[table["model"] == name, bin_].iloc[0]) for bin_ in bins] for table in (whole, at)
        )
        outline = {"color": "rgba(0,0,0,0)", "line": {"color": style.colour, "width": 2}}
        # an invisible bar as high as the higher of the two carries the number, so that it stands above both
        for values, marker, text in (
            (now, {"color": style.colour}, None),
            (before, outline, None),
            (np.maximum(now, before), {"color": "rgba(0,0,0,0)"}, [f"{value:.0f}" for value in now]),
        ):
            figure.add_bar(
                x=bins,
                y=values,
                offsetgroup=name,
                marker=marker,
                text=text,
                textposition="outside",
                textangle=0,
                cliponaxis=False,
                name=name,
                legendgroup=name,
                showlegend=False,
                hoverinfo="skip" if text else None,
                row=1,
                col=2,
            )
    figure.add_vline(x=100 * lost, line={"color": GREY, "width": 2, "dash": "dot"}, row=1, col=1)
    figure.update_xaxes(title="training 1s knocked out, %", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="P@1", row=1, col=1)
    figure.update_xaxes(title="labels", row=1, col=2)
    figure.update_yaxes(title=f"recall@{k}, %", range=[0, 108], row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(height=440, margin={"t": 70}, barmode="group", legend={"orientation": "h", "y": -0.22})
