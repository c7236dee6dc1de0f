"""The column in which the reader picks runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import pandas as pd

from xmlwb.run_table import NOT_A_PARAMETER, PARAM, choose_runs, levels, parameters_of
from xmlwb.widgets.messages import plain_line

_MOST_ROWS = 5
_WIDE = {"width": "auto"}
_TITLES = {"data": "data sets", "method": "methods", "study": "studies", "status": "status"}


class RunChoice(widgets.VBox):
    """Filters over a table of runs: data, method, study, status, words, values of parameters.

    Attributes
    ----------
    chosen : DataFrame
        The rows that fulfil all conditions.
    controls : dict of str to widget
        "data", "method", ... ; those that would leave nothing to choose are not shown.
    """

    def __init__(self, runs: pd.DataFrame, on_change: Callable[[pd.DataFrame], object]) -> None:
        self._runs, self._tell = runs, on_change
        self.controls: dict[str, Any] = {}
        self._where: dict[str, tuple[str, ...]] = {}
        self._quiet = False
        evaluated = list(runs["evaluated"].value_counts().index)
        if len(evaluated) > 1:
            names = {"test": "test rows", "valid": "validation rows"}
            options = [(names.get(value, value), value) for value in evaluated]
            self.controls["evaluated"] = widgets.Dropdown(options=options, layout=_WIDE)
        self._evaluated = evaluated
        for column in _TITLES:
            values = [v for v in dict.fromkeys(runs[column]) if v is not None] if column in runs else []
            if len(values) > 1:
                self.controls[column] = widgets.SelectMultiple(
                    options=[str(v) for v in values], rows=min(len(values), _MOST_ROWS), layout=_WIDE
                )
        self.controls["words"] = widgets.Text(
            placeholder="words, such as: ova hinge", continuous_update=False, layout=_WIDE
        )
        self._parameters = parameters_of(runs)
        if self._parameters:
            self.controls["parameter"] = widgets.Dropdown(options=["", *self._parameters], layout=_WIDE)
            self.controls["values"] = widgets.SelectMultiple(options=[], rows=4, layout={**_WIDE, "display": "none"})
        self._conditions = widgets.HTML()
        self._count = widgets.HTML()
        self._clear = widgets.Button(description="Choose all again", layout={"width": "fit-content"})
        self._clear.on_click(lambda _: self.clear())
        self.chosen = runs
        for name, widget in self.controls.items():
            widget.observe(self._new_parameter if name == "parameter" else self._changed, names="value")
        super().__init__(self._lines(), layout={"width": "100%", "grid_gap": "2px"})
        self._choose()

    def clear(self) -> None:
        """Take all conditions back but the kind of rows."""
        self._quiet = True
        self._where.clear()
        for name, widget in self.controls.items():
            if name != "evaluated":
                widget.value = () if isinstance(widget, widgets.SelectMultiple) else ""
        self._quiet = False
        self._changed(None)

    def _lines(self) -> list[widgets.Widget]:
        titles = _TITLES | {
            "evaluated": "measured on",
            "words": "words in the name",
            "parameter": "values of a parameter",
        }
        lines: list[widgets.Widget] = [self._count]
        for name, widget in self.controls.items():
            if name in titles:
                lines.append(widgets.HTML(f"<b>{titles[name]}</b>", layout={"margin": "4px 0 0 0"}))
            lines.append(widget)
        hint = '<div style="line-height:1.2"><small>Nothing marked means all; Ctrl-click marks several.</small></div>'
        return [*lines, self._conditions, widgets.HTML(hint), self._clear]

    def _new_parameter(self, change: dict[str, Any]) -> None:
        """Offer the values of the parameter, those marked that were chosen before."""
        values, name = self.controls["values"], change["new"]
        was, self._quiet = self._quiet, True
        texts = [t for t in levels(self._runs[PARAM + name]).values() if t != NOT_A_PARAMETER] if name else []
        values.options = texts
        values.rows = max(2, min(len(texts), _MOST_ROWS))
        values.layout.display = None if name else "none"
        values.value = tuple(t for t in self._where.get(name, ()) if t in texts)
        self._quiet = was

    def _changed(self, _change: object) -> None:
        if self._quiet:
            return
        name = self.controls["parameter"].value if self._parameters else ""
        if name:
            self._where[name] = tuple(self.controls["values"].value)
            self._where = {n: wanted for n, wanted in self._where.items() if wanted}
        self._choose()
        self._tell(self.chosen)

    def _choose(self) -> None:
        wanted = {name: list(self.controls[name].value) for name in _TITLES if name in self.controls}
        rows = self.controls["evaluated"].value if "evaluated" in self.controls else self._evaluated[0]
        self.chosen = choose_runs(
            self._runs, words=self.controls["words"].value, where=self._where, evaluated=[rows], **wanted
        )
        settings = self.chosen["setting"].nunique()
        text = f"{len(self.chosen):,} of {len(self._runs):,} runs, {settings:,} settings"
        self._count.value = f'<div style="line-height:1.3">{plain_line(text)}</div>'
        lines = [plain_line(f"{name}: {', '.join(values)}") for name, values in self._where.items()]
        self._conditions.value = "".join(lines)
