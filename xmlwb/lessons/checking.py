"""``check`` and ``hint``: exercises as a notebook shows them."""

from __future__ import annotations

import html
from dataclasses import dataclass

from xmlwb.lessons.chapters import CHAPTERS, lesson
from xmlwb.lessons.exercises import Exercise, Function, Verdict, judge
from xmlwb.lessons.progress_file import record

_SIGNS = {"passed": ("#009E73", "✓"), "failed": ("#D55E00", "✗"), "unwritten": ("#0072B2", "○")}
_KEY_STYLE = "text-align:right;vertical-align:top;opacity:.75;white-space:nowrap"
_hints_given: dict[str, int] = {}


@dataclass(frozen=True)
class Report:
    """A verdict as a notebook or a terminal shows it."""

    name: str
    verdict: Verdict

    @property
    def passed(self) -> bool:
        return self.verdict.passed

    def _lines(self) -> list[tuple[str, str]]:
        v = self.verdict
        why = "what to do" if v.status == "unwritten" else "likely cause"
        lines = [("on", v.on), ("it returned", v.got), ("wanted", v.wanted), (why, v.cause)]
        if not v.passed:
            lines.append(("stuck?", f'hint("{self.name}")'))
        return [(key, value) for key, value in lines if value]

    def __repr__(self) -> str:
        sign = _SIGNS[self.verdict.status][1]
        return "\n".join([f"{sign} {self.name}: {self.verdict.headline}", *(f"  {k}: {v}" for k, v in self._lines())])

    def _repr_html_(self) -> str:
        colour, sign = _SIGNS[self.verdict.status]
        rows = "".join(
            f'<tr style="background:none"><td style="{_KEY_STYLE}">{key}</td>'
            f'<td style="text-align:left;white-space:pre-wrap">{_cell(key, value)}</td></tr>'
            for key, value in self._lines()
        )
        return (
            f'<div style="border-left:4px solid {colour};padding:2px 10px;line-height:1.45">'
            f"<b>{sign} {html.escape(self.name)}</b>: {html.escape(self.verdict.headline)}"
            f'<table style="margin:2px 0 0 0">{rows}</table></div>'
        )


def _cell(key: str, value: str) -> str:
    text = html.escape(value)
    return text if key in ("likely cause", "what to do") else f'<code style="display:inline-block">{text}</code>'


def exercise(name: str) -> Exercise:
    """Return an exercise by its name, as in ``"metrics.precision"``.

    Raises
    ------
    ValueError
        If there is no exercise of that name.
    """
    names = []
    for info in CHAPTERS:
        for found in lesson(info.key).EXERCISES:
            names.append(found.name)
            if found.name == name:
                return found
    raise ValueError(f"name: found {name!r}, wanted one of {names}")


def check(name: str, function: Function, *, keep: bool = True) -> Report:
    """Try a student's function on small inputs, and say what is wrong with it if anything is.

    Parameters
    ----------
    name : str
        The exercise, as in ``"metrics.precision"``.
    function : callable
        The function itself, not its result.
    keep : bool, default True
        Whether the outcome counts as the reader's progress (not so for the solutions).

    Returns
    -------
    Report
        Shown by the notebook; ``.passed`` for code.

    Raises
    ------
    ValueError
        If there is no exercise of that name.
    """
    verdict = judge(exercise(name), function)
    if keep and verdict.status != "unwritten":
        record("exercise", name, verdict.passed)
    return Report(name, verdict)


def hint(name: str) -> None:
    """Print the next hint for an exercise, after those already given.

    Raises
    ------
    ValueError
        If there is no exercise of that name.
    """
    hints = exercise(name).hints
    given = min(_hints_given.get(name, 0) + 1, len(hints))
    _hints_given[name] = given
    for number, text in enumerate(hints[:given], start=1):
        print(f"Hint {number} of {len(hints)}: {text}")
