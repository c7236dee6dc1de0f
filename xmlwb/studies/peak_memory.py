"""The largest resident memory of this process while a block runs."""

from __future__ import annotations

import sys
from pathlib import Path
from types import TracebackType

from xmlwb.comparison import PeakMemory


class OwnPeakMemory:
    """Linux keeps a process's peak and resets it when asked, which is exact and free; elsewhere it is sampled.

    Attributes
    ----------
    peak : int
        Bytes, once the block has ended. Python, the data and what earlier runs left are in it.
    """

    _reset, _status = Path("/proc/self/clear_refs"), Path("/proc/self/status")

    def __init__(self) -> None:
        self.peak = 0
        self._sampler: PeakMemory | None = None

    def __enter__(self) -> OwnPeakMemory:
        if sys.platform == "linux":
            try:
                self._reset.write_text("5")  # proc(5): 5 resets VmHWM to the present size
                return self
            except OSError:
                pass
        self._sampler = PeakMemory().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._sampler is not None:
            self._sampler.__exit__(kind, error, traceback)
            self.peak = self._sampler.peak
            return
        for line in self._status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak = 1024 * int(line.split()[1])
