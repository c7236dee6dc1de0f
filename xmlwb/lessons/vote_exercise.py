"""An exercise of chapter 06: the vote of the nearest documents."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake


def knn_vote(f: np.ndarray, F: np.ndarray, Y: csr_array, k: int) -> np.ndarray:
    """The share (L,) of the k rows of F nearest to f that have each label."""
    return _share(Y, _by_distance(f, F)[:k])


def _by_distance(f: np.ndarray, F: np.ndarray) -> np.ndarray:
    return np.argsort(np.linalg.norm(F - f, axis=1), kind="stable")


def _share(Y: csr_array, rows: np.ndarray) -> np.ndarray:
    return Y.toarray()[rows].mean(axis=0)


def _first_label(Y: csr_array, rows: np.ndarray) -> np.ndarray:
    votes = Y.toarray()[rows]
    return (votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)).mean(axis=0)


def _weighted(f: np.ndarray, F: np.ndarray, Y: csr_array, k: int) -> np.ndarray:
    rows = _by_distance(f, F)[:k]
    return (F[rows] @ f) @ Y.toarray()[rows] / (F[rows] @ f).sum()


def _on_the_circle(degrees: list[float]) -> np.ndarray:
    angle = np.radians(degrees)
    return np.column_stack([np.cos(angle), np.sin(angle)]).round(4)


# No two neighbours at the same distance, so that inner product and distance give one order.
_F6 = _on_the_circle([50, 170, 10, 65, 300, 38])
_f = _on_the_circle([45])[0]
_LABELS6 = csr_array(np.array([[1.0, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [1, 0, 1, 0], [0, 1, 1, 1], [0, 0, 1, 1]]))
_F8 = _on_the_circle([5, 95, 120, 200, 260, 311, 340, 20])
_g = _on_the_circle([330])[0]
_LABELS8 = csr_array(
    np.array(
        [[1.0, 1, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0], [0, 0, 1], [0, 1, 1], [0, 0, 1], [1, 0, 0]],
    )
)


def _shown_vote(f: np.ndarray, F: np.ndarray, Y: csr_array, k: int) -> str:
    return f"knn_vote(f={f.tolist()}, F, Y, k={k}); F =\n{F}\nY =\n{Y.toarray()}"


KNN_VOTE = Exercise(
    name="dxml.knn_vote",
    reference=knn_vote,
    cases=(
        Case((_f, _F6, _LABELS6, 3), _shown_vote(_f, _F6, _LABELS6, 3)),
        Case((_g, _F8, _LABELS8, 4), _shown_vote(_g, _F8, _LABELS8, 4)),
        Case((_g, _F8, _LABELS8, 1), _shown_vote(_g, _F8, _LABELS8, 1)),
    ),
    mistakes=(
        Mistake(
            lambda f, F, Y, k: _share(Y, np.argsort(F @ f, kind="stable")[:k]),
            "You took the k documents farthest away: np.argsort begins with the smallest, and the nearest has the "
            "largest inner product (or the smallest distance).",
        ),
        Mistake(
            lambda f, F, Y, k: Y.toarray()[_by_distance(f, F)[:k]].sum(axis=0),
            "These are votes. Divide by k: the share of the neighbours is the same scale for any k.",
        ),
        Mistake(
            lambda f, F, Y, k: Y.toarray()[_by_distance(f, F)[:k]].sum(axis=0) / Y.shape[0],
            "You divided by all training documents. Divide by k, the number of those that voted.",
        ),
        Mistake(
            lambda f, F, Y, k: Y.toarray()[_by_distance(f, F)[:k]].sum(axis=0) / np.maximum(Y.sum(axis=0), 1),
            "You divided by how frequent each label is. The paper takes the plain mean of the neighbours' labels.",
        ),
        Mistake(
            lambda f, F, Y, k: _share(Y, _by_distance(f, F)[1 : k + 1]),
            "You left the nearest document out, as one does for a training document, which is its own nearest. f is a "
            "new document: all k neighbours count.",
        ),
        Mistake(
            lambda f, F, Y, k: _share(Y, _by_distance(f, F)[: k + 1]),
            "You asked k + 1 documents.",
        ),
        Mistake(
            _weighted,
            "You weighed the votes by similarity, which is a good idea, and what the library's KNN does. The paper's "
            "vote gives each neighbour the same weight.",
        ),
        Mistake(
            lambda f, F, Y, k: _first_label(Y, _by_distance(f, F)[:k]),
            "You gave each neighbour one vote to share among its labels. Here it votes for each of its labels in full.",
        ),
        Mistake(
            lambda f, F, Y, k: (knn_vote(f, F, Y, k) >= 0.5).astype(int),
            "You rounded. Return the shares: they rank the labels.",
        ),
        Mistake(
            lambda f, F, Y, k: _share(Y, np.arange(k)),
            "You took the first k rows. Sort the documents by how near they are to f.",
        ),
        Mistake(
            lambda f, F, Y, k: _by_distance(f, F)[:k],
            "These are the neighbours. Wanted is a number for each label: the share of them that have it.",
        ),
        Mistake(
            lambda f, F, Y, k: np.argsort(-knn_vote(f, F, Y, k), kind="stable"),
            "These are the labels in order. Wanted is a number for each label: the share of the neighbours that "
            "have it.",
        ),
    ),
    hints=(
        "All rows are one long, so the nearest is the one with the largest inner product: F @ f gives all of them at "
        "once.",
        "np.argsort of minus that puts the nearest first. Keep the first k; they are rows of F, and of Y.",
        "Take those rows of Y: their mean over the rows is the share that has each label. Return a dense array.",
    ),
)
