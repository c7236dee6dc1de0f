"""Exercises of chapter 06: one random walk on the label graph, the place of a label set."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake

# -------------------------------------------------------------------------------------------------- one random walk


def one_walk(A: csr_array, start: int, coins: np.ndarray) -> list[int]:
    """The nodes of a walk: one step a coin, along an edge in proportion to its weight."""
    return _walk(A, start, coins, _by_weight)


Step = Callable[[np.ndarray, np.ndarray, float], int]


def _by_weight(nodes: np.ndarray, weights: np.ndarray, coin: float) -> int:
    ends = np.cumsum(weights)
    return int(nodes[np.searchsorted(ends, coin * ends[-1], side="right")])


def _walk(A: csr_array, start: int, coins: np.ndarray, step: Step, *, leave: int = -1) -> list[int]:
    """A walk whose next node `step` chooses among the neighbours of its node at place `leave`, by default the last."""
    walk = [start]
    for coin in coins:
        node = walk[leave]
        edges = slice(A.indptr[node], A.indptr[node + 1])
        if edges.start == edges.stop:
            break
        walk.append(step(A.indices[edges], A.data[edges], float(coin)))
    return walk


def _first_over_the_coin(nodes: np.ndarray, weights: np.ndarray, coin: float) -> int:
    return int(nodes[np.argmax(np.cumsum(weights) > coin)])


def _place_in_the_row(nodes: np.ndarray, weights: np.ndarray, coin: float) -> int:
    return int(np.flatnonzero(nodes == _by_weight(nodes, weights, coin))[0])


def _heaviest_first(nodes: np.ndarray, weights: np.ndarray, coin: float) -> int:
    order = np.argsort(-weights, kind="stable")
    return _by_weight(nodes[order], weights[order], coin)


def _over_all_nodes(A: csr_array, start: int, coins: np.ndarray) -> list[int]:
    return [start, *(int(coin * A.shape[0]) for coin in coins)]


def _padded(A: csr_array, start: int, coins: np.ndarray, filler: int | None) -> list[int]:
    walk = one_walk(A, start, coins)
    return walk + [walk[-1] if filler is None else filler] * (len(coins) + 1 - len(walk))


def _graph(n_nodes: int, edges: dict[tuple[int, int], float]) -> csr_array:
    A = np.zeros((n_nodes, n_nodes))
    for (a, b), weight in edges.items():
        A[a, b] = A[b, a] = weight
    return csr_array(A)


# Coins lie well inside of an edge's share, so that "at least" and "more than" come to the same walk.
_FOUR = _graph(4, {(0, 1): 1, (0, 2): 4, (1, 2): 2, (2, 3): 6})
_SEVEN = _graph(7, {(0, 3): 2, (0, 5): 1, (1, 3): 5, (1, 6): 1, (3, 5): 3, (5, 6): 4, (0, 6): 2})
_COINS = np.array([0.55, 0.4, 0.25, 0.9, 0.3, 0.7])
_MORE_COINS = np.array([0.85, 0.2, 0.45, 0.65, 0.1, 0.95, 0.5, 0.33])


def _shown(A: csr_array, start: int, coins: np.ndarray, name: str) -> str:
    weights = np.array2string(A.toarray().astype(int), separator=", ")
    return f"one_walk(A, start={start}, coins={coins.tolist()}), {name}; A =\n{weights}"


ONE_WALK = Exercise(
    name="dxml.one_walk",
    reference=one_walk,
    cases=(
        Case((_FOUR, 0, _COINS), _shown(_FOUR, 0, _COINS, "four labels")),
        Case((_SEVEN, 3, _MORE_COINS), _shown(_SEVEN, 3, _MORE_COINS, "seven labels")),
        Case((_SEVEN, 4, _COINS), _shown(_SEVEN, 4, _COINS, "a label that occurs alone")),
        Case((_SEVEN, 6, _MORE_COINS[:1]), _shown(_SEVEN, 6, _MORE_COINS[:1], "one coin")),
    ),
    mistakes=(
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, lambda nodes, _, coin: int(nodes[int(coin * len(nodes))])),
            "Each edge had the same chance. An edge of weight 4 must be four times as likely as one of weight 1: lay "
            "the weights end to end.",
        ),
        Mistake(
            lambda A, start, coins: one_walk(A, start, coins)[1:],
            "The steps are right, but the walk begins with `start` itself.",
        ),
        Mistake(
            lambda A, start, coins: one_walk(A, start, coins[:-1]),
            "One step is missing: a walk takes a step for each coin, so it has len(coins) + 1 nodes.",
        ),
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, _first_over_the_coin),
            "You compared the coin with the weights as they are. A coin lies in [0, 1): first bring both to one "
            "scale, by the sum of the node's weights.",
        ),
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, _place_in_the_row),
            "You went on from the edge's place in the row. A.indices says which label stands at that place.",
        ),
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, lambda nodes, w, coin: int(nodes[np.argmax(w)])),
            "You always took the heaviest edge: then there is one walk only, and it soon goes to and fro. The coin "
            "decides, the weights are its odds.",
        ),
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, _heaviest_first),
            "You sorted the edges by weight. The odds are right, but the walk is another one: lay the edges end to end "
            "in the order in which the row stores them.",
        ),
        Mistake(
            lambda A, start, coins: _walk(A, start, coins, _by_weight, leave=0),
            "Every step left from `start`. A step leaves from where the last one has led.",
        ),
        Mistake(
            _over_all_nodes,
            "Your steps go to any label. Only those with an edge to the present one can be next.",
        ),
        Mistake(
            lambda A, start, coins: _padded(A, start, coins, None),
            "A label without edges has nowhere to go: the walk ends there. Yours stays, and a label that is its own "
            "neighbour would be counted as one.",
        ),
        Mistake(
            lambda A, start, coins: _padded(A, start, coins, -1),
            "A label without edges has nowhere to go: let the walk end there, and leave the filling out. (The library "
            "fills with -1, as its walks are rows of one array.)",
        ),
        Mistake(
            lambda A, start, coins: [] if A.indptr[start] == A.indptr[start + 1] else one_walk(A, start, coins),
            "A label without edges still is a walk: of one node.",
        ),
    ),
    hints=(
        "Row v of a CSR matrix: its columns are A.indices[A.indptr[v] : A.indptr[v + 1]], and the weights stand at the "
        "same places of A.data.",
        "np.cumsum of the weights gives the ends of the pieces; its last entry is their total length. On which piece "
        "does coin times that length fall? np.searchsorted tells.",
        "If the slice is empty, end the walk. Otherwise append the label, and let the next step leave from it.",
    ),
    otherwise="None of the usual mistakes. Use the given coins in their order, and no random numbers of your own; then "
    "work this input by hand and print the steps in between.",
)

# ------------------------------------------------------------------------------------- the place of a set of labels


def label_targets(Y: csr_array, V: np.ndarray) -> np.ndarray:
    """f_y (n, l): the mean of the embeddings of each instance's labels; 0 for an instance without labels."""
    return Y @ V / np.maximum(np.diff(Y.indptr), 1)[:, None]


def _divided(Y: csr_array, V: np.ndarray, by: np.ndarray | float) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return (Y @ V) / by


def _length_one(F: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(F, axis=1, keepdims=True)
    return np.divide(F, length, out=np.zeros_like(F), where=length > 0)


def _rows_with_labels(Y: csr_array) -> np.ndarray:
    return np.diff(Y.indptr) > 0


# As many instances as dimensions: a count that is not made a column divides the wrong way here, and is told so.
_Y3 = csr_array(np.array([[1.0, 0, 1, 0], [0, 1, 0, 0], [1, 1, 0, 1]]))
_V3 = np.array([[0.6, 0.0, -0.4], [1.0, 0.5, 0.2], [-0.2, 0.8, 1.0], [0.0, -0.5, 0.7]])
_Y5 = csr_array(np.array([[1.0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 1], [1, 0, 0, 0], [1, 1, 1, 1]]))
_V5 = np.array([[0.3, -0.9], [1.2, 0.4], [0.5, 0.5], [-0.7, 0.1]])

LABEL_TARGETS = Exercise(
    name="dxml.label_targets",
    reference=label_targets,
    cases=(
        Case((_Y3, _V3), f"label_targets(Y, V), every document with labels; Y =\n{_Y3.toarray()}\nV =\n{_V3}"),
        Case((_Y5, _V5), f"label_targets(Y, V), the second document without labels; Y =\n{_Y5.toarray()}\nV =\n{_V5}"),
    ),
    mistakes=(
        Mistake(
            lambda Y, V: Y @ V,
            "This is the sum of the embeddings. Divide by the number of the document's labels, or a document with "
            "many labels is sent far out.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, np.diff(Y.indptr)[:, None].astype(float)),
            "A document without labels came out as NaN: 0 / 0. One such row, and the loss of the whole mini-batch is "
            "NaN. Its sum is the zero vector; let it stay so.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, np.diff(Y.indptr)[None, :].astype(float)),
            "You divided the columns. The numbers of labels must stand as a column to divide the rows: [:, None].",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, np.diff(Y.indptr)[:, None] + 1.0),
            "You added 1 to every number of labels to avoid 0 / 0. That shortens all other rows: let only the zeros "
            "become 1.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, float(Y.shape[1])),
            "You divided by L, the number of all labels. nnz(y) is the number of labels of this document.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, float(Y.nnz)),
            "You divided by the 1s of the whole matrix. nnz(y) is the number of labels of this one document.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, Y.nnz / Y.shape[0]),
            "You divided by the mean number of labels. nnz(y) is the number of labels of this one document.",
        ),
        Mistake(
            lambda Y, V: csr_array(Y / np.maximum(Y.sum(axis=0), 1)) @ V,
            "You divided by how many documents have the label (a column of Y). nnz(y) is how many labels the document "
            "has (a row).",
        ),
        Mistake(
            lambda Y, V: _length_one(Y @ V),
            "You made the rows one long. f_y is a mean, and is shorter the less a document's labels agree.",
        ),
        Mistake(
            lambda Y, V: _divided(Y, V, np.sqrt(np.maximum(np.diff(Y.indptr), 1))[:, None]),
            "You divided by the length of y, which is the root of the number of its labels. Divide by the number.",
        ),
        Mistake(
            lambda Y, V: label_targets(Y, V)[_rows_with_labels(Y)],
            "You left the document without labels out. Every row of Y must keep its place: the rows of X go with them.",
        ),
        Mistake(
            lambda Y, V: np.where(_rows_with_labels(Y)[:, None], label_targets(Y, V), V.mean(axis=0)),
            "You gave a document without labels the mean of all labels. Its sum is the zero vector; let it stay so.",
        ),
        Mistake(
            lambda Y, V: label_targets(Y, V).T,
            "Your result lies on its side. The paper has columns; here each document is a row, shape (n, l).",
        ),
    ),
    hints=(
        "V y is the sum of the embeddings of the labels that y has. With documents as rows, all of them at once are "
        "one product of Y and V: use @.",
        "The number of labels of each row of a CSR matrix is np.diff(Y.indptr). To divide rows it must stand as a "
        "column: [:, None].",
        "Where there is no label, the sum is 0 and the number is 0, too. np.maximum(..., 1) makes that 0 / 1.",
    ),
)
