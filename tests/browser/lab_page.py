"""A notebook in a browser, driven by what a reader sees and by JupyterLab's own commands."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

CHROMIUM_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip

# Generous: continuous integration has two busy cores.
WAIT_MS = 60_000

_NOTEBOOK_READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  return panel?.context?.isReady && panel?.sessionContext?.session?.kernel?.status === 'idle';
}"""
_RUN_ALL = """() => {
  window.xmlwbRun = 'running';
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(
    () => { window.xmlwbRun = 'done'; }, (error) => { window.xmlwbRun = `failed: ${error}`; });
}"""
_RUN_OVER = """() => window.xmlwbRun !== 'running'
  && window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'"""
_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets.flatMap((cell, index) =>
  (cell.model.toJSON().outputs ?? []).filter((output) => output.output_type === 'error')
    .map((output) => `cell ${index}: ${output.ename}: ${output.evalue}`))"""
_DRAWN = """(div) => (div._fullData ?? []).map((trace) => ({
  name: trace.name, ...Object.fromEntries(['x', 'y', 'z', 'text'].map((part) =>
    [part, Array.isArray(trace[part]) || ArrayBuffer.isView(trace[part]) ? Array.from(trace[part]) : null])) }))"""


def chromium_path() -> str | None:
    """Where this machine's Chromium is, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    return None


@contextmanager
def launch_chromium() -> Iterator[Browser]:
    """A headless Chromium with a fresh profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class NotebookPage:
    """A page that shows widgets and figures: a notebook in JupyterLab or in Voila."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(WAIT_MS)

    def move_any_slider(self) -> None:
        """Move the first slider that drives a figure, by a few steps to the side where there is room."""
        handle = self.page.locator(".xmlwb-slider-figure .noUi-handle").first
        handle.scroll_into_view_if_needed()
        at, high = (float(handle.get_attribute(f"aria-value{end}") or 0) for end in ("now", "max"))
        handle.focus()
        for _ in range(3):
            handle.press("ArrowLeft" if at >= high else "ArrowRight")

    def button(self, text: str) -> Locator:
        """An ipywidgets button by the text on it."""
        return self.page.locator("button.jupyter-button", has_text=text)

    def slider(self, label: str) -> Locator:
        """The handle of the slider with this label."""
        box = self.page.locator(".widget-hslider", has=self.page.locator(".widget-label", has_text=label))
        return box.locator(".noUi-handle")

    def move_slider(self, label: str, steps: int) -> None:
        """Move a slider by arrow keys, as a reader without a mouse does."""
        handle = self.slider(label)
        handle.scroll_into_view_if_needed()
        handle.focus()
        for _ in range(abs(steps)):
            handle.press("ArrowRight" if steps > 0 else "ArrowLeft")

    def figure(self, within: str = "") -> Locator:
        """The first live figure, or the first within a CSS selector, once it is drawn."""
        figure = self.page.locator(f"{within} .xmlwb-figure[data-drawn]").first
        expect(figure.locator("svg.main-svg").first).to_be_visible(timeout=WAIT_MS)
        return figure

    def traces(self, within: str = "") -> list[dict[str, Any]]:
        """What plotly has drawn in that figure: name, x, y, z and text of each trace."""
        return self.figure(within).evaluate(_DRAWN)

    def await_trace(self, condition: str) -> None:
        """Wait until a trace of some figure fulfils a condition on ``trace.x`` and ``trace.y``, in JavaScript."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.xmlwb-figure')].some((div) =>"
            f" (div._fullData ?? []).some((trace) => {condition}))",
            timeout=WAIT_MS,
        )

    def await_text(self, text: str) -> Locator:
        """Wait until the page shows this text."""
        found = self.page.get_by_text(text).first
        expect(found).to_be_visible(timeout=WAIT_MS)
        return found


class LabPage(NotebookPage):
    """A notebook open in JupyterLab."""

    @classmethod
    def open(cls, page: Page, server: str, notebook: str) -> LabPage:
        """Open a notebook, given by its path below the server's folder, and wait for its kernel."""
        self = cls(page)
        page.goto(f"{server}/lab/tree/{notebook}?reset")
        page.wait_for_function(_NOTEBOOK_READY, timeout=WAIT_MS)
        return self

    def start_all(self) -> None:
        """Run all cells without waiting for them."""
        self.page.evaluate(_RUN_ALL)

    def await_end(self, timeout_ms: int = WAIT_MS) -> None:
        """Wait until all cells have run and the kernel is idle; raise if a cell failed."""
        self.page.wait_for_function(_RUN_OVER, timeout=timeout_ms)
        errors = self.page.evaluate(_ERRORS)
        if errors:
            raise AssertionError("; ".join(errors))

    def run_all(self, timeout_ms: int = WAIT_MS) -> None:
        """Run all cells and wait for them."""
        self.start_all()
        self.await_end(timeout_ms)

    def save_and_reload(self) -> None:
        """Save the notebook and load the page again, as a reader does who comes back to a running kernel."""
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.reload()
        self.page.wait_for_function(_NOTEBOOK_READY, timeout=WAIT_MS)

    def shut_down(self) -> None:
        """End the notebook's kernel."""
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")

    def run_last_cell(self) -> None:
        """Run the notebook's last cell once more."""
        self.page.evaluate("""() => {
          const { content } = window.jupyterapp.shell.currentWidget;
          content.activeCellIndex = content.widgets.length - 1;
          return window.jupyterapp.commands.execute('notebook:run-cell');
        }""")

    def hide_sidebar(self) -> None:
        """Leave the whole width to the notebook."""
        self.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")

    def scroll_to(self, text: str | None) -> None:
        """Bring the first cell with this text, or the notebook's beginning, to the top of the view.

        Raises
        ------
        ValueError
            If no cell holds the text.
        """
        found = self.page.evaluate(
            """async (text) => {
              const { content } = window.jupyterapp.shell.currentWidget;
              const place = text === null ? 0
                : content.widgets.findIndex((cell) => cell.model.sharedModel.getSource().includes(text));
              if (place < 0) return false;
              content.activeCellIndex = place;
              await content.scrollToItem(place, 'start');
              content.widgets[place].node.scrollIntoView({ block: 'start' });
              return true;
            }""",
            text,
        )
        if not found:
            raise ValueError(f"no cell holds the text {text!r}")

    def await_drawings(self) -> None:
        """Wait until the live figures are drawn; those that have nothing to show yet have no height."""
        self.page.wait_for_function(
            "() => [...document.querySelectorAll('.xmlwb-figure')]"
            ".every((div) => div.dataset.drawn || !div.style.minHeight)",
            timeout=WAIT_MS,
        )

    def screenshot(self, path: Path) -> None:
        self.page.screenshot(path=path)
