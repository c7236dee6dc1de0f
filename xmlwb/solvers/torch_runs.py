"""Around a training run of torch: its device, its precision, its random numbers, its state as arrays.

torch is imported when one of these is called, not before: the other methods, and prediction with a fitted network of
two layers, do without.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch


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
def one_thread(wanted: bool) -> Iterator[None]:
    """One thread for what torch does on the CPU in the block, if wanted; before and after, as many as there were.

    Steps of a fraction of a millisecond gain nothing from a second thread, and on a busy machine wait for it.
    """
    import torch

    before = torch.get_num_threads()
    if wanted:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


_kernels: ContextVar[int | None] = ContextVar("kernel threads", default=None)


@contextmanager
def small_steps() -> Iterator[None]:
    """In the block torch's own operations on the CPU take one thread, the compiled kernels as many as torch had.

    torch's threads meet at the end of every operation: of a batch's few that costs more than it brings, and where
    other programs take the cores, tens of milliseconds each.
    """
    import torch

    n_threads = _kernels.set(torch.get_num_threads())
    try:
        with one_thread(True):
            yield
    finally:
        _kernels.reset(n_threads)


def kernel_threads() -> int:
    """Threads that a compiled kernel may take: torch's number, within `small_steps` that of before."""
    import torch

    return _kernels.get() or torch.get_num_threads()


@contextmanager
def seeded(random_state: int | None, epoch: int, device: torch.device) -> Iterator[np.random.Generator]:
    """Random numbers, numpy's and torch's, that depend on the seed and the epoch alone: a resumed run draws the same.

    torch's own generators, of the CPU and of this CUDA device, are as before when the block ends; those of other
    devices are not touched, which would open them.
    """
    import torch

    entropy = None if random_state is None else [random_state, epoch]
    rng = np.random.default_rng(entropy)
    seed = int(rng.integers(2**63))
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
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
