"""The explorer under a reader's hand: in JupyterLab, and as the page that `xmlwb app` serves."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab_page import WAIT_MS, LabPage, NotebookPage
from lab_server import _await_answer
from playwright.sync_api import Page, expect

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
RUNS = 10_000
EXPLORER = ".xmlwb-explorer"
MAIN = "import sys; from xmlwb.cli import main; main(sys.argv[1:])"

PLANTED = f"""\
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
from planted_runs import planted_runs
from xmlwb.explorer import explore

explorer = explore(planted_runs({RUNS}))
explorer"""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The planted runs as a study on disk."""
    folder = tmp_path_factory.mktemp("studies") / "planted"
    code = f"import planted_runs as p; p.write_study(p.planted_runs({RUNS}), p.Path({str(folder)!r}))"
    subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, check=True)
    return folder


@pytest.fixture
def served(study: Path, tmp_path: Path) -> Iterator[str]:
    """The address of `xmlwb app`, started as a reader would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", MAIN, "app", str(study), f"--port={port}", "--no-browser"]
    log = tmp_path / "app.log"
    home = {name: str(tmp_path / name) for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR")}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, **home}, start_new_session=True
        )  # fmt: skip
        try:
            _await_answer(process, f"http://127.0.0.1:{port}/voila/static/voila.js", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=20)


def open_view(page: Page, title: str) -> None:
    page.locator(f"{EXPLORER} .widget-toggle-buttons button", has_text=title).click()


def choose(page: Page, label: str, value: str) -> None:
    """Choose in the menu with this label, of the view that is open."""
    box = page.locator(".widget-dropdown:visible", has=page.locator(".widget-label", has_text=re.compile(f"^{label}$")))
    box.locator("select").select_option(label=value)


def walk_through(view: NotebookPage, pictures: Path) -> None:
    """What a reader does: every view, a filter, another parameter, a click on a point."""
    page = view.page
    view.await_text("10,000 of 10,000 runs, 2,000 settings")
    view.await_trace("trace.name === 'ova' && trace.y.length === 8")

    choose(page, "parameter", "n_trees")
    view.await_trace("trace.name === 'parabel' && trace.x.length === 5")
    page.screenshot(path=pictures / "parameters.png")

    marked = page.locator(f"{EXPLORER} .widget-select-multiple select").first
    marked.select_option(["debtags"])
    view.await_text("5,040 of 10,000 runs")
    open_view(page, "Cost and quality")
    view.await_trace("trace.name === 'Pareto front' && trace.x.length > 5")
    view.await_trace("trace.type === 'scattergl' || trace.type === 'scatter'")
    view.await_text("On the Pareto front")
    page.screenshot(path=pictures / "costs.png")

    open_view(page, "Parallel coordinates")
    view.await_trace("trace.type === 'parcoords' && trace.dimensions.length > 6")
    page.wait_for_timeout(1000)
    page.screenshot(path=pictures / "parallel.png")

    open_view(page, "Frequency bins")
    view.await_trace("trace.name === 'svd' && trace.y.length === 3 && trace.y[2] === 0")
    page.screenshot(path=pictures / "bins.png")
    click_on_first_point(page, "svd")
    button = view.button("Compare as A")
    expect(button).to_be_visible(timeout=WAIT_MS)

    open_view(page, "Significance")
    view.await_trace("trace.name === 'worse' && trace.x.length === 2")
    choose(page, "corrected by", "Benjamini-Hochberg")
    view.await_text("corrected by Benjamini-Hochberg")
    page.screenshot(path=pictures / "significance.png")

    open_view(page, "Table")
    view.await_text("The first 100 of 1,008 settings")
    page.screenshot(path=pictures / "table.png")
    view.button("Choose all again").click()
    view.await_text("10,000 of 10,000 runs, 2,000 settings")


def click_on_first_point(page: Page, name: str) -> None:
    """Click on the first point of a trace of the figure that is visible."""
    figure = page.locator(f"{EXPLORER} .xmlwb-figure:visible").first
    x, y = figure.evaluate(
        """(div, name) => {
          const trace = div._fullData.find((trace) => trace.name === name);
          const group = div.querySelectorAll('.scatterlayer .trace');
          const at = div._fullData.filter((t) => t.type === 'scatter').indexOf(trace);
          const box = group[at].querySelector('.point').getBoundingClientRect();
          return [box.left + box.width / 2, box.top + box.height / 2];
        }""",
        name,
    )
    page.mouse.move(x, y)
    page.wait_for_timeout(300)  # plotly looks for the point below the pointer only so often
    page.mouse.click(x, y)


def test_the_explorer_in_jupyterlab(open_cells: Callable[..., LabPage], tmp_path: Path) -> None:
    lab = open_cells("explorer", [PLANTED])
    lab.hide_sidebar()
    lab.run_all()
    walk_through(lab, tmp_path)


def test_the_explorer_as_a_page_with_no_network(served: str, page: Page, tmp_path: Path) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": 1280, "height": 800})
    view = NotebookPage(page)
    page.goto(served)
    walk_through(view, tmp_path)
    assert not [url for url in asked if not url.startswith((served, "data:", "blob:", served.replace("http", "ws")))]
    width = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert width <= 0, "the page is wider than a projector's 1280 points"


def test_a_wrong_folder_is_one_line(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", MAIN, "app", str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert found.returncode == 2
    assert found.stderr.startswith("xmlwb: FOLDER: no study in")
    assert found.stderr.count("\n") == 1
