"""Studies: the same table however they are run, interrupted and resumed; nothing is lost and nothing is made twice."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from small_study import SMALL, small_study

from xmlwb.datasets import load
from xmlwb.metrics import bootstrap_interval, evaluate, precision_at_k, propensities
from xmlwb.models import STOP, OneVsAll
from xmlwb.studies import DataSource, Study, open_rows, read_predictions
from xmlwb.studies.runs import METRICS
from xmlwb.tails import tail_views


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """(folder, table, events) of an undisturbed run on one worker."""
    folder, events = tmp_path_factory.mktemp("whole"), []
    return folder, small_study().run(folder, n_jobs=1, callback=lambda event: events.append(event)), events


def test_every_run_is_a_row_and_failures_are_rows_too(whole):
    _, runs, events = whole
    assert list(runs["label"].drop_duplicates()) == [
        "popular", "ova C=0.1 threshold=0", "ova C=0.1 threshold=0.1", "ova C=1 threshold=0", "ova C=1 threshold=0.1",
        "knn", "wsabie n_components=5", "wsabie n_components=1000000000000",
    ]  # fmt: skip
    assert len(runs) == 1 + 7 * 3, "a method that takes no seed runs once"
    failed = runs[runs["label"] == "wsabie n_components=1000000000000"]
    assert set(failed["status"]) == {"failed"}
    assert failed["error"].str.match("[A-Za-z_]*(Memory|Value)Error: .").all()
    assert failed["P@1"].isna().all()
    assert (runs.drop(failed.index)["status"] == "ok").all()
    assert (runs["run s"] > 0).all()
    assert (runs.drop(failed.index)[["train s", "peak RSS MB", "model MB"]] > 0).all().all()
    assert {"python", "xmlwb", "numpy"} <= set(json.loads(runs.loc[0, "versions"]))
    assert [event.kind for event in events[:4]] == ["begin", "start", "start", "end"]
    assert [event.done for event in events if event.kind == "end"] == list(range(1, 23))


def test_figures_are_those_of_the_library(whole):
    folder, runs, _ = whole
    row = runs[runs["label"] == "ova C=1 threshold=0.1"].iloc[0]
    dataset = load("synthetic", **SMALL["options"]).with_valid(0.1, 0)
    S = OneVsAll(C=1.0, threshold=0.1, random_state=0, n_jobs=1).fit(dataset.X_train, dataset.Y_train)
    S = S.predict_topk(dataset.X_valid, k=5)
    quality = evaluate(dataset.Y_valid, S, propensities(dataset.Y_train, *dataset.propensity_ab))
    assert {m: row[m] for m in METRICS} == pytest.approx({m: quality[m] for m in METRICS})
    interval = bootstrap_interval(precision_at_k(dataset.Y_valid, S, 5, per_instance=True)[:, 4])
    assert (row["P@5 low"], row["P@5 high"]) == pytest.approx((interval.low, interval.high))
    tail = tail_views(dataset.Y_train, dataset.Y_valid, {"ova": S}).quality.set_index("bin")
    for name in ("head", "torso", "tail"):
        found = (row[f"P@5 {name}"], row[f"R@5 {name}"], row[f"R@5 {name} low"], row[f"R@5 {name} high"])
        assert found == pytest.approx(tuple(tail.loc[name, ["P part", "recall", "low", "high"]]))
    kept = read_predictions(folder, row["run"])
    assert (kept != S).nnz == 0
    again, rows = open_rows(row["source"], row["evaluated"])
    assert (dataset.Y_valid != rows.Y).nnz == 0
    assert again.label_names == dataset.label_names


def test_test_labels_choose_nothing(small_dataset):
    other = replace(small_dataset, Y_test=csr_array(small_dataset.Y_test.shape, dtype=np.float32))
    for evaluated, same in (("valid", True), ("test", False)):
        ids = []
        for dataset in (small_dataset, other):
            with Study(dataset, ["popular"], evaluate=evaluated).opened() as opened:
                ids.append(opened.grid_jobs()[0].run)
        assert (ids[0] == ids[1]) is same
    rows = DataSource("small", in_memory=True).rows_of(small_dataset, "valid")
    assert (rows.X_train.shape[0], rows.X.shape[0]) == (144, 16)


def test_run_again_makes_only_what_is_missing(whole):
    folder, runs, _ = whole
    events = []
    again = small_study().run(folder, callback=lambda event: events.append(event))
    pd.testing.assert_frame_equal(again, runs)
    assert [event.kind for event in events] == ["begin"]
    assert small_study().missing(folder) == []
    more = Study(SMALL, ["ova"], grid={"ova": {"C": [1.0, 2.0], "threshold": [0.1]}}, seeds=[0, 7])
    assert [(job.label, job.seed) for job in more.missing(folder)] == [
        ("ova C=1 threshold=0.1", 7), ("ova C=2 threshold=0.1", 0), ("ova C=2 threshold=0.1", 7),
    ]  # fmt: skip
    assert Study.from_yaml(folder / "study.yaml").missing(folder) == []


def test_stop_ends_after_the_runs_under_way(tmp_path):
    answers = []

    def on_event(event):
        answers.append(event.kind)
        return STOP if event.kind == "end" else None

    runs = small_study().run(tmp_path, n_jobs=1, callback=on_event)
    # The next run starts before the last one is written.
    assert answers == ["begin", "start", "start", "end", "end"]
    assert list(runs["label"]) == ["popular", "ova C=0.1 threshold=0"]


def test_settings_that_mean_the_same_are_one_run():
    study = Study(
        SMALL, {"a": {"method": "ova"}, "b": {"method": "ova", "C": 1, "n_jobs": 2}, "c": {"method": "ova", "C": 2}}
    )
    with study.opened() as opened:
        assert [job.label for job in opened.grid_jobs()] == ["a", "c"]


def test_a_part_of_the_training_rows():
    sizes = [SMALL | {"rows": rows} for rows in (100, 200)]
    study = Study(sizes, ["popular"])
    with study.opened() as opened:
        assert [opened.shape_of(i)[0] for i in (0, 1)] == [100, 200]
        first, second = opened.grid_jobs()
    assert (first.data, second.data) == ("synthetic, 100 rows", "synthetic, 200 rows")
    assert first.run != second.run


def test_a_data_set_in_memory(small_dataset, tmp_path):
    study = Study(small_dataset, ["popular"])
    runs = study.run(tmp_path, n_jobs=1)
    assert runs.loc[0, "data"] == "small"
    dataset, rows = open_rows(runs.loc[0, "source"], "valid", small_dataset)
    assert rows.X.shape[0] == dataset.X_valid.shape[0] == 16
    with pytest.raises(ValueError, match="was a Dataset in memory; hand it over again"):
        open_rows(runs.loc[0, "source"], "valid")


def test_importing_studies_is_light():
    code = (
        "import sys, xmlwb.studies; print([m for m in ('torch', 'optuna', 'dask', 'distributed') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_last_bits_of_an_interval_do_not_matter(whole):
    values = whole[1]["P@5 low"].dropna().to_numpy()
    assert np.array_equal(values, values.round(9))
