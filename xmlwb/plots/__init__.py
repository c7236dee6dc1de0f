"""Pure functions from tables to plotly figures."""

from __future__ import annotations

from xmlwb.plots.learning_curve import learning_curve
from xmlwb.plots.tail import (
    TailFigures,
    coverage_figure,
    gain_figure,
    quality_figure,
    rank_frequency_figure,
    tail_figures,
)

__all__ = [
    "TailFigures",
    "coverage_figure",
    "gain_figure",
    "learning_curve",
    "quality_figure",
    "rank_frequency_figure",
    "tail_figures",
]
