"""Losses of one label against its score, and what models make of labels that were knocked out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from xmlwb.plots.label_space import add_constant_recall
from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREY, ORANGE, Style

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


#: A loss is not a method: colours that the methods of the chapter do not have, and always the same for one loss.
_LOSS_STYLES = {
    "squared": Style("#8C510A", "triangle-up", "solid"),
    "logistic": Style("#35978F", "square", "dash"),
    "squared hinge": Style("#7570B3", "diamond", "dot"),
}


def knock_out_figure(
    study: pd.DataFrame, strength: float, k: int = 5, constant: Mapping[str, float] | None = None
) -> go.Figure:
    """Left: P@1 of each loss against the share of 1s lost. Right: recall by frequency bin at one strength.

    Means over the throws; the whiskers reach from the lowest to the highest throw.

    Parameters
    ----------
    study : DataFrame
        From `xmlwb.lessons.label_losses.knock_out_study`; its models are named as losses: "squared", "logistic",
        "squared hinge".
    strength : float
        One of the study's.
    constant : mapping of bin to float, optional
        Recall of one and the same ranking for every document, drawn as a line across each bin's bars.
    """
    bins = ["head", "torso", "tail"]
    means, lows, highs = (study.groupby(["model", "strength"]).agg(how, numeric_only=True) for how in _SPREAD)
    lost = study[study["strength"] == strength][["lost", "lost of the tail"]].mean()
    figure = make_subplots(
        cols=2,
        column_widths=[0.45, 0.55],
        horizontal_spacing=0.12,
        subplot_titles=[
            "P@1 on whole labels",
            f"recall@{k}: {lost['lost']:.0%} of all 1s gone, {lost['lost of the tail']:.0%} of the tail's"
            "<br>(outline: with all labels)",
        ],
    )
    for name in dict.fromkeys(study["model"]):
        style = _LOSS_STYLES[name]
        mean, low, high = means.loc[name], lows.loc[name], highs.loc[name]
        figure.add_scatter(
            x=100 * mean["lost"],
            y=mean["P@1"],
            error_y=_whiskers(mean["P@1"], low["P@1"], high["P@1"]),
            mode="lines+markers",
            line={"color": style.colour, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 12},
            name=name,
            legendgroup=name,
            cliponaxis=False,
            row=1,
            col=1,
        )
        now, least, most = (100 * table.loc[strength, bins].to_numpy(dtype=float) for table in (mean, low, high))
        before = 100 * mean.loc[mean.index.min(), bins].to_numpy(dtype=float)
        outline = {"color": "rgba(0,0,0,0)", "line": {"color": style.colour, "width": 2}}
        # an invisible bar as high as the highest of all carries the number, so that it stands above them
        for values, marker, text, whiskers in (
            (now, {"color": style.colour}, None, _whiskers(now, least, most)),
            (before, outline, None, None),
            (np.maximum(most, before), {"color": "rgba(0,0,0,0)"}, [f"{value:.0f}" for value in now], None),
        ):
            figure.add_bar(
                x=bins,
                y=values,
                error_y=whiskers,
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
    if constant is not None:
        add_constant_recall(figure, constant, col=2)
    figure.add_vline(x=100 * lost["lost"], line={"color": GREY, "width": 2, "dash": "dot"}, row=1, col=1)
    figure.update_xaxes(title="training 1s knocked out, %", rangemode="tozero", row=1, col=1)
    figure.update_yaxes(title="P@1", row=1, col=1)
    figure.update_xaxes(title="frequency bin", row=1, col=2)
    figure.update_yaxes(title=f"recall@{k}, %", range=[0, 108], row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        height=470, margin={"t": 70, "b": 110}, barmode="group", legend={"orientation": "h", "y": -0.28}
    )


_SPREAD = ("mean", "min", "max")


def _whiskers(mean: ArrayLike, low: ArrayLike, high: ArrayLike) -> dict[str, object]:
    centre = np.asarray(mean, dtype=float)
    return {
        "array": np.asarray(high, dtype=float) - centre,
        "arrayminus": centre - np.asarray(low, dtype=float),
        "thickness": 2,
        "width": 5,
        "color": BLACK,
    }
