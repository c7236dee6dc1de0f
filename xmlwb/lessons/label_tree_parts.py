"""What chapter 05's studies ask of a label tree and of the model that it belongs to."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.solvers.label_tree import LabelTree


class TreeModel(Protocol):
    """A fitted `Parabel` or `Bonsai`."""

    beam: int

    def label_tree(self, tree: int = 0) -> LabelTree: ...

    def classifiers(self, node: int, tree: int = 0) -> tuple[csr_array, NDArray[np.float32]]:
        """Weights (d, n_children) and intercepts (n_children,) of an inner node's children."""

    def predict_topk(self, X: Any, k: int = 5) -> csr_array: ...


def label_counts(Y: csr_array) -> NDArray[np.int64]:
    """Positives of each label, shape (L,)."""
    return np.bincount(Y.indices, minlength=Y.shape[1]).astype(np.int64)


def nodes_of_labels(tree: LabelTree, n_labels: int) -> NDArray[np.int64]:
    """Each label's own node, -1 for a label that the tree does not hold; shape (L,)."""
    nodes = np.full(n_labels, -1, dtype=np.int64)
    at = np.flatnonzero(tree.label >= 0)
    nodes[tree.label[at]] = at
    return nodes


def summed_upwards(tree: LabelTree, values: NDArray[Any]) -> NDArray[Any]:
    """For each node the sum of ``values``, (n_nodes,) or (n_nodes, m), over itself and all below."""
    total = values.copy()
    for depth in range(int(tree.depth.max()), 0, -1):  # breadth first: a level's nodes are done before their parents
        level = np.flatnonzero(tree.depth == depth)
        np.add.at(total, tree.parent[level], total[level])
    return total


def labels_below(tree: LabelTree, n_labels: int) -> csr_array:
    """Which labels lie under each inner node, the nodes in their order; 0/1, shape (n_inner, L), float32."""
    under = [tree.labels_under(int(v)) for v in np.flatnonzero(tree.label < 0)]
    indptr = np.concatenate([[0], np.cumsum([len(labels) for labels in under])])
    return csr_array((np.ones(indptr[-1], dtype=np.float32), np.concatenate(under), indptr), (len(under), n_labels))
