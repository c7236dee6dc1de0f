from __future__ import annotations

from typing import Any

import pytest

from xmlwb.lessons import CHAPTERS, quiz
from xmlwb.lessons.chapters import chapter, lesson
from xmlwb.lessons.questions import LETTERS, Choice, MultipleChoice, Numeric, Slip, read_number

COLOUR = MultipleChoice("Sky?", (Choice("green", "no, grass is"), Choice("blue", "it scatters", right=True)))
TOTAL = Numeric(
    "6 x 7?",
    lambda: 42.0,
    "It is {answer}.",
    slips=(Slip(lambda: 13.0, "That is the sum."),),
)
ALL = [(info.key, number + 1) for info in CHAPTERS for number in range(len(lesson(info.key).QUESTIONS))]


def test_choice_is_explained_whether_right_or_wrong() -> None:
    assert COLOUR.judge("B").right
    assert COLOUR.judge("a").text == "no, grass is"


@pytest.mark.parametrize("answer", ["c", "", "ab", "1"])
def test_a_letter_that_is_no_choice(answer: str) -> None:
    with pytest.raises(ValueError, match="wanted one of the letters a, b"):
        COLOUR.judge(answer)


def test_a_question_needs_exactly_one_right_choice() -> None:
    with pytest.raises(ValueError, match="found 2 right"):
        MultipleChoice("?", (Choice("x", "", right=True), Choice("y", "", right=True)))


def test_a_percentage_with_or_without_its_sign() -> None:
    share = Numeric("How many of five?", lambda: 40.0, "{answer} %", percent=True)
    assert share.judge("40").right
    assert share.judge("40 %").right
    assert not share.judge("0.4").right


def test_number_right_slipped_and_wrong() -> None:
    assert TOTAL.judge("42.1").text == "It is 42."
    assert TOTAL.judge(13).text == "That is the sum."
    assert "too high" in TOTAL.judge("100").text
    assert "too low" in TOTAL.judge("-100").text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0,5", 0.5),
        ("1,234", 1234),
        ("0,125", 0.125),
        ("1,234.5", 1234.5),
        ("40 %", 0.4),
        ("1e3", 1000),
        (7, 7),
    ],
)
def test_numbers_as_people_type_them(text: Any, value: float) -> None:
    assert read_number(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "four", "nan", "inf", "1/2"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="answer: found"):
        read_number(text)


@pytest.mark.parametrize(("key", "number"), ALL)
def test_every_question_of_the_chapters_can_be_answered(key: str, number: int) -> None:
    question = lesson(key).QUESTIONS[number - 1]
    if isinstance(question, MultipleChoice):
        verdicts = [question.judge(letter).right for letter in LETTERS[: len(question.choices)]]
        assert sum(verdicts) == 1
        assert all(choice.why for choice in question.choices)
    else:
        assert question.judge(question.answer()).right
        for slip in question.slips:
            feedback = question.judge(slip.value())
            assert not feedback.right, "a slip is so near to the answer that it is accepted"
            assert feedback.text == slip.why


def test_neither_letter_nor_length_gives_the_right_choice_away() -> None:
    questions = [q for info in CHAPTERS for q in lesson(info.key).QUESTIONS if isinstance(q, MultipleChoice)]
    right = [next(i for i, choice in enumerate(q.choices) if choice.right) for q in questions]
    assert max(right.count(place) for place in range(3)) <= len(questions) / 2
    longest = [max(q.choices, key=lambda choice: len(choice.text)).right for q in questions]
    assert sum(longest) <= len(questions) / 2


def test_the_explanation_computes_its_further_numbers() -> None:
    share = Numeric("?", lambda: 40.0, "{answer} %, of which half is {half} %", facts={"half": lambda: 20.0})
    assert share.judge(40).text == "40 %, of which half is 20 %"


def test_a_label_with_two_positives_is_seldom_lost_to_training() -> None:
    # 69 % of debdeps' documents are for training: both positives outside of it, (1 - 0.69)^2
    question = lesson("data").QUESTIONS[1]
    assert isinstance(question, Numeric)
    assert "a chance of 9.65 %" in question.judge(question.answer()).text


def test_quiz_without_a_notebook_is_text_and_takes_answers(progress_file: Any) -> None:
    question = quiz("tour", 1)
    assert "a) " in repr(question)
    assert not question.answer("a").right
    assert question.answer("c").right


def test_quiz_in_a_notebook_is_a_widget_with_a_text_fallback() -> None:
    bundle = quiz("tour", 1)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"].startswith("Quick check 1.")


def test_pressing_a_choice_shows_why() -> None:
    box = quiz("tour", 1).widget()
    _, *rows, told = box.children
    wrong, right = rows[0].children[0], rows[2].children[0]
    wrong.click()
    assert "✗" in told.value
    right.click()
    assert "✓" in told.value
    assert right.button_style == "success"


def test_a_number_is_typed_and_answered() -> None:
    box = quiz("metrics", 1).widget()
    _, row, told = box.children
    field, button = row.children
    field.value = "zero"
    button.click()
    assert "wanted a number" in told.value
    field.value = "0,4"
    button.click()
    assert "✓" in told.value


@pytest.mark.parametrize("number", [0, 99])
def test_no_such_question(number: int) -> None:
    with pytest.raises(ValueError, match="number: found"):
        quiz("tour", number)


def test_no_such_chapter() -> None:
    with pytest.raises(ValueError, match="wanted one of"):
        chapter("cooking")
