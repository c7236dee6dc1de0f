"""Quick checks in a notebook: widgets around ``questions``, and plain text where no widget can be shown."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from xmlwb.lessons.chapters import lesson
from xmlwb.lessons.progress_file import record
from xmlwb.lessons.questions import LETTERS, Feedback, MultipleChoice, Question

if TYPE_CHECKING:
    import ipywidgets

# Okabe-Ito green and vermilion; the sign before the text says the same without colour
_RIGHT, _WRONG = ("#009E73", "✓ Right."), ("#D55E00", "✗ Not quite.")


class Quiz:
    """One question of a chapter, shown as a widget in a notebook and as text elsewhere.

    Without a notebook, answer from code: ``quiz("tour", 1).answer("b")``.
    """

    def __init__(self, chapter: str, number: int, question: Question) -> None:
        self.chapter, self.number, self.question = chapter, number, question

    def answer(self, value: str | float) -> Feedback:
        """Judge an answer and keep it.

        Raises
        ------
        ValueError
            If the answer is neither a letter of the question's nor, where one is asked for, a number.
        """
        feedback = self.question.judge(value)  # type: ignore[arg-type]
        record("quiz", f"{self.chapter}/{self.number}", feedback.right)
        return feedback

    def __repr__(self) -> str:
        return f"Quick check {self.number}. {self.question.as_text()}"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle: dict[str, Any] = dict(self.widget()._repr_mimebundle_() or {})
        bundle["text/plain"] = repr(self)
        return bundle

    def widget(self) -> ipywidgets.VBox:
        """Build the question as a widget; each call makes a fresh one."""
        import ipywidgets as w

        title = w.HTMLMath(_prose(f"<b>Quick check {self.number}.</b> {self.question.text}"))
        told = w.HTMLMath()

        def tell(value: str) -> bool:
            try:
                feedback = self.answer(value)
            except ValueError as error:
                told.value = _box(_WRONG[0], html.escape(str(error)))
                return False
            colour, sign = _RIGHT if feedback.right else _WRONG
            told.value = _box(colour, f"<b>{sign}</b> {feedback.text}")
            return feedback.right

        rows = _choices(self.question, tell) if isinstance(self.question, MultipleChoice) else _number(tell)
        return w.VBox([title, *rows, told], layout=w.Layout(margin="8px 0", padding="4px 12px"))


def _choices(question: MultipleChoice, tell: Any) -> list[ipywidgets.Widget]:
    import ipywidgets as w

    rows = []
    for letter, choice in zip(LETTERS, question.choices, strict=False):
        button = w.Button(description=letter, tooltip=f"Answer {letter}", layout=w.Layout(width="3em", flex="0 0 auto"))

        def chosen(pressed: ipywidgets.Button, letter: str = letter) -> None:
            pressed.button_style = "success" if tell(letter) else "warning"

        button.on_click(chosen)
        text = w.HTMLMath(_prose(choice.text))
        rows.append(w.HBox([button, text], layout=w.Layout(align_items="center")))
    return rows


def _number(tell: Any) -> list[ipywidgets.Widget]:
    import ipywidgets as w

    field = w.Text(placeholder="a number", layout=w.Layout(width="12em"))
    button = w.Button(description="Answer", layout=w.Layout(width="7em"))
    button.on_click(lambda _: tell(field.value))
    return [w.HBox([field, button])]


def _prose(text: str) -> str:
    # as large as the notebook's own text; widgets are smaller
    return f'<div style="font-size:15px;line-height:1.5;max-width:50em">{text}</div>'


def _box(colour: str, text: str) -> str:
    return f'<div style="border-left:4px solid {colour};padding:2px 10px">{_prose(text)}</div>'


def quiz(chapter: str, number: int) -> Quiz:
    """Return a chapter's quick check; shown as a widget where it is the last line of a notebook cell.

    Parameters
    ----------
    chapter : str
        The chapter's key: ``"tour"``, ``"data"``, ``"metrics"``.
    number : int
        1 for the chapter's first question.

    Raises
    ------
    ValueError
        If there is no such chapter, or no such question in it.
    """
    questions: list[Question] = lesson(chapter).QUESTIONS
    if not 1 <= number <= len(questions):
        raise ValueError(f"number: found {number!r}, wanted 1 to {len(questions)} in chapter {chapter!r}")
    return Quiz(chapter, number, questions[number - 1])
