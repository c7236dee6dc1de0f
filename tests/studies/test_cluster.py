"""The same study on Dask workers, one of which dies on the way."""

from __future__ import annotations

import pandas as pd
import psutil
import pytest
from small_study import SMALL, results

from xmlwb.studies import Study
from xmlwb.studies.shared_rows import loaded_rows

pytest.importorskip("distributed")


def study() -> Study:
    return Study(
        SMALL, ["popular", "ova", "wsabie"], grid={"ova": {"C": [0.1, 1, 2]}, "wsabie": {"n_components": [5, 10**12]}}
    )


def test_two_workers_make_the_same_table_though_one_dies(tmp_path):
    whole = study().run(tmp_path / "loky", n_jobs=1)
    assert set(whole["status"]) == {"ok", "failed"}
    killed, made = [], []

    def on_event(event):
        if event.kind == "end":
            made.append(event.row["run"])
        if event.kind == "start" and event.label == "ova C=1":
            workers = [c for c in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(c.cmdline())]
            killed.append(workers[0])
            killed[0].kill()

    runs = study().run(tmp_path / "dask", dask=True, n_jobs=2, callback=on_event)
    assert killed
    pd.testing.assert_frame_equal(results(runs), results(whole))
    assert sorted(made) == sorted(whole["run"])
    assert not [c for c in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(c.cmdline())]


def test_a_worker_elsewhere_loads_the_same_rows_or_refuses():
    with study().opened() as opened:
        job = opened.grid_jobs()[0]
    rows = loaded_rows(job.source, "valid", job.data_hash)
    assert rows.X.shape == (45, 200)
    with pytest.raises(ValueError, match="is not the data that the study began with"):
        loaded_rows(job.source, "valid", "0" * 16)


def test_nobody_at_the_address(tmp_path, monkeypatch):
    monkeypatch.setattr("xmlwb.studies.cluster_runs._WAIT_SECONDS", 1)
    with pytest.raises(OSError, match="no cluster with workers answers at tcp"):
        study().run(tmp_path, dask="tcp://127.0.0.1:9")
