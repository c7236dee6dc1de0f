"""The comparison: its figures are the metrics', its files hold the same, its page needs no network."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from xmlwb.comparison import COSTS, Comparison, compare, memory_needs
from xmlwb.metrics import evaluate, propensities
from xmlwb.models import KNN, STOP, OneVsAll, Popular


@pytest.fixture(scope="module")
def models():
    return {"popular": Popular(), "knn": KNN(n_neighbors=5), "ova": OneVsAll()}


@pytest.fixture(scope="module")
def comparison(small_dataset, models) -> Comparison:
    return compare(small_dataset, models, n_resamples=200, about={"command": "xmlwb compare --data <small> & more"})


def test_table_holds_the_metrics_of_each_models_own_predictions(comparison, small_dataset, models):
    assert list(comparison.table.index) == list(models)
    assert comparison.metrics == ["P@1", "P@3", "P@5", "nDCG@3", "nDCG@5", "PSP@1", "PSP@3", "PSP@5"]
    assert tuple(comparison.table.columns[-4:]) == COSTS
    propensity = propensities(small_dataset.Y_train, *small_dataset.propensity_ab)
    for name, model in models.items():
        S = model.fit(small_dataset.X_train, small_dataset.Y_train).predict_topk(small_dataset.X_test, k=5)
        expected = evaluate(small_dataset.Y_test, S, propensity)
        found = comparison.table.loc[name, comparison.metrics]
        np.testing.assert_allclose(found.to_numpy(float), [expected[metric] for metric in comparison.metrics])


def test_costs_are_measured(comparison, small_dataset):
    assert (comparison.table[list(COSTS)] > 0).all(axis=None)
    fitted = Popular().fit(small_dataset.X_train, small_dataset.Y_train)
    assert comparison.table.loc["popular", "model MB"] == pytest.approx(fitted.size_bytes_ / 1e6)


def test_peak_memory_is_that_of_the_fit_under_way(small_dataset):
    class Greedy(Popular):
        def _fit(self, X, Y, eval_set, report):
            held = np.ones(300_000_000 // 8)
            super()._fit(X, Y, eval_set, report)
            self.n_train_ += int(held[0] * 0)

    table = compare(small_dataset, {"greedy": Greedy(), "popular": Popular()}, n_resamples=10).table
    assert table.loc["greedy", "peak RSS MB"] > table.loc["popular", "peak RSS MB"] + 150


def test_intervals_hold_their_value(comparison):
    rows = comparison.intervals
    assert len(rows) == 3 * len(comparison.metrics)
    assert (rows["low"] < rows["value"]).all()
    assert (rows["value"] < rows["high"]).all()
    for row in rows.itertuples():
        assert row.value == pytest.approx(comparison.table.loc[row.model, row.metric])


def test_documents_of_one_source_are_resampled_together(small_dataset, comparison, tmp_path):
    """Each test document four times over, its source named: the intervals are those of the documents alone."""
    four = np.repeat(np.arange(80), 4)
    X, Y = small_dataset.X_test[four], small_dataset.Y_test[four]
    copies = replace(small_dataset, X_test=X, Y_test=Y, sources_test=[f"s{i}" for i in four])
    result = compare(copies, {"popular": Popular()}, n_resamples=200)
    alone = comparison.intervals[comparison.intervals["model"] == "popular"]
    pd.testing.assert_frame_equal(result.intervals, alone)
    assert result.about["intervals"] == "95 % bootstrap, whole sources resampled: 80 sources of 320 test instances"
    result.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "whole sources resampled: 80 sources of 320" in page
    assert "bootstrap intervals over groups of test instances" in page
    assert comparison.about["intervals"] == "95 % bootstrap over test instances"
    one = compare(replace(copies, sources_test=["s"] * 320), {"popular": Popular()}, n_resamples=10)
    assert one.about["intervals"] == "95 % bootstrap over test instances"


@pytest.mark.parametrize(("k", "last"), [(2, "PSP@2"), (7, "PSP@7")])
def test_other_k(small_dataset, k, last):
    result = compare(small_dataset, {"popular": Popular()}, k=k, n_resamples=10)
    assert result.metrics[-1] == last
    assert all(int(metric.split("@")[1]) <= k for metric in result.metrics)


def test_same_seed_same_figures(small_dataset, models, comparison):
    again = compare(small_dataset, models, n_resamples=200)
    pd.testing.assert_frame_equal(again.table[comparison.metrics], comparison.table[comparison.metrics])
    pd.testing.assert_frame_equal(again.intervals, comparison.intervals)


def test_progress_sees_every_phase_and_may_stop_a_fit(small_dataset):
    seen = []

    def progress(name, phase, event):
        seen.append((name, phase, event is not None))
        return STOP if event is not None else None

    model = OneVsAll()
    result = compare(small_dataset, {"ova": model}, progress=progress, n_resamples=10)
    phases = ["warm up", "fit", "predict", "measure"]
    assert list(dict.fromkeys(phase for _, phase, _ in seen)) == phases
    assert ("ova", "fit", True) in seen
    assert result.predictions["ova"].shape == small_dataset.Y_test.shape
    assert not hasattr(model, "coef_"), "the caller's model was fitted"


def test_no_models(small_dataset):
    with pytest.raises(ValueError, match="models: found none"):
        compare(small_dataset, {})


def test_memory_needs(small_dataset, models):
    needs = memory_needs(small_dataset, models)
    assert needs.keys() == models.keys()
    assert all(need > 0 for need in needs.values())


def test_parquet_holds_the_table_its_intervals_and_its_circumstances(comparison, tmp_path):
    comparison.to_parquet(tmp_path / "c.parquet")
    frame = pd.read_parquet(tmp_path / "c.parquet")
    pd.testing.assert_frame_equal(frame[comparison.table.columns], comparison.table)
    row = comparison.intervals.query("model == 'ova' and metric == 'PSP@3'").iloc[0]
    assert tuple(frame.loc["ova", ["PSP@3 low", "PSP@3 high"]]) == (row["low"], row["high"])
    assert frame.attrs["xmlwb"]["data"] == "small"
    assert {"xmlwb", "python", "numpy", "machine", "model ova", "command"} <= frame.attrs["xmlwb"].keys()


def test_a_failed_write_leaves_what_was_there(comparison, tmp_path, monkeypatch):
    path = tmp_path / "c.html"
    path.write_text("before")
    monkeypatch.setattr("xmlwb.report.comparison_page", lambda comparison: "\ud800")  # cannot be encoded
    with pytest.raises(UnicodeEncodeError):
        comparison.to_html(path)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


class _Loads(HTMLParser):
    """Collects what a browser would fetch, and how many scripts of plotly.js's size there are."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.text: list[str] = []
        self.large_scripts = 0

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag in ("script", "img", "iframe", "source", "embed") and found.get("src"):
            self.fetched.append(found["src"])
        if tag == "link" and found.get("href"):
            self.fetched.append(found["href"])

    def handle_data(self, data):
        if len(data) > 1_000_000:
            self.large_scripts += 1
        elif data.strip():
            self.text.append(data.strip())


def test_page_is_whole_and_needs_no_network(comparison, tmp_path):
    comparison.to_html(tmp_path / "c.html")
    html = (tmp_path / "c.html").read_text(encoding="utf-8")
    page = _Loads()
    page.feed(html)
    assert page.fetched == []
    assert page.large_scripts == 1, "plotly.js is wanted once"
    assert not re.search(r"@import|url\(\s*['\"]?https?:", html[: html.index("</style>")])
    assert "xmlwb compare --data <small> & more" in page.text
    best = f"{100 * comparison.table.loc['ova', 'P@1']:.2f}"
    assert best in page.text
    assert "planted labels" in " ".join(page.text)
    # intervals, cost, and the four views of the tail
    assert html.count("Plotly.newPlot(") == 6


def test_page_escapes_what_it_was_given(small_dataset, tmp_path):
    name = "<script>alert(1)</script>"
    compare(small_dataset, {name: Popular()}, n_resamples=10).to_html(tmp_path / "c.html")
    assert "<script>alert" not in (tmp_path / "c.html").read_text(encoding="utf-8")
