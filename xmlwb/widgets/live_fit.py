"""Any model training beside the reader: a live curve, a Stop button that works, a usable model afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Literal, Self

import ipywidgets as widgets

from xmlwb.models.callbacks import STOP, Callback, Event
from xmlwb.plots import learning_curve
from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.figure import LiveFigure
from xmlwb.widgets.memory import memory_note
from xmlwb.widgets.messages import error_line, plain_line, warning_line

State = Literal["ready", "running", "stopping", "stopped", "finished", "failed"]

_REDRAW_SECONDS = 0.2
# Drawing may take this share of the training time at most; a curve of thousands of points is redrawn less often.
_REDRAW_SHARE = 0.1
_BAR_STYLES = {"finished": "success", "stopped": "warning", "failed": "danger"}


class LiveFit(widgets.VBox):
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
        self.state: State = "ready"
        self.events: list[Event] = []
        self.error: Exception | None = None
        self._lock = threading.RLock()
        self._stop_asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._last_draw = self._draw_cost = 0.0

        self._start_button = widgets.Button(
            description="Start", icon="play", button_style="primary", tooltip="Train from the beginning"
        )
        self._stop_button = widgets.Button(
            description="Stop", icon="stop", button_style="danger", tooltip="End after the current step; keep the model"
        )
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "200px"})
        self._status = widgets.HTML()
        self._note = widgets.HTML()
        self.view = LiveFigure(alt="Learning curve of the running fit")
        self._start_button.on_click(lambda _button: self._start_from_button())
        self._stop_button.on_click(lambda _button: self.stop())
        hear_beside_cells(self._stop_button)
        controls = widgets.Box(
            [self._start_button, self._stop_button, self._bar, self._status],
            layout={"display": "flex", "flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"},
        )
        super().__init__([controls, self._note, self.view])
        self._say_memory()
        self._show()
        if start:
            self.start()

    # -- what the notebook calls -----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Train from the beginning in a thread and return at once.

        Raises
        ------
        RuntimeError
            If a fit is still running.
        """
        with self._lock:
            if self.running:
                raise RuntimeError("this LiveFit is still training; press Stop, or call wait() first")
            self.model = self._make_model()
            self.events, self.error = [], None
            self._stop_asked.clear()
            self.state = "running"
            self._last_draw = 0.0
            self._say_memory()
            self._show()
            self._thread = threading.Thread(target=self._train, name="LiveFit", daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ask the fit to end after its current step; does nothing where none is running."""
        self._stop_asked.set()
        with self._lock:
            if self.state == "running":
                self.state = "stopping"
                self._show()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until the fit has ended, and start it first if nobody has.

        In JupyterLab >= 4.4 the Stop button is heard while a cell waits here; elsewhere interrupt the cell, which
        stops the fit too.

        Parameters
        ----------
        timeout : float, optional
            Seconds.

        Raises
        ------
        TimeoutError
            If the fit is still running after ``timeout`` seconds; it goes on.
        Exception
            What the fit raised.
        """
        if self._thread is None:
            self.start()
        thread = self._thread
        assert thread is not None
        try:
            thread.join(timeout)
        except KeyboardInterrupt:
            self.stop()
            raise
        if thread.is_alive():
            raise TimeoutError(f"the fit is still running after timeout={timeout} s: {self.status}")
        if self.error is not None:
            raise self.error
        return self

    def result(self, timeout: float | None = None) -> Any:
        """Wait as `wait` does, then return the fitted model."""
        return self.wait(timeout).model

    @property
    def running(self) -> bool:
        """Whether a fit is under way."""
        return self.state in ("running", "stopping")

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

    def _train(self) -> None:
        X, Y, eval_set = self._data
        try:
            self.model.fit(X, Y, eval_set=eval_set, callback=self._on_event)
        except Exception as error:  # shown in the widget, raised again by wait() and result()
            with self._lock:
                self.error = error
                self.state = "failed"
        else:
            with self._lock:
                ended_early = bool(self.events) and self.events[-1].step < self.events[-1].total
                self.state = "stopped" if ended_early else "finished"
        with self._lock:
            self._show()
            self._draw()

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
        self._stop_button.disabled = self.state != "running"
        self._stop_button.description = "Stopping" if self.state == "stopping" else "Stop"
        if self.events:
            self._bar.max, self._bar.value = self.events[-1].total, self.events[-1].step
        else:
            self._bar.value = 0
        self._bar.bar_style = _BAR_STYLES.get(self.state, "")
        self._status.value = error_line(self.error) if self.error is not None else plain_line(self.status)

    def _say_memory(self) -> None:
        X, Y, _ = self._data
        note, fits = memory_note(self.model, X, Y)
        self._note.value = "" if fits else warning_line(f"{note} Start only if you can spare the machine.")

    def _start_from_button(self) -> None:
        # A double click sends two messages; the second finds the fit running and is no mistake of the reader's.
        if not self.running:
            self.start()


def _plural(stage: str) -> str:
    """'block of labels' -> 'blocks of labels', 'half step' -> 'half steps', 'pass' -> 'passes'."""
    head, of, tail = stage.partition(" of ")
    return f"{head}{'es' if head.endswith('s') else 's'}{of}{tail}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 1 else f"{value:.3g}"
