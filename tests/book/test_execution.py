"""Outputs are kept by content: what does not change is not run again."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from xmlwb.book import execution
from xmlwb.book.execution import execute


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """A cache with one executed notebook."""
    folder = tmp_path_factory.mktemp("run")
    notebook = new_notebook(
        cells=[new_markdown_cell("text"), new_code_cell("import os\nprint('fast', os.environ['XMLWB_FAST'])")]
    )
    run = execute(notebook, folder / "cache", name="a", folder=folder, fast=True)
    assert not run.error
    assert run.notebook.cells[1].outputs[0].text == "fast 1\n"
    assert notebook.cells[1].outputs == []
    return folder, notebook


def test_prose_may_change(kept, monkeypatch) -> None:
    folder, notebook = kept
    monkeypatch.setattr(execution, "_run", lambda *_: pytest.fail("was run again"))
    changed = deepcopy(notebook)
    changed.cells[0].source = "another text"
    run = execute(changed, folder / "cache", name="a", folder=folder, fast=True)
    assert run.cached
    assert run.notebook.cells[1].outputs[0].text == "fast 1\n"
    assert run.notebook.cells[0].source == "another text"


@pytest.mark.parametrize("what", ["code", "mode", "package"])
def test_code_mode_and_package_may_not(kept, monkeypatch, what) -> None:
    folder, notebook = kept
    monkeypatch.setattr(execution, "_run", lambda *_: "was run again")
    changed, fast = deepcopy(notebook), True
    if what == "code":
        changed.cells[1].source += "\n"
    elif what == "mode":
        fast = False
    else:
        monkeypatch.setattr(execution, "_digest", lambda path: "another")
        trusted = execute(changed, folder / "cache", name="a", folder=folder, fast=fast, trust=True)
        assert trusted.cached
    run = execute(changed, folder / "cache", name="a", folder=folder, fast=fast)
    assert run.error == "was run again"
    assert run.notebook.cells[1].outputs == []


def test_a_damaged_cache_counts_as_none(kept, monkeypatch, tmp_path) -> None:
    _, notebook = kept
    (tmp_path / "a.json").write_text("{")
    monkeypatch.setattr(execution, "_run", lambda *_: "was run again")
    assert execute(notebook, tmp_path, name="a", folder=tmp_path).error == "was run again"


def test_a_failure_names_the_cell_and_is_not_kept(tmp_path) -> None:
    notebook = new_notebook(cells=[new_code_cell("1 / 0", id="broken")])
    run = execute(notebook, tmp_path / "cache", name="a", folder=tmp_path)
    assert "broken" in run.error
    assert "ZeroDivisionError" in run.error
    assert not (tmp_path / "cache" / "a.json").exists()
