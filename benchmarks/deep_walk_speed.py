"""Speed and quality of DeepWalk's parts, beside gensim's Word2Vec.

    python benchmarks/deep_walk_speed.py                                   # debdeps: 21,705 labels, 2 threads
    python benchmarks/deep_walk_speed.py --data debtags --windows 2,5,10 --learners xmlwb,gensim
    python benchmarks/deep_walk_speed.py --data delicious --unweighted --device cuda

gensim is optional (``pip install gensim``); where it is not installed its lines are left out. Walks are timed on their
own, then each learner, in turn; a learner's time holds its walks (and, for gensim, writing them as words).

Two figures say how good the vectors are. "links": a tenth of the edges is taken out of the graph before the walks,
never a node's last; the area under the ROC curve of the cosine, over those edges and as many pairs of nodes that share
no document, drawn with the edges' degrees (so that a frequent node alone gives nothing away). "parents": where the set
gives its labels' parents (debtags' facets), the share of a label's ten nearest labels that have a parent in common with
it. The exit status is 1 if the walks are slower than 2 million steps a second, or walks and skip-gram of 20,000 labels
take more than 60 s.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from xmlwb.datasets import load
from xmlwb.label_graph import LabelGraph
from xmlwb.solvers.deep_walk import DeepWalk
from xmlwb.solvers.random_walks import random_walks

BAR_STEPS, BAR_S, BAR_LABELS = 2e6, 60.0, 20_000


def without_some_edges(A: sparse.csr_array, share: float, seed: int) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """The graph without some of its edges, those edges, and pairs that are none, (m, 2) each."""
    rng = np.random.default_rng(seed)
    upper = sparse.triu(A, format="coo")
    edges = np.stack(upper.coords, axis=1)
    left = np.diff(A.indptr).copy()
    taken = []
    for e in rng.permutation(len(edges)):
        i, j = edges[e]
        if left[i] > 1 and left[j] > 1:
            left[i] -= 1
            left[j] -= 1
            taken.append(e)
            if len(taken) >= share * len(edges):
                break
    out = edges[taken]
    kept = np.delete(np.arange(len(edges)), taken)
    entries = (upper.data[kept], (edges[kept, 0], edges[kept, 1]))
    half = sparse.csr_array(entries, shape=A.shape)
    pairs = np.stack([rng.permutation(np.resize(out.ravel(), 8 * len(out))) for _ in range(2)], axis=1)
    strangers = pairs[(pairs[:, 0] != pairs[:, 1]) & (np.asarray(A[pairs[:, 0], pairs[:, 1]]).ravel() == 0)]
    return sparse.csr_array(half + half.T), out, strangers[: len(out)]


def auc(positive: np.ndarray, negative: np.ndarray) -> float:
    both = np.concatenate([positive, negative])
    ranks = pd.Series(both).rank().to_numpy()
    n = len(positive)
    return float((ranks[:n].sum() - n * (n + 1) / 2) / (n * len(negative)))


def parents_in_common(unit: np.ndarray, parents: list[tuple[str, ...]] | None, k: int = 10) -> float:
    if parents is None or not any(parents):
        return float("nan")
    asked = [label for label in range(len(parents)) if parents[label] and unit[label].any()]
    near = unit[asked] @ unit[: len(parents)].T
    near[np.arange(len(asked)), asked] = -np.inf
    best = np.argsort(-near, axis=1)[:, :k]
    return float(
        np.mean(
            [bool(set(parents[a]) & set(parents[b])) for a, row in zip(asked, best, strict=True) for b in row.tolist()]
        )
    )


def by_xmlwb(A: sparse.csr_array, window: int, args: argparse.Namespace) -> np.ndarray:
    """Vectors of `DeepWalk`, which makes its walks itself."""
    model = DeepWalk(
        n_components=args.width, n_walks=args.walks, walk_length=args.length, window=window, n_epochs=args.epochs,
        device=args.device, n_jobs=args.jobs, random_state=args.seed,
    )  # fmt: skip
    return model.fit(A).embeddings_


def by_gensim(A: sparse.csr_array, window: int, args: argparse.Namespace) -> np.ndarray:
    """Vectors of gensim's skip-gram with the same settings; its walks, as lists of words, are ours."""
    from gensim.models import Word2Vec

    walks = random_walks(A, n_walks=args.walks, walk_length=args.length, random_state=args.seed, n_jobs=args.jobs)
    words = np.arange(A.shape[0]).astype(str)
    sentences = [words[walk[walk >= 0]].tolist() for walk in walks if walk.shape[0] > 1 and walk[1] >= 0]
    model = Word2Vec(
        sentences, vector_size=args.width, window=window, sg=1, negative=5, sample=0, min_count=0, epochs=args.epochs,
        workers=args.jobs, seed=args.seed + 1,
    )  # fmt: skip
    vectors = np.zeros((A.shape[0], args.width), dtype=np.float32)
    for node, word in enumerate(words):
        if word in model.wv:
            vectors[node] = model.wv[word]
    return vectors


LEARNERS = {"xmlwb": by_xmlwb, "gensim": by_gensim}


def steps_a_second(A: sparse.csr_array, args: argparse.Namespace) -> float:
    random_walks(A, n_walks=1, walk_length=2, n_jobs=args.jobs)  # compile
    begin = time.perf_counter()
    walks = random_walks(A, n_walks=args.walks, walk_length=args.length, n_jobs=args.jobs)
    return float(np.count_nonzero(walks[:, 1:] >= 0) / (time.perf_counter() - begin))


def measured(name: str, A: sparse.csr_array, window: int, judged: Any, args: argparse.Namespace) -> dict[str, Any]:
    out, strangers, parents = judged
    begin, cpu = time.perf_counter(), time.process_time()
    vectors = LEARNERS[name](A, window, args)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - cpu
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    cosines = [np.einsum("ij,ij->i", unit[pairs[:, 0]], unit[pairs[:, 1]]) for pairs in (out, strangers)]
    return {
        "learner": name, "window": window, "seconds": round(seconds, 1), "cpu s": round(cpu, 1),
        "links": round(auc(*cosines), 4), "parents": round(parents_in_common(unit, parents), 4),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="debdeps")
    parser.add_argument("--unweighted", action="store_true", help="each edge weighs 1")
    parser.add_argument("--learners", default="xmlwb,gensim")
    parser.add_argument("--windows", default="10")
    parser.add_argument("--walks", type=int, default=10)
    parser.add_argument("--length", type=int, default=40)
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    dataset = load(args.data)
    graph = LabelGraph.from_labels(dataset.Y_train, weighted=not args.unweighted)
    A, *pairs = without_some_edges(graph.adjacency, 0.1, args.seed)
    print(
        f"{args.data}: {A.shape[0]:,} labels, {A.nnz // 2:,} edges, {len(pairs[0]):,} more taken out; {args.jobs} jobs"
    )
    steps = steps_a_second(A, args)
    print(f"walks: {steps / 1e6:.1f} million steps a second")
    DeepWalk(n_walks=1, n_components=8).fit(A[:64][:, :64])  # compile
    rows = []
    for window in map(int, args.windows.split(",")):
        for name in args.learners.split(","):
            try:
                rows.append(measured(name, A, window, (*pairs, dataset.label_parents), args))
            except ModuleNotFoundError as error:
                print(f"{name}: left out, {error}", file=sys.stderr)
                continue
            print(rows[-1], flush=True)
    print(pd.DataFrame(rows).to_string(index=False))
    slow = [
        row
        for row in rows
        if row["learner"] == "xmlwb" and row["seconds"] > BAR_S * max(1, len(graph.counts) / BAR_LABELS)
    ]
    return int(steps < BAR_STEPS or bool(slow))


if __name__ == "__main__":
    sys.exit(main())
