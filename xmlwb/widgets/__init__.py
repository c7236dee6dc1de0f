"""Thin interactive shells over models and plots, for notebooks and Voila."""

from __future__ import annotations

from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.live_fit import LiveFit
from xmlwb.widgets.live_map import LiveMap
from xmlwb.widgets.live_study import LiveStudy
from xmlwb.widgets.own_data import OwnData
from xmlwb.widgets.parameter_panel import ParameterPanel, parameter_panel
from xmlwb.widgets.slider_figure import SliderFigure, slider_figure
from xmlwb.widgets.step_figure import StepFigure, step_figure

__all__ = [
    "LiveFigure",
    "LiveFit",
    "LiveMap",
    "LiveStudy",
    "OwnData",
    "ParameterPanel",
    "SliderFigure",
    "StepFigure",
    "parameter_panel",
    "slider_figure",
    "step_figure",
]
