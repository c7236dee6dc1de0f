"""Chapter 07's exercises: right solutions of other make pass, near misses are told what they are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import judge
from xmlwb.lessons.glas import EXERCISES, QUESTIONS
from xmlwb.lessons.glas_exercises import choose_lambda, glas_loss
from xmlwb.lessons.questions import MultipleChoice, Numeric
from xmlwb.lessons.theory import smallest_eigenvalue
from xmlwb.solvers.label_affinity import affinity

GLAS_LOSS, CHOOSE_LAMBDA = EXERCISES


def told_about(exercise, wrong) -> str:
    verdict = judge(exercise, wrong)
    assert verdict.status == "failed"
    return f"{verdict.headline} {verdict.cause}"


def sum_of_pairs(V, Y):
    """Pair by pair, as the sum is written."""
    dense, K = Y.toarray(), len(V)
    total = 0.0
    for y in range(K):
        for other in range(K):
            both = (dense[:, y] * dense[:, other]).sum()
            given = [both / count if count else 0.0 for count in (dense[:, y].sum(), dense[:, other].sum())]
            total += (V[y] @ V[other] - sum(given) / 2) ** 2
    return total / K**2


def by_frobenius(V, Y):
    A = (Y.T @ Y).toarray()
    inverse = np.divide(1.0, A.diagonal(), out=np.zeros(len(A)), where=A.diagonal() > 0)
    U = (A @ np.diag(inverse) + np.diag(inverse) @ A) / 2
    return np.linalg.norm(V @ V.T - U, "fro") ** 2 / len(V) ** 2


def by_the_library(V, Y):
    return np.mean((V @ V.T - affinity(csr_array(Y, dtype=np.float32)).toarray()) ** 2)


@pytest.mark.parametrize("right", [sum_of_pairs, by_frobenius, by_the_library])
def test_right_losses_of_other_make_pass(right):
    assert judge(GLAS_LOSS, right).passed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda V, Y: by_frobenius(V, Y) * len(V) ** 2, "Divide by K²"),
        (lambda V, Y: np.linalg.norm(V @ V.T - affinity(Y).toarray()) / len(V) ** 2, "has its square"),
        (lambda V, Y: np.mean((V @ V.T) ** 2), "spread-out"),
        (lambda V, Y: np.mean((V @ V.T - affinity(Y, "geometric").toarray()) ** 2), "theorem B.1"),
        (lambda V, Y: np.mean((V @ V.T - affinity(Y, "jaccard").toarray()) ** 2), "Jaccard"),
        (lambda V, Y: (V @ V.T - affinity(Y).toarray()) ** 2, "array"),
        (lambda V, Y: np.mean((V.T @ V - affinity(Y).toarray()) ** 2), "ValueError"),
        (lambda V, Y: np.mean((V @ V.T - (Y.T @ Y) / Y.shape[0]) ** 2), "how often the pair occurs at all"),
        (lambda V, Y: -by_frobenius(V, Y), "None of the usual"),
    ],
)
def test_near_misses_of_the_loss_are_told_what_they_are(wrong, told: str):
    assert told in told_about(GLAS_LOSS, wrong)


def sorted_first(lambdas, valid, test):
    order = np.argsort(lambdas)
    best = order[np.argmax(valid[order].mean(axis=1))]
    return np.array([lambdas[best], test[best].mean()])


def by_tuples(lambdas, valid, test):
    rows = [(-np.mean(v), lam, np.mean(t)) for lam, v, t in zip(lambdas, valid, test, strict=True)]
    return list(sorted(rows)[0][1:])


@pytest.mark.parametrize("right", [sorted_first, by_tuples])
def test_right_choices_of_other_make_pass(right):
    assert judge(CHOOSE_LAMBDA, right).passed


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda lam, v, t: (lam[t.mean(axis=1).argmax()], t.mean(axis=1).max()), "chose by the test rows"),
        (lambda lam, v, t: (lam[v.mean(axis=1).argmax()], v.mean(axis=1).max()), "validation figure that made it"),
        (lambda lam, v, t: (lam[v.max(axis=1).argmax()], t[v.max(axis=1).argmax()].mean()), "lucky seed"),
        (lambda lam, v, t: (lam[v.mean(axis=1).argmax()], t[v.mean(axis=1).argmax()].max()), "best seed's"),
        (lambda lam, v, t: (lam[v.mean(axis=1).argmax()], t[v.mean(axis=1).argmax()].mean()), "At a tie the smaller"),
        (lambda lam, v, t: lam[v.mean(axis=1).argmax()], "shape"),
        (lambda lam, v, t: (v.mean(axis=1).argmax(), t[v.mean(axis=1).argmax()].mean()), "None of the usual"),
    ],
)
def test_near_misses_of_the_choice_are_told_what_they_are(wrong, told: str):
    assert told in told_about(CHOOSE_LAMBDA, wrong)


def test_the_tables_tell_the_mistakes_apart():
    first, second = (case.args for case in CHOOSE_LAMBDA.cases)
    assert choose_lambda(*first) == (10.0, pytest.approx(0.61))
    assert choose_lambda(*second)[0] == 3.0  # a tie with 30
    assert second[1].mean(axis=1)[0] == second[1].mean(axis=1)[1]


def test_a_label_that_never_occurs_has_zeros_in_the_target():
    V, Y = GLAS_LOSS.cases[1].args
    assert (Y.toarray().sum(axis=0) == 0).any()
    with_it, without = glas_loss(V, Y), glas_loss(V[:3], csr_array(Y.toarray()[:, :3]))
    assert with_it == pytest.approx((9 * without + 2 * np.sum((V[:3] @ V[3]) ** 2) + (V[3] @ V[3]) ** 2) / 16)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_every_mistake_fails_and_is_told_apart(exercise):
    for mistake in exercise.mistakes:
        verdict = judge(exercise, mistake.function)
        assert verdict.status == "failed", mistake.why
        assert verdict.cause == mistake.why


@pytest.mark.parametrize("question", [q for q in QUESTIONS if isinstance(q, Numeric)], ids=lambda q: q.text[:30])
def test_slips_are_told_apart_from_the_answer(question: Numeric):
    assert question.judge(question.answer()).right
    for slip in question.slips:
        assert question.judge(slip.value()).text == slip.why


def test_right_choices_are_not_all_in_the_same_place():
    places = [[c.right for c in q.choices].index(True) for q in QUESTIONS if isinstance(q, MultipleChoice)]
    assert len(set(places)) >= 3
    assert max(places.count(place) for place in set(places)) <= len(places) / 2


def test_four_strangers_fit_around_a_hub():
    (hub,) = [q for q in QUESTIONS if isinstance(q, Numeric) and "hub" in q.text]
    for children in (int(hub.answer()), int(hub.answer()) + 1):
        U = np.eye(children + 1)
        U[0, 1:] = U[1:, 0] = 0.5
        assert (smallest_eigenvalue(U) > -1e-9) == (children == hub.answer())
