"""A GPU for each worker, where there are several: the first worker takes the first, and so on."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import IO

#: Set in a worker's environment by the study: a folder in which workers take places.
PLACES = "XMLWB_STUDY_PLACES"


def visible_gpus() -> list[str]:
    """The NVIDIA GPUs that this process may use, without asking torch, whose import takes seconds."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return [gpu.strip() for gpu in named.split(",") if gpu.strip() not in ("", "-1")]
    known = Path("/proc/driver/nvidia/gpus")
    return [str(number) for number in range(len(list(known.iterdir())))] if known.is_dir() else []


@lru_cache(maxsize=1)
def take_gpu() -> str | None:
    """Let this process see one GPU, its own while it lives; None where there is nothing to choose.

    Workers beyond the number of GPUs share them in turn. Must come before the process first uses CUDA.
    """
    folder, gpus = os.environ.get(PLACES), visible_gpus()
    if folder is None or len(gpus) < 2:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    place = _first_free(Path(folder))
    os.environ["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
    return gpus[place % len(gpus)]


_held: list[IO[str]] = []  # the system frees the place when the process ends, however it ends


def _first_free(folder: Path) -> int:
    import fcntl

    for place in range(1024):
        file = open(folder / f"worker-{place}", "w")  # noqa: SIM115  (held as long as the process lives)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held.append(file)
        return place
    raise OSError(f"no free place in {folder}")
