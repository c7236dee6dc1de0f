"""Searching settings on validation rows by Optuna, with the same trials for any number of workers.

Trials are asked for in batches of a fixed size. What the sampler knows, and what a pruner compares with, are the
trials of earlier batches alone, told in the order in which they were asked: so nothing depends on which worker was
faster, and a search that was interrupted goes on exactly as it would have.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from xmlwb.studies.plan import PlannedRun, Variant, label_of, near
from xmlwb.studies.runs import METRICS, OK, PRUNED
from xmlwb.studies.settings import checked_value, new_model, require_parameter

if TYPE_CHECKING:
    import optuna

_OPTIONS = ("space", "trials", "metric", "prune", "batch", "startup")


@dataclass(frozen=True)
class Range:
    """Numbers from low to high, both included; whole ones if both are."""

    low: float
    high: float
    log: bool = False
    step: float | None = None


@dataclass(frozen=True)
class Search:
    """What a study searches.

    Attributes
    ----------
    space : dict of model name to dict of parameter to `Range` or list of choices
    trials : int
        For each data set, model of the space, and seed.
    metric : str
        Maximised, on validation rows.
    prune : str or None
        The figure of a fit's events by which a trial is given up: when, at some step, it is below the median of what
        earlier trials had there. None: all trials run to their end.
    batch : int
        Trials that are asked for at once.
    startup : int
        Trials that are drawn at random, and complete ones before any is given up.
    """

    space: Mapping[str, Mapping[str, Range | list[Any]]]
    trials: int = 20
    metric: str = "P@5"
    prune: str | None = "valid P@5"
    batch: int = 4
    startup: int = 8

    @property
    def pruning(self) -> dict[str, Any] | None:
        """What of it decides a single trial's result."""
        return None if self.prune is None else {"figure": self.prune, "startup": self.startup, "batch": self.batch}


def search_from(given: Any, variants: list[Variant]) -> Search:
    """A search from a mapping of its arguments; ValueError names the key that is wrong."""
    if isinstance(given, Search):
        given = asdict(given)
    if not isinstance(given, Mapping):
        raise ValueError(f"search: found {given!r}, wanted space, trials, metric, ...")
    for key in given:
        if key not in _OPTIONS:
            raise ValueError(f"search.{key}: no such key; {near(str(key), _OPTIONS)}")
    options = {key: value for key, value in given.items() if key != "space"}
    for key in ("trials", "batch", "startup"):
        if key in options and not (type(options[key]) is int and options[key] >= 1):
            raise ValueError(f"search.{key}: found {options[key]!r}, wanted a whole number of at least 1")
    if options.get("metric", "P@5") not in METRICS:
        raise ValueError(f"search.metric: found {options['metric']!r}, wanted one of {', '.join(METRICS)}")
    if options.get("prune") is True:
        del options["prune"]
    elif options.get("prune", "") is False:
        options["prune"] = None
    if not isinstance(options.get("prune"), (str, type(None))):
        raise ValueError(f"search.prune: found {options['prune']!r}, wanted true, false or a figure such as valid P@5")
    by_name = {variant.name: variant for variant in variants}
    space = given.get("space")
    if not isinstance(space, Mapping) or not space:
        raise ValueError(f"search.space: found {space!r}, wanted parameters by the models' names")
    for name in space:
        if name not in by_name:
            raise ValueError(f"search.space.{name}: no model of the study is called that; {near(str(name), by_name)}")
    return Search({name: _dimensions(by_name[name], given) for name, given in space.items()}, **options)


def _dimensions(variant: Variant, given: Any) -> dict[str, Range | list[Any]]:
    where = f"search.space.{variant.name}"
    if not isinstance(given, Mapping) or not given:
        raise ValueError(f"{where}: found {given!r}, wanted parameters: {{C: {{low: 0.1, high: 10, log: true}}}}")
    return {name: _dimension(f"{where}.{name}", variant, name, wanted) for name, wanted in given.items()}


def _dimension(where: str, variant: Variant, name: str, given: Any) -> Range | list[Any]:
    method = variant.method
    try:
        require_parameter(method, name)
        if name in variant.fixed:
            raise ValueError(f"models.{variant.name} holds it at {variant.fixed[name]!r}; wanted one of the two")
        if isinstance(given, list):
            if not given:
                raise ValueError("found no choices, wanted at least one")
            ends = [checked_value(method, name, value) for value in given]
            found: Range | list[Any] = ends
        else:
            found = _range(given, method, name)
            ends = [found.low, found.high]
        for end in ends:
            new_model(method, variant.fixed | {name: end}, 0)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{where}: {str(error).removeprefix(f'param {method}.{name}: ')}") from None
    return found


def _range(given: Any, method: str, name: str) -> Range:
    if not isinstance(given, Mapping) or not {"low", "high"} <= set(given) <= {"low", "high", "log", "step"}:
        raise ValueError(f"found {given!r}, wanted a list of choices, or low and high (and log: true, or step)")
    low, high = (checked_value(method, name, given[end]) for end in ("low", "high"))
    if isinstance(low, (str, bool)) or low is None or not low < high:
        raise ValueError(f"found low {low!r} and high {high!r}, wanted two numbers, the lower first")
    log, step = given.get("log", False), given.get("step")
    if log and (low <= 0 or step is not None):
        raise ValueError(f"found log with low {low!r} and step {step!r}, wanted low above 0 and no step")
    return Range(low, high, bool(log), step)


class Trials:
    """One search: a data set, a variant and a seed."""

    def __init__(self, search: Search, source: int, variant: Variant, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.search, self.source, self.variant, self.seed = search, source, variant, seed
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.startup, constant_liar=True)
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = {name: _distribution(given) for name, given in search.space[variant.name].items()}
        self._asked: list[tuple[optuna.Trial, PlannedRun]] = []

    @property
    def n_told(self) -> int:
        """Trials that have ended."""
        return len(self._study.trials) - len(self._asked)

    def ask(self) -> list[PlannedRun]:
        """The next batch; empty when all trials have been made."""
        left = self.search.trials - len(self._study.trials)
        self._asked = []
        for _ in range(min(self.search.batch, left)):
            trial = self._study.ask(self._space)
            point = {name: trial.params[name] for name in self._space}
            given = self.variant.fixed | point
            self._asked.append(
                (trial, PlannedRun(self.source, self.variant, given, label_of(self.variant, point), self.seed))
            )
        return [planned for _, planned in self._asked]

    def pruning(self) -> dict[str, Any] | None:
        """What a worker needs to give up a trial of the present batch: the figures of earlier complete trials."""
        from optuna.trial import TrialState

        if self.search.pruning is None:
            return None
        complete = self._study.get_trials(states=(TrialState.COMPLETE,))
        return self.search.pruning | {"history": [sorted(trial.intermediate_values.items()) for trial in complete]}

    def tell(self, rows: list[Mapping[str, Any]]) -> None:
        """How the batch ended, in the order in which it was asked for."""
        from optuna.trial import TrialState

        for (trial, _), row in zip(self._asked, rows, strict=True):
            for step, _total, value in json.loads(row.get("curve") or "[]"):
                trial.report(value, step)
            if row["status"] == OK:
                self._study.tell(trial, row[self.search.metric])
            else:
                self._study.tell(trial, state=TrialState.PRUNED if row["status"] == PRUNED else TrialState.FAIL)
        self._asked = []


def pruner_of(pruning: Mapping[str, Any]) -> Callable[[int, float], bool]:
    """Optuna's median pruner among the trials of ``pruning["history"]``: called with each step and its figure."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=pruning["startup"])
    study = optuna.create_study(direction="maximize", pruner=pruner)
    for curve in pruning["history"]:
        values = {int(step): float(value) for step, value in curve}
        study.add_trial(optuna.trial.create_trial(value=max(values.values(), default=0.0), intermediate_values=values))
    trial = study.ask()

    def give_up(step: int, value: float) -> bool:
        trial.report(value, step)
        return trial.should_prune()

    return give_up


def _distribution(given: Range | list[Any]) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(given, list):
        return CategoricalDistribution(given)
    if isinstance(given.low, int) and isinstance(given.high, int):
        return IntDistribution(given.low, given.high, log=given.log, step=int(given.step or 1))
    return FloatDistribution(given.low, given.high, log=given.log, step=given.step)
