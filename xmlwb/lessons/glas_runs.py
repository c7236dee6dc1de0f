"""Chapter 07: the stored runs of benchmarks/overfitting.py, to be looked through without training anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.ablation import ablation_figure, differences_table, stored_curves_figure
from xmlwb.plots.theme import BLUE, GREEN, ORANGE, VERMILION
from xmlwb.widgets import SliderFigure, slider_figure

#: Where the benchmark writes its tables; the package carries them.
RUNS, CURVES = (Path(__file__).with_name(name) for name in ("glas_runs.csv", "glas_curves.csv"))
#: What people call the data sets of the tables.
TITLES = {"eurlex-4.3k": "EURLEX57K", "debdeps": "debdeps"}
#: Table 1 of the paper: test P@1 on AmazonCat-13K, by factor and level as the benchmark names them.
PAPER: dict[str, dict[str, float]] = {
    "regulariser": {"none": 92.34, "GLaS": 94.21, "spread-out": 93.34, "Gravity": 93.42},
    "lambda": {"1": 93.68, "10": 94.21, "100": 93.75},
    "rho": {"1.0": 93.39, "0.8": 94.21, "0.6": 94.08},
    "batch": {"1024": 94.04, "2048": 93.98, "4096": 94.21},
    "d": {"256": 93.24, "512": 93.82, "1024": 94.21},
    "embedding": {"linear": 91.77, "ReLU": 94.21},
}
#: Table 2 of the paper: P@1 in training and test, per cent.
PAPER_GAP = {
    "AmazonCat-13K": {"none": (99.23, 92.34), "GLaS + dropout": (98.77, 94.21)},
    "Amazon-670K": {"none": (98.21, 44.53), "GLaS + dropout": (96.10, 46.32)},
}
#: The factors' names for the reader.
FACTORS = {
    "regulariser": "regulariser", "lambda": "λ, weight of the regulariser", "rho": "ρ, share of the words kept",
    "batch": "batch size B", "d": "dimension d", "embedding": "embedding map",
}  # fmt: skip
#: What the explorer shows: column at validation's epoch, column at the last epoch.
MEASURES = {
    "test P@1": ("best test P@1", "test P@1"),
    "training P@1": ("best train P@1", "train P@1"),
    "gap, training less test": ("", "gap"),
    "test PSP@1": ("best PSP@1", "PSP@1"),
}
BEST, LAST = "where validation stops", "after the last epoch"
#: Settings of table 2, in the order in which they are shown.
GAP_SETTINGS = {
    "none": (VERMILION, "circle"), "GLaS + dropout": (BLUE, "diamond"), "GLaS": (GREEN, "square"),
    "dropout": (ORANGE, "triangle-up"),
}  # fmt: skip
_COMMAND = "python benchmarks/overfitting.py"
_RUN_COLUMNS = {"study", "setting", "data", "seed", "train P@1", "test P@1", "PSP@1", "gap"}
_CURVE_COLUMNS = {"study", "setting", "data", "seed", "epoch", "train P@1", "test P@1"}


def stored_runs(path: str | os.PathLike = RUNS) -> pd.DataFrame:
    """A row for each run of the benchmark's studies, per cent.

    Raises
    ------
    FileNotFoundError
        Nothing has been run yet.
    ValueError
        The file is another table.
    """
    return _read(path, _RUN_COLUMNS)


def stored_curves(path: str | os.PathLike = CURVES) -> pd.DataFrame:
    """A row for each run and epoch, per cent; errors as in `stored_runs`."""
    return _read(path, _CURVE_COLUMNS)


def _read(path: str | os.PathLike, wanted: set[str]) -> pd.DataFrame:
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted the table that {_COMMAND} writes")
    table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    missing = sorted(wanted - set(table))
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; wanted the table that {_COMMAND} writes")
    return table


class Ablation:
    """Table 1 under menus, the paper's column beside ours.

    Parameters
    ----------
    runs : DataFrame
        As `stored_runs` returns.

    Raises
    ------
    ValueError
        If there are no runs of the study "table1".
    """

    def __init__(self, runs: pd.DataFrame) -> None:
        table = runs[runs["study"] == "table1"].copy()
        if table.empty:
            raise ValueError(f"runs has no study table1; wanted the runs of {_COMMAND} --study table1")
        table[["factor", "level"]] = table["setting"].str.split(": ", n=1, expand=True)
        table["gap there"] = table.get("best train P@1", np.nan) - table.get("best test P@1", np.nan)
        self.table = table
        self.data = list(dict.fromkeys(table["data"]))
        levels = {name: set(of_it["level"]) & set(PAPER[name]) for name, of_it in table.groupby("factor")}
        self.factors = [name for name in FACTORS if len(levels.get(name, ())) > 1]

    def __call__(
        self, factor: str = "regulariser", measure: str = "test P@1", when: str = BEST, data: str | None = None
    ) -> go.Figure:
        """The figure of one choice of the menus."""
        name = self.data[0] if data is None else data
        ours = self.values(factor, measure, when, name)
        paper = PAPER[factor] if measure == "test P@1" else {}
        means = ours.groupby("level", sort=False)["value"].mean()
        more_is_better = not measure.startswith("gap")
        order = means.sort_values(ascending=not more_is_better)
        both = [level for level in order.index if level in PAPER[factor]]
        theirs = sorted(both, key=lambda level: -PAPER[factor][level])
        seeds = ours.groupby("level")["value"].size().max()
        return ablation_figure(
            ours,
            {level: paper[level] for level in both if level in paper},
            base=_base(factor),
            measure=measure,
            factor=FACTORS[factor],
            title=f"{TITLES.get(name, name)}: largest less smallest <b>{np.ptp(means[both]):.1f} points</b>"
            + (f", the paper's {np.ptp([PAPER[factor][level] for level in both]):.1f}" if paper else ""),
            subtitle=f"best first: {' > '.join(both)}"
            + (f"; the paper: {' > '.join(theirs)}" if paper else "")
            + f"; {seeds} seed{'' if seeds == 1 else 's'}",
            more_is_better=more_is_better,
        )

    def values(self, factor: str, measure: str, when: str, data: str) -> pd.DataFrame:
        """ "level" and "value" of each run, levels in the order of the benchmark."""
        rows = self.table[(self.table["factor"] == factor) & (self.table["data"] == data)]
        if measure.startswith("gap"):
            column = "gap there" if when == BEST else "gap"
        else:
            column = MEASURES[measure][0 if when == BEST else 1]
        return pd.DataFrame({"level": rows["level"], "value": rows[column]}).dropna()

    def effects(self, data: str | None = None) -> pd.DataFrame:
        """Largest less smallest mean test P@1 of each factor, over the levels that the paper has, and the paper's."""
        name = self.data[0] if data is None else data
        rows = {}
        for factor in self.factors:
            means = self.values(factor, "test P@1", BEST, name).groupby("level", sort=False)["value"].mean()
            both = [level for level in PAPER[factor] if level in means.index]
            theirs = pd.Series({level: PAPER[factor][level] for level in both})
            rows[FACTORS[factor]] = {
                "paper": np.ptp(theirs), "here": np.ptp(means[both]), "paper's best": theirs.idxmax(),
                "best here": means[both].idxmax(),
            }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").sort_values("paper", ascending=False)


def _base(factor: str) -> str:
    return {"regulariser": "GLaS", "lambda": "10", "rho": "0.8", "batch": "1024", "d": "512", "embedding": "ReLU"}[
        factor
    ]


class Absent:
    """Stands in a notebook where a study has not been run yet, and says how it is run."""

    def __init__(self, study: str) -> None:
        self.text = f"There are no stored runs of {study} yet: {_COMMAND} --study {study} makes them, in hours."

    def __repr__(self) -> str:
        return self.text


def ablation_explorer(runs: pd.DataFrame | None = None) -> SliderFigure | Absent:
    """Menus for the factor, the measure and the epoch above table 1, ours and the paper's.

    Parameters
    ----------
    runs : DataFrame, optional
        As `stored_runs` returns; otherwise what it returns, or `Absent` where there are no runs of the study.
    """
    table = _study(RUNS, stored_runs, "table1") if runs is None else runs
    if isinstance(table, Absent):
        return table
    ablation = Ablation(table)
    if not ablation.factors:
        return Absent("table1")

    def shown(
        factor: str = ablation.factors[0], measure: str = "test P@1", when: str = BEST, data: str = ablation.data[0]
    ) -> go.Figure:
        return ablation(factor, measure, when, data)

    return slider_figure(
        shown,
        factor={FACTORS[name]: name for name in ablation.factors},
        measure=list(MEASURES),
        when=[BEST, LAST],
        data={TITLES.get(name, name): name for name in ablation.data},
        labels={"factor": "what changes", "measure": "shown", "when": "read off", "data": "data"},
        alt="Test precision by the value of one parameter, here and in the paper",
    )


def effects_table(runs: pd.DataFrame | None = None) -> pd.DataFrame | Absent:
    """`Ablation.effects`, rounded; runs as in `ablation_explorer`."""
    table = _study(RUNS, stored_runs, "table1") if runs is None else runs
    if isinstance(table, Absent):
        return table
    ablation = Ablation(table)
    return ablation.effects().round(2) if ablation.factors else Absent("table1")


def curves_explorer(curves: pd.DataFrame | None = None) -> SliderFigure | Absent:
    """Figure 1 under menus: training and test P@1 by epoch, with and without each part of the regularisation.

    Parameters
    ----------
    curves : DataFrame, optional
        As `stored_curves` returns; otherwise as in `ablation_explorer`.
    """
    table = _study(CURVES, stored_curves, "table2") if curves is None else curves
    if isinstance(table, Absent):
        return table
    table = table[table["study"] == "table2"]
    names = list(dict.fromkeys(table["data"]))

    present = [name for name in GAP_SETTINGS if name != "none" and name in set(table["setting"])]

    def shown(data: str = names[0], beside: str = present[0]) -> go.Figure:
        of_data = table[table["data"] == data]
        there = set(of_data["setting"]) & {"none", beside}
        settings = {name: look for name, look in GAP_SETTINGS.items() if name in there}
        last = {name: _ends(of_data[of_data["setting"] == name]) for name in settings}
        told = "; ".join(f"{name} {gap:.1f}" for name, gap in last.items())
        return stored_curves_figure(
            of_data, settings, title=f"{TITLES.get(data, data)}: <b>gap after the last epoch</b>: {told} points"
        )

    return slider_figure(
        shown,
        data={TITLES.get(name, name): name for name in names},
        beside=present,
        labels={"beside": "beside none"},
        alt="Training and test precision by epoch of stored runs",
    )


def _study(path: Path, read: Callable[[Path], pd.DataFrame], study: str) -> pd.DataFrame | Absent:
    """The rows of a study, or what stands for them."""
    if not path.is_file() or not path.read_text(encoding="utf-8").strip():  # the benchmark's first table is empty
        return Absent(study)
    table = read(path)
    table = _comparable(table[table["study"] == study])
    return Absent(study) if table.empty else table


def _comparable(table: pd.DataFrame) -> pd.DataFrame:
    """Of table 2 the data sets that have a run with nothing and one with something; of table 1 all."""
    of_gap = table["study"] == "table2"
    settings = table[of_gap].groupby("data")["setting"].agg(set)
    whole = [data for data, names in settings.items() if "none" in names and len(names) > 1]
    return table[~of_gap | table["data"].isin(whole)]


def _ends(rows: pd.DataFrame) -> float:
    last = rows[rows["epoch"] == rows.groupby("seed")["epoch"].transform("max")]
    return float((last["train P@1"] - last["test P@1"]).mean())


def gap_table(runs: pd.DataFrame | None = None) -> pd.DataFrame | Absent:
    """Table 2: means, in brackets the differences to "none" seed by seed and their range; the paper's rows last.

    Parameters
    ----------
    runs : DataFrame, optional
        As in `ablation_explorer`.
    """
    table = _study(RUNS, stored_runs, "table2") if runs is None else runs[runs["study"] == "table2"]
    if isinstance(table, Absent):
        return table
    columns = {"train P@1": "training P@1", "test P@1": "test P@1", "gap": "gap", "PSP@1": "test PSP@1",
               "best test P@1": "test P@1 where validation stops"}  # fmt: skip
    kept = {old: new for old, new in columns.items() if old in table}
    parts = {}
    for data, of_data in table.groupby("data", sort=False):
        wide = {name: rows.set_index("seed") for name, rows in of_data.groupby("setting", sort=False)}
        seeds = sorted(set.intersection(*(set(rows.index) for rows in wide.values())))
        values: dict[str, Mapping[str, np.ndarray]] = {
            name: {new: wide[name].loc[seeds, old].to_numpy(dtype=float) for old, new in kept.items()}
            for name in GAP_SETTINGS
            if name in wide
        }
        number = f"{len(seeds)} seed{'' if len(seeds) == 1 else 's'}"
        parts[f"{TITLES.get(str(data), data)}, {number}"] = differences_table(values, "none")
    for data, settings in PAPER_GAP.items():
        values = {
            name: {"training P@1": np.array([a]), "test P@1": np.array([b]), "gap": np.array([a - b])}
            for name, (a, b) in settings.items()
        }
        parts[f"{data}, the paper"] = differences_table(values, "none")
    return pd.concat(parts).fillna("")
