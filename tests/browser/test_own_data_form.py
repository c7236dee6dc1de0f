"""The form for one's own data under a reader's hand: a path, what is wrong, the sound rows, a study, the explorer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lab_page import WAIT_MS, LabPage
from playwright.sync_api import expect

FORM = """\
from xmlwb.widgets import OwnData

OwnData(n_jobs=1)"""


def test_from_a_path_to_the_explorer(open_cells: Callable[..., LabPage], tmp_path: Path) -> None:
    rows = [f"{i % 6} {i % 6}:1 {6 + i % 3}:{0.1 + i % 97 / 100} 9:0.{i}" for i in range(1, 401)]
    rows[7], rows[9] = "1 1:x", "9 1:1"
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "train.txt").write_text("\n".join(["400 12 6", *rows]) + "\n")

    lab = open_cells("own-data-form", [FORM])
    lab.run_all()
    form = lab.page.locator(".xmlwb-own-data")
    form.locator("input[type=text]").first.fill(str(folder))
    form.locator("button", has_text="Check").click()
    lab.await_text("mine: Repository: train and test files; 2 errors")
    lab.await_text("train.txt, line 9")
    lab.await_text("train.txt, line 11")

    form.locator(".lm-TabBar-tab", has_text="Card").click()
    lab.await_text("training documents n")
    form.locator(".lm-TabBar-tab", has_text="First study").click()
    lab.await_text("The files have 2 error(s)")
    form.locator(".widget-checkbox", has_text="Go on with the rows").locator("input").check()
    form.locator("button", has_text="Start").click()
    expect(form.get_by_text("is best: P@1 ")).to_be_visible(timeout=2 * WAIT_MS)
    lab.screenshot(tmp_path / "study.png")

    form.locator(".lm-TabBar-tab", has_text="Explore").click()
    lab.await_text("3 of 3 runs, 3 settings")
    lab.await_trace("trace.name === 'ova'")
    lab.screenshot(tmp_path / "explore.png")
