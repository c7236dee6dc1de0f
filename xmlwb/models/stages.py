"""A fit in stages, each some epochs long, that goes on from a checkpoint of any epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint
from xmlwb.solvers.torch_runs import restore_state, seeded, state_arrays


@dataclass(frozen=True)
class Stage:
    """One part of a fit.

    Parameters
    ----------
    name : str
        What its events call it.
    n_epochs : int
    begin : callable
        Makes what the stage trains: modules and optimisers of torch, by name. The same each time it is called after
        the same earlier stages.
    learn : callable
        ``learn(rng, epoch)``: one epoch, counted from 0 in the stage; what it returns goes into the event.
    keep : callable
        Sets the fitted attributes; called after each epoch.
    figures : callable
        More for the event, of the model as it is now.
    """

    name: str
    n_epochs: int
    begin: Callable[[], dict[str, Any]]
    learn: Callable[[np.random.Generator, int], dict[str, float]]
    keep: Callable[[], None]
    figures: Callable[[], dict[str, float]]


def run_stages(
    stages: list[Stage],
    finished: Callable[[int], dict[str, np.ndarray]],
    take_over: Callable[[int, dict[str, np.ndarray]], None],
    report: Reporter,
    checkpoint: Checkpoint | None,
    *,
    random_state: int | None,
    device: Any,
) -> bool:
    """One stage after the other, until a STOP.

    A checkpoint has what the stages before have made, and what the one under way trains: not their optimisers, nor
    anything that `begin` makes anew.

    Parameters
    ----------
    stages : list of Stage
    finished : callable
        ``finished(number)``: the arrays that the stages before this one have made.
    take_over : callable
        ``take_over(number, arrays)``: sets the model's attributes from them.
    report : Reporter
        Counts epochs through all stages.
    checkpoint : Checkpoint or None
    random_state : int or None
    device : torch.device

    Returns
    -------
    bool
        Whether the callback said STOP.

    Raises
    ------
    ValueError
        The checkpoint has more epochs than there are.
    """
    report.total = sum(stage.n_epochs for stage in stages)
    done, arrays = checkpoint.read() if checkpoint else (0, {})
    if done > report.total:
        raise ValueError(f"checkpoint_dir holds {done} epochs of this run, which has {report.total}")
    report.step = done
    if done == report.total:
        take_over(len(stages), _with_prefix(arrays, "model."))
    first = 0
    for number, stage in enumerate(stages):
        last = first + stage.n_epochs
        if first <= done < last:
            if arrays:
                take_over(number, _with_prefix(arrays, "model."))
            parts = stage.begin()
            if done > first:
                restore_state(parts, _with_prefix(arrays, "stage."))
                stage.keep()
            arrays = {}
            for epoch in range(done, last):
                with seeded(random_state, epoch, device) as rng:
                    figures = stage.learn(rng, epoch - first)
                stage.keep()
                if checkpoint:
                    checkpoint.write(epoch + 1, _of_checkpoint(finished, number, parts, epoch + 1 == last))
                report.stage = stage.name
                if report({**figures, **stage.figures()}):
                    return True
            done = last
        first = last
    return False


def _of_checkpoint(
    finished: Callable[[int], dict[str, np.ndarray]], number: int, parts: dict[str, Any], is_last: bool
) -> dict[str, np.ndarray]:
    made = finished(number + 1 if is_last else number)
    learned = {} if is_last else state_arrays(parts)
    return {f"model.{name}": array for name, array in made.items()} | {
        f"stage.{name}": array for name, array in learned.items()
    }


def _with_prefix(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
