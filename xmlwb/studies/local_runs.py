"""Runs on this machine's processes: joblib's loky, which starts them afresh and survives their death."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import Future
from pathlib import Path

from joblib.externals.loky import ProcessPoolExecutor

from xmlwb.studies.one_run import run_job
from xmlwb.studies.settings import Job
from xmlwb.studies.worker_gpu import PLACES
from xmlwb.studies.workers import cpu_count

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class LocalWorkers:
    """Worker processes on this machine.

    Parameters
    ----------
    n_workers : int or None
        Default: as many as there are CPUs.
    places : Path
        A folder for `worker_gpu`.
    """

    def __init__(self, n_workers: int | None, places: Path) -> None:
        if n_workers is not None and n_workers < 1:
            raise ValueError(f"n_jobs: found {n_workers}, wanted at least 1")
        self.n_workers = n_workers or cpu_count()
        self.n_threads = max(1, cpu_count() // self.n_workers)
        self._environment = dict.fromkeys(_THREAD_VARIABLES, str(self.n_threads)) | {PLACES: str(places)}
        self._pool = self._new_pool()

    def submit(self, job: Job) -> Future:
        return self._pool.submit(run_job, job, self.n_threads)

    def renew(self) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)
        self._pool = self._new_pool()

    def close(self) -> None:
        self._pool.shutdown(wait=True, kill_workers=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        pool = ProcessPoolExecutor(
            self.n_workers, initializer=_end_with, initargs=(os.getpid(),), env=self._environment, timeout=None
        )
        pool.submit(_nothing)  # so that they start now
        return pool


def _nothing() -> None:
    """What a worker does to have imported this module, and with it all that a run needs."""


def _end_with(study: int) -> None:
    """End this worker soon after the study's own process is gone: nobody would take its run.

    Ctrl-C in a terminal reaches the workers too; the study's process is the one that answers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == study:
            time.sleep(1)
        os._exit(1)

    if os.getppid() == study:
        threading.Thread(target=watch, daemon=True).start()
