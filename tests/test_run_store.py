"""The bookkeeping of benchmarks/overfitting.py: what has been run is not run again, and nothing of it is lost."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
JOB = {"data": "debdeps", "method": "glas", "params": {"regularization": 1.0, "activation": None}, "seed": 0}
SAME = {"seed": 0, "params": {"activation": None, "regularization": 1.0}, "method": "glas", "data": "debdeps"}


@pytest.fixture
def benchmark(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("run_store")


@pytest.fixture
def studies(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("overfitting_studies")


def test_a_run_is_known_again_by_its_job(benchmark, tmp_path):
    path = tmp_path / "runs" / "runs.jsonl"
    store = benchmark.RunStore(path)
    assert JOB not in store
    store.add(JOB, {"figures": {"P@1": 90.5}})
    for known in (store, benchmark.RunStore(path)):
        assert SAME in known
        assert known.get(SAME)["figures"] == {"P@1": 90.5}
        assert JOB | {"seed": 1} not in known
        assert known.get(JOB | {"rows": 100}) is None


def test_the_later_run_of_a_job_counts(benchmark, tmp_path):
    store = benchmark.RunStore(tmp_path / "runs.jsonl")
    store.add(JOB, {"figures": 1})
    store.add(SAME, {"figures": 2})
    again = benchmark.RunStore(tmp_path / "runs.jsonl")
    assert [run["figures"] for run in again] == [2]


def test_a_line_that_a_killed_process_left_costs_no_other_run(benchmark, tmp_path, capsys):
    path = tmp_path / "runs.jsonl"
    benchmark.RunStore(path).add(JOB, {"figures": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    benchmark.RunStore(path).add(JOB | {"seed": 1}, {"figures": 2})
    again = benchmark.RunStore(path)
    assert [run["figures"] for run in again] == [1, 2]
    assert "not whole" in capsys.readouterr().err


def test_a_smoke_run_is_never_taken_for_a_run(benchmark, studies):
    for study in studies.STUDIES:
        full = {benchmark.key_of(job) for _, job in studies.jobs_of(study, list(studies.DATA), range(2))}
        fast = {benchmark.key_of(job) for _, job in studies.jobs_of(study, list(studies.DATA), range(2), fast=True)}
        assert fast
        assert not full & fast


def test_each_level_of_the_ablation_leaves_the_base_in_one_parameter(studies):
    (name,) = studies.DATA[:1]
    jobs = dict(studies.jobs_of("table1", [name], range(1)))
    base = studies.ABLATION_BASE
    for setting, job in jobs.items():
        changed = {part for part, value in job["params"].items() if base.get(part, "no such") != value}
        assert len(changed) <= 1, setting
    at_base = [setting for setting, job in jobs.items() if job["params"] == base]
    assert sorted(setting.split(":")[0] for setting in at_base) == sorted(studies.ABLATION)
