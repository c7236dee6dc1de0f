"""The folder that comes out: pages, notebooks, links, nothing from the network."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from xmlwb.book.__main__ import main
from xmlwb.book.bookbinding import bind


def test_the_book_has_both_editions(book: Path) -> None:
    reader = (book / "02-tiny.html").read_text(encoding="utf-8")
    instructor = (book / "instructor" / "02-tiny.html").read_text(encoding="utf-8")
    assert "your turn" in reader
    assert "sum" not in re.sub(r"<[^>]+>", "", reader.split("<main")[1])
    assert "the solution says 0.5" not in reader
    assert "the solution says 0.5" in instructor
    assert "Plan for a class" in instructor
    assert "Plan for a class" not in reader
    assert "a printed fact &lt; 1" in reader


def test_both_editions_come_as_clean_notebooks(book: Path) -> None:
    for place, holds in (("notebooks", "your turn"), ("instructor/notebooks", "return sum")):
        notebook = nbformat.read(book / place / "02-tiny.ipynb", as_version=4)
        nbformat.validate(notebook)
        assert holds in "\n".join(cell.source for cell in notebook.cells)
        assert not any(cell.outputs for cell in notebook.cells if cell.cell_type == "code")


def test_every_link_leads_to_a_file_of_the_book(book: Path) -> None:
    for page in book.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r'(?:href|src)="([^"#]+)[^"]*"', text):
            assert not target.startswith(("http:", "https:", "//")), f"{page.name} asks the network for {target}"
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
        for name in re.findall(r'href="#([^"]+)"', text):
            assert f'id="{name}"' in text


def test_a_slider_brings_its_positions(book: Path) -> None:
    text = (book / "02-tiny.html").read_text(encoding="utf-8")
    assert '<input type="range" min="0" max="8" value="6"' in text
    assert "slope -4" in text
    assert text.count('class="moves"') == 1


def test_a_live_run_has_run(book: Path) -> None:
    text = (book / "02-tiny.html").read_text(encoding="utf-8")
    assert "the run has finished" in text
    assert "a kernel makes it live" in text


def test_plotly_is_in_the_book_once(book: Path) -> None:
    assert (book / "static" / "plotly.min.js").stat().st_size > 1e6
    assert (book / "02-tiny.html").stat().st_size < 2e5


def test_a_second_run_writes_nothing(book: Path, notebooks: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in book.rglob("*") if path.is_file()}
    said: list[str] = []
    # trust: whoever works on the package while the tests run changes nothing here; test_execution.py has the other side
    bind(book, notebooks=notebooks, fast=True, reference=False, trust=True, tell=said.append)
    assert "  kept from an earlier run" in said
    assert {path: path.stat().st_mtime_ns for path in book.rglob("*") if path.is_file()} == before


def test_a_chapter_that_fails_is_shown_and_told(tmp_path: Path, notebooks: Path, monkeypatch) -> None:
    monkeypatch.setattr("xmlwb.book.execution._run", lambda *_: "cell x: it broke")
    bound = bind(tmp_path / "b", notebooks=notebooks, reference=False, instructor=False, tell=lambda line: None)
    assert bound.failures == {"02-tiny": "cell x: it broke"}
    assert "it broke" in (tmp_path / "b" / "02-tiny.html").read_text(encoding="utf-8")
    assert not (tmp_path / "b" / "instructor").exists()


def test_a_folder_with_other_things_is_not_swept(tmp_path: Path, notebooks: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(FileExistsError, match="holds no book"):
        bind(tmp_path, notebooks=notebooks, tell=lambda line: None)
    assert (tmp_path / "thesis.txt").exists()


def test_a_wrong_chapter_is_a_mistake_of_the_caller(tmp_path: Path, capsys) -> None:
    assert main(["--out", str(tmp_path / "book"), "--chapters", "77"]) == 2
    assert "77" in capsys.readouterr().err
