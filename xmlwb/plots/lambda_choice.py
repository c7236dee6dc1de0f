"""The choice of lambda, and what it costs to choose by the rows that one reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from xmlwb.plots.theme import BLACK, BLUE, GREY, ORANGE


def lambda_figure(lambdas: Sequence[float], valid: np.ndarray, test: np.ndarray, chosen: float | None) -> go.Figure:
    """P@1 on validation and test rows by lambda: means as lines, seeds as strokes.

    Parameters
    ----------
    lambdas : sequence of float
    valid, test : ndarrays, shape (n_lambdas, n_seeds)
        Fractions.
    chosen : float or None
        Is ringed on the validation curve.
    """
    figure = go.Figure()
    order = np.argsort(lambdas)
    x = [f"{lambdas[place]:g}" for place in order]
    for name, values, colour, symbol, dash in (
        ("validation rows: they choose", valid, BLUE, "circle", "solid"),
        ("test rows: looked at once", test, ORANGE, "diamond", "dash"),
    ):
        of_it = 100 * values[order]
        figure.add_scatter(
            x=np.repeat(x, of_it.shape[1]), y=of_it.ravel(), mode="markers", showlegend=False,
            marker={"color": colour, "symbol": "line-ew-open", "size": 16, "line": {"width": 2, "color": colour}},
            hovertemplate="λ = %{x}, one seed: %{y:.1f} %<extra></extra>",
        )  # fmt: skip
        figure.add_scatter(
            x=x, y=of_it.mean(axis=1), mode="lines+markers", line={"color": colour, "dash": dash},
            marker={"symbol": symbol, "size": 11}, name=name,
            hovertemplate="λ = %{x}, mean: %{y:.2f} %<extra></extra>",
        )  # fmt: skip
    title = "P@1 by λ: means over seeds, each stroke a seed"
    if chosen is not None:
        place = int(np.flatnonzero(np.asarray(lambdas) == chosen)[0])
        figure.add_scatter(
            x=[f"{chosen:g}"], y=[100 * valid[place].mean()], mode="markers", hoverinfo="skip", name="chosen",
            marker={"symbol": "circle-open", "size": 24, "color": BLACK, "line": {"width": 3}},
        )  # fmt: skip
        title = f"<b>λ = {chosen:g}</b>: {100 * valid[place].mean():.1f} on validation rows chose it, "
        title += f"<b>{100 * test[place].mean():.1f}</b> on test rows is what it reaches"
    figure.update_xaxes(title="λ, weight of the regulariser", type="category")
    figure.update_yaxes(title="P@1, per cent")
    return figure.update_layout(
        title=title, height=440, margin={"t": 70, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )  # fmt: skip


def best_of_many_figure(best: np.ndarray, one: np.ndarray, truth: float, m: int, n: int) -> go.Figure:
    """Distributions of one setting's measured precision, and of the best of m.

    Parameters
    ----------
    best, one : ndarrays
        Measured fractions, repeated many times.
    truth : float
        What each setting really reaches.
    m, n : int
        Settings and test rows, for the title.
    """
    figure = go.Figure()
    low, high = 100 * min(one.min(), best.min()), 100 * max(one.max(), best.max())
    edges = np.linspace(low, high, min(50, max(8, int(n * (high - low) / 100))))
    for values, name, colour, dash in (
        (one, "one setting", GREY, "dash"),
        (best, f"the best of {m}", ORANGE, "solid"),
    ):
        share = 100 * np.histogram(100 * values, edges)[0] / len(values)
        figure.add_scatter(
            x=(edges[:-1] + edges[1:]) / 2, y=share, mode="lines", fill="tozeroy", name=name,
            line={"color": colour, "dash": dash, "shape": "hvh"}, hovertemplate="P@1 %{x:.1f} %: %{y:.0f} %",
        )  # fmt: skip
    figure.add_vline(
        x=100 * truth, line={"color": BLACK, "dash": "dot", "width": 3}, annotation_text="the truth, of all of them",
        annotation_position="top",
    )  # fmt: skip
    figure.update_xaxes(title="P@1 measured on the test rows, per cent", range=[100 * truth - 12, 100 * truth + 14])
    figure.update_yaxes(title="per cent of the repetitions")
    return figure.update_layout(
        title={
            "text": f"The best of {m} equally good settings seems <b>{100 * (best.mean() - truth):.1f} points</b> "
            "better than it is",
            "subtitle": {"text": f"{n:,} test rows; every setting is right on {truth:.0%} of them"},
        },
        height=440,
        margin={"t": 110, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )
