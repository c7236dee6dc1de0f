"""One real chapter in JupyterLab, from opening it to the model that is left after a Stop."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from lab_page import WAIT_MS, LabPage
from playwright.sync_api import Page

CHAPTERS = Path(__file__).resolve().parents[2] / "notebooks"
MOVED = ".xmlwb-slider-figure"

# Fast mode trains in a second or two; a pause at each event makes sure that there is a middle to stop in.
PAUSE = """
import time
{live}.callback = lambda event: time.sleep(0.3)
if {live}.state != "ready":
    S = {live}.model.predict_topk({live}._data[0][:3], k=2)
    print("state", {live}.state, S.nnz, "labels for", S.shape[0], "rows")
"""


def chapter_with_slider_and_fit() -> Path:
    """The first chapter that has both; its cells are what a reader's hand does."""
    for path in sorted(CHAPTERS.glob("[0-9][0-9]-*.ipynb")):
        source = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        if "slider_figure(" in source and "LiveFit(" in source:
            return path
    raise AssertionError(f"no chapter in {CHAPTERS} has both a slider_figure and a LiveFit")


@pytest.fixture
def chapter(lab_folder: Path) -> str:
    """A copy of the chapter in the Lab's folder, with a last cell that slows its LiveFit down and asks the model."""
    path = chapter_with_slider_and_fit()
    notebook = nbformat.read(path, as_version=4)
    found = [re.search(r"^(\w+) = LiveFit\(", cell.source, re.MULTILINE) for cell in notebook.cells]
    names = [match[1] for match in found if match]
    assert names, f"{path.name} keeps its LiveFit in no variable"
    notebook.cells.append(nbformat.v4.new_code_cell(PAUSE.format(live=names[0])))
    nbformat.write(notebook, lab_folder / path.name)
    return path.name


def test_a_chapter_in_jupyterlab(page: Page, lab_server: str, chapter: str, tmp_path: Path) -> None:
    lab = LabPage.open(page, lab_server, chapter)
    lab.run_all(timeout_ms=240_000)
    lab.screenshot(tmp_path / "chapter.png")

    before, drawn = lab.traces(MOVED), lab.figure(MOVED).get_attribute("data-drawn")
    lab.move_any_slider()
    page.wait_for_function(
        "([box, drawn]) => document.querySelector(`${box} .xmlwb-figure`).dataset.drawn !== drawn",
        arg=[MOVED, drawn],
        timeout=WAIT_MS,
    )
    assert lab.traces(MOVED) != before
    lab.screenshot(tmp_path / "moved.png")

    lab.button("Start").first.click()
    lab.await_text("running:")
    lab.button("Stop").first.click()
    lab.await_text("the model is usable")
    lab.await_text("stopped after")
    lab.screenshot(tmp_path / "stopped.png")
    lab.run_last_cell()
    lab.await_text("state stopped 6 labels for 3 rows")
    lab.shut_down()
