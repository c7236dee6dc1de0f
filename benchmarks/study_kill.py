"""A study under bad treatment: killed ten times at random moments, and on Dask workers of which one dies.

    python benchmarks/study_kill.py                # SIGKILL, ten times, then resumed to the end
    python benchmarks/study_kill.py --dask         # loky, Dask, and Dask with a dead worker: tables and times

After each kill the rows on disk are noted; at the end all of them must still be there, each made once, and the table
must be that of an undisturbed run but for times and memory. The exit status is 1 where it is not.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from xmlwb.studies import Study, StudyEvent, read_runs
from xmlwb.studies.runs import BIN_METRICS, INTERVALS, METRICS

KILLS = 10
RESULTS = ["run", "study", "data", "method", "label", "place", "seed", "params", "status", "error", "data_hash"]
RESULTS += [*METRICS, *BIN_METRICS, *INTERVALS]


def the_study() -> Study:
    """121 runs of about a third of a second; the last parameter of WSABIE asks for more memory than there is."""
    grid = {
        "ova": {"C": [0.1, 0.3, 1.0, 3.0], "threshold": [0.0, 0.1]},
        "parabel": {"C": [0.1, 0.3, 1.0, 3.0], "n_trees": [1, 3]},
        "wsabie": {"n_components": [20, 50, 100, 10**12], "n_epochs": [5, 10]},
    }
    data = {"name": "synthetic", "options": {"n": 6000, "L": 300, "n_features": 3000}}
    return Study(data, ["popular", *grid], grid=grid, seeds=5, predictions=True, name="killed")


def results(runs: pd.DataFrame) -> pd.DataFrame:
    """What must not depend on how the study was run."""
    return runs[RESULTS].sort_values("run", ignore_index=True)


def same(found: pd.DataFrame, wanted: pd.DataFrame) -> bool:
    """Whether two tables agree, with a word on where they do not."""
    try:
        pd.testing.assert_frame_equal(results(found), results(wanted))
    except AssertionError as error:
        print(error)
        return False
    return True


def kill_and_resume(folder: Path, seed: int) -> bool:
    whole, seconds = _timed(folder / "whole")
    print(f"undisturbed: {len(whole)} runs in {seconds:.1f} s, {(whole['status'] == 'failed').sum()} of them failed")
    rng, killed = np.random.default_rng(seed), folder / "killed"
    noted: dict[str, str] = {}
    fine = True
    for number in range(1, KILLS + 1):
        running = subprocess.Popen([sys.executable, __file__, "--into", str(killed)])
        # From the first moment to some way into the runs.
        after = rng.uniform(0, 0.45 * seconds)
        time.sleep(after)
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        rows = _rows(killed)
        kept = all(rows.get(run) == finished for run, finished in noted.items())
        fine &= kept
        print(
            f"kill {number} after {after:4.1f} s: {len(rows)} runs on disk, {'none' if kept else 'SOME'} lost or redone"
        )
        noted |= rows
        if len(rows) == len(whole):
            print("it had come to its end; the next kills find nothing to do")
    resumed, _ = _timed(killed)
    rows = _rows(killed)
    fine &= all(rows.get(run) == finished for run, finished in noted.items()) and len(rows) == len(whole)
    fine &= not resumed["run"].duplicated().any() and same(resumed, whole)
    predicted = {path.stem for path in (killed / "predictions").iterdir()}
    fine &= predicted == set(whole.loc[whole["status"] == "ok", "run"])
    print(f"resumed to the end: {'the same table, no run lost, none twice' if fine else 'NOT the same'}")
    return fine


def on_dask(folder: Path) -> bool:
    whole, loky = _timed(folder / "loky")
    runs, dask = _timed(folder / "dask", dask=True)
    fine = same(runs, whole)
    print(f"loky {loky:.1f} s, Dask {dask:.1f} s: {dask / loky:.2f} times (wanted: at most 1.3); same table: {fine}")
    made, killed = [], []

    def on_event(event: StudyEvent) -> None:
        if event.kind != "end" or event.row is None:
            return
        made.append(event.row["run"])
        if event.done == event.total // 2:
            workers = [c for c in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(c.cmdline())]
            killed.append(workers[0].pid)
            workers[0].kill()

    runs, seconds = _timed(folder / "dead", dask=True, callback=on_event)
    alike = bool(killed) and same(runs, whole) and sorted(made) == sorted(whole["run"])
    lost = seconds - dask
    print(
        f"one of two workers killed half way: {seconds:.1f} s ({lost:+.1f} s), each run told once, same table: {alike}"
    )
    return fine and alike and dask / loky <= 1.3


def _timed(folder: Path, **how: object) -> tuple[pd.DataFrame, float]:
    begin = time.perf_counter()
    runs = the_study().run(folder, n_jobs=2, **how)  # type: ignore[arg-type]
    return runs, time.perf_counter() - begin


def _rows(folder: Path) -> dict[str, str]:
    """When each run on disk ended: a run that was made again would have another time."""
    if not (folder / "runs").is_dir():
        return {}
    runs = read_runs(folder)
    return dict(zip(runs["run"], runs["finished"], strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.into is not None:
        the_study().run(options.into, n_jobs=2)
        return
    with tempfile.TemporaryDirectory() as folder:
        fine = on_dask(Path(folder)) if options.dask else kill_and_resume(Path(folder), options.seed)
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
