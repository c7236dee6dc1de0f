"""Forecasts, the terminal's view of a study, and GPUs for workers."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console
from small_study import SMALL

from xmlwb import cli
from xmlwb.studies import Study, worker_gpu
from xmlwb.studies.forecast import _extrapolated, _until_the_end
from xmlwb.studies.sweep_view import print_summary
from xmlwb.studies.worker_gpu import PLACES, visible_gpus

FILE = """
data: {name: synthetic, options: {n: 600, L: 40, n_features: 200}}
models: [popular, ova]
grid: {ova: {C: [0.1, 1]}}
"""


def test_short_fits_when_nothing_is_known(tmp_path):
    study = Study(SMALL, ["popular", "ova"], grid={"ova": {"C": [0.1, 1.0]}}, seeds=3)
    cost = study.forecast(tmp_path, n_jobs=2)
    assert list(cost.table["runs"]) == [1, 6]
    assert set(cost.table["based on"]) == {"short fits"}
    assert cost.n_runs == 7
    assert cost.seconds > cost.table["s a run"].max()
    assert cost.memory > 1e8
    search = {"space": {"ova": {"C": {"low": 0.1, "high": 10, "log": True}}}, "trials": 5}
    assert list(Study(SMALL, ["ova"], search=search).forecast().table["runs"]) == [5]


def test_time_is_extrapolated_and_shared():
    assert _extrapolated([(100, 1.0), (200, 2.0)], 400) == pytest.approx(4.0)
    assert _extrapolated([(100, 1.0), (200, 9.0)], 400) == pytest.approx(9 * 4), "no faster growth than squared"
    assert _extrapolated([(100, 0.0)], 400) == 0.0
    assert _until_the_end([3.0, 1.0, 1.0, 1.0], 2) == pytest.approx(_until_the_end([3.0], 1))
    assert _until_the_end([], 2) == 0.0


def test_sweep_runs_forecasts_and_resumes(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(FILE)

    def sweep(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["sweep", "c.yaml", *words])
        return int(ended.value.code or 0), *capfd.readouterr()

    code, out, err = sweep("--dry-run")
    assert (code, err) == (0, "")
    assert "Forecast: 3 runs, about" in out
    assert "short fits" in out
    assert not (tmp_path / "c").exists()
    code, out, err = sweep("--no-forecast", "--jobs", "1")
    assert (code, err) == (0, "")
    assert "1/3 synthetic popular seed 0: P@1" in out
    assert "3/3 synthetic ova C=1 seed 0" in out
    assert "validation rows, quality in per cent" in out
    code, out, _ = sweep()
    assert "Forecast: 0 runs" in out
    assert "3 runs, 3 of them done already" in out
    (tmp_path / "c.yaml").write_text(FILE.replace("[0.1, 1]", "[0.1, 1, 2]"))
    code, out, _ = sweep("--dry-run")
    assert "Forecast: 1 run, about" in out
    assert "stored runs" in out
    (tmp_path / "c.yaml").write_text(FILE.replace("[0.1, 1]", "[0.1, -1]"))
    code, _, err = sweep()
    assert code == 2
    assert err == "xmlwb: c.yaml: grid.ova: C is -1.0; wanted a number above 0\n"


def test_summary_is_of_means_over_seeds_best_first():
    rows = [
        {"data": "d", "evaluated": "valid", "label": label, "status": "ok", "P@1": p, "P@5": p, "train s": 1.0,
         "ms per instance": 1.0, "model MB": 1.0}
        for label, p in (("a", 0.1), ("a", 0.3), ("b", 0.4))
    ]  # fmt: skip
    frame = pd.DataFrame(rows).reindex(columns=[*rows[0], "P@3", "nDCG@5", "PSP@1", "PSP@5", "coverage@5"])
    frame.loc[3, "status"] = "failed"
    out = io.StringIO()
    print_summary(Console(file=out, width=120), frame)
    lines = out.getvalue().splitlines()
    assert lines[0].strip() == "d, validation rows, quality in per cent"
    assert [line.split()[:4] for line in lines if line.split()[:1] in (["a"], ["b"])] == [
        ["b", "1", "40.00", "40.00"], ["a", "2", "20.00", "20.00"],
    ]  # fmt: skip
    assert lines[-1] == "3 ok, 1 failed"


@pytest.mark.skipif(sys.platform == "win32", reason="places are taken by flock")
def test_each_worker_takes_a_gpu_of_its_own(tmp_path):
    alone = Path(worker_gpu.__file__).parent  # the module needs no other: workers start at once
    code = (
        f"import sys; sys.path.insert(0, {str(alone)!r}); import worker_gpu as w; print(w.take_gpu()); sys.stdin.read()"
    )
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "3,5", PLACES: str(tmp_path / "places")}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}

    def start() -> tuple[subprocess.Popen, str]:
        process = subprocess.Popen([sys.executable, "-u", "-c", code], env=environment, **pipes)
        return process, process.stdout.readline().strip()

    processes = [start() for _ in range(3)]
    assert [gpu for _, gpu in processes] == ["3", "5", "3"]
    processes[1][0].kill()
    processes[1][0].wait()
    processes.append(start())
    assert processes[-1][1] == "5", "a worker that comes for a dead one takes its place"
    for process, _ in processes:
        process.kill()
        process.communicate()


def test_gpus_that_a_process_may_use(monkeypatch):
    for named, wanted in (("0,1", ["0", "1"]), ("", []), ("-1", []), ("GPU-a", ["GPU-a"])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
        assert visible_gpus() == wanted
