"""What the package carries so that a class explores without training: every stored table, and who wrote it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class StoredStudy:
    """A table beside the lessons.

    Attributes
    ----------
    file : str
        In ``xmlwb/lessons``.
    chapter : int
        Where it is explored.
    holds : str
    command : str
        What wrote it.
    """

    file: str
    chapter: int
    holds: str
    command: str


STORED = (
    StoredStudy(
        "tree_scaling.csv", 5, "label trees from 10^3 labels up: what they cost", "python benchmarks/tree_scaling.py"
    ),
    StoredStudy(
        "glas_runs.csv", 7, "tables 1 and 2 of the GLaS paper on other data, a row a run",
        "python benchmarks/overfitting.py --study table2,table1,best",
    ),
    StoredStudy(
        "glas_curves.csv", 7, "the same, epoch by epoch", "python benchmarks/overfitting.py --study table2,table1,best"
    ),
    StoredStudy(
        "method_costs.csv", 8, "every method with its defaults: seconds, megabytes, P@k and PSP@k",
        "python benchmarks/method_costs.py",
    ),
    StoredStudy(
        "ablation_runs.parquet", 9, "which method wins on which part of the labels: the table of runs",
        "python benchmarks/pack_ablation.py FOLDER",
    ),
    StoredStudy(
        "ablation_hits.npz", 9, "the same study: what was right, instance by instance",
        "python benchmarks/pack_ablation.py FOLDER",
    ),
)  # fmt: skip


def stored_studies() -> pd.DataFrame:
    """A row a stored table: its chapter, what it holds, its size, and the command that wrote it."""
    rows = [
        {"file": study.file, "chapter": f"{study.chapter:02d}", "holds": study.holds,
         "kB": round((FOLDER / study.file).stat().st_size / 1000), "written by": study.command}
        for study in STORED
        if (FOLDER / study.file).is_file()
    ]  # fmt: skip
    return pd.DataFrame(rows).set_index("file")
