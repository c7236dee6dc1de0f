"""What the methods that train with torch share: the device, seeds that do not depend on history, epochs that resume.

torch is imported when a fit begins, not before: the other methods, and prediction with a fitted network of two layers,
do without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from xmlwb.models.base import XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint

if TYPE_CHECKING:
    import torch


class NeuralModel(XMCModel):
    """Base of the methods that a network trains for.

    A subclass has the arguments `n_epochs`, `device`, `checkpoint_dir` and `random_state`.
    """

    stage = "epoch"
    #: Arguments in which a run and the checkpoint that it goes on from may differ.
    free_on_resume: ClassVar[frozenset[str]] = frozenset({"device", "checkpoint_dir", "n_jobs", "n_epochs"})

    device: str
    checkpoint_dir: str | None
    random_state: int | None
    n_epochs: int

    def _check_device(self) -> None:
        if not isinstance(self.device, str) or self.device.split(":")[0] not in ("auto", "cpu", "cuda", "mps"):
            raise ValueError(f"device is {self.device!r}; wanted 'auto', 'cpu', 'cuda', 'cuda:1' ... or 'mps'")
        if self.checkpoint_dir is not None and self.random_state is None:
            raise ValueError("checkpoint_dir is set and random_state is None; wanted a seed, or a run cannot go on")

    def _checkpoint(self, data: str) -> Checkpoint | None:
        """Where this fit keeps its state; data is the fingerprint of what it learns from."""
        if self.checkpoint_dir is None:
            return None
        params = {name: value for name, value in self.get_params().items() if name not in self.free_on_resume}
        return Checkpoint(self.checkpoint_dir, {"method": type(self).__name__, "data": data} | params)

    def _run_epochs(
        self,
        parts: dict[str, Any],
        learn: Callable[[np.random.Generator], dict[str, float]],
        keep: Callable[[], None],
        figures: Callable[[], dict[str, float]],
        report: Reporter,
        checkpoint: Checkpoint | None,
    ) -> None:
        """Epochs until `n_epochs` or a STOP, from the checkpoint if it holds some.

        Parameters
        ----------
        parts : dict of torch.nn.Module and torch.optim.Optimizer
            What an epoch changes.
        learn : callable
            One epoch, with its own random numbers; what it returns goes into the event.
        keep : callable
            Sets the fitted attributes; called before each event.
        figures : callable
            More for the event, of the model as it is now.
        """
        done, arrays = checkpoint.read() if checkpoint else (0, {})
        if done:
            restore_state(parts, arrays)
            keep()
        report.total = max(self.n_epochs, done)
        report.step = done
        for epoch in range(done, self.n_epochs):
            with seeded(self.random_state, epoch) as rng:
                learned = learn(rng)
            if checkpoint:
                checkpoint.write(epoch + 1, state_arrays(parts))
            keep()
            if report({**learned, **figures()}):
                break


def device_of(name: str) -> torch.device:
    """The device of that name; "auto" is CUDA if there is one, then MPS, then the CPU.

    Raises
    ------
    ValueError
        The machine has no such device.
    """
    import torch

    here = ["cpu"]
    if torch.backends.mps.is_available():
        here.insert(0, "mps")
    if torch.cuda.is_available():
        here = ["cuda", *(f"cuda:{number}" for number in range(torch.cuda.device_count())), *here]
    if name == "auto":
        return torch.device(here[0])
    if name not in here:
        raise ValueError(f"device is {name!r}; wanted 'auto' or one that is here: {', '.join(here)}")
    return torch.device(name)


def low_precision(device: torch.device) -> torch.autocast:
    """bfloat16 where it saves time, in the matrix products on CUDA; nothing elsewhere."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


@contextmanager
def seeded(random_state: int | None, epoch: int) -> Iterator[np.random.Generator]:
    """Random numbers, numpy's and torch's, that depend on the seed and the epoch alone: a resumed run draws the same.

    torch's own generators are as before when the block ends.
    """
    import torch

    entropy = None if random_state is None else [random_state, epoch]
    rng = np.random.default_rng(entropy)
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**63)))
        yield rng


def state_arrays(parts: dict[str, Any]) -> dict[str, np.ndarray]:
    """The tensors of modules and optimisers, by name, on the CPU."""
    arrays = {}
    for name, part in parts.items():
        for key, tensor in _tensors(part).items():
            arrays[f"{name}.{key}"] = tensor.detach().cpu().numpy()
    return arrays


def restore_state(parts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    """Put back what `state_arrays` took."""
    import torch

    for name, part in parts.items():
        own = {
            key.removeprefix(f"{name}."): torch.from_numpy(a) for key, a in arrays.items() if key.startswith(f"{name}.")
        }
        if isinstance(part, torch.nn.Module):
            part.load_state_dict(own)
            continue
        state: dict[int, dict[str, Any]] = {}
        for key, tensor in own.items():
            number, entry = key.split(".", 1)
            state.setdefault(int(number), {})[entry] = tensor
        part.load_state_dict({"state": state, "param_groups": part.state_dict()["param_groups"]})


def _tensors(part: Any) -> dict[str, torch.Tensor]:
    import torch

    if isinstance(part, torch.nn.Module):
        return part.state_dict()
    state = part.state_dict()["state"]
    return {
        f"{number}.{key}": torch.as_tensor(value)
        for number, entries in state.items()
        for key, value in entries.items()
        if value is not None
    }
