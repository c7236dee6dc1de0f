"""Chapter 08: train LightDXML beside the reader, with parts of it switched off, and keep the earlier runs in view."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd

from xmlwb.plots.cycle_runs import CycleRun, cycle_runs_figure
from xmlwb.widgets.controls import control
from xmlwb.widgets.live_fit import LiveFit

#: The switches of the menu: argument, label, values by the names that the chapter uses.
SWITCHES: dict[str, tuple[str, dict[str, Any]]] = {
    "negatives": ("negatives", {"shortlist": "shortlist", "random": "random", "both": "both"}),
    "freeze_features": ("features", {"trained along": False, "frozen": True}),
    "cycle": ("cycle", {"on": True, "off": False}),
}


class CycleFit(LiveFit):
    """A fit with switches, whose earlier runs stay in the figure.

    Parameters
    ----------
    make : callable
        ``make(negatives=..., freeze_features=..., cycle=..., **)`` with the arguments of ``settings`` returns an
        unfitted LightDXML.
    X, Y : sparse arrays, shapes (n, d) and (n, L)
    eval_set : (X_valid, Y_valid)
    settings : mapping of argument to list of values, optional
        Further menus; the first value is where a menu stands.

    Attributes
    ----------
    controls : dict of str to widget
        What the next Start will train with.
    runs : list of CycleRun
        Earlier runs, and last the present one.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        X: Any,
        Y: Any,
        *,
        eval_set: tuple[Any, Any],
        settings: Mapping[str, list[Any]] | None = None,
    ) -> None:
        self.controls: dict[str, widgets.ValueWidget] = {
            name: control(values, label=label) for name, (label, values) in SWITCHES.items()
        }
        self.controls |= {name: control(values, label=name) for name, values in (settings or {}).items()}
        self.runs: list[CycleRun] = []
        super().__init__(lambda: make(**self._values()), X, Y, eval_set=eval_set)
        bar = widgets.Box(
            list(self.controls.values()), layout={"display": "flex", "flex_flow": "row wrap", "grid_gap": "4px 24px"}
        )
        children: tuple[Any, ...] = (bar, *self.children)
        self.children = children
        self.view.alt = "Validation precision, shortlist recall and hardness of the negatives by step, a line each run"

    @property
    def name(self) -> str:
        """What the controls say, in a few words."""
        values = self._values()
        words = [f"{values['negatives']} negatives"]
        words += ["features frozen"] if values["freeze_features"] else []
        words += [] if values["cycle"] else ["no cycle"]
        rest = [f"{name} {value}" for name, value in values.items() if name not in SWITCHES]
        return ", ".join([*words, *rest])

    def _values(self) -> dict[str, Any]:
        return {name: widget.value for name, widget in self.controls.items()}

    def _before_start(self) -> None:
        self._running_name = self.name
        self.runs = [*self.runs, CycleRun(self._running_name, pd.DataFrame())]
        super()._before_start()

    def _draw(self) -> None:
        if not self.events:
            return
        begin = time.perf_counter()
        events = pd.DataFrame([{"elapsed": event.elapsed, **event.figures} for event in self.events])
        self.runs = [*self.runs[:-1], CycleRun(self._running_name, events)]
        self.view.show(cycle_runs_figure(self.runs, total=self.events[-1].total))
        self._last_draw = time.perf_counter()
        self._draw_cost = self._last_draw - begin

    def _show(self) -> None:
        super()._show()
        for widget in getattr(self, "controls", {}).values():
            widget.disabled = self.running
