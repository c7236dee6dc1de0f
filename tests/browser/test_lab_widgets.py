"""What a reader's hand does in JupyterLab: move a slider, press Stop, use the model that is left."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from lab_page import LabPage
from playwright.sync_api import expect
from trial_notebooks import FIT, MAP, PANEL, POINTS, SLIDER

OpenCells = Callable[..., LabPage]


def test_figure_follows_the_slider_and_keeps_the_zoom(open_cells: OpenCells, tmp_path: Path) -> None:
    lab = open_cells("slider", SLIDER)
    lab.run_all()
    assert lab.traces()[0]["y"] == [0, 1, 2, 3, 4]
    figure = lab.figure()
    figure.evaluate("(div) => window.Plotly.relayout(div, {'xaxis.range[0]': 1, 'xaxis.range[1]': 3})")

    lab.move_slider("slope", 5)

    lab.await_trace("Math.abs(trace.y[4] - 6) < 1e-9")
    assert figure.evaluate("(div) => div._fullLayout.xaxis.range.map(Math.round)") == [1, 3]
    lab.screenshot(tmp_path / "slider.png")


def test_sliders_live_on_after_the_page_is_reloaded(open_cells: OpenCells) -> None:
    lab = open_cells("reload", SLIDER)
    lab.run_all()
    lab.move_slider("slope", 5)
    lab.await_trace("Math.abs(trace.y[4] - 6) < 1e-9")
    lab.save_and_reload()
    lab.move_slider("slope", -5)
    lab.await_trace("Math.abs(trace.y[4] - 4) < 1e-9")


def test_stop_ends_the_fit_while_the_next_cell_waits_for_it(open_cells: OpenCells, tmp_path: Path) -> None:
    lab = open_cells(
        "stop-waiting",
        [*FIT, "live.wait(100).state", "print('labels', live.model.predict_topk(X, k=600).nnz // X.shape[0])"],
    )
    lab.start_all()
    lab.await_trace("trace.y.length > 3")
    before = len(lab.traces()[0]["y"])
    lab.await_trace(f"trace.y.length > {before}")  # the curve grows under the reader's eyes
    lab.screenshot(tmp_path / "running.png")

    lab.button("Stop").click()

    status = lab.await_text("stopped after")
    lab.await_end()
    found = re.search(r"stopped after (\d+) of 600 blocks of labels, .* the model is usable", status.inner_text())
    assert found is not None, status.inner_text()
    expect(lab.page.get_by_text("'stopped'")).to_be_visible()
    expect(lab.page.get_by_text(f"labels {found[1]}", exact=True)).to_be_visible()
    expect(lab.button("Stop")).to_be_disabled()
    assert len(lab.traces()[0]["y"]) == int(found[1])
    lab.screenshot(tmp_path / "stopped.png")


def test_stop_and_start_again_with_nothing_else_running(open_cells: OpenCells) -> None:
    lab = open_cells("stop-idle", FIT)
    lab.run_all()
    lab.await_trace("trace.y.length > 3")
    lab.button("Stop").click()
    lab.await_text("stopped after")
    lab.button("Start again").click()
    lab.await_text("running:")
    lab.button("Stop").click()
    lab.await_text("stopped after")


def test_a_panel_sets_up_the_model_that_is_trained(open_cells: OpenCells, tmp_path: Path) -> None:
    lab = open_cells("panel", [*PANEL, "f'it has {live.model.threshold:.3g}'"])
    lab.run_all()
    lab.await_text("it has 0.1")
    lab.await_text("A fit needs about")
    lab.move_slider("threshold", -3)
    lab.await_text("heard 0.0708")  # a click may overtake a slider's last message to a busy kernel
    lab.button("Start").click()
    lab.await_text("finished")
    lab.screenshot(tmp_path / "panel.png")
    lab.run_last_cell()
    lab.await_text("it has 0.0708")


def test_a_map_fills_in_the_open_tab_and_stops_while_the_next_cell_waits(open_cells: OpenCells, tmp_path: Path) -> None:
    lab = open_cells(
        "map", [*MAP, "live.wait(100).state", "print({t: int((v >= 0).sum()) for t, v in live.values.items()})"]
    )
    lab.start_all()
    filled = "trace.name === '{}' && trace.z.flat().filter((v) => v !== null).length > 3"
    lab.await_trace(filled.format("first"))
    lab.page.locator(".lm-TabBar-tab", has_text="Second").click()
    lab.await_trace(filled.format("second"))  # the tab that is looked at goes first, though the other is not full
    lab.screenshot(tmp_path / "map.png")

    lab.button("Stop").click()

    status = lab.await_text("stopped: ")
    lab.await_end()
    expect(lab.page.get_by_text("'stopped'")).to_be_visible()
    found = re.search(r"stopped: (\d+) of 800 cells", status.inner_text())
    assert found is not None, status.inner_text()
    first, second = re.findall(r"\d+", lab.await_text("{'first': ").inner_text())
    assert int(first) + int(second) == int(found[1])
    assert int(first) < 400
    assert int(second) > 3
    expect(lab.button("Go on")).to_be_enabled()
    lab.button("Go on").click()
    lab.await_text("running: ")
    lab.button("Stop").click()
    lab.await_text("stopped: ")


def test_clicks_on_points_are_heard(open_cells: OpenCells) -> None:
    lab = open_cells("points", POINTS)
    lab.run_all()
    figure = lab.figure()
    for point, told in ((1, "second"), (1, "second second"), (0, "second second first")):
        x, y = figure.evaluate(
            """(div, point) => {
              const { xaxis, yaxis } = div._fullLayout, corner = div.getBoundingClientRect();
              return [corner.left + xaxis._offset + xaxis.d2p(point), corner.top + yaxis._offset + yaxis.d2p(point)];
            }""",
            point,
        )
        lab.page.mouse.move(x, y)
        lab.page.wait_for_timeout(200)  # plotly looks for the point below the pointer only so often
        lab.page.mouse.click(x, y)
        expect(lab.page.get_by_text(told, exact=True)).to_be_visible()
        lab.page.wait_for_timeout(500)  # or it would be a double click
