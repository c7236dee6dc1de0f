"""Where the explorer's runs, predictions and documents come from: studies' folders, or a table at hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pandas as pd
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset, load
from xmlwb.run_table import with_seeds_apart
from xmlwb.studies import read_predictions, read_runs

Folders = str | os.PathLike | Iterable[str | os.PathLike]
Predictions = Callable[[str], csr_array | None]
_KEPT = 64  # predictions of runs


@dataclass(frozen=True)
class Instances:
    """The instances that a run was measured on.

    Attributes
    ----------
    dataset : Dataset
    split : {"valid", "test"}
        Where they stand in the data set.
    Y_train, Y : csr_array (n, L), (m, L)
        Labels that the run learned from, and those of its m instances.
    """

    dataset: Dataset
    split: str
    Y_train: csr_array
    Y: csr_array

    @property
    def groups(self) -> list[str] | None:
        """Names of sources, to be resampled as wholes, where there are several."""
        sources: list[str] | None = getattr(self.dataset, f"sources_{self.split}")
        return sources if sources is not None and len(set(sources)) > 1 else None


class RunSource:
    """The table of runs, and on demand what they predicted and on what.

    Parameters
    ----------
    runs : DataFrame, path-like, or list of path-like
        A table of runs, or the folders of studies.
    data : Dataset, or mapping of name to Dataset, optional
        Data sets that `xmlwb.datasets.load` does not know by name.
    predictions : callable, optional
        ``predictions(run)`` returns the (m, L) scores of a run, or None; by default those that the folders keep.

    Attributes
    ----------
    runs : DataFrame
        With the column "setting" of `xmlwb.run_table.with_seeds_apart`.
    """

    def __init__(
        self,
        runs: pd.DataFrame | Folders,
        data: Dataset | Mapping[str, Dataset] | None = None,
        predictions: Predictions | None = None,
    ) -> None:
        self.folders: list[Path] = []
        if not isinstance(runs, pd.DataFrame):
            self.folders = [Path(runs)] if isinstance(runs, (str, os.PathLike)) else [Path(f) for f in runs]
            runs = read_runs(self.folders)
        if runs.empty:
            raise ValueError("runs: found none, wanted at least one finished run")
        self.runs = with_seeds_apart(runs)
        self._data = {data.name: data} if isinstance(data, Dataset) else dict(data or {})
        self.predictions_of: Predictions = lru_cache(maxsize=_KEPT)(predictions or self._stored)
        self._opened: dict[tuple[str, str], Instances] = {}

    def instances_of(self, run: pd.Series) -> Instances:
        """The instances of a run, a row of `runs`; data sets are loaded once.

        Raises ValueError or FileNotFoundError where the data set is not at hand.
        """
        source = run.get("source")
        named = isinstance(source, str) and bool(source)
        key = (source if named else run["data"], run["evaluated"])
        if key not in self._opened:
            self._opened[key] = _opened(source, run, self._data) if named else _at_hand(run, self._data)
        return self._opened[key]

    def runs_of(self, setting: int) -> pd.DataFrame:
        """The sound runs of a setting, by seed."""
        runs = self.runs
        return runs[(runs["setting"] == setting) & (runs["status"] == "ok")].sort_values("seed", kind="stable")

    def predictions_of_setting(self, setting: int) -> dict[int, csr_array]:
        """What each seed of a setting predicted, where that was kept: {seed: (m, L) scores}."""
        runs = self.runs_of(setting)
        found = {int(seed): self.predictions_of(run) for seed, run in zip(runs["seed"], runs["run"], strict=True)}
        return {seed: S for seed, S in found.items() if S is not None}

    def _stored(self, run: str) -> csr_array | None:
        for folder in self.folders:
            if folder.is_dir() and (found := read_predictions(folder, run)) is not None:
                return found
        return None


def _opened(source: str, run: pd.Series, data: Mapping[str, Dataset]) -> Instances:
    from xmlwb.studies.data_source import DataSource, open_rows

    dataset, rows = open_rows(source, run["evaluated"], data.get(DataSource.from_json(source).name))
    return Instances(dataset, run["evaluated"], rows.Y_train, rows.Y)


def _at_hand(run: pd.Series, data: Mapping[str, Dataset]) -> Instances:
    dataset = data[run["data"]] if run["data"] in data else load(run["data"])
    Y = getattr(dataset, f"Y_{run['evaluated']}")
    if Y is None:
        raise ValueError(f"data: {dataset.name} has no {run['evaluated']} rows; the run was measured on such")
    return Instances(dataset, run["evaluated"], dataset.Y_train, Y)
