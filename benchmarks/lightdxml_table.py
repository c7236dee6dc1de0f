"""LightDXML beside Astec, and both beside trees and neighbours: the LightDXML paper's tables II, IV and V on real data.

    python benchmarks/paper_tables.py --table lightdxml               # XMLWB_DATA names the folder that holds eurlex57k
    python benchmarks/lightdxml_table.py --study choose               # table V: on validation rows
    python benchmarks/lightdxml_table.py --study table                # tables II and IV, and the paper's claims as bars
    python benchmarks/lightdxml_table.py --study ablation --data debtags      # what each step buys, on validation rows
    python benchmarks/lightdxml_table.py --study table --show         # only what has been run
    python benchmarks/lightdxml_table.py --study table --fast         # a smoke run on 1,500 rows

choose    one fit for each setting of CHOICES, scored on the validation rows after every epoch of the classifier with
          the shortlist as it then is: the best epoch and rate by P@1; then beta of 0, 0.1 ... 1 on the last model.
table     the settings so chosen (CHOSEN), on the test rows, which chose nothing. Each fit is a process of its own:
          a warm-up on 200 rows, one fit, the median of three predictions of the top 5 of all test rows in one call,
          the bytes of the saved file, the process's peak resident memory.
ablation  LightDXML with one switch turned at a time.

--words says what both deep methods start from: "random", or "corpus", fastText trained by gensim on the training texts.
A run is kept as soon as it ends (JSON lines in --runs) and not run again; --again does. The exit status is 1 where a
bar is missed. Ratios of seconds are of runs on the same machine, one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peer_methods import peak_memory_MB, size_of
from run_store import Job, RunStore

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset, load
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.model_choice import chosen_models
from xmlwb.models.fit_profile import MODULES

HERE = Path(__file__).resolve().parent
RUNS = HERE / "paper_tables" / "runs"
DATA = ("debtags", "eurlex-4.3k", "debdeps")
TITLES = {"debtags": "debtags", "eurlex-4.3k": "EURLEX57K", "debdeps": "debdeps"}
DEEP = ("lightdxml", "astec")
#: The rows of table II: method, and what leaves its settings.
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "LightDXML": ("lightdxml", {}),
    "Astec": ("astec", {}),
    "Astec, no re-ranker": ("astec", {"reranker": False}),
    "Bonsai": ("bonsai", {}),
    "Parabel": ("parabel", {}),
    "KNN": ("knn", {}),
    "PfastreXML": ("pfastrexml", {}),
    "FastXML": ("fastxml", {}),
}
#: What --study choose tries: the columns of table V that a fit depends on. e_model and beta come out of each fit.
CHOICES: list[dict[str, Any]] = [
    {"learning_rate": rate, "n_epochs": 16, "rebuild_every": every, "n_label_epochs": 8}
    for rate, every in ((0.05, 8), (0.1, 8), (0.05, 4))
]
#: What validation rows chose; nothing: the defaults.
CHOSEN: dict[str, dict[str, Any]] = {}
BETAS = tuple(np.round(np.arange(0, 1.01, 0.1), 1).tolist())
#: One switch of LightDXML at a time.
ABLATION: dict[str, dict[str, Any]] = {
    "as it is": {},
    "negatives: the shortlist alone": {"negatives": "shortlist"},
    "negatives: at random alone": {"negatives": "random"},
    "frozen features": {"freeze_features": True},
    "no cycle": {"cycle": False},
    "a new shortlist every 4 epochs": {"rebuild_every": 4},
    "label encoder with ReLU (equation 4)": {"label_activation": "relu"},
    "k = 100": {"shortlist_size": 100},
    "Adam, rate 0.006 (table V)": {"optimizer": "adam", "learning_rate": 0.006},
}
RANKS = (1, 3, 5)
FIGURES = [f"{metric}@{k}" for metric in ("P", "PSP") for k in RANKS]
COSTS = ["train s", "model MB", "ms an instance"]
FAST_ROWS = 1500
WARM_UP = 200
FAST = {
    "lightdxml": {"n_epochs": 2, "n_label_epochs": 1, "rebuild_every": 1, "n_components": 32},
    "astec": {"n_surrogate_epochs": 1, "n_epochs": 1, "n_reranker_epochs": 1, "n_components": 32},
}


def params_of(method: str, data: str, given: dict[str, Any], words: str) -> dict[str, Any]:
    """The settings of a method on a set; Astec's are its defaults, which its own validation runs chose."""
    chosen = CHOSEN.get(data, {}) if method == "lightdxml" else {}
    return chosen | given | ({"words": words} if method in DEEP else {})


def jobs_of(args: argparse.Namespace, names: list[str], methods: list[str]) -> list[tuple[str, Job]]:
    rows = {name: row for name, row in ROWS.items() if row[0] in methods}
    jobs: list[tuple[str, Job]] = []
    for data in names:
        if args.study == "table":
            settings = [
                (name, method, params_of(method, data, given, args.words)) for name, (method, given) in rows.items()
            ]
        elif args.study == "ablation":
            settings = [
                (name, "lightdxml", params_of("lightdxml", data, given, args.words)) for name, given in ABLATION.items()
            ]
        else:
            settings = [(words_of(given), "lightdxml", given | {"words": args.words}) for given in CHOICES]
        for name, method, params in settings:
            job: Job = {"study": args.study, "data": data, "method": method, "params": params, "seed": 0}
            if args.fast:
                job |= {"rows": FAST_ROWS, "params": params | FAST.get(method, {})}
            jobs.append((name, job))
    return jobs


def words_of(params: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in params.items())


def measure(job: Job, folder: Path, threads: int) -> dict[str, Any]:
    """One run, in this process."""
    dataset = load(job["data"])
    most = job.get("rows")
    X, Y = dataset.X_train[:most], dataset.Y_train[:most]
    is_table = job["study"] == "table"
    held_out = (dataset.X_test, dataset.Y_test) if is_table else (dataset.X_valid, dataset.Y_valid)
    X_held, Y_held = (part[:most] for part in held_out)
    params = dict(job["params"])
    if params.pop("words", "random") == "corpus":
        params["word_vectors"] = word_vectors(dataset, params.get("n_components", 300), folder)
    model = chosen_models([job["method"]], seed=job["seed"], n_jobs=threads)[job["method"]].set_params(**params)
    warm_up(job["method"], model, X, Y, X_held)
    steps: list[dict[str, Any]] = []

    def watch(event: Any) -> None:
        steps.append({"stage": event.stage, **event.figures})

    start = time.perf_counter()
    if job["study"] == "choose":
        model.fit(X, Y, eval_set=(X_held, Y_held), callback=watch)
    else:
        model.fit(X, Y, callback=watch)
    found: dict[str, Any] = {"train s": time.perf_counter() - start}
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        S = model.predict_topk(X_held, k=5)
        seconds.append(time.perf_counter() - start)
    found["ms an instance"] = 1e3 * float(np.median(seconds)) / X_held.shape[0]
    propensity = propensities(Y, *dataset.propensity_ab)
    P, PSP = precision_at_k(Y_held, S, k=5), psp_at_k(Y_held, S, propensity, k=5)
    found |= {f"P@{k}": 100 * float(P[k - 1]) for k in RANKS} | {f"PSP@{k}": 100 * float(PSP[k - 1]) for k in RANKS}
    found["peak GiB"] = peak_memory_MB() * 1e6 / 2**30
    path = folder / f"model-{os.getpid()}"
    model.save(path)
    found["model MB"] = size_of(path) / 1e6
    path.unlink()
    if job["method"] in DEEP:
        found["profile"] = model.profile_
        found["steps"] = steps if job["method"] == "lightdxml" else steps[-1:]
    if job["method"] == "lightdxml":
        found["search recall"] = search_recall(model, X_held[:1000])
        found["betas"] = {
            str(beta): 100
            * float(precision_at_k(Y_held, model.set_params(beta=beta).predict_topk(X_held, k=1), k=1)[0])
            for beta in (BETAS if not is_table else ())
        }
    return found


def warm_up(method: str, model: Any, X: Any, Y: Any, X_held: Any) -> None:
    """A short fit that compiles or loads every kernel, and torch."""
    from sklearn.base import clone

    short = clone(model).set_params(
        **{name: value for name, value in FAST.get(method, {}).items() if name != "n_components"}
    )
    short.fit(X[:WARM_UP], Y[:WARM_UP]).predict_topk(X_held[:64], k=5)


def search_recall(model: Any, X: Any) -> float:
    """The part of the exact search's shortlist that the model's search finds."""
    found, _ = model.shortlist(X)
    V, queries = model.label_embeddings_[model.learned_], model.embed(X)
    lengths = np.maximum(np.linalg.norm(V, axis=1), 1e-12)
    size = min(found.shape[1], len(V))
    exact = model.learned_[np.argsort(-(queries @ V.T) / lengths, axis=1, kind="stable")[:, :size]]
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, exact, strict=True)]) / size)


def word_vectors(dataset: Dataset, n_components: int, folder: Path) -> np.ndarray:
    """fastText on the training texts, kept in a file."""
    from xmlwb.datasets.word_vectors import train_word_vectors

    path = folder / f"words-{dataset.name}-{n_components}.npy"
    if not path.exists():
        vectors, line = train_word_vectors(dataset.texts_train, dataset.feature_names, n_components, random_state=0)
        print(line, file=sys.stderr)
        with atomic_path(path) as partial, open(partial, "wb") as file:
            np.save(file, vectors)
    return np.load(path)


def run(job: Job, folder: Path, threads: int, limit_s: float) -> dict[str, Any]:
    """A run in a process of its own."""
    env = os.environ | {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL")}
    command = [sys.executable, str(HERE / "lightdxml_table.py"), "--one", json.dumps(job), str(folder)]
    child = subprocess.run(
        [*command, "--threads", str(threads)], env=env, capture_output=True, text=True, timeout=limit_s
    )
    if child.returncode != 0:
        raise RuntimeError(f"ended with {child.returncode}: {child.stderr[-1500:]}")
    return json.loads(child.stdout.splitlines()[-1])


def table_of(found: list[tuple[str, dict[str, Any]]]) -> pd.DataFrame:
    return pd.DataFrame({name: {what: run[what] for what in FIGURES + COSTS + ["peak GiB"]} for name, run in found}).T


def show_table(data: str, found: list[tuple[str, dict[str, Any]]]) -> bool:
    """Tables II and IV on a set, and the claims; whether all hold."""
    table = table_of(found)
    print(f"\n{TITLES[data]}: per cent; seconds, megabytes, milliseconds; as printed by this machine")
    print(table.to_string(float_format=lambda value: f"{value:.4g}"))
    deep = {name: run["profile"] for name, run in found if "profile" in run}
    if deep:
        print(
            "  seconds by module (table IV), and megabytes; all start from",
            next(iter(deep.values()))["starting vectors"],
        )
        for name, profile in deep.items():
            seconds, size = profile["seconds"], profile["bytes"]
            print(f"    {name}: " + "; ".join(f"{m} {seconds[m]:.1f} s, {size[m] / 1e6:.1f} MB" for m in MODULES))
    for name, run in found:
        if "search recall" in run:
            share = 100 * run["profile"]["seconds"]["shortlist"] / run["train s"]
            recall = 100 * run["search recall"]
            print(f"  {name}: its search finds {recall:.1f} % of the exact shortlist; {share:.0f} % of the time")
            hardness = [step["negative hardness"] for step in run["steps"] if "negative hardness" in step]
            print(f"    mean sigmoid score of the negatives, epoch by epoch: {' '.join(f'{v:.4f}' for v in hardness)}")
    return all(said(line, holds) for line, holds in claims(data, table))


def said(line: str, holds: bool) -> bool:
    print(f"  {line}: {'met' if holds else 'MISSED'}")
    return holds


def claims(data: str, table: pd.DataFrame) -> list[tuple[str, bool]]:
    """The paper's claims as bars."""
    if "LightDXML" not in table.index:
        return []
    ours = table.loc["LightDXML"]
    lines = []
    if "Astec" in table.index:
        rival = table.loc["Astec"]
        lines += [
            (f"P@1 {ours['P@1']:.2f}, Astec {rival['P@1']:.2f}, at most 0.3 under", ours["P@1"] >= rival["P@1"] - 0.3),
            (f"PSP@1 {ours['PSP@1']:.2f}, Astec {rival['PSP@1']:.2f}", ours["PSP@1"] >= rival["PSP@1"]),
        ]
        for what, most in (("train s", 0.6), ("model MB", 0.5), ("ms an instance", 0.5)):
            ratio = ours[what] / rival[what]
            lines.append((f"{what}: {ratio:.2f} of Astec's, at most {most}", ratio <= most))
    if "Bonsai" in table.index:
        tree = table.loc["Bonsai"]
        lines += [
            (f"{what} {ours[what]:.2f}, Bonsai {tree[what]:.2f}", ours[what] >= tree[what]) for what in ("P@1", "PSP@1")
        ]
    if data == "eurlex-4.3k":
        lines += [
            (f"training in {ours['train s'] / 60:.1f} minutes, bar 15", ours["train s"] < 900),
            (f"{ours['peak GiB']:.2f} GiB, bar 8", ours["peak GiB"] < 8),
            (f"{ours['ms an instance']:.3f} ms an instance, bar 0.5", ours["ms an instance"] < 0.5),
        ]
    return lines


def show_choice(data: str, found: list[tuple[str, dict[str, Any]]]) -> bool:
    """Table V: what the validation rows say."""
    print(f"\n{TITLES[data]}: P@1 on validation rows")
    for name, run in found:
        epochs = [step for step in run["steps"] if "negative hardness" in step]
        curve = [100 * step["valid P@1"] for step in epochs if "valid P@1" in step]
        betas = {float(beta): value for beta, value in run["betas"].items()}
        best = max(betas, key=lambda beta: betas[beta])
        print(f"  {name}: {run['train s']:.0f} s; after each epoch {' '.join(f'{value:.1f}' for value in curve)}")
        print(f"    beta: {' '.join(f'{beta:g}: {value:.2f}' for beta, value in betas.items())}; best {best:g}")
    return True


def show_ablation(data: str, found: list[tuple[str, dict[str, Any]]]) -> bool:
    print(f"\n{TITLES[data]}: LightDXML on validation rows, one switch at a time")
    print(table_of(found).to_string(float_format=lambda value: f"{value:.4g}"))
    return True


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", choices=("table", "choose", "ablation"), default="table")
    parser.add_argument("--data", default=",".join(DATA))
    parser.add_argument("--methods", default=",".join(dict.fromkeys(method for method, _ in ROWS.values())))
    parser.add_argument("--words", choices=("random", "corpus"), default="random")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--limit", type=float, default=3600.0, help="seconds for one run")
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--fast", action="store_true")
    parser.add_argument("--show", action="store_true", help="run nothing")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--one", nargs=2, metavar=("JOB", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args(words)
    if args.one:
        print(json.dumps(measure(json.loads(args.one[0]), Path(args.one[1]), args.threads)))
        return 0
    store = RunStore(args.runs / "lightdxml.jsonl")
    args.runs.mkdir(parents=True, exist_ok=True)
    names = args.data.split(",")
    if unknown := [name for name in names if name not in DATA]:
        parser.error(f"--data has {', '.join(unknown)}; the table has {', '.join(DATA)}")
    all_met, failed = True, False
    for data in names:
        jobs = jobs_of(args, [data], args.methods.split(","))
        for name, job in jobs:
            if args.show or (job in store and not args.again):
                continue
            print(f"{data} {name}", end=": ", file=sys.stderr, flush=True)
            try:
                store.add(job, {"found": run(job, args.runs, args.threads, args.limit)})
            except (RuntimeError, subprocess.TimeoutExpired) as error:  # the other rows are still to come
                failed = True
                print(f"left out: {error}", file=sys.stderr, flush=True)
                continue
            kept = store.get(job)
            assert kept is not None
            print(f"{kept['found']['train s']:.1f} s, P@1 {kept['found']['P@1']:.2f}", file=sys.stderr, flush=True)
        found = [(name, kept["found"]) for name, job in jobs if (kept := store.get(job)) is not None]
        if found:
            show = {"table": show_table, "choose": show_choice, "ablation": show_ablation}[args.study]
            all_met &= show(data, found)
    return 0 if all_met and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
