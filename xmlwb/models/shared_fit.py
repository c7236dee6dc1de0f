"""A fit that several processes share: one of them speaks and writes for all."""

from __future__ import annotations

import numpy as np

from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint
from xmlwb.solvers.process_group import Ranks


class SharedReporter(Reporter):
    """Events from the first process alone; all processes end where its callback says STOP."""

    def __init__(self, report: Reporter, ranks: Ranks) -> None:
        vars(self).update(vars(report))
        self._ranks = ranks
        if ranks.rank:
            self._callback = None

    def __call__(self, figures: dict[str, float] | None = None) -> bool:
        self.stopped = self._ranks.as_rank_0(super().__call__(figures))
        return self.stopped


class _Reader(Checkpoint):
    """A checkpoint that another process writes."""

    def write(self, epoch: int, arrays: dict[str, np.ndarray]) -> None:
        pass


def shared_checkpoint(checkpoint: Checkpoint | None, ranks: Ranks) -> Checkpoint | None:
    """The same for the first process; for others one that they only read."""
    return checkpoint if checkpoint is None or ranks.rank == 0 else _Reader(checkpoint.path.parent, checkpoint.run)
