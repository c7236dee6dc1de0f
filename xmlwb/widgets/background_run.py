"""A job beside the reader: Start and Stop buttons, a bar, a line that says where it is, and the thread that does it."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import Literal, Self

import ipywidgets as widgets

from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.messages import error_line, plain_line

State = Literal["ready", "running", "stopping", "stopped", "finished", "failed"]

_BAR_STYLES = {"finished": "success", "stopped": "warning", "failed": "danger"}


class BackgroundRun(widgets.VBox):
    """Base of the widgets that work in a thread while the cell that shows them has long ended.

    The Stop button only raises a flag, ``_stop_asked``, which the job reads between its steps.

    Parameters
    ----------
    job : str
        What runs, for messages: "fit".
    step : str
        What the job ends after when it is asked to stop: "step".
    kept : str
        What Stop keeps: "model".

    Attributes
    ----------
    state : {"ready", "running", "stopping", "stopped", "finished", "failed"}
        "stopping" from the press of Stop until the current step is over.
    error : Exception or None
        What ended a failed run.
    """

    def __init__(self, *, job: str, step: str, kept: str) -> None:
        self._job = job
        self.state: State = "ready"
        self.error: Exception | None = None
        self._lock = threading.RLock()
        self._stop_asked = threading.Event()
        self._thread: threading.Thread | None = None
        self._start_button = widgets.Button(description="Start", icon="play", button_style="primary")
        self._stop_button = widgets.Button(
            description="Stop",
            icon="stop",
            button_style="danger",
            tooltip=f"End after the current {step}; keep the {kept}",
        )
        self._bar = widgets.IntProgress(min=0, max=1, layout={"width": "200px"})
        self._status = widgets.HTML()
        # A double click sends two messages; the second finds the job running and is no mistake of the reader's.
        self._start_button.on_click(lambda _button: None if self.running else self.start())
        self._stop_button.on_click(lambda _button: self.stop())
        hear_beside_cells(self._stop_button)
        self._controls = widgets.Box(
            [self._start_button, self._stop_button, self._bar, self._status],
            layout={"display": "flex", "flex_flow": "row wrap", "align_items": "center", "grid_gap": "4px 12px"},
        )
        super().__init__([self._controls])

    # -- what the notebook calls -----------------------------------------------------------------------------------

    def start(self) -> Self:
        """Run in a thread and return at once.

        Raises
        ------
        RuntimeError
            If it is running already.
        """
        with self._lock:
            if self.running:
                raise RuntimeError(f"this {type(self).__name__} is still running; press Stop, or call wait() first")
            self._stop_asked.clear()
            self.error = None
            self.state = "running"
            self._before_start()
            self._show()
            self._thread = threading.Thread(target=self._run, name=type(self).__name__, daemon=True)
            self._thread.start()
        return self

    def stop(self) -> None:
        """Ask it to end after its current step; does nothing where none is running."""
        self._stop_asked.set()
        with self._lock:
            if self.state == "running":
                self.state = "stopping"
                self._show()

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has ended, and start it first if nobody has.

        In JupyterLab >= 4.4 the Stop button is heard while a cell waits here; elsewhere interrupt the cell, which
        stops the run too.

        Parameters
        ----------
        timeout : float, optional
            Seconds.

        Raises
        ------
        TimeoutError
            If it is still running after ``timeout`` seconds; it goes on.
        Exception
            What the run raised.
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
            raise TimeoutError(f"the {self._job} is still running after timeout={timeout} s: {self.status}")
        if self.error is not None:
            raise self.error
        return self

    @property
    def running(self) -> bool:
        """Whether it is under way."""
        return self.state in ("running", "stopping")

    @property
    @abstractmethod
    def status(self) -> str:
        """Where it is, in one line."""

    # -- what the job fills in -------------------------------------------------------------------------------------

    @abstractmethod
    def _work(self) -> bool:
        """Do the job; whether it came to its own end rather than being stopped."""

    @abstractmethod
    def _draw(self) -> None:
        """Show all that is known; called once the job has ended."""

    def _before_start(self) -> None:
        """Make ready for a run."""

    def _run(self) -> None:
        try:
            finished = self._work()
        except Exception as error:  # shown in the widget, raised again by wait()
            with self._lock:
                self.error, self.state = error, "failed"
        else:
            with self._lock:
                self.state = "finished" if finished else "stopped"
        with self._lock:
            self._show()
            self._draw()

    def _show(self) -> None:
        self._stop_button.disabled = self.state != "running"
        self._stop_button.description = "Stopping" if self.state == "stopping" else "Stop"
        self._bar.bar_style = _BAR_STYLES.get(self.state, "")
        self._status.value = error_line(self.error) if self.error is not None else plain_line(self.status)
