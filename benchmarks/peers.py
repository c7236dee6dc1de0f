"""xmlwb beside its peers: same data, same cores, in turn, each run a process of its own; medians and ratios.

    python benchmarks/peers.py --setup            # once: the peers, from PyPI, in benchmarks/.peers
    python benchmarks/peers.py --data bibtex,delicious,debtags --methods ova,pecos-ova,sklearn-ovr
    python benchmarks/peers.py --data bibtex --splits 10 --methods ova,pecos-ova --repeats 1
    python benchmarks/peers.py --data debdeps --methods parabel:n_trees=1,pecos-xlinear,parabel,omikuji-parabel

One of ours may carry parameters, each after a colon; the table shows it under that name. Ratios are the first method's
figure over each one's; --pairs parabel:n_trees=1/pecos-xlinear,parabel/omikuji-parabel prints those of pairs instead,
and the differences of their precisions.

The peers pin old versions of numpy, hence their own environment. Sets that are not bundled are looked for in
$XMLWB_DATA. Training is timed from arrays in memory to a model in memory, without imports; ours after one fit on 1,000
instances that lets numba compile or load its kernels (shown as warm-up), scikit-learn's after one that starts its
workers; omikuji takes no arrays, its time includes reading a text file; PECOS' XR-Linear makes its clusters within the
time. Prediction is the median of three calls for the top 5 of all test instances: ours by the model in memory and, as
loaded_ms, by the one that load (load_s) makes of its file; PECOS in its form for prediction only, with the beam of 10
that its command line takes by default; omikuji by one call an instance, its only form. Sizes are those of the files
that a method's own save writes. Memory is the process's own peak, without worker processes (of those here only
scikit-learn has some). Ratios are of medians over the repeats.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from peer_methods import peak_memory_MB
from scipy import sparse

from xmlwb.datasets import load
from xmlwb.metrics import ndcg_at_k, precision_at_k, propensities, psp_at_k
from xmlwb.model_choice import chosen_models
from xmlwb.models import METHODS, XMCModel

HERE = Path(__file__).resolve().parent
PEERS_VENV = HERE / ".peers"
PEERS = (
    "pecos-ova", "pecos-xlinear", "omikuji-parabel", "omikuji-bonsai", "napkinxc-br", "napkinxc-plt", "sklearn-ovr",
)  # fmt: skip
REQUIREMENTS = ("numpy<2", "scipy<1.14", "scikit-learn<1.6", "omikuji==0.5.2", "napkinxc==0.7.2")
WITHOUT_DEPENDENCIES = ("libpecos==1.2.8",)  # they would bring torch with CUDA; XLinear does not import it
COMPARED = ("train_s", "ms_per_instance", "model_MB")
#: Instances of the fit before ours is timed: enough labels that trees of them are divided, so that every kernel runs.
WARM_UP = 1000


def set_up() -> None:
    """Make the peers' environment."""
    subprocess.run([sys.executable, "-m", "venv", PEERS_VENV.resolve()], check=True)  # venv takes no link
    pip = [str(PEERS_VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, *REQUIREMENTS], check=True)
    subprocess.run([*pip, "--no-deps", *WITHOUT_DEPENDENCIES], check=True)


def model_of(word: str, threads: int) -> XMCModel:
    """Our model of ``key`` or ``key:parameter=value:parameter=value``; ValueError where there is none such."""
    key, *settings = word.split(":")
    return chosen_models([key], [f"{key}.{setting}" for setting in settings], seed=None, n_jobs=threads)[key]


def is_ours(word: str) -> bool:
    return word.partition(":")[0] in METHODS


def run_ours(word: str, data: Path, out: Path, threads: int) -> None:
    """One training and prediction of ours; the twin of peer_methods.main."""
    X, Y, X_test = (sparse.csr_array(sparse.load_npz(data / f"{name}.npz")) for name in ("X", "Y", "X_test"))
    model = model_of(word, threads)
    before = peak_memory_MB()
    start = time.perf_counter()
    model.fit(X[:WARM_UP], Y[:WARM_UP]).predict_topk(X_test[:WARM_UP])
    warm_up_s = time.perf_counter() - start
    start = time.perf_counter()
    model.fit(X, Y)
    train_s = time.perf_counter() - start
    peak_train = peak_memory_MB()
    S, predict_s = timed_prediction(model, X_test)
    sparse.save_npz(out / "S.npz", S)
    model.save(out / "model")
    start = time.perf_counter()
    loaded = type(model).load(out / "model")
    load_s = time.perf_counter() - start
    _, loaded_s = timed_prediction(loaded, X_test)
    figures = {
        "train_s": train_s,
        "ms_per_instance": 1000 * predict_s / X_test.shape[0],
        "model_MB": (out / "model").stat().st_size / 1e6,
        "train_RSS_MB": peak_train,
        "RSS_before_MB": before,
        "warm_up_s": warm_up_s,
        "load_s": load_s,
        "loaded_ms": 1000 * loaded_s / X_test.shape[0],
    }
    (out / "figures.json").write_text(json.dumps(figures))


def timed_prediction(model: XMCModel, X_test: sparse.csr_array) -> tuple[sparse.csr_array, float]:
    """The top 5 of all rows, and the seconds that it took, the median of three."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        S = model.predict_topk(X_test, k=5)
        seconds.append(time.perf_counter() - start)
    return S, float(np.median(seconds))


def run(method: str, data: Path, threads: int, limit_s: float) -> tuple[dict[str, float], sparse.csr_array]:
    """Start one run in its own process and read what it left."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name)
        if is_ours(method):
            command = [sys.executable, __file__, "--one", method, str(data), name, str(threads)]
        else:
            peer = HERE / "peer_methods.py"
            command = [str(PEERS_VENV / "bin" / "python"), str(peer), method, str(data), name, str(threads)]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        log = out / "log"
        with log.open("w") as file:
            child = subprocess.Popen(
                command, cwd=name, env=environment, stdout=file, stderr=file, start_new_session=True
            )
            try:
                code = child.wait(limit_s)
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)  # its workers too, or they disturb the next run
        if code != 0:
            raise RuntimeError(f"{method} ended with {code}:\n{log.read_text()[-2000:]}")
        figures = json.loads((out / "figures.json").read_text())
        return figures, sparse.csr_array(sparse.load_npz(out / "S.npz"))


def compare(
    name: str, split: int | None, methods: list[str], repeats: int, threads: int, limit_s: float
) -> Iterator[dict[str, Any]]:
    """Run all methods on one split of one set, in turn, `repeats` times: one row for each run."""
    data = load(name, split=split)
    propensity = propensities(data.Y_train, *data.propensity_ab)
    with tempfile.TemporaryDirectory() as folder:
        for part, matrix in {"X": data.X_train, "Y": data.Y_train, "X_test": data.X_test}.items():
            sparse.save_npz(Path(folder) / f"{part}.npz", sparse.csr_matrix(matrix))
        for repeat in range(repeats):
            for method in methods:
                print(f"{name} split {split or 0} run {repeat + 1} {method}", end=" ", file=sys.stderr, flush=True)
                try:
                    figures, S = run(method, Path(folder), threads, limit_s)
                except (subprocess.TimeoutExpired, RuntimeError) as error:
                    print(f"left out: {error}", file=sys.stderr)
                    continue
                P, nDCG = (metric(data.Y_test, S, k=5) for metric in (precision_at_k, ndcg_at_k))
                PSP = psp_at_k(data.Y_test, S, propensity, k=5)
                accuracy = {f"P@{k}": 100 * P[k - 1] for k in (1, 3, 5)} | {
                    f"nDCG@{k}": 100 * nDCG[k - 1] for k in (3, 5)
                }
                accuracy |= {f"PSP@{k}": 100 * PSP[k - 1] for k in (1, 3, 5)}
                print(f"{figures['train_s']:.2f} s, P@1 {accuracy['P@1']:.2f}", file=sys.stderr)
                yield {"data": name, "split": split or 0, "method": method, **figures, **accuracy}


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Medians over the repeats of a split, then means over the splits."""
    figures = [column for column in runs if column not in ("data", "split", "method")]
    table = runs.groupby(["data", "split", "method"], sort=False)[figures].median()
    return table.groupby(["data", "method"], sort=False).mean()


def ratios(table: pd.DataFrame, pairs: list[tuple[str, str]]) -> pd.DataFrame:
    """What the first of each pair takes for one of the second's, and how much higher its precision is, in points."""
    rows = {}
    for data, of_data in table.groupby(level="data", sort=False):
        at = of_data.droplevel("data")
        for ours, other in pairs:
            if ours in at.index and other in at.index:  # else it failed: nothing to compare
                sizes = {f"{c} ratio": at.loc[ours, c] / at.loc[other, c] for c in COMPARED}
                rows[data, f"{ours} / {other}"] = sizes | {
                    f"{c} more": at.loc[ours, c] - at.loc[other, c] for c in ("P@1", "P@5", "PSP@5")
                }
    return pd.DataFrame.from_dict(rows, orient="index")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="make the peers' environment first")
    parser.add_argument("--data", default="bibtex,delicious,debtags", help="names of data sets, with commas")
    parser.add_argument("--methods", default="ova,pecos-ova,sklearn-ovr",
                        help=f"of ours: {', '.join(METHODS)}; peers: {', '.join(PEERS)}")  # fmt: skip
    parser.add_argument(
        "--pairs", default="", help="A/B with commas, both of --methods; default: the first of them / each"
    )
    parser.add_argument("--splits", type=int, default=1, help="how many of a set's splits")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one run")
    parser.add_argument("--out", type=Path, help="write the runs to this Parquet file")
    parser.add_argument("--one", nargs=4, metavar=("METHOD", "DATA", "OUT", "THREADS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        word, data, out, threads = args.one
        return run_ours(word, Path(data), Path(out), int(threads))
    if args.setup:
        set_up()
    methods = args.methods.split(",")
    for method in methods:
        if is_ours(method):
            try:
                model_of(method, args.threads)
            except ValueError as error:
                parser.error(f"--methods has {method}: {error}")
        elif method not in PEERS:
            known = ", ".join([*METHODS, *PEERS])
            parser.error(f"--methods has {method}; wanted of {known}; only ours take parameters")
    pairs = [(ours, other) for ours, _, other in (pair.partition("/") for pair in args.pairs.split(",") if pair)]
    for method in {method for pair in pairs for method in pair} - set(methods):
        parser.error(f"--pairs has {method!r}; wanted A/B with A and B of {', '.join(methods)}")
    if any(method in PEERS for method in methods) and not PEERS_VENV.exists():
        parser.error("the peers are not installed: run with --setup once")
    rows: list[dict[str, Any]] = []
    for name in args.data.split(","):
        for split in range(args.splits):
            for row in compare(
                name, split if args.splits > 1 else None, methods, args.repeats, args.threads, args.limit
            ):
                rows.append(row)
                if args.out is not None:  # after each run: nothing is lost if a later one goes wrong
                    pd.DataFrame(rows).to_parquet(args.out)
    if not rows:
        parser.exit(1, "no run came to its end\n")
    runs = pd.DataFrame(rows)
    table = summarise(runs)
    with pd.option_context("display.width", 250, "display.max_columns", 40, "display.float_format", "{:.4g}".format):
        print(table)
        print()
        print(ratios(table, pairs or [(methods[0], method) for method in methods[1:]]))
    return None


if __name__ == "__main__":
    main()
