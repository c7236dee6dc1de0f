"""Runs on a Dask cluster: one that is there already, or two or more processes of this machine.

A worker that dies costs the run that it was making: Dask gives that run to another. Workers elsewhere load the data by
name and refuse data that are not the study's.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import BrokenExecutor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from xmlwb.studies.one_run import run_job
from xmlwb.studies.settings import Job
from xmlwb.studies.worker_gpu import PLACES
from xmlwb.studies.workers import cpu_count

#: glibc's own thresholds, which distributed lowers: with its values torch gives memory back and takes it again at
#: every step, and runs at half speed.
_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": "134217728", "MALLOC_MMAP_THRESHOLD_": "33554432"}
_WAIT_SECONDS = 60


class ClusterWorkers:
    """Workers of a Dask cluster.

    Parameters
    ----------
    address : str or None
        The scheduler's, such as "tcp://host:8786"; None starts workers on this machine.
    n_workers : int or None
        Without an address: how many; default: as many as there are CPUs. With one: runs at once, default: the
        cluster's threads.
    places : Path
        A folder for `worker_gpu`.

    Raises
    ------
    ImportError
        Dask is not installed.
    OSError
        Nobody answers at the address, or no worker has come in a minute.
    """

    def __init__(self, address: str | None, n_workers: int | None, places: Path) -> None:
        if n_workers is not None and n_workers < 1:
            raise ValueError(f"n_jobs: found {n_workers}, wanted at least 1")
        try:
            import dask
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise ImportError("Dask is not installed; wanted: pip install 'xmlwb[cluster]'") from error
        self._cluster: Any = None
        n_threads = 1
        if address is None:
            wanted = n_workers or cpu_count()
            n_threads = max(1, cpu_count() // wanted)
            threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(n_threads))
            environment = _ENVIRONMENT | threads | {PLACES: str(places)}
            settings: dict[str, Any] = {
                "distributed.nanny.pre-spawn-environ": environment,
                # A run that killed two workers is given up.
                "distributed.scheduler.allowed-failures": 1,
                # A fit holds its process for minutes; that is no sign of trouble.
                "distributed.admin.tick.limit": "1h",
                "distributed.worker.memory.terminate": False,
                # Else joblib forbids models their threads.
                "distributed.worker.daemon": False,
            }
            with dask.config.set(settings):
                self._cluster = LocalCluster(
                    n_workers=wanted,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=None,
                    memory_limit=0,
                    local_directory=str(places.parent),
                )
            self._client = Client(self._cluster)
        else:
            try:
                self._client = Client(address, timeout=_WAIT_SECONDS)
                self._client.wait_for_workers(1, timeout=_WAIT_SECONDS)
            except (OSError, TimeoutError) as error:
                raise OSError(f"dask: no cluster with workers answers at {address} ({error})") from error
            wanted = n_workers or sum(self._client.nthreads().values())
        self.n_workers, self.n_threads = wanted, n_threads
        self._executor = self._client.get_executor(pure=False)

    def submit(self, job: Job) -> Future:
        return _translated(self._executor.submit(run_job, job, self.n_threads))

    def renew(self) -> None:
        """Nothing: Dask has replaced the worker."""

    def close(self) -> None:
        if self._cluster is not None:
            for nanny in list(self._cluster.workers.values()):  # asked politely, a worker may take seconds to go
                nanny.auto_restart = False
                with suppress(OSError, TypeError):  # it is gone already, or was never there
                    os.kill(nanny.pid, signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


def _translated(future: Future) -> Future:
    """The future of a run, whose failure for a dead worker is a BrokenExecutor, as loky's is."""
    out: Future = Future()

    def hand_on(done: Future) -> None:
        error = done.exception()
        if error is None:
            out.set_result(done.result())
        elif type(error).__name__ in ("KilledWorker", "CancelledError"):
            out.set_exception(BrokenExecutor(str(error)))
        else:
            out.set_exception(error)

    future.add_done_callback(hand_on)
    return out
