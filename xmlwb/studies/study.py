"""A study: data sets x models x a grid or a search x seeds, run on processes or a cluster, resumed, forecast."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset
from xmlwb.studies.data_source import DataSource, Evaluated
from xmlwb.studies.opened import Opened
from xmlwb.studies.plan import (
    PlannedRun,
    Variant,
    check_names,
    grid_of,
    planned_grid,
    seeds_from,
    seeds_of,
    variants_of,
)
from xmlwb.studies.running import Running, StudyCallback, stored_runs
from xmlwb.studies.runs import RunTable, read_runs
from xmlwb.studies.search import Search, search_from
from xmlwb.studies.settings import Job, as_json
from xmlwb.studies.workers import LateWorkers, Workers

if TYPE_CHECKING:
    from xmlwb.studies.forecast import Forecast


class Study:
    """What is to be compared, and on what.

    Parameters
    ----------
    data : str, mapping, `Dataset`, or a list of them
        Names that `xmlwb.datasets.load` knows; a mapping holds the arguments of `DataSource`.
    models : list of str, or mapping
        Keys of METHODS, or names of your own with fixed parameters, ``{"strict": {"method": "ova", "tol": 0.01}}``.
    grid : mapping, optional
        By model's name, the values of each parameter, all of them combined: ``{"ova": {"C": [0.1, 1.0]}}``; or a list
        of such grids.
    search : mapping or `Search`, optional
        By model's name, the space that is searched: ``{"space": {"ova": {"C": {"low": 0.1, "high": 10, "log": True}}},
        "trials": 20}``. Models outside of the space run as they are.
    seeds : int or list of int
        How many (from 0), or which. A method that takes no seed runs once.
    evaluate : {"valid", "test"}
        What runs are measured on. "valid": validation rows, those of the set or split off its training rows; test
        labels are never opened. "test" is for final figures, and not for a search.
    predictions : bool
        Keep each run's five best labels of every row.
    curves : bool
        Let every fit watch validation rows and keep its figures step by step; it makes fits slower. Searches do so
        where they give trials up, and models with a ``patience`` always do.
    name : str

    Raises
    ------
    ValueError
        Says which argument is wrong, what was found and what was wanted.

    Examples
    --------
    >>> study = Study("bibtex", ["popular", "ova"], grid={"ova": {"C": [0.1, 1.0]}}, seeds=2, name="C of one-vs-all")
    >>> [planned.label for planned in study.planned()]
    ['popular', 'ova C=0.1', 'ova C=0.1', 'ova C=1', 'ova C=1']
    """

    def __init__(
        self,
        data: Any,
        models: Sequence[str] | Mapping[str, Any],
        *,
        grid: Mapping[str, Any] | None = None,
        search: Mapping[str, Any] | Search | None = None,
        seeds: int | Sequence[int] = 1,
        evaluate: Evaluated = "valid",
        predictions: bool = False,
        curves: bool = False,
        name: str = "study",
    ) -> None:
        if not isinstance(name, str) or not name.strip():
            raise ValueError(f"name: found {name!r}, wanted a name")
        if evaluate not in ("valid", "test"):
            raise ValueError(f"evaluate: found {evaluate!r}, wanted 'valid' or 'test'")
        for what, value in {"predictions": predictions, "curves": curves}.items():
            if not isinstance(value, bool):
                raise ValueError(f"{what}: found {value!r}, wanted true or false")
        self.name, self.evaluate, self.predictions, self.curves = name, evaluate, predictions, curves
        given = list(data) if isinstance(data, (list, tuple)) else [data]
        self.datasets = {i: item for i, item in enumerate(given) if isinstance(item, Dataset)}
        self.sources = [_source(item, f"data[{i}]" if len(given) > 1 else "data") for i, item in enumerate(given)]
        if not given:
            raise ValueError("data: found none, wanted at least one data set")
        self.variants = variants_of(models)
        self.seeds = seeds_from(seeds)
        grids = check_names("grid", grid, self.variants)
        self.search = None if search is None else search_from(search, self.variants)
        searched = set() if self.search is None else set(self.search.space)
        if self.search is not None and evaluate == "test":
            raise ValueError("evaluate: found 'test' beside search; wanted 'valid', since test labels choose nothing")
        both = sorted(searched & set(grids))
        if both:
            raise ValueError(f"grid.{both[0]}: search.space has it too; wanted one of the two")
        self.grids = {v.name: grid_of(v, grids.get(v.name)) for v in self.variants if v.name not in searched}
        self.given_grid = {name: _grid_as_given(values) for name, values in grids.items() if values is not None}

    @classmethod
    def from_yaml(cls, path: str | os.PathLike) -> Study:
        """The study that a YAML file describes: the constructor's arguments by their names.

        Raises
        ------
        FileNotFoundError
        ValueError
            Says the file, the key, what was found and what was wanted.
        """
        from xmlwb.studies.study_file import read_study

        return read_study(path)

    def to_yaml(self) -> str:
        """The text of a file that `from_yaml` reads; a `Dataset` in memory is only named."""
        from xmlwb.studies.study_file import study_text

        return study_text(self)

    def planned(self) -> list[PlannedRun]:
        """The runs of the grid in order; those of a search are only known as it goes."""
        return planned_grid(len(self.sources), self.variants, self.grids, self.seeds)

    @property
    def n_runs(self) -> int:
        """Runs of the grid and trials of the search, all data sets and seeds together."""
        return len(self.planned()) + sum(self.search.trials for _ in self.searches() if self.search)

    def missing(self, folder: str | os.PathLike) -> list[Job]:
        """The runs of the grid that are not in the folder yet (loads the data, to know them by their hash)."""
        with self.opened() as opened:
            done = stored_runs(folder)
            return [job for job in opened.grid_jobs() if job.run not in done]

    def run(
        self,
        folder: str | os.PathLike,
        *,
        n_jobs: int | None = None,
        dask: str | bool | None = None,
        callback: StudyCallback | None = None,
        retry_failed: bool = False,
    ) -> pd.DataFrame:
        """Make the runs that are not in the folder yet; each is on disk as soon as it ends.

        Parameters
        ----------
        folder : path-like
            See `xmlwb.studies.runs`. Runs of other studies in it are left alone.
        n_jobs : int, optional
            Worker processes; default: as many as there are CPUs. Each fits with its share of the CPUs as threads.
        dask : str or True, optional
            Address of a Dask scheduler; True starts workers on this machine.
        callback : callable, optional
            ``callback(StudyEvent)``; a returned STOP ends the study after the runs that are under way.
        retry_failed : bool
            Make runs again that failed before.

        Returns
        -------
        DataFrame
            The rows of this study's runs, as `read_runs` gives them; stopped, those that there are.

        Raises
        ------
        ValueError
            Another process is writing into the folder, or a data set is not what it should be.

        Notes
        -----
        Results do not depend on `n_jobs`, nor on interruptions.
        """
        with RunTable(folder).writing() as table, _scratch(Path(folder).resolve() / ".scratch") as scratch:
            self._note(Path(folder))
            with LateWorkers(lambda: self._workers(n_jobs, dask, scratch / "places")) as workers:
                if not stored_runs(folder):
                    workers.started()  # they import while the data are loaded
                running = Running(self, Opened(self, scratch), table, workers, callback, retry_failed)
                running.make_all()
        runs = read_runs(folder).set_index("run")
        mine = [run for run in running.wanted if run in runs.index]
        return runs.loc[mine].reset_index()[[runs.columns[0], "run", *runs.columns[1:]]]

    def forecast(self, folder: str | os.PathLike | None = None, *, n_jobs: int | None = None) -> Forecast:
        """What the missing runs will cost: from the folder's runs of the same method and data, else from short fits."""
        from xmlwb.studies.forecast import forecast

        return forecast(self, folder, n_jobs)

    def searches(self) -> list[tuple[int, Variant, int]]:
        """Data source, variant and seed of each search."""
        if self.search is None:
            return []
        return [
            (source, variant, seed)
            for source in range(len(self.sources))
            for variant in self.variants
            if variant.name in self.search.space
            for seed in seeds_of(variant, self.seeds)
        ]

    @contextmanager
    def opened(self) -> Iterator[Opened]:
        """The study with its data, which lie in a temporary folder for as long as the block runs."""
        with _scratch() as folder:
            yield Opened(self, folder)

    def _workers(self, n_jobs: int | None, dask: str | bool | None, places: Path) -> Workers:
        if dask:
            from xmlwb.studies.cluster_runs import ClusterWorkers

            return ClusterWorkers(None if dask is True else dask, n_jobs, places)
        from xmlwb.studies.local_runs import LocalWorkers

        return LocalWorkers(n_jobs, places)

    def _note(self, folder: Path) -> None:
        with atomic_path(folder / "study.yaml") as partial:
            partial.write_text(self.to_yaml(), encoding="utf-8")


@contextmanager
def _scratch(folder: Path | None = None) -> Iterator[Path]:
    """A temporary folder for what workers share; a named one is emptied first of what a killed study left."""
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="xmlwb-study-"))
    else:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _source(given: Any, where: str) -> DataSource:
    try:
        return DataSource.of(given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


def _grid_as_given(values: Any) -> Any:
    """The grid with plain values, for the study's file."""
    if isinstance(values, Mapping):
        return {name: as_json(v if isinstance(v, list) else [v]) for name, v in values.items()}
    return [_grid_as_given(part) for part in values]
