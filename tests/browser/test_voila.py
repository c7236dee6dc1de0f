"""The same hand on the same widgets in Voila, where no code is shown."""

from __future__ import annotations

from pathlib import Path

from lab_page import NotebookPage
from lab_server import serve_voila
from playwright.sync_api import Page, expect
from trial_notebooks import FIT, SLIDER, write_notebook


def test_stop_and_slider_work_in_voila(page: Page, tmp_path: Path) -> None:
    notebook = tmp_path / "page.ipynb"
    write_notebook(notebook, [*FIT, *SLIDER])
    with serve_voila(notebook, tmp_path / "state") as address:
        page.goto(address)
        view = NotebookPage(page)
        view.await_trace("trace.name === 'valid P@1' && trace.y.length > 3")

        view.button("Stop").click()
        view.await_text("the model is usable")
        expect(view.button("Stop")).to_be_disabled()

        view.move_slider("slope", 5)
        view.await_trace("trace.y.length === 5 && Math.abs(trace.y[4] - 6) < 1e-9")
        page.screenshot(path=tmp_path / "voila.png")
