"""Methods and parameters as a study names them: checked against the methods' own signatures, and made into models."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from xmlwb.model_choice import read_parameter
from xmlwb.models import METHODS, XMCModel
from xmlwb.models.base import model_class

#: Arguments that say how to compute, not what: they are no part of a run's identity.
UNIDENTIFYING = frozenset({"n_jobs", "random_state", "device", "checkpoint_dir", "verbose"})


@dataclass(frozen=True)
class Job:
    """One run that is to be made: plain values, as it is sent to a worker.

    Attributes
    ----------
    run : str
        16 hexadecimal digits, a hash of everything that decides the result.
    given : dict
        Constructor arguments that the study sets, JSON values.
    params : str
        JSON of all the model's arguments but `UNIDENTIFYING`.
    rows : str
        The folder of `share_rows`.
    watch : bool
        Whether the fit is given validation rows to tell figures of.
    pruning : dict or None
        See `xmlwb.studies.search`.
    """

    run: str
    study: str
    place: int
    data: str
    source: str
    data_hash: str
    method: str
    label: str
    given: Mapping[str, Any]
    params: str
    seed: int
    evaluated: str
    rows: str
    watch: bool = False
    keep_predictions: bool = False
    pruning: Mapping[str, Any] | None = None


def checked_value(method: str, name: str, value: Any) -> Any:
    """A parameter's value as the method's signature has it: ``1`` for a float is 1.0, the text ``1e-3`` is 0.001.

    Raises ValueError for an unknown parameter or a value of another type.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, (bool, int, float, str)) or value is None:
        return read_parameter(method, name, repr(value) if isinstance(value, float) else str(value))
    require_parameter(method, name)
    return value  # a model: the method itself knows


def require_parameter(method: str, name: str) -> None:
    """ValueError if the method has no such parameter."""
    names = METHODS[method].cls().get_params(deep=False)
    if name not in names:
        near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
        wanted = f"did you mean {' or '.join(near)}?" if near else f"wanted one of {', '.join(names) or 'none'}"
        raise ValueError(f"{method} has no parameter {name!r}; {wanted}")


def new_model(method: str, given: Mapping[str, Any], seed: int | None, n_jobs: int = 1) -> XMCModel:
    """An unfitted model; ValueError if a parameter is out of range."""
    cls = METHODS[method].cls
    names = cls().get_params(deep=False)
    common = {name: value for name, value in {"random_state": seed, "n_jobs": n_jobs}.items() if name in names}
    model = cls(**(common | {name: _model_or(value) for name, value in given.items()}))
    model._check_params()
    return model


def takes_seed(method: str) -> bool:
    """Whether a seed can change anything."""
    return "random_state" in METHODS[method].cls().get_params(deep=False)


def identifying_params(model: XMCModel) -> dict[str, Any]:
    """All arguments that decide the result, as JSON values, by name."""
    params = model.get_params(deep=False)
    return {name: as_json(params[name]) for name in sorted(params) if name not in UNIDENTIFYING}


def as_json(value: Any) -> Any:
    """A parameter as JSON has it; a model by its class and its own parameters. TypeError for anything else."""
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, type) and hasattr(value, "get_params"):
        return {"model": type(value).__name__, "params": {k: as_json(v) for k, v in value.get_params(False).items()}}
    if isinstance(value, (list, tuple)):
        return [as_json(item) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"found {value!r}, wanted numbers, text, booleans, None, lists of them, or a model")


def run_id(**decisive: Any) -> str:
    """The same 16 digits for the same values, on any machine."""
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]


def _model_or(value: Any) -> Any:
    if isinstance(value, Mapping) and "model" in value:
        return model_class(value["model"])(**{k: _model_or(v) for k, v in value.get("params", {}).items()})
    return value
