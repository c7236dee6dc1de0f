"""What a fit cost, module by module: seconds, bytes of the model, the process's peak of memory."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

#: The modules of the DeepXML methods, in the order in which they are trained.
MODULES = ("features", "label embedding", "shortlist", "classifier", "re-ranker")


class FitProfile:
    """A stop watch for each module.

    Examples
    --------
    >>> profile = FitProfile()
    >>> with profile.measured("shortlist"):
    ...     pass
    >>> text = profile.as_text({"shortlist": 4096}, "random: 3 words, 2 dimensions")
    >>> json.loads(text)["bytes"]["shortlist"], json.loads(text)["seconds"]["re-ranker"]
    (4096, 0.0)
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(MODULES, 0.0)

    @contextmanager
    def measured(self, module: str) -> Iterator[None]:
        """Add the time of the block to the module's."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[module] += time.perf_counter() - start

    def as_array(self) -> np.ndarray:
        """The seconds in the order of `MODULES`, for a checkpoint."""
        return np.array([self.seconds[module] for module in MODULES])

    def go_on_from(self, seconds: np.ndarray) -> None:
        """Take over what `as_array` gave in the run that this one goes on from."""
        self.seconds = dict(zip(MODULES, seconds.tolist(), strict=True))

    def as_text(self, n_bytes: Mapping[str, int], starting_vectors: str) -> str:
        """JSON: ``{"seconds": {module: float}, "bytes": {module: int}, "peak RSS bytes": int, ...}``."""
        found = {
            "seconds": self.seconds,
            "bytes": {module: int(n_bytes.get(module, 0)) for module in MODULES},
            "peak RSS bytes": peak_rss(),
            "starting vectors": starting_vectors,
        }
        return json.dumps(found)


def peak_rss() -> int:
    """The most memory that this process has had so far, in bytes, whatever it was for; 0 where nobody tells."""
    try:
        import resource
    except ImportError:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
