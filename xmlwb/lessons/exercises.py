"""Exercises and how a student's function is judged: on which input it fails, how, and the likely cause."""

from __future__ import annotations

import copy
import numbers
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import issparse

Function = Callable[..., Any]
_SPARSE = "The values are right; return an array: .toarray()"
Status = Literal["passed", "failed", "unwritten"]


@dataclass(frozen=True)
class Mistake:
    """A known way to get it wrong: a function that makes the mistake, and what to tell whoever made it."""

    function: Function
    why: str


@dataclass(frozen=True)
class Case:
    """One small input: the arguments, and how they are shown to the student (their ``repr`` if not given)."""

    args: tuple[Any, ...]
    shown: str | None = None


@dataclass(frozen=True)
class Exercise:
    """A function to write.

    Attributes
    ----------
    name : str
        Chapter key and name, as in ``"metrics.precision"``.
    reference : callable
        A right answer; the wanted values come from it.
    cases : tuple of Case
        Small inputs, the most telling first.
    mistakes : tuple of Mistake
        Known mistakes; a student's function that behaves as one is told so.
    hints : tuple of str
        From a nudge to an ingredient; the last one leaves something to do.
    otherwise : str
        What is told about a wrong answer that is none of the known mistakes.
    """

    name: str
    reference: Function
    cases: tuple[Case, ...]
    mistakes: tuple[Mistake, ...]
    hints: tuple[str, ...]
    otherwise: str = "None of the usual mistakes. Work this input by hand and print the steps in between."


@dataclass(frozen=True)
class Verdict:
    """The outcome of a check: what was tried, what came back, what was wanted, and a likely cause."""

    status: Status
    headline: str
    on: str = ""
    got: str = ""
    wanted: str = ""
    cause: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def judge(exercise: Exercise, function: Function) -> Verdict:
    """Run a student's function over the exercise's cases; the first failure decides the verdict."""
    if not callable(function):
        return Verdict(
            "failed",
            f"check wants the function itself, and was given {show(function)}.",
            cause=("Write its name without parentheses: check(name, function), not check(name, function(...))."),
        )
    for number, case in enumerate(exercise.cases):
        args = copy.deepcopy(case.args)
        try:
            got = function(*args)
        except NotImplementedError:
            return _unwritten()
        except Exception as error:  # whatever a student's code raises is theirs to read, not ours to die of
            return _raised(exercise, case, error)
        if got is None or got is Ellipsis:
            return _unwritten()
        verdict = _compare(exercise, number, function, got)
        if verdict is not None:
            return verdict
        if any(difference(now, before) for now, before in zip(args, case.args, strict=True)):
            return Verdict(
                "failed",
                "The value is right, but your function changed its input.",
                on=_input(exercise, case),
                cause=("Work on a copy (x.copy(), sorted(x) rather than x.sort()): the caller still needs its own."),
            )
    return Verdict("passed", f"Right on all {len(exercise.cases)} inputs.")


def _unwritten() -> Verdict:
    return Verdict(
        "unwritten",
        "Not written yet: the function returned None.",
        cause="Fill in the body and end it with `return`; a function that only prints also returns None.",
    )


def _raised(exercise: Exercise, case: Case, error: Exception) -> Verdict:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" on line {frames[1].lineno} of its cell" if len(frames) > 1 else ""
    cause = "The number or order of the arguments is not what the exercise asks for." if len(frames) == 1 else ""
    return Verdict(
        "failed",
        f"Your function stopped with {type(error).__name__}{where}: {error}",
        on=_input(exercise, case),
        wanted=show(exercise.reference(*copy.deepcopy(case.args))),
        cause=cause,
    )


def _compare(exercise: Exercise, number: int, function: Function, got: Any) -> Verdict | None:
    case = exercise.cases[number]
    wanted = exercise.reference(*copy.deepcopy(case.args))
    problem = difference(got, wanted)
    if problem is None:
        return None
    return Verdict(
        "failed",
        f"Not yet: {problem}.",
        on=_input(exercise, case),
        got=show(got),
        wanted=show(wanted),
        cause=_right_but_sparse(got, wanted) or _likely_cause(exercise, number, function, got),
    )


def _right_but_sparse(got: Any, wanted: Any) -> str:
    if not issparse(got) or issparse(wanted):
        return ""
    if difference(got.toarray(), wanted) is None:
        return _SPARSE
    return f"{_SPARSE}.ravel()" if difference(got.toarray().ravel(), wanted) is None else ""


def _likely_cause(exercise: Exercise, number: int, function: Function, got: Any) -> str:
    """The known mistake that gives what the student's function gives, here and on most other cases."""
    best, most = "", 0
    for mistake in exercise.mistakes:
        if not _makes(mistake, exercise.cases[number], got):
            continue
        agreed = sum(_makes(mistake, case, _value(function, case)) for case in exercise.cases)
        if agreed > most:
            best, most = mistake.why, agreed
    return best or exercise.otherwise


def _value(function: Function, case: Case) -> Any:
    try:
        return function(*copy.deepcopy(case.args))
    except Exception:  # a later case may break the student's function; it then agrees with no mistake
        return None


def _makes(mistake: Mistake, case: Case, got: Any) -> bool:
    """Whether the mistake leads to this value on this case."""
    try:
        return difference(got, mistake.function(*copy.deepcopy(case.args))) is None
    except (ArithmeticError, ValueError, IndexError, TypeError):
        return False  # the mistake itself breaks on this input


def _input(exercise: Exercise, case: Case) -> str:
    if case.shown is not None:
        return case.shown
    return f"{exercise.name.split('.')[-1]}({', '.join(show(arg) for arg in case.args)})"


def difference(got: Any, wanted: Any, tolerance: float = 1e-6) -> str | None:
    """Say in a few words how two values differ, or return None where they agree.

    Numbers, arrays, sparse matrices, sets and lists are understood.

    >>> difference(0.5, 1 / 3)
    'the value differs'
    >>> difference([1, 2], np.array([1, 2, 3]))
    'the shape is (2,), not (3,)'
    """
    if issparse(got) and not issparse(wanted):
        return "a sparse matrix came back where none was wanted"
    if issparse(wanted):
        got, wanted = (x.toarray() if issparse(x) else x for x in (got, wanted))
    if isinstance(wanted, set):
        return None if isinstance(got, set | frozenset) and set(got) == wanted else "the set differs"
    if isinstance(wanted, str) and isinstance(got, str):
        return None if got == wanted else "the answer differs"
    if isinstance(wanted, numbers.Number) and not _is_number(got):
        return f"a {type(got).__name__} came back where one number was wanted"
    try:
        left, right = np.asarray(got, dtype=float), np.asarray(wanted, dtype=float)
    except (TypeError, ValueError):
        return None if type(got) is type(wanted) and got == wanted else f"a {type(got).__name__} came back"
    if left.shape != right.shape:
        return f"the shape is {left.shape}, not {right.shape}"
    if np.allclose(left, right, rtol=tolerance, atol=tolerance, equal_nan=True):
        return None
    if left.ndim == 0:
        return "the value differs"
    place = np.argwhere(~np.isclose(left, right, rtol=tolerance, atol=tolerance))[0]
    return f"the entry at {', '.join(str(i) for i in place)} differs"


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Number) or (isinstance(value, np.ndarray) and value.ndim == 0)


def show(value: Any) -> str:
    """A short text for a value, as a reader would write it."""
    if issparse(value):
        value = value.toarray()
    if isinstance(value, np.ndarray):
        return np.array2string(value, precision=4, separator=", ", threshold=40, suppress_small=True)
    if isinstance(value, float | np.floating):
        return f"{float(value):.6g}"
    if isinstance(value, np.integer):
        return str(int(value))
    text = repr(value)
    return text if len(text) <= 300 else text[:300] + "…"
