"""Questions to a table of runs, one row a run: which parameters vary, which runs are meant, what do the seeds agree on.

The table's columns: "study", "run", "data", "method", "label", "seed", "evaluated", "params" (JSON), a column
"param.NAME" for each parameter, "status", "error", metrics as fractions ("P@5"), each with its bootstrap interval
("P@5 low", "P@5 high"), metrics by frequency bin ("P@5 tail"), and costs ("train s"). A *setting* is what runs share
that differ in nothing but their seed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: What a run costs, with the unit in the name.
COSTS = ("train s", "ms per instance", "model MB", "peak RSS MB")
PARAM = "param."
NOT_A_PARAMETER = "-"  # how the value of a parameter that a method does not have is written

_METRICS = ("P@", "nDCG@", "R@", "PSP@", "PSnDCG@", "coverage@")
_SIDES = ("low", "high")
_SETTING = ("data", "evaluated", "method", "params")
_SEARCHED = ("label", "method", "data", "study", "params", "error")


def metrics_of(runs: pd.DataFrame) -> list[str]:
    """The metrics of the table that any run has a value of, in the order of its columns: "P@1", "P@5", ..."""
    return [
        c for c in runs.columns if str(c).startswith(_METRICS) and " " not in str(c) and runs[c].notna().any()
    ]  # fmt: skip


def bins_of(runs: pd.DataFrame, metric: str) -> list[str]:
    """The frequency bins by which the table has this metric, frequent labels first: "head", "torso", "tail"."""
    ends = [str(c)[len(metric) + 1 :] for c in runs.columns if str(c).startswith(f"{metric} ")]
    return [end for end in ends if not end.endswith(_SIDES) and runs[f"{metric} {end}"].notna().any()]


def costs_of(runs: pd.DataFrame) -> list[str]:
    """The costs of the table that any run has a value of."""
    return [cost for cost in COSTS if cost in runs and runs[cost].notna().any()]


def parameters_of(runs: pd.DataFrame) -> list[str]:
    """Names of the parameters of which some method has more than one value, the most varied first.

    >>> runs = pd.DataFrame({"method": ["a", "a", "b"], "param.C": [1, 2, None], "param.depth": [None, None, 3]})
    >>> parameters_of(runs)
    ['C']
    """
    varied: dict[str, int] = {}
    for column in runs.columns:
        if str(column).startswith(PARAM):
            seen = runs[["method", column]].dropna().astype({column: str}).drop_duplicates()
            most = int(seen["method"].value_counts().max()) if len(seen) else 0
            if most > 1:
                varied[str(column).removeprefix(PARAM)] = most
    return sorted(varied, key=lambda name: -varied[name])


def as_text(value: Any) -> str:
    """A parameter's value in few characters.

    >>> [as_text(value) for value in (None, 0.1, 100.0, True, "cosine")]
    ['-', '0.1', '100', 'True', 'cosine']
    """
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NA:
        return NOT_A_PARAMETER
    if isinstance(value, float | np.floating):
        return f"{value:.4g}"
    return str(value)


def levels(values: pd.Series) -> dict[Any, str]:
    """The distinct values in the order of an axis, and how each is written: numbers by size, words by the alphabet.

    A missing value comes last. Numbers that are stored as words ("0.5", as a column holds them whose values are of
    several types) count as numbers.
    """
    found = [None if as_text(v) == NOT_A_PARAMETER else v for v in pd.unique(values)]
    return {value: as_text(value) for value in sorted(dict.fromkeys(found), key=_place)}


def _place(value: Any) -> tuple[int, float, str]:
    if value is None:
        return (2, 0.0, "")
    number = as_number(value)
    return (1, 0.0, str(value)) if number is None else (0, number, "")


def as_number(value: Any) -> float | None:
    """A value as a number, or None where it is no number; True and False are words here."""
    if isinstance(value, bool | np.bool_) or value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def are_numbers(values: Iterable[Any]) -> bool:
    """Whether all values that are there are numbers, and there are at least two different ones."""
    there = [v for v in values if as_text(v) != NOT_A_PARAMETER]
    numbers = {as_number(v) for v in there}
    return None not in numbers and len(numbers) > 1


def spread_by_decades(numbers: Iterable[float]) -> bool:
    """Whether numbers ask for a logarithmic axis: all positive, the largest at least 20 times the smallest."""
    there = [n for n in numbers if math.isfinite(n)]
    return len(there) > 1 and min(there) > 0 and max(there) >= 20 * min(there)


def with_seeds_apart(runs: pd.DataFrame) -> pd.DataFrame:
    """The table with a whole number "setting", the same for runs that differ in their seed alone.

    A run that occurs twice, as where two studies asked for it, is kept once. Raises ValueError where a column is
    missing that says what a run is.
    """
    wanted = [*_SETTING, "run", "seed", "status", "label"]
    missing = [column for column in wanted if column not in runs]
    if missing:
        raise ValueError(f"runs: found no column {missing[0]!r}, wanted a table of runs with {', '.join(wanted)}")
    once = runs.drop_duplicates("run", keep="last").reset_index(drop=True)
    return once.assign(setting=once.groupby(list(_SETTING), sort=False, dropna=False).ngroup())


def choose_runs(
    runs: pd.DataFrame,
    *,
    words: str = "",
    where: Mapping[str, Sequence[str]] | None = None,
    **columns: Sequence[str],
) -> pd.DataFrame:
    """The rows that fulfil every condition; an empty condition is none.

    Parameters
    ----------
    runs : DataFrame
    words : str
        Each of them must occur in the run's label, method, data, study, parameters or error, in any case.
    where : mapping of parameter name to values as `as_text` writes them
        A run whose method has no such parameter is kept.
    **columns : sequences of str
        Values of a column, such as ``method=["ova"]``.

    Raises ValueError for a column or parameter that the table does not have.
    """
    kept = np.ones(len(runs), dtype=bool)
    for column, wanted in columns.items():
        if column not in runs:
            raise ValueError(f"choose_runs: found no column {column!r}")
        if len(wanted):
            kept &= runs[column].isin(list(wanted)).to_numpy()
    for name, wanted in (where or {}).items():
        if PARAM + name not in runs:
            raise ValueError(f"choose_runs: found no parameter {name!r}")
        texts = runs[PARAM + name].map(as_text)
        kept &= texts.isin([*wanted, NOT_A_PARAMETER]).to_numpy()
    if words.split():
        text = pd.Series("", index=runs.index)
        for column in _SEARCHED:
            if column in runs:
                text = text + " " + runs[column].fillna("").astype(str)
        text = text.str.lower()
        for word in words.lower().split():
            kept &= text.str.contains(word, regex=False).to_numpy()
    return runs[kept]


def settings_of(runs: pd.DataFrame, figures: Sequence[str]) -> pd.DataFrame:
    """One row a setting: the mean of each figure over the seeds, and how far they lie apart.

    Parameters
    ----------
    runs : DataFrame
    figures : names of columns of numbers: metrics, metrics by bin, costs.

    Returns
    -------
    DataFrame in the order in which settings first appear: "data", "evaluated", "method", "params", "label", "seeds"
    (runs of it), all "param.NAME", and for each figure its mean and "<figure> low", "<figure> high": the lowest and
    highest seed; of a single run its own bootstrap interval, where the table has one, else its value.

    Only runs with status "ok" count. Time is O(runs x figures).
    """
    sound = runs[runs["status"] == "ok"] if "status" in runs else runs
    names = list(dict.fromkeys(figures))
    keys = [sound[key] for key in _SETTING] if "setting" not in sound else [sound["setting"]]
    grouped = sound.groupby(keys, sort=False, dropna=False)
    carried = [c for c in ("data", "source", "evaluated", "method", "params", "label", "setting") if c in sound]
    carried += [c for c in sound.columns if str(c).startswith(PARAM)]
    first = ~sound.duplicated([key.name for key in keys])
    out = sound.loc[first, carried].reset_index(drop=True)
    out["seeds"] = grouped.size().to_numpy()
    single = (out["seeds"] == 1).to_numpy()
    parts: dict[str, Any] = {}
    for name in names:
        values = grouped[name]
        parts[name] = values.mean().to_numpy(dtype=float)
        for side, of_seeds in zip(_SIDES, (values.min(), values.max()), strict=True):
            bound = of_seeds.to_numpy(dtype=float)
            column = f"{name} {side}"
            if column in sound:
                own = sound.loc[first, column].to_numpy(dtype=float)
                bound = np.where(single & ~np.isnan(own), own, bound)
            parts[column] = bound
    return pd.concat([out, pd.DataFrame(parts)], axis=1)


def best_settings(settings: pd.DataFrame, metric: str, by: Sequence[str] = ("data", "method")) -> pd.DataFrame:
    """Of each group of settings, by default each method on each data set, the one with the highest mean."""
    scored = settings[settings[metric].notna()]
    best = scored.sort_values(metric, ascending=False, kind="stable").drop_duplicates(list(by))
    return scored.loc[np.sort(best.index)]


def pareto_front(cost: Any, quality: Any) -> NDArray[np.bool_]:
    """Which points no other point beats: none is at least as cheap and as good, and better in one of the two.

    Parameters
    ----------
    cost, quality : arrays (n,)
        A point with NaN is not on the front. Time is O(n log n).

    Examples
    --------
    >>> pareto_front([1, 2, 3, 3], [0.5, 0.4, 0.9, 0.8]).tolist()
    [True, False, True, False]
    """
    c, q = np.asarray(cost, dtype=float), np.asarray(quality, dtype=float)
    if c.shape != q.shape or c.ndim != 1:
        raise ValueError(f"quality: found shape {q.shape}, wanted that of cost, {c.shape}, one value a point")
    front = np.zeros(len(c), dtype=bool)
    known = np.flatnonzero(~(np.isnan(c) | np.isnan(q)))
    order = known[np.lexsort((-q[known], c[known]))]  # cheapest first, of equal cost the best first
    best_before = np.maximum.accumulate(np.concatenate(([-np.inf], q[order])))[:-1]
    better = q[order] > best_before
    front[order[better]] = True
    # an exact double of a point on the front is on it, too
    on_it = set(zip(c[front], q[front], strict=True))
    front[known] = np.array([point in on_it for point in zip(c[known], q[known], strict=True)], dtype=bool)
    return front


def parameters_text(params: str) -> dict[str, str]:
    """The parameters of a run, from its JSON text, each value as `as_text` writes it."""
    return {name: as_text(value) for name, value in json.loads(params or "{}").items()}
