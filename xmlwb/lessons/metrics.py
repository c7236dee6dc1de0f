"""Quick checks and exercises of chapter 02, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log2

import numpy as np

from xmlwb.lessons.exercises import Case, Exercise, Mistake
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip


def _inverse_propensity(positives: float, n: float, A: float = 0.55, B: float = 1.5) -> float:
    return 1 + (log(n) - 1) * (B + 1) ** A * (positives + B) ** -A


def _weight_ratio(A: float = 0.55) -> float:
    from xmlwb.datasets import load

    n = load("debtags").n_train
    return _inverse_propensity(1, n, A) / _inverse_propensity(1000, n, A)


QUESTIONS: list[Question] = [
    Numeric(
        "A document has two relevant labels, and a model ranks both of them first. What is its P@5?",
        lambda: 0.4,
        "{answer}: two of five places hold a relevant label, and P@k always divides by k. A perfect model "
        "cannot do better on this document.",
        slips=(
            Slip(
                lambda: 1.0,
                "That divides by the number of relevant labels (recall). P@5 divides by 5, always.",
            ),
            Slip(lambda: 2.0, "Two hits; now divide by k."),
        ),
    ),
    MultipleChoice(
        "Model a puts its one hit in place 1, model b in place 5. Which metrics tell them apart?",
        (
            Choice(
                "P@1 and nDCG@5.",
                "nDCG discounts a hit in place r by 1/log(r + 1), and only a has a hit in its first place. P@5 "
                "does not see the order.",
                right=True,
            ),
            Choice("P@5 and nDCG@5.", "Both models have one hit in five places: P@5 does not see the order."),
            Choice("P@1, P@5 and nDCG@5.", "Both models have one hit in five places: P@5 is the same for both."),
        ),
    ),
    Numeric(
        "With the Repository's A = 0.55 and B = 1.5 on debtags: how many times as much is a hit on a label "
        "with one training positive worth in PSP as a hit on a label with 1,000?",
        _weight_ratio,
        "{answer} times: the ratio of the two inverse propensities, with N the number of training documents.",
        slips=(
            Slip(
                lambda: 1 / _weight_ratio(),
                "Upside down: the rare label has the lower propensity and so the higher weight.",
            ),
            Slip(lambda: 1000.0, "The weight does not grow like 1/frequency: the exponent A softens it."),
            Slip(
                lambda: ((1000 + 1.5) / 2.5) ** 0.55,
                "That is the ratio of the C (N + B)^-A alone; the inverse propensity also has the 1 in front.",
            ),
        ),
        tolerance=0.03,
    ),
    MultipleChoice(
        "Volunteers tag popular packages more fully than obscure ones. Which assumption behind PSP@k breaks?",
        (
            Choice(
                "That a recorded tag is true.",
                "Popular packages lack fewer tags; nothing says that they carry more wrong ones.",
            ),
            Choice(
                "That the propensity falls with the label's frequency.",
                "Among labels it may still do so. What differs here is how fully two documents with the same "
                "true label are tagged.",
            ),
            Choice(
                "That the propensity depends on the label alone.",
                "The chance that a true tag is recorded now depends on the package too. One weight for each "
                "label corrects too much for popular packages, and too little for the others.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "PSP@5 can be larger than P@5 for the same predictions, even when every label has the same propensity. Why?",
        (
            Choice(
                "Because inverse propensities are larger than 1.",
                "They are, but PSP divides by the best reachable value, in which they stand as well: a "
                "common factor cancels.",
            ),
            Choice(
                "Because it is a mean over documents of ratios.",
                "As the Repository defines it, it is a ratio of sums over the test set; and a mean of "
                "ratios would not explain it either.",
            ),
            Choice(
                "Because it divides by what can be reached.",
                "P@5 divides by 5 even where a document has two labels. With equal propensities PSP@k becomes "
                "the hits over the sum of min(k, |y|): never less than P@k.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "The 95 % intervals of two models' P@1 overlap a little, and the paired test gives p = 0.001. Who is right?",
        (
            Choice(
                "The intervals: where they overlap there is no difference.",
                "Each interval is about one model on a fresh draw of documents. Hard documents are hard "
                "for both, and that shared part cancels in the difference.",
            ),
            Choice(
                "The test: it looks at the differences, document by document.",
                "Both models answered the same documents, and pairing removes the spread that they share. It "
                "speaks for this training set and this split; another training set is another matter.",
                right=True,
            ),
            Choice(
                "Neither: overlapping intervals and p = 0.001 contradict each other.",
                "They answer different questions: how good is one model, and which of the two is better.",
            ),
        ),
    ),
]


def _hits(relevant: set[int], ranked: Sequence[int], k: int) -> int:
    return sum(label in relevant for label in ranked[:k])


def _precision(relevant: set[int], ranked: Sequence[int], k: int) -> float:
    return _hits(relevant, ranked, k) / k


def _dcg(relevant: set[int], ranked: Sequence[int], k: int, shift: int = 2) -> float:
    return sum(1 / log2(place + shift) for place, label in enumerate(ranked[:k]) if label in relevant)


def _ideal(n: int) -> float:
    return sum(1 / log2(place + 2) for place in range(n))


def _ndcg(relevant: set[int], ranked: Sequence[int], k: int) -> float:
    return _dcg(relevant, ranked, k) / _ideal(min(k, len(relevant))) if relevant else 0.0


def _gained(relevant: set[int], ranked: Sequence[int], weight: np.ndarray, k: int) -> float:
    return sum(weight[label] for label in ranked[:k] if label in relevant)


def _best(relevant: set[int], weight: np.ndarray, k: int) -> float:
    return sum(sorted((weight[label] for label in relevant), reverse=True)[:k])


def _psp(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
    gained = sum(_gained(y, r, weight, k) for y, r in zip(relevant, ranked, strict=True))
    return gained / sum(_best(y, weight, k) for y in relevant)


def _mean_of_ratios(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
    pairs = zip(relevant, ranked, strict=True)
    return sum(_gained(y, r, weight, k) / _best(y, weight, k) for y, r in pairs) / len(relevant)


def _not_normalised(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
    return sum(_gained(y, r, weight, k) for y, r in zip(relevant, ranked, strict=True)) / (k * len(relevant))


def _best_not_cut(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
    gained = sum(_gained(y, r, weight, k) for y, r in zip(relevant, ranked, strict=True))
    return gained / sum(_best(y, weight, len(y)) for y in relevant)


def _best_of_returned(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
    gained = sum(_gained(y, r, weight, k) for y, r in zip(relevant, ranked, strict=True))
    return gained / sum(_best(y, weight, min(k, len(r))) for y, r in zip(relevant, ranked, strict=True))


_WEIGHT = np.array([1.5, 2.0, 4.0, 8.0, 3.0])
_RELEVANT = [{0}, {1, 2, 3}, {0, 4}]
_RANKED = [[0, 1, 2], [0, 3, 1], [1, 0, 2]]

EXERCISES: list[Exercise] = [
    Exercise(
        name="metrics.precision",
        reference=_precision,
        cases=(
            Case(({3, 7}, [7, 1, 3, 9, 4], 5)),
            Case(({3, 7}, [7, 1, 3, 9, 4], 1)),
            Case(({3, 7, 1, 5}, [7, 1, 3, 9, 4], 2)),
            Case(({2}, [2, 5], 4), "precision({2}, [2, 5], 4): the model returned fewer than k labels"),
            Case((set(), [2, 5, 6], 3), "precision(set(), [2, 5, 6], 3): a document without labels"),
        ),
        mistakes=(
            Mistake(
                lambda y, r, k: _hits(y, r, k) / len(y),
                "You divided by the number of relevant labels, which is recall. P@k always divides by k.",
            ),
            Mistake(
                lambda y, r, k: _hits(y, r, k) / min(k, len(y)),
                "You divided by min(k, number of relevant labels). P@k always divides by k.",
            ),
            Mistake(
                lambda y, r, k: _hits(y, r, k) / len(r[:k]),
                "You divided by the number of labels that were returned. P@k divides by k also where a "
                "model returns fewer: a place left empty is a miss.",
            ),
            Mistake(
                lambda y, r, k: _hits(y, r, len(r)) / k,
                "You counted hits in the whole list; only the first k places count: ranked[:k].",
            ),
            Mistake(lambda y, r, k: float(_hits(y, r, k)), "That is the number of hits; divide it by k."),
            Mistake(
                lambda y, r, k: _hits(y, r, k - 1) / k,
                "You looked at k - 1 places: ranked[:k] already stops before index k.",
            ),
        ),
        hints=(
            "How many of the first k entries of ranked are in relevant?",
            "ranked[:k] is the top of the list; `label in relevant` is True or False, and True counts 1 in a sum.",
            "Divide the number of hits by k, whatever the lengths of relevant and ranked.",
        ),
    ),
    Exercise(
        name="metrics.ndcg",
        reference=_ndcg,
        cases=(
            Case(({3, 7}, [7, 1, 3, 9, 4], 5)),
            Case(({3, 7}, [1, 7, 3], 1)),
            Case(({1, 2, 3, 4}, [1, 9, 2], 3)),
            Case(({1, 2, 3}, [8, 9, 1, 2], 3)),
            Case(({2, 5}, [2], 3), "ndcg({2, 5}, [2], 3): the model returned fewer than k labels"),
            Case((set(), [2, 5, 6], 3), "ndcg(set(), [2, 5, 6], 3): a document without labels counts 0"),
        ),
        mistakes=(
            Mistake(
                lambda y, r, k: _dcg(y, r, k),
                "That is DCG@k. Divide it by the best DCG that this document allows.",
            ),
            Mistake(
                lambda y, r, k: _dcg(y, r, k) / _ideal(k),
                "The ideal is over min(k, number of relevant labels) places, not over k: nobody can place "
                "more relevant labels than there are.",
            ),
            Mistake(
                lambda y, r, k: _dcg(y, r, k) / _ideal(len(y)),
                "The ideal also stops at k: min(k, number of relevant labels) places.",
            ),
            Mistake(
                lambda y, r, k: _dcg(y, r, k) / _ideal(min(k, len(y), len(r))),
                "Your ideal is shorter where the model returned fewer than k labels. A place left empty is a "
                "miss: the ideal has min(k, number of relevant labels) places.",
            ),
            Mistake(
                lambda y, r, k: _dcg(y, r, len(r)) / _ideal(min(k, len(y))),
                "You counted hits in the whole list; only the first k places count.",
            ),
            Mistake(
                lambda y, r, k: _dcg(y, r, k, shift=3) / _ideal(min(k, len(y))),
                "Off by one in the discount: the first place has rank 1 and so divides by log2(2) = 1.",
            ),
            Mistake(
                _precision,
                "That is P@k: every hit counts the same. Discount the hit at rank r by 1/log2(r + 1).",
            ),
        ),
        hints=(
            "First DCG: add 1/log2(rank + 1) for every hit among the first k, with rank 1 for the first place.",
            "enumerate(ranked[:k], start=1) gives rank and label. The ideal list has all its hits at the top.",
            "The ideal is the sum of 1/log2(rank + 1) over ranks 1 to min(k, len(relevant)). No relevant label: 0.",
        ),
    ),
    Exercise(
        name="metrics.psp",
        reference=_psp,
        cases=(
            Case((_RELEVANT, _RANKED, _WEIGHT, 1)),
            Case((_RELEVANT, _RANKED, _WEIGHT, 2)),
            Case((_RELEVANT[:2], _RANKED[:2], np.full(5, 2.0), 3)),
            Case(
                ([{0, 3}, {1}], [[0], [1, 2]], _WEIGHT, 2),
                "psp([{0, 3}, {1}], [[0], [1, 2]], weight, k=2): the first ranking is shorter than k",
            ),
            Case(
                ([{0}, set()], [[0, 1], [1, 2]], _WEIGHT, 2),
                "psp([{0}, set()], [[0, 1], [1, 2]], weight, k=2): the second document has no labels",
            ),
        ),
        mistakes=(
            Mistake(
                _mean_of_ratios,
                "You averaged one ratio for each document. As the Repository defines it, PSP@k is ONE "
                "ratio: the sum of what was gained over all documents, by the sum of what was reachable.",
            ),
            Mistake(
                _not_normalised,
                "You divided by k and the number of documents. Divide by the best that was reachable: for "
                "each document the k largest weights among its relevant labels.",
            ),
            Mistake(
                _best_not_cut,
                "In the reachable part you added all relevant labels' weights; only the k largest fit into k places.",
            ),
            Mistake(
                _best_of_returned,
                "Where a model returned fewer than k labels you let it reach fewer. What can be reached is a "
                "matter of the document alone: its k largest weights.",
            ),
            Mistake(
                lambda y, r, w, k: _psp(y, r, np.ones(len(w)), k),
                "Every hit counted 1: weight[label] is missing, above and below the fraction's line.",
            ),
        ),
        hints=(
            "Two sums over the documents, and one division at the very end.",
            "Gained: the weights of the hits among ranked[:k]. Reachable: the k largest weights of relevant labels.",
            "sorted((weight[label] for label in relevant), reverse=True)[:k] are the k largest weights.",
        ),
    ),
]
