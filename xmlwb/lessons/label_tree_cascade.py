"""Chapter 05: beam search down a label tree, and where true labels are lost on the way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.lessons.label_tree_parts import TreeModel, nodes_of_labels
from xmlwb.metrics import precision_at_k, top_k_hits
from xmlwb.models.base import topk_to_csr
from xmlwb.ranking import beam_recall_at_k
from xmlwb.solvers.label_tree import LabelTree
from xmlwb.solvers.topk import topk_dense
from xmlwb.tails import UNSEEN, frequency_bins

BEAMS = (1, 2, 3, 5, 10, 20, 50)
#: Stands for a beam that holds every node.
ALL = "all"


def step_log_probabilities(model: TreeModel, X: csr_array, tree: int = 0) -> NDArray[np.float32]:
    """log P(node | parent, x) of every node for every row, dense, shape (n, n_nodes); 0 at the root.

    For a teaching demo: n x n_nodes x 4 bytes, and every classifier is asked.
    """
    shape = model.label_tree(tree)
    logp = np.zeros((X.shape[0], shape.n_nodes), dtype=np.float32)
    for v in np.flatnonzero(shape.label < 0).tolist():
        W, bias = model.classifiers(v, tree)
        children = shape.children(v)
        margins = (X @ W).toarray() + bias
        logp[:, children.start : children.stop] = -(np.maximum(0, 1 - margins) ** 2)
    return logp


def path_log_probabilities(tree: LabelTree, step: NDArray[np.floating]) -> NDArray[np.float32]:
    """The sum of each node's steps from the root, shape (n, n_nodes)."""
    total = np.array(step, dtype=np.float32)
    for level in tree.levels[1:]:
        total[:, level.start : level.stop] += total[:, tree.parent[level.start : level.stop]]
    return total


def searched(tree: LabelTree, path: NDArray[np.floating], beam: int) -> NDArray[np.bool_]:
    """Which nodes a beam search keeps: the root; of a level's inner nodes below kept ones the ``beam`` best; all
    labels of kept nodes. Equal scores go to the node with the lower number.

    Parameters
    ----------
    tree : LabelTree
    path : ndarray, shape (n, n_nodes)
        From `path_log_probabilities`.
    beam : int

    Returns
    -------
    ndarray of bool, shape (n, n_nodes)
    """
    kept = np.zeros(path.shape, dtype=bool)
    kept[:, 0] = True
    for level in tree.levels[1:]:
        nodes = np.arange(level.start, level.stop)
        kept[:, nodes] = kept[:, tree.parent[nodes]]
        inner = nodes[tree.label[nodes] < 0]
        if len(inner) <= beam:
            continue
        scores = np.where(kept[:, inner], path[:, inner], -np.inf)
        place = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1, kind="stable")
        kept[:, inner] &= place < beam
    return kept


def ranking(tree: LabelTree, path: NDArray[np.floating], kept: NDArray[np.bool_], n_labels: int, k: int) -> csr_array:
    """The k best labels among those reached, equals by the lower label, with their probabilities; shape (n, L)."""
    leaves = np.flatnonzero(tree.label >= 0)
    leaves = leaves[np.argsort(tree.label[leaves])]
    columns, best = topk_dense(np.where(kept[:, leaves], path[:, leaves], -np.inf), min(k, len(leaves)))
    return topk_to_csr(np.where(columns >= 0, tree.label[leaves][columns], -1), np.exp(best), n_labels)


def lost_at(tree: LabelTree, kept: NDArray[np.bool_], Y: csr_array) -> NDArray[np.int64]:
    """For each stored 1 of Y: the depth of the first node on the label's path that was dropped.

    -1 where the search reached the label; -2 where the tree does not hold it. Shape (nnz,).
    """
    node = nodes_of_labels(tree, Y.shape[1])[Y.indices]
    row = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    depth = np.where(node < 0, -2, -1)
    at = np.maximum(node, 0)
    while (at > 0).any():  # upwards: what is met last is nearest to the root
        inside = at > 0
        gone = inside & ~kept[row, at]
        depth[gone] = tree.depth[at[gone]]
        at = np.where(inside, tree.parent[at], 0)
    return depth


def survival_table(
    model: TreeModel,
    X: csr_array,
    Y: csr_array,
    Y_train: csr_array,
    *,
    beams: Sequence[int] = BEAMS,
    k: int = 5,
    tree: int = 0,
) -> pd.DataFrame:
    """Share of the true labels that are still there after each level of one tree, by frequency bin.

    Parameters
    ----------
    model : fitted `Parabel` or `Bonsai`
    X, Y : csr_arrays of n rows
        Held-out documents; n x n_nodes numbers are made, so a thousand of them at most for large trees.
    Y_train : csr_array
        For the frequency bins.
    beams : sequence of int
        The whole level ("all") is added.
    k : int
    tree : int

    Returns
    -------
    DataFrame
        "beam", "bin" ("all labels", "head", "torso", "tail"), "labels" (true labels of the bin), "level" (0 is the
        root) and "alive": the share whose path is in the beam down to that level. One last row each, "level" one more
        than the deepest: the share that this tree ranks among the first k. Labels without training positives are left
        out.
    """
    shape = model.label_tree(tree)
    path = path_log_probabilities(shape, step_log_probabilities(model, X, tree))
    Y = csr_array(Y)
    bins = frequency_bins(Y_train)["bin"].astype(str).to_numpy()[Y.indices]
    groups = {"all labels": bins != UNSEEN, **{name: bins == name for name in ("head", "torso", "tail")}}
    deepest = int(shape.depth[shape.label < 0].max())
    rows: list[dict[str, Any]] = []
    for beam in [*map(str, beams), ALL]:
        kept = searched(shape, path, shape.n_nodes if beam == ALL else int(beam))
        lost = lost_at(shape, kept, Y)
        found = _among_first(Y, ranking(shape, path, kept, Y.shape[1], k), k)
        for name, members in groups.items():
            total = int(members.sum())
            if not total:
                continue
            alive = [np.mean((lost[members] == -1) | (lost[members] > level)) for level in range(deepest + 1)]
            for level, share in enumerate([*alive, np.mean(found[members])]):
                rows.append({"beam": beam, "bin": name, "labels": total, "level": level, "alive": float(share)})
    return pd.DataFrame(rows)


def _among_first(Y: csr_array, S: csr_array, k: int) -> NDArray[np.bool_]:
    """For each stored 1 of Y whether S ranks it among the first k of its row."""
    labels, _ = top_k_hits(Y, S, min(k, Y.shape[1]))
    row = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    return (labels[row] == Y.indices[:, None]).any(axis=1)


def beam_study(
    model: TreeModel, X: csr_array, Y: csr_array, *, beams: Sequence[int] = BEAMS, k: int = 5, repeats: int = 3
) -> pd.DataFrame:
    """The whole model (all its trees) at each beam width: what it finds, and what a document costs.

    Parameters
    ----------
    model : fitted `Parabel` or `Bonsai`
        Its beam is as it was afterwards.
    X, Y : csr_arrays of n rows
    beams : sequence of int
        The whole level ("all") is added.
    k : int
    repeats : int
        Times are the fastest of so many, or of as many as a second holds.

    Returns
    -------
    DataFrame
        "beam", "recall" (of the exhaustive search's first k, the share that this beam returns among its first k),
        "P@1", "P@3", "P@5" (those up to k) and "ms" a document.
    """
    before = model.beam
    every = int(model.label_tree().n_nodes)
    rows: list[dict[str, Any]] = []
    try:
        model.beam = every
        exact = model.predict_topk(X, k=k)
        for beam in [*map(str, beams), ALL]:
            model.beam = every if beam == ALL else int(beam)
            S, seconds = exact, []
            for _ in range(repeats):
                begin = time.perf_counter()
                S = model.predict_topk(X, k=k)
                seconds.append(time.perf_counter() - begin)
                if sum(seconds) > 1:
                    break
            P = precision_at_k(Y, S, k)
            figures = {f"P@{rank}": float(P[rank - 1]) for rank in (1, 3, 5) if rank <= k}
            recall = float(beam_recall_at_k(S, exact, k)[-1])
            rows.append({"beam": beam, "recall": recall, **figures, "ms": 1000 * min(seconds) / X.shape[0]})
    finally:
        model.beam = before
    return pd.DataFrame(rows)
