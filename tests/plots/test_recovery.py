"""The figures of sparse recovery show what the arrays say, are told apart without colour, and survive JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.label_recovery import (
    crosstalk_figure,
    precision_by_m_figure,
    sparsity_before_after_figure,
    sparsity_error_figure,
    tail_recall_figure,
)
from xmlwb.plots.recovery import (
    bound_figure,
    coherence_figure,
    isometry_figure,
    phase_figure,
    pursuit_figure,
    race_figure,
)


def spec(figure) -> dict:
    return json.loads(figure.to_json())


def test_phase_map_leaves_unknown_cells_empty_and_names_its_rows() -> None:
    shares = np.array([[0.0, np.nan], [1.0, 0.5]])
    drawn = spec(phase_figure(shares, [20, 40], [1, 8], title="OMP"))
    assert drawn["data"][0]["z"] == [[0, None], [1, 0.5]]
    assert drawn["layout"]["xaxis"]["ticktext"] == ["1", "8"]
    assert drawn["layout"]["yaxis"]["ticktext"] == ["20", "40"]
    assert drawn["data"][0]["text"][1][1] == "s = 8, m = 40"


def test_the_bound_runs_between_the_rows_of_the_map_and_ends_with_them() -> None:
    shares = np.zeros((3, 4))
    figure = phase_figure(shares, [20, 40, 80], [1, 2, 4, 8], title="t", bound=(np.array([10, 30, 60, 90]), "rule"))
    line = figure.data[-1]
    assert list(line.x) == [1, 2]
    assert list(line.y) == [0.5, 1.5]
    assert "rule" in figure.layout.title.text


def test_bound_figure_draws_a_line_only_where_there_is_a_constant() -> None:
    x = np.array([10.0, 20.0, 30.0])
    points = {"a": (x, np.array([20.0, np.nan, 60.0])), "b": (x, np.array([50.0, 60.0, 90.0]))}
    figure = bound_figure(points, {"a": 2.0})
    first, line, second = figure.data
    assert list(first.x) == [10, 30]
    assert "2.0 s ln(L/s)" in first.name
    assert list(line.y) == [0, 60]
    assert second.name == "b"
    assert first.marker.symbol != second.marker.symbol


def test_pursuit_shows_the_strongest_labels_that_are_not_chosen() -> None:
    figure = pursuit_figure(
        ["a", "b", "c", "d"], np.array([0.0, -0.9, 0.5, 0.1]), [0], [0, 1], title="after one step", shown=3
    )
    true, wrong = figure.data
    assert list(true.y) == ["1. b"]
    assert list(true.x) == [0.9]
    assert list(wrong.y) == ["2. c", "3. d"]
    assert wrong.marker.pattern.shape
    assert list(figure.layout.yaxis.categoryarray) == ["3. d", "2. c", "1. b"]


def test_pursuit_lists_what_was_chosen_in_order_and_marks_it() -> None:
    names = ["a", "b", "c", "d"]
    (note,) = pursuit_figure(names, np.zeros(4), [2, 0], [0, 1], title="t", shown=2).layout.annotations
    assert note.text == "<b>chosen so far</b><br>✗ c<br>✓ a"
    (note,) = pursuit_figure(names, np.zeros(4), [], [0, 1], title="t", shown=2).layout.annotations
    assert note.text.endswith("none")


def test_race_marks_right_labels_and_counts_them() -> None:
    figure = race_figure({"OMP": ["x", "w"], "IHT": ["w"]}, ["x", "y"], title="0ad")
    grid = figure.data[0]
    assert [list(row) for row in grid.text] == [["✓ x", "✗ w"], ["✗ w", ""]]
    assert list(grid.x) == ["<b>OMP</b><br>1 of 2", "<b>IHT</b><br>0 of 2"]
    assert np.array(grid.z).tolist() == [[2, 1], [1, 0]]


def test_coherence_figure_says_what_is_guaranteed() -> None:
    C = np.array([[1, 0.5, 0.1], [0.5, 1, -0.2], [0.1, -0.2, 1]])
    figure = coherence_figure(C, guaranteed=1, smallest=0.3)
    assert "up to 1 label" in figure.layout.title.text
    assert sum(figure.data[1].y) == pytest.approx(1)
    assert any("0.50" in note.text for note in figure.layout.annotations)


def test_a_large_coherence_is_named_to_the_left_of_its_line_to_stay_inside_the_figure() -> None:
    notes = coherence_figure(np.array([[1, 0.9], [0.9, 1]]), guaranteed=1, smallest=0.3).layout.annotations
    assert [note.xanchor for note in notes] == ["right", "left"]


def test_isometry_figure_says_from_where_on_the_promise_holds() -> None:
    table = pd.DataFrame(
        {"low": [0.2, 0.7], "high": [2.0, 1.3], "real low": [0.8, 0.9], "real high": [1.2, 1.1]}, index=[50, 100]
    )
    figure = isometry_figure(table, limit=0.4, size=4, marked=(60, "2 s ln(L/s)"))
    assert "from m = 100 on" in figure.layout.title.text
    assert [note.text for note in figure.layout.annotations if note.x == 60] == ["2 s ln(L/s)"]
    assert "at no m shown" in isometry_figure(table, limit=0.1, size=4).layout.title.text
    assert figure.data[0].fillpattern.shape != figure.data[1].fillpattern.shape


def test_sparsity_error_figure_takes_the_middle_of_each_group() -> None:
    documents = pd.DataFrame(
        {
            "sparsity of y": [1, 1, 1, 4],
            "sparsity of E": [2, 8, 2, 8],
            "error of y": [0.0, 0.2, 0.1, 0.9],
            "error of E": [0.1, 0.8, 0.2, 0.7],
        }
    )
    figure = sparsity_error_figure(documents)
    left_y, left_E, right_y, _ = figure.data
    assert list(left_y.y) == [pytest.approx(0.1), pytest.approx(0.9)]
    assert [tick.split("<br>")[0] for tick in left_y.x] == ["1", "3-4"]
    assert [tick.split("<br>")[0] for tick in right_y.x] == ["2", "5-8"]
    assert left_y.line.dash != left_E.line.dash


def test_precision_figure_has_a_line_for_each_decoder_and_the_level_without_squeezing() -> None:
    table = pd.DataFrame({"decoder": ["a", "a", "b"], "m": [10, 20, 10], "P@1": [0.1, 0.4, 0.2]})
    figure = precision_by_m_figure(table, {"P@1": 0.5}, 571)
    assert [list(trace.y) for trace in figure.data] == [[0.1, 0.4], [0.2]]
    assert figure.layout.shapes[0].y0 == 0.5
    assert any("571 labels, 0.500" in note.text for note in figure.layout.annotations)


def test_tail_recall_figure_is_in_per_cent() -> None:
    table = pd.DataFrame({"positives": [300.0, 2.0], "m = 50": [0.5, 0.1]}, index=["1", "10"])
    figure = tail_recall_figure(table, k="within five", title="t")
    assert list(figure.data[0].y) == [50, 10]
    assert list(figure.data[0].x) == ["<b>1</b><br>300", "<b>10</b><br>2"]


def test_crosstalk_figure_counts_what_drowns() -> None:
    labels = pd.DataFrame({"positives": [1, 10, 100, 0], "signal": [0.05, 0.2, 0.6, 0.0]})
    shallow, deep = crosstalk_figure(labels, 1.0, 100), crosstalk_figure(labels, 1.0, 4)
    assert shallow.layout.title.text == "m = 100: 33% of the labels are weaker than the noise"
    assert deep.layout.title.text == "m = 4: 67% of the labels are weaker than the noise"
    assert shallow.layout.shapes[0].y0 == pytest.approx(0.1)


def test_before_and_after_has_a_marker_for_each_set() -> None:
    columns = pd.MultiIndex.from_product([["y", "E"], ["median", "95th"]])
    table = pd.DataFrame([[2, 9, 8, 19], [3, 15, 27, 117]], index=["debtags", "debdeps"], columns=columns)
    figure = sparsity_before_after_figure(table, ["y", "E"])
    assert [list(trace.x) for trace in figure.data] == [[2, 3], [8, 27]]
    assert list(figure.data[1].error_x.array) == [11, 90]


def test_markers_of_one_set_are_moved_apart_along_the_rows_not_along_the_counts() -> None:
    columns = pd.MultiIndex.from_product([["y", "E"], ["median", "95th"]])
    table = pd.DataFrame([[2, 9, 8, 19]], index=["debtags"], columns=columns)
    figure = sparsity_before_after_figure(table, ["y", "E"])
    assert figure.layout.scattermode == "group"
    assert [trace.orientation for trace in figure.data] == ["h", "h"]


def test_sparsity_error_figure_draws_the_floor_where_it_is_known() -> None:
    documents = pd.DataFrame(
        {"sparsity of y": [1, 2], "sparsity of E": [2, 8], "error of y": [0.0, 0.2], "error of E": [0.1, 0.8]}
    )
    assert len(sparsity_error_figure(documents).data) == 4
    with_floor = sparsity_error_figure(documents.assign(**{"floor of E": [0.05, 0.3]}))
    assert [list(trace.y) for trace in with_floor.data if trace.line.dash == "dot"] == [[0.05, 0.3], [0.05, 0.3]]
