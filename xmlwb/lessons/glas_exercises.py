"""Exercises of chapter 07: the GLaS loss from its formula, and a choice of lambda that can be defended."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake

# ------------------------------------------------------------------------------------------------------ the GLaS loss


def glas_loss(V: np.ndarray, Y: csr_array) -> float:
    """|| V V^T - 1/2 (A Z^-1 + Z^-1 A) ||_F^2 / K^2, labels as rows; zeros for a label that never occurs."""
    F = _given(Y)
    return _distance(V, (F + F.T) / 2)


def _shared(Y: csr_array) -> np.ndarray:
    return np.asarray((Y.T @ Y).toarray(), dtype=float)


def _given(Y: csr_array) -> np.ndarray:
    """F(y|y'), rows y, columns y'; zeros where y' never occurs."""
    A = _shared(Y)
    return A / np.maximum(A.diagonal(), 1)


def _distance(V: np.ndarray, U: np.ndarray) -> float:
    return float(np.mean((V @ V.T - U) ** 2))


def _without_guard(V: np.ndarray, Y: csr_array) -> float:
    A = _shared(Y)
    with np.errstate(divide="ignore", invalid="ignore"):
        F = A / A.diagonal()
    return _distance(V, (F + F.T) / 2)


def _geometric(V: np.ndarray, Y: csr_array) -> float:
    return _distance(V, np.sqrt(_given(Y) * _given(Y).T))


def _jaccard(V: np.ndarray, Y: csr_array) -> float:
    A = _shared(Y)
    z = A.diagonal()
    return _distance(V, A / np.maximum(z[:, None] + z - A, 1))


def _mean_of(Y: csr_array) -> np.ndarray:
    return (_given(Y) + _given(Y).T) / 2


def _on_circle(angles: list[float]) -> np.ndarray:
    radians = np.deg2rad(angles)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).round(3)


_Y4 = csr_array(np.array([[1.0, 1, 0], [1, 0, 0], [1, 1, 1], [0, 0, 1], [1, 0, 0]]))
_V4 = _on_circle([0, 50, 110])
_Y6 = csr_array(np.array([[1.0, 1, 0, 0], [1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]]))
_V6 = _on_circle([10, 80, 200, 320])


def _shown(V: np.ndarray, Y: csr_array, what: str) -> str:
    return f"glas_loss(V, Y), {what}; V =\n{V}\nY =\n{Y.toarray().astype(int)}"


GLAS_LOSS = Exercise(
    name="glas.glas_loss",
    reference=glas_loss,
    cases=(
        Case((_V4, _Y4), _shown(_V4, _Y4, "three labels")),
        Case((_V6, _Y6), _shown(_V6, _Y6, "four labels, of which the last never occurs")),
    ),
    mistakes=(
        Mistake(
            _without_guard,
            "A label that never occurs came out as NaN: 0 / 0. Its row and column of A are zeros; let them stay so.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _given(Y)),
            "You pulled to F(y|y') alone. That matrix is not symmetric, and V V^T is: the paper takes the mean of "
            "F(y|y') and F(y'|y).",
        ),
        Mistake(
            lambda V, Y: _distance(V, 2 * _mean_of(Y)),
            "You added the two conditional frequencies and forgot the factor ½: on the diagonal your target is 2, and "
            "a unit vector's inner product with itself is 1.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _mean_of(Y)) * V.shape[0] ** 2,
            "This is the sum over all pairs. Divide by K², or lambda means another thing for each label set.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _mean_of(Y)) * V.shape[0],
            "You divided by K. There are K² pairs.",
        ),
        Mistake(
            lambda V, Y: float(np.sqrt(np.sum((V @ V.T - _mean_of(Y)) ** 2))) / V.shape[0] ** 2,
            "You took the Frobenius norm. The loss has its square.",
        ),
        Mistake(
            lambda V, Y: float(np.sqrt(_distance(V, _mean_of(Y)))),
            "You took the root of the mean. The loss has the square of the norm.",
        ),
        Mistake(
            lambda V, Y: float(np.mean(np.abs(V @ V.T - _mean_of(Y)))),
            "You took absolute values. The Frobenius norm squares.",
        ),
        Mistake(
            _geometric,
            "That is the geometric mean of the two conditional frequencies: theorem B.1's matrix. The loss has the "
            "arithmetic mean.",
        ),
        Mistake(
            _jaccard,
            "That is the Jaccard index: the paper names it as an alternative. The loss has the mean of the two "
            "conditional frequencies.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _shared(Y)),
            "You pulled to the counts A. An inner product of unit vectors cannot be 5: make them conditional "
            "frequencies first.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _shared(Y) / Y.shape[0]),
            "You divided by the number of documents: how often the pair occurs at all. Wanted is how often one of the "
            "two comes, given the other.",
        ),
        Mistake(
            lambda V, Y: float(np.mean((V @ V.T) ** 2)),
            "That is the spread-out regulariser: all pairs are pushed towards 0. The target U is missing.",
        ),
        Mistake(
            lambda V, Y: float(np.mean((V @ V.T - _mean_of(Y))[~np.eye(len(V), dtype=bool)] ** 2)),
            "You left the diagonal out. With unit vectors it adds nothing for a label that occurs, so gradients are "
            "the same; but the mean is over all K² pairs.",
        ),
        Mistake(
            lambda V, Y: _distance(V, _mean_of(Y) + np.diag(np.bincount(Y.indices, minlength=Y.shape[1]) == 0)),
            "You gave a label that never occurs a 1 on the diagonal. A sensible choice; here its row and column of U "
            "stay zeros, as those of A are.",
        ),
    ),
    hints=(
        "Y transposed times Y counts for each pair how many documents have both: that is A. Its diagonal is Z. (Y is "
        "sparse; with so few labels A may be made dense.)",
        "A divided by its diagonal, column by column, is F(y|y'). Its transpose is F(y'|y). U is the mean of the two.",
        "V has labels as rows, so the inner products of all pairs are V times V transposed. Then the mean of the "
        "squared differences: a mean over K x K entries has the factor 1/K² already. np.maximum(..., 1) keeps 0 / 0 "
        "away.",
    ),
)

# --------------------------------------------------------------------------------------------------- an honest choice


def choose_lambda(lambdas: list[float], valid: np.ndarray, test: np.ndarray) -> tuple[float, float]:
    """The lambda of the highest mean over the seeds on validation rows, the smaller at a tie; its mean on test rows."""
    best = int(np.argmax(_smaller_first(lambdas, valid).mean(axis=1)))
    place = np.argsort(lambdas)[best]
    return float(lambdas[place]), float(test[place].mean())


def _smaller_first(lambdas: list[float], values: np.ndarray) -> np.ndarray:
    return values[np.argsort(lambdas)]


def _by(lambdas: list[float], judge: np.ndarray, told: np.ndarray) -> tuple[float, float]:
    place = int(np.argmax(judge))
    return float(lambdas[place]), float(told[place])


_LAMBDAS = [0.1, 1.0, 10.0, 100.0]
_VALID = np.array([[0.58, 0.60, 0.59], [0.60, 0.66, 0.61], [0.64, 0.63, 0.63], [0.62, 0.62, 0.64]])
_TEST = np.array([[0.57, 0.58, 0.56], [0.61, 0.60, 0.62], [0.60, 0.62, 0.61], [0.64, 0.62, 0.65]])
_LAMBDAS2 = [30.0, 3.0, 0.3]
_VALID2 = np.array([[0.50, 0.60], [0.55, 0.55], [0.53, 0.51]])
_TEST2 = np.array([[0.54, 0.56], [0.52, 0.51], [0.50, 0.57]])


def _told(lambdas: list[float], valid: np.ndarray, test: np.ndarray) -> str:
    return f"choose_lambda(lambdas={lambdas}, valid, test); valid =\n{valid}\ntest =\n{test}"


CHOOSE_LAMBDA = Exercise(
    name="glas.choose_lambda",
    reference=choose_lambda,
    cases=(
        Case((_LAMBDAS, _VALID, _TEST), _told(_LAMBDAS, _VALID, _TEST)),
        Case((_LAMBDAS2, _VALID2, _TEST2), _told(_LAMBDAS2, _VALID2, _TEST2)),
    ),
    mistakes=(
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, test.mean(axis=1), test.mean(axis=1)),
            "You chose by the test rows, and then told how good they are: the figure is the best of four, and too "
            "good. Validation rows choose.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.mean(axis=1), valid.mean(axis=1)),
            "The choice is right, but you told the validation figure that made it: the best of several is too good "
            "by luck. Report what that lambda reaches on test rows.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.max(axis=1), test.mean(axis=1)),
            "You chose by the best single seed. A lucky seed is no property of lambda: take the mean over the seeds.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.max(axis=1), test.max(axis=1)),
            "You took the best seed, to choose and to report. Take means over the seeds.",
        ),
        Mistake(
            lambda lambdas, valid, test: (choose_lambda(lambdas, valid, test)[0], float(test.max())),
            "The lambda is right; the figure is the best of the whole test table. Report that lambda's own.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.mean(axis=1), test.max(axis=1)),
            "The lambda is right, but you told its best seed's test figure. Report the mean over its seeds.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.mean(axis=1), test[np.arange(len(test)), valid.argmax(1)]),
            "The lambda is right, but you told the test figure of one seed, its best on validation rows. The question "
            "was what lambda does: report the mean over its seeds.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.mean(axis=1), test.mean(axis=1)),
            "At a tie the smaller lambda was wanted, and the lambdas need not come in order.",
        ),
        Mistake(
            lambda lambdas, valid, test: (float(choose_lambda(lambdas, valid, test)[0]), float(test.mean())),
            "You told the mean of all runs. Report that of the chosen lambda.",
        ),
        Mistake(
            lambda lambdas, valid, test: _by(lambdas, valid.mean(axis=1), np.arange(len(lambdas))),
            "The second of the two is the row's number. Wanted is the mean test figure of that row.",
        ),
    ),
    hints=(
        "A row for each lambda, a column for each seed. What may choose, and what may only be looked at once?",
        "The mean over a row of `valid` says how good a lambda is. Its best entry says how lucky a seed was.",
        "Which row has the highest mean? At a tie the smaller lambda, wherever it stands. Then the mean of the same "
        "row of `test`: return the two as a pair.",
    ),
)
