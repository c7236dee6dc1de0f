"""Sliders to figure: a function of a few numbers whose plot changes under the hand."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go

from xmlwb.widgets.controls import control
from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.messages import error_line, plain_line

# Slower than this, a figure that follows every pixel of a drag lags behind the hand; it then waits for the release.
_FOLLOW_SECONDS = 0.25


class SliderFigure(widgets.VBox):
    """Controls above a figure; see `slider_figure`.

    Attributes
    ----------
    controls : dict of str to widget
        The control of each argument.
    view : LiveFigure
        The figure's place on the page.
    figure : plotly.graph_objects.Figure or None
        The figure shown now.
    """

    def __init__(
        self, fn: Callable[..., go.Figure], controls: dict[str, widgets.ValueWidget], *, alt: str = ""
    ) -> None:
        self._fn = fn
        self.controls = controls
        self.view = LiveFigure(alt=alt)
        self.figure: go.Figure | None = None
        self._message = widgets.HTML()
        bar = widgets.Box(
            list(controls.values()), layout={"display": "flex", "flex_flow": "row wrap", "grid_gap": "4px 24px"}
        )
        super().__init__([bar, self.view, self._message])
        self.add_class("xmlwb-slider-figure")
        self._follow = True
        self._draw()  # a function that fails where the controls start is the author's mistake, and raises
        for widget in controls.values():
            widget.observe(self._redraw, names="value")

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say now, as the keyword arguments of the function."""
        return {name: widget.value for name, widget in self.controls.items()}

    def _redraw(self, _change: object) -> None:
        self._message.value = "" if self._follow else plain_line("computing ...")
        try:
            self._draw()
        except Exception as error:  # a wrong position of a slider must not take the widget down with it
            self._message.value = error_line(error, "the figure above is the last one that could be drawn")
        else:
            self._message.value = ""

    def _draw(self) -> None:
        begin = time.perf_counter()
        figure = self._fn(**self.values)
        self.view.show(figure)
        self.figure = figure
        self._follow = time.perf_counter() - begin < _FOLLOW_SECONDS
        for widget in self.controls.values():
            if widget.has_trait("continuous_update"):
                widget.continuous_update = self._follow


def slider_figure(
    fn: Callable[..., go.Figure],
    /,
    *,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    log: tuple[str, ...] = (),
    alt: str = "",
    **controls: Any,
) -> SliderFigure:
    """Put sliders and menus above a figure that they change while they move.

    The figure is redrawn in place, so that zoom and hidden legend entries stay. It follows each movement as long as
    ``fn`` answers within a quarter of a second, and waits for the release of the slider when it is slower.

    Parameters
    ----------
    fn : callable
        ``fn(**values)`` returns a plotly figure. Its own defaults are where the controls start.
    units, labels : mapping of argument name to str, optional
        The unit and the label of a control; without a label the argument's name is used.
    log : tuple of str
        Arguments whose slider moves through decades.
    alt : str
        What the figure shows, for readers who cannot see it.
    **controls
        One control for each argument: ``(low, high)`` or ``(low, high, step)``, a list or dict of choices, a bool, or
        a widget of your own.

    Raises
    ------
    ValueError
        If there is no control, or a unit, label or log names none of them.
    Exception
        What ``fn`` raises where the controls start; later on, an error is shown below the figure instead.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> def line(slope=1.0, points=3):
    ...     return go.Figure(go.Scatter(y=[slope * x for x in range(points)]))
    >>> live = slider_figure(line, slope=(-2.0, 2.0, 0.1), points=(2, 10))
    >>> live.controls["slope"].value = -1.0
    >>> tuple(live.figure.data[0].y)
    (-0.0, -1.0, -2.0)
    """
    units, labels = units or {}, labels or {}
    if not controls:
        raise ValueError("slider_figure got no controls; wanted at least one, such as k=(1, 5)")
    for name in (*units, *labels, *log):
        if name not in controls:
            raise ValueError(f"{name!r} has a unit, label or log scale but no control; controls: {', '.join(controls)}")
    signature = inspect.signature(fn)
    starts = {
        name: parameter.default
        for name, parameter in signature.parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    built = {
        name: control(
            spec,
            label=labels.get(name, name),
            value=starts.get(name),
            unit=units.get(name, ""),
            log=name in log,
        )
        for name, spec in controls.items()
    }
    return SliderFigure(fn, built, alt=alt)
