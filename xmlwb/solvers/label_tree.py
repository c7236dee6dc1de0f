"""The shape of a label tree: which label hangs where, without any weights."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs


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
        return [range(begin, end) for begin, end in pairwise(edges.tolist())]

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


#: ``divide(labels, level, seed)``: the groups of labels below a node of this level (the root's is 0); a single group
#: makes the labels themselves the children.
Divide = Callable[[np.ndarray, int, int], list[np.ndarray]]


def grow(labels: np.ndarray, divide: Divide, seeds: list[int], *, n_jobs: int | None = None) -> list[LabelTree]:
    """Trees from repeated division, one for each seed.

    Parameters
    ----------
    labels : ndarray of int, shape (m,)
        At least one.
    divide : callable
        ``divide(labels, level, seed)``, see `Divide`; called from several threads.
    seeds : list of int
    n_jobs : int or None
        Nodes divided side by side, in threads; the trees do not depend on it.

    Examples
    --------
    >>> [tree] = grow(np.arange(5), lambda labels, level, seed: np.array_split(labels, 2 if level < 1 else 1), [0])
    >>> [tree.labels_under(child).tolist() for child in tree.children(0)]
    [[0, 1, 2], [3, 4]]
    """
    with ThreadPoolExecutor(effective_n_jobs(n_jobs)) as workers, ThreadPoolExecutor(len(seeds)) as growers:

        def grow_one(seed: int) -> LabelTree:
            rng = np.random.default_rng(seed)

            def divide_all(groups: list[np.ndarray], level: int) -> list[list[np.ndarray]]:
                node_seeds = rng.integers(2**31, size=len(groups)).tolist()
                return list(workers.map(divide, groups, [level] * len(groups), node_seeds))

            return _grow_by_level(labels, divide_all)

        return list(growers.map(grow_one, seeds))


def _grow_by_level(
    labels: np.ndarray, divide_all: Callable[[list[np.ndarray], int], list[list[np.ndarray]]]
) -> LabelTree:
    levels: list[tuple[np.ndarray, np.ndarray]] = []  # of each level: numbers of children, labels
    groups, is_leaf = [labels], [False]
    while groups:
        divided = iter(
            divide_all([group for group, leaf in zip(groups, is_leaf, strict=True) if not leaf], len(levels))
        )
        n_children = np.zeros(len(groups), dtype=np.int64)
        label = np.full(len(groups), -1, dtype=np.int32)
        below: list[np.ndarray] = []
        below_is_leaf: list[bool] = []
        for place, (group, leaf) in enumerate(zip(groups, is_leaf, strict=True)):
            if leaf:
                label[place] = group[0]
                continue
            children = next(divided)
            if len(children) == 1:
                children = list(group.reshape(-1, 1))
            n_children[place] = len(children)
            below += children
            below_is_leaf += [len(child) == 1 for child in children]
        levels.append((n_children, label))
        groups, is_leaf = below, below_is_leaf
    n_children, label = (np.concatenate(part) for part in zip(*levels, strict=True))
    return LabelTree(np.concatenate([[0], np.cumsum(n_children)]), label)
