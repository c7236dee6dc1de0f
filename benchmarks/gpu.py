"""The deep methods on a CUDA device: instances a second, memory, time to a given P@1; GLaS's share of the bandwidth.

    python benchmarks/gpu.py                                             # every method on its sets, see SETS
    python benchmarks/gpu.py --methods glas --data debdeps --epochs 20 --target 60 --param glas.batch_size=4096
    python benchmarks/gpu.py --methods lightdxml,astec --data amazontitles-size      # its peak is held against 40 GB
    python benchmarks/gpu.py --device cpu --data amazontitles-size --scale 0.002 --components 64      # smoke, no device

Two sets are synthetic, of a real one's size: "amazoncat-size", of AmazonCat-13K's, 1,186,239 x 203,882 x 13,330 with
5.04 labels and about 70 features an instance, and "amazontitles-size", of AmazonTitles-670K's, 485,176 x 66,666 x
670,091 with the 5.45 labels of Amazon-670K. The generator's power law, tree and noise are its defaults; --scale shrinks
all three sizes.

instances/s  of the median epoch after the first, in which kernels are loaded and memory is taken. It is training alone:
             what the device computes in an epoch, not the copies to the host nor the P@1 of validation rows after it.
             Of LightDXML and Astec the classifier's epochs; those of the other stages are printed above the table.
seconds to   P@1 on validation rows first reaches --target: of training alone, and of the clock, all included. Training
             counts searches and label embeddings too, which the host's --threads make and search.
peak GiB     that torch's allocator has given out on the device at one time (on the CPU: the process, all included).
held GB      that it has taken from the device at one time, in 10^9 bytes: what the bar of 40 GB is held against.
GB/s         bytes that a step must move over its seconds, beside a copy from one gigabyte of the device's memory to
             another, measured here (a byte that is copied is read and written: two). The bytes are counted, not
             measured: each array once for every pass over it that the method cannot do without, as if nothing stayed in
             a cache from one pass to the next; a feature's row once a batch. What a step moves beyond that lowers the
             share, and so does the time of the matrix products, which are given in TFLOP/s. GLaS alone.

The exit status is 1 where no device of --device is here, the bar is missed, or the device has too little memory.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from itertools import pairwise
from typing import Any

import gpu_shortlists
import numpy as np
import pandas as pd
from peer_methods import peak_memory_MB
from scipy import sparse
from sklearn.base import clone

from xmlwb.datasets import Dataset, load
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.model_choice import chosen_models

#: Instances, features, labels, labels an instance.
SIZES: dict[str, tuple[int, int, int, float]] = {
    "amazoncat-size": (1_186_239, 203_882, 13_330, 5.04),
    "amazontitles-size": (485_176, 66_666, 670_091, 5.45),
}
VALID_ROWS = 4_000
#: P@1 in per cent that validation rows are to reach. On amazontitles-size labels' means alone have about 70 before the
#: first step of a classifier (--scale 0.02).
TARGETS = {
    "eurlex-4.3k": 85.0, "debtags": 75.0, "debdeps": 60.0, "amazoncat-size": 80.0, "amazontitles-size": 80.0,
}  # fmt: skip
_OF_SHORTLISTS = ("eurlex-4.3k", "debtags", "debdeps", "amazontitles-size")
#: On which sets a method is run, if --data says nothing.
SETS = {
    "glas": ("eurlex-4.3k", "debdeps", "amazoncat-size"),
    "lightdxml": _OF_SHORTLISTS,
    "astec": _OF_SHORTLISTS,
}
#: 10^9 bytes of the device's memory in which LightDXML and Astec are to fit on amazontitles-size.
BAR_GB = 40.0
#: What GLaS is given where --epochs and --components say nothing; the others have their own defaults then.
GLAS = {"n_epochs": 10, "n_components": 512}


def dataset_of(name: str, scale: float) -> Dataset:
    if name not in SIZES:
        return load(name)
    *sizes, labels = SIZES[name]
    n, d, K = (max(64, round(scale * size)) for size in sizes)
    valid = min(VALID_ROWS, n)
    return make_synthetic(
        n + valid, K, n_features=d, labels_per_instance=labels, valid_fraction=valid / (n + valid),
        test_fraction=0.0,
    )  # fmt: skip


def copy_bandwidth(device: Any, n_bytes: int) -> float:
    """GB/s of a copy within the device's memory, read and written; the best of ten."""
    import torch

    source = torch.zeros(n_bytes // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    seconds = []
    for _ in range(11):
        if device.type == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            target.copy_(source)
            end.record()
            torch.cuda.synchronize(device)
            seconds.append(begin.elapsed_time(end) / 1000)
        else:
            start = time.perf_counter()
            target.copy_(source)
            seconds.append(time.perf_counter() - start)
    return 2 * n_bytes / min(seconds[1:]) / 1e9


def batch_of(model: Any, n: int) -> int:
    """Instances of a step: of a small set an eighth."""
    return min(model.batch_size, max(32, n // 8))


def step_traffic(X: sparse.csr_array, Y: sparse.csr_array, model: Any, score_bytes: int) -> tuple[dict[str, int], int]:
    """Bytes that a step must move, by what they are of, and the floating point operations of its matrix products.

    Parameters
    ----------
    X, Y : csr_array, shapes (n, D) and (n, K)
    model : EmbeddingClassifier
    score_bytes : int
        Of a number in the matrix of scores: 2 in bfloat16, else 4.
    """
    p = model.get_params()
    B, d = batch_of(model, X.shape[0]), p["n_components"]
    widths = [d] if p["n_hidden"] is None else [p["n_hidden"], d]
    entries, features, labels = _batch_counts(X, Y, B, p)
    layers = sum(a * b for a, b in pairwise(widths))
    word = 4
    traffic = {
        # index and value, forward and backward
        "instances": 2 * 2 * word * entries,
        # rows of the features that the batch has: read; their gradient written and read, squares and rows moved
        "feature weights": word * features * widths[0] * (1 + 2 + 2 + 2),
        # read forward and backward, gradient written; Adam reads it and moves weights and two moments
        "hidden weights": word * layers * (2 + 1 + 1 + 6),
        # outputs written, read by the next layer and by the backward pass; their gradients written and read
        "activations": word * B * sum(widths) * (3 + 2),
        # read forward and backward; gradient written and read, squares and vectors moved
        "label vectors": word * labels * d * (2 + 2 + 4),
        # scores written and read by the loss; gradient written and read by both products
        "scores": score_bytes * B * labels * (2 + 3),
    }
    flops = 6 * B * labels * d + 6 * B * layers
    if p["regularizer"] is not None:
        # the drawn labels' vectors and gradient; their Gram matrix and its gradient, the affinities written and read
        traffic["regulariser"] = word * (4 * B * d + 6 * B * B)
        flops += 6 * B * B * d
    return traffic, flops


def _batch_counts(X: sparse.csr_array, Y: sparse.csr_array, B: int, p: dict[str, Any]) -> tuple[int, int, int]:
    """Of a batch, means over 10: entries, distinct features, labels that are scored."""
    rng, counts = np.random.default_rng(0), []
    for _ in range(10):
        rows = np.sort(rng.permutation(X.shape[0])[:B])
        X_b, Y_b = X[rows], Y[rows]
        kept = X_b.indices[rng.random(X_b.nnz) < p["keep_probability"]]
        if p["n_negatives"] is None:
            labels = Y.shape[1]
        else:
            drawn = rng.integers(Y.shape[1], size=p["n_negatives"])
            labels = len(np.union1d(drawn, Y_b.indices))
        counts.append((len(kept), len(np.unique(kept)), labels))
    entries, features, labels = np.mean(counts, axis=0).round().astype(int).tolist()
    return entries, features, labels


def models_of(methods: list[str], args: argparse.Namespace) -> dict[str, Any]:
    """The unfitted models, by method; ValueError if --param has one that is not among them, or a value out of range."""
    models = chosen_models(methods, args.param, seed=0, n_jobs=args.threads)
    given = {setting.split("=")[0] for setting in args.param}
    asked = {"n_epochs": args.epochs, "n_components": args.components}
    for method, model in models.items():
        settings = (GLAS if method == "glas" else {}) | {part: v for part, v in asked.items() if v is not None}
        settings["device"] = args.device
        model.set_params(**{part: v for part, v in settings.items() if f"{method}.{part}" not in given})
    return models


def measure_glas(
    name: str, model: Any, dataset: Dataset, target: float, device: Any, bandwidth: float
) -> dict[str, Any]:
    import torch

    X, Y = dataset.X_train, dataset.Y_train
    found: dict[str, Any] = {"training s to": np.nan, "clock s to": np.nan, "target": target}
    rates: list[float] = []
    best, trained = 0.0, 0.0
    n_labelled = int(np.count_nonzero(np.diff(Y.indptr)))  # rows without labels are not trained on

    def watch(event: Any) -> None:
        nonlocal best, trained
        rates.append(event.figures["instances/s"])
        trained += n_labelled / rates[-1]
        best = max(best, 100 * event.figures["valid P@1"])
        if best >= target and np.isnan(found["clock s to"]):
            found.update({"training s to": trained, "clock s to": event.elapsed})
        print(f"  epoch {event.step}: {rates[-1]:,.0f} instances/s, valid P@1 {best:.2f}", flush=True)

    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    valid = (dataset.X_valid[:VALID_ROWS], dataset.Y_valid[:VALID_ROWS])
    model.fit(X, Y, eval_set=valid, callback=watch)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else peak_memory_MB() * 1e6
    held = torch.cuda.max_memory_reserved(device) if device.type == "cuda" else np.nan
    rate = float(np.median(rates[1:] or rates))
    traffic, flops = step_traffic(X, Y, model, score_bytes=2 if device.type == "cuda" else 4)
    step_s = batch_of(model, X.shape[0]) / rate
    moved = sum(traffic.values())
    parts = ", ".join(f"{part} {n_bytes / 1e6:,.0f}" for part, n_bytes in traffic.items())
    print(f"{name}: MB that a step must move: {parts}; in {1000 * step_s:.2f} ms")
    rate_GB = moved / step_s / 1e9
    return {
        "data": name, "method": "glas", "instances/s": rate, "step ms": 1000 * step_s, "peak GiB": peak / 2**30,
        "held GB": held / 1e9, "P@1": best, **found, "GB/s": rate_GB, "share %": 100 * rate_GB / bandwidth,
        "TFLOP/s": flops / step_s / 1e12,
    }  # fmt: skip


def measure(
    name: str, method: str, model: Any, dataset: Dataset, args: argparse.Namespace, device: Any, bandwidth: float
) -> dict[str, Any]:
    """A row of the table."""
    X, L = dataset.X_train, dataset.Y_train.shape[1]
    needed = model.memory_estimate(*X.shape, L, X.nnz) / 2**30
    print(f"{name}, {method}: the model's own estimate is {needed:.2f} GiB, host and device", flush=True)
    target = args.target if args.target is not None else TARGETS[name]
    gc.collect()  # what the last fit left on the device
    if method == "glas":
        return measure_glas(name, model, dataset, target, device, bandwidth)
    return gpu_shortlists.measure(name, method, model, dataset, target, VALID_ROWS, device)


def bars_met(rows: list[dict[str, Any]], args: argparse.Namespace) -> bool:
    """Prints the bar of memory, which the whole set on a device has; whether it was met."""
    all_met = True
    for row in rows:
        if row["data"] != "amazontitles-size" or row["method"] == "glas":
            continue
        if np.isnan(row["held GB"]) or args.scale != 1:
            print(
                f"{row['method']}: {BAR_GB:.0f} GB of the device's memory: not judged, it takes --scale 1 and a device"
            )
            continue
        met = row["held GB"] <= BAR_GB
        all_met &= met
        found = f"{row['held GB']:.1f} GB of the device's memory, bar {BAR_GB:.0f}"
        print(f"{row['method']}: {found}: {'met' if met else 'MISSED'}")
    return all_met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default=",".join(SETS), help="with commas")
    parser.add_argument("--data", help=f"with commas; for all methods (default: {SETS})")
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1 ...; cpu for a smoke run")
    parser.add_argument("--epochs", type=int, help=f"n_epochs (default: glas {GLAS['n_epochs']}, the others' own)")
    parser.add_argument("--components", type=int, help=f"(default: glas {GLAS['n_components']}, the others' own)")
    parser.add_argument("--target", type=float, help=f"P@1 in per cent (default: {TARGETS})")
    parser.add_argument("--param", action="append", default=[], help="method.parameter=value, as for xmlwb compare")
    parser.add_argument("--scale", type=float, default=1.0, help="of the synthetic sets")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of the host")
    args = parser.parse_args()
    import torch

    device = torch.device(args.device)
    if device.type not in ("cuda", "cpu"):
        parser.error(f"--device is {args.device}; wanted cuda, cuda:1 ... or cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        parser.exit(
            1,
            f"{parser.prog}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA devices, so there is no "
            f"{args.device}; wanted a machine with an NVIDIA GPU and a CUDA build of torch (--device cpu: smoke run)\n",
        )
    methods = args.methods.split(",")
    if unknown := set(methods) - set(SETS):
        parser.error(f"--methods has {', '.join(sorted(unknown))}; wanted of {', '.join(SETS)}")
    sets = {method: SETS[method] if args.data is None else tuple(args.data.split(",")) for method in methods}
    names = list(dict.fromkeys(name for of_method in sets.values() for name in of_method))
    if unknown := set(names) - set(TARGETS):
        parser.error(f"--data has {', '.join(sorted(unknown))}; wanted of {', '.join(TARGETS)}")
    try:
        models = models_of(methods, args)
    except ValueError as error:
        parser.error(str(error))
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        print(f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB; torch {torch.__version__}")
    bandwidth = copy_bandwidth(device, 2**30 if device.type == "cuda" else 2**27)
    print(f"copy within its memory: {bandwidth:,.0f} GB/s, read and written", flush=True)
    rows, failed = [], False
    for name in names:
        start = time.perf_counter()
        try:
            dataset = dataset_of(name, args.scale)
        except FileNotFoundError as error:
            print(f"{name}: left out: {error}", file=sys.stderr, flush=True)
            continue
        n, d = dataset.X_train.shape
        print(f"{name}: {n:,} x {d:,} x {dataset.Y_train.shape[1]:,}, ready in {time.perf_counter() - start:.0f} s")
        for method in (method for method in methods if name in sets[method]):
            try:
                rows.append(measure(name, method, clone(models[method]), dataset, args, device, bandwidth))
            except torch.cuda.OutOfMemoryError as error:
                failed = True
                print(f"{name}, {method}: left out: {error}", file=sys.stderr, flush=True)
    if not rows:
        return 1
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:,.4g}", na_rep="-"))
    return 0 if bars_met(rows, args) and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
