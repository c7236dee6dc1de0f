"""Which differences are real: many settings against one."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from xmlwb.explorer.run_source import RunSource
from xmlwb.explorer.setting_menu import SettingMenu, by_method
from xmlwb.explorer.view import View, menu
from xmlwb.metrics import propensities
from xmlwb.plots.run_differences import differences_figure
from xmlwb.plots.run_panels import note
from xmlwb.run_differences import corrected, over_instances, over_seeds, per_instance
from xmlwb.run_table import metrics_of, settings_of
from xmlwb.widgets.messages import plain_line

_MOST = 20
_CORRECTIONS = {"Holm": "holm", "Benjamini-Hochberg": "benjamini-hochberg", "none": "none"}
_OTHERS = {"the best of each method": "methods", f"the best {_MOST} settings": "best"}


class DifferenceView(View):
    """Each of several settings against a base, paired over instances or seeds, corrected for their number.

    Attributes
    ----------
    differences : DataFrame or None
        As `xmlwb.run_differences.corrected`.
    """

    title = "Significance"

    def __init__(self, source: RunSource, on_click: Any) -> None:
        self.differences: pd.DataFrame | None = None
        self._values: dict[tuple[int, str], Any] = {}
        self._offering, self._offered = False, None
        controls = {
            "data": menu("data", list(dict.fromkeys(source.runs["data"]))),
            "base": SettingMenu("base"),
            "others": menu("against it", _OTHERS),
            "metric": menu("metric", metrics_of(source.runs)),
            "pairs": menu("paired over", ["seeds", "instances"]),
            "correction": menu("corrected by", _CORRECTIONS),
        }
        super().__init__(source, controls, on_click=on_click)

    def _offer(self, runs: pd.DataFrame) -> None:
        self._offering = True
        self._offered = runs
        inside = runs[runs["data"] == self.value("data")]
        if inside.empty and len(runs):
            self.controls["data"].value = runs["data"].iloc[0]
            inside = runs[runs["data"] == self.value("data")]
        best = by_method(inside, self.value("metric"))
        self.controls["base"].offer(inside, self.value("metric"), prefer=best[0] if best else None)
        self._offering = False

    def _control_moved(self, change: Any) -> None:
        if self._offering:
            return
        if change["owner"] in (self.controls["data"], self.controls["metric"]):
            self._offer(self.runs)
        self.refresh()

    def draw(self) -> go.Figure:
        if self._offered is not self.runs:
            self._offer(self.runs)
        self.differences, base, metric = None, self.value("base"), self.value("metric")
        if base is None:
            return note(go.Figure(), "choose a base")
        inside = self.runs[self.runs["data"] == self.value("data")]
        others = [setting for setting in self._others(inside, metric) if setting != base]
        pairs = self.value("pairs")
        if pairs == "seeds":
            everything = pd.concat([self.source.runs_of(base), inside[inside["setting"] != base]])
            found = over_seeds(everything, metric, base, others, seedless=_seedless(everything))
        else:
            missing = self._read([base, *others], metric)
            if base in missing:
                return note(go.Figure(), f"the base kept no predictions, or {metric} is not one of single instances")
            kept = [setting for setting in others if setting not in missing]
            values = {setting: self._values[setting, metric] for setting in [base, *kept]}
            labels = {setting: self.source.runs_of(setting)["label"].iloc[0] for setting in values}
            groups = self.source.instances_of(self.source.runs_of(base).iloc[0]).groups
            found = over_instances(values, labels, base, groups=groups)
        correction = self.value("correction")
        self.differences = corrected(found, correction)
        said = {value: name for name, value in _CORRECTIONS.items()}[correction]
        name = self.source.runs_of(base)["label"].iloc[0]
        told = "not corrected" if correction == "none" else f"corrected by {said}"
        return differences_figure(self.differences, name, metric, pairs=pairs, correction=told)

    def _others(self, runs: pd.DataFrame, metric: str) -> list[int]:
        if self.value("others") == "methods":
            return by_method(runs, metric)[: _MOST + 1]
        ranked = settings_of(runs, [metric]).sort_values(metric, ascending=False, kind="stable")
        return [int(setting) for setting in ranked["setting"].head(_MOST)]

    def _read(self, settings: list[int], metric: str) -> list[int]:
        """Make the values per instance of these settings known; those that have none."""
        missing = []
        for number, setting in enumerate(settings, start=1):
            if (setting, metric) in self._values:
                continue
            self.message.value = plain_line(f"reading the predictions of setting {number} of {len(settings)} ...")
            predicted = list(self.source.predictions_of_setting(setting).values())
            if not predicted or metric.startswith("coverage"):
                missing.append(setting)
                continue
            instances = self.source.instances_of(self.source.runs_of(setting).iloc[0])
            inverse = propensities(instances.Y_train, *instances.dataset.propensity_ab)
            self._values[setting, metric] = per_instance(metric, instances.Y, predicted, inverse)
        return missing


def _seedless(runs: pd.DataFrame) -> list[str]:
    """The methods among these that take no seed; one that is not known here may take one."""
    from xmlwb.models import METHODS
    from xmlwb.studies.settings import takes_seed

    return [method for method in runs["method"].unique() if method in METHODS and not takes_seed(method)]
