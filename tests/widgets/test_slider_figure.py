from __future__ import annotations

import json
import time

import ipywidgets
import plotly.graph_objects as go
import pytest

from xmlwb.widgets import LiveFigure, slider_figure
from xmlwb.widgets import figure as figure_module
from xmlwb.widgets.controls import control


def line(slope: float = 1.0, points: int = 3) -> go.Figure:
    if slope < 0:
        raise ValueError("slope is negative;\nwanted more")
    return go.Figure(go.Scatter(y=[slope * x for x in range(points)]))


def shown(view: LiveFigure) -> list[float]:
    return json.loads(view.figure)["data"][0]["y"]


def test_the_figure_follows_the_slider() -> None:
    live = slider_figure(line, slope=(-2.0, 2.0, 0.5), points=(2, 10))
    assert shown(live.view) == [0, 1, 2]
    live.controls["slope"].value = 1.5
    live.controls["points"].value = 2
    assert shown(live.view) == [0, 1.5]
    assert live.values == {"slope": 1.5, "points": 2}


def test_an_error_is_one_line_and_the_last_figure_stays() -> None:
    live = slider_figure(line, slope=(-2.0, 2.0, 0.5))
    live.controls["slope"].value = -1.0
    assert shown(live.view) == [0, 1, 2]
    assert "ValueError: slope is negative; wanted more" in live._message.value
    live.controls["slope"].value = 2.0
    assert shown(live.view) == [0, 2, 4]
    assert live._message.value == ""


def test_an_error_at_the_start_is_raised() -> None:
    def broken(slope: float = -1.0) -> go.Figure:
        return line(slope)

    with pytest.raises(ValueError, match="slope is negative"):
        slider_figure(broken, slope=(-2.0, 2.0))


def test_a_slow_function_waits_for_the_release() -> None:
    pause = {"seconds": 0.0}

    def slow(slope: float = 1.0) -> go.Figure:
        time.sleep(pause["seconds"])
        return line(slope)

    live = slider_figure(slow, slope=(0.0, 2.0, 0.5))
    pause["seconds"] = 0.3
    live.controls["slope"].value = 0.5
    assert not live.controls["slope"].continuous_update


def test_units_labels_and_scales_reach_the_controls() -> None:
    live = slider_figure(
        line, slope=(0.01, 10.0), points=[3, 5], units={"slope": "1/s"}, labels={"slope": "rate"}, log=("slope",)
    )
    assert live.controls["slope"].description == "rate (1/s)"
    assert isinstance(live.controls["slope"], ipywidgets.FloatLogSlider)
    assert live.controls["points"].value == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "no controls"),
        ({"slope": (0.0, 2.0), "units": {"slop": "m"}}, "'slop'"),
        ({"slope": (2.0, 3.0)}, "starts at 1.0"),
        ({"slope": (3.0, 2.0)}, "low < high"),
        ({"slope": []}, "no choices"),
        ({"slope": (0.0, 2.0), "log": ("slope",)}, "positive"),
    ],
)
def test_wrong_controls_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slider_figure(line, **arguments)


def test_no_control_at_all_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'slope'"):
        slider_figure(line, slope="steep")


@pytest.mark.parametrize(
    ("spec", "kind", "value"),
    [
        ((1, 9), ipywidgets.IntSlider, 5),
        ((0.0, 1.0, 0.1), ipywidgets.FloatSlider, 0.5),
        (["a", "b"], ipywidgets.Dropdown, "a"),
        ({"one": 1, "two": 2}, ipywidgets.Dropdown, 1),
        (True, ipywidgets.Checkbox, True),
    ],
)
def test_controls_by_kind(spec: object, kind: type, value: object) -> None:
    made = control(spec, label="c")
    assert isinstance(made, kind)
    assert made.value == value


def test_readout_shows_the_digits_of_the_step() -> None:
    assert control((0.0, 1.0, 0.05), label="c").readout_format == ".2f"
    assert control((0.0, 500.0, 2.5), label="c").readout_format == ".1f"


def test_zoom_is_kept_unless_the_figure_says_otherwise() -> None:
    view = LiveFigure(line())
    assert json.loads(view.figure)["layout"]["uirevision"] == "kept"
    view.show(line().update_layout(uirevision="mine"))
    assert json.loads(view.figure)["layout"]["uirevision"] == "mine"


def test_alternative_text() -> None:
    assert LiveFigure(line().update_layout(title="A line")).alt == "A line"
    assert LiveFigure(line(), alt="rising").alt == "rising"


def test_plotly_js_is_sent_once() -> None:
    LiveFigure(line())
    first = figure_module._runtime
    light = LiveFigure(line())
    assert figure_module._runtime is first
    assert first is not None
    assert len(first._esm) > 1_000_000
    assert len(str(light._esm)) < 10_000
    first.close()
    LiveFigure(line())
    assert figure_module._runtime is not first


def test_only_plotly_figures_are_shown() -> None:
    with pytest.raises(TypeError, match="dict"):
        LiveFigure().show({})  # type: ignore[arg-type]


def test_a_click_on_a_point_is_told_each_time() -> None:
    view = LiveFigure(line())
    heard: list[object] = []
    view.on_click(heard.append)
    view.clicked = {"customdata": 3, "count": 1}  # as the page sets it
    view.clicked = {"customdata": 3, "count": 2}
    assert heard == [3, 3]
