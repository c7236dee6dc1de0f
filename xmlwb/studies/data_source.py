"""Where the rows of a run come from, and which of them it learns from and is measured on.

A run that chooses settings learns on training rows and is measured on validation rows: those of the data set, or rows
split off its training rows by a fixed seed. Only ``evaluated="test"`` opens test labels.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset, available, load

Evaluated = Literal["valid", "test"]


@dataclass(frozen=True)
class Rows:
    """What a run needs of a data set, and no more.

    Attributes
    ----------
    X_train, Y_train : csr_array (n, d), (n, L) float32
    X, Y : csr_array (m, d), (m, L) float32
        What predictions are measured on.
    X_valid, Y_valid : csr_array or None
        What a fit may watch; the rows of X and Y themselves where those are validation rows.
    groups : int array (m,) or None
        Rows of X that share a source; see `xmlwb.significance`.
    propensity_ab : (float, float)
    """

    X_train: csr_array
    Y_train: csr_array
    X: csr_array
    Y: csr_array
    X_valid: csr_array | None
    Y_valid: csr_array | None
    groups: np.ndarray | None
    propensity_ab: tuple[float, float]


@dataclass(frozen=True)
class DataSource:
    """A data set as a study names it.

    Parameters
    ----------
    name : str
        A name that `xmlwb.datasets.load` knows, or that of a `Dataset` that is handed over.
    split : int, optional
        Which of the set's given splits.
    root : str, optional
        Folder of a standard set's files.
    rows : int, optional
        Learn from this many training rows, drawn once by `seed`; measured is on the same rows as ever.
    valid_fraction : float
        Share of the training rows that is split off where the set has no validation rows.
    seed : int
        Of both draws. It is the data's, not the models': all runs of a study see the same rows.
    options : mapping
        Further arguments of `load`, such as those of ``synthetic``.

    Raises
    ------
    ValueError
        An unknown name, or a number out of range.
    """

    name: str
    split: int | None = None
    root: str | None = None
    rows: int | None = None
    valid_fraction: float = 0.1
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    in_memory: bool = False

    def __post_init__(self) -> None:
        if self.rows is not None and self.rows < 1:
            raise ValueError(f"rows: found {self.rows}, wanted at least 1")
        if not 0 < self.valid_fraction < 1:
            raise ValueError(f"valid_fraction: found {self.valid_fraction}, wanted a share between 0 and 1")
        if not self.in_memory:
            _check_name(self.name)

    @classmethod
    def of(cls, given: str | Mapping[str, Any] | Dataset | DataSource) -> DataSource:
        """From a name, a mapping of the arguments, or a `Dataset`; ValueError names the argument that is wrong."""
        if isinstance(given, DataSource):
            return given
        if isinstance(given, Dataset):
            return cls(given.name, in_memory=True)
        if isinstance(given, str):
            return cls(given)
        if not isinstance(given, Mapping):
            raise ValueError(f"found {given!r}, wanted a data set's name, or its arguments: name, split, rows, ...")
        wanted = [f.name for f in fields(cls) if f.name != "in_memory"]
        for key in given:
            if key not in wanted:
                near = difflib.get_close_matches(str(key), wanted, n=1)
                raise ValueError(f"{key}: found, wanted {f'{near[0]}?' if near else ', '.join(wanted)}")
        if "name" not in given:
            raise ValueError("name: missing, wanted a data set's name")
        return cls(**given)

    @property
    def title(self) -> str:
        """ "bibtex split 3, 2000 rows": as the table of runs has it."""
        split = "" if self.split is None else f" split {self.split}"
        return f"{self.name}{split}" + ("" if self.rows is None else f", {self.rows} rows")

    def to_json(self) -> str:
        """What `from_json` reads again."""
        return json.dumps({name: value for name, value in asdict(self).items() if value not in (None, {}, False)})

    @classmethod
    def from_json(cls, text: str) -> DataSource:
        return cls(**json.loads(text))

    def load(self) -> Dataset:
        """The whole data set.

        Raises
        ------
        ValueError
            It was handed over as an object and has no name to be found by.
        FileNotFoundError
            Its files are not here.
        """
        if self.in_memory:
            raise ValueError(f"data: {self.name!r} was a Dataset in memory; hand it over again")
        return load(self.name, root=self.root, split=self.split, **self.options)

    def with_valid(self, dataset: Dataset) -> Dataset:
        """The data set with validation rows, and with no more than `rows` training rows."""
        if dataset.X_valid is None:
            dataset = dataset.with_valid(self.valid_fraction, self.seed)
        return self._fewer(dataset)

    def rows_of(self, dataset: Dataset, evaluated: Evaluated) -> Rows:
        """What runs see of the data set.

        With "test" a model learns from all of the set's training rows (those that tuning would split off too); with
        "valid" from those that are left.
        """
        dataset = self.with_valid(dataset) if evaluated == "valid" else self._fewer(dataset)
        sources = dataset.sources_valid if evaluated == "valid" else dataset.sources_test
        groups = None if sources is None else np.unique(sources, return_inverse=True)[1].astype(np.int32)
        return Rows(
            X_train=dataset.X_train,
            Y_train=dataset.Y_train,
            X=_present(dataset.X_valid) if evaluated == "valid" else dataset.X_test,
            Y=_present(dataset.Y_valid) if evaluated == "valid" else dataset.Y_test,
            X_valid=dataset.X_valid,
            Y_valid=dataset.Y_valid,
            groups=groups if groups is not None and groups.max() > 0 else None,
            propensity_ab=dataset.propensity_ab,
        )

    def _fewer(self, dataset: Dataset) -> Dataset:
        if self.rows is None or self.rows >= dataset.n_train:
            return dataset
        kept = np.sort(np.random.default_rng(self.seed).permutation(dataset.n_train)[: self.rows])
        changed: dict[str, Any] = {"X_train": dataset.X_train[kept], "Y_train": dataset.Y_train[kept]}
        for name in ("texts_train", "ids_train", "sources_train"):
            whole = getattr(dataset, name)
            changed[name] = None if whole is None else [whole[i] for i in kept]
        return replace(dataset, **changed)


def open_rows(source: str, evaluated: Evaluated, dataset: Dataset | None = None) -> tuple[Dataset, Rows]:
    """The data set and the rows of a stored run, by its columns "source" and "evaluated".

    Parameters
    ----------
    source : str
        JSON, as the table of runs has it.
    evaluated : "valid" or "test"
    dataset : Dataset, optional
        The whole set, if it is at hand or was never one with a name.

    Returns
    -------
    dataset : Dataset
        With the names and texts; for "valid" with the validation rows that the run was measured on.
    rows : Rows

    Raises
    ------
    ValueError, FileNotFoundError
        As `DataSource.load`.
    """
    named = DataSource.from_json(source)
    whole = named.load() if dataset is None else dataset
    return named.with_valid(whole) if evaluated == "valid" else whole, named.rows_of(whole, evaluated)


def _present(matrix: csr_array | None) -> csr_array:
    assert matrix is not None
    return matrix


def _check_name(name: str) -> None:
    from xmlwb.datasets.registry import normal_name, set_info

    if not isinstance(name, str):
        raise ValueError(f"name: found {name!r}, wanted a data set's name")
    if normal_name(name) in map(normal_name, available()):
        return
    try:
        set_info(name)
    except ValueError:
        near = difflib.get_close_matches(name.lower(), available(), n=2, cutoff=0.5)
        wanted = f"did you mean {' or '.join(near)}?" if near else f"wanted one of {', '.join(available())}"
        raise ValueError(f"name: no data set is called {name!r}; {wanted}") from None
