from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.lessons import CHAPTERS, check, hint
from xmlwb.lessons.chapters import lesson
from xmlwb.lessons.checking import exercise
from xmlwb.lessons.exercises import Case, Exercise, Mistake, difference, judge, show

EXERCISES = [exercise for info in CHAPTERS for exercise in lesson(info.key).EXERCISES]
MISTAKES = [(exercise, mistake) for exercise in EXERCISES for mistake in exercise.mistakes]


def double(numbers: list[int]) -> list[int]:
    return [2 * x for x in numbers]


DOUBLE = Exercise(
    name="test.double",
    reference=double,
    cases=(Case(([2],)), Case(([1, 3],))),
    mistakes=(
        Mistake(lambda numbers: [x**2 for x in numbers], "You squared."),
        Mistake(lambda numbers: [x + 2 for x in numbers], "You added 2."),
    ),
    hints=("Times two.",),
)


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_the_reference_passes_its_own_cases(exercise: Exercise) -> None:
    assert judge(exercise, exercise.reference).passed


@pytest.mark.parametrize(("exercise", "mistake"), MISTAKES, ids=lambda x: getattr(x, "name", ""))
def test_every_known_mistake_fails_and_is_named(exercise: Exercise, mistake: Mistake) -> None:
    verdict = judge(exercise, mistake.function)
    assert verdict.status == "failed"
    # a mistake that breaks on an input (a division by zero, say) is told so; every other one is named
    assert verdict.cause == mistake.why or "stopped with" in verdict.headline


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda e: e.name)
def test_exercises_belong_to_their_chapter_and_have_hints(exercise: Exercise) -> None:
    assert exercise.name.split(".")[0] in [info.key for info in CHAPTERS]
    assert len(exercise.hints) >= 2
    assert len(exercise.cases) >= 2


def test_right_values_in_a_sparse_row_are_told_so() -> None:
    def sparse_vote(similarity: np.ndarray, Y: csr_array, m: int) -> Any:
        nearest = np.argsort(-similarity, kind="stable")[:m]
        return csr_array(similarity[None, nearest]) @ Y[nearest]

    assert ".toarray().ravel()" in judge(exercise("tour.vote"), sparse_vote).cause


def test_psp_takes_a_solution_that_indexes_the_weights_as_an_array() -> None:
    def psp(relevant: list[set[int]], ranked: list[list[int]], weight: np.ndarray, k: int) -> float:
        gained = sum(weight[x] for y, r in zip(relevant, ranked, strict=True) for x in r[:k] if x in y)
        return gained / sum(np.sort(weight[list(y)])[::-1][:k].sum() for y in relevant)

    assert judge(exercise("metrics.psp"), psp).passed


def test_a_wrong_value_is_shown_with_input_and_likely_cause() -> None:
    verdict = judge(DOUBLE, lambda numbers: [x + 2 for x in numbers])
    assert (verdict.on, verdict.got, verdict.wanted) == ("double([1, 3])", "[3, 5]", "[2, 6]")
    assert verdict.cause == "You added 2."


def test_an_unknown_mistake_says_what_to_do_next() -> None:
    assert "by hand" in judge(DOUBLE, lambda numbers: [0]).cause


@pytest.mark.parametrize("unwritten", [lambda numbers: None, lambda numbers: ...])
def test_a_stub_is_not_called_wrong(unwritten: Any) -> None:
    assert judge(DOUBLE, unwritten).status == "unwritten"


def test_not_implemented_counts_as_unwritten() -> None:
    def stub(numbers: list[int]) -> list[int]:
        raise NotImplementedError

    assert judge(DOUBLE, stub).status == "unwritten"


def test_an_error_in_the_students_code_is_reported_with_its_line() -> None:
    def broken(numbers: list[int]) -> float:
        return numbers[0] / 0

    verdict = judge(DOUBLE, broken)
    assert verdict.status == "failed"
    assert "ZeroDivisionError on line" in verdict.headline
    assert verdict.on == "double([2])"


def test_wrong_arguments_are_told_apart_from_a_broken_body() -> None:
    assert "arguments" in judge(DOUBLE, lambda: [4]).cause


def test_a_result_in_place_of_the_function() -> None:
    verdict = judge(DOUBLE, [4])  # type: ignore[arg-type]
    assert verdict.status == "failed"
    assert "without parentheses" in verdict.cause


def test_a_function_that_changes_its_input_is_caught() -> None:
    def in_place(numbers: list[int]) -> list[int]:
        result = double(numbers)
        numbers.clear()
        return result

    assert "changed its input" in judge(DOUBLE, in_place).headline


@pytest.mark.parametrize(
    ("got", "wanted", "problem"),
    [
        (1 / 3, 1 / 3, None),
        (np.float32(0.5), 0.5, None),
        ([0.5], 0.5, "a list came back where one number was wanted"),
        (np.array([1, 2]), np.array([1, 3]), "the entry at 1 differs"),
        ({1}, {1, 2}, "the set differs"),
        ({1}, {1}, None),
        ("x", 1.0, "a str came back where one number was wanted"),
        (csr_array(np.eye(2)), csr_array(np.eye(2)), None),
        (csr_array(np.eye(2)), np.eye(2), "a sparse matrix came back where none was wanted"),
    ],
)
def test_difference(got: Any, wanted: Any, problem: str | None) -> None:
    assert difference(got, wanted) == problem


def test_show_is_short() -> None:
    assert show(np.float64(0.123456789)) == "0.123457"
    assert len(show(list(range(10_000)))) < 400


def test_check_reports_in_text_and_html(progress_file: Any) -> None:
    report = check("metrics.precision", lambda relevant, ranked, k: len(relevant) * 10)
    assert not report.passed
    assert "wanted: 0.4" in repr(report)
    assert 'hint("metrics.precision")' in repr(report)
    assert "&lt;" not in report._repr_html_()
    assert "0.4" in report._repr_html_()


def test_check_escapes_html_from_the_students_error() -> None:
    def angry(relevant: Any, ranked: Any, k: int) -> float:
        raise ValueError("<script>alert(1)</script>")

    assert "<script>" not in check("metrics.precision", angry)._repr_html_()


def test_unknown_exercise_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"metrics\.precision"):
        check("metrics.nothing", print)


def test_hints_come_one_by_one(capsys: pytest.CaptureFixture[str]) -> None:
    hint("data.leaked_share")
    first = capsys.readouterr().out
    hint("data.leaked_share")
    second = capsys.readouterr().out
    assert first.count("Hint") == 1
    assert second.startswith(first)
    assert second.count("Hint") == 2


def test_right_values_in_a_sparse_matrix_are_told_so() -> None:
    def sparse_decode(Z: np.ndarray, V: np.ndarray, mean: np.ndarray) -> Any:
        return csr_array((Z @ V.T + mean >= 0.5).astype(int))

    cause = judge(exercise("svd_leml.plst_decode"), sparse_decode).cause
    assert ".toarray()" in cause
    assert "ravel" not in cause


def test_a_step_that_breaks_on_sparse_matrices_does_not_pass() -> None:
    def stacked(X: Any, Y: Any, W: np.ndarray, lam: float) -> np.ndarray:
        A = X @ W
        return np.linalg.solve(A.T @ A + lam / 2 * np.eye(A.shape[1]), np.dot(A.T, Y)).T

    assert judge(exercise("svd_leml.leml_step"), stacked).status == "failed"


def test_a_ridge_four_times_too_strong_is_not_called_n_times() -> None:
    def too_strong(X: Any, Y: Any, W: np.ndarray, lam: float) -> np.ndarray:
        A = X @ W
        return np.linalg.solve(A.T @ A + 2 * lam * np.eye(A.shape[1]), (Y.T @ A).T).T

    assert "four times" in judge(exercise("svd_leml.leml_step"), too_strong).cause
