"""Several models on one data set, side by side: quality, cost, and what both were measured with.

Quality comes with bootstrap intervals over test instances, or over whole sources of them where the data set names
them (`resampled_groups`). Cost is wall-clock time and memory on the machine that ran the comparison; see `compare` for
what exactly each column measures.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
import psutil
from scipy import sparse
from sklearn.base import clone

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset
from xmlwb.metrics import bootstrap_interval, evaluate, ndcg_at_k, precision_at_k, propensities, psp_at_k
from xmlwb.models.callbacks import STOP, Event

#: What is under way: the model's name, "warm up", "fit", "predict" or "measure", and the fit's event if there is one.
Progress = Callable[[str, str, Event | None], Any]

COSTS = ("train s", "ms per instance", "model MB", "peak RSS MB")
_WARM_UP_ROWS = 200
_PREDICTIONS = 3
_VERSIONS = ("numpy", "scipy", "scikit-learn", "numba", "hnswlib", "torch")


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    dataset : Dataset
        What was compared on.
    table : DataFrame
        One row a model: quality as fractions (0.5, not 50), then `COSTS`.
    intervals : DataFrame
        One row a model and metric: ``model, metric, value, low, high``, a 95 % bootstrap interval.
    predictions : dict of str to csr_array, shape (n_test, L)
        The test set's best k labels from each model.
    k : int
        Labels predicted an instance.
    about : dict of str to str
        Versions, machine, date, parameters, seed: what another would need to run it again; failures too.
    failures : dict of str to str
        What went wrong with the models that are not in the table.
    """

    dataset: Dataset
    table: pd.DataFrame
    intervals: pd.DataFrame
    predictions: dict[str, sparse.csr_array]
    k: int
    about: dict[str, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def to_parquet(self, path: str | os.PathLike) -> None:
        """Write the table, with the intervals as further columns (``P@1 low``, ``P@1 high``) and `about` as metadata.

        The metadata stands under the key ``xmlwb`` of ``pandas.read_parquet(path).attrs``.
        """
        bounds = self.intervals.pivot(index="model", columns="metric", values=["low", "high"])
        bounds.columns = [f"{metric} {side}" for side, metric in bounds.columns]
        frame = self.table.join(bounds[[f"{m} {side}" for m in self.metrics for side in ("low", "high")]])
        frame.attrs["xmlwb"] = {"data": self.dataset.name, **self.about}
        with atomic_path(path) as temporary:
            frame.to_parquet(temporary)

    def to_html(self, path: str | os.PathLike) -> None:
        """Write one page with everything in it, plots included; it opens with no network."""
        from xmlwb.report import comparison_page

        page = comparison_page(self)
        with atomic_path(path) as temporary:
            temporary.write_text(page, encoding="utf-8")

    @property
    def groups(self) -> list[str] | None:
        """What the intervals resample as wholes, see `resampled_groups`."""
        return resampled_groups(self.dataset)

    @property
    def metrics(self) -> list[str]:
        """The quality columns of the table, in order."""
        return [column for column in self.table.columns if column not in COSTS]


def compare(
    dataset: Dataset,
    models: Mapping[str, Any],
    *,
    k: int = 5,
    progress: Progress | None = None,
    warm_up: bool = True,
    n_resamples: int = 1000,
    about: Mapping[str, str] | None = None,
) -> Comparison:
    """Fit each model on the training rows and measure it on the test rows.

    Parameters
    ----------
    dataset : Dataset
        Its validation rows are left alone.
    models : mapping of str to estimator
        Unfitted models under the names of the table's rows. They are cloned; yours stay unfitted.
    k : int
        Labels predicted an instance, 1 <= k <= L.
    progress : callable, optional
        ``progress(name, phase, event)``, see `Progress`; a returned `STOP` ends that model's fit.
    warm_up : bool
        First fit and predict a copy on at most 200 rows, so that no model's time holds imports and compilation.
    n_resamples : int
        Bootstrap draws for the intervals.
    about : mapping of str to str, optional
        Further entries for `Comparison.about`, such as the command.

    Returns
    -------
    Comparison

    Raises
    ------
    ValueError
        No models.
    Exception
        What the first model raised, if all of them failed. If only some do, the rest of the work is kept, and
        `Comparison.failures` says why.

    Notes
    -----
    ``train s`` is the wall-clock time of ``fit``; ``ms per instance`` the median of three calls of ``predict_topk`` on
    all test rows at once, divided by their number. ``model MB`` is the fitted arrays. ``peak RSS MB`` is the largest
    resident memory of this process and its children seen during fit and predict, sampled every 10 ms: Python, the data
    and what earlier models of the same comparison left are in it, and a shorter peak can be missed. A MB is 1e6 bytes.
    """
    if not models:
        raise ValueError("models: found none, wanted at least one")
    report = progress or (lambda name, phase, event: None)
    propensity = propensities(dataset.Y_train, *dataset.propensity_ab)
    groups = resampled_groups(dataset)
    rows: dict[str, dict[str, float]] = {}
    intervals: list[dict[str, Any]] = []
    predictions: dict[str, sparse.csr_array] = {}
    failures: dict[str, Exception] = {}
    for name, model in models.items():
        fresh = clone(model)
        try:
            if warm_up:
                report(name, "warm up", None)
                _warm_up(fresh, dataset, k)
            S, costs = _run(name, fresh, dataset, k, report)
        except Exception as error:
            failures[name] = error
            continue
        report(name, "measure", None)
        quality = evaluate(dataset.Y_test, S, propensity, k=k)
        shown = _shown(k)
        rows[name] = {metric: quality[metric] for metric in shown} | costs
        found = _intervals(dataset.Y_test, S, propensity, shown, n_resamples, groups)
        intervals += [{"model": name, **row} for row in found]
        predictions[name] = S
    if not rows:
        raise next(iter(failures.values()))
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("model")
    reasons = {name: f"{type(error).__name__}: {error}" for name, error in failures.items()}
    facts = _circumstances() | {"intervals": _resampling(groups)}
    facts |= {f"model {name}": _describe(model) for name, model in models.items()}
    facts |= {f"failed {name}": reason for name, reason in reasons.items()} | dict(about or {})
    return Comparison(dataset, table, pd.DataFrame(intervals), predictions, k, facts, reasons)


def resampled_groups(dataset: Dataset) -> list[str] | None:
    """What the intervals resample as wholes: the test rows' sources, where there are at least two; else None."""
    return dataset.sources_test if len(set(dataset.sources_test or ())) > 1 else None


def _resampling(groups: list[str] | None) -> str:
    if groups is None:
        return "95 % bootstrap over test instances"
    return f"95 % bootstrap, whole sources resampled: {len(set(groups)):,} sources of {len(groups):,} test instances"


def memory_needs(dataset: Dataset, models: Mapping[str, Any]) -> dict[str, int]:
    """Bytes each model's fit on the training rows will need at its peak, by its own estimate."""
    (n, d), L = dataset.X_train.shape, dataset.Y_train.shape[1]
    return {name: int(m.memory_estimate(n=n, d=d, L=L, nnz=dataset.X_train.nnz)) for name, m in models.items()}


def _shown(k: int) -> list[str]:
    """The usual metrics as far as k allows, and those at k itself."""
    at = {"P": (1, 3, 5, k), "nDCG": (3, 5, k), "PSP": (1, 3, 5, k)}
    return [f"{metric}@{i}" for metric, ranks in at.items() for i in sorted({r for r in ranks if r <= k})]


def _warm_up(model: Any, dataset: Dataset, k: int) -> None:
    rows = slice(0, min(_WARM_UP_ROWS, dataset.n_train))
    small = clone(model).fit(dataset.X_train[rows], dataset.Y_train[rows])
    small.predict_topk(dataset.X_test[:1], k=k)


def _run(
    name: str, model: Any, dataset: Dataset, k: int, report: Progress
) -> tuple[sparse.csr_array, dict[str, float]]:
    def on_event(event: Event) -> Any:
        return STOP if report(name, "fit", event) is STOP else None

    with PeakMemory() as memory:
        report(name, "fit", None)
        start = time.perf_counter()
        model.fit(dataset.X_train, dataset.Y_train, callback=on_event)
        train = time.perf_counter() - start
        report(name, "predict", None)
        seconds = []
        for _ in range(_PREDICTIONS):
            start = time.perf_counter()
            S = model.predict_topk(dataset.X_test, k=k)
            seconds.append(time.perf_counter() - start)
    costs = (train, 1000 * float(np.median(seconds)) / S.shape[0], model.size_bytes_ / 1e6, memory.peak / 1e6)
    return S, dict(zip(COSTS, costs, strict=True))


def _intervals(
    Y: sparse.csr_array,
    S: sparse.csr_array,
    propensity: np.ndarray,
    metrics: list[str],
    n_resamples: int,
    groups: list[str] | None,
) -> Iterator[dict[str, Any]]:
    k = max(int(metric.split("@")[1]) for metric in metrics)
    values: dict[str, Any] = {
        "P": precision_at_k(Y, S, k, per_instance=True),
        "nDCG": ndcg_at_k(Y, S, k, per_instance=True),
        "PSP": psp_at_k(Y, S, propensity, k, per_instance=True),
    }
    for metric in metrics:
        kind, rank = metric.split("@")
        whole, column = values[kind], int(rank) - 1
        one: Any = tuple(part[:, column] for part in whole) if isinstance(whole, tuple) else whole[:, column]
        interval = bootstrap_interval(one, groups=groups, n_resamples=n_resamples)
        yield {"metric": metric, "value": interval.value, "low": interval.low, "high": interval.high}


class PeakMemory:
    """Samples the resident memory of this process and its children in a thread."""

    def __init__(self, every: float = 0.01) -> None:
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak = 0

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        me = psutil.Process()
        children: list[psutil.Process] = []
        for step in range(10**12):
            if step % 25 == 0:  # listing the children walks over every process of the machine
                children = me.children(recursive=True)
            self.peak = max(self.peak, me.memory_info().rss + sum(map(_resident, children)))
            if self._done.wait(self._every):
                return


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _circumstances() -> dict[str, str]:
    installed = {}
    for package in _VERSIONS:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "xmlwb": version("xmlwb"),
        "python": platform.python_version(),
        **installed,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, "
        f"{psutil.virtual_memory().total / 1e9:.0f} GB",
    }


def _describe(model: Any) -> str:
    params = ", ".join(f"{name}={value!r}" for name, value in model.get_params(deep=False).items())
    return f"{type(model).__name__}({params})"
