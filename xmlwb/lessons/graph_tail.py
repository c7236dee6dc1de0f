"""Chapter 06: what the label graph knows about tail labels that an isolated node does not, and who profits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from xmlwb.comparison import resampled_groups
from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.lessons.neighbour_quality import NeighbourQuality
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models.dxml import DXML
from xmlwb.plots.graph_tail import graph_tail_figure, seeds_table
from xmlwb.significance import bootstrap_interval
from xmlwb.tails import TailViews, frequency_bins, tail_views

GRAPH, CUT, RANDOM = "label graph", "tail labels cut off", "random vectors, no graph"
#: A small network for 6,000 documents of debtags. Each embedding gets the epochs after which P@5 on validation
#: documents was highest (of 4, 8, ... 32, seed 0): past them, random vectors lose more than the graph's.
SMALL: dict[str, Any] = {"n_components": 64, "n_hidden": 128}
EPOCHS = {GRAPH: 12, CUT: 8, RANDOM: 12}


class RandomlyPlaced(DXML):
    """DXML whose labels lie in random directions: nothing of the graph is left, the rest is the same."""

    def _label_vectors(self, graph: LabelGraph) -> np.ndarray:
        return random_directions(graph.n_labels, self.n_components, self.random_state or 0)


def random_directions(L: int, n_components: int, random_state: int) -> NDArray[np.float32]:
    """Unit vectors (L, l) in random directions: hardly any two point the same way where l is large."""
    V = np.random.default_rng([random_state, L]).normal(size=(L, n_components))
    return (V / np.linalg.norm(V, axis=1, keepdims=True)).astype(np.float32)


def without_tail_edges(graph: LabelGraph, Y: csr_array) -> LabelGraph:
    """The graph with every tail label an isolated node (the tail of `xmlwb.tails.frequency_bins`)."""
    tail = (frequency_bins(Y)["bin"] == "tail").to_numpy()
    A = graph.adjacency.tocoo()
    kept = ~(tail[A.row] | tail[A.col])
    adjacency = csr_array((A.data[kept], (A.row[kept], A.col[kept])), shape=A.shape)
    adjacency.sum_duplicates()
    return LabelGraph(adjacency, graph.n_labels, graph.names, graph.counts)


@dataclass(frozen=True)
class GraphTail:
    """What `graph_tail` found.

    Attributes
    ----------
    runs : DataFrame
        A row for each model and seed: "P@1", "P@5", "PSP@1", "PSP@5" and recall@5 of "head", "torso", "tail".
    known : DataFrame
        "embedding", "bin", "share" of a label's 10 nearest that are of its facet, "low", "high": bootstrap over labels.
        An isolated node has no nearest, so there is no row for the tail that was cut off.
    views : TailViews
        All seeds together: a test document counts once a seed, and all of its copies are resampled as one.
    """

    runs: pd.DataFrame
    known: pd.DataFrame
    views: TailViews
    chance: float

    def figure(self) -> go.Figure:
        """What the embeddings know, and what predictions gain, by label frequency."""
        gain = self.views.gain[self.views.gain["bin"].isin(self.known["bin"])]  # no unseen labels: nobody predicts them
        return graph_tail_figure(self.known, gain, self.views.baseline, self.views.k, self.chance)

    def table(self) -> pd.DataFrame:
        """Means over seeds, with their standard deviation."""
        metrics = ["P@1", "P@5", "PSP@1", "PSP@5", "head", "torso", "tail"]
        return seeds_table(self.runs, metrics, {part: f"recall@5, {part}" for part in ("head", "torso", "tail")})


def graph_tail(
    ds: Dataset,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    k: int = 5,
    progress: Callable[[str], Any] | None = None,
    **settings: Any,
) -> GraphTail:
    """Train the same network towards three label embeddings, and hold them against each other by label frequency.

    The three: DeepWalk on the label graph; on the graph with all edges of tail labels cut; random directions. With a
    seed, all three start from the same first weights and see the documents in the same order.

    Parameters
    ----------
    ds : Dataset
        With validation rows and ``label_parents`` (for what the embeddings know), and test rows (for the gains).
    seeds : sequence of int
        Each trains all three.
    k : int
        Predictions of a document that count.
    progress : callable, optional
        Told the model and the seed before each fit.
    **settings
        Of `DXML`, where they shall differ from `SMALL` and `EPOCHS`.

    Raises
    ------
    ValueError
        If the data set has no hierarchy or no validation rows.
    """
    if ds.label_parents is None or ds.Y_valid is None:
        raise ValueError(f"{ds.name} has no label_parents or no validation rows; wanted both")
    graph = LabelGraph.from_labels(ds.Y_train, weighted=DXML(**settings).weighted)
    kinds = {
        GRAPH: (DXML, graph),
        CUT: (DXML, without_tail_edges(graph, ds.Y_train)),
        RANDOM: (RandomlyPlaced, graph),
    }
    p = propensities(ds.Y_train, *ds.propensity_ab)
    quality = NeighbourQuality(ds.Y_train, ds.Y_valid, ds.label_parents)
    runs: list[dict[str, Any]] = []
    predicted: dict[str, list[Any]] = {name: [] for name in kinds}
    shares: dict[str, list[Any]] = {name: [] for name in kinds}
    for seed in seeds:
        for name, (kind, of) in kinds.items():
            if progress is not None:
                progress(f"{name}, seed {seed}")
            model = kind(**{**SMALL, "n_epochs": EPOCHS[name], "n_jobs": 2, **settings, "random_state": seed})
            model.fit(ds.X_train, ds.Y_train, label_graph=of)
            S = model.predict_topk(ds.X_test, k=max(5, k))
            hits, weighed = precision_at_k(ds.Y_test, S, 5), psp_at_k(ds.Y_test, S, p, 5)
            figures = {"P@1": hits[0], "P@5": hits[4], "PSP@1": weighed[0], "PSP@5": weighed[4]}
            runs.append({"model": name, "seed": seed, **figures, **recall_by_bin(ds.Y_train, ds.Y_test, S, k)})
            predicted[name].append(S)
            shares[name].append(quality.each(model.label_embeddings_)["facet"])
    return GraphTail(
        runs=pd.DataFrame(runs),
        known=_known(ds, {name: np.mean(of, axis=0) for name, of in shares.items()}),
        views=_views(ds, predicted, k),
        chance=quality.by_chance()["facet"],
    )


def _known(ds: Dataset, shares: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    """The mean over the labels of a bin, with its bootstrap interval."""
    bins = frequency_bins(ds.Y_train)["bin"].astype(str).to_numpy()
    rows = []
    for name, share in shares.items():
        for part in ("head", "torso", "tail"):
            values = share[(bins == part) & ~np.isnan(share)]
            if len(values):
                found = bootstrap_interval(values)
                rows.append((name, part, found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["embedding", "bin", "share", "low", "high"])


def _views(ds: Dataset, predicted: dict[str, list[csr_array]], k: int) -> TailViews:
    """The tail lens on all seeds' predictions, one below the other; a document's copies stay together."""
    n_seeds, groups = len(predicted[GRAPH]), resampled_groups(ds)
    who = np.arange(ds.Y_test.shape[0]) if groups is None else np.asarray(groups)
    return tail_views(
        ds.Y_train,
        csr_array(vstack([ds.Y_test] * n_seeds)),
        {name: csr_array(vstack(of)) for name, of in predicted.items()},
        k=k,
        baseline=RANDOM,
        label_names=ds.label_names,
        groups=np.tile(who, n_seeds),
    )
