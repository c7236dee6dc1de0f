"""Maximum inner product search among label embeddings: how long one instance waits for its top 5, and what is missed.

    python benchmarks/label_search.py                                       # synthetic labels: 10^4 and 10^5
    python benchmarks/label_search.py --labels 2000000 --components 128 --build-width 40 --index /tmp/graphs
    python benchmarks/label_search.py --labels "" --data eurlex-4.3k,debdeps   # embeddings that GLaS has learned

One query at a time on one core, after a warm-up. Searches: "exact", one matrix-vector product (numpy) and the five
largest; "HNSW" at several widths of the search (solvers/hnsw.py). Recall: the part of the exact top 5 that HNSW finds.

Synthetic labels are leaves of a tree: a label's vector is a sum of a vector of its own and its ancestors', all of unit
length. An instance has 5 labels, a part of them siblings; its embedding is the sum of their vectors, as in theorem 2.1,
and noise. What is learned from data is read from a fitted `EmbeddingClassifier`: --data fits one and also times its
whole `predict_topk` of one row, features to labels, by either search. --model reads one from a file instead.

Bars (the paper, of its own system): under 1 ms up to 100,000 labels, under 10 ms for 2 million, by the fastest search
that finds --recall of the exact top 5; and by the faster of the two whole predictions. With --index a graph is kept in
a folder, about 4 d + 150 bytes a label, and found there the next time. The exit status is 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from xmlwb.atomic import atomic_path
from xmlwb.datasets import load
from xmlwb.models import METHODS
from xmlwb.solvers import hnsw

K, BLOCK = 5, 20_000
BARS = ((100_000, 1.0), (sys.maxsize, 10.0))


def unit(vectors: np.ndarray) -> np.ndarray:
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors


def planted_labels(L: int, d: int, branching: int = 16) -> np.ndarray:
    """Unit vectors (L, d) float32 of labels 0..L-1, the leaves of a tree in their order."""
    rng = np.random.default_rng(0)

    def directions(count: int) -> np.ndarray:
        return unit(rng.standard_normal((count, d), dtype=np.float32))

    parents, above = directions(-(-L // branching)), directions(-(-L // branching**2))
    V = np.empty((L, d), dtype=np.float32)
    for begin in range(0, L, BLOCK):
        labels = np.arange(begin, min(begin + BLOCK, L))
        own = 0.75 * directions(len(labels)) + 0.5 * parents[labels // branching] + 0.4 * above[labels // branching**2]
        V[labels] = unit(own)
    return V


def planted_queries(V: np.ndarray, count: int, *, correlation: float, noise: float, branching: int = 16) -> np.ndarray:
    """phi of instances with 5 labels, of which each but the first is its sibling with probability `correlation`."""
    rng = np.random.default_rng(1)
    labels = rng.integers(len(V), size=(count, K))
    siblings = labels[:, :1] // branching * branching + rng.integers(branching, size=labels.shape)
    near = rng.random(labels.shape) < correlation
    near[:, 0] = False
    labels = np.where(near, np.minimum(siblings, len(V) - 1), labels)
    phi = unit(V[labels].sum(axis=1))
    return unit(phi + noise * unit(rng.standard_normal(phi.shape, dtype=np.float32)))


def exact_top(V: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """The 5 labels of the largest inner products, (queries, 5), block by block."""
    best = np.full((len(queries), K), -np.inf, dtype=np.float32)
    labels = np.zeros((len(queries), K), dtype=np.int64)
    for begin in range(0, len(V), BLOCK):
        scores = np.concatenate([best, queries @ V[begin : begin + BLOCK].T], axis=1)
        number = np.concatenate([labels, np.tile(np.arange(begin, begin + scores.shape[1] - K), (len(queries), 1))], 1)
        kept = np.argpartition(-scores, K - 1, axis=1)[:, :K]
        best, labels = np.take_along_axis(scores, kept, 1), np.take_along_axis(number, kept, 1)
    return labels


def one_by_one(search: Callable[[np.ndarray], Any], queries: Any) -> tuple[float, float]:
    """Milliseconds of a query: the median and the 99th percentile."""
    for number in range(min(20, queries.shape[0])):
        search(queries[number : number + 1])
    ms = []
    for number in range(queries.shape[0]):
        begin = time.perf_counter()
        search(queries[number : number + 1])
        ms.append(1000 * (time.perf_counter() - begin))
    return float(np.median(ms)), float(np.percentile(ms, 99))


def graph_of(V: np.ndarray, name: str, args: argparse.Namespace) -> tuple[Any, float]:
    """The live graph over the labels, from --index if it is there, and the seconds that building took (NaN)."""
    index = hnsw._hnswlib().Index(space="ip", dim=V.shape[1])
    kept = args.index / f"{name}-{args.build_width}-{args.links}.hnsw" if args.index else None
    if kept is not None and kept.exists():
        index.load_index(str(kept))
        return hnsw.Graph(index, np.arange(len(V))), float("nan")
    begin = time.perf_counter()
    index.init_index(max_elements=len(V), ef_construction=args.build_width, M=args.links, random_seed=0)
    for first in range(0, len(V), BLOCK):
        index.add_items(V[first : first + BLOCK], num_threads=args.threads)
        if first and first % (10 * BLOCK) == 0:
            rate = (time.perf_counter() - begin) / (first + BLOCK)
            print(f"  {first + BLOCK:,} labels, {1000 * rate:.2f} ms each", file=sys.stderr, flush=True)
    seconds = time.perf_counter() - begin
    if kept is not None:
        args.index.mkdir(parents=True, exist_ok=True)
        with atomic_path(kept) as partial:
            index.save_index(str(partial))
    return hnsw.Graph(index, np.arange(len(V))), seconds


def searches(name: str, V: np.ndarray, queries: np.ndarray, args: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for the exact search and for each width of HNSW."""
    common = {"labels": name, "K": len(V), "d": V.shape[1]}
    truth = exact_top(V, queries)

    def exact(query: np.ndarray) -> np.ndarray:
        scores = V @ query[0]
        best = np.argpartition(scores, -K)[-K:]
        return best[np.argsort(-scores[best])]

    ms, tail = one_by_one(exact, queries[: max(20, min(len(queries), 4_000_000 // len(V)))])
    rows = [common | {"search": "exact", "ms": ms, "99 %": tail, "recall": 100.0}]
    graph, seconds = graph_of(V, f"{name}-{len(V)}-{V.shape[1]}".replace(" ", "-"), args)
    for width in map(int, args.widths.split(",")):
        ms, tail = one_by_one(lambda query, ef=width: hnsw.search(graph, query, K, ef=ef), queries)
        found, _ = hnsw.search(graph, queries, K, ef=width)
        recall = np.mean([len(np.intersect1d(a, b)) for a, b in zip(found, truth, strict=True)]) / K
        rows.append(
            common
            | {"search": f"HNSW {width}", "build s": seconds, "ms": ms, "99 %": tail, "recall": 100 * float(recall)}
        )
    return rows


def whole_prediction(name: str, model: Any, X: Any) -> list[dict[str, Any]]:
    """`predict_topk` of one row: validation of the row, its embedding, the search."""
    rows = []
    for search in ("exact", "hnsw"):
        model.set_params(search=search)
        ms, tail = one_by_one(lambda row: model.predict_topk(row, k=K), X)
        size = {"K": len(model.label_embeddings_), "d": model.label_embeddings_.shape[1]}
        rows.append({"labels": name, **size, "search": f"predict_topk, {search}", "ms": ms, "99 %": tail})
    return rows


def fitted(name: str, args: argparse.Namespace) -> tuple[Any, Any]:
    dataset = load(name)
    cls = METHODS["glas"].cls
    if args.model is not None:
        return cls.load(args.model), dataset.X_test
    model = cls(n_components=args.components, n_epochs=args.epochs, search="hnsw")
    return model.fit(dataset.X_train, dataset.Y_train), dataset.X_test


def bar_of(labels: int) -> float:
    return next(ms for most, ms in BARS if labels <= most)


def report(rows: list[dict[str, Any]], recall: float) -> bool:
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format="%.3f", na_rep=""))
    met = True
    for (name, L, whole), part in table.groupby(["labels", "K", table["recall"].isna()], sort=False):
        best = part.loc[part["ms"].where(whole | (part["recall"] >= recall)).idxmin()]
        bar = bar_of(int(L))
        met &= bool(best["ms"] < bar)
        found = "" if whole else f", recall {best['recall']:.1f} %"
        said = f"{best['ms']:.3f} ms by {best['search']}{found}; bar {bar:g} ms"
        print(f"{name}, {L:,} labels: {said}: {'met' if best['ms'] < bar else 'MISSED'}")
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", default="10000,100000", help="of synthetic labels, with commas; empty for none")
    parser.add_argument("--data", default="", help="sets to fit GLaS to, with commas")
    parser.add_argument("--model", type=Path, help="a saved model of --data, in place of a fit")
    parser.add_argument("--components", type=int, default=512, help="d")
    parser.add_argument("--epochs", type=int, default=5, help="of a fit to --data")
    parser.add_argument("--correlation", type=float, default=0.5, help="of a planted instance's labels, siblings")
    parser.add_argument("--noise", type=float, default=0.3, help="length of the noise that planted instances carry")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--widths", default="20,50,100,200,400", help="of the search in the graph, ef")
    parser.add_argument("--build-width", type=int, default=200, help="of the search while building")
    parser.add_argument("--links", type=int, default=16, help="of a label in the graph, M")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the build; a graph built with more is not repeatable"
    )
    parser.add_argument("--recall", type=float, default=90.0, help="per cent of the exact top 5 that must be found")
    parser.add_argument("--index", type=Path, help="folder in which graphs are kept")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with threadpool_limits(1):
        for L in map(int, filter(None, args.labels.split(","))):
            V = planted_labels(L, args.components)
            queries = planted_queries(V, args.queries, correlation=args.correlation, noise=args.noise)
            rows += searches("synthetic", V, queries, args)
        for name in filter(None, args.data.split(",")):
            model, X_test = fitted(name, args)
            X = X_test[np.random.default_rng(0).permutation(X_test.shape[0])[: args.queries]]
            known = model.label_counts_ > 0
            rows += searches(name, np.ascontiguousarray(model.label_embeddings_[known]), model.embed(X), args)
            rows += whole_prediction(name, model, X)
    return 0 if report(rows, args.recall) else 1


if __name__ == "__main__":
    sys.exit(main())
