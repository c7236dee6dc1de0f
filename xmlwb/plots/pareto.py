"""What methods find against what they cost: a panel for each cost, and the Pareto front in each."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, INK, model_styles

#: Columns of costs, and what stands at their axes.
COSTS = {"train s": "training, seconds", "model MB": "model, MB", "ms an instance": "prediction, ms an instance"}
#: Named wherever they lie.
ALWAYS_NAMED = ("LightDXML", "Astec")


def on_front(cost: NDArray[np.floating], quality: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether none of the others costs no more and is no worse, and is better in one of the two.

    Parameters
    ----------
    cost, quality : ndarrays, shape (n,)
        Less cost and more quality are better. NaN is never on the front.

    Examples
    --------
    >>> on_front(np.array([1.0, 2.0, 3.0]), np.array([5.0, 4.0, 6.0])).tolist()
    [True, False, True]
    """
    no_worse = (cost[None] <= cost[:, None]) & (quality[None] >= quality[:, None])
    better = (cost[None] < cost[:, None]) | (quality[None] > quality[:, None])
    return ~(no_worse & better).any(axis=1) & ~np.isnan(cost) & ~np.isnan(quality)


def cost_figure(
    table: pd.DataFrame, quality: str = "P@1", *, within: float | None = None, title: str = "", height: int = 620
) -> go.Figure:
    """Quality against each cost, on one scale of quality.

    Parameters
    ----------
    table : DataFrame
        Columns "method", `COSTS` and the quality in per cent; a row without figures is left out.
    quality : str
    within : float or None
        How far below the best the axis reaches; None: to the worst.
    title : str
        Of the data.
    height : int
        Pixels.

    Returns
    -------
    Figure
        Methods on a panel's front are filled and named, others are hollow; the line is what can be had up to a cost.
    """
    rows = table.dropna(subset=[quality, *COSTS]).sort_values(quality, ascending=False)
    styles = model_styles(rows["method"])
    figure = make_subplots(cols=len(COSTS), shared_yaxes=True, horizontal_spacing=0.03)
    everywhere = np.ones(len(rows), dtype=bool)
    for column, (cost, axis) in enumerate(COSTS.items(), start=1):
        front = on_front(rows[cost].to_numpy(), rows[quality].to_numpy())
        everywhere &= front
        stairs = rows[front].sort_values(cost)
        low, high = rows[cost].min() / 3, rows[cost].max() * 3
        figure.add_scatter(
            x=[*stairs[cost], high], y=[*stairs[quality], stairs[quality].iloc[-1]], mode="lines",
            line={"color": BLACK, "width": 2, "dash": "dot", "shape": "hv"}, hoverinfo="skip",
            name="Pareto front: no method beats it in both", showlegend=column == 1, row=1, col=column,
        )  # fmt: skip
        for place, (_, row) in enumerate(rows.iterrows()):
            style, name = styles[row["method"]], row["method"]
            symbol = style.symbol if front[place] else f"{style.symbol}-open"
            figure.add_scatter(
                x=[row[cost]], y=[row[quality]], mode="markers", name=escape(name), legendgroup=name,
                showlegend=column == 1, row=1, col=column,
                marker={"color": style.colour, "symbol": symbol, "size": 13, "line": {"width": 2.5}},
                hovertemplate=f"<b>{escape(name)}</b><br>{axis}: {row[cost]:.3g}<br>{quality} {row[quality]:.1f} %"
                "<extra></extra>",
            )  # fmt: skip
        _add_names(figure, rows, cost, quality, front, column, within)
        figure.update_xaxes(
            type="log",
            dtick=1,
            exponentformat="none",
            title=axis,
            range=np.log10([low, high]).tolist(),
            row=1,
            col=column,
        )
    best, worst = rows[quality].max(), rows[quality].min()
    floor = worst if within is None else max(worst, best - within)
    room = max(best - floor, 1e-9)
    figure.update_yaxes(range=[floor - 0.12 * room, best + 0.08 * room])
    figure.update_yaxes(title=f"{quality}, per cent", row=1, col=1)
    both = rows["method"][everywhere].tolist()
    return figure.update_layout(
        title={
            "text": f"{escape(title)}: <b>{len(rows)} methods</b>",
            "subtitle": {
                "text": f"on all three fronts: {', '.join(both) if both else 'nobody'}; hollow: beaten in both"
            },
        },
        height=height,
        margin={"t": 90, "b": 190},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )


def _add_names(
    figure: go.Figure,
    rows: pd.DataFrame,
    cost: str,
    quality: str,
    front: NDArray[np.bool_],
    column: int,
    within: float | None,
) -> None:
    """The names of the front, and of the chapter's two; where two would cover each other the lower is left out."""
    span = np.ptp(rows[quality].to_numpy()) if within is None else within
    taken: list[tuple[float, float]] = []
    for place in np.argsort(~rows["method"].isin(ALWAYS_NAMED).to_numpy(), kind="stable"):
        row = rows.iloc[place]
        at = float(np.log10(row[cost])), float(row[quality])
        if within is not None and row[quality] < rows[quality].max() - within:
            continue
        if not front[place] and row["method"] not in ALWAYS_NAMED:
            continue
        if any(abs(at[0] - x) < 1.6 and abs(at[1] - y) < 0.035 * span for x, y in taken):
            continue
        taken.append(at)
        figure.add_annotation(
            x=at[0], y=at[1], text=escape(row["method"]), showarrow=False, yshift=-16,
            font={"size": FONT_SIZE - 2, "color": INK}, row=1, col=column,
        )  # fmt: skip
