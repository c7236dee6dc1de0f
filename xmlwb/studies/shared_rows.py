"""A data set's rows on disk for the workers: loaded once, mapped by each of them, freed with the study.

Plain .npy files in a temporary folder. A worker maps them copy-on-write: the pages are shared between the workers, and
whatever a model might do to its arrays stays its own.
"""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from xmlwb.models.checkpoint import fingerprint
from xmlwb.studies.data_source import Evaluated, Rows

_PARTS = ("indptr", "indices", "data")


def rows_hash(rows: Rows) -> str:
    """A hash of what runs learn from and are measured on: O(bytes)."""
    return fingerprint(rows.X_train, rows.Y_train, rows.X, rows.Y, rows.X_valid, rows.Y_valid)[:16]


def share_rows(rows: Rows, folder: Path) -> None:
    """Write the rows into a new folder, of which `shared_rows` makes them again."""
    folder.mkdir(parents=True)
    shapes = {}
    for field in fields(rows):
        value = getattr(rows, field.name)
        if isinstance(value, csr_array):
            shapes[field.name] = value.shape
            for part in _PARTS:
                np.save(folder / f"{field.name}.{part}.npy", getattr(value, part))
    if rows.groups is not None:
        np.save(folder / "groups.npy", rows.groups)
    (folder / "rows.json").write_text(json.dumps({"shapes": shapes, "propensity_ab": rows.propensity_ab}))


@lru_cache(maxsize=4)
def shared_rows(folder: Path) -> Rows:
    """The rows of a folder, mapped; a worker keeps the last few."""
    facts = json.loads((folder / "rows.json").read_text())
    matrices = {
        name: csr_array(tuple(_mapped(folder / f"{name}.{part}.npy") for part in reversed(_PARTS)), shape=shape)
        for name, shape in facts["shapes"].items()
    }
    groups = folder / "groups.npy"
    return Rows(
        **{"X_valid": None, "Y_valid": None, **matrices},
        groups=_mapped(groups) if groups.exists() else None,
        propensity_ab=tuple(facts["propensity_ab"]),
    )


@lru_cache(maxsize=4)
def loaded_rows(source: str, evaluated: Evaluated, wanted_hash: str) -> Rows:
    """The rows by name, for a worker on another machine; ValueError if its data are not the study's."""
    from xmlwb.studies.data_source import open_rows

    rows = open_rows(source, evaluated)[1]
    if rows_hash(rows) != wanted_hash:
        raise ValueError(f"data: this worker's {source} is not the data that the study began with")
    return rows


def _mapped(path: Path) -> np.ndarray:
    """A plain array over the file's pages: compiled kernels know no memmap."""
    if path.stat().st_size <= 128:  # no entries to map
        return np.load(path)
    return np.asarray(np.load(path, mmap_mode="c"))
