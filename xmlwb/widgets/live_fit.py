"""Any model training beside the reader: a live curve, a Stop button that works, a usable model afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from xmlwb.models.callbacks import STOP, Callback, Event
from xmlwb.plots import learning_curve
from xmlwb.widgets.background_run import BackgroundRun
from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.memory import memory_note
from xmlwb.widgets.messages import warning_line

_REDRAW_SECONDS = 0.2
# Drawing may take this share of the training time at most; a curve of thousands of points is redrawn less often.
_REDRAW_SHARE = 0.1


class LiveFit(BackgroundRun):
    """Train a model in a thread, watch its curve, and stop it when you have seen enough.

    The cell that shows the widget ends at once; training goes on beside the notebook. The Stop button only raises a
    flag, which the model's callback reads after its current step, so that the model always ends in a usable state.
    Start trains again from the beginning.

    Parameters
    ----------
    model : estimator, or callable without arguments that returns one
        A callable is asked at each start: ``LiveFit(panel.model, X, Y)`` trains what a `ParameterPanel` says then.
    X, Y : sparse or dense arrays, shapes (n, d) and (n, L)
        Training data.
    eval_set : (X_valid, Y_valid), optional
        Validation data, whose figures the curve shows.
    callback : callable, optional
        One more callback beside the widget's own, such as `xmlwb.models.callbacks.EarlyStopping`.
    start : bool, default False
        Begin at once rather than at the press of the button.
    title : str, optional
        Stands above the curve; otherwise the name of the model's class.

    Attributes
    ----------
    model : estimator
        The model; after a fit that ended or was stopped it predicts.
    events : list of Event
        What the present or last fit has said.
    state : {"ready", "running", "stopping", "stopped", "finished", "failed"}
        "stopping" from the press of Stop until the current step is over.
    error : Exception or None
        What ended a failed fit.
    callback : callable or None
        The further callback; a new one is heard from the next event on.

    Examples
    --------
    >>> from scipy.sparse import eye_array
    >>> from xmlwb.models import Popular
    >>> X = Y = eye_array(4, format="csr", dtype="float32")
    >>> live = LiveFit(Popular(), X, Y).start()
    >>> live.result(timeout=60).predict_topk(X, k=1).shape
    (4, 4)
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        Y: Any,
        *,
        eval_set: tuple[Any, Any] | None = None,
        callback: Callback | None = None,
        start: bool = False,
        title: str | None = None,
    ) -> None:
        self._make_model: Callable[[], Any] = (lambda: model) if hasattr(model, "fit") else model
        self.model = self._make_model()
        self._data = (X, Y, eval_set)
        self.callback = callback
        self._title = title
        self.events: list[Event] = []
        self._last_draw = self._draw_cost = 0.0
        self._note = widgets.HTML()
        self.view = LiveFigure(alt="Learning curve of the running fit")
        super().__init__(job="fit", step="step", kept="model")
        self.children = (self._controls, self._note, self.view)
        self._say_memory()
        self._show()
        if start:
            self.start()

    def result(self, timeout: float | None = None) -> Any:
        """Wait as `wait` does, then return the fitted model."""
        return self.wait(timeout).model

    @property
    def status(self) -> str:
        """Where the fit is, in one line."""
        if self.state == "ready":
            return "ready; press Start"
        if not self.events:
            return {"failed": "failed before the first step", "finished": "finished"}.get(self.state, "running ...")
        last = self.events[-1]
        where = f"{last.step:,} of {last.total:,} {_plural(last.stage)}, {last.elapsed:.1f} s"
        figures = ", ".join(f"{name} {_number(value)}" for name, value in last.figures.items())
        learned = f"{where}: {figures}" if figures else where
        usable = f"{where}; the model is usable" + (f": {figures}" if figures else "")
        return {
            "running": f"running: {learned}",
            "stopping": f"stopping after the current step: {learned}",
            "stopped": f"stopped after {usable}",
            "finished": f"finished {usable}",
            "failed": f"failed after {where}",
        }[self.state]

    # -- what the thread does --------------------------------------------------------------------------------------

    def _before_start(self) -> None:
        self.model = self._make_model()
        self.events = []
        self._last_draw = 0.0
        self._say_memory()

    def _work(self) -> bool:
        X, Y, eval_set = self._data
        self.model.fit(X, Y, eval_set=eval_set, callback=self._on_event)
        return not self.events or self.events[-1].step == self.events[-1].total

    def _on_event(self, event: Event) -> Any:
        with self._lock:
            self.events.append(event)
        stop_early = self.callback(event) if self.callback is not None else None
        now = time.perf_counter()
        if now - self._last_draw >= max(_REDRAW_SECONDS, self._draw_cost / _REDRAW_SHARE):
            with self._lock:
                self._draw()
                self._show()
        return STOP if self._stop_asked.is_set() else stop_early

    def _draw(self) -> None:
        if not self.events:
            return
        begin = time.perf_counter()
        figure = learning_curve(self.events)
        figure.update_layout(title=self._title or type(self.model).__name__)
        self.view.show(figure)
        self._last_draw = time.perf_counter()
        self._draw_cost = self._last_draw - begin

    # -- what the page shows ---------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._start_button.description = "Start" if self.state == "ready" else "Start again"
        self._start_button.disabled = self.running
        if self.events:
            self._bar.max, self._bar.value = self.events[-1].total, self.events[-1].step
        else:
            self._bar.value = 0
        super()._show()

    def _say_memory(self) -> None:
        X, Y, _ = self._data
        note, fits = memory_note(self.model, X, Y)
        self._note.value = "" if fits else warning_line(f"{note} Start only if you can spare the machine.")


def _plural(stage: str) -> str:
    """'block of labels' -> 'blocks of labels', 'half step' -> 'half steps', 'pass' -> 'passes'."""
    head, of, tail = stage.partition(" of ")
    return f"{head}{'es' if head.endswith('s') else 's'}{of}{tail}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1 else f"{value:.3g}"
