"""What limits DXML: the same network and the same vote, with other label embeddings V, on validation rows.

    python benchmarks/dxml_ablation.py --data bibtex,delicious --seeds 5     # XMLWB_DATA names their folder
    python benchmarks/dxml_ablation.py --seeds 5 --out ablation.jsonl        # keeps what is finished, goes on from it

For each seed a random fifth of the training rows is set aside for validation; test labels are never read. V is

    DeepWalk     as it leaves the label graph, not whitened
    whitened     the same, centred and with equal variance in all directions: what DXML does unless told otherwise
    shuffled     whitened, then dealt out to the labels at random: the same directions, nothing of the graph
    random       100 directions drawn at random, which know nothing of the graph
    axes         one axis a label: no embedding at all, l = L

"edges" is the correlation, over all pairs of labels, of the cosine of their vectors with whether an edge joins them:
what is left of the graph. Whitening leaves little where L is not much larger than l, and nothing where L <= l + 1; what
"whitened" is above "shuffled" is the graph's merit, the rest is that of codes that are well apart.

Beside them, what needs no V: k-NN in the feature space, and one classifier a label.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from paper_grids import VALID_SHARE, new_model
from run_store import RunStore, key_of
from scipy import sparse, stats
from sklearn.preprocessing import normalize

from xmlwb.datasets import load
from xmlwb.label_graph import LabelGraph
from xmlwb.metrics import precision_at_k
from xmlwb.models import DXML


class GivenV(DXML):
    """DXML on label embeddings that have nothing to do with the graph."""

    V: np.ndarray

    def _label_vectors(self, graph: LabelGraph) -> np.ndarray:
        return self.V


KNN, OVA = "KNN", "OneVsAll"
DEEP_WALK, WHITENED, SHUFFLED, RANDOM, AXES = (
    f"DXML, {V}" for V in ("DeepWalk", "whitened", "shuffled", "random", "axes")
)
ROWS = (KNN, OVA, DEEP_WALK, WHITENED, SHUFFLED, RANDOM, AXES)


def candidate(row: str, Y: sparse.csr_array, seed: int, settings: dict[str, Any]) -> Any:
    """The unfitted model of a row of the table; Y are the training rows' labels."""
    common = {"random_state": seed, "n_jobs": 1} | settings
    if row in (KNN, OVA):
        return new_model({KNN: "knn", OVA: "ova"}[row], {}, seed=seed, n_jobs=1)
    if row in (DEEP_WALK, WHITENED):
        return DXML(whiten=row == WHITENED, **common)
    L, rng = Y.shape[1], np.random.default_rng(seed)
    if row == SHUFFLED:
        V = DXML(**common)._label_vectors(LabelGraph.from_labels(Y))
        V = V[rng.permutation(L)]
    else:
        V = np.eye(L) if row == AXES else rng.standard_normal((L, DXML().n_components))
    model = GivenV(**common | {"n_components": V.shape[1]})
    model.V = V.astype(np.float32)
    return model


def edges_kept(V: np.ndarray, Y: sparse.csr_array) -> float:
    """Correlation of the labels' cosines with their edges, over all pairs; NaN where one is the same for all."""
    pairs = np.triu_indices(len(V), 1)
    unit = normalize(V)
    both = np.array([(unit @ unit.T)[pairs], LabelGraph.from_labels(Y).adjacency.toarray()[pairs] > 0])
    return float(np.corrcoef(both)[0, 1]) if (both.std(axis=1) > 1e-6).all() else float("nan")


def one_run(job: dict[str, Any], X: sparse.csr_array, Y: sparse.csr_array) -> dict[str, float]:
    import torch

    torch.set_num_threads(1)  # steps are too small to share
    order = np.random.default_rng(job["seed"]).permutation(X.shape[0])
    valid, train = np.split(order, [int(VALID_SHARE * len(order))])
    model = candidate(job["row"], Y[train], job["seed"], job["settings"]).fit(X[train], Y[train])
    P = 100 * precision_at_k(Y[valid], model.predict_topk(X[valid], k=5), k=5)
    found = {f"P@{k}": float(P[k - 1]) for k in (1, 3, 5)}
    if isinstance(model, DXML):
        found["edges"] = edges_kept(model.label_embeddings_, Y[train])
    print(f"{job['data']}, seed {job['seed']}, {job['row']}: P@1 {P[0]:.2f}", flush=True)
    return found


def report(runs: pd.DataFrame) -> None:
    for name, group in runs.groupby("data", sort=False):
        means = group.groupby("V", sort=False)[["P@1", "P@3", "P@5", "edges"]].mean()
        P1 = group.pivot(index="seed", columns="V", values="P@1")
        for other in (WHITENED, SHUFFLED):
            gains = P1.sub(P1[other], axis=0)[means.index]
            means[f"P@1 less {other.removeprefix('DXML, ')}"] = gains.mean()
            half = stats.t.ppf(0.975, len(P1) - 1) * gains.sem() if len(P1) > 1 else np.nan
            means[f"+- {other.removeprefix('DXML, ')}"] = half
        print(f"\n{name}, {len(P1)} splits of the training rows, 95 % intervals of the differences")
        print(means.to_string(float_format=lambda value: f"{value:.2f}"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="bibtex,delicious")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=DXML().n_epochs)
    parser.add_argument("--n-jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--out", type=Path, help="keep finished runs in this file, JSON lines, and go on from it")
    args = parser.parse_args()
    kept, settings, sets, wanted = RunStore(args.out) if args.out else None, {"n_epochs": args.epochs}, {}, []
    for name in args.data.split(","):
        try:
            sets[name] = load(name)
        except (FileNotFoundError, ValueError) as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
        wanted += [
            {"data": name, "seed": seed, "row": row, "settings": settings} for seed in range(args.seeds) for row in ROWS
        ]
    runs = {key_of(job): kept.get(job) for job in wanted if kept is not None and job in kept}
    missing = [job for job in wanted if key_of(job) not in runs]
    finished = Parallel(n_jobs=args.n_jobs, return_as="generator")(
        delayed(one_run)(job, sets[job["data"]].X_train, sets[job["data"]].Y_train) for job in missing
    )
    for job, found in zip(missing, finished, strict=True):
        runs[key_of(job)] = found
        if kept is not None:
            kept.add(job, found)
    columns = ("P@1", "P@3", "P@5", "edges")
    report(
        pd.DataFrame(
            {"data": job["data"], "seed": job["seed"], "V": job["row"]}
            | {name: runs[key_of(job)].get(name, np.nan) for name in columns}
            for job in wanted
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
