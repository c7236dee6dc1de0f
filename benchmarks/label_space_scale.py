"""Linear label spaces at scale: seconds, memory and accuracy of LEML, PLST and CPLST, and LEML beside its peers.

    python benchmarks/label_space_scale.py                        # XMLWB_DATA names the folder that holds eurlex57k
    python benchmarks/label_space_scale.py --runs leml:debdeps,svd-of-X:debdeps --repeats 3
    python benchmarks/label_space_scale.py --runs leml:debdeps,pyleml:debdeps --pyleml FOLDER

Each run is a process of its own that reads the matrices from files, fits once on 64 rows so that numba compiles or
loads its kernels (shown as warm-up), then fits and predicts: seconds of the fit, the process's own peak resident
memory, the median of three predictions of the top 5 of all test rows in one call. Runs are taken in turn, repeat after
repeat; figures are medians. The bars are 10 minutes, 6 GiB and 1 ms an instance on two cores; for LEML, which cannot be
installed from elsewhere to run beside ours, also at most 2 times the seconds of scikit-learn's TruncatedSVD (its
defaults, same rank) on the same X. The SVD of Y is there for information.

LEML elsewhere, as looked for: PyPI has no leml, rowsparse, pyxclib, libpmf or wsabie; the packages of scikit-multilearn
0.2 and libmultilabel 0.10 do not contain the method, nor do MEKA's label transformations or the label space programs of
Tai, Chen and Lin; the authors' own code was not to be had, and the C++ copy in the Galois project
(lonestar/experimental/leml) needs Galois and has its H step commented out. Two Python 2 programs on GitHub bear its
name: AnthonyMRios/leml (squared loss, conjugate gradients, numpy in float64, no licence) and
algorithmdog/Representation-based-Multilabel-Learning (trained by AdaGrad). --pyleml takes a folder with the former's
module LEML_single.py made readable for Python 3, and runs its class LEMLs with our rank, weight and number of
iterations; the bar beside it is 1.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peer_methods import peak_memory_MB
from scipy import sparse
from sklearn.decomposition import TruncatedSVD

from xmlwb.atomic import atomic_path
from xmlwb.datasets import load
from xmlwb.metrics import precision_at_k
from xmlwb.model_choice import chosen_models
from xmlwb.models import METHODS
from xmlwb.models.base import topk_to_csr
from xmlwb.solvers.topk import topk_factored

RUNS = (
    "leml:eurlex-4.3k,svd-of-X:eurlex-4.3k,svd-of-Y:eurlex-4.3k,"
    "leml:debdeps,svd-of-X:debdeps,svd-of-Y:debdeps,plst:debdeps,cplst:debdeps"
)
SVDS = ("svd-of-X", "svd-of-Y")
BARS = {"train_s": 600.0, "peak_GiB": 6.0, "ms_per_instance": 1.0}
SVD_RATIO = 2.0
PREDICTIONS = 3


def run_one(name: str, folder: Path, out: Path, options: dict[str, Any]) -> None:
    """One run, in this process: what it measured goes to figures.json, predictions to S.npz."""
    X, Y, X_test = (sparse.csr_array(sparse.load_npz(folder / f"{part}.npz")) for part in ("X", "Y", "X_test"))
    if name in SVDS:
        figures = time_svd(X if name == "svd-of-X" else Y, options["rank"])
    elif name == "pyleml":
        figures = time_pyleml(X, Y, X_test, out, options)
    else:
        figures = time_ours(name, X, Y, X_test, out, options)
    figures["peak_GiB"] = peak_memory_MB() * 1e6 / 2**30
    (out / "figures.json").write_text(json.dumps(figures))


def time_svd(matrix: sparse.csr_array, rank: int) -> dict[str, Any]:
    small = sparse.csr_matrix(matrix[:200])
    TruncatedSVD(n_components=2).fit(small)  # imports
    matrix = sparse.csr_matrix(matrix)
    start = time.perf_counter()
    TruncatedSVD(n_components=rank, random_state=0).fit(matrix)
    return {"train_s": time.perf_counter() - start}


def time_ours(
    key: str, X: sparse.csr_array, Y: sparse.csr_array, X_test: sparse.csr_array, out: Path, options: dict[str, Any]
) -> dict[str, Any]:
    settings = [f"{key}.n_components={options['rank']}", *(s for s in options["param"] if s.startswith(f"{key}."))]
    model = chosen_models([key], settings, seed=0, n_jobs=options["threads"])[key]
    start = time.perf_counter()
    model.fit(X[:64], Y[:64]).predict_topk(X_test[:64])
    warm_up_s = time.perf_counter() - start
    before = peak_memory_MB()
    start = time.perf_counter()
    model.fit(X, Y)
    train_s = time.perf_counter() - start
    seconds = []
    for _ in range(PREDICTIONS):
        start = time.perf_counter()
        S = model.predict_topk(X_test, k=5)
        seconds.append(time.perf_counter() - start)
    sparse.save_npz(out / "S.npz", S)
    figures = {
        "train_s": train_s,
        "ms_per_instance": 1000 * float(np.median(seconds)) / X_test.shape[0],
        "before_GiB": before * 1e6 / 2**30,
        "warm_up_s": warm_up_s,
    }
    if key == "leml" and model.loss == "squared":
        figures["objective"] = float(model.objectives_[-1])
    return figures


def time_pyleml(
    X: sparse.csr_array, Y: sparse.csr_array, X_test: sparse.csr_array, out: Path, options: dict[str, Any]
) -> dict[str, Any]:
    """The public port, at our rank and weight, for as many iterations as ours unless told otherwise."""
    sys.path.insert(0, options["pyleml"])
    LEMLs = importlib.import_module("LEML_single").LEMLs
    ours = chosen_models(["leml"], [s for s in options["param"] if s.startswith("leml.")])["leml"]
    n_iterations = options["pyleml_iterations"] or ours.n_iter
    np.random.seed(0)  # noqa: NPY002 - it draws from numpy's old generator
    X64, Y64 = (sparse.csr_matrix(matrix).astype(np.float64) for matrix in (X, Y))
    model = LEMLs(num_factors=options["rank"], num_iterations=n_iterations, reg_param=ours.alpha / 2)
    start = time.perf_counter()
    model.fit(X64, Y64)
    train_s = time.perf_counter() - start
    W, H = (np.ascontiguousarray(part, dtype=np.float32) for part in (model.W, model.H))
    sparse.save_npz(out / "S.npz", topk_to_csr(*topk_factored(X_test, W, H, 5), Y.shape[1]))
    return {"train_s": train_s, "objective": squared_objective(X, Y, W, H, ours.alpha)}


def squared_objective(X: sparse.csr_array, Y: sparse.csr_array, W: np.ndarray, H: np.ndarray, alpha: float) -> float:
    """||Y - X W H^T||^2 + alpha/2 (||W||^2 + ||H||^2), without an n x L array; the port minimises half of it."""
    W, H = W.astype(np.float64), H.astype(np.float64)
    XW = X @ W
    fit = Y.sum() - 2 * np.sum((Y @ H) * XW) + np.sum((XW.T @ XW) * (H.T @ H))  # Y is 0/1: ||Y||^2 is its sum
    return float(fit + alpha / 2 * (np.sum(W * W) + np.sum(H * H)))


def run(name: str, folder: Path, options: dict[str, Any], limit_s: float) -> tuple[dict[str, Any], Any]:
    """One run in a process of its own: its figures, and its predictions where it makes any."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        threads = {f"{library}_NUM_THREADS": str(options["threads"]) for library in ("OMP", "OPENBLAS", "MKL")}
        child = subprocess.run(
            [sys.executable, __file__, "--one", name, str(folder), place, json.dumps(options)],
            env=os.environ | threads, capture_output=True, text=True, timeout=limit_s,
        )  # fmt: skip
        if child.returncode != 0:
            raise RuntimeError(f"ended with {child.returncode}: {child.stderr[-2000:]}")
        S = sparse.csr_array(sparse.load_npz(out / "S.npz")) if (out / "S.npz").exists() else None
        return json.loads((out / "figures.json").read_text()), S


def show(runs: pd.DataFrame) -> bool:
    """Print medians, the bars, and LEML's seconds over its peers'; False if a bar is missed."""
    table = runs.groupby(["data", "run"], sort=False).median()
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print(table.to_string(float_format=lambda value: f"{value:.4g}", na_rep=""))
    all_met = True
    for (name, method), figures in table.iterrows():
        if method in METHODS:
            missed = [
                f"{column} {figures[column]:.3g} > {bar:g}" for column, bar in BARS.items() if figures[column] > bar
            ]
            all_met &= not missed
            verdict = f"MISSED, {'; '.join(missed)}" if missed else "met"
            print(f"{name} {method}: 10 min, 6 GiB, 1 ms an instance: {verdict}")
    for name, rows in table["train_s"].groupby(level="data", sort=False):
        seconds = rows.droplevel("data")
        if "leml" not in seconds:
            continue
        for peer, bar in {"svd-of-X": SVD_RATIO, "svd-of-Y": None, "pyleml": 1.0}.items():
            if peer in seconds:
                ratio = seconds["leml"] / seconds[peer]
                all_met &= bar is None or bool(ratio <= bar)
                verdict = "" if bar is None else f", bar {bar:g}: {'met' if ratio <= bar else 'MISSED'}"
                print(f"{name}: leml takes {ratio:.2f} times the seconds of {peer}{verdict}")
    return all_met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", default=RUNS, help=f"METHOD:DATA with commas; besides ours {', '.join(SVDS)}, pyleml")
    parser.add_argument("--rank", type=int, default=100)
    parser.add_argument("--param", action="append", default=[], help="method.parameter=value, as for xmlwb compare")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds for one run")
    parser.add_argument("--pyleml", help="folder of LEML_single.py")
    parser.add_argument("--pyleml-iterations", type=int, help="default: as many as ours")
    parser.add_argument("--out", type=Path, help="write every run's figures to this Parquet file")
    parser.add_argument("--one", nargs=4, metavar=("RUN", "DATA", "OUT", "OPTIONS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        name, folder, out, text = args.one
        run_one(name, Path(folder), Path(out), json.loads(text))
        return 0
    asked = [tuple(word.split(":")) for word in args.runs.split(",")]
    for pair in asked:
        if len(pair) != 2 or pair[0] not in (*METHODS, *SVDS, "pyleml"):
            parser.error(f"--runs has {':'.join(pair)}; wanted METHOD:DATA with one of {', '.join([*METHODS, *SVDS])}")
        if pair[0] == "pyleml" and not args.pyleml:
            parser.error("--runs has pyleml: wanted its folder with --pyleml, see --help")
    options = {name: getattr(args, name) for name in ("rank", "param", "threads", "pyleml", "pyleml_iterations")}
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        Y_test = {}
        for name in dict.fromkeys(data for _, data in asked):
            try:
                dataset = load(name)
            except (FileNotFoundError, ValueError) as error:
                parser.exit(2, f"{parser.prog}: {error}\n")
            (folder := Path(place) / name).mkdir()
            Y_test[name] = dataset.Y_test
            for part, matrix in {"X": dataset.X_train, "Y": dataset.Y_train, "X_test": dataset.X_test}.items():
                sparse.save_npz(folder / f"{part}.npz", sparse.csr_matrix(matrix), compressed=False)
            del dataset
        for repeat in range(args.repeats):
            for method, name in asked:
                print(f"{name} run {repeat + 1} {method}", end=" ", file=sys.stderr, flush=True)
                try:
                    figures, S = run(method, Path(place) / name, options, args.limit)
                except (subprocess.TimeoutExpired, RuntimeError) as error:
                    print(f"left out: {error}", file=sys.stderr, flush=True)
                    continue
                if S is not None:
                    P = precision_at_k(Y_test[name], S, k=5)
                    figures |= {f"P@{k}": 100 * float(P[k - 1]) for k in (1, 3, 5)}
                print(f"{figures['train_s']:.2f} s, {figures['peak_GiB']:.2f} GiB", file=sys.stderr, flush=True)
                rows.append({"data": name, "run": method, **figures})
                if args.out is not None:
                    with atomic_path(args.out) as partial:
                        pd.DataFrame(rows).to_parquet(partial)
    if not rows:
        parser.exit(1, f"{parser.prog}: no run came to its end\n")
    met = show(pd.DataFrame(rows))
    return 0 if met and len(rows) == args.repeats * len(asked) else 1


if __name__ == "__main__":
    sys.exit(main())
