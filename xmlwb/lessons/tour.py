"""Quick checks and exercises of chapter 00, the tour."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake, show
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip


def _label_share() -> float:
    from xmlwb.datasets import load

    Y = load("debtags").Y_train
    return 100 * Y.nnz / (Y.shape[0] * Y.shape[1])


def _labels_a_document() -> float:
    from xmlwb.datasets import load

    Y = load("debtags").Y_train
    return Y.nnz / Y.shape[0]


QUESTIONS: list[Question] = [
    MultipleChoice(
        "A model could answer with a set of labels, of any size. Why do the methods of this course return "
        "the $k$ best labels in order instead?",
        (
            Choice(
                "Because every document has exactly k labels.",
                "Look at the documents above: their numbers of tags differ. k is the reader's patience, "
                "not a property of the document.",
            ),
            Choice(
                "Because a set cannot be computed from scores.",
                "It can: keep the labels whose score passes a threshold. The difficulty is to choose "
                "thresholds for labels with two or three positives.",
            ),
            Choice(
                "Because people use the top of a list.",
                "A tagger shows five suggestions, a search engine one page. A ranking serves both and leaves the "
                "cut to whoever uses it, and it can be judged although the true label set is incomplete.",
                right=True,
            ),
        ),
    ),
    Numeric(
        "What share of all cells of debtags' training label matrix holds a 1? Answer in percent, "
        "to two significant digits.",
        _label_share,
        "About {answer} %. Everything else is 0, which is why both matrices are stored sparse, and why a "
        "model that always says no is right almost everywhere and useless.",
        slips=(
            Slip(
                _labels_a_document,
                "That is the mean number of labels of a document. Divide it by L, times 100.",
            ),
            Slip(
                lambda: _label_share() / 100,
                "That is the share as a fraction; the question asks for percent.",
            ),
        ),
        tolerance=0.06,
        percent=True,
    ),
    MultipleChoice(
        "Popular gives every document the same labels, and yet its P@1 is far from zero. Which measurement "
        "of its predictions shows that it has learned nothing from the documents?",
        (
            Choice(
                "The number of labels that it ever predicts.",
                "It is five. A metric that averages over documents hides this, because a few labels hold so "
                "many of the 1s; a view by label frequency shows it at once.",
                right=True,
            ),
            Choice(
                "Its P@5, which is lower than its P@1.",
                "That holds for every good model too: the fifth guess is less sure than the first, and few "
                "documents have five labels.",
            ),
            Choice(
                "Its P@1, which is lower than one-vs-all's.",
                "That shows that one-vs-all has learned more. Popular's own P@1 could be the same for a model "
                "that reads the documents, and reads them badly.",
            ),
        ),
    ),
]

_Y = csr_array(np.array([[1, 0, 1, 0], [0, 0, 1, 1], [1, 0, 1, 0], [0, 1, 1, 0]], dtype=np.float32))
# more than 16 labels: below that, numpy's default sort happens to keep ties in order
_MANY_COUNTS = np.tile([2, 1, 3, 2, 1], 8)
_Y_MANY = csr_array((np.arange(3)[:, None] < _MANY_COUNTS).astype(np.float32))
_Y_TIED = csr_array(np.array([[0, 1, 0, 1, 0], [0, 1, 0, 1, 1], [0, 0, 1, 0, 0]], dtype=np.float32))


def _popular(Y: csr_array, k: int) -> np.ndarray:
    return np.argsort(-np.asarray(Y.sum(axis=0)), kind="stable")[:k]


def _vote(similarity: np.ndarray, Y: csr_array, m: int) -> np.ndarray:
    nearest = np.argsort(-similarity, kind="stable")[:m]
    return np.asarray(similarity[nearest] @ Y[nearest])


def _counts(Y: csr_array) -> np.ndarray:
    return np.asarray(Y.sum(axis=0))


def _vote_over(rows: np.ndarray, similarity: np.ndarray, Y: csr_array) -> np.ndarray:
    return np.asarray(similarity[rows] @ Y[rows])


EXERCISES: list[Exercise] = [
    Exercise(
        name="tour.popular",
        reference=_popular,
        cases=(
            Case((_Y, 2), "popular(Y, k=2) with Y =\n" + str(_Y.toarray().astype(int))),
            Case((_Y_TIED, 3), "popular(Y, k=3) with Y =\n" + str(_Y_TIED.toarray().astype(int))),
            Case((_Y, 4), "popular(Y, k=4) with Y =\n" + str(_Y.toarray().astype(int))),
            Case((_Y_MANY, 30), f"popular(Y, k=30) with a Y whose 40 columns hold {show(_MANY_COUNTS)} ones"),
        ),
        mistakes=(
            Mistake(
                lambda Y, k: np.argsort(_counts(Y), kind="stable")[:k],
                "You sorted upwards: these are the rarest labels.",
            ),
            Mistake(
                lambda Y, k: np.argsort(_counts(Y), kind="stable")[::-1][:k],
                "Ties: reversing an upward sort puts the higher index first among equal counts. Sort the "
                "negated counts with kind='stable', and ties go to the lower index.",
            ),
            Mistake(
                lambda Y, k: np.argsort(-_counts(Y))[:k],
                "Ties: numpy's default sort may put equal counts in any order; kind='stable' keeps them in "
                "the order of their indices.",
            ),
            Mistake(
                lambda Y, k: np.argsort(-np.asarray(Y.sum(axis=1)), kind="stable")[:k],
                "You summed over the labels of a document (axis=1): these are documents, not labels.",
            ),
            Mistake(
                lambda Y, k: np.sort(_counts(Y))[::-1][:k],
                "You returned the counts; wanted are the labels' indices (argsort, not sort).",
            ),
        ),
        hints=(
            "A column of Y is a label. How often does it occur in training?",
            "Y.sum(axis=0) gives the counts; argsort gives indices, in upward order.",
            "Sorting negated counts upwards sorts counts downwards; kind='stable' keeps ties in index order.",
        ),
    ),
    Exercise(
        name="tour.vote",
        reference=_vote,
        cases=(
            Case(
                (np.array([0.1, 0.8, 0.5, 0.0]), _Y, 2),
                "vote(similarity=[0.1, 0.8, 0.5, 0.0], Y, m=2) with Y =\n" + str(_Y.toarray().astype(int)),
            ),
            Case(
                (np.array([0.9, 0.2, 0.3]), _Y_TIED, 1),
                "vote(similarity=[0.9, 0.2, 0.3], Y, m=1) with Y =\n" + str(_Y_TIED.toarray().astype(int)),
            ),
            Case(
                (np.array([0.9, 0.2, 0.3]), _Y_TIED, 3),
                "vote(similarity=[0.9, 0.2, 0.3], Y, m=3) with Y =\n" + str(_Y_TIED.toarray().astype(int)),
            ),
        ),
        mistakes=(
            Mistake(
                lambda s, Y, m: _counts(Y[np.argsort(-s, kind="stable")[:m]]),
                "Every neighbour counted 1. Weight each vote by its similarity, so that nearer ones count more.",
            ),
            Mistake(
                lambda s, Y, m: _vote_over(np.arange(len(s)), s, Y),
                "All documents voted. Keep the m most similar ones only.",
            ),
            Mistake(
                lambda s, Y, m: _vote_over(np.argsort(s, kind="stable")[:m], s, Y),
                "You took the m least similar documents: argsort sorts upwards.",
            ),
            Mistake(
                lambda s, Y, m: _vote_over(np.arange(m), s, Y),
                "You took the first m documents; wanted are the m most similar ones.",
            ),
            Mistake(
                lambda s, Y, m: _vote(s, Y, m) / m,
                "You divided by m. The ranking stays the same, but asked for is the sum.",
            ),
        ),
        hints=(
            "Two steps: find the m rows of Y with the highest similarity, then add them up, weighted.",
            "np.argsort of the negated similarities gives the most similar rows first; Y[rows] takes some rows of Y.",
            "A weighted sum of the rows of a matrix is a product: weights @ matrix.",
        ),
    ),
]
