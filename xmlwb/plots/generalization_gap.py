"""Training and held-out accuracy by epoch, and the gap between them as a length that can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, ORANGE, PURPLE, SKY, VERMILION

#: One for each run, the present one's first; then they come again.
_COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)


@dataclass(frozen=True)
class GapRun:
    """One run's accuracies after each epoch.

    Attributes
    ----------
    name : str
    epochs : sequence of int
    train, held_out : sequences of float
        Fractions; as long as epochs.
    """

    name: str
    epochs: Sequence[int]
    train: Sequence[float]
    held_out: Sequence[float]

    @property
    def gap(self) -> float:
        """Training less held-out accuracy after the last epoch."""
        return self.train[-1] - self.held_out[-1]

    @property
    def best(self) -> int:
        """Place of the epoch with the highest held-out accuracy, the first of them."""
        return max(range(len(self.held_out)), key=lambda place: self.held_out[place])


def gap_figure(
    runs: Sequence[GapRun], *, total: int, metric: str = "P@1", held_out: str = "validation", most: int = 6
) -> go.Figure:
    """Left: accuracies by epoch, the gap of the last run filled. Right: where each run ends, its gap as a length.

    Parameters
    ----------
    runs : sequence of GapRun
        The last one is the present one; of the earlier ones the latest are drawn.
    total : int
        Epochs planned for the present run.
    metric : str
    held_out : str
        What rows the second accuracy is of.
    most : int
        Runs drawn.
    """
    figure = make_subplots(cols=2, column_widths=[0.56, 0.44], horizontal_spacing=0.09)
    shown = [run for run in runs if run.epochs][-most:]
    if not shown:
        return figure.update_layout(height=480)
    first = len([run for run in runs if run.epochs]) - len(shown)
    colours = [_COLOURS[(first + place) % len(_COLOURS)] for place in range(len(shown))]
    now = shown[-1]
    for run, colour in zip(shown, colours, strict=True):
        _add_curves(figure, run, colour, held_out, metric, present=run is now)
    for place, (run, colour) in enumerate(zip(shown, colours, strict=True)):
        _add_length(figure, len(shown) - 1 - place, run, colour, held_out, metric, present=run is now)
    for name, dash in (("training rows", "solid"), (f"{held_out} rows", "dash")):
        symbol = "circle" if dash == "solid" else "diamond-open"
        figure.add_scatter(
            x=[None], y=[None], mode="lines+markers", line={"color": BLACK, "dash": dash},
            marker={"symbol": symbol, "size": 11}, name=name, row=1, col=1,
        )  # fmt: skip
    last = max(total, *(run.epochs[-1] for run in shown))
    figure.update_xaxes(title="epoch", range=[0, last * 1.01], row=1, col=1)
    lowest = min(min(run.held_out[min(2, len(run.held_out) - 1) :]) for run in shown)
    low = max(0.0, 100 * min(lowest, *(run.train[-1] for run in shown)) - 12)
    figure.update_yaxes(title=f"{metric}, per cent", range=[low, 102], row=1, col=1)
    figure.update_xaxes(title=f"{metric} at the end, per cent", range=[low, 106], row=1, col=2)
    figure.update_yaxes(range=[-0.5, len(shown) - 0.2], showticklabels=False, ticks="", showgrid=False, row=1, col=2)
    best = now.best
    return figure.update_layout(
        title={
            "text": f"<b>gap {100 * now.gap:.1f} points</b>: training {100 * now.train[-1]:.1f}, "
            f"{held_out} {100 * now.held_out[-1]:.1f}",
            "subtitle": {
                "text": f"epoch {now.epochs[-1]} of {total}; {held_out} was best after epoch {now.epochs[best]}: "
                f"{100 * now.held_out[best]:.1f}"
            },
        },
        height=480,
        margin={"t": 100, "b": 110},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )


def _add_curves(figure: go.Figure, run: GapRun, colour: str, held_out: str, metric: str, *, present: bool) -> None:
    for values, dash, part in ((run.train, "solid", "training"), (run.held_out, "dash", held_out)):
        figure.add_scatter(
            x=list(run.epochs),
            y=[100 * value for value in values],
            mode="lines",
            line={"color": colour, "dash": dash, "width": 4 if present else 2},
            opacity=1 if present else 0.6,
            fill="tonexty" if present and part == held_out else None,
            fillcolor="rgba(127,127,127,0.18)",
            showlegend=False,
            hovertemplate=f"{escape(run.name)}, {part}, epoch %{{x}}: {metric} %{{y:.1f}} %<extra></extra>",
            row=1,
            col=1,
        )
    if present:
        best = run.best
        figure.add_scatter(
            x=[run.epochs[best]], y=[100 * run.held_out[best]], mode="markers", name=f"best {held_out}",
            marker={"symbol": "star", "size": 16, "color": colour, "line": {"color": BLACK, "width": 1}},
            hoverinfo="skip", row=1, col=1,
        )  # fmt: skip


def _add_length(
    figure: go.Figure, place: int, run: GapRun, colour: str, held_out: str, metric: str, *, present: bool
) -> None:
    ends = [100 * run.held_out[-1], 100 * run.train[-1]]
    figure.add_scatter(
        x=ends, y=[place, place], mode="lines+markers", line={"color": colour, "width": 4}, showlegend=False,
        marker={"symbol": ["diamond-open", "circle"], "size": 13, "color": colour, "line": {"width": 3}},
        text=[held_out, "training"], hovertemplate=f"%{{text}}: {metric} %{{x:.1f}} %<extra></extra>",
        cliponaxis=False, row=1, col=2,
    )  # fmt: skip
    name = f"<b>{escape(run.name)}</b>" if present else escape(run.name)
    figure.add_annotation(
        x=sum(ends) / 2, y=place, yshift=17, text=f"{name}: gap <b>{ends[1] - ends[0]:.1f}</b>", showarrow=False,
        font={"size": FONT_SIZE}, row=1, col=2,
    )  # fmt: skip
    best = 100 * run.held_out[run.best]
    figure.add_scatter(
        x=[best], y=[place], mode="markers", hovertemplate=f"best {held_out}: {metric} %{{x:.1f}} %<extra></extra>",
        marker={"symbol": "star", "size": 13, "color": colour, "line": {"color": BLACK, "width": 1}}, showlegend=False,
        cliponaxis=False, row=1, col=2,
    )  # fmt: skip
