"""LiveMap without a browser: buttons are clicked by their own method, the grid is read from the widget."""

from __future__ import annotations

import json
import threading

import numpy as np
import plotly.graph_objects as go
import pytest

from xmlwb.widgets import LiveMap
from xmlwb.widgets.live_map import coarse_to_fine

PATIENCE = 30


class Gated:
    """A cell function whose every call waits for the test's permission."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.permission = threading.Semaphore(0)
        self.called = threading.Semaphore(0)
        self.calls: list[tuple[str, int, int]] = []
        self.fail_at = fail_at

    def allow(self, cells: int) -> None:
        self.permission.release(cells)

    def await_calls(self, number: int) -> None:
        for _ in range(number):
            assert self.called.acquire(timeout=PATIENCE)

    def __call__(self, tab: str, row: int, column: int) -> float:
        self.calls.append((tab, row, column))
        self.called.release()
        assert self.permission.acquire(timeout=PATIENCE)
        if len(self.calls) == self.fail_at:
            raise ValueError("m is 0;\nwanted more")
        return 10 * row + column


def draw(tab: str, values: np.ndarray) -> go.Figure:
    return go.Figure(go.Heatmap(z=values.tolist())).update_layout(title=tab)


def drawn(live: LiveMap, tab: str) -> list[list[float | None]]:
    return json.loads(live.views[tab].figure)["data"][0]["z"]


def test_fills_every_cell_of_every_tab() -> None:
    cells = Gated()
    live = LiveMap(cells, draw, {"omp": "OMP", "iht": "IHT"}, (2, 3))
    assert live.status == "ready; press Start"
    live._start_button.click()
    cells.allow(12)
    values = live.result(PATIENCE)
    assert live.state == "finished"
    assert live._start_button.disabled
    assert live._tabs.titles == ("OMP", "IHT")
    for tab in ("omp", "iht"):
        assert values[tab].tolist() == [[0, 1, 2], [10, 11, 12]]
    assert live.status.startswith("finished: 12 of 12 cells, ")
    assert live.status in live._status.value
    assert drawn(live, "iht") == [[0, 1, 2], [10, 11, 12]]


def test_stop_keeps_what_is_known_and_start_goes_on() -> None:
    cells = Gated()
    live = LiveMap(cells, draw, ["omp"], (2, 3), start=True)
    cells.allow(1)
    cells.await_calls(2)  # the second cell is being computed
    live._stop_button.click()
    assert live.state == "stopping"
    assert live._stop_button.disabled
    cells.allow(1)
    live.wait(PATIENCE)
    assert live.state == "stopped"
    assert np.isfinite(live.values["omp"]).sum() == 2
    assert live._start_button.description == "Go on"
    cells.allow(10)
    live._start_button.click()
    live.wait(PATIENCE)
    assert live.state == "finished"
    assert len(cells.calls) == 6  # none was computed twice


def test_the_tab_that_is_looked_at_comes_first() -> None:
    cells = Gated()
    live = LiveMap(cells, draw, ["omp", "iht"], (1, 3), start=True)
    cells.await_calls(1)
    live._tabs.selected_index = 1
    cells.allow(6)
    live.wait(PATIENCE)
    assert [tab for tab, _, _ in cells.calls] == ["omp", "iht", "iht", "iht", "omp", "omp"]


def test_a_broken_cell_is_one_line_in_the_widget_and_an_exception_in_the_cell() -> None:
    cells = Gated(fail_at=2)
    live = LiveMap(cells, draw, ["omp"], (1, 3), start=True)
    cells.allow(2)
    with pytest.raises(ValueError, match="m is 0"):
        live.wait(PATIENCE)
    assert live.state == "failed"
    assert "ValueError: m is 0; wanted more" in live._status.value
    cells.fail_at = None
    cells.allow(2)
    assert live.start().result(PATIENCE)["omp"].tolist() == [[0, 1, 2]]


def test_wait_starts_what_nobody_started_and_times_out() -> None:
    cells = Gated()
    live = LiveMap(cells, draw, ["omp"], (1, 1))
    with pytest.raises(TimeoutError, match=r"timeout=0\.01"):
        live.wait(0.01)
    with pytest.raises(RuntimeError, match="still running"):
        live.start()
    live._start_button.click()  # a double click is no mistake of the reader's
    cells.allow(1)
    live.wait(PATIENCE)


def test_an_empty_map_is_drawn_before_the_start() -> None:
    live = LiveMap(Gated(), draw, ["omp"], (2, 2))
    assert drawn(live, "omp") == [[None, None], [None, None]]


@pytest.mark.parametrize(("tabs", "shape", "name"), [([], (1, 1), "tabs"), (["a"], (0, 3), "shape")])
def test_wrong_grids_are_named(tabs: list[str], shape: tuple[int, int], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        LiveMap(Gated(), draw, tabs, shape)


def test_coarse_to_fine_visits_each_cell_once() -> None:
    order = coarse_to_fine(7, 6)
    assert sorted(order) == [(r, c) for r in range(7) for c in range(6)]
    assert order[:4] == [(0, 0), (0, 4), (4, 0), (4, 4)]
