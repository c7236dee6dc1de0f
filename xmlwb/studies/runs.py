"""The run table: every finished run of a study is a row on disk, at once, and is never lost or written twice.

A study's folder::

    study.yaml               the study itself
    runs/part-000001.parquet finished runs, many a file
    runs/run-<id>.parquet    finished runs, one a file, until they are moved into a part
    predictions/<id>.npz     what a run predicted, if the study keeps it
    .lock                    held by the process that writes
    .scratch/                the data of a study that is running

Files appear whole or not at all (`xmlwb.atomic`). A new part is written before the single files go; whoever is killed
between the two leaves rows that are there twice, and `read_runs` counts a run once. Nothing that is read is executed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from xmlwb.atomic import atomic_path

#: Quality, as fractions, of the first predictions; coverage has no interval.
METRICS = ("P@1", "P@3", "P@5", "nDCG@5", "R@5", "PSP@1", "PSP@3", "PSP@5", "coverage@5")
#: Bins of the labels' training frequencies (`xmlwb.tails.frequency_bins`, kind "mass").
BINS = ("head", "torso", "tail")
#: "P@5 head": what right labels of the head add to P@5 (the bins sum to it); "R@5 head": their share that is found.
BIN_METRICS = tuple(f"{metric} {name}" for metric in ("P@5", "R@5") for name in BINS)
INTERVALS = tuple(f"{m} {side}" for m in (*METRICS[:-1], *BIN_METRICS) for side in ("low", "high"))
COSTS = ("train s", "ms per instance", "model MB", "peak RSS MB", "run s")

_TEXT = ("study", "run", "data", "source", "method", "label")
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXT]
    + [("place", pa.int32()), ("seed", pa.int64()), ("evaluated", pa.string()), ("params", pa.string())]
    + [("status", pa.string()), ("error", pa.string())]
    + [(name, pa.float64()) for name in (*METRICS, *BIN_METRICS, *INTERVALS, *COSTS)]
    + [(name, pa.string()) for name in ("curve", "versions", "data_hash", "started", "finished")]
)
OK, FAILED, PRUNED = "ok", "failed", "pruned"
#: Single files that are moved into one part at a time, and parts that are moved into one.
_SINGLES, _PARTS = 64, 32


class RunTable:
    """The runs of one folder, for the process that adds to them; others only read, by `read_runs`.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.

    Raises
    ------
    ValueError
        `folder` is a file.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"folder: {self.folder} is a file, wanted a folder")
        self._runs = self.folder / "runs"
        self._runs.mkdir(parents=True, exist_ok=True)
        self._singles: dict[Path, pa.Table] = {}  # written by this process and not yet moved: they need not be read
        for left_over in [*self._runs.glob(".*.parquet"), *(self.folder / "predictions").glob(".*.npz")]:
            left_over.unlink(missing_ok=True)  # of a process that was killed while it wrote

    @contextmanager
    def writing(self) -> Iterator[RunTable]:
        """Hold the folder, and move what lies there singly into a part at the end; ValueError if another holds it."""
        with _held(self.folder / ".lock", self.folder):
            try:
                yield self
            finally:
                self.compact()

    def add(self, row: Mapping[str, Any], predicted: tuple[np.ndarray, np.ndarray, int] | None = None) -> None:
        """Write one finished run.

        Parameters
        ----------
        row : mapping
            Values by the names of `SCHEMA`; what is missing is null.
        predicted : (labels (n, k) int32 with -1 where none, scores (n, k) float32, L), optional
            Written before the row, so that a row on disk has its predictions.
        """
        unknown = sorted(set(row) - set(SCHEMA.names))
        if unknown:
            raise ValueError(f"row: found the column {unknown[0]!r}, wanted those of SCHEMA")
        if predicted is not None:
            labels, scores, n_labels = predicted
            path = self.folder / "predictions" / f"{row['run']}.npz"
            path.parent.mkdir(exist_ok=True)
            with atomic_path(path) as partial:
                np.savez(partial, labels=labels, scores=scores, n_labels=np.int64(n_labels))
        table = pa.Table.from_pylist([dict(row)], schema=SCHEMA)
        path = self._runs / f"run-{row['run']}.parquet"
        with atomic_path(path) as partial:
            pq.write_table(table, partial, compression="none", use_dictionary=False, write_statistics=False)
        self._singles[path] = table
        if len(self._singles) >= _SINGLES:
            self._merge(list(self._singles))

    def compact(self) -> None:
        """Move single files into a part, and many parts into one, so that 10,000 runs open quickly."""
        singles = sorted(self._runs.glob("run-*.parquet"))
        if len(singles) > 1:
            self._merge(singles)

    def _merge(self, files: list[Path]) -> None:
        parts = sorted(self._runs.glob("part-*.parquet"))
        number = 1 + max((int(part.stem.split("-")[1]) for part in parts), default=0)
        if len(parts) >= _PARTS:
            files = [*parts, *files]
        read = _read_files([file for file in files if file not in self._singles])
        table = _once(pa.concat_tables([read, *(self._singles[file] for file in files if file in self._singles)]))
        with atomic_path(self._runs / f"part-{number:06d}.parquet") as partial:
            pq.write_table(table, partial, compression="zstd")
        for file in files:
            file.unlink(missing_ok=True)
            self._singles.pop(file, None)


def read_runs(folders: str | os.PathLike | Iterable[str | os.PathLike]) -> pd.DataFrame:
    """The runs of one or more studies, a row each.

    Parameters
    ----------
    folders : path-like, or list of them
        Studies' folders, or single Parquet files of runs.

    Returns
    -------
    DataFrame, in the studies' own order
        study, run (a hash of what was computed), data, source (JSON: how to load the rows, see `open_rows`), method
        (key of METHODS), label (method and the parameters that the study set), place (in the study), seed, evaluated
        ("valid" or "test"), params (JSON of all that matter), status ("ok", "failed" or "pruned"), error; `METRICS` and
        `BIN_METRICS` as fractions, each but coverage with "<metric> low" and "<metric> high" (95 % bootstrap);
        `COSTS`; curve (JSON, [step, total, figure] by step, where the fit told one), versions (JSON), data_hash,
        started, finished (UTC); then "param.NAME" for each parameter. None is shown as "none". A run that is in several
        places counts once, the latest.

    Raises
    ------
    FileNotFoundError
        Nothing of that name.
    ValueError
        The file is no table of runs.

    Notes
    -----
    Reads all columns: about a second for 10,000 runs.
    """
    places = [folders] if isinstance(folders, (str, os.PathLike)) else list(folders)
    tables = [_table_of(Path(place)) for place in places]
    frame = _once(pa.concat_tables(tables)).to_pandas() if tables else SCHEMA.empty_table().to_pandas()
    frame = frame.sort_values(["study", "place", "run"], kind="stable", ignore_index=True)
    return pd.concat([frame, _parameter_columns(frame["params"])], axis=1)


def read_predictions(folder: str | os.PathLike, run: str) -> sparse.csr_array | None:
    """The best labels that a run predicted, (n, L) float32; None if the study did not keep them.

    Rows are those of `open_rows(source, evaluated)`. A stored zero is a prediction.
    """
    path = Path(folder) / "predictions" / f"{run}.npz"
    if not path.is_file():
        return None
    with np.load(path) as held:
        labels, scores, n_labels = held["labels"], held["scores"], int(held["n_labels"])
    kept = labels >= 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    S = sparse.csr_array((scores[kept], labels[kept], indptr), shape=(len(labels), n_labels))
    S.sort_indices()
    return S


def _table_of(place: Path) -> pa.Table:
    """Files may be moved into a part while they are read: then the list is made anew."""
    if not place.exists():
        raise FileNotFoundError(f"no study at {place}; wanted its folder, or a Parquet file of runs")
    if place.is_file():
        return _read_files([place])
    for _ in range(100):
        try:
            # Singles first: a run that moves on between the two lists is seen twice, never missed.
            singles = sorted((place / "runs").glob("run-*.parquet"))
            return _read_files([*singles, *sorted((place / "runs").glob("part-*.parquet"))])
        except FileNotFoundError:
            continue
    raise FileNotFoundError(f"the files of {place} change faster than they can be read")


def _read_files(files: list[Path]) -> pa.Table:
    tables = []
    for file in files:
        try:
            found = pq.ParquetFile(file).read()
        except pa.ArrowInvalid as error:
            raise ValueError(f"{file} is no whole Parquet file ({error})") from error
        missing = [name for name in ("run", "method", "status") if name not in found.column_names]
        if missing:
            raise ValueError(f"{file} has no column {missing[0]!r}, wanted a table of runs")
        tables.append(_as_schema(found))
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def _as_schema(found: pa.Table) -> pa.Table:
    """The columns of this version; those that the file has not are null."""
    if found.schema.equals(SCHEMA):
        return found
    columns = [
        found[field.name].cast(field.type) if field.name in found.column_names else pa.nulls(len(found), field.type)
        for field in SCHEMA
    ]
    return pa.table(columns, schema=SCHEMA)


def _once(table: pa.Table) -> pa.Table:
    """Each run once, the one that finished last."""
    finished = table["finished"].fill_null("").to_numpy(zero_copy_only=False)
    order = np.argsort(finished.astype(str), kind="stable")[::-1]
    _, first = np.unique(table["run"].to_numpy(zero_copy_only=False).astype(str)[order], return_index=True)
    return table.take(pa.array(np.sort(order[first])))


def _parameter_columns(params: pd.Series) -> pd.DataFrame:
    """ "param.NAME" for each parameter that any run has: numbers where all are, else what they are, lists as JSON."""
    parsed = [json.loads(text) if isinstance(text, str) and text else {} for text in params]
    names = sorted({name for values in parsed for name in values})
    columns = {}
    for name in names:
        column = pd.Series([_shown(values[name]) if name in values else np.nan for values in parsed], dtype=object)
        present = column.dropna()
        numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in present)
        columns[f"param.{name}"] = pd.to_numeric(column) if numeric else column
    return pd.DataFrame(columns, index=params.index)


def _shown(value: Any) -> Any:
    if value is None:
        return "none"
    return json.dumps(value) if isinstance(value, (list, dict)) else value


@contextmanager
def _held(path: Path, folder: Path) -> Iterator[None]:
    """An exclusive lock that the system lets go when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # Windows: nobody guards the folder
        yield
        return
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ValueError(f"folder: another process is running a study in {folder}; wait, or take another") from None
        yield
