"""One document's way down a label tree: the probability of each step, the best sibling, and the words that decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, INK, ORANGE, VERMILION

_LINE = 19  # pixels of a word's line
_LONGEST = 46
_GAP = 0.4  # of a line, between two steps


@dataclass(frozen=True)
class PathStep:
    """One step of the way, from a node to its child on the path.

    Attributes
    ----------
    node : int
        The child.
    name : str
    probability : float
        Of going there.
    lead : float
        The child's margin less the best sibling's; the margin itself where there is none.
    sibling : str
        The best of the other children, "" where there is none.
    sibling_probability : float
    n_siblings : int
    bias : float
        The child's intercept, less the sibling's.
    words : list of (str, float)
        The words that say most, with what they add to the lead: yes first, then no.
    other_words : float
        What all other words add together. ``bias + sum of words + other_words`` is the lead.
    """

    node: int
    name: str
    probability: float
    lead: float
    sibling: str
    sibling_probability: float
    n_siblings: int
    bias: float
    words: list[tuple[str, float]]
    other_words: float


def path_figure(steps: Sequence[PathStep], *, lost: int = -1, title: str = "") -> go.Figure:
    """From the root (top) to the label (bottom), a block of lines for each step.

    Left: the probability of the step, and that of the best sibling. Right: what the words add to its lead over that
    sibling, those that speak for it to the right and those against it to the left of the same lines; grey: all else.

    Parameters
    ----------
    steps : sequence of PathStep
    lost : int
        The depth (1 for the first step) at which a beam dropped the path; -1 where it did not.
    title : str
    """
    heights = [max(_n_lines(step), 2) + _GAP for step in steps]
    tops = np.concatenate([[0], np.cumsum(heights)])
    bottom = float(tops[-1]) - (1 + _GAP) / 2
    rows = [_Row(step, float(top), depth, lost) for depth, (step, top) in enumerate(zip(steps, tops, strict=False), 1)]
    figure = make_subplots(cols=2, column_widths=[0.44, 0.56], horizontal_spacing=0.02)
    bars = [bar for row in rows for bar in row.probabilities()]
    figure.add_bar(
        x=[bar.value for bar in bars], y=[bar.y for bar in bars], width=0.9, orientation="h",
        marker={"color": [bar.colour for bar in bars], "opacity": 0.45},
        customdata=[bar.shown for bar in bars], hovertemplate="%{customdata}: %{x:.1%}<extra></extra>",
        row=1, col=1,
    )  # fmt: skip
    words = [bar for row in rows for bar in row.words()]
    figure.add_bar(
        x=[bar.value for bar in words], y=[bar.y for bar in words], width=0.8, orientation="h",
        marker={"color": [bar.colour for bar in words]},
        customdata=[bar.shown for bar in words], hovertemplate="%{customdata}: %{x:+.3f}<extra></extra>",
        row=1, col=2,
    )  # fmt: skip
    widest = max(0.1, *(abs(bar.value) for bar in words))
    figure.update_yaxes(range=[bottom, -0.9], visible=False)
    figure.update_xaxes(side="top", title={"standoff": 4})  # a long path goes on below the screen
    figure.update_xaxes(range=[0, 1.0], title="probability of the step", tickformat=".0%", row=1, col=1)
    figure.update_xaxes(
        range=[-2.4 * widest, 2.4 * widest], title="added to the lead over the best sibling", row=1, col=2
    )
    lines = title.count("<br>") + 1
    between = [
        {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": top - (1 + _GAP) / 2, "y1": top - (1 + _GAP) / 2,
         "line": {"color": GREY, "width": 1}}
        for top in tops[1:-1]
    ]  # fmt: skip
    return figure.update_layout(
        # all at once: one by one, plotly takes a second
        annotations=[*(_left(bar) for bar in bars), *(_beside(bar) for bar in words), *_lost_here(rows, lost)],
        shapes=between,
        barmode="overlay",
        title={"text": title, "font": {"size": FONT_SIZE}, "y": 1, "yanchor": "top", "pad": {"t": 12}},
        height=int(_LINE * (bottom + 0.9)) + 75 + 22 * lines,
        margin={"t": 65 + 22 * lines, "b": 10, "l": 20},
        modebar={"remove": ["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "autoScale2d", "resetScale2d", "toImage"]},
        showlegend=False,
    )


class _Bar(NamedTuple):
    name: str
    value: float
    y: float
    colour: str

    @property
    def shown(self) -> str:
        """The name as plotly takes it; it would show ``&quot;`` as it stands."""
        return escape(self.name, quote=False)


@dataclass(frozen=True)
class _Row:
    """One step, and where its block of lines begins."""

    step: PathStep
    top: float
    depth: int
    lost: int

    def probabilities(self) -> list[_Bar]:
        step = self.step
        own = _Bar(step.name, step.probability, self.top, VERMILION if 0 < self.lost <= self.depth else BLUE)
        if not step.sibling:
            return [own]
        others = "" if step.n_siblings == 1 else f" (best of {step.n_siblings} others)"
        return [own, _Bar(step.sibling + others, step.sibling_probability, self.top + 1.1, GREY)]

    def words(self) -> list[_Bar]:
        step = self.step
        yes = [_Bar(name, value, self.top + line, BLUE) for line, (name, value) in enumerate(_yes(step))]
        no = [_Bar(name, value, self.top + line, ORANGE) for line, (name, value) in enumerate(_no(step))]
        last = self.top + _n_lines(step)
        rest = [_Bar("other words", step.other_words, last - 2, GREY), _Bar("constant", step.bias, last - 1, GREY)]
        return [*yes, *no, *rest]


def _yes(step: PathStep) -> list[tuple[str, float]]:
    return [(name, value) for name, value in step.words if value > 0]


def _no(step: PathStep) -> list[tuple[str, float]]:
    """Those against, the strongest first."""
    return [(name, value) for name, value in reversed(step.words) if value < 0]


def _n_lines(step: PathStep) -> int:
    """Words for and against share their lines; below them a line for other words, and one for the constant."""
    return max(len(_yes(step)), len(_no(step))) + 2


def _text(text: str, x: float, y: float, panel: int, **more: object) -> dict[str, object]:
    axes = {"xref": "x", "yref": "y"} if panel == 1 else {"xref": "x2", "yref": "y2"}
    return {"text": text, "x": x, "y": y, "showarrow": False, "font": {"size": FONT_SIZE - 1, "color": INK}, **axes,
            **more}  # fmt: skip


def _left(bar: _Bar) -> dict[str, object]:
    """A step's probability and name, written on its bar."""
    name = escape(bar.name if len(bar.name) <= _LONGEST else bar.name[: _LONGEST - 1] + "…", quote=False)
    p = bar.value
    percent = f"{p:.0%}" if p >= 0.1 else f"{p:.1%}" if p >= 0.001 else "< 0.1%"
    text = f"{percent} {name}" if bar.colour == GREY else f"<b>{percent} {name}</b>"
    return _text(text, 0.01, bar.y, 1, xanchor="left")


def _beside(bar: _Bar) -> dict[str, object]:
    """A word, written where its bar ends."""
    if bar.value > 0:
        return _text(f"{bar.shown} {bar.value:+.2f}", bar.value, bar.y, 2, xanchor="left", xshift=4)
    return _text(f"{bar.value:+.2f} {bar.shown}", bar.value, bar.y, 2, xanchor="right", xshift=-4)


def _lost_here(rows: Sequence[_Row], lost: int) -> list[dict[str, object]]:
    return [
        _text("<b>lost here</b>", 0.99, row.top, 1, xanchor="right")
        | {"font": {"size": FONT_SIZE - 1, "color": VERMILION}}
        for row in rows
        if row.depth == lost
    ]
