"""The figures of trees on tail labels show what the tables say, model by model and tenth by tenth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array

from xmlwb.plots.instance_tree import line_in_box, split_figure
from xmlwb.plots.tree_forests import forest_figure, scored_labels_figure
from xmlwb.plots.tree_settings import factors_figure, trade_off_figure
from xmlwb.plots.tree_tails import decile_recall_figure, quality_intervals_figure, whereabouts_figure
from xmlwb.tails import TailViews, tail_views


def rng_labels(n: int, L: int, seed: int) -> csr_array:
    rng = np.random.default_rng(seed)
    return csr_array((rng.random((n, L)) < np.linspace(0.5, 0.03, L)).astype(np.float32))


@pytest.fixture(scope="module")
def problem() -> tuple[csr_array, csr_array, dict[str, csr_array]]:
    Y_train, Y_test = rng_labels(200, 30, 0), rng_labels(60, 30, 1)
    scores = {
        name: csr_array(np.random.default_rng(s).random((60, 30))) for s, name in enumerate(("OneVsAll", "A", "B"))
    }
    return Y_train, Y_test, scores


@pytest.fixture(scope="module")
def tenths(problem: tuple[csr_array, csr_array, dict[str, csr_array]]) -> TailViews:
    return tail_views(*problem, kind="decile", baseline="OneVsAll", n_resamples=50)


def test_recall_by_tenths_is_counted_by_hand(problem, tenths: TailViews) -> None:
    Y_train, Y_test, scores = problem
    figure = decile_recall_figure(tenths, {"A": "splits documents"})
    assert [t.name for t in figure.data] == ["OneVsAll (in all panels)", "A", "OneVsAll (in all panels)", "B"]
    order = np.argsort(-Y_train.sum(axis=0), kind="stable")
    truth = Y_test.toarray() > 0
    for trace in figure.data:
        S = scores[trace.name.split(" ")[0]].toarray()
        first = np.argsort(-S, axis=1)[:, :5]
        found = np.zeros_like(truth)
        np.put_along_axis(found, first, True, axis=1)
        for tenth in range(10):
            labels = order[3 * tenth : 3 * tenth + 3]
            want = (found & truth)[:, labels].sum() / truth[:, labels].sum()
            assert trace.y[tenth] == pytest.approx(100 * want)
    assert any("splits documents" in a.text for a in figure.layout.annotations)
    assert figure.layout.legend.y < 0  # below the panels


def test_recall_by_tenths_wants_tenths_and_something_to_compare(problem) -> None:
    Y_train, Y_test, scores = problem
    with pytest.raises(ValueError, match="wanted tenths"):
        decile_recall_figure(tail_views(Y_train, Y_test, scores, n_resamples=5))
    alone = tail_views(Y_train, Y_test, {"OneVsAll": scores["OneVsAll"]}, kind="decile", n_resamples=5)
    with pytest.raises(ValueError, match="found OneVsAll alone"):
        decile_recall_figure(alone)


def test_fates_stack_to_all_right_labels() -> None:
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], size=20)
    columns = ["among the first k", "reached, outranked", "never reached"]
    table = pd.DataFrame(shares, columns=columns).assign(
        model=["A"] * 10 + ["B"] * 10, decile=[*range(1, 11)] * 2, positives=7
    )
    figure = whereabouts_figure(table, k=3)
    assert [trace.name for trace in figure.data[:3]] == ["among the first 3", *columns[1:]]
    stacked = np.sum([trace.y for trace in figure.data[3:6]], axis=0)
    assert stacked == pytest.approx(100)
    assert list(figure.data[3].y) == pytest.approx(100 * shares[10:, 0])
    assert len({trace.marker.pattern.shape for trace in figure.data[:3]}) == 3  # told apart in grey
    assert figure.layout.barmode == "stack"


def test_quality_has_its_intervals_in_per_cent_and_inside_the_axes() -> None:
    rows = [
        (model, metric, value, value - 0.02, value + 0.05)
        for model, base in (("OneVsAll", 0.4), ("Parabel", 0.3))
        for value, metric in ((base, "P@1"), (base / 2, "P@3"), (base + 0.1, "PSP@1"), (base, "PSP@3"))
    ]
    figure = quality_intervals_figure(pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"]))
    ova, parabel = figure.data[:2]
    assert (list(ova.x), list(ova.y)) == (["P@1", "P@3"], pytest.approx([40, 20]))
    assert list(parabel.error_y.array) == pytest.approx([5, 5])
    assert list(parabel.error_y.arrayminus) == pytest.approx([2, 2])
    assert ova.marker.symbol != parabel.marker.symbol
    low, high = figure.layout.yaxis2.range
    assert low < 28
    assert high > 55
    assert [trace.showlegend for trace in figure.data] == [True, True, False, False]


@pytest.fixture
def curve() -> pd.DataFrame:
    return pd.DataFrame({"alpha": [0.0, 0.5, 1.0], "P@1": [0.5, 0.7, 0.8], "PSP@1": [0.4, 0.45, 0.3]})


def test_the_trade_off_marks_the_nearest_setting_and_other_models(curve: pd.DataFrame) -> None:
    figure = trade_off_figure(curve, 0.6, {"OneVsAll": (0.75, 0.35)})
    named = {trace.name: trace for trace in figure.data}
    assert list(named["P@1"].y) == pytest.approx([50, 70, 80])
    assert (named["alpha = 0.5"].x[0], named["alpha = 0.5"].y[0]) == pytest.approx((70, 45))
    assert (named["OneVsAll"].x[0], named["OneVsAll"].y[0]) == pytest.approx((75, 35))
    assert "P@1 70.0 %" in figure.layout.annotations[0].text
    path = next(trace for trace in figure.data if trace.name is None)
    assert list(path.y) == pytest.approx([40, 45, 30])


def test_the_two_changes_share_one_scale() -> None:
    table = pd.DataFrame(
        {
            "trees by": ["count", "count", "propensity", "propensity"],
            "re-ranker": [False, True, False, True],
            "P@1": [0.70, 0.701, 0.699, 0.70],
            "PSP@1": [0.30, 0.33, 0.36, 0.40],
        }
    )
    figure = factors_figure(table)
    spans = [np.diff(axis.range)[0] for axis in (figure.layout.yaxis, figure.layout.yaxis2)]
    assert spans[0] == pytest.approx(spans[1])
    assert list(figure.data[3].y) == pytest.approx([36, 40])
    assert list(figure.data[3].text) == ["36.0", "40.0"]
    assert figure.data[0].line.dash != figure.data[1].line.dash
    for trace in figure.data[:2]:
        assert figure.layout.yaxis.range[0] < min(trace.y) <= max(trace.y) < figure.layout.yaxis.range[1]


def test_forests_and_scored_labels() -> None:
    curves = {
        "FastXML": pd.DataFrame({"trees": [1, 5, 50], "P@1": [0.4, 0.5, 0.6], "PSP@1": [0.2, 0.3, 0.35]}),
        "Parabel": pd.DataFrame({"trees": [1, 3], "P@1": [0.55, 0.57], "PSP@1": [0.3, 0.31]}),
    }
    figure = forest_figure(curves)
    assert list(figure.data[0].x) == [1, 5, 50]
    assert list(figure.data[3].y) == pytest.approx([30, 31])
    assert list(figure.layout.xaxis.ticktext) == ["1", "3", "5", "50"]
    assert figure.data[0].line.dash != figure.data[1].line.dash

    table = pd.DataFrame(
        {
            "model": ["LPSR", "LPSR", "OneVsAll"],
            "labels a leaf": [5, 20, np.nan],
            "labels scored": [7.5, 28.0, 500.0],
            "P@1": [0.6, 0.7, 0.75],
            "PSP@1": [0.3, 0.33, 0.4],
            "ms a document": [0.1, 0.2, 0.3],
        }
    )
    spared = scored_labels_figure(table)
    lpsr, base = spared.data[:2]
    assert list(lpsr.x) == [7.5, 28.0]
    assert list(lpsr.text) == ["5", "20"]
    assert list(base.y) == [75.0]
    assert {shape.y0 for shape in spared.layout.shapes} == {75.0, 40.0}


def test_names_in_the_split_are_cut_escaped_and_bold_where_new() -> None:
    places = np.array([[0.0, 0.0], [1.0, 1.0], [0.5, 0.2]])
    long = "a-very-long-label-name-that-has-no-end<b>"
    figure = split_figure(
        places,
        np.array([1, -1, -1]),
        np.array([False, False, False]),
        ([(long, 0.5), ("b", 0.25)], []),
        objective=[np.nan, 0.5],
        phases=["start", "1 ranking", "1 sign"],
        before=(["b"], []),
    )
    texts = [annotation.text for annotation in figure.layout.annotations]
    assert "<b>1. a-very-long-…s-no-end&lt;b&gt; 50%</b>" in texts
    assert "2. b 25%" in texts
    assert "none yet" in texts
    assert not any("<b>" in t.removeprefix("<b>") and "1. a" in t for t in texts)
    assert list(figure.data[-1].x) == [1]


def test_a_line_beside_the_box_has_no_ends() -> None:
    assert line_in_box(np.array([1.0, 0.0]), 5.0, np.zeros(2), np.ones(2)).shape == (0, 2)
    diagonal = line_in_box(np.array([1.0, -1.0]), 0.0, np.zeros(2), np.ones(2))
    assert sorted(diagonal.tolist()) == [[0.0, 0.0], [1.0, 1.0]]
