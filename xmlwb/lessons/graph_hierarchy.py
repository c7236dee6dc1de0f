"""Chapter 06: the co-occurrence graph against the hierarchy that people gave the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array, triu
from scipy.sparse.csgraph import shortest_path
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.ego_network import by_strength
from xmlwb.lessons.graph_layout import edge_table
from xmlwb.plots.graph_hierarchy import graph_hierarchy_figure

_SIBLINGS, _LINEAGE, _NONE = "siblings", "parent and child", "all other pairs"


def related_pairs(parents: list[tuple[str, ...]], names: list[str]) -> tuple[csr_array, csr_array]:
    """Which labels are siblings (share a parent), and which are parent and child: 0/1, symmetric, shape (L, L).

    Siblings that are parent and child as well count as parent and child. Memory follows the squared sizes of the
    families.
    """
    L = len(names)
    number = {name: label for label, name in enumerate(names)}
    terms = {term: place for place, term in enumerate(dict.fromkeys(term for of in parents for term in of))}
    links = [(label, term) for label, of in enumerate(parents) for term in of]
    child = np.array([label for label, _ in links], dtype=np.int64)
    M = csr_array((np.ones(len(links)), (child, [terms[term] for _, term in links])), shape=(L, max(1, len(terms))))
    siblings = csr_array((M @ M.T) > 0).astype(np.int8)
    siblings.setdiag(0)
    up = [(label, number[term]) for label, term in links if term in number]
    a, b = (np.array([pair[end] for pair in up], dtype=np.int64) for end in (0, 1))
    one_way = csr_array((np.ones(len(up), dtype=np.int8), (a, b)), shape=(L, L))
    lineage = csr_array((one_way + one_way.T) > 0).astype(np.int8)
    siblings = csr_array((siblings - siblings.multiply(lineage)) > 0).astype(np.int8)
    return siblings, lineage


def families(parents: list[tuple[str, ...]], names: list[str]) -> NDArray[np.int64]:
    """The topmost term above each label, by first parents, as a number; a label without parents is its own. Shape (L,).

    For debtags these are the facets.
    """
    above = dict(zip(names, parents, strict=True))
    number: dict[str, int] = {}
    found = []
    for name in names:
        passed = {name}
        while above.get(name) and above[name][0] not in passed:
            name = above[name][0]
            passed.add(name)
        found.append(number.setdefault(name, len(number)))
    return np.array(found, dtype=np.int64)


def hops_by_relation(
    graph: LabelGraph, relations: Mapping[str, csr_array], *, max_sources: int = 1_500, random_state: int = 0
) -> pd.DataFrame:
    """How many steps of the graph lie between two labels, for each relation in the hierarchy.

    Parameters
    ----------
    graph : LabelGraph
        Labels without documents are left out.
    relations : mapping of str to csr_array, shape (L, L)
        Symmetric, 0/1; pairs in none of them are the last row.
    max_sources : int
        Paths are searched from so many labels, drawn at random where there are more: max_sources x L numbers. Pairs
        are then those from a drawn label to any.
    random_state : int

    Returns
    -------
    DataFrame
        Index: relation. "pairs", then the shares of "1 step", "2 steps", "3 steps", "more, or no path".
    """
    seen = np.flatnonzero(graph.counts[: graph.n_labels] > 0)
    rng = np.random.default_rng(random_state)
    sources = seen if len(seen) <= max_sources else np.sort(rng.choice(seen, max_sources, replace=False))
    steps = shortest_path(graph.adjacency, unweighted=True, indices=sources)[:, seen]
    whole = len(sources) == len(seen)
    once = seen[None, :] > sources[:, None] if whole else seen[None, :] != sources[:, None]
    left = once.copy()
    rows = {}
    for name, matrix in relations.items():
        inside = once & matrix[sources][:, seen].toarray().astype(bool)
        left &= ~inside
        rows[name] = _hop_shares(steps[inside])
    rows[_NONE] = _hop_shares(steps[left])
    return pd.DataFrame.from_dict(
        {name: row for name, row in rows.items() if row[0]}, orient="index",
        columns=["pairs", "1 step", "2 steps", "3 steps", "more, or no path"],
    )  # fmt: skip


def _hop_shares(steps: NDArray[np.float64]) -> tuple[int, float, float, float, float]:
    n = max(1, len(steps))
    near = [float((steps == hops).sum()) / n for hops in (1, 2, 3)]
    return (len(steps), near[0], near[1], near[2], float((steps > 3).sum()) / n)


def relatives_by_tie(graph: LabelGraph, related: csr_array) -> pd.DataFrame:
    """Of the pairs that are tied in the graph, the strongest first: how many are related in the hierarchy?

    Parameters
    ----------
    graph : LabelGraph
    related : csr_array, shape (L, L)
        Symmetric, 0/1.

    Returns
    -------
    DataFrame
        Index: the tie: parts of the edges by `tie_strength`, and pairs that share no document. "pairs", "related"
        (share) and "by chance" (the share among all pairs of labels that have documents).
    """
    seen = graph.counts[: graph.n_labels] > 0
    inside = triu(related, k=1, format="coo")
    n_related = int((seen[inside.coords[0]] & seen[inside.coords[1]]).sum())
    n_pairs = int(seen.sum()) * (int(seen.sum()) - 1) // 2
    edges = edge_table(graph).sort_values("strength", ascending=False, kind="stable")
    hit = np.asarray(related[edges["a"].to_numpy(), edges["b"].to_numpy()]).ravel().astype(bool)
    cuts = [0, *(round(part * len(edges)) for part in (0.01, 0.05, 0.2, 1.0))]
    said = ("strongest 1 %", "next 4 %", "next 15 %", "the weaker 80 %")
    rows = {
        name: (high - low, float(hit[low:high].mean()))
        for name, low, high in zip(said, cuts, cuts[1:], strict=False)
        if high > low
    }
    untied = n_pairs - len(edges)
    if untied:
        rows["no shared document"] = (untied, (n_related - int(hit.sum())) / untied)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["pairs", "related"])
    return table.assign(**{"by chance": n_related / max(1, n_pairs)})


def community_agreement(
    graph: LabelGraph, groups: NDArray[np.integer], *, resolutions: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0),
    random_state: int = 0,
) -> pd.DataFrame:  # fmt: skip
    """Do the graph's communities agree with the hierarchy's families?

    Parameters
    ----------
    graph : LabelGraph
    groups : ndarray, shape (L,)
        From `families`. Labels without documents, and families of one, are left out.
    resolutions : tuple of float
        Higher: more and smaller communities.
    random_state : int

    Returns
    -------
    DataFrame
        Index: ("weights", "resolution"). "communities" (of two labels or more), "adjusted Rand" (pairs that both
        partitions treat alike) and "adjusted information" (what one tells of the other): 1 for equal partitions, and
        0 for what shuffled labels reach in the mean.
    """
    kept = (graph.counts[: graph.n_labels] > 0) & (np.bincount(groups)[groups] > 1)
    rows = {}
    for said, weighed in (("shared documents", graph), ("strength", by_strength(graph))):
        for resolution in resolutions:
            found = weighed.communities(resolution=resolution, random_state=random_state)[: graph.n_labels]
            rows[said, resolution] = (
                int((np.bincount(found) > 1).sum()),
                adjusted_rand_score(groups[kept], found[kept]),
                adjusted_mutual_info_score(groups[kept], found[kept]),
            )
    columns = ["communities", "adjusted Rand", "adjusted information"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    table.index = pd.MultiIndex.from_tuples(table.index, names=["weights", "resolution"])
    return table


@dataclass(frozen=True)
class HierarchyComparison:
    """What `graph_hierarchy` finds.

    Attributes
    ----------
    hops, relatives, agreement : DataFrame
        From `hops_by_relation`, `relatives_by_tie` and `community_agreement`.
    n_families : int
        Families of two labels or more.
    """

    hops: pd.DataFrame
    relatives: pd.DataFrame
    agreement: pd.DataFrame
    n_families: int

    @property
    def figure(self) -> go.Figure:
        """How far apart in the graph, and how often related in the hierarchy."""
        return graph_hierarchy_figure(self.hops, self.relatives)


def graph_hierarchy(
    ds: Dataset, *, resolutions: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0), random_state: int = 0
) -> HierarchyComparison:
    """Compare a data set's co-occurrence graph with the hierarchy of its labels.

    Parameters
    ----------
    ds : Dataset
        With ``label_parents``. Seconds for the 571 labels of debtags; the 4,271 of EURLEX57K take ten times as long,
        nearly all of it for the communities.
    resolutions : tuple of float
        Of the communities.
    random_state : int

    Raises
    ------
    ValueError
        If the data set has no hierarchy.
    """
    if ds.label_parents is None or not any(ds.label_parents):
        raise ValueError(f"{ds.name} has no label_parents; wanted a data set with a hierarchy, such as debtags")
    graph = LabelGraph.from_labels(ds.Y_train, names=ds.label_names)
    siblings, lineage = related_pairs(ds.label_parents, ds.label_names)
    groups = families(ds.label_parents, ds.label_names)
    return HierarchyComparison(
        hops=hops_by_relation(graph, {_LINEAGE: lineage, _SIBLINGS: siblings}, random_state=random_state),
        relatives=relatives_by_tie(graph, csr_array(siblings + lineage)),
        agreement=community_agreement(graph, groups, resolutions=resolutions, random_state=random_state),
        n_families=int((np.bincount(groups) > 1).sum()),
    )
