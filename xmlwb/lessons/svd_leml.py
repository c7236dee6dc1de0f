"""Quick checks and exercises of chapter 04, linear label spaces."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake
from xmlwb.lessons.questions import Choice, MultipleChoice, Numeric, Question, Slip


def _mass_of_frequent(m: int = 27) -> float:
    from xmlwb.datasets import load

    counts = np.sort(load("debtags").Y_train.sum(axis=0))[::-1]
    return 100 * float(counts[:m].sum() / counts.sum())


def _debdeps_ratio(what: str = "residual") -> float:
    from xmlwb.datasets import load

    Y = load("debdeps").Y_train
    n, L = Y.shape
    numbers = {"residual": n * L, "codes": 100 * (n + L), "labels": Y.nnz}
    return numbers[what] / numbers["codes"]


QUESTIONS: list[Question] = [
    MultipleChoice(
        "Two documents sit on two corners of the hypercube {0, 1}<sup>L</sup>. What is the <i>squared</i> Euclidean "
        "distance between them?",
        (
            Choice(
                "The number of labels that one of them has and the other has not.",
                "Each such label adds (1 − 0)<sup>2</sup> = 1, every other one 0. Least squares counts "
                "labels: wherever a rare label occurs it counts as much as a frequent one; it just seldom occurs.",
                right=True,
            ),
            Choice(
                "The number of labels that both have.",
                "A shared label makes them no farther apart: it adds (1 − 1)<sup>2</sup> = 0.",
            ),
            Choice(
                "L, always: all corners are equally far apart.",
                "Only opposite corners are that far apart. Neighbours along an edge differ in one label.",
            ),
        ),
    ),
    Numeric(
        "Forget all labels of debtags but the 27 most frequent (head and torso). Which percentage of all 1s in the "
        "training labels is left?",
        _mass_of_frequent,
        "{answer} %: two thirds of the 1s, since head and torso hold a third each, with 27 of 571 labels. Much of what "
        "a low-rank approximation saves is saved by <i>leaving rare labels out</i>; correlations bring the rest.",
        slips=(
            Slip(
                lambda: 100 - _mass_of_frequent(), "That is the share of the labels that are dropped; take the others."
            ),
            Slip(
                lambda: 100 * 27 / 571,
                "That is the share of the labels, 27 of 571. The question asks for the share of the 1s.",
            ),
        ),
        percent=True,
    ),
    MultipleChoice(
        "PLST with m = 20 directions has lost about nine tenths of the tail's 1s already on the way label vector → "
        "code → label vector. Which of these would bring the tail back?",
        (
            Choice(
                "A better regressor from texts to codes, say a deep network.",
                "A perfect regressor would predict the true code, and decoding the true code is what was shown: the "
                "label is not in it.",
            ),
            Choice(
                "More training documents of the same kind.",
                "They leave the directions where they are: the tail's share of the squares stays what it is.",
            ),
            Choice(
                "Many more directions, up to about as many as there are tail labels.",
                "Yes: tail labels hardly occur together, so each needs nearly a direction of its own. Then little is "
                "compressed.",
                right=True,
            ),
        ),
    ),
    MultipleChoice(
        "The review asks: <i>What is the difference between SVD and OCCA, and when would you use each?</i> Which "
        "answer do our data support?",
        (
            Choice(
                "SVD keeps directions in which labels vary most, OCCA those that the features predict with least "
                "error. OCCA alone prefers what never varies; added to SVD's error (CPLST) it helps when few "
                "directions are allowed.",
                "That is what the tables show: OCCA's first directions do not vary at all, and CPLST beats PLST most "
                "where m is small and some frequent labels cannot be told from the text (the coins).",
                right=True,
            ),
            Choice(
                "OCCA is the better SVD: it uses more information, so use it wherever there are features.",
                "Alone it predicted no better than a constant guess: the easiest direction to predict is one that "
                "does not vary.",
            ),
            Choice(
                "They find the same directions; OCCA is only cheaper to compute.",
                "Look at the direction of implemented-in::c: the two put it in different places, and OCCA needs the "
                "regression as well, so it costs more.",
            ),
        ),
    ),
    Numeric(
        "LEML with the squared loss on debdeps, rank 100. A dense residual Y − X W H<sup>T</sup> would hold n · L "
        "numbers. How many times as many is that as the codes X W and the embeddings H together hold?",
        _debdeps_ratio,
        "{answer} times. This is why the method never forms the residual: with the squared loss it needs only Y's 1s "
        "and products of n x k, L x k and k x k matrices.",
        slips=(
            Slip(
                lambda: _debdeps_ratio() / _debdeps_ratio("labels"),
                "That compares with the number of 1s in Y; asked for are codes (n · 100) and embeddings (L · 100).",
            ),
        ),
        tolerance=0.05,
    ),
    MultipleChoice(
        "A label truly applies, and is recorded with probability 0.4 (for each such document anew). On very many such "
        "documents, which score has the least mean loss, for squared loss, logistic loss and squared hinge in turn?",
        (
            Choice(
                "1, +∞ and 1: they know that the label applies.", "They only see the record, and it says 0 in 6 of 10."
            ),
            Choice(
                "0.4, ln(0.4/0.6) = −0.41 and 2 · 0.4 − 1 = −0.2.",
                "All three are increasing functions of the same number: the chance that the label is <i>recorded</i>. "
                "None can tell a label that is often forgotten from one that seldom applies.",
                right=True,
            ),
            Choice(
                "0.4, 0.4 and 0.4: all of them estimate the probability.",
                "Only the squared loss with labels 0 and 1 answers with the probability itself; the others answer "
                "with a function of it.",
            ),
        ),
    ),
    MultipleChoice(
        "In PLST a rare label's row of V is short, nearly zero. What does that say about its scores?",
        (
            Choice(
                "They are near the label's mean for every document, so it is almost never among the first five.",
                "The score is mean + code · row. With a row near zero it is the label's share of the training "
                "documents, whatever the text says.",
                right=True,
            ),
            Choice(
                "They are near 0.5, undecided.",
                "The rounding threshold is 0.5, but the score falls back to the label's mean, which is tiny for a "
                "rare label.",
            ),
            Choice(
                "Nothing: a shorter row can be made up for by a larger code.",
                "The code is shared by all labels and fitted to the long rows; it is not made larger for one label.",
            ),
        ),
    ),
]


def _plst_decode(Z: np.ndarray, V: np.ndarray, mean: np.ndarray) -> np.ndarray:
    return (Z @ V.T + mean >= 0.5).astype(int)


_V1 = np.array([[0.6], [0.8], [0.0]])
_V2 = np.array([[0.8, 0.0], [-0.6, 0.0], [0.0, 1.0], [0.0, 0.0]])
_MEAN1 = np.array([0.4, 0.3, 0.7])
_MEAN2 = np.array([0.3, 0.45, 0.1, 0.55])
_Z1 = np.array([[0.9], [0.2], [-1.5]])
_Z2 = np.array([[0.5, 0.6], [1.8, -0.9], [-0.6, 2.0], [0.1, 0.3]])


def _leml_step(X: csr_array, Y: csr_array, W: np.ndarray, lam: float) -> np.ndarray:
    return _with_ridge(X, Y, W, lam / 2)


def _with_ridge(X: csr_array, Y: csr_array | np.ndarray, W: np.ndarray, ridge: float) -> np.ndarray:
    A = X @ W
    return np.linalg.solve(A.T @ A + ridge * np.eye(A.shape[1]), (Y.T @ A).T).T


# five rows: with four, half of the ridge's n would be 2, and "2 lam" would pass for "n times too strong"
_X = csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [2.0, 0.0, 1.0], [0.0, 2.0, 0.0]]))
_Y = csr_array(np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0], [1, 0, 1], [0, 1, 1]]))
_W1 = np.array([[0.5], [-0.5], [0.25]])
_W2 = np.array([[0.5, 0.1], [-0.5, 0.4], [0.25, 0.0]])

EXERCISES: list[Exercise] = [
    Exercise(
        name="svd_leml.plst_decode",
        reference=_plst_decode,
        cases=(
            Case((_Z1, _V1, _MEAN1)),
            Case((_Z2, _V2, _MEAN2)),
            Case((3 * _Z2, _V2, _MEAN2)),
        ),
        mistakes=(
            Mistake(
                lambda Z, V, mean: (Z @ V.T >= 0.5).astype(int),
                "You forgot the mean: the codes belong to y − mean, so add it back before you round.",
            ),
            Mistake(
                lambda Z, V, mean: (Z @ V.T - mean >= 0.5).astype(int),
                "You took the mean off once more; encoding did that, so decoding has to add it.",
            ),
            Mistake(
                lambda Z, V, mean: Z @ V.T + mean,
                "These are the points of the flat, before rounding. The nearest corner has only 0s and 1s.",
            ),
            Mistake(
                lambda Z, V, mean: (Z @ V.T + mean > 0).astype(int),
                "You cut at 0, half-way between -1 and 1. Between 0 and 1, half-way is 0.5.",
            ),
            Mistake(
                lambda Z, V, mean: np.round(Z @ V.T + mean),
                "Rounding to the nearest whole number also gives -1 or 2. The corners have only 0s and 1s.",
            ),
            Mistake(
                lambda Z, V, mean: (Z @ np.abs(V).T + mean >= 0.5).astype(int),
                "You dropped the signs of V: a direction can take a label away, too.",
            ),
        ),
        hints=(
            "Go back the way you came: encoding was (y − mean) times V. First undo the product, then the subtraction.",
            "V has orthonormal columns, so its transpose undoes it as far as that is possible: Z times V transposed.",
            "The nearest corner of the cube, coordinate by coordinate: is the number nearer to 1 or to 0?",
        ),
    ),
    Exercise(
        name="svd_leml.leml_step",
        reference=_leml_step,
        cases=(
            Case((_X, _Y, _W1, 2.0)),
            Case((_X, _Y, _W2, 1.0)),
            Case((_X, _Y, 2 * _W2, 0.1)),
        ),
        mistakes=(
            Mistake(
                lambda X, Y, W, lam: _with_ridge(X, Y, W, lam),
                "The ridge is too strong: the objective has (lam / 2) ||H||^2 beside the whole ||Y − A H^T||^2, so "
                "setting its derivative to zero leaves lam / 2.",
            ),
            Mistake(
                lambda X, Y, W, lam: _with_ridge(X, Y, W, 2 * lam),
                "The ridge is four times too strong. The objective has (lam / 2) ||H||^2: its derivative is lam H, and "
                "after halving everything lam / 2 is left.",
            ),
            Mistake(
                lambda X, Y, W, lam: _with_ridge(X, Y, W, 0.0),
                "You left out the penalty on H: that is plain least squares.",
            ),
            Mistake(
                lambda X, Y, W, lam: _leml_step(X, Y, W, lam).T,
                "Your H lies on its side: wanted is one row for each label, shape (L, k).",
            ),
            Mistake(
                lambda X, Y, W, lam: Y.T @ (X @ W),
                "You projected the labels on the codes, but did not divide by what the codes themselves weigh: "
                "the k x k system is missing.",
            ),
            Mistake(
                lambda X, Y, W, lam: _with_ridge(X, Y.toarray() - Y.mean(axis=0), W, lam / 2),
                "You centred Y. LEML's objective takes Y as it is.",
            ),
            Mistake(
                lambda X, Y, W, lam: _with_ridge(X, Y, W, Y.shape[0] * lam / 2),
                "The ridge is n times too strong: the loss is a sum over the documents, not their mean.",
            ),
        ),
        hints=(
            "With W fixed, the codes A = X W are just numbers: k features of each document. X and Y are sparse: `@` "
            "works on them, np.dot and most of np.linalg do not.",
            "Then it is one ridge regression for each label, and all of them share one k x k matrix.",
            "Set the derivative by H to zero, divide by 2, and solve for H: np.linalg.solve(matrix, right side).",
        ),
    ),
]
