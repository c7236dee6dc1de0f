"""Quick-check questions and how an answer to one is judged. No display here: see ``quiz_view``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LETTERS = "abcdefgh"


@dataclass(frozen=True)
class Feedback:
    """What a reader is told after an answer: whether it was right, and why."""

    right: bool
    text: str


@dataclass(frozen=True)
class Choice:
    """One answer to choose; ``why`` says why it is right, or what is wrong with it."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True)
class MultipleChoice:
    """A question with exactly one right choice.

    Raises
    ------
    ValueError
        If not exactly one of the choices is right.
    """

    text: str
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        right = sum(choice.right for choice in self.choices)
        if right != 1 or len(self.choices) > len(LETTERS):
            raise ValueError(f"choices: found {right} right ones of {len(self.choices)}, wanted 1 of at most 8")

    def judge(self, answer: str) -> Feedback:
        """Judge a letter; a wrong one is told why it is wrong, and may be tried again.

        Raises
        ------
        ValueError
            If the answer is not one of the letters.
        """
        letters = LETTERS[: len(self.choices)]
        letter = str(answer).strip().lower()
        if len(letter) != 1 or letter not in letters:
            raise ValueError(f"answer: found {answer!r}, wanted one of the letters {', '.join(letters)}")
        choice = self.choices[letters.index(letter)]
        return Feedback(choice.right, choice.why)

    def as_text(self) -> str:
        """The question and its choices as plain text."""
        lines = [f"  {letter}) {c.text}" for letter, c in zip(LETTERS, self.choices, strict=False)]
        return "\n".join([self.text, *lines])


@dataclass(frozen=True)
class Slip:
    """A wrong number that people reach, and the mistake that leads to it."""

    value: Callable[[], float]
    why: str


@dataclass(frozen=True)
class Numeric:
    """A question whose answer is a number.

    Attributes
    ----------
    text : str
        The question; it says to how many digits an answer is wanted.
    answer : callable
        Computes the answer from the bundled data, so that question and data cannot drift apart.
    explanation : str
        Shown after an answer; ``{answer}`` stands for the computed value, ``{name}`` for the fact of that name.
    facts : mapping of str to callable
        Further numbers of the explanation, computed as the answer is.
    slips : tuple of Slip
        Wrong numbers with a known cause.
    tolerance : float
        Largest accepted relative error.
    digits : int
        Significant digits shown.
    percent : bool
        Whether the answer is in percent; it may then be typed with the sign or without.
    """

    text: str
    answer: Callable[[], float]
    explanation: str
    slips: tuple[Slip, ...] = ()
    tolerance: float = 0.02
    digits: int = 3
    percent: bool = False
    facts: Mapping[str, Callable[[], float]] = field(default_factory=dict)

    def judge(self, answer: str | float) -> Feedback:
        """Judge a number (text such as ``"12.5"``, ``"12,5"``, ``"40 %"`` or ``"1e3"`` is understood).

        Raises
        ------
        ValueError
            If the answer cannot be read as a finite number.
        """
        value = read_number(answer)
        if self.percent and str(answer).strip().endswith("%"):
            value *= 100
        truth = float(self.answer())
        if self._near(value, truth):
            shown = {name: self._show(fact()) for name, fact in self.facts.items()}
            return Feedback(True, self.explanation.format(answer=self._show(truth), **shown))
        for slip in self.slips:
            if self._near(value, float(slip.value())):
                return Feedback(False, slip.why)
        return Feedback(False, f"{value:g} is too {'high' if value > truth else 'low'}. Try again.")

    def _show(self, value: float) -> str:
        return f"{value:.{self.digits}g}"

    def _near(self, value: float, target: float) -> bool:
        return abs(value - target) <= self.tolerance * max(abs(target), 1e-12)

    def as_text(self) -> str:
        """The question as plain text."""
        return f"{self.text}\n  (a number)"


Question = MultipleChoice | Numeric


def read_number(answer: str | float) -> float:
    """Read a number as people type it; a percentage becomes a fraction.

    >>> read_number("12,5 %")
    0.125
    >>> read_number("1,234")
    1234.0
    """
    text = str(answer).strip().replace(" ", "").replace("_", "")
    percent = text.endswith("%")
    text = text.removesuffix("%")
    head, comma, tail = text.rpartition(",")
    if comma:
        # 1,234 and 1,234,567.8 group digits; 12,5 is a decimal comma
        grouped = "," in head or "." in tail or (len(tail) == 3 and head not in ("0", "-0", ""))
        text = text.replace(",", "" if grouped else ".")
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"answer: found {answer!r}, wanted a number such as 0.25, 25 % or 1200") from None
    if not math.isfinite(value):
        raise ValueError(f"answer: found {answer!r}, wanted a finite number")
    return value / 100 if percent else value
