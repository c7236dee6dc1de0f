"""Chapter 09: the stored study "which method wins", and what each of its methods got right, instance by instance.

Of a run's predictions two things are kept for each instance: whether the first label is right, and how many right ones
of the head, the torso and the tail are among the first five. That is enough for paired tests of P@1, P@5, and of what
each part of the labels adds to P@5, and small enough to ship.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmlwb.atomic import atomic_path
from xmlwb.metrics import top_k_hits
from xmlwb.multiplicity import Correction
from xmlwb.plots.run_differences import differences_figure
from xmlwb.run_differences import corrected, over_instances
from xmlwb.studies import read_runs
from xmlwb.studies.runs import BINS, OK
from xmlwb.tails import frequency_bins
from xmlwb.widgets import SliderFigure, slider_figure

#: The package carries both tables.
RUNS, HITS = (Path(__file__).with_name(name) for name in ("ablation_runs.parquet", "ablation_hits.npz"))
COMMAND = "python benchmarks/pack_ablation.py FOLDER"
#: Figures of single instances; "P@5 tail" is what right labels of the tail add to P@5.
FIGURES = ("P@1", "P@5", *(f"P@5 {name}" for name in BINS))
#: What people call the data sets.
TITLES = {"debtags": "debtags", "debdeps": "debdeps", "eurlex-4.3k": "EURLEX57K"}
K = 5
#: Right labels of head, torso and tail among the first five; with P@1's yes or no, less than 128 cases.
_COUNTS = np.array([counts for counts in product(range(K + 1), repeat=len(BINS)) if sum(counts) <= K], dtype=np.int64)


def stored_runs(path: str | os.PathLike = RUNS) -> pd.DataFrame:
    """The study's runs, as `xmlwb.studies.read_runs` gives them; all were measured on test rows.

    Raises
    ------
    FileNotFoundError
        The table is not there.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted the table that {COMMAND} writes")
    order = {name: place for place, name in enumerate(TITLES)}
    runs = read_runs(path)
    return runs.sort_values("data", key=lambda names: names.map(order), kind="stable", ignore_index=True)


@dataclass(frozen=True)
class InstanceHits:
    """What methods got right on the same test instances.

    Attributes
    ----------
    codes : dict of (data, method) to uint8 array (n,)
        See `encode_hits`.
    groups : dict of data to int array (n,)
        Instances that share a source, where there are such.
    """

    codes: Mapping[tuple[str, str], NDArray[np.uint8]]
    groups: Mapping[str, NDArray[np.int32]]

    def methods(self, data: str) -> list[str]:
        """The methods of a data set."""
        return [method for name, method in self.codes if name == data]

    def values(self, data: str, method: str, figure: str) -> NDArray[np.float64]:
        """A figure of `FIGURES` for each instance, (n,), as a fraction.

        Raises
        ------
        ValueError
            For another figure, or a method whose hits are not stored.
        """
        if figure not in FIGURES:
            raise ValueError(f"figure: found {figure!r}, wanted one of {', '.join(FIGURES)}")
        if (data, method) not in self.codes:
            raise ValueError(f"method: found {method!r}, wanted one of {', '.join(self.methods(data))}")
        first, counts = decode_hits(self.codes[data, method])
        if figure == "P@1":
            return first.astype(np.float64)
        counts = counts if figure == "P@5" else counts[:, [BINS.index(figure.removeprefix("P@5 "))]]
        return counts.sum(axis=1) / K

    def against(self, data: str, base: str, figure: str, correction: Correction = "holm") -> pd.DataFrame:
        """Each other method against a base, paired over instances; see `xmlwb.run_differences.corrected`."""
        methods = self.methods(data)
        values = {place: self.values(data, method, figure) for place, method in enumerate(methods)}
        names = dict(enumerate(methods))
        at = next((place for place, method in names.items() if method == base), None)
        if at is None:
            raise ValueError(f"base: found {base!r}, wanted one of {', '.join(methods)}")
        return corrected(over_instances(values, names, at, groups=self.groups.get(data), n_resamples=1000), correction)


def encode_hits(first: Any, counts: Any) -> NDArray[np.uint8]:
    """One small number an instance.

    Parameters
    ----------
    first : bool array (n,)
        Whether the first label is right.
    counts : int array (n, 3)
        Right labels of head, torso and tail among the first five.

    Raises
    ------
    ValueError
        For more than five right labels.
    """
    place = {tuple(row): number for number, row in enumerate(_COUNTS.tolist())}
    try:
        numbers = np.array([place[tuple(row)] for row in np.asarray(counts, dtype=np.int64).tolist()], dtype=np.int64)
    except KeyError as error:
        raise ValueError(f"counts: found {error.args[0]}, wanted at most {K} right labels an instance") from None
    return (2 * numbers + np.asarray(first, dtype=np.int64)).astype(np.uint8)


def decode_hits(codes: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """`encode_hits` undone: first (n,) and counts (n, 3)."""
    return codes % 2 == 1, _COUNTS[codes // 2]


def hits_of(Y_train: Any, Y: Any, S: Any) -> NDArray[np.uint8]:
    """The codes of predictions S for the true labels Y, both (n, L)."""
    labels, right = top_k_hits(Y, S, K)
    part = frequency_bins(Y_train)["bin"].cat.codes.to_numpy(dtype=np.int64)
    rows = np.nonzero(right)[0]
    width = len(BINS) + 1
    counts = np.bincount(rows * width + part[labels[right]], minlength=len(right) * width).reshape(-1, width)
    return encode_hits(right[:, 0], counts[:, : len(BINS)])


def write_hits(hits: InstanceHits, path: str | os.PathLike) -> None:
    """Write what `stored_hits` reads."""
    arrays: dict[str, Any] = {f"hits|{data}|{method}": codes for (data, method), codes in hits.codes.items()}
    arrays |= {f"groups|{data}": groups for data, groups in hits.groups.items()}
    with atomic_path(Path(path)) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)


@lru_cache(maxsize=1)
def stored_hits(path: str | os.PathLike = HITS) -> InstanceHits:
    """The hits of every method's first seed.

    Raises
    ------
    FileNotFoundError
        The file is not there.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted the file that {COMMAND} writes")
    codes, groups = {}, {}
    with np.load(path) as held:
        for name in held.files:
            kind, data, *method = name.split("|")
            if kind == "hits":
                codes[data, method[0]] = held[name]
            else:
                groups[data] = held[name]
    return InstanceHits(codes, groups)


def winners_table(runs: pd.DataFrame, metric: str = "R@5") -> pd.DataFrame:
    """Who is best on which part: for each data set the three best methods by each bin, and their figures in per cent.

    Parameters
    ----------
    runs : DataFrame
        As `stored_runs` returns; means over seeds are compared.
    metric : "R@5" or "P@5"
    """
    sound = runs[runs["status"] == OK]
    rows = {}
    for data, inside in sound.groupby("data", sort=False):
        means = inside.groupby("method", sort=False).mean(numeric_only=True)
        row = {}
        for part in ("", *BINS):
            best = means[f"{metric} {part}".strip()].nlargest(3)
            row[part or "all labels"] = ", ".join(f"{method} {100 * value:.1f}" for method, value in best.items())
        rows[TITLES.get(str(data), str(data))] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def significance_explorer(hits: InstanceHits | None = None) -> SliderFigure:
    """Menus for data, base, figure and correction above the differences of all methods to the base."""
    held = stored_hits() if hits is None else hits
    stored = dict.fromkeys(data for data, _ in held.codes)
    names = [name for name in (*TITLES, *(stored.keys() - TITLES.keys())) if name in stored]
    common = [method for method in held.methods(names[0]) if all((data, method) in held.codes for data in names)]
    bases = sorted(common, key=lambda method: method not in ("ova", "parabel"))
    told = {"holm": "corrected by Holm", "benjamini-hochberg": "corrected by Benjamini-Hochberg", "none": "uncorrected"}

    def shown(
        data: str = names[0], base: str = bases[0], figure: str = "P@5", correction: Correction = "holm"
    ) -> go.Figure:
        differences = held.against(data, base, figure, correction)
        return differences_figure(differences, base, figure, pairs="instances", correction=told[correction])

    return slider_figure(
        shown,
        data={TITLES.get(name, name): name for name in names},
        base=bases,
        figure=list(FIGURES),
        correction={"Holm": "holm", "Benjamini-Hochberg": "benjamini-hochberg", "none": "none"},
        labels={"correction": "corrected by"},
        alt="Differences of all methods to one, with their intervals",
    )
