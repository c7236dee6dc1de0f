"""An algorithm step by step: a button that makes the next step, a slider over all of them, another start."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import ipywidgets as widgets
import plotly.graph_objects as go

from xmlwb.widgets.controls import STYLE, control
from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.messages import error_line

State = TypeVar("State")


class StepFigure(widgets.VBox, Generic[State]):
    """A figure of one step of a run; see `step_figure`.

    Attributes
    ----------
    controls : dict of str to widget
        The control of each argument of the run.
    step : IntSlider
        The step that is shown, from 0.
    next_button, back_button, again_button : Button
        ``again_button`` is None where the run takes no seed.
    states : sequence
        All steps of the present run.
    figure : plotly.graph_objects.Figure or None
        The figure shown now.
    """

    def __init__(
        self,
        run: Callable[..., Sequence[State]],
        draw: Callable[[Sequence[State], int], go.Figure],
        controls: dict[str, widgets.ValueWidget],
        *,
        seed: tuple[str, int] | None = None,
        alt: str = "",
    ) -> None:
        self._run, self._draw_figure = run, draw
        self._seed = seed
        self._drawing = True
        self.controls = controls
        self.view = LiveFigure(alt=alt)
        self.figure: go.Figure | None = None
        self._message = widgets.HTML()
        self.next_button = widgets.Button(description="Next step", icon="step-forward", button_style="primary")
        self.back_button = widgets.Button(description="Back", icon="step-backward", layout={"width": "100px"})
        self.again_button = widgets.Button(description="Another start", icon="refresh") if seed else None
        self.step = widgets.IntSlider(
            value=0, min=0, max=0, description="step", style=STYLE, layout={"width": "min(360px, 95%)"}
        )
        self.states: Sequence[State] = run(**self.values)  # what fails here is the author's mistake, and raises
        self.step.max = len(self.states) - 1
        self._show()
        buttons = [self.back_button, self.next_button, *([self.again_button] if self.again_button else []), self.step]
        flow = {"display": "flex", "flex_flow": "row wrap", "grid_gap": "4px 24px"}
        rows = [widgets.Box(list(controls.values()), layout=flow)] if controls else []
        super().__init__([*rows, widgets.Box(buttons, layout=flow), self.view, self._message])
        self.add_class("xmlwb-step-figure")
        self.step.observe(lambda _change: self._show(), names="value")
        self.next_button.on_click(lambda _button: self._go(1))
        self.back_button.on_click(lambda _button: self._go(-1))
        if self.again_button is not None:
            self.again_button.on_click(lambda _button: self._start_again())
        for widget in controls.values():
            widget.observe(lambda _change: self._begin(), names="value")

    @property
    def values(self) -> dict[str, Any]:
        """What the controls say now, and the seed, as the keyword arguments of the run."""
        seed = {} if self._seed is None else {self._seed[0]: self._seed[1]}
        return {**{name: widget.value for name, widget in self.controls.items()}, **seed}

    def _go(self, by: int) -> None:
        self.step.value = min(max(self.step.value + by, 0), self.step.max)

    def _start_again(self) -> None:
        if self._seed is not None:
            self._seed = (self._seed[0], self._seed[1] + 1)
        self._begin()

    def _begin(self) -> None:
        """Another run from its first step."""
        try:
            self.states = self._run(**self.values)
        except Exception as error:  # a wrong choice must not take the widget down with it
            self._message.value = error_line(error, "the figure above is of the last run that could be made")
            return
        self._drawing = False  # the slider goes back to 0, and nothing is drawn before it has its new length
        self.step.value = 0
        self.step.max = len(self.states) - 1
        self._drawing = True
        self._show()

    def _show(self) -> None:
        if not self._drawing:
            return
        at = self.step.value
        self.next_button.disabled = at == len(self.states) - 1
        self.back_button.disabled = at == 0
        self._message.value = ""
        self.figure = self._draw_figure(self.states, at)
        self.view.show(self.figure)


def step_figure(
    run: Callable[..., Sequence[State]],
    draw: Callable[[Sequence[State], int], go.Figure],
    /,
    *,
    seed: str | None = None,
    units: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    alt: str = "",
    **controls: Any,
) -> StepFigure[State]:
    """Put a "Next step" button and a slider over the steps of an algorithm above a figure of each.

    Parameters
    ----------
    run : callable
        ``run(**values)`` returns all steps, the first before anything was done. Its own defaults are where the
        controls start.
    draw : callable
        ``draw(steps, at)`` returns the figure of the step with index ``at``.
    seed : str, optional
        The argument of ``run`` that the button "Another start" raises by one.
    units, labels : mapping of argument name to str, optional
        The unit and the label of a control.
    alt : str
        What the figure shows, for readers who cannot see it.
    **controls
        Further arguments of ``run``, as `slider_figure` takes them; a change starts again at step 0.

    Raises
    ------
    ValueError
        If a unit or label names no control, or ``run`` has no argument of the seed's name with a default.
    Exception
        What ``run`` and ``draw`` raise where the controls start.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> def halving(start=8):
    ...     return [start, start // 2, start // 4]
    >>> steps = step_figure(halving, lambda states, at: go.Figure(go.Bar(y=states[: at + 1])), start=[8, 16])
    >>> steps.next_button.click()
    >>> tuple(steps.figure.data[0].y)
    (8, 4)
    """
    units, labels = units or {}, labels or {}
    for name in (*units, *labels):
        if name not in controls:
            raise ValueError(f"{name!r} has a unit or label but no control; controls: {', '.join(controls) or 'none'}")
    starts = {
        name: parameter.default
        for name, parameter in inspect.signature(run).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    if seed is not None and seed not in starts:
        raise ValueError(f"seed is {seed!r}; wanted an argument of the run with a default: {', '.join(starts)}")
    built = {
        name: control(spec, label=labels.get(name, name), value=starts.get(name), unit=units.get(name, ""))
        for name, spec in controls.items()
    }
    return StepFigure(run, draw, built, seed=None if seed is None else (seed, starts[seed]), alt=alt)
