"""Overfitting, not narrowness: the GLaS paper's figure 1 and tables 1 and 2 on EURLEX57K and debdeps; GLaS at its best.

    python benchmarks/overfitting.py --study table2                # XMLWB_DATA names the folder that holds eurlex57k
    python benchmarks/overfitting.py --study table1 --data eurlex-4.3k
    python benchmarks/overfitting.py --study best --seeds 3
    python benchmarks/overfitting.py --study figure1 --figure figure1.html
    python benchmarks/overfitting.py --study table2,table1,best --show     # only the tables of what has been run
    python benchmarks/overfitting.py --study table2 --fast                 # a smoke run on 1,500 rows

figure1  P@1 on training and test rows after each epoch, with regularisation and without.
table2   algorithm 1 (nothing), algorithm 2 (GLaS and input dropout), each part alone: P@1 in training and test, the
         gap, PSP@1, means and 95 % t intervals over seeds; differences are taken seed by seed. Training goes on to the
         last epoch in all settings alike. Beside it what a look at validation rows would have stopped at ("best
         epoch"): the simplest regulariser there is, and the control for the others.
         Bars: training P@1 above 97 with nothing; the gap cut by 30 %; test P@1 raised by 1.0 point.
table1   the ablation: one parameter at a time leaves the base, the paper's column beside ours, the effects in order.
         Figures are test P@1 at the epoch that validation rows choose (the paper stops early too).
best     GLaS with settings chosen on validation rows, one-vs-all, Parabel: P and PSP at 1, 3, 5 on the test rows.
         Bars: P@1 at most 3 points under Parabel's on EURLEX57K, 1 on debdeps; PSP@1 above both others' on EURLEX57K.

A run is kept as soon as it ends (JSON lines in --runs), and not run again; --again does. The memory that a run will
need and, once a like run has been, its seconds are said before it starts; one that needs more than is free is left out.
The tables of all runs go to --out, in the package: glas_runs.csv, a row a run, and glas_curves.csv, a row an epoch.

Train P@1 is of 10,000 fixed training rows at the end and of 2,000 in the curve, without input dropout; test P@1 in the
curve of at most 4,000 fixed test rows, at the end of all. Rows for validation are the sets' own, at most 4,000; models
learn from the training rows alone. Test labels choose nothing within a run; how the settings were found stands beside
them in overfitting_studies.py. The exit status is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from overfitting_studies import ABLATION_DATA, ABLATION_SEEDS, DATA, FAST_ROWS, STUDIES, jobs_of
from overfitting_tables import curves_of, curves_table, figure_of, report, runs_of
from run_store import Job, RunStore, key_of

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset, load
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.model_choice import chosen_models
from xmlwb.models import METHODS
from xmlwb.models.base import topk_to_csr

HERE = Path(__file__).resolve().parent
RUNS = HERE / "overfitting" / "runs" / "runs.jsonl"
LESSONS = HERE.parent / "xmlwb" / "lessons"
TRAIN_ROWS, CURVE_ROWS = 10_000, 4_000


class Parts:
    """The matrices of a run, and those rows of them that it is scored on."""

    def __init__(self, dataset: Dataset, limit: int | None) -> None:
        rng = np.random.default_rng(0)
        self.X, self.Y = dataset.X_train[:limit], dataset.Y_train[:limit]
        self.X_test, self.Y_test = dataset.X_test[:limit], dataset.Y_test[:limit]
        self.propensity = propensities(self.Y, *dataset.propensity_ab)

        def some(X: Any, Y: Any, most: int) -> tuple[Any, Any]:
            rows = np.sort(rng.permutation(X.shape[0])[:most])
            return X[rows], Y[rows]

        self.valid = some(dataset.X_valid[:limit], dataset.Y_valid[:limit], CURVE_ROWS)
        self.train = some(self.X, self.Y, TRAIN_ROWS)
        self.curve = some(self.X_test, self.Y_test, CURVE_ROWS)


def new_model(job: Job, threads: int) -> Any:
    model = chosen_models([job["method"]], seed=job["seed"], n_jobs=threads)[job["method"]]
    return model.set_params(**job["params"])


def scored(model: Any, X: Any, Y: Any, propensity: np.ndarray, name: str, ranks: tuple[int, ...]) -> dict[str, float]:
    """P and PSP in per cent, also of a model whose fit is going on."""
    S = topk_to_csr(*model._predict_topk(X, max(ranks)), model.n_labels_)
    P, PSP = (100 * values for values in (precision_at_k(Y, S, max(ranks)), psp_at_k(Y, S, propensity, max(ranks))))
    return {f"{name} P@{k}": float(P[k - 1]) for k in ranks} | {f"{name} PSP@{k}": float(PSP[k - 1]) for k in ranks}


def run(job: Job, parts: Parts, threads: int) -> dict[str, Any]:
    """One fit: its figures at the end, and after each epoch where the method has epochs."""
    model, curve, aside = new_model(job, threads), [], 0.0

    def watch(event: Any) -> None:
        nonlocal aside
        begin = time.perf_counter()
        figures = {"penalty" if name == "regularizer" else name: value for name, value in event.figures.items()}
        shares = {name: 100 * figures.pop(name) for name in list(figures) if "P@" in name}
        figures |= shares | scored(model, *parts.curve, parts.propensity, "test", (1,))
        curve.append({"epoch": event.step, "seconds": event.elapsed - aside, **figures})
        aside += time.perf_counter() - begin

    is_neural = hasattr(METHODS[job["method"]].cls, "_run_epochs")
    start = time.perf_counter()
    if is_neural:
        model.fit(parts.X, parts.Y, eval_set=parts.valid, callback=watch)
    else:
        model.fit(parts.X, parts.Y)
    found: dict[str, Any] = {"seconds": time.perf_counter() - start - aside, "epoch": len(curve)}
    found |= scored(model, *parts.valid, parts.propensity, "valid", (1,))
    found |= scored(model, *parts.train, parts.propensity, "train", (1,))
    found |= scored(model, parts.X_test, parts.Y_test, parts.propensity, "test", (1, 3, 5))
    return {"figures": found, "curve": curve, "model": {**model.get_params(), "device": None, "n_jobs": None}}


def forecast(job: Job, parts: Parts, store: RunStore, threads: int) -> tuple[str, bool]:
    """What a run will cost, in words, and whether there is the memory for it."""
    model = new_model(job, threads)
    needed = model.memory_estimate(*parts.X.shape, parts.Y.shape[1], parts.X.nnz)
    free = psutil.virtual_memory().available
    said = f"{needed / 2**30:.2f} GiB of {free / 2**30:.1f} GiB free"
    kind = ("data", "method", "rows")
    like = [other for other in store if all(other["job"].get(part) == job.get(part) for part in kind)]
    if like:
        rate = like[-1]["figures"]["seconds"] / work(like[-1]["model"], like[-1]["figures"]["epoch"])
        said += f", about {rate * work(model.get_params(), None):.0f} s"
    return said, needed < free


def work(params: dict[str, Any], epochs: int | None) -> float:
    """What a fit's seconds are about proportional to, among fits of a method to the same rows."""
    return (epochs or params.get("n_epochs", 1)) * params.get("n_components", 1)


def run_missing(jobs: list[Job], store: RunStore, args: argparse.Namespace) -> int:
    """Run what is not in the store; how many runs were left out."""
    left_out = 0
    wanted = list({key_of(job): job for job in jobs if args.again or job not in store}.values())
    of_data = {name: Parts(load(name), FAST_ROWS if args.fast else None) for name in {job["data"] for job in wanted}}
    for number, job in enumerate(wanted, start=1):
        parts = of_data[job["data"]]
        cost, fits = forecast(job, parts, store, args.threads)
        words = ", ".join(f"{name}={value}" for name, value in job["params"].items())
        print(f"[{number}/{len(wanted)}] {job['data']} {job['method']} seed {job['seed']} {words}: {cost}", flush=True)
        if not fits:
            print("    left out: more than is free", flush=True)
            left_out += 1
            continue
        try:
            found = run(job, parts, args.threads)
        except Exception as error:  # one run's failure must not cost the others' hours
            print(f"    left out: {type(error).__name__}: {error}", flush=True)
            left_out += 1
            continue
        store.add(job, found)
        f = found["figures"]
        print(
            f"    {f['seconds']:.0f} s, {f['epoch']} epochs; P@1 train {f['train P@1']:.2f}, valid {f['valid P@1']:.2f}"
            f", test {f['test P@1']:.2f}; PSP@1 {f['test PSP@1']:.2f}",
            flush=True,
        )
        if not args.fast:
            write_tables(store, args)
    return left_out


def write_tables(store: RunStore, args: argparse.Namespace) -> None:
    """All runs of the studies that there are, whatever was asked for now."""
    named = [
        (study, setting, job)
        for study in STUDIES
        for setting, job in jobs_of(study, list(DATA), range(20))
        if job in store
    ]
    args.out.mkdir(parents=True, exist_ok=True)
    for name, table in (("glas_runs.csv", runs_of(named, store)), ("glas_curves.csv", curves_of(named, store))):
        with atomic_path(args.out / name) as partial:
            table.to_csv(partial, index=False, float_format="%.5g")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="table2", help=f"with commas, of figure1, {', '.join(STUDIES)}")
    parser.add_argument("--data", help=f"of {', '.join(DATA)}, with commas (table1: {ABLATION_DATA})")
    parser.add_argument("--seeds", type=int, help=f"how many, from 0 (default 5; table1: {ABLATION_SEEDS})")
    parser.add_argument("--settings", help="only these of a study, with commas")
    parser.add_argument("--fast", action="store_true", help="few rows, few dimensions, two epochs; no bars, no --out")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--again", action="store_true", help="run also what has been run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=RUNS, help="the file of finished runs")
    parser.add_argument("--out", type=Path, default=LESSONS, help="folder of the tables, CSV")
    parser.add_argument("--figure", type=Path, help="figure1: also write it to this HTML file")
    args = parser.parse_args()
    studies = args.study.split(",")
    if unknown := set(studies) - {"figure1", *STUDIES}:
        parser.error(f"--study has {', '.join(sorted(unknown))}; wanted of figure1, {', '.join(STUDIES)}")
    if unknown := set(args.data.split(",") if args.data else []) - set(DATA):
        parser.error(f"--data has {', '.join(sorted(unknown))}; wanted of {', '.join(DATA)}")
    import torch

    torch.set_num_threads(args.threads)
    store, met, left_out = RunStore(args.runs), True, 0
    for study in studies:
        source = "table2" if study == "figure1" else study
        data = args.data.split(",") if args.data else [ABLATION_DATA] if study == "table1" else list(DATA)
        seeds = range(args.seeds or (ABLATION_SEEDS if study == "table1" else 1 if args.fast else 5))
        named = jobs_of(source, data, seeds, args.fast)
        if args.settings:
            named = [(setting, job) for setting, job in named if setting in args.settings.split(",")]
        if not args.show:
            try:
                left_out += run_missing([job for _, job in named], store, args)
            except FileNotFoundError as error:
                parser.exit(2, f"{parser.prog}: {error}\n")
        done = [(source, setting, job) for setting, job in named if job in store]
        if not done:
            print(f"{study}: nothing has been run yet")
            met = False
            continue
        if study == "figure1":
            curves = curves_of(done, store)
            print(curves_table(curves))
            if args.figure:
                figure_of(curves).write_html(args.figure)
        else:
            met &= report(study, runs_of(done, store))
    if not args.fast:
        write_tables(store, args)
    return 0 if (met or args.fast) and not left_out else 1


if __name__ == "__main__":
    sys.exit(main())
