"""Chapter 05: balanced and unbalanced label trees, and where tail labels sit in them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.solvers.label_tree import LabelTree
from xmlwb.tails import frequency_bins


def label_places(tree: LabelTree, Y_train: csr_array) -> pd.DataFrame:
    """Where each label sits, and among whom.

    Parameters
    ----------
    tree : LabelTree
    Y_train : csr_array, shape (n, L)
        The labels that the tree was grown from.

    Returns
    -------
    DataFrame
        One row for each label of the tree (index "label"): "positives" and "bin" (head, torso, tail), "depth" of its
        leaf, "siblings" (other labels at its parent), "siblings' positives" (their median; NaN without siblings) and
        "share" (its own training positives among those of its parent's labels, itself included).
    """
    frequency = frequency_bins(Y_train)
    at = np.flatnonzero(tree.label >= 0)
    table = pd.DataFrame(
        {
            "label": tree.label[at],
            "positives": frequency["positives"].to_numpy()[tree.label[at]],
            "bin": frequency["bin"].astype(str).to_numpy()[tree.label[at]],
            "depth": tree.depth[at],
            "parent": tree.parent[at],
        }
    )
    groups = {parent: group.to_numpy() for parent, group in table.groupby("parent")["positives"]}
    place = table.groupby("parent").cumcount().to_numpy()
    parents = table["parent"].to_numpy()
    table["siblings"] = [len(groups[parent]) - 1 for parent in parents]
    table["siblings' positives"] = [
        float(np.median(np.delete(groups[parent], own))) if len(groups[parent]) > 1 else np.nan
        for parent, own in zip(parents, place, strict=True)
    ]
    table["share"] = table["positives"] / [max(1, groups[parent].sum()) for parent in parents]
    return table.drop(columns="parent").set_index("label").sort_index()


def forks_and_groups(tree: LabelTree | None, n_labels: int) -> dict[str, int]:
    """How deep and how even a tree is: "forks" above the deepest group of labels, and the "largest group".

    A group is the labels at one node. The last step, from a group to one of its labels, is no fork: it is the
    one-vs-all that every label tree ends in. One-vs-all itself (``tree`` is None) has no fork, and one group of
    all ``n_labels``.
    """
    if tree is None:
        return {"forks": 0, "largest group": n_labels}
    return {"forks": int(tree.depth.max()) - 1, "largest group": int(leaf_sizes(tree)["labels"].max())}


def leaf_sizes(tree: LabelTree) -> pd.DataFrame:
    """Each node that holds labels: "node", "depth" and "labels" (its children that are labels)."""
    at = np.flatnonzero(tree.label >= 0)
    node, labels = np.unique(tree.parent[at], return_counts=True)
    return pd.DataFrame({"node": node, "depth": tree.depth[node], "labels": labels})
