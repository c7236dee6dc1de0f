"""Figures of the table of runs: what they draw is what was planted."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from xmlwb.plots.label_gains import gain_by_frequency_figure, label_gains_figure
from xmlwb.plots.parallel_coordinates import parallel_figure
from xmlwb.plots.run_bins import bins_figure
from xmlwb.plots.run_costs import cost_figure, front_of
from xmlwb.plots.run_differences import differences_figure
from xmlwb.plots.run_panels import LevelAxis, log_ticks, wrapped
from xmlwb.plots.run_parameters import parameter_figure
from xmlwb.plots.theme import model_styles
from xmlwb.run_table import settings_of, with_seeds_apart

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def planted(monkeypatch) -> pd.DataFrame:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return with_seeds_apart(importlib.import_module("planted_runs").planted_runs(3000))


def lines_of(figure: go.Figure) -> list[go.Scatter]:
    """The traces with a place in the legend or of a group that has one: not the faint clouds."""
    return [trace for trace in figure.data if trace.name]


def test_the_best_value_of_a_parameter_is_where_it_was_planted(planted):
    figure = parameter_figure(planted[planted["data"] == "debtags"], "C", ["P@1"])
    ova = next(trace for trace in lines_of(figure) if trace.name == "ova")
    assert ova.x[int(np.argmax(ova.y))] == pytest.approx(0.0, abs=0.1)  # log10 of C = 1, a little beside it
    runs = planted[(planted["data"] == "debtags") & (planted["method"] == "ova") & (planted["param.C"] == 1.0)]
    best = settings_of(runs, ["P@1"]).nlargest(1, "P@1").iloc[0]
    assert max(ova.y) == pytest.approx(100 * best["P@1"])
    at = int(np.argmax(ova.y))
    assert ova.error_y.array[at] == pytest.approx(100 * (best["P@1 high"] - best["P@1"]))
    assert {trace.name for trace in lines_of(figure)} == {"ova", "parabel"}  # svd has no C


def test_the_mean_over_the_others_is_taken_seed_by_seed(planted):
    runs = planted[(planted["data"] == "debtags") & (planted["method"] == "parabel") & (planted["status"] == "ok")]
    figure = parameter_figure(runs, "n_trees", ["P@1"], others="mean")
    by_seed = runs[runs["param.n_trees"] == 8].groupby("seed")["P@1"].mean()
    line = lines_of(figure)[0]
    assert line.y[-1] == pytest.approx(100 * by_seed.mean())
    assert line.error_y.array[-1] == pytest.approx(100 * (by_seed.max() - by_seed.mean()))


def test_panels_are_data_sets_and_bins(planted):
    figure = parameter_figure(planted, "n_components", ["P@5 head", "P@5 tail"])
    titles = [note.text for note in figure.layout.annotations]
    assert titles == [f"<b>{d}: P@5 {b}</b>" for d in ("debtags", "debdeps") for b in ("head", "tail")]
    tail = [trace for trace in lines_of(figure) if trace.xaxis == "x2"]
    assert max(tail[0].y) == 0.0  # planted: SVD finds nothing there


def test_a_failed_run_and_one_without_the_parameter_are_not_drawn(planted):
    runs = planted[planted["method"] == "svd"]
    assert parameter_figure(runs, "C", ["P@1"]).layout.annotations[0].text.startswith("no chosen run")
    with pytest.raises(ValueError, match="'gamma'"):
        parameter_figure(runs, "gamma", ["P@1"])
    with pytest.raises(ValueError, match="metrics"):
        parameter_figure(planted, "C", ["P@99"])


def test_a_default_stands_beside_the_values():
    axis = LevelAxis(pd.Series([None, 1.0, 100.0]))
    assert axis.decades
    assert axis.position["-"] < axis.position["1"] == 0.0 < axis.position["100"] == 2.0
    words = LevelAxis(pd.Series(["b", "a", "b"]))
    assert words.position == {"a": 0.0, "b": 1.0}
    assert words.shift(0, 2) == -words.shift(1, 2) < 0


def test_the_front_holds_what_nothing_beats(planted):
    front = front_of(planted, "train s", "P@1")
    assert set(front["data"]) == {"debtags", "debdeps"}
    for _, part in front.groupby("data"):
        assert part["front"].tolist() == list(range(1, len(part) + 1))
        assert part["train s"].is_monotonic_increasing
        assert part["P@1"].is_monotonic_increasing
    assert "ova" not in set(front["method"])  # planted: Parabel is as good and cheaper
    figure = cost_figure(planted, "train s", "P@1")
    drawn = [trace for trace in figure.data if trace.name == "Pareto front"]
    assert sum(len(trace.x) for trace in drawn) == len(front)
    assert {figure.layout.xaxis.type, figure.layout.xaxis2.type} == {"log"}
    assert "seconds" in figure.layout.xaxis.title.text


def test_bins_show_the_best_setting_of_each_method(planted):
    figure = bins_figure(planted, "P@5")
    svd = [trace for trace in figure.data if trace.name == "svd"]
    assert len(svd) == 2
    best = settings_of(planted[(planted["method"] == "svd") & (planted["data"] == "debtags")], ["P@5", "P@5 head"])
    assert svd[0].y[0] == pytest.approx(100 * best.nlargest(1, "P@5")["P@5 head"].item())
    assert svd[0].y[2] == 0.0
    assert "no frequency bin" in bins_figure(planted, "P@1").layout.annotations[0].text


def test_parallel_coordinates_have_an_axis_for_everything(planted):
    figure = parallel_figure(planted, ["C", "loss"], "P@1", cost="train s")
    lines = figure.data[0]
    assert [axis.label for axis in lines.dimensions] == ["method", "data", "C", "loss", "train s", "P@1, per cent"]
    settings = settings_of(planted, ["P@1", "train s"]).dropna(subset=["P@1"])
    assert len(lines.line.color) == len(settings)
    method = lines.dimensions[0]
    assert list(method.ticktext) == ["ova", "parabel", "svd"]
    assert np.bincount(np.round(method["values"]).astype(int)).tolist() == [
        int((settings["method"] == m).sum()) for m in method.ticktext
    ]  # fmt: skip
    assert list(lines.dimensions[3].ticktext) == ["-", "hinge", "squared hinge"]


def test_many_runs_stay_a_small_figure(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    runs = with_seeds_apart(importlib.import_module("planted_runs").planted_runs(10_000, seeds=1))
    figure = cost_figure(runs, "train s", "P@1")
    assert {trace.type for trace in figure.data if trace.name != "Pareto front"} == {"scattergl"}
    assert len(figure.to_json()) < 400_000
    assert len(parameter_figure(runs, "C", ["P@1"]).to_json()) < 400_000


def test_methods_keep_their_colours(planted):
    for figure in (
        parameter_figure(planted, "C", ["P@1"]),
        cost_figure(planted, "train s", "P@1"),
        bins_figure(planted, "P@5"),
    ):
        for name in ("ova", "parabel"):
            traces = [trace for trace in figure.data if trace.name == name]
            assert {trace.marker.color for trace in traces} == {model_styles([name])[name].colour}


def differences() -> pd.DataFrame:
    table = pd.DataFrame({"setting": [1, 2, 3], "label": ["a " * 60, "<b>", "c"], "difference": [0.02, -0.01, 0.001]})
    sure = [True, True, False]
    return table.assign(
        low=table["difference"] - 0.005, high=table["difference"] + 0.005, pairs=5, significant=sure,
        **{"p value": [0.0001, 0.01, 0.6], "adjusted p": [0.0003, 0.02, 0.6]},
    )  # fmt: skip


def test_differences_are_told_apart_by_colour_and_symbol():
    figure = differences_figure(differences(), "the base", "P@1", pairs="seeds", correction="corrected by Holm")
    drawn = {trace.name: (list(trace.x), trace.marker.symbol, trace.marker.color) for trace in figure.data}
    assert drawn["better"][0] == [2.0]
    assert drawn["worse"][0] == [-1.0]
    assert drawn["may be chance"][0] == pytest.approx([0.1])
    assert len({look[1] for look in drawn.values()}) == len({look[2] for look in drawn.values()}) == 3
    assert [note.text for note in figure.layout.annotations] == ["p = .600", "p = .020", "p < .001"]
    names = figure.layout.yaxis.ticktext
    assert "&lt;b&gt;" in names
    assert max(len(line) for line in names[2].split("<br>")) <= 44  # long names go over several lines, whole
    assert names[2].replace("<br>", " ").count("a") == 60


def gains() -> pd.DataFrame:
    gain = np.array([5.0, -3.0, 0.0, 1.0])
    return pd.DataFrame({
        "index": range(4), "label": ["role::program", "a label of many words " * 4, "c", "d"],
        "positives": [100, 10, 1, 0], "test positives": [9, 8, 7, 6], "found by A": 5 + gain, "found by B": 5.0,
        "gain": gain, "adjusted p": [0.01, 0.2, 1.0, 1.0],
    })  # fmt: skip


def test_gains_are_named_and_doubtful_ones_hatched():
    figure = label_gains_figure(gains())
    bars = {trace.name: trace for trace in figure.data}
    assert list(bars["A finds more"].x) == [1.0, 5.0]
    assert list(bars["A finds more"].marker.pattern.shape) == ["/", ""]
    assert list(bars["B finds more"].customdata) == [1]
    names = figure.layout.yaxis.ticktext
    assert " ".join(names[0].split("<br>")).strip() == ("a label of many words " * 4).strip()
    assert list(bars["A finds more"].y) == [1, 2]
    by_frequency = gain_by_frequency_figure(gains())
    assert sum(len(trace.x) for trace in by_frequency.data) == 4
    assert {note.text for note in by_frequency.layout.annotations} >= {"role::program"}


def test_equal_settings_are_said_to_be_equal():
    assert "the same labels" in label_gains_figure(gains().assign(gain=0.0)).layout.annotations[0].text


def test_ticks_are_few_and_within_the_axis():
    for low, high in ((0.001, 5000.0), (3.0, 4.0), (1.0, 1.0), (0.5, 30.0)):
        axis = log_ticks(pd.Series([low, high]), panels=1)
        assert 0 < len(axis["tickvals"]) <= 9, (low, high)
        assert all(axis["range"][0] <= np.log10(tick) <= axis["range"][1] for tick in axis["tickvals"])
    assert wrapped("x" * 60) == "x" * 26 + "<br>" + "x" * 26 + "<br>" + "x" * 8


def test_every_figure_is_valid_json(planted):
    for figure in (
        parameter_figure(planted, "weighting", ["P@1"], colour="alpha"),
        cost_figure(planted, "ms per instance", "P@5 tail", colour="depth"),
        bins_figure(planted, "P@5", ranked_by="P@5 tail"),
        parallel_figure(planted[planted["status"] == "ok"], ["C"], "P@1"),
    ):
        assert json.loads(figure.to_json())["data"]
