"""What the methods that train with torch share: arguments, and epochs that resume from a checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from xmlwb.models.base import XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint
from xmlwb.solvers.torch_runs import restore_state, seeded, state_arrays


class NeuralModel(XMCModel):
    """Base of the methods that a network trains for.

    A subclass has the arguments `n_epochs`, `learning_rate`, `device`, `checkpoint_dir` and `random_state`.
    """

    stage = "epoch"
    #: Arguments in which a run and the checkpoint that it goes on from may differ, besides `prediction_params`.
    free_on_resume: ClassVar[frozenset[str]] = frozenset({"device", "checkpoint_dir", "n_jobs", "n_epochs"})

    device: str
    checkpoint_dir: str | None
    random_state: int | None
    n_epochs: int
    learning_rate: float

    def _check_device(self) -> None:
        if not isinstance(self.device, str) or self.device.split(":")[0] not in ("auto", "cpu", "cuda", "mps"):
            raise ValueError(f"device is {self.device!r}; wanted 'auto', 'cpu', 'cuda', 'cuda:1' ... or 'mps'")
        if self.checkpoint_dir is not None and self.random_state is None:
            raise ValueError("checkpoint_dir is set and random_state is None; wanted a seed, or a run cannot go on")

    def _checkpoint(self, data: str) -> Checkpoint | None:
        """Where this fit keeps its state; data is the fingerprint of what it learns from."""
        if self.checkpoint_dir is None:
            return None
        free = self.free_on_resume | self.prediction_params
        params = {name: value for name, value in self.get_params().items() if name not in free}
        return Checkpoint(self.checkpoint_dir, {"method": type(self).__name__, "data": data} | params)

    def _run_epochs(
        self,
        parts: dict[str, Any],
        learn: Callable[[np.random.Generator], dict[str, float]],
        keep: Callable[[], None],
        figures: Callable[[], dict[str, float]],
        report: Reporter,
        checkpoint: Checkpoint | None,
        is_over: Callable[[], bool] = lambda: False,
    ) -> None:
        """Epochs until `n_epochs` or a STOP, from the checkpoint if it holds some.

        Parameters
        ----------
        parts : dict of torch.nn.Module and torch.optim.Optimizer
            What an epoch changes; "net" is the network.
        learn : callable
            One epoch, with its own random numbers; what it returns goes into the event.
        keep : callable
            Sets the fitted attributes; called before each event.
        figures : callable
            More for the event, of the model as it is now.
        is_over : callable
            Whether the epochs so far, a checkpoint's too, were enough.

        Raises
        ------
        ValueError
            The checkpoint has more epochs than `n_epochs`, or the loss is no longer finite.
        """
        done, arrays = checkpoint.read() if checkpoint else (0, {})
        if done > self.n_epochs:
            raise ValueError(
                f"checkpoint_dir holds {done} epochs of this run, n_epochs is {self.n_epochs}; wanted at least "
                f"{done}, or an empty folder"
            )
        if done:
            restore_state(parts, arrays)
            keep()
        report.total = self.n_epochs
        report.step = done
        device = next(parts["net"].parameters()).device
        for epoch in range(done, self.n_epochs):
            if is_over():
                break
            with seeded(self.random_state, epoch, device) as rng:
                learned = learn(rng)
            self._require_finite(learned, epoch)
            if checkpoint:
                checkpoint.write(epoch + 1, state_arrays(parts))
            keep()
            if report({**learned, **figures()}):
                break

    def _require_finite(self, learned: dict[str, float], epoch: int) -> None:
        if not np.isfinite(learned["loss"]):
            raise ValueError(f"the loss is {learned['loss']} after epoch {epoch + 1}: {self._too_large()}")

    def _too_large(self) -> str:
        """What may have made training diverge, for a message."""
        return f"training diverges; wanted a lower learning_rate than {self.learning_rate!r}"
