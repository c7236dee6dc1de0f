"""A small label tree with random classifiers, and its answers by loops: what the studies of chapter 05 are held to."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import csr_array

from xmlwb.models.base import topk_to_csr
from xmlwb.solvers.label_tree import LabelTree

N_FEATURES = 6


def uneven_tree() -> LabelTree:
    """Labels 0 to 8 but 4: the root holds two inner nodes and label 8; below one of them the tree goes deeper.

    0 -> 1, 2, 3 (label 8); 1 -> 4, 5 (label 5), 6 (label 1); 2 -> 7, 8; 4 -> 9 (0), 10 (6); 7 -> 11 (2), 12 (7);
    8 -> 13 (3).
    """
    children = [3, 3, 2, 0, 2, 0, 0, 2, 1, 0, 0, 0, 0, 0]
    label = [-1, -1, -1, 8, -1, 5, 1, -1, -1, 0, 6, 2, 7, 3]
    return LabelTree(np.concatenate([[0], np.cumsum(children)]), np.array(label, dtype=np.int32))


class PlantedModel:
    """What the studies ask of a fitted model: one tree, dense weights, prediction by loops."""

    def __init__(self, tree: LabelTree | None = None, n_labels: int = 9, random_state: int = 0) -> None:
        self.tree, self.n_labels, self.beam = tree or uneven_tree(), n_labels, 10
        rng = np.random.default_rng(random_state)
        self.weights = {}
        for v in range(self.tree.n_nodes):
            m = len(self.tree.children(v))
            if m:
                W = rng.normal(size=(N_FEATURES, m)) * (rng.random((N_FEATURES, m)) < 0.7)
                self.weights[v] = (W.astype(np.float32), rng.normal(size=m).astype(np.float32) / 2)

    def label_tree(self, tree: int = 0) -> LabelTree:
        return self.tree

    def classifiers(self, node: int, tree: int = 0) -> tuple[csr_array, np.ndarray]:
        W, bias = self.weights[node]
        return csr_array(W), bias

    def step(self, x: np.ndarray, child: int) -> float:
        """log P(child | parent, x), from its definition."""
        parent = int(self.tree.parent[child])
        W, bias = self.weights[parent]
        place = child - self.tree.children(parent).start
        return -(max(0.0, 1.0 - float(x @ W[:, place] + bias[place])) ** 2)

    def walk(self, x: np.ndarray, beam: int) -> tuple[set[int], dict[int, float]]:
        """Beam search node by node: all nodes that were kept, and the probabilities of the labels that were reached."""
        frontier, kept, reached = [(0.0, 0)], {0}, {}
        while frontier:
            below = []
            for total, v in frontier:
                for child in self.tree.children(v):
                    log_p = total + self.step(x, child)
                    if self.tree.label[child] >= 0:
                        kept.add(child)
                        reached[int(self.tree.label[child])] = math.exp(log_p)
                    else:
                        below.append((log_p, child))
            frontier = sorted(below, key=lambda pair: (-pair[0], pair[1]))[:beam]
            kept |= {child for _, child in frontier}
        return kept, reached

    def predict_topk(self, X: csr_array, k: int = 5) -> csr_array:
        labels = np.full((X.shape[0], k), -1)
        scores = np.zeros((X.shape[0], k))
        for i, x in enumerate(X.toarray()):
            _, reached = self.walk(x, self.beam)
            for place, (label, p) in enumerate(sorted(reached.items(), key=lambda pair: (-pair[1], pair[0]))[:k]):
                labels[i, place], scores[i, place] = label, p
        return topk_to_csr(labels, scores, self.n_labels)


def documents(n: int = 40, random_state: int = 1) -> tuple[csr_array, csr_array]:
    """Features (n, 6) and random labels (n, 9); label 4 occurs too, which the tree does not hold."""
    rng = np.random.default_rng(random_state)
    X = csr_array((rng.random((n, N_FEATURES)) * (rng.random((n, N_FEATURES)) < 0.6)).astype(np.float32))
    return X, csr_array((rng.random((n, 9)) < 0.3).astype(np.float32))
