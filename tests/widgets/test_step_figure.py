from __future__ import annotations

import plotly.graph_objects as go
import pytest

from xmlwb.widgets import step_figure


def halving(start: int = 8, seed: int = 3) -> list[int]:
    """start, start / 2, ..., 1, and the seed at the end."""
    values = [start]
    while values[-1] > 1:
        values.append(values[-1] // 2)
    return [*values, seed]


def draw(states, at: int) -> go.Figure:
    return go.Figure(go.Bar(y=[states[at]]))


def shown(widget) -> int:
    return widget.figure.data[0].y[0]


@pytest.fixture
def steps():
    return step_figure(halving, draw, seed="seed", start=[8, 16, 2], labels={"start": "from"})


def test_the_buttons_walk_through_the_steps_and_stop_at_the_ends(steps) -> None:
    seen = [shown(steps)]
    assert steps.back_button.disabled
    while not steps.next_button.disabled:
        steps.next_button.click()
        seen.append(shown(steps))
    assert seen == [8, 4, 2, 1, 3]
    assert steps.step.value == steps.step.max == 4
    steps.next_button.click()
    assert steps.step.value == 4
    steps.back_button.click()
    assert shown(steps) == 1


def test_the_slider_goes_to_any_step(steps) -> None:
    steps.step.value = 2
    assert shown(steps) == 2
    assert not steps.next_button.disabled
    assert not steps.back_button.disabled


def test_another_choice_begins_again_with_a_slider_of_its_own_length(steps) -> None:
    steps.step.value = 4
    steps.controls["start"].value = 2
    assert (steps.step.value, steps.step.max, shown(steps)) == (0, 2, 2)
    steps.controls["start"].value = 16
    assert (steps.step.value, steps.step.max, shown(steps)) == (0, 5, 16)
    assert steps.controls["start"].description == "from"


def test_another_start_raises_the_seed(steps) -> None:
    steps.step.value = 4
    steps.again_button.click()
    assert steps.step.value == 0
    steps.step.value = 4
    assert shown(steps) == 4
    assert steps.values == {"start": 8, "seed": 4}
    assert step_figure(halving, draw).again_button is None


def test_a_run_that_fails_leaves_the_last_one_standing() -> None:
    def fails(start: int = 8) -> list[int]:
        if start == 16:
            raise ValueError("no such start")
        return halving(start)

    steps = step_figure(fails, draw, start=[8, 16, 2])
    steps.controls["start"].value = 16
    assert shown(steps) == 8
    assert "no such start" in steps._message.value
    steps.controls["start"].value = 2
    assert shown(steps) == 2
    assert steps._message.value == ""


def test_nothing_is_drawn_between_two_runs() -> None:
    drawn = []

    def note(states, at: int) -> go.Figure:
        drawn.append((states[0], at))
        return draw(states, at)

    steps = step_figure(halving, note, start=[8, 2])
    steps.step.value = 4
    steps.controls["start"].value = 2
    assert drawn == [(8, 0), (8, 4), (2, 0)]


def test_mistakes_are_said() -> None:
    with pytest.raises(ValueError, match="has a unit or label but no control"):
        step_figure(halving, draw, labels={"nothing": "x"})
    with pytest.raises(ValueError, match="seed is 'no'"):
        step_figure(halving, draw, seed="no")
