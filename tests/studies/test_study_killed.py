"""Killed at any moment and resumed, a study has the table of an undisturbed one: nothing lost, nothing made twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path

import pandas as pd
import psutil
from small_study import results, small_study

from xmlwb.studies import read_runs
from xmlwb.studies.workers import make_runs


def test_killed_and_resumed_it_is_the_same_table(tmp_path):
    """The study's process is killed; when it goes on, one of its workers is."""
    folder = tmp_path / "killed"
    script = [sys.executable, str(Path(__file__).with_name("small_study.py")), str(folder)]
    running = subprocess.Popen(script, start_new_session=True)
    deadline = time.monotonic() + 100
    while len(list(folder.glob("runs/run-*.parquet"))) < 3:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    kept = read_runs(folder)
    whole = small_study().run(tmp_path / "whole", n_jobs=1)
    assert 3 <= len(kept) < len(whole)
    made, killed = [], []

    def on_event(event):
        if event.kind == "end":
            made.append(event.row["run"])
            if not killed:
                killed.append(_a_worker())
                killed[0].kill()

    assert (folder / ".scratch").exists()
    resumed = small_study().run(folder, n_jobs=1, callback=on_event)
    assert not (folder / ".scratch").exists(), "the data of the killed study are left"
    assert killed
    pd.testing.assert_frame_equal(results(resumed), results(whole))
    assert sorted([*made, *kept["run"]]) == sorted(whole["run"]), "a run is lost, or made twice"
    predicted = {path.stem for path in (folder / "predictions").iterdir()}
    assert predicted == set(whole.loc[whole["status"] == "ok", "run"])


def _a_worker() -> psutil.Process:
    return next(child for child in psutil.Process().children() if "popen_loky" in " ".join(child.cmdline()))


class Mortal:
    """Workers of whom each dies that takes up `deadly`; whatever else is under way dies with it, as loky has it."""

    def __init__(self, n_workers: int, deadly: str) -> None:
        self.n_workers, self.deadly, self.calls, self.lives = n_workers, deadly, Counter(), 1
        self._waiting: list[tuple[Future, str]] = []

    def submit(self, job):
        future = Future()
        self.calls[job] += 1
        self._waiting.append((future, job))
        if len(self._waiting) == self.n_workers or job == "last" or self.lives > 1:
            dead = any(job == self.deadly for _, job in self._waiting)
            for held, name in self._waiting:
                if dead:
                    held.set_exception(BrokenExecutor())
                else:
                    held.set_result(({"run": name, "status": "ok"}, None))
            self._waiting = []
        return future

    def renew(self):
        self.lives += 1


def test_only_the_run_that_kills_its_worker_alone_is_given_up(monkeypatch):
    monkeypatch.setattr(
        "xmlwb.studies.workers.failed_row", lambda job, why: {"run": job, "status": "failed", "error": why}
    )
    workers = Mortal(2, deadly="b")
    ended = {job: row for job, row, _ in make_runs(iter(["a", "b", "c", "last"]), workers, lambda job: True)}
    assert {job: row["status"] for job, row in ended.items()} == {"a": "ok", "b": "failed", "c": "ok", "last": "ok"}
    assert "died twice" in ended["b"]["error"]
    assert workers.calls == {"a": 2, "b": 2, "c": 1, "last": 1}
