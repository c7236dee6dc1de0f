"""Quick checks and exercises of chapter 01, extreme data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip


def _counts(Y: csr_array) -> np.ndarray:
    return np.asarray(Y.sum(axis=0))


def _debdeps_tail() -> float:
    from xmlwb.datasets import load

    return 100 * _tail_share(load("debdeps").Y_train, 5)


def _debdeps_tail_mass() -> float:
    from xmlwb.datasets import load

    counts = _counts(load("debdeps").Y_train)
    return 100 * float(counts[counts <= 5].sum() / counts.sum())


def _training_share() -> float:
    from xmlwb.datasets import load

    ds = load("debdeps")
    n_valid = 0 if ds.Y_valid is None else ds.Y_valid.shape[0]
    return ds.n_train / (ds.n_train + n_valid + ds.Y_test.shape[0])


def _dense_weights(bytes_each: int = 4) -> float:
    from xmlwb.datasets import load

    ds = load("debdeps")
    return ds.n_features * ds.n_labels * bytes_each / 1e9


def _dense_labels() -> float:
    from xmlwb.datasets import load

    ds = load("debdeps")
    return ds.n_train * ds.n_labels * 4 / 1e9


QUESTIONS: list[Question] = [
    Numeric(
        "A linear model for debdeps holds one weight for each pair of a feature and a label. How many "
        "gigabytes (1 GB = 10<sup>9</sup> bytes) would the weights take, dense, at 4 bytes each?",
        _dense_weights,
        "{answer} GB, for a data set that travels in a few megabytes. This is why DiSMEC "
        "prunes its weights, and one reason for trees and embeddings.",
        slips=(
            Slip(lambda: _dense_weights(8), "That is with 8 bytes a weight; the question gives 4 (float32)."),
            Slip(
                _dense_labels,
                "That is the dense label matrix (documents times labels). Weights: features times labels.",
            ),
            Slip(lambda: _dense_weights(1), "That is the number of weights, in billions; each takes 4 bytes."),
        ),
        tolerance=0.05,
    ),
    Numeric(
        "Of the labels of debdeps that occur in training at all, what percentage has five training "
        "positives or fewer? (Your own function from the exercise can tell.)",
        _debdeps_tail,
        "{answer} %. Of all documents, {trained} % are for training. Split at random, a label with two "
        "positives would have neither of them there, and so nothing to learn from, with a chance of {lost} %.",
        slips=(
            Slip(
                _debdeps_tail_mass,
                "That is their share of the label mass (of all 1s in Y), which is small just because they "
                "are rare. The question asks for their share of the labels.",
            ),
            Slip(lambda: 100 - _debdeps_tail(), "That is the share of the others, with six positives or more."),
        ),
        tolerance=0.02,
        percent=True,
        facts={
            "trained": lambda: 100 * _training_share(),
            "lost": lambda: 100 * (1 - _training_share()) ** 2,
        },
    ),
    MultipleChoice(
        "Take a random half of the documents. What happens to the mean number of labels a document, and to "
        "the number of different labels that occur?",
        (
            Choice(
                "The mean halves; half of the labels remain.",
                "The mean of a random half is about the mean of the whole: each document keeps all its labels.",
            ),
            Choice(
                "The mean stays; more than half of the labels remain.",
                "Frequent labels survive any halving. Rare ones vanish, and they are the many: the more "
                "documents you collect, the more labels you meet.",
                right=True,
            ),
            Choice(
                "The mean stays; just half of the labels remain.",
                "A label remains if a single one of its documents does, so more than half of them remain.",
            ),
        ),
    ),
    MultipleChoice(
        "More than half of all Debian packages carry no tag. You train on all packages and take every "
        "missing tag as a negative. What do you assume?",
        (
            Choice(
                "Nothing: a 0 only says that the tag is not known.",
                "The stored matrix says that. But the loss of a one-vs-all model does not know 'unknown': "
                "it pushes the score of every 0 down.",
            ),
            Choice(
                "That the tags are missing at random.",
                "That would be a weaker assumption, under which the loss could be corrected. Absent = "
                "negative assumes that nothing is missing.",
            ),
            Choice(
                "That each package was judged, and no tag fits it.",
                "Yes: an absent tag would then be a judgement. In truth nobody looked, and the model is "
                "taught that programs like the untagged ones deserve no tag.",
                right=True,
            ),
        ),
    ),
]

_Y = csr_array(np.array([[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 0, 1, 0, 1], [1, 0, 0, 0, 0]], dtype=np.float32))
_SHOWN = "with Y =\n" + str(_Y.toarray().astype(int))


def _tail_share(Y: csr_array, m: int) -> float:
    counts = _counts(Y)
    return float(np.mean(counts[counts > 0] <= m))


def _label_growth(Y: csr_array, sizes: Sequence[int]) -> np.ndarray:
    return np.array([np.count_nonzero(_counts(Y[:size])) for size in sizes])


def _leaked_share(train: Sequence[str], test: Sequence[str]) -> float:
    known = set(train)
    return float(np.mean([source in known for source in test]))


EXERCISES: list[Exercise] = [
    Exercise(
        name="data.tail_share",
        reference=_tail_share,
        cases=(
            Case((_Y, 1), "tail_share(Y, m=1) " + _SHOWN),
            Case((_Y, 2), "tail_share(Y, m=2) " + _SHOWN),
            Case((_Y, 3), "tail_share(Y, m=3) " + _SHOWN),
        ),
        mistakes=(
            Mistake(
                lambda Y, m: float(np.mean(_counts(Y) <= m)),
                "You counted labels without any positive: label 3 never occurs. Leave such labels out, "
                "above and below the fraction's line.",
            ),
            Mistake(
                lambda Y, m: float(np.mean(_counts(Y)[_counts(Y) > 0] < m)),
                "'At most m' includes m itself: <=, not <.",
            ),
            Mistake(
                lambda Y, m: float(_counts(Y)[_counts(Y) <= m].sum() / Y.sum()),
                "That is the tail's share of all 1s in Y (the label mass); asked for is its share of the labels.",
            ),
            Mistake(
                lambda Y, m: float(np.sum((_counts(Y) > 0) & (_counts(Y) <= m))),
                "That is the number of such labels; divide it by the number of labels that occur.",
            ),
            Mistake(
                lambda Y, m: float(np.mean(_counts(Y)[_counts(Y) > 0] > m)),
                "That is the share of the labels with more than m positives: the other side.",
            ),
        ),
        hints=(
            "Count each label's positives first: one number for each column.",
            "Y.sum(axis=0) counts; keep the labels that occur: counts[counts > 0].",
            "The mean of a boolean array is a share: np.mean([True, False, False, True]) is 0.5.",
        ),
    ),
    Exercise(
        name="data.label_growth",
        reference=_label_growth,
        cases=(
            Case((_Y, [1, 2, 3, 4]), "label_growth(Y, sizes=[1, 2, 3, 4]) " + _SHOWN),
            Case((_Y, [2, 4]), "label_growth(Y, sizes=[2, 4]) " + _SHOWN),
        ),
        mistakes=(
            Mistake(
                lambda Y, sizes: np.array([Y[:s].sum() for s in sizes]),
                "You counted every 1. A label that occurs in three documents is still one label.",
            ),
            Mistake(
                lambda Y, sizes: np.array([np.count_nonzero(_counts(Y[: s - 1])) for s in sizes]),
                "One document too few: Y[:s] already holds the first s rows.",
            ),
            Mistake(
                lambda Y, sizes: np.array([np.count_nonzero(_counts(Y[[s - 1]])) for s in sizes]),
                "You looked at one document alone; wanted are the labels of all of the first s documents.",
            ),
            Mistake(
                lambda Y, sizes: np.array([Y.shape[1] for _ in sizes]),
                "That is the number of columns: Y[:s] keeps all of them, also those without a 1.",
            ),
        ),
        hints=(
            "For one size s: which columns of Y[:s] hold at least one 1?",
            "np.count_nonzero(Y[:s].sum(axis=0)) counts them.",
            "Return one number for each s in sizes, as a list or an array.",
        ),
    ),
    Exercise(
        name="data.leaked_share",
        reference=_leaked_share,
        cases=(
            Case((["vim", "git", "git"], ["git", "git", "gcc", "vim"])),
            Case((["a", "b"], ["c", "d"])),
            Case((["a", "b", "b", "c"], ["b"])),
        ),
        mistakes=(
            Mistake(
                lambda a, b: len(set(a) & set(b)) / len(set(b)),
                "You counted each source once. A test document counts, however many share its source.",
            ),
            Mistake(
                lambda a, b: _leaked_share(b, a),
                "You measured the share of training documents whose source is in the test set: swap the two.",
            ),
            Mistake(
                lambda a, b: 1 - _leaked_share(a, b),
                "That is the share of the clean ones, whose source was not seen in training.",
            ),
            Mistake(
                lambda a, b: float(sum(s in set(a) for s in b)),
                "That is a count; divide it by the number of test documents.",
            ),
        ),
        hints=(
            "For one test document: does its source occur among the training sources?",
            "A set answers 'in' quickly: known = set(train_sources).",
            "One True or False for each test document, twins included; the mean of these is a share.",
        ),
    ),
]
