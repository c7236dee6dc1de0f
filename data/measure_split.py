"""Measure how much a random split of the bundled sets would flatter, next to the split by source package.

    python data/measure_split.py

For each set, the labelled documents are split once as shipped and once at random into parts of the same sizes;
features are fitted on the training texts of each. Reported: the share of test documents with a training document at
cosine above 0.9, and P@1 and PSP@1 of two baselines with their default parameters. The results go into
xmlwb/datasets/bundled/measured.json, from where the data cards show them. Two cores need about ten minutes, most of
them for one-vs-all on debdeps (``--models knn`` does without).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array, vstack

from xmlwb.atomic import atomic_path
from xmlwb.datasets import Dataset, TextFeatures, load
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models import METHODS

OUT = Path(__file__).resolve().parent.parent / "xmlwb" / "datasets" / "bundled" / "measured.json"
COMMAND = "python data/measure_split.py"
NEAR = 0.9


@dataclass(frozen=True)
class Parts:
    """Training and test part of one way to split."""

    X_train: csr_array
    Y_train: csr_array
    X_test: csr_array
    Y_test: csr_array


def random_parts(dataset: Dataset, seed: int) -> Parts:
    """The same documents, split at random into parts of the shipped sizes; the validation part is left out."""
    texts = [*(dataset.texts_train or ()), *(dataset.texts_valid or ()), *(dataset.texts_test or ())]
    Y = csr_array(vstack([dataset.Y_train, dataset.Y_valid, dataset.Y_test], format="csr"))
    order = np.random.default_rng(seed).permutation(len(texts))
    train, test = np.sort(order[: dataset.n_train]), np.sort(order[-dataset.X_test.shape[0] :])
    features = TextFeatures()
    X_train = features.fit_transform([texts[i] for i in train])
    return Parts(X_train, Y[train], features.transform([texts[i] for i in test]), Y[test])


def share_near(parts: Parts, rows: int = 256) -> float:
    """Share of test documents whose nearest training document has cosine above ``NEAR`` (rows of X have length 1)."""
    columns = csr_array(parts.X_train.T)
    n = parts.X_test.shape[0]
    best = np.zeros(n, dtype=np.float32)
    for start in range(0, n, rows):
        cosines = parts.X_test[start : start + rows] @ columns
        filled = np.flatnonzero(np.diff(cosines.indptr))
        best[start + filled] = np.maximum.reduceat(cosines.data, cosines.indptr[filled])
    return float((best > NEAR).mean())


def scores(parts: Parts, model: str, ab: tuple[float, float]) -> tuple[float, float]:
    """P@1 and PSP@1 of a baseline of the methods' registry with its default parameters."""
    fitted = METHODS[model].cls().fit(parts.X_train, parts.Y_train)
    S = fitted.predict_topk(parts.X_test, k=1)
    p = propensities(parts.Y_train, *ab)
    return float(precision_at_k(parts.Y_test, S, k=1)[0]), float(psp_at_k(parts.Y_test, S, p, k=1)[0])


def measure(dataset: Dataset, models: list[str], seed: int) -> dict[str, str]:
    """What was measured -> grouped and random split side by side, in words."""
    shipped = Parts(dataset.X_train, dataset.Y_train, dataset.X_test, dataset.Y_test)
    both = (shipped, random_parts(dataset, seed))
    results = {"measured by": COMMAND}

    def note(what: str, grouped: float, random: float) -> None:
        results[what] = f"{grouped:.1%} by source package (as shipped), {random:.1%} at random"
        print(f"{dataset.name}: {what}: {results[what]}", flush=True)

    note(f"test documents with a training document at cosine above {NEAR}", *(share_near(parts) for parts in both))
    for model in models:
        (p, psp), (p_random, psp_random) = (scores(parts, model, dataset.propensity_ab) for parts in both)
        note(f"P@1 of {METHODS[model].title}", p, p_random)
        note(f"PSP@1 of {METHODS[model].title}", psp, psp_random)
    return results


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="knn,ova", help="keys of the methods' registry (default knn,ova)")
    parser.add_argument("--data", default="debtags,debdeps", help="sets to measure (default both)")
    parser.add_argument("--seed", type=int, default=0, help="of the random split (default 0)")
    parser.add_argument("--out", type=Path, default=OUT, help="the JSON file to update")
    args = parser.parse_args(argv)
    results = json.loads(args.out.read_text(encoding="utf-8")) if args.out.is_file() else {}
    for name in args.data.split(","):
        results[name] = measure(load(name), args.models.split(","), args.seed)
        with atomic_path(args.out) as draft:
            draft.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
