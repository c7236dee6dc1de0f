"""What a worker does: fit one model, predict, measure, and say all of it in one row; a failure is a row too."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from xmlwb.models import STOP, Event
from xmlwb.studies.data_source import Rows
from xmlwb.studies.peak_memory import OwnPeakMemory
from xmlwb.studies.runs import FAILED, OK, PRUNED
from xmlwb.studies.settings import Job, new_model
from xmlwb.studies.shared_rows import loaded_rows, shared_rows
from xmlwb.studies.worker_gpu import take_gpu

K = 5
#: What a figure is called that a fit tells of validation rows.
WATCHED = ("valid P@5", "valid P@1")
_WARM_UP_ROWS = 200
_PACKAGES = ("xmlwb", "numpy", "scipy", "scikit-learn", "numba", "hnswlib", "torch")
Predicted = tuple[np.ndarray, np.ndarray, int]


def run_job(job: Job, n_threads: int = 1) -> tuple[dict[str, Any], Predicted | None]:
    """Make one run.

    Parameters
    ----------
    job : Job
    n_threads : int
        ``n_jobs`` of the model, and the threads of BLAS.

    Returns
    -------
    row : dict
        Columns of `xmlwb.studies.runs.SCHEMA`.
    predicted : (labels (m, 5) int32, scores (m, 5) float32, L) or None
        If the job keeps predictions and the run succeeded.

    Notes
    -----
    A process fits each method once on at most 200 rows before it times it, so that no figure holds imports and
    compilation. ``train s`` and ``ms per instance`` are wall-clock times of one ``fit`` and one ``predict_topk``.
    """
    begin = time.perf_counter()
    row: dict[str, Any] = {
        "study": job.study, "run": job.run, "place": job.place, "data": job.data, "source": job.source,
        "data_hash": job.data_hash, "method": job.method, "label": job.label, "seed": job.seed,
        "evaluated": job.evaluated, "params": job.params, "started": _now(),
    }  # fmt: skip
    predicted = None
    take_gpu()
    steps = _Steps(job)
    try:
        rows = rows_of(job)
        _warm_up(job, rows, n_threads)
        with _controller().limit(limits=n_threads):
            figures, predicted = _fit_and_measure(job, rows, n_threads, steps)
        row |= {"status": PRUNED if steps.pruned else OK} | figures
    except Exception as error:
        row |= {"status": FAILED, "error": f"{type(error).__name__}: {error}"}
    row |= {"curve": json.dumps(steps.curve) if steps.curve else None, "versions": _versions()}
    return row | {"run s": time.perf_counter() - begin, "finished": _now()}, predicted


def failed_row(job: Job, why: str) -> dict[str, Any]:
    """The row of a run whose process died under it."""
    return {
        "study": job.study, "run": job.run, "place": job.place, "data": job.data, "source": job.source,
        "data_hash": job.data_hash, "method": job.method, "label": job.label, "seed": job.seed,
        "evaluated": job.evaluated, "params": job.params, "status": FAILED, "error": why, "finished": _now(),
        "versions": _versions(),
    }  # fmt: skip


def rows_of(job: Job) -> Rows:
    """The rows that the study shares, or, on another machine, those of the data set's name."""
    folder = Path(job.rows)
    if folder.is_dir():
        return shared_rows(folder)
    return loaded_rows(job.source, "test" if job.evaluated == "test" else "valid", job.data_hash)


def _fit_and_measure(job: Job, rows: Rows, n_threads: int, steps: _Steps) -> tuple[dict[str, float], Predicted | None]:
    model = new_model(job.method, job.given, job.seed, n_threads)
    watched = (rows.X_valid, rows.Y_valid) if job.watch and rows.X_valid is not None else None
    k = min(K, rows.Y.shape[1])
    with OwnPeakMemory() as memory:
        start = time.perf_counter()
        model.fit(rows.X_train, rows.Y_train, eval_set=watched, callback=steps)
        train = time.perf_counter() - start
        start = time.perf_counter()
        S = model.predict_topk(rows.X, k=k)
        predict = time.perf_counter() - start
    costs = {
        "train s": train,
        "ms per instance": 1000 * predict / S.shape[0],
        "model MB": model.size_bytes_ / 1e6,
        "peak RSS MB": memory.peak / 1e6,
    }
    if steps.pruned:  # half a model's quality would be taken for that of its settings
        return costs, None
    return costs | _measure(rows)(S, k), _compact(S, k) if job.keep_predictions else None


class _Steps:
    """The fit's callback: keeps the watched figure of every step, and stops a fit that a search gives up."""

    def __init__(self, job: Job) -> None:
        self.curve: list[tuple[int, int, float]] = []
        self.pruned = False
        self._figures: tuple[str, ...] = WATCHED
        self._give_up: Callable[[int, float], bool] | None = None
        if job.pruning is not None:
            from xmlwb.studies.search import pruner_of

            self._figures, self._give_up = (job.pruning["figure"],), pruner_of(job.pruning)

    def __call__(self, event: Event) -> Any:
        value = next((event.figures[name] for name in self._figures if name in event.figures), None)
        if value is None:
            return None
        self.curve.append((event.step, event.total, float(value)))
        # The last step costs nothing more: whoever reached it is measured.
        if self._give_up is not None and event.step < event.total and self._give_up(event.step, float(value)):
            self.pruned = True
            return STOP
        return None


def _compact(S: Any, k: int) -> Predicted:
    """The stored scores of each row in k places, best first."""
    n, L = S.shape
    labels, scores = np.full((n, k), -1, dtype=np.int32), np.zeros((n, k), dtype=np.float32)
    row = np.repeat(np.arange(n), np.diff(S.indptr))
    order = np.lexsort((S.indices, -S.data, row))
    place = np.arange(S.nnz) - S.indptr[row]
    labels[row, place], scores[row, place] = S.indices[order], S.data[order]
    return labels, scores, L


_warm: set[str] = set()


def _warm_up(job: Job, rows: Rows, n_threads: int) -> None:
    """Import and compile; what goes wrong here goes wrong again in the run itself, which says so."""
    if job.method in _warm:
        return
    _warm.add(job.method)
    few = slice(0, min(_WARM_UP_ROWS, rows.X_train.shape[0]))
    try:
        model = new_model(job.method, job.given, job.seed, n_threads)
        model.fit(rows.X_train[few], rows.Y_train[few], callback=lambda event: STOP)
        model.predict_topk(rows.X[:1], k=1)
    except Exception:
        return
    finally:
        _controller.cache_clear()  # libraries may have come


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


_measures: dict[int, tuple[Rows, Any]] = {}


def _measure(rows: Rows) -> Any:
    from xmlwb.studies.quality import Measure

    if _measures.get(id(rows), (None,))[0] is not rows:
        _measures.clear()
        _measures[id(rows)] = (rows, Measure(rows))
    return _measures[id(rows)][1]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


@lru_cache(maxsize=1)
def _versions() -> str:
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return json.dumps(found | {"machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"})
