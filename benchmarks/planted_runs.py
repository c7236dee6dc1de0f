"""A table of runs that were never made, with answers that are known: to try the explorer on, and to time it.

What is planted: one-vs-all is best at C = 1 and never worth its cost; Parabel costs by its trees and gains by them, and
a wider beam changes nothing but the time of a prediction; SVD gains by its dimensions and finds nothing in the tail; a
seed moves P@k by about 0.2 points.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

GRIDS: dict[str, dict[str, list]] = {
    "ova": {
        "C": [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0],
        "threshold": [0.0, 0.01, 0.03, 0.1, 0.3],
        "loss": ["hinge", "squared hinge"],
    },
    "parabel": {
        "n_trees": [1, 2, 3, 5, 8],
        "beam": [5, 10, 20, 50],
        "C": [0.1, 1.0, 10.0],
        "depth": ["shallow", "deep"],
    },
    "svd": {
        "n_components": [10, 20, 50, 100, 200, 400],
        "alpha": [0.1, 1.0, 10.0, 100.0],
        "weighting": ["none", "a rather long name of a weighting by propensity"],
    },
}
BINS = {"head": 0.2, "torso": 0.0, "tail": -0.25}
SHARE = {"P@1": 1.0, "P@3": 0.75, "P@5": 0.6, "nDCG@5": 0.9, "R@5": 0.85, "PSP@1": 0.6, "PSP@3": 0.62, "PSP@5": 0.65}
DATA = {"debtags": 0.0, "debdeps": -0.1}


def planted_runs(n: int = 10_000, seeds: int = 5, random_state: int = 0) -> pd.DataFrame:
    """At most n runs of the grids, all seeds of a setting one after the other; every 97th failed, every 61st pruned."""
    rng = np.random.default_rng(random_state)
    rows = []
    for repeat in itertools.count():
        if len(rows) >= n:
            break
        for data, (method, grid) in itertools.product(DATA, GRIDS.items()):
            for values in itertools.product(*grid.values()):
                params = dict(zip(grid, values, strict=True)) | ({"variant": repeat} if repeat else {})
                rows += [_run(data, method, params, seed, len(rows) + seed, rng) for seed in range(seeds)]
    return pd.DataFrame(rows[:n])


def planted_p1(method: str, params: dict) -> float:
    """P@1 on debtags without a seed's noise, as a fraction."""
    if method == "ova":
        return 0.79 - 0.02 * math.log10(params["C"]) ** 2 - 0.1 * params["threshold"]
    if method == "parabel":
        return 0.78 + 0.02 * math.log2(params["n_trees"]) / 3 - 0.005 * math.log10(params["C"]) ** 2
    return 0.50 + 0.1 * math.log10(params["n_components"] / 10) - 0.01 * abs(math.log10(params["alpha"]))


def _run(data: str, method: str, params: dict, seed: int, number: int, rng: np.random.Generator) -> dict:
    text = json.dumps(params, sort_keys=True)
    words = ", ".join(f"{name}={value}" for name, value in params.items())
    status = "failed" if number % 97 == 96 else "pruned" if number % 61 == 60 else "ok"
    row = {
        "study": f"planted-{data}", "run": hashlib.sha1(f"{data}{method}{text}{seed}".encode()).hexdigest()[:16],
        "data": data, "method": method, "label": f"{method}, {words}", "seed": seed, "evaluated": "test",
        "params": text, **{f"param.{name}": value for name, value in params.items()},
        "status": status, "error": "MemoryError: wanted 9.1 GB, found 7.9 GB" if status == "failed" else "",
    }  # fmt: skip
    if status != "failed":
        level = planted_p1(method, params) + DATA[data] + 0.002 * rng.standard_normal()
        for metric, share in SHARE.items():
            value = share * level
            row |= {metric: value, f"{metric} low": value - 0.008, f"{metric} high": value + 0.008}
        for name, apart in BINS.items():
            found = 0.0 if (method, name) == ("svd", "tail") else max(0.0, SHARE["P@5"] * level + apart)
            row[f"P@5 {name}"] = found
        row["coverage@5"] = 0.4 * level
        size = {"ova": 1.0, "parabel": params.get("n_trees", 1), "svd": params.get("n_components", 0) / 50}[method]
        slow = {"ova": 8.0, "parabel": 0.5, "svd": 0.9}[method] * math.exp(0.05 * rng.standard_normal())
        row |= {
            "train s": slow * size, "ms per instance": 0.004 * size * (1 + params.get("beam", 0) / 10),
            "model MB": 6.0 * size, "peak RSS MB": 400 + 10 * size,
        }  # fmt: skip
    row |= {
        "versions": "{}",
        "data_hash": "0" * 16,
        "started": "2026-01-01T00:00:00",
        "finished": "2026-01-01T00:01:00",
    }
    return row


def write_study(runs: pd.DataFrame, folder: Path) -> None:
    """Write runs as one Parquet file of a study, as `xmlwb.studies.read_runs` reads it."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    kept = [column for column in runs.columns if not column.startswith("param.")]
    runs[kept].assign(place=range(len(runs))).to_parquet(folder / "runs" / "part-000001.parquet", index=False)
