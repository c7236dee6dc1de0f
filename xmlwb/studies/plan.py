"""What a study is made of, checked before anything runs: data sets, models, grids, seeds, as a list of runs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from xmlwb.models import METHODS
from xmlwb.studies.settings import checked_value, new_model, require_parameter, takes_seed

Params = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A method with the parameters that the study holds fixed.

    Attributes
    ----------
    name : str
        What the study calls it.
    method : str
        Key of METHODS.
    fixed : dict
    """

    name: str
    method: str
    fixed: Params


@dataclass(frozen=True)
class PlannedRun:
    """One run before its data are known: which data source, variant, parameters (fixed ones too) and seed."""

    source: int
    variant: Variant
    given: Params
    label: str
    seed: int


def variants_of(models: Any) -> list[Variant]:
    """Methods by their keys, or by names of the study's own with parameters; ValueError names the model."""
    if isinstance(models, str):
        models = [models]
    if isinstance(models, Sequence):
        twice = [key for key in models if models.count(key) > 1]
        if twice:
            raise ValueError(f"models: {twice[0]!r} is named twice")
        models = dict.fromkeys(models)
    if not isinstance(models, Mapping):
        raise ValueError(f"models: found {models!r}, wanted a list of methods, or names with their parameters")
    if not models:
        raise ValueError("models: found none, wanted at least one")
    return [_variant(name, given) for name, given in models.items()]


def _variant(name: Any, given: Any) -> Variant:
    if not isinstance(name, str):
        raise ValueError(f"models: found {name!r}, wanted a method's key")
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise ValueError(f"models.{name}: found {given!r}, wanted parameters, such as {{C: 1.0}}")
    method = given.get("method", name)
    if method not in METHODS:
        where = f"models.{name}.method" if "method" in given else "models"
        raise ValueError(f"{where}: no method is called {method!r}; {near(str(method), METHODS)}")
    fixed = {key: _checked(f"models.{name}.{key}", method, key, v) for key, v in given.items() if key != "method"}
    _in_range(f"models.{name}", method, fixed)
    return Variant(name, method, fixed)


def grid_of(variant: Variant, grid: Any) -> list[Params]:
    """The parameters of each point of a variant's grid, in order; one empty point where there is none."""
    where = f"grid.{variant.name}"
    if grid is None:
        return [{}]
    parts = grid if isinstance(grid, list) else [grid]
    checked: list[dict[str, list[Any]]] = []
    for part in parts:
        if not isinstance(part, Mapping):
            raise ValueError(f"{where}: found {part!r}, wanted parameters with lists of values: {{C: [0.1, 1]}}")
        lists = {}
        for name, values in part.items():
            at = f"{where}.{name}"
            if name in variant.fixed:
                raise ValueError(f"{at}: models.{variant.name} holds it at {variant.fixed[name]!r}, wanted only one")
            values = values if isinstance(values, list) else [values]
            if not values:
                raise ValueError(f"{at}: found no values, wanted at least one")
            lists[name] = [_checked(f"{at}[{i}]", variant.method, name, value) for i, value in enumerate(values)]
        checked.append(lists)
    points = [dict(zip(lists, values, strict=True)) for lists in checked for values in product(*lists.values())]
    for point in points:
        _in_range(where, variant.method, variant.fixed | point)
    return points


def planned_grid(
    n_sources: int, variants: list[Variant], grids: Mapping[str, list[Params]], seeds: Sequence[int]
) -> list[PlannedRun]:
    """All runs; a method that takes no seed runs once, not once a seed."""
    return [
        PlannedRun(source, variant, variant.fixed | point, label_of(variant, point), seed)
        for source in range(n_sources)
        for variant in variants
        if variant.name in grids
        for point in grids[variant.name]
        for seed in seeds_of(variant, seeds)
    ]


def seeds_of(variant: Variant, seeds: Sequence[int]) -> Sequence[int]:
    """The seeds that can make a difference."""
    return seeds if takes_seed(variant.method) else seeds[:1]


def label_of(variant: Variant, point: Params) -> str:
    """ "ova C=0.5": the variant's name and what varies."""
    return " ".join([variant.name, *(f"{name}={_brief(value)}" for name, value in point.items())])


def seeds_from(given: Any) -> tuple[int, ...]:
    """``3`` is 0, 1, 2; a list is itself."""
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise ValueError(f"seeds: found {given}, wanted at least 1, or a list of seeds")
        return tuple(range(given))
    whole = isinstance(given, Iterable) and not isinstance(given, (str, Mapping))
    seeds = tuple(given) if whole else ()
    if not seeds or not all(isinstance(s, int) and not isinstance(s, bool) and 0 <= s < 2**32 for s in seeds):
        raise ValueError(f"seeds: found {given!r}, wanted how many, or a list of whole numbers from 0")
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"seeds: found {list(seeds)}, wanted each once")
    return seeds


def check_names(what: str, given: Any, variants: list[Variant]) -> Mapping[str, Any]:
    """A mapping whose keys are the study's models."""
    if given is None:
        return {}
    names = [variant.name for variant in variants]
    if not isinstance(given, Mapping):
        raise ValueError(f"{what}: found {given!r}, wanted a mapping from the models' names: {', '.join(names)}")
    for name in given:
        if name not in names:
            raise ValueError(f"{what}.{name}: no model of the study is called {name!r}; {near(str(name), names)}")
    return given


def near(word: str, known: Iterable[str]) -> str:
    """What may have been meant."""
    names = list(known)
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else f"wanted one of {', '.join(names)}"


def _checked(where: str, method: str, name: str, value: Any) -> Any:
    try:
        require_parameter(method, name)
        return checked_value(method, name, value)
    except ValueError as error:
        raise ValueError(f"{where}: {str(error).removeprefix(f'param {method}.{name}: ')}") from None


def _in_range(where: str, method: str, given: Params) -> None:
    try:
        new_model(method, given, 0)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {error}") from None


def _brief(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
