"""The runs of studies/methods-*.yaml as the package carries them, for chapter 09.

    for set in debtags debdeps eurlex57k deep; do
        XMLWB_DATA=FOLDER xmlwb sweep benchmarks/studies/methods-$set.yaml --out runs/methods --jobs 1
    done
    python benchmarks/pack_ablation.py runs/methods

Needs the data sets that the runs were made on. Writes the table of runs, without curves and without what an interval
of a cost would need, and from the predictions of every method's first seed what was right, instance by instance. Give
several folders where a study was made in parts. Runs named by --untimed were made beside other work: their seconds and
milliseconds are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from xmlwb.atomic import atomic_path
from xmlwb.lessons.ablation_runs import HITS, RUNS, InstanceHits, hits_of, write_hits
from xmlwb.studies import open_rows, read_predictions, read_runs
from xmlwb.studies.runs import OK, SCHEMA

_TIMES = ["train s", "ms per instance", "run s"]


def gathered(folders: list[Path], untimed: list[Path]) -> pd.DataFrame:
    """The sound runs; one that is in several folders counts as it is in the first."""
    parts = []
    for folder in [*folders, *untimed]:
        runs = read_runs(folder).assign(folder=str(folder))
        if folder in untimed:
            runs[_TIMES] = np.nan
        parts.append(runs[runs["status"] == OK])
    runs = pd.concat(parts, ignore_index=True).drop_duplicates("run", keep="first")
    runs["study"] = "which method wins"
    return runs.sort_values(["data", "method", "seed"], kind="stable", ignore_index=True)


def first_hits(runs: pd.DataFrame) -> InstanceHits:
    """Of each method's first seed."""
    codes, groups = {}, {}
    for (data, source), inside in runs.groupby(["data", "source"], sort=False):
        _, rows = open_rows(source, "test")
        if rows.groups is not None:
            groups[data] = rows.groups
        for method, of_it in inside.sort_values("seed", kind="stable").groupby("method", sort=False):
            run = of_it.iloc[0]
            S = read_predictions(run["folder"], run["run"])
            if S is None:
                raise SystemExit(
                    f"{run['folder']} kept no predictions of {data} {method}; run it with predictions: true"
                )
            codes[data, method] = hits_of(rows.Y_train, rows.Y, S)
    return InstanceHits(codes, groups)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--untimed", nargs="*", type=Path, default=[], help="folders of runs made beside other work")
    options = parser.parse_args()
    runs = gathered(options.folders, options.untimed)
    write_hits(first_hits(runs), HITS)
    kept = runs.reindex(columns=SCHEMA.names).assign(curve=None)
    with atomic_path(RUNS) as partial:
        pq.write_table(pa.Table.from_pandas(kept, schema=SCHEMA, preserve_index=False), partial, compression="zstd")
    for path in (RUNS, HITS):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")
    print(runs.groupby("data", sort=False)["method"].nunique().to_string())


if __name__ == "__main__":
    main()
