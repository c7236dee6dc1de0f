"""Models from words: ``ova`` and ``ova.C=2``, checked against the methods' own signatures."""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Iterable
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from xmlwb.models import METHODS


def chosen_models(
    keys: Iterable[str], settings: Iterable[str] = (), *, seed: int | None = 0, n_jobs: int | None = None
) -> dict[str, Any]:
    """Unfitted models by their keys.

    Parameters
    ----------
    keys : iterable of str
        Keys of `xmlwb.models.METHODS`.
    settings : iterable of str
        ``key.parameter=value``; the value is read as the type that the parameter is annotated with.
    seed, n_jobs : int, optional
        ``random_state`` and ``n_jobs`` of those that have one, where no setting says otherwise; None: the default.

    Raises
    ------
    ValueError
        An unknown method or parameter, one that is named twice, or a value of another type or out of range.

    Examples
    --------
    >>> chosen_models(["popular"])
    {'popular': Popular()}
    """
    wanted = [key.strip() for key in keys]
    for key in wanted:
        if key not in METHODS:
            raise ValueError(f"models: no method is called {key!r}; {_near(key, METHODS)}")
        if wanted.count(key) > 1:
            raise ValueError(f"models: {key!r} is named twice")
    chosen: dict[str, dict[str, Any]] = {key: {} for key in wanted}
    for key, parameter, value in map(_split, settings):
        if key not in chosen:
            raise ValueError(f"param {key}.{parameter}: {key!r} is not among the models {', '.join(wanted)}")
        if parameter in chosen[key]:
            raise ValueError(f"param {key}.{parameter} is given twice")
        chosen[key][parameter] = read_parameter(key, parameter, value)
    common = {"random_state": seed, "n_jobs": n_jobs}
    models = {}
    for key, given in chosen.items():
        cls = METHODS[key].cls
        taken = {name: value for name, value in common.items() if value is not None and name in _parameters(cls)}
        models[key] = cls(**(taken | given))
        try:
            models[key]._check_params()
        except ValueError as error:
            raise ValueError(f"param {key}: {error}") from error
    return models


def _split(setting: str) -> tuple[str, str, str]:
    name, equals, value = setting.partition("=")
    key, dot, parameter = name.strip().partition(".")
    if not (equals and dot and key and parameter):
        raise ValueError(f"param: found {setting!r}, wanted method.parameter=value, such as ova.C=2")
    return key, parameter, value.strip()


def _parameters(cls: type) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(cls).parameters.items() if p.kind is not p.VAR_KEYWORD}


def read_parameter(key: str, parameter: str, text: str) -> Any:
    """A parameter's value as it is annotated; ValueError where there is no such parameter, or its type is another."""
    cls = METHODS[key].cls
    known = _parameters(cls)
    if parameter not in known:
        raise ValueError(f"param {key}.{parameter}: {cls.__name__} has no such parameter; {_near(parameter, known)}")
    default = known[parameter].default
    # mypy knows __init__ on a class only as something a subclass may change; the signature is read, not called.
    annotation = get_type_hints(cls.__init__).get(parameter, type(default))  # type: ignore[misc]
    for kind in _alternatives(annotation):
        value = _as(kind, text)
        if value is not _UNREAD:
            return value
    wanted = " or ".join(_name(kind) for kind in _alternatives(annotation))
    raise ValueError(f"param {key}.{parameter}: found {text!r}, wanted {wanted} (default {default!r})")


_UNREAD = object()


def _as(kind: Any, text: str) -> Any:
    """`text` as `kind`, or _UNREAD where it is none."""
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if str(choice) == text), _UNREAD)
    if kind is type(None):
        return None if text.lower() == "none" else _UNREAD
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), _UNREAD)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return _UNREAD
    return text if kind in (str, Any) else _UNREAD


def _alternatives(annotation: Any) -> list[Any]:
    """The types of a union, str last, since it takes any text."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    return sorted(kinds, key=lambda kind: kind in (str, Any))


def _name(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    return {type(None): "none", int: "a whole number", float: "a number", bool: "true or false"}.get(kind, str(kind))


def _near(word: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"wanted one of {', '.join(names)}" if names else "it takes none"
