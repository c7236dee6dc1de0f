"""The figures of chapter 08: what they say, and that nothing is drawn that is not there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.blend_curves import blend_figure
from xmlwb.plots.cycle import cycle_figure, shortlists_figure
from xmlwb.plots.pareto import cost_figure, on_front
from xmlwb.plots.small_world import small_world_figure
from xmlwb.plots.variants import variants_figure


class TestFront:
    def test_by_every_pair(self) -> None:
        rng = np.random.default_rng(0)
        cost, quality = rng.integers(6, size=(2, 40)).astype(float)
        beaten = [
            any(
                cost[j] <= cost[i] and quality[j] >= quality[i] and (cost[j] < cost[i] or quality[j] > quality[i])
                for j in range(40)
            )
            for i in range(40)
        ]
        assert on_front(cost, quality).tolist() == [not b for b in beaten]

    def test_equal_points_do_not_beat_each_other_and_unknown_ones_are_not_on_it(self) -> None:
        assert on_front(np.array([1.0, 1.0, np.nan]), np.array([2.0, 2.0, 9.0])).tolist() == [True, True, False]

    def test_only_its_methods_are_filled(self) -> None:
        table = pd.DataFrame(
            {
                "method": ["Popular", "KNN", "Astec"],
                "P@1": [10.0, 50.0, 40.0],
                "train s": [0.1, 1.0, 2.0],
                "model MB": [1.0, 3.0, 2.0],
                "ms an instance": [0.1, 0.3, 0.2],
            }
        )
        figure = cost_figure(table, title="small")
        symbols = {(trace.name, trace.xaxis): trace.marker.symbol for trace in figure.data if trace.mode == "markers"}
        assert symbols["Astec", "x"].endswith("-open")
        assert not symbols["Astec", "x2"].endswith("-open")
        assert "on all three fronts: KNN, Popular" in figure.layout.title.subtitle.text
        assert "3 methods" in figure.layout.title.text

    def test_a_method_without_figures_is_left_out(self) -> None:
        table = pd.DataFrame(
            {"method": ["a", "b"], "P@1": [1.0, np.nan], "train s": 1.0, "model MB": 1.0, "ms an instance": 1.0}
        )
        assert "1 methods" in cost_figure(table).layout.title.text


@pytest.fixture
def events() -> pd.DataFrame:
    phases = ["label", "label", "shortlist", "classifier", "classifier"]
    return pd.DataFrame({"phase": phases, "loss": [2, 1, np.nan, 0.5, 0.4], "seconds": [1.0, 1, 2, 4, 4]})


@pytest.fixture
def labels() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["a", "b<i>", "c"],
            "cosine": [0.9, 0.5, 0.1],
            "probability": [0.9, 0.4, 0.1],
            "kind": ["its labels", "in the shortlist", "others"],
        }
    )


def test_the_cycle_adds_the_seconds_up_to_the_moment(events, labels) -> None:
    figure = cycle_figure(events, 3, labels, document="text", own_found="1 of 1")
    assert "Step 4 of 5" in figure.layout.title.text
    assert "label embeddings 2.0 s, shortlist rebuilt 2.0 s, classifier and features 4.0 s" in (
        figure.layout.title.subtitle.text
    )
    texts = [note.text for note in figure.layout.annotations]
    assert "a" in texts
    assert "b&lt;i&gt;" in texts
    assert "c" not in texts


def test_what_is_to_come_is_pale(events, labels) -> None:
    figure = cycle_figure(events, 3, labels, document="", own_found="")
    pale = [trace for trace in figure.data if trace.opacity == 0.3]
    future = [np.flatnonzero(~np.isnan(np.asarray(trace.y, dtype=float))).tolist() for trace in pale]
    assert future == [[], [4]]


def test_a_rebuild_counts_what_is_new(labels) -> None:
    before = pd.DataFrame({"name": ["a", "b"], "probability": [0.1, 0.3], "own": False, "stays": [True, False]})
    after = pd.DataFrame(
        {
            "name": ["a", "c", "d"],
            "probability": [0.1, 0.5, 0.9],
            "own": [False, False, True],
            "stays": [True, False, False],
        }
    )
    figure = shortlists_figure(before, after, document="text", rebuild="Rebuild 1 of 2")
    assert "20.0 % → <b>30.0 %</b>, 2 of 3 new" in figure.layout.title.text
    assert list(figure.layout.yaxis2.ticktext) == ["a", "c (new)", "d ✓"]
    assert list(figure.layout.yaxis.ticktext) == ["a", "b (goes)"]


def test_before_the_first_list_there_is_none() -> None:
    empty = pd.DataFrame({"name": [], "probability": [], "own": np.empty(0, bool), "stays": np.empty(0, bool)})
    after = pd.DataFrame({"name": ["a"], "probability": [0.1], "own": [False], "stays": [False]})
    text = shortlists_figure(empty, after, document="", rebuild="First list").layout.title.text
    assert "nan" not in text
    assert "10.0 %" in text


def test_the_best_beta_is_the_larger_at_a_tie() -> None:
    rows = [
        {"epoch": epoch, "beta": beta, "P@1": value + epoch / 100, "PSP@1": 0.1, "head": 0.9, "torso": 0.5, "tail": 0.1}
        for epoch in (1, 2)
        for beta, value in ((0.0, 0.5), (0.5, 0.6), (1.0, 0.6))
    ]
    figure = blend_figure(pd.DataFrame(rows), 2, 0.5)
    assert "<b>β = 1</b>: 62.0" in figure.layout.title.text
    assert "10.0 points" in figure.layout.title.subtitle.text


def test_variants_stand_in_their_order_with_their_means() -> None:
    runs = pd.DataFrame({"variant": ["b", "a", "b"], "P@1": [1.0, 5.0, 2.0]})
    figure = variants_figure(runs, {"P@1": "P@1, per cent"}, base="b", title="t")
    means = figure.data[1]
    assert (list(means.y), list(means.x), list(means.text)) == (["b", "a"], [1.5, 5.0], ["1.5", "5"])
    assert figure.layout.shapes[0].x0 == 1.5


def test_a_search_is_drawn_up_to_the_present_hop() -> None:
    layers = [{0: [1], 1: [0, 2], 2: [1]}, {1: []}]
    places = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    figure = small_world_figure(
        places, layers, [(1, 1), (0, 1)], query=np.array([0.4, 0.4]), query_name="a <b> text",
        best=[("own", 0.9, True), ("other", 0.5, False)], met=3,
    )  # fmt: skip
    assert figure.layout.title.text == "Hop 2, layer 0: <b>3 of 3</b> distances so far"
    assert figure.layout.title.subtitle.text == "a &lt;b&gt; text"
    texts = [note.text for note in figure.layout.annotations]
    assert "<b>0.90  own ✓</b>" in texts
    assert "0.50  other" in texts
    (links,) = [trace for trace in figure.data if trace.name == "its links"]
    assert len(links.x) == 2
