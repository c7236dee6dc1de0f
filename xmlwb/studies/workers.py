"""Runs on several processes at once, whatever starts them: started one by one, given back as they end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from typing import Any, Protocol

from xmlwb.studies.one_run import Predicted, failed_row
from xmlwb.studies.settings import Job

Result = tuple[Job, dict[str, Any], Predicted | None]


class Workers(Protocol):
    """Processes that make runs: loky's or Dask's."""

    #: Runs that are under way at once.
    n_workers: int

    def submit(self, job: Job) -> Future:
        """A future of `run_job`'s answer; it fails with `BrokenExecutor` if a worker died."""

    def renew(self) -> None:
        """Start afresh after a worker has died, if that is needed."""

    def close(self) -> None:
        """Let the workers go."""


class LateWorkers:
    """Workers that start when they are first wanted; a context that lets them go at its end.

    Parameters
    ----------
    start : callable
        Makes them.
    """

    def __init__(self, start: Callable[[], Workers]) -> None:
        self._start = start
        self._workers: Workers | None = None

    def __enter__(self) -> LateWorkers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._workers is not None:
            self._workers.close()

    def started(self) -> Workers:
        """The workers."""
        if self._workers is None:
            self._workers = self._start()
        return self._workers


def cpu_count() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def make_runs(jobs: Iterator[Job], workers: Workers, starting: Callable[[Job], bool]) -> Iterator[Result]:
    """Make runs as workers are free, and give each as it ends.

    Parameters
    ----------
    jobs : iterator of Job
        Read no faster than workers are free.
    workers : Workers
    starting : callable
        Asked before each run; False ends it all after those that are under way.

    Notes
    -----
    If a worker dies, what was under way is made again, one run at a time: only the run that kills its worker even
    then is given up, as a failed row.
    """
    under_way: dict[Future, Job] = {}
    suspects: list[Job] = []
    more = True
    ended: list[Result] = []
    while True:
        while more and not suspects and len(under_way) < workers.n_workers:
            job = next(jobs, None)
            if job is None or not starting(job):
                more = False
                break
            under_way[workers.submit(job)] = job
        # Only now, so that no worker waits while its last run is written.
        yield from ended
        ended = []
        if suspects and not under_way:
            yield _alone(suspects.pop(0), workers)
            continue
        if not under_way:
            if more:
                continue
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            job = under_way.pop(future)
            try:
                row, predicted = future.result()
            except BrokenExecutor:
                suspects.append(job)
                continue
            ended.append((job, row, predicted))
        if suspects and not under_way:
            workers.renew()


def _alone(job: Job, workers: Workers) -> Result:
    try:
        return job, *workers.submit(job).result()
    except BrokenExecutor:
        workers.renew()
        return job, failed_row(job, "its process died twice, the second time alone (out of memory?)"), None
