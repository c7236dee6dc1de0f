"""A study running beside the reader: a table that fills, the time that is left, and a Stop button."""

from __future__ import annotations

import os
import time
from collections import deque
from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd

from xmlwb.models.callbacks import STOP
from xmlwb.studies.forecast import in_time
from xmlwb.studies.running import StudyEvent
from xmlwb.studies.runs import METRICS, OK
from xmlwb.studies.study import Study
from xmlwb.studies.sweep_view import outcome
from xmlwb.widgets.background_run import BackgroundRun

_REDRAW_SECONDS = 0.3
_SHOWN_METRICS = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5", "coverage@5")
_LAST = 6


class LiveStudy(BackgroundRun):
    """Run a study in a thread, watch its table, and stop it when you have seen enough.

    Stop lets the runs that are under way end; every finished run is on disk, and Start goes on with what is missing,
    also in another session.

    Parameters
    ----------
    study : Study
    folder : path-like
        Where its runs are kept.
    n_jobs, dask : optional
        As in `Study.run`.
    start : bool, default False
        Begin at once rather than at the press of the button.
    rows : int, default 15
        Most settings that the table shows, the best first.

    Attributes
    ----------
    runs : DataFrame
        After the end: the study's runs, as `Study.run` returns them.
    events : int
        How many runs this session has made.
    state, error
        As in `BackgroundRun`.

    Examples
    --------
    >>> study = Study({"name": "synthetic", "options": {"n": 200, "L": 20}}, ["popular", "ova"])
    >>> LiveStudy(study, "folder of the study").status
    'ready: 2 runs; press Start'
    """

    def __init__(
        self,
        study: Study,
        folder: str | os.PathLike,
        *,
        n_jobs: int | None = None,
        dask: str | bool | None = None,
        start: bool = False,
        rows: int = 15,
    ) -> None:
        self.study, self.folder = study, folder
        self._how: dict[str, Any] = {"n_jobs": n_jobs, "dask": dask}
        self._most = rows
        self.runs = pd.DataFrame()
        self.events = 0
        self._last_event: StudyEvent | None = None
        self._under_way: list[str] = []
        self._ended: list[dict[str, Any]] = []
        self._lines: deque[str] = deque(maxlen=_LAST)
        self._last_draw = 0.0
        self._table = widgets.HTML()
        self._log = widgets.HTML()
        super().__init__(job="study", step="runs under way", kept="finished runs")
        self.children = (self._controls, self._table, self._log)
        self._show()
        if start:
            self.start()

    def result(self, timeout: float | None = None) -> pd.DataFrame:
        """Wait as `wait` does, then return the runs."""
        return self.wait(timeout).runs

    @property
    def status(self) -> str:
        """Where the study is, in one line."""
        if self.state == "ready":
            return f"ready: {self.study.n_runs} runs; press Start"
        event = self._last_event
        if event is None:
            return {"failed": "failed before the first run", "finished": "finished"}.get(self.state, "loading data ...")
        where = f"{event.done:,} of {event.total:,} runs, {in_time(event.elapsed)}"
        left = "" if pd.isna(event.remaining) else f", about {in_time(event.remaining)} left"
        now = f"; now {', '.join(self._under_way)}" if self._under_way else ""
        return {
            "running": f"running: {where}{left}{now}",
            "stopping": f"stopping after the runs under way: {where}{now}",
            "stopped": f"stopped after {where}; Start goes on from there",
            "finished": f"finished {where}",
            "failed": f"failed after {where}; finished runs are kept",
        }[self.state]

    # -- what the thread does --------------------------------------------------------------------------------------

    def _before_start(self) -> None:
        self._last_event, self._last_draw, self.events = None, 0.0, 0
        self._under_way, self._ended = [], []
        self._lines.clear()

    def _work(self) -> bool:
        self.runs = self.study.run(self.folder, callback=self._on_event, **self._how)
        return self._last_event is None or self._last_event.done >= self._last_event.total

    def _on_event(self, event: StudyEvent) -> Any:
        name = f"{event.label} seed {event.seed}"
        with self._lock:
            self._last_event = event
            if event.kind == "start":
                self._under_way.append(name)
            elif event.row is not None:
                self.events += 1
                self._under_way = [other for other in self._under_way if other != name]
                self._ended.append(dict(event.row))
                self._lines.append(f"{event.data} {name}: {outcome(event.row)}")
            now = time.perf_counter()
            if now - self._last_draw >= _REDRAW_SECONDS:
                self._last_draw = now
                self._draw()
                self._show()
        return STOP if self._stop_asked.is_set() else None

    def _draw(self) -> None:
        """What this session has made; at the end, all runs of the study."""
        runs = pd.DataFrame(self._ended) if self.running or self.runs.empty else self.runs
        self._table.value = means_table(runs, self._most)
        lines = "".join(f"<div>{escape(line)}</div>" for line in self._lines)
        self._log.value = f'<div style="color: #555; font-size: 90%">{lines}</div>' if lines else ""

    # -- what the page shows ---------------------------------------------------------------------------------------

    def _show(self) -> None:
        self._start_button.description = "Start" if self.state in ("ready", "running", "stopping") else "Start again"
        if self.state == "stopped":
            self._start_button.description = "Go on"
        self._start_button.disabled = self.running
        event = self._last_event
        self._bar.max, self._bar.value = (max(1, event.total), event.done) if event is not None else (1, 0)
        super()._show()


def means_table(runs: pd.DataFrame, most: int) -> str:
    """Means over seeds as an HTML table, quality in per cent, the best P@5 first."""
    good = runs[runs["status"] == OK] if len(runs) else runs
    if not len(good):
        return ""
    shown = [metric for metric in _SHOWN_METRICS if metric in good and good[metric].notna().any()]
    grouped = good.groupby(["data", "label"], sort=False)
    means = grouped[[*shown, "train s", "ms per instance", "model MB"]].mean()
    means.insert(0, "seeds", grouped.size())
    best = "P@5" if "P@5" in shown else shown[-1]
    means = means.sort_values(best, ascending=False, kind="stable")
    head = "".join(f"<th>{escape(str(column))}</th>" for column in ("data", "run", *means.columns))
    body = []
    for index, row in means.head(most).iterrows():
        data, label = index  # type: ignore[misc]
        cells = [escape(str(data)), escape(str(label))]
        cells += [f"{100 * row[c]:.2f}" if c in METRICS else f"{row[c]:.3g}" for c in means.columns]
        body.append("<tr>" + "".join(f'<td style="padding: 0 8px">{cell}</td>' for cell in cells) + "</tr>")
    more = f"<div>and {len(means) - most} more</div>" if len(means) > most else ""
    caption = "<caption>Means over seeds, quality in per cent, best first</caption>"
    table = f"{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>"
    return f'<table class="xmlwb-study">{table}</table>{more}'
