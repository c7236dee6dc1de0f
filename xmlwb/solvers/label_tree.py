"""The shape of a label tree: which label hangs where, without any weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class LabelTree:
    """A rooted tree whose leaves are labels.

    Nodes are numbered breadth first from the root, 0, so the children of a node have consecutive numbers, and child
    number e of the whole tree, counted from 0, is node e + 1.

    Attributes
    ----------
    children_ptr : ndarray, shape (n_nodes + 1,), int64
        The children of node v are the nodes ``children_ptr[v] + 1, ..., children_ptr[v + 1]``.
    label : ndarray, shape (n_nodes,), int32
        The label of a leaf, -1 for an inner node.

    Examples
    --------
    A root with two inner nodes, of two labels and of one:

    >>> tree = LabelTree(np.array([0, 2, 4, 5, 5, 5, 5]), np.array([-1, -1, -1, 7, 3, 5]))
    >>> tree.children(0), tree.children(1), tree.labels_under(1).tolist(), tree.path(3)
    (range(1, 3), range(3, 5), [7, 3], [0, 1, 4])
    """

    children_ptr: np.ndarray
    label: np.ndarray

    @property
    def n_nodes(self) -> int:
        """Inner nodes and leaves."""
        return len(self.label)

    def children(self, node: int) -> range:
        """The children of a node; empty for a leaf."""
        return range(int(self.children_ptr[node]) + 1, int(self.children_ptr[node + 1]) + 1)

    @cached_property
    def parent(self) -> np.ndarray:
        """Parent of each node, shape (n_nodes,), int64; -1 at the root."""
        return np.concatenate([[-1], np.repeat(np.arange(self.n_nodes), np.diff(self.children_ptr))])

    @cached_property
    def depth(self) -> np.ndarray:
        """Edges between the root and each node, shape (n_nodes,), int64."""
        depth = np.zeros(self.n_nodes, dtype=np.int64)
        begin, end = 0, 1
        while begin < end:  # a level: its children are the next
            level = self.children_ptr[begin] + 1, self.children_ptr[end] + 1
            depth[level[0] : level[1]] = depth[begin] + 1
            begin, end = level
        return depth

    @cached_property
    def levels(self) -> list[range]:
        """The nodes of each level, the root's first."""
        edges = np.searchsorted(self.depth, np.arange(self.depth[-1] + 2))
        return [range(int(a), int(b)) for a, b in zip(edges[:-1], edges[1:], strict=True)]

    def labels_under(self, node: int) -> np.ndarray:
        """The labels of a subtree, shape (m,), int32, from left to right within each depth."""
        found = []
        begin, end = node, node + 1
        while begin < end:
            labels = self.label[begin:end]
            found.append(labels[labels >= 0])
            begin, end = int(self.children_ptr[begin]) + 1, int(self.children_ptr[end]) + 1
        return np.concatenate(found)

    def path(self, label: int) -> list[int]:
        """The nodes from the root to a label's leaf; ValueError if the tree does not hold the label."""
        leaves = np.flatnonzero(self.label == label)
        if len(leaves) == 0 or label < 0:
            raise ValueError(f"label is {label}; wanted one of the {np.count_nonzero(self.label >= 0)} in the tree")
        path = [int(leaves[0])]
        while path[-1] != 0:
            path.append(int(self.parent[path[-1]]))
        return path[::-1]


def grow(labels: np.ndarray, splits: Callable[[list[np.ndarray], int], list[list[np.ndarray]]]) -> LabelTree:
    """A tree from repeated division, a level at a time.

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
        At least one.
    splits : callable
        ``splits(groups, level)`` divides the groups of labels at one level (level 0: one group with all labels). For
        each group it returns the groups of its children, or a single group where the labels become leaves.

    Returns
    -------
    LabelTree
    """
    levels: list[tuple[np.ndarray, np.ndarray]] = []  # of each level: number of children, label
    groups: list[np.ndarray] = [labels]
    is_leaf = np.zeros(1, dtype=bool)
    while len(groups):
        inner = [group for group, leaf in zip(groups, is_leaf, strict=True) if not leaf]
        parts = iter(splits(inner, len(levels)) if inner else [])
        n_children = np.zeros(len(groups), dtype=np.int64)
        below: list[np.ndarray] = []
        leaves: list[bool] = []
        for place, (group, leaf) in enumerate(zip(groups, is_leaf, strict=True)):
            if leaf:
                continue
            children = next(parts)
            if len(children) == 1:
                children = list(group.reshape(-1, 1))
                leaves += [True] * len(children)
            else:
                leaves += [len(child) == 1 for child in children]
            n_children[place] = len(children)
            below += children
        levels.append((n_children, np.array([g[0] if leaf else -1 for g, leaf in zip(groups, is_leaf, strict=True)])))
        groups, is_leaf = below, np.array(leaves, dtype=bool)
    n_children, label = (np.concatenate(part) for part in zip(*levels, strict=True))
    return LabelTree(np.concatenate([[0], np.cumsum(n_children)]), label.astype(np.int32))
