"""Label trees with their classifiers, as flat arrays: what a model keeps, saves and hands to the compiled kernels."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy import sparse

from xmlwb.solvers.label_tree import LabelTree
from xmlwb.solvers.node_classifiers import NodeWeights, popularity_node

#: What each array of a forest may be, where it is not int64.
_DTYPES = {
    "child": ("int32",),
    "bias": ("float32",),
    "features": ("uint16", "int32"),
    "n_entries": ("uint8", "uint16", "uint32"),
    "entry_child": ("uint8", "uint16", "uint32"),
    "entry_weight": ("float32",),
}

#: A tree and the weights of its inner nodes, breadth first.
LearnedTree = tuple[LabelTree, list[NodeWeights]]


class Forest(NamedTuple):
    """Label trees with their weights, as the compiled kernels read them; inner nodes are numbered over all trees.

    Attributes
    ----------
    tree_ptr : ndarray, shape (T + 1,), int64
        The inner nodes of each tree, breadth first, its root first.
    children_ptr : ndarray, shape (I + 1,), int64
        The children of each inner node.
    child : ndarray, shape (E,), int32
        What a child is: an inner node, or ``-1 - label``.
    bias : ndarray, shape (E,), float32
    rows_ptr, entries_ptr : ndarrays, shape (I + 1,), int64
        Which of the following belong to an inner node.
    features : ndarray, shape (R,), uint16, or int32 for more than 65,536 features
        The features that have a weight there, ascending within a node.
    n_entries : ndarray, shape (R,), unsigned
        How many of the node's children have one.
    entry_child : ndarray, shape (M,), unsigned
        Which child, counted from the node's first.
    entry_weight : ndarray, shape (M,), float32
    """

    tree_ptr: np.ndarray
    children_ptr: np.ndarray
    child: np.ndarray
    bias: np.ndarray
    rows_ptr: np.ndarray
    entries_ptr: np.ndarray
    features: np.ndarray
    n_entries: np.ndarray
    entry_child: np.ndarray
    entry_weight: np.ndarray

    @property
    def n_trees(self) -> int:
        """T."""
        return len(self.tree_ptr) - 1

    def check(self, n_features: int, n_labels: int) -> None:
        """Raise ValueError unless the arrays fit together: compiled kernels trust them.

        Notes
        -----
        Time O(size of the forest); the weights themselves are not read.
        """
        n_inner, n_children, n_rows = len(self.children_ptr) - 1, len(self.child), len(self.features)
        n_weights = len(self.entry_weight)
        for name, part in self._asdict().items():
            wanted = _DTYPES.get(name, ("int64",))
            if part.dtype.name not in wanted or part.ndim != 1:
                raise ValueError(f"{name} is {part.dtype} of {part.ndim} dimensions; wanted {wanted[0]} of 1")
        for name, ptr, end in (
            ("tree_ptr", self.tree_ptr, n_inner),
            ("children_ptr", self.children_ptr, n_children),
            ("rows_ptr", self.rows_ptr, n_rows),
            ("entries_ptr", self.entries_ptr, n_weights),
        ):
            if len(ptr) == 0 or ptr[0] != 0 or ptr[-1] != end or (ptr[1:] < ptr[:-1]).any():
                raise ValueError(f"{name} does not rise from 0 to {end}")
        shapes = {"bias": n_children, "n_entries": n_rows, "entry_child": n_weights}
        shapes |= {"rows_ptr": n_inner + 1, "entries_ptr": n_inner + 1}
        for name, length in shapes.items():
            if getattr(self, name).shape != (length,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; wanted ({length},)")
        inner_child = self.child[self.child >= 0]
        is_root = np.zeros(n_inner, dtype=bool)
        is_root[self.tree_ptr[:-1]] = True
        if not np.array_equal(inner_child, np.flatnonzero(~is_root)):
            raise ValueError("child does not number the inner nodes breadth first")
        owner = np.repeat(np.arange(n_inner), np.diff(self.children_ptr))
        if (owner[self.child >= 0] >= inner_child).any():
            raise ValueError("child has a node that stands before its parent")
        for name, values, limit in (
            ("child", -1 - self.child[self.child < 0], n_labels),
            ("features", self.features, n_features),
        ):
            if len(values) and (values.min() < 0 or values.max() >= limit):
                raise ValueError(f"{name} has an entry out of range")
        for begin, end in pairwise(self.tree_ptr):
            labels = self.child[self.children_ptr[begin] : self.children_ptr[end]]
            labels = labels[labels < 0]
            if len(np.unique(labels)) < len(labels):
                raise ValueError("child has a label twice in one tree")
        rises = self.features[1:] > self.features[:-1]
        edges = self.rows_ptr[1:-1]
        rises[edges[(edges > 0) & (edges < n_rows)] - 1] = True
        if not rises.all():
            raise ValueError("features do not rise within a node")
        # Of each node at once, without a copy: this is most of the file.
        filled = np.flatnonzero(np.diff(self.entries_ptr))
        most = np.maximum.reduceat(self.entry_child, self.entries_ptr[filled]) if len(filled) else filled
        if (most >= np.diff(self.children_ptr)[filled]).any():
            raise ValueError("entry_child has an entry out of range")
        filled = np.flatnonzero(np.diff(self.rows_ptr))
        counted = np.zeros(n_inner, dtype=np.int64)
        if len(filled):
            counted[filled] = np.add.reduceat(self.n_entries, self.rows_ptr[filled], dtype=np.int64)
        if not np.array_equal(counted, np.diff(self.entries_ptr)):
            raise ValueError("n_entries does not add up to entries_ptr")

    def tree(self, tree: int) -> LabelTree:
        """The shape of one tree."""
        begin, end = self.tree_ptr[tree], self.tree_ptr[tree + 1]
        first, last = self.children_ptr[begin], self.children_ptr[end]
        child = self.child[first:last]
        label = np.concatenate([[-1], np.where(child < 0, -1 - child, -1)]).astype(np.int32)
        n_children = np.zeros(len(label), dtype=np.int64)
        n_children[label < 0] = np.diff(self.children_ptr[begin : end + 1])
        return LabelTree(np.concatenate([[0], np.cumsum(n_children)]), label)

    def classifiers(self, inner: int, n_features: int) -> tuple[sparse.csr_array, np.ndarray]:
        """Weights (d, children) and biases (children,) of one inner node, numbered over all trees."""
        rows = slice(self.rows_ptr[inner], self.rows_ptr[inner + 1])
        entries = slice(self.entries_ptr[inner], self.entries_ptr[inner + 1])
        children = slice(self.children_ptr[inner], self.children_ptr[inner + 1])
        feature = np.repeat(self.features[rows].astype(np.int32), self.n_entries[rows])
        shape = (n_features, children.stop - children.start)
        parts = (self.entry_weight[entries], (feature, self.entry_child[entries].astype(np.int32)))
        return sparse.csr_array(parts, shape=shape), self.bias[children]


def plant(trees: list[LearnedTree], n_features: int) -> Forest:
    """The forest of some trees."""
    n_inner = [len(nodes) for _, nodes in trees]
    tree_ptr = np.concatenate([[0], np.cumsum(n_inner, dtype=np.int64)]).astype(np.int64)
    nodes = [node for _, nodes in trees for node in nodes]
    child = []
    for (tree, _), offset in zip(trees, tree_ptr, strict=False):
        number = offset + np.cumsum(tree.label < 0) - 1  # of each inner node
        child.append(np.where(tree.label < 0, number, -1 - tree.label)[1:])
    widest = max((len(node.bias) for node in nodes), default=1)
    small = np.min_scalar_type(widest)  # a byte for up to 255 children

    def ptr(lengths: list[int]) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)

    def join(parts: list[np.ndarray], dtype: np.dtype | type) -> np.ndarray:
        return np.concatenate([np.zeros(0, dtype=dtype), *(part.astype(dtype, copy=False) for part in parts)])

    return Forest(
        tree_ptr=tree_ptr,
        children_ptr=ptr([len(node.bias) for node in nodes]),
        child=join(child, np.int32),
        bias=join([node.bias for node in nodes], np.float32),
        rows_ptr=ptr([len(node.features) for node in nodes]),
        entries_ptr=ptr([len(node.value) for node in nodes]),
        features=join([node.features for node in nodes], np.uint16 if n_features <= 1 << 16 else np.int32),
        n_entries=join([node.n_entries for node in nodes], small),
        entry_child=join([node.child for node in nodes], small),
        entry_weight=join([node.value for node in nodes], np.float32),
    )


def cut(tree: LabelTree, nodes: list[NodeWeights], label_counts: np.ndarray) -> LearnedTree:
    """A tree of which only the first levels were learned: the labels below are ranked by their share of the positives.

    Parameters
    ----------
    tree : LabelTree
    nodes : list of NodeWeights
        Those of whole levels, the root's first.
    label_counts : ndarray, shape (L,)
        Training positives.
    """
    inner = np.flatnonzero(tree.label < 0)
    if len(nodes) == len(inner):
        return tree, nodes
    level = tree.levels[tree.depth[inner[len(nodes)]]]
    groups = [tree.labels_under(node) if tree.label[node] < 0 else np.zeros(0, dtype=np.int32) for node in level]
    below = np.concatenate(groups)
    above = np.diff(tree.children_ptr[: level.start + 1])
    n_children = np.concatenate([above, [len(group) for group in groups], np.zeros(len(below), dtype=np.int64)])
    shape = LabelTree(np.concatenate([[0], np.cumsum(n_children)]), np.concatenate([tree.label[: level.stop], below]))
    return shape, nodes + [popularity_node(label_counts[group]) for group in groups if len(group)]
