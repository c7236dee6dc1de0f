"""Exercises 1 and 2 of chapter 05: a balanced 2-means step, and beam search."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake

Children = list[list[int]]
Probabilities = Callable[[int], np.ndarray]
Path = tuple[int, float]

# --------------------------------------------------------------------------------------------- balanced 2-means


def two_means_step(V: csr_array, centres: np.ndarray) -> np.ndarray:
    """The side (n,), 0 or 1, of each label: halves by the difference of its similarities to the two centres."""
    return _halves(V @ centres[1] - V @ centres[0])


def _halves(value: np.ndarray) -> np.ndarray:
    """1 for the half with the larger values; of an odd number, side 0 gets one more."""
    side = np.zeros(len(value), dtype=int)
    side[np.argsort(value, kind="stable")[(len(value) + 1) // 2 :]] = 1
    return side


def _difference(V: csr_array, centres: np.ndarray) -> np.ndarray:
    return V @ centres[1] - V @ centres[0]


def _directions(degrees: list[float]) -> csr_array:
    angle = np.radians(degrees)
    return csr_array(np.column_stack([np.cos(angle), np.sin(angle)]).round(4))


def _unit_rows(n: int, d: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, d))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).round(4)


# Seven of ten labels lie nearer to centre 0; by the difference, half of those at 25 and 30 degrees stay there.
_TEN = _directions([40, 5, 70, 20, 60, 10, 35, 25, 85, 30])
_AXES = np.eye(2)
_NINE = csr_array(_unit_rows(9, 3, 0))
_CENTRES = _unit_rows(2, 3, 31)
# Four labels are exactly alike: wherever the median falls, the halves must have four each.
_ALIKE = _directions([30, 30, 80, 30, 5, 30, 75, 85])


def _order_as_side(V: csr_array, centres: np.ndarray) -> np.ndarray:
    order = np.argsort(_difference(V, centres), kind="stable")
    return (order >= (len(order) + 1) // 2).astype(int)


TWO_MEANS = Exercise(
    name="trees.two_means_step",
    reference=two_means_step,
    cases=(
        Case(
            (_TEN, _AXES),
            f"two_means_step(V, centres=[[1, 0], [0, 1]]), ten labels in the plane, V =\n{_TEN.toarray()}",
        ),
        Case((_NINE, _CENTRES)),
        Case(
            (_ALIKE, _AXES),
            f"two_means_step(V, centres=[[1, 0], [0, 1]]), four of eight labels alike, V =\n{_ALIKE.toarray()}",
        ),
    ),
    mistakes=(
        Mistake(
            lambda V, centres: (_difference(V, centres) > 0).astype(int),
            "Your split of these ten has 7 and 3 labels: each went to its nearer centre. For halves, sort by the "
            "difference of the similarities and cut at the median.",
        ),
        Mistake(
            lambda V, centres: _halves(-_difference(V, centres)),
            "The halves are right, but changed over: side 0 is for the labels that lie nearer to centres[0].",
        ),
        Mistake(
            lambda V, centres: _halves(-(V @ centres[0])),
            "You sorted by the similarity to centres[0] alone. A label that is far from both centres would go to side "
            "1 whatever centre 1 is: sort by the difference of the two similarities.",
        ),
        Mistake(
            lambda V, centres: _halves(V @ centres[1]),
            "You sorted by the similarity to centres[1] alone: sort by the difference of the two similarities.",
        ),
        Mistake(
            lambda V, centres: _halves(np.abs(_difference(V, centres))),
            "You sorted by the size of the difference. Its sign says which centre is nearer: keep it.",
        ),
        Mistake(
            _order_as_side,
            "np.argsort gives the labels in order, not the place of each label. Set side[order[...]] = 1 for the "
            "second half of the order.",
        ),
        Mistake(
            lambda V, centres: np.argsort(_difference(V, centres), kind="stable"),
            "These are the labels in order. Wanted is one entry for each label, 0 or 1.",
        ),
        Mistake(
            lambda V, centres: np.flatnonzero(two_means_step(V, centres)),
            "These are the numbers of the labels on side 1. Wanted is one entry for each label, 0 or 1.",
        ),
        Mistake(
            lambda V, centres: np.flatnonzero(two_means_step(V, centres) == 0),
            "These are the numbers of the labels on side 0. Wanted is one entry for each label, 0 or 1.",
        ),
        Mistake(
            lambda V, centres: 1 - _halves(-_difference(V, centres)),
            "The order is right. Of an odd number of labels, let side 0 have one more than side 1.",
        ),
        Mistake(
            lambda V, centres: (_difference(V, centres) >= np.median(_difference(V, centres))).astype(int),
            "You compared with the median, and the labels that lie exactly on it all went to side 1: with an odd "
            "number, or equal differences, that is not half. Sort, and cut the sorted list.",
        ),
        Mistake(
            lambda V, centres: (_difference(V, centres) > np.median(_difference(V, centres))).astype(int),
            "You compared with the median, and labels with the same difference all went to side 0, so that the halves "
            "are not equal. Sort, and cut the sorted list.",
        ),
        Mistake(
            lambda V, centres: 2 * two_means_step(V, centres) - 1,
            "The halves are right. Call them 0 and 1, not -1 and 1.",
        ),
    ),
    hints=(
        "Which labels are the surest of side 1? Those much more similar to centres[1] than to centres[0]. V is "
        "sparse: V @ centres[1] gives all similarities to centre 1 at once.",
        "Put the labels in order by that difference, the surest of side 0 first: np.argsort.",
        "The first half of the ordered labels is side 0. Begin with zeros, set the others to 1; mind odd numbers.",
    ),
)

# -------------------------------------------------------------------------------------------------- beam search


def beam_search(children: Children, p: Probabilities, beam: int) -> list[Path]:
    """The leaves that a beam reaches, with the log-probabilities of their paths, best first."""
    return _search(children, p, lambda level, _: _best(level)[:beam])


def _best(level: list[Path]) -> list[Path]:
    return sorted(level, key=lambda path: -path[1])


def _search(
    children: Children,
    p: Probabilities,
    keep: Callable[[list[Path], Children], list[Path]],
    step: Callable[[float, float], float] = lambda score, q: score + float(np.log(q)),
    start: float = 0.0,
) -> list[Path]:
    """Open the nodes that `keep` leaves, level by level; `step` makes a child's score from its parent's and q."""
    level = [(0, start)]
    while children[level[0][0]]:
        level = [
            (child, step(score, float(q)))
            for node, score in keep(level, children)
            for child, q in zip(children[node], p(node), strict=True)
        ]
    return _best(level)


def _per_parent(n: int) -> Callable[[list[Path], Children], list[Path]]:
    """Keep the n best children of each opened node."""

    def keep(level: list[Path], children: Children) -> list[Path]:
        parent = {child: node for node, below in enumerate(children) for child in below}
        groups: dict[int, list[Path]] = {}
        for path in level:
            groups.setdefault(parent.get(path[0], -1), []).append(path)
        return [path for group in groups.values() for path in _best(group)[:n]]

    return keep


def _best_child_each(n: int) -> Callable[[list[Path], Children], list[Path]]:
    """Keep the n best nodes below the root, and from there on the best child of each opened node."""
    one_each = _per_parent(1)

    def keep(level: list[Path], children: Children) -> list[Path]:
        return _best(level)[:n] if level[0][0] in (0, *children[0]) else one_each(level, children)

    return keep


def _table(rows: Mapping[int, list[float]]) -> Probabilities:
    """p(node) as a lookup; a node without children has none."""

    def p(node: int) -> np.ndarray:
        return np.array(rows.get(node, []))

    return p


# By its parents alone, node 1 looks better; the best leaf hangs under node 2, and so does the second best.
_SMALL = [[1, 2], [3, 4], [5, 6], [], [], [], []]
_SMALL_P = {0: [0.6, 0.5], 1: [0.3, 0.4], 2: [0.9, 0.7]}
_SHOWN = f"children = {_SMALL}, " + ", ".join(f"p({v}) = {q}" for v, q in _SMALL_P.items())


def _deep_tree(seed: int) -> tuple[Children, dict[int, list[float]]]:
    """Three levels of inner nodes with three, two and two children; two leaves each."""
    rng = np.random.default_rng(seed)
    children: Children = [[]]
    level = [0]
    for width in (3, 2, 2, 2):
        below = []
        for node in level:
            children[node] = list(range(len(children), len(children) + width))
            children += [[] for _ in range(width)]
            below += children[node]
        level = below
    p = {v: rng.uniform(0.2, 1.0, len(below)).round(2).tolist() for v, below in enumerate(children) if below}
    return children, p


_DEEP, _DEEP_P = _deep_tree(3)
_SHOWN_DEEP = (
    f"three levels, then leaves: children = {_DEEP[:10]} ..., "
    + ", ".join(f"p({v}) = {_DEEP_P[v]}" for v in range(4))
    + " ..."
)


def _only_first_beam_leaves(children: Children, p: Probabilities, beam: int) -> list[Path]:
    return beam_search(children, p, beam)[:beam]


def _scores(found: list[Path], score: Callable[[float], float]) -> list[Path]:
    return [(leaf, score(value)) for leaf, value in found]


BEAM = Exercise(
    name="trees.beam_search",
    reference=beam_search,
    cases=(
        Case((_SMALL, _table(_SMALL_P), 1), "beam_search(children, p, beam=1), " + _SHOWN),
        Case((_SMALL, _table(_SMALL_P), 2), "beam_search(children, p, beam=2), " + _SHOWN),
        Case((_DEEP, _table(_DEEP_P), 2), "beam_search(children, p, beam=2), " + _SHOWN_DEEP),
        Case((_DEEP, _table(_DEEP_P), 3), "beam_search(children, p, beam=3), " + _SHOWN_DEEP),
        Case((_DEEP, _table(_DEEP_P), 100), "beam_search(children, p, beam=100), " + _SHOWN_DEEP),
    ),
    mistakes=(
        Mistake(
            lambda children, p, beam: _search(children, p, _best_child_each(beam)),
            "You kept the best child of each node; a beam keeps the best `beam` of all children together.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, _per_parent(beam)),
            "You kept the best `beam` children of each node, so the search grows at each level; a beam keeps the best "
            "`beam` of all children together.",
        ),
        Mistake(
            lambda children, p, beam: _search(
                children, p, lambda level, _: _best(level)[:beam], step=lambda score, q: score + q
            ),
            "You added probabilities; along a path log-probabilities add up.",
        ),
        Mistake(
            lambda children, p, beam: _search(
                children, p, lambda level, _: _best(level)[:beam], step=lambda score, q: score * q, start=1.0
            ),
            "The leaves are right. Your scores are probabilities; wanted are their logarithms, which add up and do not "
            "run out of digits in a deep tree.",
        ),
        Mistake(
            lambda children, p, beam: _search(
                children, p, lambda level, _: _best(level)[:beam], step=lambda score, q: float(np.log(q))
            ),
            "You scored a child by its own probability and forgot how likely its parent was: add the score of the path "
            "so far.",
        ),
        Mistake(
            lambda children, p, beam: _search(
                children, p, lambda level, _: _best(level)[:beam], step=lambda score, q: score - float(np.log(q))
            ),
            "You took the logarithm with a minus sign, so the least likely path comes first. Log-probabilities are "
            "negative; the best is the one nearest to 0.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, lambda level, _: _best(level)[:1]),
            "You followed one path only, whatever `beam` is. Keep the best `beam` nodes of each level.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, lambda level, _: level),
            "You opened every node: right for a beam as wide as the level, and as slow as asking every label. Keep "
            "the best `beam` nodes of a level, and open only those.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, lambda level, _: level)[:beam],
            "You opened every node, and cut the list at the end. Cut at each level, before the nodes are opened.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, lambda level, _: level[:beam]),
            "You kept the first `beam` nodes of a level as they came. Sort them by score before you cut.",
        ),
        Mistake(
            lambda children, p, beam: _search(children, p, lambda level, _: _best(level)[-beam:]),
            "You kept the worst nodes of each level. Scores are negative; the best is the largest, nearest to 0.",
        ),
        Mistake(
            _only_first_beam_leaves,
            "You cut the leaves, too. The beam limits how many nodes are opened; all labels of an opened node have "
            "their scores by then, so return them all.",
        ),
        Mistake(
            lambda children, p, beam: beam_search(children, p, beam)[::-1],
            "The leaves are right, but the worst comes first. Sort them, best first.",
        ),
        Mistake(
            lambda children, p, beam: sorted(beam_search(children, p, beam)),
            "The leaves and their scores are right, in the order of the leaves. Sort them by score, best first.",
        ),
        Mistake(
            lambda children, p, beam: [leaf for leaf, _ in beam_search(children, p, beam)],
            "The leaves are right. Return each with its log-probability, as a pair.",
        ),
        Mistake(
            lambda children, p, beam: _scores(beam_search(children, p, beam), lambda s: s / np.log(10)),
            "The leaves are right. Take the natural logarithm: np.log.",
        ),
        Mistake(
            lambda children, p, beam: _scores(beam_search(children, p, beam), lambda s: s / np.log(2)),
            "The leaves are right. Take the natural logarithm: np.log.",
        ),
    ),
    hints=(
        "Keep a list of (node, score) pairs, one level of the tree at a time. It begins as [(0, 0.0)]: the root is "
        "certain, and log 1 = 0.",
        "A turn has two halves. Cut: sort the list by score and keep the best few. Open: replace every pair by the "
        "pairs of its children, whose scores are the parent's plus a logarithm.",
        "When the nodes of the list have no children, they are leaves: sort once more, and return the list uncut. "
        "sorted(pairs, key=lambda pair: -pair[1]) puts the best first.",
    ),
)
