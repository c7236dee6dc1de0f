"""The chapters, found by their files' names; what a page needs to know of each before it is executed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

from xmlwb.lessons.chapters import CHAPTERS

_NAME = re.compile(r"(\d\d)-([\w-]+)\.ipynb")


@dataclass(frozen=True)
class ChapterFile:
    """One notebook of the course.

    Attributes
    ----------
    number : int
        Its place in the course.
    name : str
        The file's name without its suffix, ``02-metrics``; also its pages' name.
    title : str
        The notebook's first heading, without the number.
    question : str
        The question that it answers; empty if `xmlwb.lessons.chapters` does not list it.
    minutes : int or None
        What it says it takes.
    path : Path
    solutions : Path or None
    """

    number: int
    name: str
    title: str
    question: str
    minutes: int | None
    path: Path
    solutions: Path | None

    @property
    def label(self) -> str:
        """Number and title."""
        return f"{self.number:02d} · {self.title}"

    def read(self) -> Any:
        """The notebook."""
        return nbformat.read(self.path, as_version=4)


def find_chapters(folder: Path) -> list[ChapterFile]:
    """The notebooks ``NN-name.ipynb`` of a folder in their order, with their solutions in ``solutions/``.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    found = [_chapter(path) for path in sorted(folder.glob("*.ipynb")) if _NAME.fullmatch(path.name)]
    if not found:
        raise FileNotFoundError(f"{folder} holds no chapter; wanted notebooks named NN-name.ipynb")
    return found


def _chapter(path: Path) -> ChapterFile:
    match = _NAME.fullmatch(path.name)
    assert match is not None
    cells = nbformat.read(path, as_version=4).cells
    first = next((cell.source for cell in cells if cell.cell_type == "markdown"), "")
    heading = re.search(r"^# (?:\d+ · )?(.+)$", first, flags=re.MULTILINE)
    minutes = re.search(r"^\*\*Time\*\* about (\d+)", first, flags=re.MULTILINE)
    info = next((info for info in CHAPTERS if info.file == path.name), None)
    solutions = path.parent / "solutions" / path.name
    return ChapterFile(
        number=int(match[1]),
        name=path.stem,
        title=heading[1].strip() if heading else match[2],
        question=info.question if info else "",
        minutes=int(minutes[1]) if minutes else None,
        path=path,
        solutions=solutions if solutions.is_file() else None,
    )
