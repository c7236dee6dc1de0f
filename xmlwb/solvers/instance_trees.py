"""Binary trees over instances, and forests of them: their shape, separators and leaves, and who goes where."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse

#: Instances that walk down the trees together, at most.
BATCH = 4096


@dataclass(frozen=True, eq=False)
class InstanceTree:
    """A binary tree whose inner nodes part the instances and whose leaves hold labels.

    Nodes are numbered breadth first from the root, 0.

    Attributes
    ----------
    children : ndarray, shape (n_nodes, 2), int32
        Where an instance goes from a node: to the first child if ``separators[[v]] @ x + bias[v] < 0`` (delta = -1),
        else to the second (delta = +1); -1, -1 at a leaf.
    separators : csr_array, shape (n_nodes, d), float32
        The weights of each inner node; a leaf's row is empty.
    bias : ndarray, shape (n_nodes,), float32
    leaves : csr_array, shape (n_nodes, L), float32
        What each leaf says about the labels: for FastXML the share of its training instances that carry a label. An
        inner node's row is empty.
    """

    children: np.ndarray
    separators: sparse.csr_array
    bias: np.ndarray
    leaves: sparse.csr_array

    @property
    def n_nodes(self) -> int:
        """Inner nodes and leaves."""
        return len(self.children)

    @property
    def is_leaf(self) -> np.ndarray:
        """Shape (n_nodes,), bool."""
        return self.children[:, 0] < 0

    @cached_property
    def parent(self) -> np.ndarray:
        """Parent of each node, shape (n_nodes,), int64; -1 at the root."""
        parent = np.full(self.n_nodes, -1)
        inner = np.flatnonzero(~self.is_leaf)
        parent[self.children[inner]] = inner[:, None]
        return parent

    @cached_property
    def depth(self) -> np.ndarray:
        """Edges between the root and each node, shape (n_nodes,), int64."""
        depth = np.zeros(self.n_nodes, dtype=np.int64)
        for v in range(1, self.n_nodes):  # parents come first
            depth[v] = depth[self.parent[v]] + 1
        return depth

    def path(self, node: int) -> list[int]:
        """The nodes from the root to a node."""
        path = [int(node)]
        while path[-1] != 0:
            path.append(int(self.parent[path[-1]]))
        return path[::-1]

    def apply(self, X: sparse.csr_array) -> np.ndarray:
        """The leaf that each row of X, shape (n, d), reaches: shape (n,), int32."""
        return join_trees([self]).apply(X)[:, 0]

    def rows_at(self, X: sparse.csr_array) -> list[np.ndarray]:
        """For each node the rows of X that reach it, ascending: of the training data, what it was learned from."""
        leaf = self.apply(X)
        order = np.argsort(leaf, kind="stable")
        edges = np.searchsorted(leaf[order], np.arange(self.n_nodes + 1))
        found = [order[begin:end] for begin, end in pairwise(edges)]
        for v in range(self.n_nodes - 1, -1, -1):
            if self.children[v, 0] >= 0:
                found[v] = np.sort(np.concatenate([found[child] for child in self.children[v]]))
        return found


class InstanceForest(NamedTuple):
    """Several instance trees as flat arrays, as the compiled kernels read them.

    Attributes
    ----------
    tree_ptr : ndarray, shape (T + 1,), int64
        The nodes of tree t are ``tree_ptr[t]`` to ``tree_ptr[t + 1] - 1``, its root first.
    first_child : ndarray, shape (n_nodes,), int32
        The child at delta = -1 of each inner node, numbered within its tree; the one at +1 is the next. 0 at a leaf.
    bias : ndarray, shape (n_nodes,), float32
    separators : csr_array, shape (n_nodes, d), float32
    leaves : csr_array, shape (n_nodes, L), float32
    """

    tree_ptr: np.ndarray
    first_child: np.ndarray
    bias: np.ndarray
    separators: sparse.csr_array
    leaves: sparse.csr_array

    @property
    def n_trees(self) -> int:
        """T."""
        return len(self.tree_ptr) - 1

    def tree(self, tree: int) -> InstanceTree:
        """One of the trees."""
        begin, end = int(self.tree_ptr[tree]), int(self.tree_ptr[tree + 1])
        first = self.first_child[begin:end]
        children = np.where(first[:, None] > 0, first[:, None] + np.array([0, 1]), -1).astype(np.int32)
        return InstanceTree(children, self.separators[begin:end], self.bias[begin:end], self.leaves[begin:end])

    def check(self, n_features: int, n_labels: int) -> None:
        """Raise ValueError unless the arrays fit together: the compiled kernels trust them."""
        n_nodes = len(self.first_child)
        ptr = self.tree_ptr
        for name, part, dtype in (
            ("tree_ptr", ptr, "int64"),
            ("first_child", self.first_child, "int32"),
            ("bias", self.bias, "float32"),
            ("separators", self.separators.data, "float32"),
            ("leaves", self.leaves.data, "float32"),
        ):
            if part.dtype.name != dtype or part.ndim != 1:
                raise ValueError(f"{name} is {part.dtype} of {part.ndim} dimensions; wanted {dtype} of 1")
        if len(ptr) < 2 or ptr[0] != 0 or ptr[-1] != n_nodes or (ptr[1:] <= ptr[:-1]).any():
            raise ValueError(f"tree_ptr does not rise from 0 to {n_nodes}")
        for name, part, shape in (
            ("bias", self.bias, (n_nodes,)),
            ("separators", self.separators, (n_nodes, n_features)),
            ("leaves", self.leaves, (n_nodes, n_labels)),
        ):
            if part.shape != shape:
                raise ValueError(f"{name} has shape {part.shape}; wanted {shape}")
        for begin, end in pairwise(ptr):
            inner = self.first_child[begin:end]
            if not np.array_equal(inner[inner != 0], np.arange(1, end - begin, 2)):
                raise ValueError("first_child does not number the nodes breadth first")
            if (inner[inner != 0] <= np.flatnonzero(inner)).any():
                raise ValueError("first_child has a node that stands before its parent")
        for name, A in (("separators", self.separators), ("leaves", self.leaves)):
            if A.nnz and (A.indices.min() < 0 or A.indices.max() >= A.shape[1]):
                raise ValueError(f"{name} has an index out of range")

    def apply(self, X: sparse.csr_array, *, n_jobs: int | None = None) -> np.ndarray:
        """The leaf that each row of X reaches in each tree, numbered within it: shape (n, T), int32.

        Parameters
        ----------
        X : csr_array, shape (n, d), float32, sorted indices
        n_jobs : int or None
            Threads; the result does not depend on it.

        Raises
        ------
        ValueError
            X has another width than the separators.

        Notes
        -----
        Rows walk down together: a node's weights are spread out once for all of a batch that reach it. Time
        O(T x depth x nnz(X) + weights of the nodes that are reached); memory 4 d bytes a thread.
        """
        n, d = X.shape
        if d != self.separators.shape[1]:  # the kernel does not look
            raise ValueError(f"X has {d} features; wanted {self.separators.shape[1]}")
        found = np.empty((n, self.n_trees), dtype=np.int32)
        n_threads = effective_n_jobs(n_jobs)
        n_parts = max(1, -(-n // BATCH), min(n_threads, n // 64))
        edges = np.linspace(0, n, n_parts + 1).astype(np.int64)
        indptr, indices = X.indptr.astype(np.int64), X.indices.astype(np.int32, copy=False)
        data = X.data.astype(np.float32, copy=False)
        W = self.separators

        def descend(begin: int, end: int) -> None:
            _descend(
                indptr, indices, data, d, self.tree_ptr, self.first_child, self.bias,
                W.indptr, W.indices, W.data, begin, end, found,
            )  # fmt: skip

        with ThreadPoolExecutor(n_threads) as pool:  # not joblib: it looks for results every 10 ms
            for part in [pool.submit(descend, begin, end) for begin, end in pairwise(edges)]:
                part.result()
        return found


def sides(X: sparse.csr_array, w: np.ndarray, bias: float) -> np.ndarray:
    """On which side of a separator each row of X is, +1 or -1: shape (n,), int8; by the kernel that grows the trees."""
    children = np.array([[1, 2], [-1, -1], [-1, -1]], dtype=np.int32)
    separators = sparse.csr_array(np.vstack([w, np.zeros((2, len(w)))]).astype(np.float32))
    tree = InstanceTree(children, separators, np.array([bias, 0, 0], dtype=np.float32), sparse.csr_array((3, 1)))
    return np.where(tree.apply(X) == 2, 1, -1).astype(np.int8)


def join_trees(trees: Sequence[InstanceTree]) -> InstanceForest:
    """The forest of some trees, at least one."""
    tree_ptr = np.concatenate([[0], np.cumsum([tree.n_nodes for tree in trees])]).astype(np.int64)
    first_child = np.concatenate([np.maximum(tree.children[:, 0], 0) for tree in trees]).astype(np.int32)
    bias = np.concatenate([tree.bias for tree in trees])
    separators = _stacked([tree.separators for tree in trees])
    leaves = _stacked([tree.leaves for tree in trees])
    return InstanceForest(tree_ptr, first_child, bias, separators, leaves)


def _stacked(parts: Sequence[sparse.csr_array]) -> sparse.csr_array:
    """One below the other; scipy's own needs three times the memory."""
    indices, data = (np.concatenate([getattr(A, name) for A in parts]) for name in ("indices", "data"))
    lengths = np.concatenate([np.diff(A.indptr) for A in parts])
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return sparse.csr_array((data, indices, indptr), shape=(len(lengths), parts[0].shape[1]))


@njit(nogil=True, cache=True, inline="always")
def goes_right(
    indices: np.ndarray, data: np.ndarray, begin: int, end: int, weights: np.ndarray, bias: np.float32
) -> bool:
    """Whether an instance goes to the side of +1; growing and descending ask here, so that they never disagree."""
    total = np.float64(bias)
    for p in range(begin, end):
        total += data[p] * weights[np.uint64(indices[p])]
    return bool(total >= 0.0)


@njit(nogil=True, cache=True)
def _descend(
    X_indptr: np.ndarray,
    X_indices: np.ndarray,
    X_data: np.ndarray,
    d: int,
    tree_ptr: np.ndarray,
    first_child: np.ndarray,
    bias: np.ndarray,
    W_indptr: np.ndarray,
    W_indices: np.ndarray,
    W_data: np.ndarray,
    begin: int,
    end: int,
    found: np.ndarray,
) -> None:
    n = end - begin
    weights = np.zeros(d, dtype=np.float32)  # of the node at hand; all zero in between
    rows = np.arange(begin, end)
    aside = np.empty(n, dtype=np.int64)
    for t in range(len(tree_ptr) - 1):
        root = tree_ptr[t]
        stack = [(np.int64(0), np.int64(0), np.int64(n))]  # a node, and the part of `rows` that is there
        while len(stack) > 0:
            v, first, last = stack.pop()
            child = first_child[root + v]
            if child == 0:
                for s in range(first, last):
                    found[rows[s], t] = v
                continue
            for q in range(W_indptr[root + v], W_indptr[root + v + 1]):
                weights[np.uint64(W_indices[q])] = W_data[q]
            n_minus, n_plus = first, 0
            for s in range(first, last):
                i = rows[s]
                if goes_right(X_indices, X_data, X_indptr[i], X_indptr[i + 1], weights, bias[root + v]):
                    aside[n_plus] = i
                    n_plus += 1
                else:
                    rows[n_minus] = i
                    n_minus += 1
            rows[n_minus:last] = aside[:n_plus]
            for q in range(W_indptr[root + v], W_indptr[root + v + 1]):
                weights[np.uint64(W_indices[q])] = 0.0
            if n_minus > first:
                stack.append((np.int64(child), first, n_minus))
            if n_plus > 0:
                stack.append((np.int64(child) + 1, n_minus, last))
