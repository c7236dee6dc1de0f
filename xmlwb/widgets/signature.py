"""A model's hyper-parameters, read from its signature and its docstring."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints


@dataclass(frozen=True)
class Parameter:
    """One argument of a model's constructor.

    Parameters
    ----------
    name : str
    default : object
    kinds : tuple of type
        Types that its annotation allows, None left out; the default's type where there is no annotation.
    optional : bool
        Whether None is allowed.
    choices : tuple
        The values that it can take, if they are few; else empty.
    interval : (float, float) or None
        Bounds, where the docstring names them as ``in [0, 1]``.
    help : str
        The docstring's text on it, on one line.
    """

    name: str
    default: Any
    kinds: tuple[type, ...]
    optional: bool
    choices: tuple[Any, ...]
    interval: tuple[float, float] | None
    help: str


def read_parameters(cls: type) -> list[Parameter]:
    """Read the constructor's arguments with their types, choices, bounds and help.

    Choices come from a ``Literal`` annotation or from ``{"exact", "hnsw"}`` in the numpydoc type line, bounds from
    ``in [0, 1]`` there.

    Raises
    ------
    TypeError
        If an argument has no default: a panel could not show where it stands.

    Examples
    --------
    >>> class Model:
    ...     '''A model.
    ...
    ...     Parameters
    ...     ----------
    ...     C : float, default 1.0
    ...         Weight of the loss.
    ...     '''
    ...     def __init__(self, *, C: float = 1.0) -> None: ...
    >>> [(p.name, p.default, p.kinds, p.help) for p in read_parameters(Model)]
    [('C', 1.0, (<class 'float'>,), 'Weight of the loss.')]
    """
    hints = get_type_hints(cls.__init__)  # type: ignore[misc]  # a class's own constructor is what is asked for
    documented = _read_docstring(inspect.getdoc(cls) or "")
    found = []
    for name, argument in inspect.signature(cls).parameters.items():
        if argument.default is inspect.Parameter.empty:
            raise TypeError(
                f"{cls.__name__}: argument {name!r} has no default; wanted one, so that a panel can show it"
            )
        type_line, text = documented.get(name, ("", ""))
        kinds, literals, optional = _unfold(hints.get(name, type(argument.default)))
        found.append(
            Parameter(
                name=name,
                default=argument.default,
                kinds=kinds,
                optional=optional,
                choices=literals or _braces(type_line),
                interval=_interval(type_line),
                help=text,
            )
        )
    return found


def _unfold(annotation: Any) -> tuple[tuple[type, ...], tuple[Any, ...], bool]:
    """Types, literal values, and whether None is among them."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    literals = tuple(v for member in members if get_origin(member) is Literal for v in get_args(member))
    kinds = tuple(member for member in members if isinstance(member, type) and member is not type(None))
    return kinds, literals, type(None) in members or None in literals


_HEADING = re.compile(r"^\S.*\n-{3,}$", re.MULTILINE)
_ENTRY = re.compile(r"^(\w[\w, ]*?)\s*:\s*(.*)$")


def _read_docstring(text: str) -> dict[str, tuple[str, str]]:
    """name -> (type line, help) of a numpydoc Parameters section."""
    begin = re.search(r"^Parameters\n-{3,}\n", text, re.MULTILINE)
    if begin is None:
        return {}
    section = text[begin.end() :]
    if end := _HEADING.search(section):
        section = section[: end.start()]
    entries: dict[str, tuple[str, str]] = {}
    names: list[str] = []
    for line in section.splitlines():
        if (entry := _ENTRY.match(line)) is not None:
            names = [name.strip() for name in entry[1].split(",")]
            entries.update(dict.fromkeys(names, (entry[2], "")))
        elif line.startswith(" ") and line.strip():
            for name in names:
                type_line, help_text = entries[name]
                entries[name] = (type_line, f"{help_text} {_plain(line.strip())}".strip())
    return entries


def _plain(text: str) -> str:
    """reStructuredText's marks for code left out."""
    return text.replace("``", "").replace("`", "")


def _braces(type_line: str) -> tuple[Any, ...]:
    braces = re.match(r"\{[^}]*\}", type_line)
    if braces is None:
        return ()
    try:
        return tuple(ast.literal_eval(f"[{braces[0][1:-1]}]"))
    except (ValueError, SyntaxError):
        return ()  # prose in braces: no choices to offer


def _interval(type_line: str) -> tuple[float, float] | None:
    number = r"(-?\d+(?:\.\d+)?(?:e-?\d+)?)"
    bounds = re.search(rf"in [\[(]{number},\s*{number}[\])]", type_line)
    return (float(bounds[1]), float(bounds[2])) if bounds else None
