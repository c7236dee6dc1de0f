"""From tuning to final figures: each model's best settings on validation rows, measured once on the test rows."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from xmlwb.studies.runs import METRICS, OK, read_runs

if TYPE_CHECKING:
    from xmlwb.studies.plan import Variant
    from xmlwb.studies.study import Study


def chosen_settings(study: Study, folder: str | os.PathLike, metric: str = "P@5") -> pd.DataFrame:
    """The best settings of each model on each data set, by the mean over seeds on validation rows.

    Parameters
    ----------
    study : Study
        Evaluated on validation rows.
    folder : path-like
        Where its runs are.
    metric : str
        One of `METRICS`; of equals the earlier in the study.

    Returns
    -------
    DataFrame, a row each data set and model
        data, model, label, params (dict: what the study sets), value, runs (how many the mean is of).

    Raises
    ------
    ValueError
        The study is evaluated on test rows, or a model has no finished run.
    """
    if study.evaluate != "valid":
        raise ValueError("study: found evaluate 'test', wanted 'valid', since test labels choose nothing")
    if metric not in METRICS:
        raise ValueError(f"metric: found {metric!r}, wanted one of {', '.join(METRICS)}")
    runs = read_runs(folder)
    good = runs[(runs["status"] == OK) & (runs["evaluated"] == "valid")]
    rows = []
    for source in study.sources:
        for variant in study.variants:
            found = _settings_of(study, variant, good[good["data"] == source.title])
            if found.empty:
                raise ValueError(
                    f"{variant.name} has no finished run on {source.title} in {folder}; run the study first"
                )
            means = found.groupby("settings", sort=False)[metric].mean()
            best = found[found["settings"] == means.idxmax()]
            rows.append(
                {
                    "data": source.title,
                    "model": variant.name,
                    "label": best["label"].iloc[0],
                    "params": json.loads(str(means.idxmax())),
                    "value": float(means.max()),
                    "runs": len(best),
                }
            )
    return pd.DataFrame(rows)


def final_studies(
    study: Study,
    folder: str | os.PathLike,
    *,
    metric: str = "P@5",
    seeds: int | Sequence[int] | None = None,
    predictions: bool = True,
) -> list[Study]:
    """Studies of the chosen settings on the test rows, one a data set; arguments as in `chosen_settings` and `Study`.

    Models learn from all of the set's training rows. Seeds are the study's own unless others are given.
    """
    from xmlwb.studies.study import Study

    chosen = chosen_settings(study, folder, metric)
    finals = []
    for i, source in enumerate(study.sources):
        mine = chosen[chosen["data"] == source.title].set_index("model")
        finals.append(
            Study(
                study.datasets.get(i, source),
                {v.name: {"method": v.method, **mine.loc[v.name, "params"]} for v in study.variants},
                seeds=study.seeds if seeds is None else seeds,
                evaluate="test",
                predictions=predictions,
                name=f"{study.name}, final on {source.title}",
            )
        )
    return finals


def _settings_of(study: Study, variant: Variant, runs: pd.DataFrame) -> pd.DataFrame:
    """A variant's own runs, with the parameters that the study sets as JSON in "settings"."""
    from xmlwb.studies.plan import PlannedRun
    from xmlwb.studies.settings import as_json, identifying_params, new_model

    runs = runs[runs["method"] == variant.method]
    parsed = [json.loads(text) for text in runs["params"]]
    wanted: list[dict[str, Any]] = []
    if variant.name in study.grids:
        planned = [PlannedRun(0, variant, variant.fixed | point, "", 0) for point in study.grids[variant.name]]
        full = {json.dumps(identifying_params(new_model(variant.method, p.given, 0))): p.given for p in planned}
        wanted = [full.get(text, {"": None}) for text in runs["params"]]
    elif study.search is not None:
        names = [*variant.fixed, *study.search.space[variant.name]]
        fixed = {name: as_json(value) for name, value in variant.fixed.items()}
        wanted = [
            {name: found[name] for name in names if name in found}
            if all(found.get(name) == value for name, value in fixed.items() if name in found)
            else {"": None}
            for found in parsed
        ]
    settings = [json.dumps({name: as_json(value) for name, value in given.items()}) for given in wanted]
    return runs.assign(settings=settings)[[given != {"": None} for given in wanted]]
