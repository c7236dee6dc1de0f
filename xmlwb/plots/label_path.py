"""One document's way down a label tree: the probability of each step, the best sibling, and the words that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, INK, ORANGE, VERMILION

_LINE = 21  # pixels of a word's line
_LONGEST = 46


@dataclass(frozen=True)
class PathStep:
    """One step of the way, from a node to its child on the path.

    Attributes
    ----------
    node : int
        The child.
    name : str
    probability, margin : float
        Of going there: ``exp(-max(0, 1 - margin)^2)``.
    sibling : str
        The best of the other children, "" where there is none.
    sibling_probability : float
    n_siblings : int
    bias : float
        The child's intercept.
    words : list of (str, float)
        The words that say most, with what they add to the margin: yes first, then no.
    other_words : float
        What all other words add together. ``bias + sum of words + other_words`` is the margin.
    """

    node: int
    name: str
    probability: float
    margin: float
    sibling: str
    sibling_probability: float
    n_siblings: int
    bias: float
    words: list[tuple[str, float]]
    other_words: float


def path_figure(steps: Sequence[PathStep], *, lost: int = -1, title: str = "") -> go.Figure:
    """From the root (top) to the label (bottom), a block of lines for each step.

    Left: the probability of the step, and that of the best sibling. Right: what the words add to the step's score.

    Parameters
    ----------
    steps : sequence of PathStep
    lost : int
        The depth (1 for the first step) at which a beam dropped the path; -1 where it did not.
    title : str
    """
    figure = make_subplots(cols=2, column_widths=[0.5, 0.5], horizontal_spacing=0.02, shared_yaxes=False)
    heights = [max(2, len(step.words) + 1) + 1 for step in steps]  # its words, the intercept and the rest; a gap
    tops = np.concatenate([[0], np.cumsum(heights)])
    widest = max([abs(value) for step in steps for _, value in _lines(step)] + [0.1])
    for depth, (step, top) in enumerate(zip(steps, tops, strict=False), start=1):
        dropped = 0 < lost <= depth
        _add_probability(figure, top, step, VERMILION if dropped else BLUE, depth == lost)
        _add_words(figure, top, step, widest)
        if depth > 1:
            figure.add_shape(
                type="line", x0=0, x1=1, xref="paper", y0=top - 0.75, y1=top - 0.75, line={"color": GREY, "width": 1}
            )
    for name, colour in (("says yes", BLUE), ("says no", ORANGE)):
        figure.add_bar(x=[None], y=[None], marker={"color": colour}, name=name, row=1, col=2)
    bottom = float(tops[-1]) - 0.75
    figure.update_yaxes(range=[bottom, -0.9], visible=False)
    figure.update_xaxes(range=[0, 1.0], title="probability of the step", tickformat=".0%", row=1, col=1)
    figure.update_xaxes(
        range=[-1.7 * widest, 1.7 * widest], title="added to the score: word weight × its value here", row=1, col=2
    )
    lines = title.count("<br>") + 1
    return figure.update_layout(
        barmode="overlay",
        bargap=0.25,
        title={"text": title, "font": {"size": FONT_SIZE}, "y": 1, "yanchor": "top", "pad": {"t": 12}},
        height=int(_LINE * bottom) + 110 + 22 * lines,
        margin={"t": 30 + 22 * lines, "b": 80, "l": 20},
        showlegend=False,
    )


def _lines(step: PathStep) -> list[tuple[str, float]]:
    """The words, and one line for all else."""
    return [*step.words, ("constant and other words", step.bias + step.other_words)]


def _add_probability(figure: go.Figure, top: float, step: PathStep, colour: str, lost_here: bool) -> None:
    bars = [(step.name, step.probability, colour, "<b>", "</b>")]
    if step.sibling:
        others = "" if step.n_siblings == 1 else f" (best of {step.n_siblings} others)"
        bars.append((step.sibling + others, step.sibling_probability, "#BBBBBB", "", ""))
    for place, (name, p, fill, before, after) in enumerate(bars):
        y = top + 1.15 * place
        figure.add_bar(
            x=[p], y=[y], width=0.9, orientation="h", marker={"color": fill, "opacity": 0.45},
            hovertemplate=f"{escape(name)}: %{{x:.1%}}<extra></extra>", row=1, col=1,
        )  # fmt: skip
        short = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
        figure.add_annotation(
            x=0.01, y=y, xanchor="left", showarrow=False, font={"size": FONT_SIZE - 1, "color": INK},
            text=f"{before}{_percent(p)} {escape(short)}{after}", row=1, col=1,
        )  # fmt: skip
    if lost_here:
        figure.add_annotation(
            x=0.99, y=top, xanchor="right", showarrow=False, font={"size": FONT_SIZE - 1, "color": VERMILION},
            text="<b>lost here</b>", row=1, col=1,
        )  # fmt: skip


def _percent(p: float) -> str:
    return f"{p:.0%}" if p >= 0.1 else f"{p:.1%}" if p >= 0.001 else "< 0.1%"


def _add_words(figure: go.Figure, top: float, step: PathStep, widest: float) -> None:
    lines = _lines(step)
    figure.add_bar(
        x=[value for _, value in lines],
        y=[top + place for place in range(len(lines))],
        width=0.8,
        orientation="h",
        marker={"color": [GREY if place == len(lines) - 1 else BLUE if v > 0 else ORANGE
                          for place, (_, v) in enumerate(lines)]},
        customdata=[escape(word) for word, _ in lines],
        hovertemplate="%{customdata}: %{x:+.3f}<extra></extra>",
        row=1,
        col=2,
    )  # fmt: skip
    for place, (word, value) in enumerate(lines):
        figure.add_annotation(
            x=value, y=top + place, xanchor="left" if value > 0 else "right", xshift=4 if value > 0 else -4,
            showarrow=False, font={"size": FONT_SIZE - 1, "color": INK},
            text=f"{escape(word)} {value:+.2f}" if value > 0 else f"{value:+.2f} {escape(word)}", row=1, col=2,
        )  # fmt: skip
