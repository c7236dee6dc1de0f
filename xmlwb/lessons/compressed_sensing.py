"""Quick checks and exercises of chapter 03, compressed sensing."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip
from xmlwb.lessons.recovery_exercises import EXERCISES, breaking_m
from xmlwb.lessons.recovery_study import documents_to_break, recover_labels
from xmlwb.solvers.measurement import measurement_matrix

__all__ = ["EXERCISES", "QUESTIONS"]

BREAK_SIZES = range(20, 401, 20)


def _debdeps_labels() -> int:
    from xmlwb.datasets import load

    return load("debdeps").n_labels


def _bound(logarithm: Callable[[float], float] = np.log, constant: float = 2.0, s: int = 5) -> float:
    return constant * s * float(logarithm(_debdeps_labels() / s))


@lru_cache(maxsize=1)
def _real_breaking_point() -> int:
    _, Y = documents_to_break()

    def recover(Y: csr_array, m: int) -> csr_array:
        return recover_labels(Y, measurement_matrix("gaussian", m, Y.shape[1], 0))

    return breaking_m(Y, BREAK_SIZES, recover)


def _middle_bound() -> float:
    _, Y = documents_to_break()
    s = float(np.median(np.diff(Y.indptr)))
    return s * float(np.log(Y.shape[1] / s))


QUESTIONS: list[Question] = [
    MultipleChoice(
        "Two documents have four tags each. The tags of the first stand together on hundreds of packages; those of the "
        "second were never seen together. A is random and m is fixed. Whose tags come back more often, over many draws "
        "of A?",
        (
            Choice(
                "Those of the second: tags that go together have similar columns, which are hard to tell apart.",
                "Similar columns would be hard to tell apart. But the columns are drawn without a look at any label.",
            ),
            Choice(
                "Neither: a random matrix treats every set of four labels the same way.",
                "Each column is an independent draw, so any four labels are as good as any other four. That is the "
                "method's strength (no training, a guarantee for every label set) and its weakness: what everybody "
                "knows of the labels is left unused. Chapter 04 uses it.",
                right=True,
            ),
            Choice(
                "Those of the first: the decoder knows the usual combinations.",
                "It knows A and z, and nothing else. Nothing was learned yet.",
            ),
        ),
    ),
    MultipleChoice(
        "For m = 100 the coherence of the matrix guarantees recovery of documents with one label. You saw OMP recover "
        "a document with eight labels from fewer numbers. Is the theorem wrong?",
        (
            Choice(
                "No: it needs matrices that are not random, so it does not apply to ours.",
                "It applies to any matrix whose columns have length one, random or not.",
            ),
            Choice(
                "Yes, for label vectors: it holds for real numbers, and labels are 0 or 1.",
                "It holds for all vectors with few entries, so also for those of zeros and ones.",
            ),
            Choice(
                "No: it speaks of every label vector, the worst one included; most are far from the worst.",
                "The theorem promises success for all supports at once. For eight labels there are 10^17 supports of "
                "debtags, and a few unlucky ones break the promise without anybody ever meeting them.",
                right=True,
            ),
        ),
    ),
    Numeric(
        "Take OMP's rule as measured here with 571 labels, about m = 2 s ln(L/s), as a rough estimate for more labels. "
        "How many numbers would it give a document of debdeps with s = 5 labels?",
        _bound,
        "{answer} numbers, {times} times fewer than there are labels. A rough estimate: the constant was measured at "
        "another L. The sections that follow look for the catch.",
        slips=(
            Slip(lambda: _bound(constant=1.0), "That is s ln(L/s), without the constant 2."),
            Slip(lambda: _bound(np.log2), "That is with the logarithm to base 2; ln is the natural one."),
            Slip(lambda: _bound(np.log10), "That is with the logarithm to base 10; ln is the natural one."),
            Slip(
                lambda: 2 * 5 * float(np.log(_debdeps_labels())),
                "That is 2 s ln(L); the bound has L/s in the logarithm.",
            ),
        ),
        tolerance=0.02,
        facts={"times": lambda: _debdeps_labels() / _bound()},
    ),
    Numeric(
        "Which m does your <code>breaking_m</code> find on the real documents that the cell above names, over "
        "sizes = range(20, 401, 20), with <code>recover</code> as that cell defines it?",
        _real_breaking_point,
        "m = {answer}. s ln(L/s) of the middle document is {bound}.",
        slips=(Slip(_middle_bound, "That is s ln(L/s) of the middle document, without any constant: measure it."),),
        tolerance=0.01,
        facts={"bound": _middle_bound},
    ),
    MultipleChoice(
        "A text says that a package is a game, but not which kind: each of 30 tags is right with a chance of 1 in 30, "
        "and every package carries one of them. A regression learns the codes of such packages as well as can be. What "
        "does the decoder get to see?",
        (
            Choice(
                "The code of a vector with thirty entries of 1/30.",
                "Least squares predicts the mean, here A E[y|x]. The label vector has one entry and E[y|x] has thirty. "
                "Sparse labels do not make for a sparse expectation: only certainty does.",
                right=True,
            ),
            Choice(
                "The code of a vector with a single 1, since every package has one tag.",
                "That would be a guess at one package's own tag. Least squares predicts the mean of all packages with "
                "this text, and that mean has thirty entries.",
            ),
            Choice(
                "The code of a zero vector, because no tag is likely.",
                "The entries of E[y|x] are small, but they are not zero: together they sum to one.",
            ),
        ),
    ),
    MultipleChoice(
        "Labels squeezed and decoded with nothing learned in between come back from the tail as often as from the "
        "head. With predicted codes, a short one loses a larger share of what the regression finds in the torso and "
        "the tail than at the head. Why?",
        (
            Choice(
                "The decoder stops after s labels, and takes the frequent ones first.",
                "It has never heard of frequencies. It takes the largest correlations first, whosever they are.",
            ),
            Choice(
                "A rare label's predicted score is small, and every label's score gets noise of the same size.",
                "The noise of a correlation comes from all labels together, about the length of the scores over the "
                "square root of m. Few training positives mean a small score, and a small score drowns first.",
                right=True,
            ),
            Choice(
                "The columns of rare labels are shorter, because they have fewer training documents.",
                "All columns have about the same length: A was drawn before anybody counted labels.",
            ),
        ),
    ),
]
