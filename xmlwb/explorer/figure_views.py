"""The views that need nothing but the table of runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import ipywidgets as widgets
import plotly.graph_objects as go

from xmlwb.explorer.run_source import RunSource
from xmlwb.explorer.setting_text import front_table
from xmlwb.explorer.view import View, menu
from xmlwb.plots.parallel_coordinates import parallel_figure
from xmlwb.plots.run_bins import bins_figure
from xmlwb.plots.run_costs import cost_figure, front_of
from xmlwb.plots.run_panels import note
from xmlwb.plots.run_parameters import parameter_figure
from xmlwb.run_table import bins_of, costs_of, metrics_of, parameters_of

OnClick = Callable[[int], object]
_MOST_AXES = 8
_FEW_COLOURS = 14


def figures_of(source: RunSource) -> list[str]:
    """Metrics, and metrics by bin, that a menu offers."""
    whole = metrics_of(source.runs)
    return [*whole, *(f"{metric} {name}" for metric in whole for name in bins_of(source.runs, metric))]


def _colours(source: RunSource) -> list[str]:
    parameters = [p for p in parameters_of(source.runs) if source.runs[f"param.{p}"].nunique() <= _FEW_COLOURS]
    several = [c for c in ("data", "study") if source.runs[c].nunique() > 1] if "study" in source.runs else []
    return ["method", *several, *parameters]


def metric_menu(source: RunSource, options: Sequence[str] | None = None) -> widgets.ValueWidget:
    """A menu of metrics that begins with P@1, or the first there is."""
    found = list(options) if options is not None else figures_of(source)
    return menu("metric", found, "P@1" if "P@1" in found else None)


class ParameterView(View):
    """A metric against a parameter."""

    title = "Parameters"

    def __init__(self, source: RunSource, on_click: OnClick) -> None:
        others = {"the best setting": "best", "the mean": "mean"}
        controls = {
            "parameter": menu("parameter", parameters_of(source.runs) or [("none varies", "")]),
            "metric": menu("metric", [*figures_of(source), *costs_of(source.runs)]),
            "bins": widgets.Checkbox(False, description="by frequency bin", indent=False, layout={"width": "auto"}),
            "colour": menu("colour", _colours(source)),
            "others": menu("of the other parameters", others),
        }
        super().__init__(source, controls, on_click=on_click)

    def draw(self) -> go.Figure:
        parameter, metric = self.value("parameter"), self.value("metric")
        if not parameter:
            return note(go.Figure(), "no parameter of these runs has more than one value")
        metrics = [metric]
        if self.value("bins"):
            base = metric.partition(" ")[0]
            metrics = [f"{base} {name}" for name in bins_of(self.runs, base)]
            if not metrics:
                return note(go.Figure(), f"the runs have no {base} by frequency bin; P@5 or R@5 may have")
        return parameter_figure(self.runs, parameter, metrics, colour=self.value("colour"), others=self.value("others"))


class BinsView(View):
    """The best setting of each method, by frequency bin."""

    title = "Frequency bins"

    def __init__(self, source: RunSource, on_click: OnClick) -> None:
        binned = [metric for metric in metrics_of(source.runs) if bins_of(source.runs, metric)]
        ranked = ["the metric itself", *figures_of(source)]
        controls = {
            "metric": menu("metric", binned or [("none by bin", "")], "R@5" if "R@5" in binned else None),
            "ranked": menu("best of each method by", ranked),
        }
        super().__init__(source, controls, on_click=on_click)

    def draw(self) -> go.Figure:
        ranked = self.value("ranked")
        return bins_figure(self.runs, self.value("metric"), ranked_by=None if ranked.startswith("the ") else ranked)


class CostView(View):
    """Cost against quality, with the front that no setting beats."""

    title = "Cost and quality"

    def __init__(self, source: RunSource, on_click: OnClick) -> None:
        self._front = widgets.HTML()
        controls = {
            "cost": menu("cost", costs_of(source.runs) or [("no costs", "")]),
            "metric": metric_menu(source),
            "colour": menu("colour", _colours(source)),
        }
        super().__init__(source, controls, below=(self._front,), on_click=on_click)

    def draw(self) -> go.Figure:
        cost, metric = self.value("cost"), self.value("metric")
        figure = cost_figure(self.runs, cost, metric, colour=self.value("colour"))
        self._front.value = front_table(front_of(self.runs, cost, metric), cost, metric)
        return figure


class ParallelView(View):
    """All settings at once."""

    title = "Parallel coordinates"

    def __init__(self, source: RunSource, _on_click: OnClick) -> None:
        costs = {"no cost": None} | {cost: cost for cost in costs_of(source.runs)}
        controls = {"metric": metric_menu(source), "cost": menu("cost", costs, next(iter(costs_of(source.runs)), None))}
        super().__init__(source, controls)

    def draw(self) -> go.Figure:
        varied = parameters_of(self.runs)[:_MOST_AXES]
        return parallel_figure(self.runs, varied, self.value("metric"), cost=self.value("cost"))
