"""What is drawn ahead of a widget: its present place among the positions, within what it may cost."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
import pytest

from xmlwb.book import widget_snapshots
from xmlwb.book.widget_snapshots import describe, moves, positions_of, spread
from xmlwb.widgets import slider_figure, step_figure
from xmlwb.widgets.controls import control


def line(slope: float = 2.0, points: int = 3, grow: str = "up") -> go.Figure:
    if points == 7:
        raise ValueError("nothing to draw")
    return go.Figure(go.Scatter(y=[slope * x for x in range(points)]), layout={"title": f"{slope:g} {points} {grow}"})


def titles(move: dict[str, Any]) -> list[str]:
    return [position["figure"]["layout"]["title"]["text"] for position in move["positions"]]


def test_one_control_moves_and_the_others_stay() -> None:
    widget = slider_figure(line, slope=(0.0, 4.0, 1.0), points=(2, 5), grow=["up", "down"])
    slope, points, grow = moves(widget)
    assert titles(slope) == ["0 3 up", "1 3 up", "2 3 up", "3 3 up", "4 3 up"]
    assert titles(points) == ["2 2 up", "2 3 up", "2 4 up", "2 5 up"]
    assert titles(grow) == ["2 3 up", "2 3 down"]
    assert [move["at"] for move in (slope, points, grow)] == [2, 1, 0]
    assert widget.values == {"slope": 2.0, "points": 3, "grow": "up"}


def test_a_place_that_cannot_be_drawn_is_left_out() -> None:
    (points,) = moves(slider_figure(line, points=(2, 8)))
    assert titles(points) == ["2 2 up", "2 3 up", "2 4 up", "2 5 up", "2 6 up", "2 8 up"]
    assert titles(points)[points["at"]] == "2 3 up"


def test_dear_widgets_have_fewer_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    widget = slider_figure(line, slope=(0.0, 10.0, 1.0))
    size = len(str(moves(widget)[0]["positions"][0]["figure"]))
    monkeypatch.setattr(widget_snapshots, "MOST_BYTES", 5 * size)
    (slope,) = moves(widget)
    assert 3 <= len(slope["positions"]) <= 5
    assert titles(slope)[slope["at"]] == "2 3 up"
    monkeypatch.setattr(widget_snapshots, "MOST_BYTES", size)
    assert moves(widget) == []


def test_an_algorithm_brings_its_steps() -> None:
    widget = step_figure(lambda: [1, 2, 3], lambda states, at: go.Figure(go.Bar(y=states[: at + 1])))
    (steps,) = moves(widget)
    assert [len(p["figure"]["data"][0]["y"]) for p in steps["positions"]] == [1, 2, 3]


@pytest.mark.parametrize("here", [0, 3, 57, 99])
@pytest.mark.parametrize("most", [3, 4, 13])
def test_places_are_spread_over_the_whole_range(here: int, most: int) -> None:
    places = spread(100, here, most)
    assert {0, 99, here} <= set(places)
    assert len(places) <= most


def test_sliders_of_decades_keep_their_value() -> None:
    values = positions_of(control((1e-3, 1e3), label="C", value=2.0, log=True))
    assert 2.0 in [value for _, value in values]
    assert len(values) <= widget_snapshots.POSITIONS


def test_a_box_names_its_children() -> None:
    widget = slider_figure(line, slope=(0.0, 4.0))
    found = describe(widget)
    assert found is not None
    assert found["children"] == [child.model_id for child in widget.children]
    assert describe(widget.view)["figure"]["data"][0]["type"] == "scatter"  # type: ignore[index]
    assert describe(widget.controls["slope"]) == {"kind": "control", "label": "slope", "value": "2"}
