"""A quick check on paper: every choice opens to say why it is right or what is wrong with it."""

from __future__ import annotations

import html

from xmlwb.book.prose import math_in_html
from xmlwb.lessons.chapters import lesson
from xmlwb.lessons.questions import LETTERS, MultipleChoice


def quick_check_html(chapter: str, number: int, answers: dict[str, str], *, instructor: bool = False) -> str:
    """One question as HTML that needs no script.

    Parameters
    ----------
    chapter, number
        As in ``quiz("metrics", 1)``.
    answers : dict of str to str
        Explanations of the questions that ask for a number, ``{"metrics/1": text}``.
    instructor : bool
        Whether the right answer stands open.
    """
    questions = lesson(chapter).QUESTIONS
    if not 1 <= number <= len(questions):
        return ""
    question = questions[number - 1]
    parts = [f"<p><b>Quick check {number}.</b> {math_in_html(question.text)}</p>"]
    if isinstance(question, MultipleChoice):
        parts.append("<p class='how'>Choose one; it says whether it is right.</p>")
        for letter, choice in zip(LETTERS, question.choices, strict=False):
            sign, kind = ("✓ Right.", "right") if choice.right else ("✗ Not quite.", "wrong")
            opened = " open" if instructor and choice.right else ""
            parts.append(
                f'<details class="choice {kind}"{opened}><summary><b>{letter}</b> {math_in_html(choice.text)}</summary>'
                f"<p><b>{sign}</b> {math_in_html(choice.why)}</p></details>"
            )
    elif told := answers.get(f"{chapter}/{number}", ""):
        opened = " open" if instructor else ""
        parts.append(
            f'<details class="choice"{opened}><summary>Think of a number, then open the answer</summary>'
            f"<p>{math_in_html(told)}</p></details>"
        )
    else:
        parts.append(f"<p class='how'>The answer is a number; {html.escape('the notebook judges it')}.</p>")
    return f'<section class="quick-check" aria-label="Quick check {number}">{"".join(parts)}</section>'
