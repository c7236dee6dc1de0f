"""Searches: the same trials for any number of workers, resumed or not; hopeless ones are given up."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from small_study import SMALL, results

from xmlwb.models import STOP
from xmlwb.studies import Study, chosen_settings, final_studies
from xmlwb.studies.search import pruner_of

SPACE = {"wsabie": {"learning_rate": {"low": 1e-4, "high": 1.0, "log": True}, "n_components": [2, 20]}}


def search_study(trials: int = 9) -> Study:
    search = {"space": SPACE, "trials": trials, "startup": 3, "batch": 3}
    return Study(SMALL, {"popular": {}, "wsabie": {"n_epochs": 8}}, search=search)


def test_same_trials_whoever_runs_them_and_when(tmp_path):
    whole = search_study().run(tmp_path / "whole", n_jobs=2)
    assert len(whole) == 1 + 9
    assert {"ok", "pruned"} <= set(whole["status"])
    pruned = whole[whole["status"] == "pruned"]
    assert pruned["P@5"].isna().all()
    for curve in pruned["curve"].map(json.loads):
        assert 1 <= len(curve) < 8
        assert curve[-1][:2] == [len(curve), 8]
    assert whole.loc[whole["status"] == "ok", "curve"].dropna().map(lambda c: len(json.loads(c))).eq(8).all()

    ended = []

    def on_event(event):
        ended.append(event.kind == "end")
        return STOP if sum(ended) == 5 else None

    stopped = search_study().run(tmp_path / "other", n_jobs=1, callback=on_event)
    assert 5 <= len(stopped) < 10
    counts = []
    resumed = search_study().run(tmp_path / "other", n_jobs=1, callback=lambda e: counts.append((e.done, e.total)))
    pd.testing.assert_frame_equal(results(resumed), results(whole))
    assert counts[-1] == (10, 10)
    again = []
    more = search_study(12).run(tmp_path / "whole", n_jobs=1, callback=lambda e: again.append(e.kind))
    assert again.count("end") <= 3
    assert list(more["run"][:10]) == list(whole["run"])


def test_the_best_settings_go_to_the_test_rows(tmp_path):
    search = {"space": {"wsabie": {"n_components": [1, 15]}}, "trials": 4, "prune": False, "startup": 4}
    models = {"ova": {"tol": 0.01}, "wsabie": {"n_epochs": 8}}
    study = Study(SMALL, models, grid={"ova": {"C": [1e-4, 1.0]}}, search=search, seeds=2)
    runs = study.run(tmp_path, n_jobs=1)
    chosen = chosen_settings(study, tmp_path).set_index("model")
    assert chosen.loc["ova", "params"] == {"tol": 0.01, "C": 1.0}
    assert chosen.loc["wsabie", "params"] == {"n_epochs": 8, "n_components": 15}
    means = runs[runs["method"] == "ova"].groupby("label")["P@5"].mean()
    assert chosen.loc["ova", "value"] == means["ova C=1"] == means.max()
    (final,) = final_studies(study, tmp_path, seeds=1)
    assert final.evaluate == "test"
    assert [planned.given for planned in final.planned()] == list(chosen["params"])
    with pytest.raises(ValueError, match="test labels choose nothing"):
        chosen_settings(final, tmp_path)
    with pytest.raises(ValueError, match="knn has no finished run on synthetic"):
        chosen_settings(Study(SMALL, ["ova", "knn"], grid={"ova": {"C": [1.0], "tol": [0.01]}}), tmp_path)


def test_a_trial_below_the_median_is_given_up():
    history = [[(1, 0.1), (2, 0.3)], [(1, 0.2), (2, 0.4)], [(1, 0.3), (2, 0.5)]]
    give_up = pruner_of({"figure": "valid P@5", "startup": 3, "batch": 3, "history": history})
    assert not give_up(1, 0.25)
    assert give_up(2, 0.35)
    patient = pruner_of({"figure": "valid P@5", "startup": 4, "batch": 3, "history": history})
    assert not patient(1, 0.0)
