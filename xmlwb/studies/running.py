"""One call of `Study.run`: what is on disk is kept, what is missing is made, in the study's order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from xmlwb.models.callbacks import STOP
from xmlwb.studies.opened import Opened
from xmlwb.studies.runs import FAILED, METRICS, RunTable, read_runs
from xmlwb.studies.search import Trials
from xmlwb.studies.settings import Job
from xmlwb.studies.workers import LateWorkers, make_runs

if TYPE_CHECKING:
    from xmlwb.studies.study import Study

Row = Mapping[str, Any]


@dataclass(frozen=True)
class StudyEvent:
    """Something happened to a run of a study.

    Attributes
    ----------
    kind : {"begin", "start", "end"}
        "begin" once, when data are loaded and it is known what is missing; a run starts; a run has ended, and is on
        disk.
    label, data, seed : str, str, int
        Of the run; empty and -1 at the beginning.
    row : mapping or None
        The ended run's columns.
    done, total : int
        Runs that are on disk, and those of the whole study.
    elapsed, remaining : float
        Seconds since the beginning, and those that are left if runs go on as they did; NaN where nothing is known.
    """

    kind: Literal["begin", "start", "end"]
    label: str
    data: str
    seed: int
    row: Row | None
    done: int
    total: int
    elapsed: float
    remaining: float


StudyCallback = Callable[[StudyEvent], Any]


def stored_runs(folder: str | os.PathLike) -> dict[str, Row]:
    """What matters of the rows in a folder, by their runs; none where it holds no study yet."""
    if not (Path(folder) / "runs").is_dir():
        return {}
    runs = read_runs(folder)[["run", "status", "curve", *METRICS]]
    return {str(row["run"]): row for row in runs.to_dict("records")}  # type: ignore[misc]


class Running:
    """A study under way.

    Parameters
    ----------
    study : Study
    opened : Opened
    table : RunTable
        Held for writing.
    workers : LateWorkers
    callback : callable or None
    retry_failed : bool

    Attributes
    ----------
    wanted : dict with the study's runs as its keys
        As far as they are known, in its order.
    """

    def __init__(
        self,
        study: Study,
        opened: Opened,
        table: RunTable,
        workers: LateWorkers,
        callback: StudyCallback | None,
        retry_failed: bool,
    ) -> None:
        self._study, self._opened, self._table, self._callback = study, opened, table, callback
        self._rows = stored_runs(table.folder)
        if retry_failed:
            self._rows = {run: row for run, row in self._rows.items() if row["status"] != FAILED}
        self.wanted: dict[str, None] = {}
        self._done = self._made = 0
        self._total = study.n_runs
        self._begin = time.perf_counter()
        self._stopped = False
        self._workers = workers

    def make_all(self) -> None:
        """The grid, then the search, unless the callback stops it."""
        grid = self._opened.grid_jobs()
        self._total -= len(self._study.planned()) - len(grid)  # settings that mean the same
        self._done = sum(job.run in self._rows for job in grid)
        self._say("begin")
        if self._make(grid, counted=True):
            self._search(len(grid))

    def _search(self, place: int) -> None:
        search = self._study.search
        if search is None:
            return
        searches = [Trials(search, *of) for of in self._study.searches()]
        places = [place + i * search.trials for i in range(len(searches))]
        while True:
            batches = []
            for i, trials in enumerate(searches):
                pruning = trials.pruning()
                jobs = []
                for planned in trials.ask():
                    jobs.append(self._opened.job(planned, places[i], pruning))
                    places[i] += 1
                batches.append(jobs)
            if not any(batches) or not self._make([job for jobs in batches for job in jobs], counted=False):
                return
            for trials, jobs in zip(searches, batches, strict=True):
                trials.tell([self._rows[job.run] for job in jobs])

    def _make(self, jobs: list[Job], *, counted: bool) -> bool:
        """Make those that are missing; whether it came to the end."""
        missing: dict[str, Job] = {}
        for job in jobs:
            self.wanted.setdefault(job.run)
            if job.run not in self._rows:
                if job.run in missing and not counted:
                    self._done += 1  # a trial that the search asks for twice in a batch
                missing.setdefault(job.run, job)
            elif not counted:
                self._done += 1
        if not missing or self._stopped:
            return not self._stopped
        for job, row, predicted in make_runs(iter(missing.values()), self._workers.started(), self._starting):
            self._table.add(row, predicted)
            self._rows[job.run] = row
            self._done += 1
            self._made += 1
            self._say("end", job, row)
        return not self._stopped

    def _starting(self, job: Job) -> bool:
        if not self._stopped:
            self._say("start", job)
        return not self._stopped

    def _say(self, kind: Literal["begin", "start", "end"], job: Job | None = None, row: Row | None = None) -> None:
        if self._callback is None:
            return
        elapsed = time.perf_counter() - self._begin
        left = elapsed / self._made * (self._total - self._done) if self._made else float("nan")
        label, data, seed = (job.label, job.data, job.seed) if job is not None else ("", "", -1)
        event = StudyEvent(kind, label, data, seed, row, self._done, self._total, elapsed, left)
        if self._callback(event) is STOP:
            self._stopped = True
