"""Finished runs as JSON lines: a run is written when it ends, and known again by its job."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def key_of(job: Job) -> str:
    """The same for two jobs that ask for the same, whatever the order of their entries."""
    return json.dumps(job, sort_keys=True)


class RunStore:
    """Runs in one file, a line each; of two runs of one job the later counts.

    A line is appended in one write and synchronised, so that a process that is killed leaves at most a last line that
    is not whole, which is passed over.

    Parameters
    ----------
    path : Path
        Its folder is made when the first run is written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._runs: dict[str, dict[str, Any]] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    run = json.loads(line)
                except json.JSONDecodeError:
                    print(f"{path}: a line that is not whole is passed over", file=sys.stderr)
                    continue
                self._runs[key_of(run["job"])] = run

    def __contains__(self, job: Job) -> bool:
        return key_of(job) in self._runs

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._runs.values())

    def get(self, job: Job) -> dict[str, Any] | None:
        """The run of this job: {"job": ..., **found}."""
        return self._runs.get(key_of(job))

    def add(self, job: Job, found: dict[str, Any]) -> None:
        run = {"job": job, **found}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "ab+") as file:
            if file.tell() and not _ends_a_line(file):
                file.write(b"\n")  # what a killed process left
            file.write(json.dumps(run).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._runs[key_of(job)] = run


def _ends_a_line(file: Any) -> bool:
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
