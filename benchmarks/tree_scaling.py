"""How label trees scale: Parabel and Bonsai on synthetic data from 10^3 to 10^6 labels, under several distributions.

    python benchmarks/tree_scaling.py                                        # 10^3, 10^4, 10^5 labels
    python benchmarks/tree_scaling.py --labels 100000 --distributions zipf-1 --methods parabel     # one piece of it
    python benchmarks/tree_scaling.py --largest --methods parabel --distributions zipf-1 --labels ""   # 10^6 alone
    python benchmarks/tree_scaling.py --labels "" --figure scaling.html      # only what has been run: table and figure

Everything but L is held constant: as many training instances as labels, as many features as labels (--instances and
--features a label), 3 labels an instance, a planted tree of three levels at any L (its branching grows as the cube root
of L), so that an instance has about as many features everywhere; the same number of test instances, 20,000, since large
models are for many: a node that has been fetched from memory serves all that stand there. What changes from 10^3 to
10^6 is due to L. A million labels are a million instances, their features a matrix of some 40 million entries.

Each run is a process of its own that reads the data from files: one fit on 1,000 rows (numba's kernels), then fits from
arrays in memory to a model in memory, the median of three where they are short; the process's own peak resident memory
until then, data included; the size of the saved file; the top 5 of all test rows at each beam, median of three; an
exhaustive search (a beam of L) on some rows, which beam recall at 1 and 5 compares with. A run that would need more
than --memory GiB, by the model's memory_estimate, or more than is free, is refused with a message. A run's figures are
kept as JSON in --runs, and not run again; --again does. The table of all of them is written to --out, which the package
carries: run this on a quiet machine before it is committed.

Printed at the end: the line ms = a + b log10 L of each method and distribution; c, the bend that log10(L)^2 adds to it,
and the power p of ms = (log L)^p, both with standard errors and for all distributions together. Prediction grows no
faster than log L where p is at most 1, or where it is a line in log L: no bend upward that is larger than two standard
errors. The exit status is 1 where neither holds, or where training took more than 20 GiB.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from peer_methods import peak_memory_MB
from peers import WARM_UP, is_ours, model_of
from scipy import sparse
from sklearn.base import clone

from xmlwb.atomic import atomic_path
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.lessons.tree_scaling import BEAM, RESULTS, prediction_growth
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.plots.tree_scaling import tree_scaling_figure
from xmlwb.ranking import beam_recall_at_k

RUNS = Path(__file__).resolve().parent / "tree_scaling" / "runs"
LARGEST = 1_000_000
BAR_GiB = 20.0
BEAMS = (1, 2, 5, 10, 20)
K = 5
REFUSED = 3
#: What takes longer is not repeated.
ONCE_FROM_S = 20.0

#: On the command line, in the table, and as arguments of the generator.
DISTRIBUTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    "uniform": ("uniform", {"zipf_exponent": 0.0}),
    "zipf-0.7": ("Zipf, exponent 0.7", {"zipf_exponent": 0.7}),
    "zipf-1": ("Zipf, exponent 1", {"zipf_exponent": 1.0}),
    "zipf-1-siblings": ("Zipf 1, siblings together", {"zipf_exponent": 1.0, "correlation": 0.9}),
    "zipf-1-lost": ("Zipf 1, labels lost", {"zipf_exponent": 1.0, "propensity_loss": (0.55, 1.5)}),
}
TITLES = {"parabel": "Parabel", "bonsai": "Bonsai"}


def make(L: int, distribution: str, folder: Path, options: dict[str, Any]) -> None:
    """Draw a data set and leave its matrices in a folder."""
    n, test = max(64, round(options["instances"] * L)), options["test"]
    data = make_synthetic(
        n + test,
        L,
        n_features=max(16, round(options["features"] * L)),
        tree_branching=max(2, int(np.ceil(L ** (1 / 3) - 1e-9))),
        test_fraction=test / (n + test),
        random_state=0,
        **DISTRIBUTIONS[distribution][1],
    )
    parts = {"X": data.X_train, "Y": data.Y_train, "X_test": data.X_test, "Y_test": data.Y_test}
    for name, matrix in parts.items():
        sparse.save_npz(folder / f"{name}.npz", sparse.csr_matrix(matrix), compressed=False)
    (folder / "propensity_ab.json").write_text(json.dumps(data.propensity_ab))


def run_one(word: str, folder: Path, out: Path, options: dict[str, Any]) -> int:
    """One run, in this process: what it measured goes to `out`."""
    X, Y, X_test, Y_test = (
        sparse.csr_array(sparse.load_npz(folder / f"{part}.npz")) for part in ("X", "Y", "X_test", "Y_test")
    )
    model = model_of(word, options["threads"])
    model.fit(X[:WARM_UP], Y[:WARM_UP]).predict_topk(X_test[:64], k=K)  # numba compiles or loads its kernels
    before = peak_memory_MB()
    needed = model.memory_estimate(*X.shape, Y.shape[1], X.nnz) / 2**30
    taken, free = psutil.Process().memory_info().rss / 2**30, psutil.virtual_memory().available / 2**30
    if np.isfinite(options["memory"]) and (taken + needed > options["memory"] or needed > free):
        print(
            f"refused: the fit needs about {needed:.1f} GiB beside {taken:.1f} GiB that the process holds; "
            f"wanted at most {options['memory']:g} GiB together (--memory), and {free:.1f} GiB are free",
            file=sys.stderr,
        )
        return REFUSED
    model, models = clone(model), []

    def fit() -> None:
        models[:] = []  # two models at a time are no one's peak
        models.append(clone(model).fit(X, Y))

    train_s, n_fits = timed(fit)
    fitted = models[0]
    peak = peak_memory_MB()
    fitted.save(out.with_suffix(".model"))
    figures = {
        "L": Y.shape[1],
        "n": X.shape[0],
        "d": X.shape[1],
        "features_per_row": X.nnz / X.shape[0],
        "labels_per_row": Y.nnz / Y.shape[0],
        "depth": max(int(fitted.label_tree(tree).depth.max()) for tree in range(fitted.n_trees)),
        "labels_seen": int(np.count_nonzero(fitted.label_counts_)),
        "train_s": train_s,
        "fits": n_fits,
        "estimate_GiB": needed,
        "before_GiB": before * 1e6 / 2**30,
        "peak_GiB": peak * 1e6 / 2**30,
        "model_MB": out.with_suffix(".model").stat().st_size / 1e6,
        "load_average": os.getloadavg()[0],
        "threads": options["threads"],
    }
    figures |= search(fitted, Y, X_test, Y_test, json.loads((folder / "propensity_ab.json").read_text()), options)
    out.write_text(json.dumps(figures))
    return 0


def search(
    fitted: Any, Y: sparse.csr_array, X_test: sparse.csr_array, Y_test: sparse.csr_array,
    propensity_ab: list[float], options: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """Time, accuracy and recall of the beam search at each beam."""
    sample = min(options["sample"], X_test.shape[0])
    fitted.set_params(beam=Y.shape[1])
    start = time.perf_counter()
    S_exact = fitted.predict_topk(X_test[:sample], k=K)
    exhaustive_s = time.perf_counter() - start
    propensity = propensities(Y, *propensity_ab)
    beams = {}
    for beam in options["beams"]:
        fitted.set_params(beam=beam)
        predictions: list[Any] = []
        seconds, _ = timed(lambda found=predictions: found.append(fitted.predict_topk(X_test, k=K)))
        S = predictions[-1]
        P, PSP = precision_at_k(Y_test, S, k=K), psp_at_k(Y_test, S, propensity, k=K)
        recall = beam_recall_at_k(S[:sample], S_exact, k=K)
        beams[beam] = {
            "ms_per_instance": 1000 * seconds / X_test.shape[0],
            "P@1": 100 * P[0],
            "P@5": 100 * P[K - 1],
            "PSP@5": 100 * PSP[K - 1],
            "recall@1": 100 * recall[0],
            "recall@5": 100 * recall[K - 1],
        }
    return {"exhaustive_ms": 1000 * exhaustive_s / sample, "exhaustive_rows": sample, "beams": beams}


def timed(action: Callable[[], None]) -> tuple[float, int]:
    """Seconds, the median of three where it is short, and how often it ran."""
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < ONCE_FROM_S:
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), len(seconds)


def child(arguments: list[str], limit_s: float, threads: int) -> None:
    """This script in a process of its own; RuntimeError with its last words if it fails."""
    threaded = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments], env=os.environ | threaded, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        _, said = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not done after {limit_s:.0f} s (--limit)") from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode == REFUSED:
        raise RuntimeError(said.strip().splitlines()[-1])
    if process.returncode != 0:
        raise RuntimeError(f"ended with {process.returncode}: {said[-2000:]}")


def run_all(Ls: list[int], distributions: list[str], words: list[str], runs: Path, options: dict[str, Any]) -> int:
    """What has not been run yet; returns how many runs were left out."""
    left_out = 0
    text = json.dumps(options)
    for L in Ls:
        for distribution in distributions:
            missing = [w for w in words if options["again"] or not place_of(runs, w, distribution, L, options).exists()]
            if not missing:
                continue
            with tempfile.TemporaryDirectory() as name:
                start = time.perf_counter()
                try:
                    child(["--make", str(L), distribution, name, text], options["limit"], options["threads"])
                except RuntimeError as error:
                    print(f"L = {L:,} {distribution}: no data: {error}", file=sys.stderr, flush=True)
                    left_out += len(missing)
                    continue
                print(f"L = {L:,} {distribution}: data in {time.perf_counter() - start:.1f} s", flush=True)
                for word in missing:
                    print(f"L = {L:,} {distribution} {word}", end=": ", flush=True)
                    out = Path(name) / "figures.json"
                    try:
                        child(["--one", word, name, str(out), text], options["limit"], options["threads"])
                    except RuntimeError as error:
                        print(error, flush=True)
                        left_out += 1
                        continue
                    figures = json.loads(out.read_text())
                    kept = place_of(runs, word, distribution, L, options)
                    with atomic_path(kept) as partial:
                        partial.write_text(json.dumps({"word": word, "distribution": distribution, **figures}))
                    at = figures["beams"].get(str(BEAM), next(iter(figures["beams"].values())))
                    print(
                        f"{figures['train_s']:.2f} s, {figures['peak_GiB']:.2f} GiB, {figures['model_MB']:.1f} MB, "
                        f"{at['ms_per_instance']:.3f} ms, P@1 {at['P@1']:.1f}, recall@5 {at['recall@5']:.1f}",
                        flush=True,
                    )
    return left_out


def place_of(runs: Path, word: str, distribution: str, L: int, options: dict[str, Any]) -> Path:
    scale = f"{options['instances']:g}n-{options['features']:g}d"
    return runs / f"{word.replace(':', '_')}-{distribution}-{L}-{scale}.json"


def table_of(runs: Path) -> pd.DataFrame:
    """All runs: a row for each beam, methods and distributions in their order, L ascending."""
    rows = []
    for file in sorted(runs.glob("*.json")):
        figures = json.loads(file.read_text())
        word, distribution, beams = (figures.pop(key) for key in ("word", "distribution", "beams"))
        title, place = DISTRIBUTIONS[distribution][0], list(DISTRIBUTIONS).index(distribution)
        order = (list(TITLES).index(word) if word in TITLES else len(TITLES), word, place)
        run = {"method": TITLES.get(word, word), "distribution": title, **figures, "order": order}
        rows += [run | {"beam": int(beam)} | at_beam for beam, at_beam in beams.items()]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows)
    return table.sort_values(["order", "L", "beam"], kind="stable").drop(columns="order").reset_index(drop=True)


def report(table: pd.DataFrame) -> bool:
    """Print the runs at the default beam, and how prediction grows; False if a bar is missed."""
    columns = ["train_s", "peak_GiB", "model_MB", "ms_per_instance", "exhaustive_ms", "P@1", "P@5", "PSP@5",
               "depth", "recall@1", "recall@5", "load_average"]  # fmt: skip
    shown = table[table["beam"] == BEAM].set_index(["method", "distribution", "L"])[columns]
    with pd.option_context("display.width", 200, "display.max_columns", 20, "display.max_rows", 200):
        print(shown.to_string(float_format=lambda value: f"{value:.4g}"))
    growth = prediction_growth(table)
    print("\nprediction, ms = a + b x + c x^2, x = log10 L (a, b without c), and ms ~ x^p:")
    print(growth.to_string(float_format=lambda value: f"{value:.3g}", na_rep=""))
    all_met = True
    for method in growth.index.unique("method"):
        p, p_se, c, c_se = growth.loc[(method, "all"), ["p", "p_se", "c", "c_se"]]
        if not np.isfinite([p, p_se, c, c_se]).all():
            continue
        verdict = "in proportion or slower" if p <= 1 else "a line in log L" if c <= 2 * c_se else "MISSED"
        print(f"{method}: no faster than log L: {verdict} (p = {p:.2f} +- {p_se:.2f}, c = {c:.3g} +- {c_se:.2g} ms)")
        all_met &= verdict != "MISSED"
    above = sorted(set(shown.index[shown["peak_GiB"] > BAR_GiB]))
    if above:
        print(f"above {BAR_GiB:g} GiB: {above}")
    return all_met and not above


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", default="1000,10000,100000", help="with commas; empty for none")
    parser.add_argument("--largest", action="store_true", help=f"{LARGEST:,} labels too")
    parser.add_argument("--distributions", default="uniform,zipf-0.7,zipf-1,zipf-1-siblings",
                        help=f"of {', '.join(DISTRIBUTIONS)}")  # fmt: skip
    parser.add_argument("--methods", default="parabel,bonsai", help="with parameters as in peers.py: parabel:n_trees=1")
    parser.add_argument("--beams", default=",".join(map(str, BEAMS)))
    parser.add_argument("--instances", type=float, default=1.0, help="training instances a label")
    parser.add_argument("--features", type=float, default=1.0, help="features a label")
    parser.add_argument("--test", type=int, default=20_000, help="test instances")
    parser.add_argument("--sample", type=int, default=300, help="of these, searched exhaustively")
    parser.add_argument("--memory", type=float, default=BAR_GiB, help="GiB that a run may take; inf: no check")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--limit", type=float, default=7200.0, help="seconds for one run")
    parser.add_argument("--again", action="store_true", help="run also what has been run")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the runs' figures")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the table, CSV")
    parser.add_argument("--figure", type=Path, help="also write the figure to this HTML file")
    parser.add_argument(
        "--make", nargs=4, metavar=("LABELS", "DISTRIBUTION", "FOLDER", "OPTIONS"), help=argparse.SUPPRESS
    )
    parser.add_argument("--one", nargs=4, metavar=("METHOD", "FOLDER", "OUT", "OPTIONS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.make:
        make(int(args.make[0]), args.make[1], Path(args.make[2]), json.loads(args.make[3]))
        return 0
    if args.one:
        return run_one(args.one[0], Path(args.one[1]), Path(args.one[2]), json.loads(args.one[3]))
    Ls = sorted({int(word) for word in args.labels.split(",") if word} | ({LARGEST} if args.largest else set()))
    distributions, words = args.distributions.split(","), args.methods.split(",")
    unknown = [name for name in distributions if name not in DISTRIBUTIONS]
    if unknown:
        parser.error(f"--distributions has {', '.join(unknown)}; wanted of {', '.join(DISTRIBUTIONS)}")
    for word in words:
        if not is_ours(word):
            parser.error(f"--methods has {word}; wanted one of ours")
        try:
            model = model_of(word, args.threads)
        except ValueError as error:
            parser.error(f"--methods has {word}: {error}")
        if "beam" not in model.get_params():
            parser.error(f"--methods has {word}; wanted one with a beam")
    args.runs.mkdir(parents=True, exist_ok=True)
    names = ("instances", "features", "test", "sample", "memory", "threads", "limit", "again")
    options = {name: getattr(args, name) for name in names} | {"beams": [int(b) for b in args.beams.split(",")]}
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the run in progress is ended too
    left_out = run_all(Ls, distributions, words, args.runs, options)
    table = table_of(args.runs)
    if table.empty:
        parser.exit(1, f"{parser.prog}: no run came to its end\n")
    with atomic_path(args.out) as partial:
        table.to_csv(partial, index=False, float_format="%.5g")
    if args.figure is not None:
        tree_scaling_figure(table).write_html(args.figure)
    return 0 if report(table) and not left_out else 1


if __name__ == "__main__":
    sys.exit(main())
