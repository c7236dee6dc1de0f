"""LightDXML and Astec for `gpu.py`: what an epoch, a search and the device's memory cost them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from peer_methods import peak_memory_MB
from scipy import sparse

from xmlwb.datasets import Dataset
from xmlwb.models.fit_profile import MODULES

#: Which stop watch of `FitProfile` measures a stage's epochs.
MODULE_OF = {
    "label": "label embedding",
    "shortlist": "shortlist",
    "classifier": "classifier",
    "surrogate": "features",
    "re-ranker": "re-ranker",
}
#: Stages whose epochs pass over the instances; the label encoder's pass over pairs of an instance and a label of its.
OF_INSTANCES = ("surrogate", "classifier", "re-ranker")


@dataclass(frozen=True)
class Step:
    """What is kept of an event; P@1 of the validation rows in per cent, NaN where the event has none."""

    stage: str
    seconds: float
    clock: float
    valid: float


def training_clock(steps: Sequence[Step], seconds: Mapping[str, float]) -> np.ndarray:
    """Seconds of training at the end of each step, (steps,), from the modules' stop watches.

    What a module did outside its epochs (Astec's clusters, searches and lists of the re-ranker) was done before its
    first one, or, of a module without epochs, before the first of the next. What its epochs say beyond its stop watch
    (LightDXML measures a shortlist's recall) was no training: their seconds are scaled down to it.

    >>> steps = [Step("surrogate", 2.0, 9.0, 0.0), Step("classifier", 3.0, 9.0, 0.0), Step("classifier", 3.0, 9.0, 0.0)]
    >>> training_clock(steps, {"features": 2.5, "shortlist": 10.0, "classifier": 6.0}).tolist()
    [2.5, 15.5, 18.5]
    """
    within = dict.fromkeys(MODULES, 0.0)
    for step in steps:
        within[MODULE_OF[step.stage]] += step.seconds
    outside = {module: max(0.0, seconds.get(module, 0.0) - within[module]) for module in MODULES}
    clock, now = [], 0.0
    for step in steps:
        own = MODULE_OF[step.stage]
        for module in MODULES[: MODULES.index(own) + 1]:
            if module == own or not within[module]:
                now += outside.pop(module, 0.0)
        now += step.seconds * min(1.0, seconds.get(own, 0.0) / max(within[own], 1e-9))
        clock.append(now)
    return np.array(clock)


def reached(steps: Sequence[Step], clock: np.ndarray, target: float) -> dict[str, float]:
    """When P@1 first reached the target, of training alone and all included; NaN where it did not."""
    first = next((number for number, step in enumerate(steps) if step.valid >= target), None)
    if first is None:
        return {"training s to": np.nan, "clock s to": np.nan}
    return {"training s to": float(clock[first]), "clock s to": steps[first].clock}


def measure(
    name: str, method: str, model: Any, dataset: Dataset, target: float, valid_rows: int, device: Any
) -> dict[str, Any]:
    """One fit, and its row of the table.

    Parameters
    ----------
    name, method : str
        Of the data and of the model.
    model : LightDXML or Astec
    dataset : Dataset
    target : float
        P@1 in per cent.
    valid_rows : int
        As many validation rows, at most, are predicted after an epoch.
    device : torch.device
    """
    import torch

    X, Y = dataset.X_train, dataset.Y_train
    steps: list[Step] = []

    def watch(event: Any) -> None:
        figures = event.figures
        step = Step(event.stage, figures["seconds"], event.elapsed, 100 * figures.get("valid P@1", np.nan))
        steps.append(step)
        said = (
            f"{X.shape[0] / step.seconds:,.0f} instances/s" if step.stage in OF_INSTANCES else f"{step.seconds:.2f} s"
        )
        known = {
            key: figures[key] for key in ("shortlist recall", "search recall", "negative hardness") if key in figures
        }
        said += "".join(f", {key} {value:.4f}" for key, value in known.items())
        said += "" if np.isnan(step.valid) else f", valid P@1 {step.valid:.2f}"
        print(f"  {event.step} of {event.total}, {step.stage}: {said}", flush=True)

    on_cuda = device.type == "cuda"
    if on_cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    model.fit(X, Y, eval_set=(dataset.X_valid[:valid_rows], dataset.Y_valid[:valid_rows]), callback=watch)
    peak = torch.cuda.max_memory_allocated(device) if on_cuda else peak_memory_MB() * 1e6
    held = torch.cuda.max_memory_reserved(device) if on_cuda else np.nan
    seconds = model.profile_["seconds"]
    parts = ", ".join(f"{module} {seconds[module]:,.1f}" for module in MODULES if seconds[module])
    print(f"{name}, {method}: seconds by module: {parts}")
    rates = rates_of(steps, X)
    print(f"{name}, {method}: instances/s of an epoch: {', '.join(f'{s} {r:,.0f}' for s, r in rates.items())}")
    found = reached(steps, training_clock(steps, seconds), target)
    valid = [step.valid for step in steps if not np.isnan(step.valid)]
    return {
        "data": name, "method": method, "instances/s": rates["classifier"], "peak GiB": peak / 2**30,
        "held GB": held / 1e9, "P@1": max(valid, default=np.nan), "target": target, **found,
    }  # fmt: skip


def rates_of(steps: Sequence[Step], X: sparse.csr_array) -> dict[str, float]:
    """Instances a second of each stage: the median of its epochs after the first, which loads kernels."""
    seconds: dict[str, list[float]] = {}
    for step in steps:
        if step.stage in OF_INSTANCES:
            seconds.setdefault(step.stage, []).append(step.seconds)
    return {stage: X.shape[0] / float(np.median(each[1:] or each)) for stage, each in seconds.items()}
