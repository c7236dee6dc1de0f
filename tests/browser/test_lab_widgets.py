"""What a reader's hand does in JupyterLab: move a slider, press Stop, use the model that is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab_page import WAIT_MS, LabPage
from playwright.sync_api import expect

HERE = Path(__file__).parent

SLIDER = [
    """
import plotly.graph_objects as go
from xmlwb.widgets import slider_figure

def line(slope=1.0, points=5):
    figure = go.Figure(go.Scatter(y=[slope * x for x in range(points)]))
    return figure.update_layout(title="A line", xaxis_title="x", yaxis_title="y")
""",
    'live = slider_figure(line, slope=(-2.0, 2.0, 0.1), points=(2, 20), units={"slope": "y per x"}); live',
]

FIT = [
    f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from scipy.sparse import eye_array
from trial_model import Sleeper
from xmlwb.widgets import LiveFit

X = eye_array(10, format="csr", dtype="float32")
""",
    "live = LiveFit(Sleeper(steps=600, seconds=0.1), X, X, start=True); live",
]


def test_figure_follows_the_slider_and_keeps_the_zoom(open_cells: Callable[..., LabPage], tmp_path: Path) -> None:
    lab = open_cells("slider", SLIDER)
    lab.run_all()
    assert lab.traces()[0]["y"] == [0, 1, 2, 3, 4]
    figure = lab.figure()
    figure.evaluate("(div) => window.Plotly.relayout(div, {'xaxis.range[0]': 1, 'xaxis.range[1]': 3})")

    lab.move_slider("slope", 5)

    lab.page.wait_for_function(
        "(div) => Math.abs(div._fullData[0].y[4] - 6) < 1e-9", arg=figure.element_handle(), timeout=WAIT_MS
    )
    assert figure.evaluate("(div) => div._fullLayout.xaxis.range.map(Math.round)") == [1, 3]
    lab.screenshot(tmp_path / "slider.png")


def test_stop_ends_the_fit_while_the_next_cell_waits_for_it(open_cells: Callable[..., LabPage], tmp_path: Path) -> None:
    lab = open_cells(
        "stop-waiting", [*FIT, "live.wait(100).state", "print('labels', live.model.predict_topk(X, k=600).nnz // 10)"]
    )
    lab.start_all()
    lab.await_text("running:")
    lab.page.wait_for_function("() => document.querySelector('.xmlwb-figure')?._fullData?.[0]?.y.length > 3")
    before = len(lab.traces()[0]["y"])
    lab.screenshot(tmp_path / "running.png")
    lab.page.wait_for_function("(n) => document.querySelector('.xmlwb-figure')._fullData[0].y.length > n", arg=before)
    lab.button("Stop").click()
    lab.await_text("stopped after")
    lab.await_end()
    expect(lab.page.get_by_text("'stopped'")).to_be_visible()
    lab.screenshot(tmp_path / "stopped.png")
