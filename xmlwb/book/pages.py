"""Pages around their bodies: the frame that all share, the navigation, and the files that the pages use."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from xmlwb.atomic import atomic_path
from xmlwb.book.mathematics import font_file
from xmlwb.book.outputs import course_template
from xmlwb.book.prose import Headings

HERE = Path(__file__).resolve().parent
TITLE = "Extreme multi-label classification"
SUBTITLE = "A course in notebooks, with every method on the same data, under the same metrics"


@dataclass(frozen=True)
class Link:
    """A place of the book: its address from the book's root, and what the navigation calls it."""

    address: str
    text: str


@dataclass
class Shelf:
    """One part of the navigation."""

    title: str
    links: list[Link] = field(default_factory=list)


class Binder:
    """Writes pages into the book's folder.

    Parameters
    ----------
    folder : Path
        The book; made if it is not there.
    shelves : list of Shelf
        The navigation of every page, in reading order.
    """

    def __init__(self, folder: Path, shelves: list[Shelf]) -> None:
        self.folder, self.shelves = folder, shelves
        self.written: set[Path] = set()
        loader = FileSystemLoader(HERE / "templates")
        self._templates = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)

    def page(self, address: str, title: str, body: str, headings: Headings | None = None, **more: Any) -> None:
        """Write one page; an unchanged one is left alone, so that its date says when it last changed."""
        links = [link for shelf in self.shelves for link in shelf.links]
        at = next((i for i, link in enumerate(links) if link.address == address), None)
        sections = [found for found in headings.found if found[0] == 2] if headings else []
        text = self._templates.get_template("page.html.j2").render(
            book=TITLE,
            subtitle=SUBTITLE,
            title=title,
            body=_with_contents(body, sections),
            address=address,
            up="../" * address.count("/"),
            shelves=self.shelves,
            sections=sections,
            before=links[at - 1] if at else None,
            after=links[at + 1] if at is not None and at + 1 < len(links) else None,
            kicker=more.pop("kicker", ""),
            foot=more.pop("foot", ""),
            download=more.pop("download", ""),
            kind=more.pop("kind", "page"),
        )
        self.text(address, text)

    def text(self, address: str, text: str) -> None:
        """Write one file, whole or not at all, if it is new or changed."""
        path = self._place(address)
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            with atomic_path(path) as draft:
                draft.write_text(text, encoding="utf-8")

    def copy(self, source: Path, address: str) -> None:
        """Put a copy of a file into the book."""
        path = self._place(address)
        if not path.is_file() or path.read_bytes() != source.read_bytes():
            shutil.copyfile(source, path)

    def assets(self) -> None:
        """What the pages share: style, script, plotly.js, the figures' template, the face of the formulas."""
        for name in ("book.css", "book.js"):
            self.copy(HERE / "assets" / name, f"static/{name}")
        self.text("static/plotly.min.js", get_plotlyjs())
        self.text("static/template.js", f"window.xmlwbTemplate = {json.dumps(course_template(), sort_keys=True)};\n")
        if font := font_file():
            self.copy(font, "static/STIXTwoMath-Regular.ttf")

    def sweep(self) -> list[Path]:
        """Delete pages of an earlier book that this one does not have; returns them."""
        old = [path for path in self.folder.rglob("*") if path.is_file() and path not in self.written]
        for path in old:
            path.unlink()
        return old

    def _place(self, address: str) -> Path:
        path = self.folder / address
        path.parent.mkdir(parents=True, exist_ok=True)
        self.written.add(path)
        return path


def _with_contents(body: str, sections: list[tuple[int, str, str]]) -> str:
    """The list of a page's sections, where its body asks for one."""
    items = "".join(f'<li><a href="#{name}">{text}</a></li>' for _, name, text in sections)
    contents = (
        f'<details class="contents"><summary>In this chapter</summary><ul>{items}</ul></details>' if items else ""
    )
    return body.replace("<!-- contents -->", contents)
