"""A study that takes seconds, and what must not depend on how it was run. As a script: runs it into a folder."""

from __future__ import annotations

import sys

import pandas as pd

from xmlwb.studies import Study
from xmlwb.studies.runs import BIN_METRICS, INTERVALS, METRICS

SMALL = {"name": "synthetic", "options": {"n": 600, "L": 40, "n_features": 200, "random_state": 3}}
RESULTS = [
    "run",
    "study",
    "data",
    "method",
    "label",
    "place",
    "seed",
    "params",
    "status",
    "error",
    "curve",
    "data_hash",
]
RESULTS += [*METRICS, *BIN_METRICS, *INTERVALS]


def small_study() -> Study:
    return Study(
        SMALL,
        ["popular", "ova", "knn", "wsabie"],
        grid={"ova": {"C": [0.1, 1], "threshold": [0.0, 0.1]}, "wsabie": {"n_components": [5, 10**12]}},
        seeds=3,
        predictions=True,
        name="small",
    )


def results(runs: pd.DataFrame) -> pd.DataFrame:
    """The columns that two ways to run a study share."""
    return runs[RESULTS].reset_index(drop=True)


if __name__ == "__main__":
    small_study().run(sys.argv[1], n_jobs=1)
