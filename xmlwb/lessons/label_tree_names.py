"""Chapter 05: what the nodes of a label tree are about: words, labels, frequencies, facets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_parts import label_counts, labels_below, nodes_of_labels, summed_upwards
from xmlwb.solvers.label_clustering import label_centroids
from xmlwb.solvers.label_tree import LabelTree


def node_table(tree: LabelTree, ds: Dataset, *, n_words: int = 3) -> pd.DataFrame:
    """One row a node of the tree: its name and what lies under it.

    Parameters
    ----------
    tree : LabelTree
    ds : Dataset
        The data that the tree was grown from: frequencies and centroids come from its training part.
    n_words : int
        Words in an inner node's name.

    Returns
    -------
    DataFrame
        Index: the node. "parent", "depth", "label" (-1 for an inner node), "name" (a label's own; of an inner node the
        words that tell it from its parent), "strongest" (its most frequent labels), "labels" and "positives" (training
        positives) under it, "typical" (positives of the median label under it), "facet" (the most common one of its
        labels: what stands before ``::`` in their names) and "purity" (that facet's share of them); "" and NaN where
        no name has a facet.
    """
    names = list(ds.label_names) if ds.label_names is not None else [f"label {label}" for label in range(ds.n_labels)]
    counts = label_counts(ds.Y_train)
    nodes = nodes_of_labels(tree, ds.n_labels)
    held = np.flatnonzero(nodes >= 0)
    positives = np.zeros(tree.n_nodes, dtype=np.int64)
    positives[nodes[held]] = counts[held]
    words = node_words(tree, label_centroids(ds.X_train, ds.Y_train), ds.feature_names, n_words)
    facet, purity = [""] * tree.n_nodes, np.full(tree.n_nodes, np.nan)
    if any("::" in name for name in names):
        facet, purity = node_facets(tree, [name.partition("::")[0] for name in names])
    return pd.DataFrame(
        {
            "parent": tree.parent,
            "depth": tree.depth,
            "label": tree.label,
            "name": [names[label] if label >= 0 else words[v] for v, label in enumerate(tree.label)],
            "strongest": [", ".join(names[label] for label in of) for of in _strongest(tree, counts, most=4)],
            "labels": summed_upwards(tree, (tree.label >= 0).astype(np.int64)),
            "positives": summed_upwards(tree, positives),
            "typical": [float(np.median(counts[tree.labels_under(v)])) for v in range(tree.n_nodes)],
            "facet": facet,
            "purity": purity,
        }
    ).rename_axis("node")


def node_words(
    tree: LabelTree, centroids: csr_array, feature_names: Sequence[str] | None, n_words: int = 3
) -> list[str]:
    """For each inner node the words by which its centroid exceeds its parent's most; "" for a label's node.

    A word that names a node above it, or is the beginning of another in the name, tells nothing more and is passed
    over, and so are numbers and words of one or two letters. The root is called "all labels".
    """
    C = node_centroids(tree, centroids)
    d = C.shape[1]
    vocabulary = list(feature_names) if feature_names is not None else [f"feature {j}" for j in range(d)]
    telling = np.array([len(word) > 2 and (feature_names is None or word.isalpha()) for word in vocabulary])
    row_of = {int(v): row for row, v in enumerate(np.flatnonzero(tree.label < 0))}
    chosen: dict[int, list[str]] = {0: []}
    for v in list(row_of)[1:]:
        excess = C[[row_of[v]]].toarray()[0] - C[[row_of[int(tree.parent[v])]]].toarray()[0]
        used: list[str] = []
        above = int(tree.parent[v])
        while above > 0:
            used += chosen[above]
            above = int(tree.parent[above])
        chosen[v] = []
        for j in np.argsort(-excess, kind="stable").tolist():
            if excess[j] <= 0 or len(chosen[v]) == n_words:
                break
            word = vocabulary[j]
            if telling[j] and not any(word.startswith(w) or w.startswith(word) for w in (*used, *chosen[v])):
                chosen[v].append(word)
    names = [", ".join(chosen.get(v, [])) for v in range(tree.n_nodes)]
    names[0] = "all labels"
    return [name or (f"node {v}" if tree.label[v] < 0 else "") for v, name in enumerate(names)]


def node_centroids(tree: LabelTree, centroids: csr_array) -> csr_array:
    """Mean direction of the labels under each inner node, in the nodes' order, of length one; shape (n_inner, d)."""
    C = labels_below(tree, centroids.shape[0]) @ centroids
    lengths = np.sqrt(C.multiply(C).sum(axis=1))
    C.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(C.indptr)).astype(np.float32)
    return C


def node_facets(tree: LabelTree, facets: Sequence[str]) -> tuple[list[str], NDArray[np.float64]]:
    """The most common facet of the labels under each node, and its share of them (1 for a label's own node)."""
    names = list(dict.fromkeys(facets))
    best, share = np.zeros(tree.n_nodes, dtype=np.int64), np.ones(tree.n_nodes)
    leaves, inner = np.flatnonzero(tree.label >= 0), np.flatnonzero(tree.label < 0)
    code = {facet: i for i, facet in enumerate(names)}
    best[leaves] = [code[facets[label]] for label in tree.label[leaves]]
    counts = _facet_counts(tree, facets)
    best[inner] = counts.argmax(axis=1)
    share[inner] = counts.max(axis=1).toarray().ravel() / counts.sum(axis=1)
    return [names[i] for i in best], share


def _facet_counts(tree: LabelTree, facets: Sequence[str]) -> csr_array:
    """How many labels of each facet, in the order of their first occurrence, lie under each inner node."""
    code = {facet: i for i, facet in enumerate(dict.fromkeys(facets))}
    L = len(facets)
    of = csr_array((np.ones(L, dtype=np.float32), [code[facet] for facet in facets], np.arange(L + 1)), (L, len(code)))
    return labels_below(tree, L) @ of


def facet_agreement(
    tree: LabelTree, facets: Sequence[str], *, n_shuffles: int = 20, random_state: int = 0
) -> pd.DataFrame:
    """Does the tree put labels of one facet together? By depth, beside trees of the same shape with shuffled labels.

    Parameters
    ----------
    tree : LabelTree
    facets : sequence of str, length L
        A label's group, such as what stands before ``::`` in a tag.
    n_shuffles : int
        Trees with the labels shuffled over the leaves.

    Returns
    -------
    DataFrame
        One row for each depth with inner nodes: "depth", "nodes", "labels" (in a node, the mean), "purity" (the share
        of labels whose node's most common facet is their own) and "by chance" (its mean over the shuffles).
    """
    rng = np.random.default_rng(random_state)
    held = np.flatnonzero(tree.label >= 0)
    real = _purity_by_depth(tree, facets)
    chance = []
    for _ in range(n_shuffles):
        label = tree.label.copy()
        label[held] = rng.permutation(label[held])
        chance.append(_purity_by_depth(LabelTree(tree.children_ptr, label), facets)["purity"])
    return real.assign(**{"by chance": np.mean(chance, axis=0)})


def _purity_by_depth(tree: LabelTree, facets: Sequence[str]) -> pd.DataFrame:
    counts = _facet_counts(tree, facets)
    table = pd.DataFrame(
        {
            "depth": tree.depth[tree.label < 0],
            "nodes": 1,
            "labels": counts.sum(axis=1),
            "purity": counts.max(axis=1).toarray().ravel(),  # for now, how many labels
        }
    )
    table = table.groupby("depth", as_index=False).sum()
    table["purity"] /= table["labels"]
    table["labels"] /= table["nodes"]
    return table


def _strongest(tree: LabelTree, counts: NDArray[np.int64], most: int) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(tree.n_nodes)]
    for v in range(tree.n_nodes - 1, -1, -1):  # children before their parents
        if tree.label[v] >= 0:
            found[v] = [int(tree.label[v])]
        if v:
            above = found[int(tree.parent[v])]
            above += found[v]
            above.sort(key=lambda label: (-counts[label], label))
            del above[most:]
    return found
