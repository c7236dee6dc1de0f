"""The tiny book in Chromium, the network cut: figures drawn, sliders moving, formulas set, no page too wide."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.browser
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync")  # fmt: skip
_DRAWN = (
    "() => document.querySelectorAll('figure.plot').length === document.querySelectorAll('figure[data-drawn]').length"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser, book: Path) -> Iterator[Page]:
    """The chapter's page without a network; it must ask for files of the book alone, and say nothing of errors."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 6000})  # all figures in view
    opened = context.new_page()
    wrong: list[str] = []
    opened.on(
        "request", lambda request: request.url.startswith(("file:", "blob:", "data:")) or wrong.append(request.url)
    )
    opened.on("requestfailed", lambda request: wrong.append(request.url))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.goto((book / "02-tiny.html").as_uri())
    yield opened
    context.close()
    assert wrong == []


def test_figures_are_drawn_and_frames_move(page: Page) -> None:
    page.wait_for_function(_DRAWN)
    first = page.locator("figure.plot .place").first
    expect(first.locator("svg.main-svg").first).to_be_visible()
    assert first.evaluate("div => Array.from(div._fullData[0].y)") == [1, 2]
    first.evaluate("div => Plotly.animate(div, ['0'], { mode: 'immediate' })")
    page.wait_for_function("() => document.querySelector('.place')._fullData[0].y[0] === 0")


def test_a_slider_moves_without_a_kernel(page: Page) -> None:
    page.wait_for_function(_DRAWN)
    slider = page.get_by_label("slope")
    slider.focus()
    slider.press("ArrowRight")
    slider.press("ArrowRight")
    page.wait_for_function("() => document.querySelector('.widget .place')._fullData[0].y[1] === 4")
    expect(page.locator(".widget .control output")).to_have_text("4")


def test_formulas_are_set_and_choices_open(page: Page) -> None:
    box = page.locator(".formula math").bounding_box()
    assert box is not None
    assert box["width"] > 80
    assert box["height"] > 20
    wrong = page.locator("details.choice.wrong").first
    expect(wrong.locator("p")).to_be_hidden()
    wrong.locator("summary").click()
    expect(wrong.locator("p")).to_contain_text("Not quite")


@pytest.mark.parametrize("width", [1280, 400])
def test_no_page_is_wider_than_the_screen(browser: Browser, book: Path, width: int) -> None:
    context = browser.new_context(offline=True, viewport={"width": width, "height": 900})
    page = context.new_page()
    for file in sorted(book.rglob("*.html")):
        page.goto(file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, file.name
    context.close()
