"""Chapter 08's exercises: right solutions of other make pass, near misses are told what they are."""

from __future__ import annotations

import numpy as np
import pytest

from xmlwb.lessons.exercises import judge
from xmlwb.lessons.lightdxml import EXERCISES, QUESTIONS
from xmlwb.lessons.questions import MultipleChoice, Numeric

LABEL_CENTROIDS, BLEND, CHOOSE_BETA = EXERCISES


def told_about(exercise, wrong) -> str:
    verdict = judge(exercise, wrong)
    assert verdict.status == "failed"
    return f"{verdict.headline} {verdict.cause}"


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_every_known_mistake_fails_and_is_told_as_itself_or_as_one_that_gives_the_same(exercise) -> None:
    told = [told_about(exercise, mistake.function) for mistake in exercise.mistakes]
    assert all(
        mistake.why in text or exercise.otherwise not in text
        for mistake, text in zip(exercise.mistakes, told, strict=True)
    )
    themselves = sum(mistake.why in text for mistake, text in zip(exercise.mistakes, told, strict=True))
    assert themselves >= len(exercise.mistakes) - 2


def centroids_one_by_one(features, Y):
    rows = [features[np.flatnonzero(column)] for column in Y.toarray().T]
    return [row.mean(axis=0) if len(row) else np.zeros(features.shape[1]) for row in rows]


def centroids_by_normalising_columns(features, Y):
    dense = Y.toarray()
    totals = dense.sum(axis=0)
    return np.divide(dense, totals, out=np.zeros_like(dense), where=totals > 0).T @ features


@pytest.mark.parametrize("right", [centroids_one_by_one, centroids_by_normalising_columns])
def test_right_centroids_of_other_make_pass(right) -> None:
    assert judge(LABEL_CENTROIDS, right).passed


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def blend_label_by_label(shortlist, cosines, scores, beta):
    final = [0.0] * len(scores)
    for label, cosine in zip(shortlist, cosines, strict=True):
        if label != -1:
            final[label] = beta / (1 + np.exp(-scores[label])) + (1 - beta) / (1 + np.exp(-cosine))
    return final


def test_a_right_blend_of_other_make_passes() -> None:
    assert judge(BLEND, blend_label_by_label).passed


def test_a_blend_of_all_labels_is_told_why_not() -> None:
    def all_labels(shortlist, cosines, scores, beta):
        near = np.zeros(len(scores))
        near[shortlist[shortlist >= 0]] = cosines[shortlist >= 0]
        return beta * sigmoid(scores) + (1 - beta) * sigmoid(near)

    assert "outside the shortlist" in told_about(BLEND, all_labels)


def precision(mixed, Y):
    return np.mean([Y[row, np.argmax(mixed[row])] for row in range(len(Y))])


def beta_by_sorting(betas, classifier, near, Y, is_valid):
    rows = []
    for beta in betas:
        mixed = beta * classifier + (1 - beta) * near
        rows.append((precision(mixed[is_valid], Y[is_valid]), beta, precision(mixed[~is_valid], Y[~is_valid])))
    _, beta, told = sorted(rows)[-1]
    return beta, told


def test_a_right_choice_of_other_make_passes() -> None:
    assert judge(CHOOSE_BETA, beta_by_sorting).passed


def test_choosing_on_test_rows_is_told_so() -> None:
    def dishonest(betas, classifier, near, Y, is_valid):
        return beta_by_sorting(betas, classifier, near, Y, ~is_valid)[0], max(
            precision((b * classifier + (1 - b) * near)[~is_valid], Y[~is_valid]) for b in betas
        )

    assert "Validation rows choose" in told_about(CHOOSE_BETA, dishonest)


def test_numbers_of_the_questions() -> None:
    answers = [question.answer() for question in QUESTIONS if isinstance(question, Numeric)]
    assert answers == pytest.approx([39, 109.23, 2617.5, 0.0770], rel=0.01)
    for question in QUESTIONS:
        if isinstance(question, Numeric):
            assert question.judge(question.answer()).right
            assert "{" not in question.judge(question.answer()).text
            for slip in question.slips:
                assert question.judge(slip.value()).text == slip.why
        elif isinstance(question, MultipleChoice):
            assert all(choice.why for choice in question.choices)
