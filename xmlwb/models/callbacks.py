"""What a fit says while it runs, and how it is told to stop.

Every model's ``fit`` takes ``callback(event)``. Progress bars, live plots, early stopping and Stop buttons are all
callbacks, so a method knows about none of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final


class _Stop:
    """The type of `STOP`; a singleton, so that ``callback(event) is STOP`` is the whole protocol."""

    def __repr__(self) -> str:
        return "STOP"


STOP: Final = _Stop()


@dataclass(frozen=True)
class Event:
    """One step of a fit: an epoch, a tree, a level or a group of labels that has just been finished.

    Parameters
    ----------
    stage : str
        What a step is, in the singular: ``"group of labels"``, ``"epoch"``, ``"tree"``.
    step, total : int
        Steps finished and steps planned; ``1 <= step <= total``.
    elapsed : float
        Seconds since the fit began.
    figures : dict of str to float
        What the model can tell at no great cost, for example ``{"labels": 160, "valid P@1": 0.71}``.
    """

    stage: str
    step: int
    total: int
    elapsed: float
    figures: dict[str, float] = field(default_factory=dict)


Callback = Callable[[Event], "_Stop | None"]


def _ask(callback: Callback, event: Event) -> _Stop | None:
    answer = callback(event)
    if answer is not None and answer is not STOP:
        raise TypeError(f"callback returned {answer!r}; wanted None (go on) or xmlwb.models.STOP")
    return answer


class Reporter:
    """The models' side of the protocol: counts the steps, keeps the time, remembers a STOP.

    A callback that returns anything but None or `STOP` is a mistake that would otherwise pass in silence
    (``return True``), so it is refused.
    """

    def __init__(self, callback: Callback | None, stage: str, total: int) -> None:
        self._callback = callback
        self.stage = stage  # a method whose steps are of several kinds changes it on the way
        self._start = time.perf_counter()
        self.total = total
        self.step = 0
        self.stopped = False

    def __call__(self, figures: dict[str, float] | None = None) -> bool:
        """Report one more finished step; True if the fit should end here."""
        self.step += 1
        if self._callback is None:
            return False
        elapsed = time.perf_counter() - self._start
        event = Event(self.stage, self.step, self.total, elapsed, figures or {})
        self.stopped = _ask(self._callback, event) is STOP
        return self.stopped


class Progress:
    """A progress bar in a terminal or a notebook (tqdm), with the event's figures beside it.

    >>> from xmlwb.models.callbacks import Event, Progress
    >>> bar = Progress(disable=True)
    >>> bar(Event("epoch", 1, 2, 0.1, {"loss": 0.5}))
    """

    def __init__(self, **tqdm_options: Any) -> None:
        self._options = tqdm_options
        self._bar: Any = None

    def __call__(self, event: Event) -> None:
        from tqdm.auto import tqdm

        if self._bar is None or event.step == 1:
            self._bar = tqdm(total=event.total, unit=event.stage, **self._options)
        bar = self._bar
        bar.update(event.step - bar.n)
        bar.set_postfix({name: f"{value:.4g}" for name, value in event.figures.items()})
        if event.step == event.total:
            bar.close()
            self._bar = None


class EarlyStopping:
    """Ends a fit once a figure has not improved for some steps; events without the figure are passed over.

    Parameters
    ----------
    figure : str
        Which of the event's figures to watch; it must come from validation data, never from test data.
    patience : int
        Events with the figure, but without improvement, that end the fit.
    min_delta : float
        What counts as an improvement.
    mode : {"max", "min"}
        Whether larger or smaller is better.

    Raises
    ------
    KeyError
        At the fit's last event, if none has had the figure (it names those that there were).

    Examples
    --------
    >>> stop_early = EarlyStopping("valid P@1", patience=2)
    >>> [stop_early(Event("epoch", i + 1, 9, 0.0, {"valid P@1": p})) for i, p in enumerate([0.5, 0.6, 0.6, 0.5])]
    [None, None, None, STOP]
    """

    def __init__(
        self, figure: str = "valid P@1", *, patience: int = 3, min_delta: float = 0.0, mode: str = "max"
    ) -> None:
        if mode not in ("max", "min"):
            raise ValueError(f"mode is {mode!r}; wanted 'max' or 'min'")
        if patience < 1:
            raise ValueError(f"patience is {patience}; wanted at least 1")
        self.figure, self.patience, self.min_delta = figure, patience, min_delta
        self._sign = 1.0 if mode == "max" else -1.0
        self._best = -float("inf")
        self._waited = 0
        self._reported: set[str] = set()

    def __call__(self, event: Event) -> _Stop | None:
        if event.step == 1:
            self._best, self._waited, self._reported = -float("inf"), 0, set()
        self._reported.update(event.figures)
        if self.figure not in event.figures:
            if event.step == event.total and self.figure not in self._reported:
                known = ", ".join(sorted(self._reported)) or "none (was eval_set given?)"
                raise KeyError(f"the fit reports no figure {self.figure!r}; it reports: {known}")
            return None
        value = self._sign * event.figures[self.figure]
        if value > self._best + self.min_delta:
            self._best, self._waited = value, 0
            return None
        self._waited += 1
        return STOP if self._waited >= self.patience else None


def chain(*callbacks: Callback) -> Callback:
    """Join callbacks into one: all of them see every event, and any of them can stop the fit."""

    def call_all(event: Event) -> _Stop | None:
        answers = [_ask(callback, event) for callback in callbacks]
        return STOP if any(answer is STOP for answer in answers) else None

    return call_all
