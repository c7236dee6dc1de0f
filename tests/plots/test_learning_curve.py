"""The curve of a running fit: what shares an axis, and what the second one is called."""

from __future__ import annotations

from xmlwb.models import Event
from xmlwb.plots import learning_curve


def events(**figures: float) -> list[Event]:
    return [Event("half step", step, 4, 0.1 * step, dict(figures)) for step in (1, 2)]


def test_fractions_left_others_right_and_named():
    figure = learning_curve(events(**{"valid P@1": 0.5, "objective": 140_000.0}))
    assert {trace.name: trace.yaxis for trace in figure.data} == {"valid P@1": "y", "objective": "y2"}
    assert figure.layout.yaxis2.title.text == "objective"
    assert figure.layout.xaxis.title.text == "step (half step)"


def test_one_axis_where_there_are_no_fractions():
    figure = learning_curve(events(objective=140_000.0))
    assert [trace.yaxis for trace in figure.data] == ["y"]
    assert figure.layout.yaxis.title.text == "objective"


def test_counts_are_left_out_and_seconds_shown_instead():
    figure = learning_curve(events(labels=16.0))
    assert [trace.name for trace in figure.data] == ["elapsed (s)"]
