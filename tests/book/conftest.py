"""A book of one tiny chapter, bound once for all tests of this folder."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("docutils")
pytest.importorskip("latex2mathml")

from tiny_chapter import write_chapter

from xmlwb.book.bookbinding import bind


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one chapter and its solutions."""
    return write_chapter(tmp_path_factory.mktemp("course") / "notebooks")


@pytest.fixture(scope="session")
def book(notebooks: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chapter's book, with the instructor's edition and without the reference pages."""
    folder = tmp_path_factory.mktemp("shelf") / "book"
    bound = bind(folder, notebooks=notebooks, fast=True, reference=False, tell=lambda line: None)
    assert not bound.failures
    return folder
