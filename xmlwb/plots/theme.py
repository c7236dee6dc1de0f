"""One look for every figure: colours that colour-blind readers tell apart, type that projects, a fixed style per model.

Importing this module registers the plotly template "xmlwb" and makes it the default, so that chapters, widgets and
reports look alike. Colours: M. Okabe, K. Ito, Color universal design, 2008, without the yellow, too pale on white.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count

import plotly.graph_objects as go
import plotly.io as pio

BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY, BLACK, GREY = "#CC79A7", "#56B4E9", "#000000", "#7F7F7F"
PALETTE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "star", "cross")
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px,2px")
INK, GRID = "#222222", "#DDDDDD"
FONT_SIZE = 15


@dataclass(frozen=True)
class Style:
    """How a model is drawn everywhere: colour, and what tells it apart in grey."""

    colour: str
    symbol: str
    dash: str


#: These keep their style in every figure, whatever they are shown with; other models take what is left.
_PLACES = {
    "popular": 0,
    "knn": 1,
    "ova": 2,
    "onevsall": 2,
    "cs": 3,
    "compressedsensing": 3,
    "plst": 4,
    "cplst": 5,
    "leml": 6,
    "wsabie": 7,
    "mlcssp": 8,
    "svd": 10,
    "svdlabels": 10,
    "parabel": 11,
    "bonsai": 12,
    "fastxml": 13,
    "pfastrexml": 14,
    "lpsr": 19,
    "nb": 20,
    "naivebayes": 20,
    "sleec": 22,
    "glas": 23,
    "embeddingclassifier": 23,
    "lightdxml": 25,
    "astec": 24,
}


def model_styles(models: Iterable[str]) -> dict[str, Style]:
    """A style for each model: those known here always the same, the others by their place in the list.

    >>> model_styles(["parabel", "ova"])["ova"] == model_styles(["OneVsAll"])["OneVsAll"]
    True
    """
    names = list(models)
    places: dict[str, int] = {}
    for name in names:
        place = _PLACES.get("".join(c for c in name.lower() if c.isalnum()))
        if place is not None and place not in places.values():
            places[name] = place
    free = (place for place in count() if place not in places.values())
    places |= {name: next(free) for name in dict.fromkeys(names) if name not in places}
    return {name: _style(places[name]) for name in names}


#: The regularisers of the GLaS paper keep their style, too.
_REGULARIZERS = ("none", "spread-out", "graph Laplacian", "GLaS", "Gravity")


def style_of_regularizer(name: str) -> Style:
    """A regulariser's style, by the names of chapter 07; another name gets the next one.

    >>> style_of_regularizer("GLaS").colour == BLUE
    True
    """
    colours = (VERMILION, ORANGE, GREEN, BLUE, PURPLE)
    place = _REGULARIZERS.index(name) if name in _REGULARIZERS else len(_REGULARIZERS)
    return Style((*colours, SKY)[place], SYMBOLS[place], DASHES[place])


def _style(place: int) -> Style:
    """Past the last colour, colours begin again with other symbols and dashes."""
    size = len(PALETTE)
    other = (place + place // size) % size
    return Style(PALETTE[place % size], SYMBOLS[other], DASHES[other])


def _template() -> go.layout.Template:
    axis = {
        "automargin": True,
        "gridcolor": GRID,
        "linecolor": INK,
        "showline": True,
        "ticks": "outside",
        "zeroline": False,
        "title": {"font": {"size": FONT_SIZE + 1}, "standoff": 10},
    }
    return go.layout.Template(
        layout={
            "font": {"family": "Open Sans, Arial, sans-serif", "size": FONT_SIZE, "color": INK},
            "title": {
                "font": {"size": FONT_SIZE + 3},
                "x": 0,
                "xref": "paper",
                "xanchor": "left",
                "subtitle": {"font": {"size": FONT_SIZE}},
            },
            "paper_bgcolor": "white",
            "plot_bgcolor": "white",
            "colorway": list(PALETTE),
            "xaxis": axis,
            "yaxis": axis,
            "legend": {"font": {"size": FONT_SIZE}, "itemsizing": "constant"},
            "hoverlabel": {"font": {"size": FONT_SIZE}},
            "margin": {"l": 70, "r": 30, "t": 60, "b": 60},
        },
        data={
            "scatter": [{"marker": {"size": 10}, "line": {"width": 3}}],
            "bar": [{"marker": {"line": {"width": 0}}}],
        },
    )


pio.templates["xmlwb"] = _template()
pio.templates.default = "xmlwb"
