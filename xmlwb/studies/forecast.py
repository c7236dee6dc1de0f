"""What a study will cost, before it starts: from runs that are on disk, else from short fits on a few rows."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import psutil
from threadpoolctl import threadpool_limits

from xmlwb.models.callbacks import STOP
from xmlwb.studies.data_source import Rows
from xmlwb.studies.opened import Opened
from xmlwb.studies.plan import PlannedRun, Variant
from xmlwb.studies.runs import OK, read_runs
from xmlwb.studies.search import Range
from xmlwb.studies.settings import new_model
from xmlwb.studies.shared_rows import shared_rows
from xmlwb.studies.workers import cpu_count

if TYPE_CHECKING:
    from xmlwb.studies.study import Study

STORED, SHORT_FITS = "stored runs", "short fits"
#: Shares of the training rows of the short fits; a method whose fit took this long is tried on no more rows.
_SHARES, _ENOUGH_SECONDS, _FEWEST_ROWS = (1 / 64, 1 / 32, 1 / 16, 1 / 8), 0.5, 100
#: Between these a fit's time grows with its rows: n to the power of.
_EXPONENTS = (0.7, 2.0)
#: Settings of a model that are tried.
_SETTINGS = 3
#: A worker's own start: imports, compiled code from the cache.
_START_SECONDS = 4.0


@dataclass(frozen=True)
class Forecast:
    """What the missing runs of a study will cost.

    Attributes
    ----------
    table : DataFrame, a row each data set and model
        data, model, runs (missing), "s a run", "MB a run" (resident peak of a worker), based on ("stored runs" or
        "short fits").
    n_runs, n_jobs : int
    seconds : float
        Until the end, with `n_jobs` runs at once. From short fits it is often off by a factor of two.
    memory, free : int
        Bytes that the workers need when the largest runs meet, and those that are free now.
    """

    table: pd.DataFrame
    n_runs: int
    n_jobs: int
    seconds: float
    memory: int
    free: int

    def __str__(self) -> str:
        what = f"{self.n_runs} run{'' if self.n_runs == 1 else 's'}"
        need = f"{self.memory / 1e9:.1f} GB of {self.free / 1e9:.1f} GB free"
        return f"{what}, about {in_time(self.seconds)} with {self.n_jobs} at once, {need}"


def in_time(seconds: float) -> str:
    """Seconds in words.

    >>> in_time(42), in_time(150), in_time(9000)
    ('42 s', '2.5 min', '2.5 h')
    """
    if math.isnan(seconds):
        return "?"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def forecast(study: Study, folder: str | os.PathLike | None, n_jobs: int | None) -> Forecast:
    """`Study.forecast`."""
    n_jobs = n_jobs or cpu_count()
    with study.opened() as opened:
        stored = read_runs(folder) if folder is not None and (Path(folder) / "runs").is_dir() else None
        known = set() if stored is None else set(stored["run"])
        lines, each = [], []
        for source, variant, missing in _missing(study, opened, known):
            found = _from_stored(stored, opened, source, variant, missing)
            seconds, memory = found or _from_fits(opened, source, missing)
            lines.append(
                {
                    "data": study.sources[source].title,
                    "model": variant.name,
                    "runs": len(missing),
                    "s a run": seconds,
                    "MB a run": memory / 1e6,
                    "based on": STORED if found else SHORT_FITS,
                }
            )
            each += [(seconds, memory)] * len(missing)
    columns = ["data", "model", "runs", "s a run", "MB a run", "based on"]
    workers = max(1, min(n_jobs, len(each)))
    return Forecast(
        table=pd.DataFrame(lines, columns=columns),
        n_runs=len(each),
        n_jobs=n_jobs,
        seconds=_until_the_end([seconds for seconds, _ in each], workers),
        memory=int(sum(sorted((memory for _, memory in each), reverse=True)[:workers])),
        free=psutil.virtual_memory().available,
    )


def _missing(study: Study, opened: Opened, known: set[str]) -> list[tuple[int, Variant, list[PlannedRun]]]:
    """Planned runs by data set and model; for a search its trials, at the middle of the space."""
    groups: dict[tuple[int, str], tuple[Variant, list[PlannedRun]]] = {}
    for place, planned in enumerate(study.planned()):
        _, runs = groups.setdefault((planned.source, planned.variant.name), (planned.variant, []))
        if opened.job(planned, place).run not in known:
            runs.append(planned)
    for source, variant, seed in study.searches():
        assert study.search is not None
        point = {name: _middle(given) for name, given in study.search.space[variant.name].items()}
        planned = PlannedRun(source, variant, variant.fixed | point, variant.name, seed)
        groups.setdefault((source, variant.name), (variant, []))[1].extend([planned] * study.search.trials)
    return [(source, variant, runs) for (source, _), (variant, runs) in groups.items() if runs]


def _middle(given: Range | list) -> object:
    if isinstance(given, list):
        return given[len(given) // 2]
    middle = float(np.sqrt(given.low * given.high)) if given.log else (given.low + given.high) / 2
    return round(middle) if isinstance(given.low, int) and isinstance(given.high, int) else middle


def _from_stored(
    stored: pd.DataFrame | None, opened: Opened, source: int, variant: Variant, missing: list[PlannedRun]
) -> tuple[float, float] | None:
    """Mean seconds and peak memory of the method's runs on these data; of the same labels where there are such."""
    if stored is None:
        return None
    same = stored[(stored["method"] == variant.method) & (stored["status"] == OK)]
    same = same[same["data_hash"] == opened.job(missing[0], 0).data_hash]
    if same.empty:
        return None
    alike = same[same["label"].isin({planned.label for planned in missing})]
    same = same if alike.empty else alike
    return float(same["run s"].mean()), float(1e6 * same["peak RSS MB"].max())


def _from_fits(opened: Opened, source: int, missing: list[PlannedRun]) -> tuple[float, float]:
    rows = shared_rows(opened.folder / str(source))
    settings = list({planned.label: planned for planned in missing}.values())
    tried = [settings[i] for i in sorted({0, len(settings) // 2, len(settings) - 1})][:_SETTINGS]
    seconds = [_short_fits(planned, rows) for planned in tried]
    n, d, n_labels, nnz = opened.shape_of(source)
    own = psutil.Process().memory_info().rss
    need = max(new_model(p.variant.method, p.given, p.seed).memory_estimate(n, d, n_labels, nnz) for p in tried)
    return float(np.mean(seconds)), float(own + need)


def _short_fits(planned: PlannedRun, rows: Rows) -> float:
    """Seconds of a whole run, from fits on growing shares of the rows."""
    n, m = rows.X_train.shape[0], rows.X.shape[0]
    sizes = sorted({max(min(n, _FEWEST_ROWS), int(n * share)) for share in _SHARES})
    times: list[tuple[int, float]] = []
    predict = 0.0
    with threadpool_limits(1):
        _one_fit(planned, rows, min(n, _FEWEST_ROWS), first_step=True)
        for size in sizes:
            fit, predict = _one_fit(planned, rows, size)
            times.append((size, fit))
            if fit > _ENOUGH_SECONDS:
                break
    return _extrapolated(times, n) + predict * m / min(m, _FEWEST_ROWS)


def _one_fit(planned: PlannedRun, rows: Rows, size: int, *, first_step: bool = False) -> tuple[float, float]:
    """Seconds of a fit on the first rows, and of predictions of a few; NaN where the model fails."""
    model = new_model(planned.variant.method, planned.given, planned.seed)
    few = min(rows.X.shape[0], _FEWEST_ROWS)
    try:
        start = time.perf_counter()
        model.fit(rows.X_train[:size], rows.Y_train[:size], callback=(lambda event: STOP) if first_step else None)
        fit = time.perf_counter() - start
        start = time.perf_counter()
        model.predict_topk(rows.X[:few], k=1)
    except Exception:  # its run will say why
        return 0.0, 0.0
    return fit, time.perf_counter() - start


def _extrapolated(times: Iterable[tuple[int, float]], n: int) -> float:
    """A power law through the last two times.

    >>> round(_extrapolated([(100, 1.0), (200, 2.0)], 800), 3)
    8.0
    """
    kept = [(size, seconds) for size, seconds in times if seconds > 0]
    if not kept:
        return 0.0
    size, seconds = kept[-1]
    exponent = 1.0
    if len(kept) > 1:
        before, faster = kept[-2]
        exponent = float(np.clip(np.log(seconds / faster) / np.log(size / before), *_EXPONENTS))
    return seconds * (n / size) ** exponent


def _until_the_end(seconds: list[float], workers: int) -> float:
    """Runs in order, each to the worker that is free first."""
    free = [_START_SECONDS] * workers if seconds else [0.0]
    for each in seconds:
        first = free.index(min(free))
        free[first] += each
    return max(free)
