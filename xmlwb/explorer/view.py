"""The base of the explorer's views: controls above a figure that is drawn when somebody looks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from xmlwb.explorer.run_source import RunSource
from xmlwb.widgets.controls import control
from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.messages import error_line

ROW = {"display": "flex", "flex_flow": "row wrap", "grid_gap": "2px 16px", "align_items": "center"}


class View(widgets.VBox):
    """Controls, a figure, and what stands below it.

    Parameters
    ----------
    source : RunSource
    controls : mapping of name to widget
    below : widgets that stand under the figure.
    on_click : called with the number of the setting that was clicked on.

    Attributes
    ----------
    controls : dict of str to widget
    figure : plotly.graph_objects.Figure or None
        The one that is shown.
    """

    title = ""

    def __init__(
        self,
        source: RunSource,
        controls: Mapping[str, Any],
        *,
        below: tuple[widgets.Widget, ...] = (),
        on_click: Callable[[int], object] | None = None,
    ) -> None:
        self.source, self.controls = source, dict(controls)
        self.runs = source.runs
        self.figure: go.Figure | None = None
        self.live = LiveFigure()
        self.message = widgets.HTML()
        self._stale = True
        self.bar = widgets.Box(list(self.controls.values()), layout=ROW)
        super().__init__([self.bar, self.message, self.live, *below], layout={"width": "100%"})
        for widget in self.controls.values():
            widget.observe(self._control_moved, names="value")
        if on_click is not None:
            self.live.on_click(on_click)

    def look(self, runs: pd.DataFrame) -> None:
        """Draw these runs, unless they are drawn already."""
        if self._stale or runs is not self.runs:
            self.runs, self._stale = runs, False
            self.refresh()

    def refresh(self) -> None:
        """Draw anew; what goes wrong is said above the figure, which stays as it was."""
        try:
            self.figure = self.draw()
        except Exception as error:
            self.message.value = error_line(error)
        else:
            self.message.value = ""
            self.live.show(self.figure)

    @abstractmethod
    def draw(self) -> go.Figure:
        """The figure of `self.runs` as the controls ask for it."""

    def value(self, name: str) -> Any:
        """What a control says."""
        return self.controls[name].value

    def _control_moved(self, _change: object) -> None:
        self.refresh()


def menu(label: str, options: Any, value: Any = None) -> Any:
    """A labelled menu that is as wide as its text."""
    return control(options, label=label, value=value)
