"""The tables of papers, run again: ours beside what is printed there.

    python benchmarks/paper_tables.py --table dxml-2 --out dxml-2.json            # XMLWB_DATA names the sets' folder
    python benchmarks/paper_tables.py --table dxml-2 --data bibtex --methods leml,cplst --splits 2
    python benchmarks/paper_tables.py --table dxml --out dxml.json                # DXML, SLEEC, KNN
    python benchmarks/paper_tables.py --table lightdxml          # goes on in lightdxml_table.py, with its own options

For each split of each set, each method's hyper-parameters are chosen on a random fifth of that split's training rows
(the grids: paper_grids.py; by the mean of P@1, P@3, P@5), then the choice is fitted on all training rows and scored on
the test rows, which nothing has looked at before. The seed of the choice and of the method is the split's number.
What was chosen is printed. With --out every finished (set, split, method) is kept at once, and a run that is started
again goes on where it stopped; rows of another grid than today's are run again, and so is what --redo asks for.

Rows have unit length, as `xmlwb.datasets.load` gives them. Train seconds are the last fit's, in one process, methods in
turn; the first fit of a process may hold some compilation. The papers' figures are in paper_tables/TABLE.csv, those of
table dxml with seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightdxml_table
import numpy as np
import pandas as pd
from paper_grids import GRIDS, choose, new_model

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset, load
from xmlwb.metrics import ndcg_at_k, precision_at_k
from xmlwb.models import METHODS

HERE = Path(__file__).resolve().parent
FIGURES = [f"{metric}@{k}" for metric in ("P", "nDCG") for k in (1, 3, 5)]


@dataclass(frozen=True)
class PaperTable:
    """A table to run again; its figures are those of paper_tables/KEY.csv, with columns data, method and `FIGURES`.

    Parameters
    ----------
    data : names of the sets, as `load` and the file call them.
    splits : how many splits the paper averages over.
    methods : our key and the paper's name of each method, None where the paper has none.
    barred : how many points our mean P@1 may be under the paper's, for each key that has a bar.
    """

    data: tuple[str, ...]
    splits: int
    methods: dict[str, str | None]
    barred: dict[str, float] = field(default_factory=dict)


TABLES: dict[str, PaperTable] = {
    "dxml-2": PaperTable(
        data=("bibtex", "delicious"),
        splits=10,
        methods={
            "ova": "1-vs-All", "knn": "KNN", "cs": "CS", "svd": None, "plst": None, "cplst": "CPLST",
            "mlcssp": "ML-CSSP", "leml": "LEML", "wsabie": "WSABIE", "fastxml": "FastXML",
            "lpsr": "LPSR", "nb": None,
        },
        barred={"cs": 1.0, "cplst": 1.0, "mlcssp": 1.0, "leml": 1.0, "wsabie": 1.0, "fastxml": 0.7, "lpsr": 1.0},
    ),
    "dxml": PaperTable(
        data=("bibtex", "delicious"),
        splits=10,
        methods={"dxml": "DXML", "sleec": "SLEEC", "knn": "KNN"},
        barred={"dxml": 1.0, "sleec": 1.0, "knn": 1.0},
    ),
}  # fmt: skip


def paper_figures(key: str) -> pd.DataFrame:
    """What the paper prints, by (data, method), in per cent."""
    return pd.read_csv(HERE / "paper_tables" / f"{key}.csv", comment="#", index_col=["data", "method"])


class Results:
    """Finished rows by (table, data, split, method), each written to a file as soon as it is there, if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[tuple[str, str, int, str], dict[str, Any]] = {}
        if path is not None and path.exists():
            rows = pd.read_parquet(path).to_dict("records") if _is_parquet(path) else json.loads(path.read_text())
            self._rows = {_name(row): row for row in rows}

    def has(self, row: dict[str, Any]) -> bool:
        """Whether this has been run, with the same grid."""
        return self._rows.get(_name(row), {}).get("grid") == row["grid"]

    def add(self, row: dict[str, Any]) -> None:
        self._rows[_name(row)] = row
        if self._path is None:
            return
        with atomic_path(self._path) as partial:
            if _is_parquet(self._path):
                pd.DataFrame(list(self._rows.values())).to_parquet(partial)
            else:
                partial.write_text(json.dumps(list(self._rows.values()), indent=1) + "\n")

    def of(self, asked: list[dict[str, Any]]) -> pd.DataFrame:
        return pd.DataFrame([self._rows[_name(row)] for row in asked if self.has(row)])


def _name(row: dict[str, Any]) -> tuple[str, str, int, str]:
    return row["table"], row["data"], int(row["split"]), row["method"]


def _is_parquet(path: Path) -> bool:
    return path.suffix == ".parquet"


def run(dataset: Dataset, key: str, split: int, n_jobs: int) -> dict[str, Any]:
    """Choose, fit and score one method on one split."""
    start = time.perf_counter()
    tried = []
    for params, figure in choose(key, dataset.X_train, dataset.Y_train, seed=split, n_jobs=n_jobs):
        tried.append((figure, params))
        print(f"    {figure:6.2f}  {_words(params)}", file=sys.stderr, flush=True)
    best, params = max(tried, key=lambda pair: pair[0])
    choose_s = time.perf_counter() - start
    model = new_model(key, params, seed=split, n_jobs=n_jobs)
    start = time.perf_counter()
    model.fit(dataset.X_train, dataset.Y_train)
    train_s = time.perf_counter() - start
    start = time.perf_counter()
    S = model.predict_topk(dataset.X_test, k=5)
    test_s = time.perf_counter() - start
    values = np.concatenate([metric(dataset.Y_test, S, k=5)[[0, 2, 4]] for metric in (precision_at_k, ndcg_at_k)])
    scored = {name: 100 * float(value) for name, value in zip(FIGURES, values, strict=True)}
    return {
        "params": json.dumps(params),
        "valid": best,
        "choose_s": choose_s,
        "train_s": train_s,
        "test_s": test_s,
    } | scored


def show(runs: pd.DataFrame, key: str) -> bool:
    """Print ours beside the paper's, what was chosen, and the bars; False if one is missed."""
    paper, table, all_met = paper_figures(key), TABLES[key], True
    for name, rows in runs.groupby("data", sort=False):
        ours = rows.groupby("method", sort=False)[FIGURES]
        mean, spread = ours.mean(), ours.std()
        printed = pd.DataFrame(
            [paper.loc[(name, p)] if (p := table.methods[m]) else pd.Series(dtype=float) for m in mean.index],
            index=mean.index, columns=FIGURES,
        )  # fmt: skip
        beside = {
            (figure, what): part[figure]
            for figure in FIGURES
            for what, part in {"ours": mean, "sd": spread, "paper": printed, "diff": mean - printed}.items()
        }
        whole = pd.DataFrame(beside)
        whole.index = pd.Index([f"{m} ({table.methods[m]})" if table.methods[m] else m for m in mean.index])
        splits = rows.groupby("method", sort=False).size()
        number = str(splits.iloc[0]) if splits.nunique() == 1 else ", ".join(f"{m} {n}" for m, n in splits.items())
        print(f"\n{name}: per cent, mean and standard deviation over splits ({number})")
        for metric in ("P", "nDCG"):
            print(whole[[c for c in whole if c[0].startswith(f"{metric}@")]].to_string(float_format="%.2f", na_rep=""))
        print(f"\n{name}: chosen (on how many splits), seconds of a fit, of a choice")
        for method, group in rows.groupby("method", sort=False):
            chosen = [f"{_words(json.loads(p))} ({n})" for p, n in group["params"].value_counts().items()]
            print(f"  {method}: {group['train_s'].mean():.2f} s, {group['choose_s'].mean():.1f} s; {'; '.join(chosen)}")
        if "train_s" in paper:
            _show_seconds(rows, paper.loc[name], table)
        for method in [m for m in mean.index if m in table.barred]:
            bar, value = printed.loc[method, "P@1"] - table.barred[method], mean.loc[method, "P@1"]
            all_met &= bool(value >= bar)
            print(f"  {method}: P@1 {value:.2f}, bar {bar:.2f}: {'met' if value >= bar else 'MISSED'}")
    return all_met


def _processor() -> str:
    """The name that the system has for this machine's processor."""
    cpuinfo = Path("/proc/cpuinfo")
    named = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.exists() else []
    return named[0].split(":", 1)[1].strip() if named else platform.processor() or platform.machine()


def _show_seconds(rows: pd.DataFrame, paper: pd.DataFrame, table: PaperTable) -> None:
    """Seconds of a fit and of predicting the test rows; the paper's are of its own machines (see the CSV)."""
    print(f"  seconds, train and test, on {os.cpu_count()} cores of {_processor()} (the paper's, on its machines):")
    for method, group in rows.groupby("method", sort=False):
        theirs = paper.loc[table.methods[method]]
        said = "; ".join(
            f"{what.removesuffix('_s')} {group[what].mean():.2f} ({theirs[what]:.4g})" for what in ("train_s", "test_s")
        )
        print(f"    {method}: {said}")


def _words(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", choices=[*TABLES, "lightdxml"], default="dxml-2")
    parser.add_argument("--data", help="of the table's sets, with commas (default: all)")
    parser.add_argument("--methods", help="of the table's methods, with commas, in our keys (default: all)")
    parser.add_argument("--splits", type=int, help="only so many splits, from 0 (default: as the paper)")
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, help="keep finished runs in this .parquet or .json file, and go on from it")
    parser.add_argument("--redo", action="store_true", help="run also what the file of --out has already")
    if "lightdxml" in sys.argv[1:]:
        at = sys.argv.index("lightdxml")
        return lightdxml_table.main([*sys.argv[1 : at - 1], *sys.argv[at + 1 :]])
    args = parser.parse_args()
    table = TABLES[args.table]
    names = args.data.split(",") if args.data else list(table.data)
    methods = args.methods.split(",") if args.methods else list(table.methods)
    for option, given, known in (("--data", names, table.data), ("--methods", methods, table.methods)):
        unknown = [word for word in given if word not in known]
        if unknown:
            parser.error(f"{option} has {', '.join(unknown)}; the table has {', '.join(known)}")
    missing = [key for key in methods if key not in METHODS or key not in GRIDS]
    if missing:
        parser.error(f"--methods has {', '.join(missing)}; without a model or a grid in this version")
    results, failed, asked = Results(args.out), False, []
    for name in names:
        for split in range(args.splits or table.splits):
            rows = [
                {"table": args.table, "data": name, "split": split, "method": m, "grid": json.dumps(GRIDS[m])}
                for m in methods
            ]
            asked += rows
            rows = [row for row in rows if args.redo or not results.has(row)]
            if not rows:
                continue
            try:
                dataset = load(name, split=split)
            except (FileNotFoundError, ValueError) as error:
                parser.exit(2, f"{parser.prog}: {error}\n")
            for row in rows:
                print(f"{name} split {split} {row['method']}", file=sys.stderr, flush=True)
                try:
                    found = run(dataset, row["method"], split, args.n_jobs)
                except Exception as error:  # one method's failure must not cost the others' hours
                    failed = True
                    print(f"    left out: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                    continue
                results.add(row | found)
                print(f"    test P@1 {found['P@1']:.2f}, {found['train_s']:.2f} s", file=sys.stderr, flush=True)
    runs = results.of(asked)
    if runs.empty:
        parser.exit(1, f"{parser.prog}: no run came to its end\n")
    met = show(runs, args.table)
    return 0 if met and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
