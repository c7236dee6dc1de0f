"""What limits DXML: the same network and the same vote, with other label embeddings V, on validation rows.

    python benchmarks/dxml_ablation.py --data bibtex,delicious --seeds 5     # XMLWB_DATA names their folder

For each seed a random fifth of the training rows is set aside for validation; test labels are never read. V is

    DeepWalk     as it leaves the label graph, not whitened
    whitened     the same, centred and with equal variance in all directions: what DXML does unless told otherwise
    random       100 directions drawn at random, which know nothing of the graph
    axes         one axis a label: no embedding at all, l = L

Beside them, what needs no V: k-NN in the feature space, and one classifier a label.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from paper_grids import VALID_SHARE, new_model
from scipy import sparse, stats

from xmlwb.datasets import load
from xmlwb.label_graph import LabelGraph
from xmlwb.metrics import precision_at_k
from xmlwb.models import DXML


class GivenV(DXML):
    """DXML on label embeddings that have nothing to do with the graph."""

    V: np.ndarray

    def _label_vectors(self, graph: LabelGraph) -> np.ndarray:
        return self.V


def candidates(n_labels: int, seed: int, settings: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and unfitted model of each row of the table."""
    common = {"random_state": seed, "n_jobs": 1} | settings
    yield "KNN", new_model("knn", {}, seed=seed, n_jobs=1)
    yield "OneVsAll", new_model("ova", {}, seed=seed, n_jobs=1)
    yield "DXML, DeepWalk", DXML(whiten=False, **common)
    yield "DXML, whitened", DXML(**common)
    for name, V in (
        ("random", np.random.default_rng(seed).standard_normal((n_labels, DXML().n_components))),
        ("axes", np.eye(n_labels)),
    ):
        model = GivenV(**common | {"n_components": V.shape[1]})
        model.V = V.astype(np.float32)
        yield f"DXML, {name}", model


def one_seed(
    data: str, X: sparse.csr_array, Y: sparse.csr_array, seed: int, settings: dict[str, Any]
) -> list[dict[str, Any]]:
    import torch

    torch.set_num_threads(1)  # steps are too small to share
    order = np.random.default_rng(seed).permutation(X.shape[0])
    valid, train = np.split(order, [int(VALID_SHARE * len(order))])
    rows = []
    for name, model in candidates(Y.shape[1], seed, settings):
        P = 100 * precision_at_k(Y[valid], model.fit(X[train], Y[train]).predict_topk(X[valid], k=5), k=5)
        rows.append({"data": data, "seed": seed, "V": name} | {f"P@{k}": P[k - 1] for k in (1, 3, 5)})
        print(f"{data}, seed {seed}, {name}: P@1 {P[0]:.2f}", flush=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="bibtex,delicious")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=DXML().n_epochs)
    parser.add_argument("--n-jobs", type=int, default=2, help="seeds at a time")
    args = parser.parse_args()
    settings, jobs = {"n_epochs": args.epochs}, []
    for name in args.data.split(","):
        try:
            dataset = load(name)
        except (FileNotFoundError, ValueError) as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
        jobs += [(name, dataset.X_train, dataset.Y_train, seed, settings) for seed in range(args.seeds)]
    done = Parallel(n_jobs=args.n_jobs)(delayed(one_seed)(*job) for job in jobs)
    runs = pd.DataFrame([row for rows in done for row in rows])
    print()
    for name, group in runs.groupby("data", sort=False):
        means = group.groupby("V", sort=False)[["P@1", "P@3", "P@5"]].mean()
        P1 = group.pivot(index="seed", columns="V", values="P@1")
        gains = P1.sub(P1["DXML, whitened"], axis=0)[means.index]
        means["P@1 less whitened's"] = gains.mean()
        means["+-"] = stats.t.ppf(0.975, len(P1) - 1) * gains.sem() if len(P1) > 1 else np.nan
        print(f"{name}, {len(P1)} splits of the training rows, 95 % intervals of the differences")
        print(means.to_string(float_format=lambda value: f"{value:.2f}"), end="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
