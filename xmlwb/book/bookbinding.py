"""The whole book, from the notebooks to a folder of pages."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import nbformat

from xmlwb.book.chapter_files import ChapterFile, find_chapters
from xmlwb.book.chapter_pages import chapter_html, chapter_link
from xmlwb.book.editions import merge, reader_outputs
from xmlwb.book.execution import Executed, execute
from xmlwb.book.pages import SUBTITLE, TITLE, Binder, Link, Shelf
from xmlwb.book.prose import Prose
from xmlwb.book.reference_pages import bibliography_html, data_html, methods_html, results_html

ROOT = Path(__file__).resolve().parents[2]
Tell = Callable[[str], None]


@dataclass
class Bound:
    """What came of binding the book.

    Attributes
    ----------
    folder : Path
    failures : dict of str to str
        Why a chapter could not be executed, by its name.
    """

    folder: Path
    failures: dict[str, str] = field(default_factory=dict)


def bind(
    folder: Path,
    *,
    root: Path = ROOT,
    notebooks: Path | None = None,
    only: tuple[str, ...] = (),
    fast: bool = False,
    trust: bool = False,
    instructor: bool = True,
    reference: bool = True,
    tell: Tell = print,
) -> Bound:
    """Execute the chapters (those that changed) and write the book.

    Parameters
    ----------
    folder : Path
        Where the book goes. What is in it and not of this book is deleted, so it must be new, empty or a book.
    root : Path
        The repository: its README, ``book/`` and ``benchmarks/`` are read.
    notebooks : Path, optional
        The chapters; ``root/notebooks`` otherwise.
    only : tuple of str
        Beginnings of the names of the chapters to take; all if it is empty.
    fast : bool
        Execute in fast mode, on fewer documents.
    trust : bool
        Take kept outputs although the package's code has changed since.
    instructor : bool
        Whether the instructor's edition and guide are part of the book.
    reference : bool
        Whether the pages of methods, data, results, glossary and bibliography are.
    tell : callable
        Hears a line about each step.

    Raises
    ------
    FileNotFoundError
        If there are no chapters.
    FileExistsError
        If the folder holds something that is no book.
    """
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "static" / "book.css").is_file():
        raise FileExistsError(
            f"{folder} is not empty and holds no book; wanted a new folder, its other files would be lost"
        )
    source = notebooks or root / "notebooks"
    chapters = [c for c in find_chapters(source) if not only or c.name.startswith(only)]
    if not chapters:
        raise FileNotFoundError(f"{source} holds no chapter that begins with {' or '.join(only)}")
    bound = Bound(folder)
    binder = Binder(folder, _shelves(chapters, instructor, reference))
    binder.assets()
    for chapter in chapters:
        run = _executed(chapter, folder.with_name(f"{folder.name}-cache"), fast, trust, tell)
        if run.error:
            bound.failures[chapter.name] = run.error
        _chapter_pages(binder, chapter, chapters, run, root, instructor)
    _front_page(binder, chapters, root)
    if reference:
        _reference_pages(binder, root, chapters)
    if instructor:
        prose = Prose(lambda address: address)
        body = prose.html((root / "book" / "instructors-guide.md").read_text(encoding="utf-8"))
        binder.page("instructor/guide.html", "Instructor's guide", body, prose.headings)
    if old := binder.sweep():
        tell(f"deleted {len(old)} files that are not part of this book any more, such as {old[0].name}")
    return bound


def _shelves(chapters: list[ChapterFile], instructor: bool, reference: bool) -> list[Shelf]:
    shelves = [
        Shelf("", [Link("index.html", "Front page")]),
        Shelf("Chapters", [Link(f"{c.name}.html", c.label) for c in chapters]),
    ]
    if reference:
        pages = ("methods", "data", "results", "glossary", "bibliography")
        titles = ("Methods", "Data cards", "Results", "Glossary", "Bibliography")
        shelves.append(Shelf("Reference", [Link(f"{p}.html", t) for p, t in zip(pages, titles, strict=True)]))
    if instructor:
        own = [Link(f"instructor/{c.name}.html", f"{c.number:02d} with solutions") for c in chapters if c.solutions]
        shelves.append(Shelf("For instructors", [Link("instructor/guide.html", "Instructor's guide"), *own]))
    return shelves


def _executed(chapter: ChapterFile, cache: Path, fast: bool, trust: bool, tell: Tell) -> Executed:
    merged = merge(chapter)
    cells = sum(cell.cell_type == "code" for cell in merged.cells)
    tell(f"{chapter.label}: {cells} cells{', fast mode' if fast else ''}")
    name = f"{chapter.name}-fast" if fast else chapter.name
    run = execute(merged, cache, name=name, folder=chapter.path.parent.resolve(), fast=fast, trust=trust)
    how = "kept from an earlier run" if run.cached else f"{run.seconds:.0f} s"
    tell(f"  NOT EXECUTED: {run.error}" if run.error else f"  {how}")
    return run


def _chapter_pages(
    binder: Binder, chapter: ChapterFile, chapters: list[ChapterFile], run: Executed, root: Path, instructor: bool
) -> None:
    known = {c.name for c in chapters}

    def copied(address: str) -> str:
        path = (chapter.path.parent / address).resolve()
        if not path.is_file() or not path.is_relative_to(root):
            return address
        place = f"files/{path.relative_to(root)}"
        binder.copy(path, place)
        return place

    link = chapter_link(known, copied)
    editions = [(False, replace(run, notebook=reader_outputs(run.notebook, chapter.read())))]
    if instructor and chapter.solutions is not None:
        editions.append((True, run))
    for is_instructor, edition in editions:
        prefix = "instructor/" if is_instructor else ""
        prose = Prose(partial(_address, link, "../" if is_instructor else ""))
        body = chapter_html(edition, prose, instructor=is_instructor)
        binder.page(
            f"{prefix}{chapter.name}.html",
            f"{chapter.title} (with solutions)" if is_instructor else chapter.title,
            body,
            prose.headings,
            kicker=" · ".join(
                filter(
                    None, ["Instructor's edition" * is_instructor, f"{chapter.minutes} minutes" * bool(chapter.minutes)]
                )
            ),
            download=f"notebooks/{chapter.path.name}",
            foot=_foot(run),
            kind="chapter",
        )
        binder.text(f"{prefix}notebooks/{chapter.path.name}", _as_notebook(edition.notebook))


def _address(link: Callable[[str], str], up: str, address: str) -> str:
    return up + link(address)


def _foot(run: Executed) -> str:
    if run.error:
        return "The code of this chapter could not be executed when the book was made."
    mode = "in fast mode, on fewer documents; a full run has other figures" if run.fast else "in full"
    return f"All figures and numbers on this page come from one run of the notebook, {mode}: {run.seconds:.0f} seconds."


def _as_notebook(notebook: Any) -> str:
    """The edition as a notebook to work in: clean, without what only the book needs."""
    clean = nbformat.from_dict(notebook)
    for cell in clean.cells:
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    text: str = nbformat.writes(clean)
    return text + "\n"


def _front_page(binder: Binder, chapters: list[ChapterFile], root: Path) -> None:
    items = "".join(
        f'<li><a href="{c.name}.html"><span class="number">{c.number:02d}</span>'
        f'<span class="what"><b>{html.escape(c.title)}</b><span>{html.escape(c.question)}</span></span>'
        f'<span class="minutes">{f"{c.minutes} min" if c.minutes else ""}</span></a></li>'
        for c in chapters
    )
    intro = Prose().html((root / "book" / "front-page.md").read_text(encoding="utf-8"))
    shelves = "".join(
        f"<div><h2>{shelf.title}</h2><ul>"
        + "".join(f'<li><a href="{link.address}">{html.escape(link.text)}</a></li>' for link in shelf.links)
        + "</ul></div>"
        for shelf in binder.shelves[2:]
    )
    title = f'<header class="cover"><h1>{TITLE.replace("-", "&#8209;")}</h1><p>{SUBTITLE}</p></header>'
    listed = f'<h2 id="chapters">Chapters</h2><ol class="chapters">{items}</ol>'
    body = f'{title}{intro}{listed}<div class="shelves">{shelves}</div>'
    binder.page("index.html", TITLE, body, kind="front")


def _reference_pages(binder: Binder, root: Path, chapters: list[ChapterFile]) -> None:
    prose = Prose()
    binder.page("methods.html", "Methods", methods_html(chapters, prose), prose.headings)
    prose = Prose()
    binder.page("data.html", "Data cards", data_html(prose), prose.headings)
    prose = Prose()
    binder.page("results.html", "Results", results_html(root, prose), prose.headings)
    known = {c.name for c in chapters}
    prose = Prose(chapter_link(known, lambda address: address))
    glossary = (root / "book" / "glossary.md").read_text(encoding="utf-8")
    binder.page("glossary.html", "Glossary", prose.html(glossary), prose.headings)
    prose = Prose()
    binder.page("bibliography.html", "Bibliography", bibliography_html(root, chapters, prose), prose.headings)
    binder.copy(root / "book" / "references.bib", "references.bib")
