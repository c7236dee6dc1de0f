"""The classifiers of one tree node: for each child a linear one, learned on the instances that reach the node.

The children share their instances, so the block solver reads each row once for sixteen of them; the weights that are
kept lie together too, by feature and then by child, so that prediction reads a feature once for all children.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.label_tree import LabelTree
from xmlwb.solvers.lanes import LANES
from xmlwb.solvers.row_subset import take_rows
from xmlwb.solvers.squared_hinge import solve_block


class NodeWeights(NamedTuple):
    """Weights of a node's children, by feature.

    Attributes
    ----------
    features : ndarray, shape (r,), int32
        Features with a weight, ascending.
    n_entries : ndarray, shape (r,), unsigned
        How many children have a weight of each feature.
    child, value : ndarrays, shape (entries,), unsigned and float32
        The entries: which child (0, 1, ...), which weight.
    bias : ndarray, shape (n_children,), float32
    n_iter : int
        The most passes that a block of children needed.
    """

    features: np.ndarray
    n_entries: np.ndarray
    child: np.ndarray
    value: np.ndarray
    bias: np.ndarray
    n_iter: int


def learn_node(
    X: sparse.csr_array,
    features: np.ndarray,
    sq_norms: np.ndarray,
    positives: list[np.ndarray],
    *,
    C: float,
    threshold: float,
    tol: float,
    max_iter: int,
    seed: int,
) -> NodeWeights:
    """Learn a node's classifiers on the instances that are positive for at least one of its children.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    features : ndarray, shape (d,), int32
        What the columns of X are called in the result.
    sq_norms : ndarray, shape (n,), float32
    positives : list of ndarray of int
        The rows of X that go to each child, ascending.
    C, tol, max_iter, seed
        As in `solve_block`.
    threshold : float
        Weights smaller than this are dropped; the bias is kept.

    Notes
    -----
    Time O(passes x entries of these rows x children); memory 8 bytes an entry and what `solve_block` needs.
    """
    reached = np.unique(np.concatenate(positives)) if len(positives) > 1 else positives[0]
    everywhere = len(reached) == X.shape[0]
    rows, columns = (X, None) if everywhere else take_rows(X, reached)
    norms = sq_norms if everywhere else sq_norms[reached]
    found: list[tuple[np.ndarray, ...]] = []
    bias = np.empty(len(positives), dtype=np.float32)
    n_iter = 0
    small = np.min_scalar_type(len(positives))
    for begin in range(0, len(positives), LANES):
        block = [np.searchsorted(reached, rows_of) for rows_of in positives[begin : begin + LANES]]
        W, b, passes, _ = solve_block(rows, norms, block, C=C, tol=tol, max_iter=max_iter, seed=seed + begin)
        column, lane, weight = _kept(W, len(block), np.float32(max(threshold, float(np.finfo(np.float32).tiny))))
        found.append((column, (lane + begin).astype(small), weight))
        bias[begin : begin + len(block)] = b[: len(block)]
        n_iter = max(n_iter, passes)
    column, child, value = (np.concatenate(part) for part in zip(*found, strict=True))
    feature = features[column if columns is None else columns[column]]
    order = np.argsort(feature, kind="stable")
    feature, n_entries = np.unique(feature, return_counts=True)
    return NodeWeights(feature, n_entries.astype(small), child[order], value[order], bias, n_iter)


@njit(nogil=True, cache=True)
def _kept(W: np.ndarray, n_children: int, threshold: np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row, column and value of the entries that are not smaller than the threshold, row by row."""
    n = 0
    for j in range(len(W)):
        for t in range(n_children):
            n += abs(W[j, t]) >= threshold
    row, lane, value = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32), np.empty(n, dtype=np.float32)
    n = 0
    for j in range(len(W)):
        for t in range(n_children):
            if abs(W[j, t]) >= threshold:
                row[n], lane[n], value[n] = j, t, W[j, t]
                n += 1
    return row, lane, value


def positives_below(tree: LabelTree, node: int, rows_of: sparse.csc_array) -> list[np.ndarray]:
    """For each child of a node the instances with a label below it, ascending; rows_of is Y by columns, (n, L)."""
    positives = []
    for child in tree.children(node):
        label = tree.label[child]
        if label >= 0:
            positives.append(rows_of.indices[rows_of.indptr[label] : rows_of.indptr[label + 1]])
            continue
        labels = tree.labels_under(child)
        begins = rows_of.indptr[labels]
        counts = rows_of.indptr[labels + 1] - begins
        places = np.repeat(begins - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        positives.append(np.unique(rows_of.indices[places]))
    return positives


def popularity_node(counts: np.ndarray) -> NodeWeights:
    """A node without weights, which gives each child its share of the positives as its probability.

    A child without any has a bias of ``-inf``, and the probability 0.

    >>> node = popularity_node(np.array([4, 1]))
    >>> np.exp(-np.maximum(0, 1 - node.bias) ** 2).round(2)
    array([0.8, 0.2], dtype=float32)
    """
    some = counts > 0
    bias = np.full(len(counts), -np.inf)
    bias[some] = 1 - np.sqrt(-np.log(counts[some] / counts.sum()))
    nothing = np.zeros(0, dtype=np.uint8)
    return NodeWeights(
        nothing.astype(np.int32), nothing, nothing, nothing.astype(np.float32), bias.astype(np.float32), 0
    )
