"""The run table: what is written is read, once, whoever was killed in between."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from xmlwb.studies import read_predictions, read_runs
from xmlwb.studies import runs as run_module
from xmlwb.studies.runs import RunTable


def row(number: int, **changed):
    params = {"C": number / 2, "loss": "hinge", "depth": None}
    return {
        "study": "s", "run": f"{number:04x}", "method": "ova", "data": "d", "place": number, "seed": 0,
        "P@1": number / 100, "params": json.dumps(params), "status": "ok",
        "finished": f"2026-01-01T00:00:{number % 60:02d}",
    } | changed  # fmt: skip


def test_rows_come_back_in_the_order_of_the_study(tmp_path):
    with RunTable(tmp_path).writing() as table:
        for number in (2, 0, 1):
            table.add(row(number))
        singles = read_runs(tmp_path)
    runs = read_runs(tmp_path)
    assert list(runs["run"]) == ["0000", "0001", "0002"]
    pd.testing.assert_frame_equal(runs, singles)
    assert list(runs["param.C"]) == [0.0, 0.5, 1.0]
    assert list(runs["param.depth"]) == ["none"] * 3
    assert runs["P@5"].isna().all()
    assert not list((tmp_path / "runs").glob("run-*")), "they lie in a part now"


def test_runs_that_are_there_twice_count_once_the_latest(tmp_path):
    with RunTable(tmp_path).writing() as table:
        table.add(row(1))
        table.add(row(2))
    # Killed between the new part and the single files' end; and run again later.
    RunTable(tmp_path).add(row(1, **{"P@1": 0.9, "finished": "2027"}))
    RunTable(tmp_path).add(row(2))
    runs = read_runs(tmp_path)
    assert list(runs["run"]) == ["0001", "0002"]
    assert list(runs["P@1"]) == [0.9, 0.02]
    assert len(read_runs([tmp_path, tmp_path])) == 2


def test_many_runs_lie_in_few_files(tmp_path, monkeypatch):
    monkeypatch.setattr(run_module, "_SINGLES", 4)
    monkeypatch.setattr(run_module, "_PARTS", 3)
    for start in (0, 20):
        with RunTable(tmp_path).writing() as table:
            for number in range(start, start + 19):
                table.add(row(number))
                assert len(list((tmp_path / "runs").iterdir())) <= 3 + 1 + 4
    assert list(read_runs(tmp_path)["place"]) == [*range(19), *range(20, 39)]


def test_what_a_killed_writer_left_is_passed_over_and_removed(tmp_path):
    RunTable(tmp_path).add(row(1))
    rest = tmp_path / "runs" / ".run-0002.parquet.abc.parquet"
    rest.write_bytes(b"PAR1")
    assert list(read_runs(tmp_path)["run"]) == ["0001"]
    RunTable(tmp_path)
    assert not rest.exists()


def test_predictions(tmp_path):
    labels = np.array([[2, 0], [1, -1]], dtype=np.int32)
    scores = np.array([[0.5, 0.0], [1.0, 9.0]], dtype=np.float32)
    RunTable(tmp_path).add(row(1), (labels, scores, 4))
    S = read_predictions(tmp_path, "0001")
    assert S.shape == (2, 4)
    assert S.dtype == np.float32
    assert S.indices.tolist() == [0, 2, 1]
    assert S.data.tolist() == [0.0, 0.5, 1.0]
    assert read_predictions(tmp_path, "0002") is None


def test_a_table_of_an_older_version_is_read(tmp_path):
    path = tmp_path / "stored.parquet"
    RunTable(tmp_path).add(row(3))
    whole = pq.read_table(tmp_path / "runs" / "run-0003.parquet")
    pq.write_table(whole.select(["study", "run", "method", "status", "place", "params", "P@1"]), path)
    runs = read_runs(path)
    assert runs.loc[0, "P@1"] == 0.03
    assert "P@5 head low" in runs


def test_what_is_no_table_of_runs_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no study at"):
        read_runs(tmp_path / "nothing")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="no column 'run'"):
        read_runs(tmp_path / "other.parquet")
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ValueError, match="no whole Parquet file"):
        read_runs(tmp_path / "text.parquet")
    with pytest.raises(ValueError, match="the column 'P@2'"):
        RunTable(tmp_path).add(row(1) | {"P@2": 0.1})
    with pytest.raises(ValueError, match="is a file, wanted a folder"):
        RunTable(tmp_path / "text.parquet")


def test_two_writers_do_not_share_a_folder(tmp_path):
    with RunTable(tmp_path).writing(), pytest.raises(ValueError, match="another process is running a study"):  # noqa: SIM117
        with RunTable(tmp_path).writing():
            pass
    with RunTable(tmp_path).writing():
        pass


def test_an_empty_folder_has_the_columns(tmp_path):
    runs = read_runs(tmp_path)
    assert len(runs) == 0
    assert {"run", "P@5 tail high", "peak RSS MB"} <= set(runs)
