"""The README's tables, made from the registries: ``python -m xmlwb.readme --write`` (or ``--check``).

A table stands between ``<!-- table: NAME -->`` and ``<!-- end of NAME -->``; the command rewrites what is between.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from xmlwb.catalogue import data_sets
from xmlwb.lessons.chapters import CHAPTERS
from xmlwb.models import METHODS

README = Path(__file__).resolve().parent.parent / "README.md"


def chapter_table(root: Path = README.parent) -> str:
    """The chapters whose notebook exists."""
    rows = (
        (f"{c.number:02d}", f"[{c.title}]({c.path})", c.question, f"{c.minutes}")
        for c in CHAPTERS
        if (root / c.path).is_file()
    )
    return _table(("", "Chapter", "Its question", "Minutes"), rows, ":-|:-|:-|-:")


def method_table() -> str:
    """The methods of `xmlwb.models.METHODS`."""
    rows = ((f"`{m.key}`", m.title, f"`{m.cls.__name__}`", m.family, m.paper) for m in METHODS.values())
    return _table(("Key", "Method", "Class", "Family", "After"), rows, ":-|:-|:-|:-|:-")


def data_set_table() -> str:
    """The data sets of `xmlwb.datasets.available`, with their sizes."""
    rows = (
        (f"`{row.key}`", *(f"{n:,}" if n else "" for n in (row.n_train, row.n_test, row.n_features, row.n_labels)),
         row.origin)
        for row in data_sets()
    )  # fmt: skip
    return _table(("Name", "Train", "Test", "Features", "Labels", "Where"), rows, ":-|-:|-:|-:|-:|:-")


TABLES: dict[str, Callable[[], str]] = {
    "chapters": chapter_table,
    "methods": method_table,
    "data sets": data_set_table,
}


def with_tables(text: str) -> str:
    """The README's text with every table made anew.

    Raises
    ------
    ValueError
        A table has no place in the text.
    """
    for name, table in TABLES.items():
        start, end = f"<!-- table: {name} -->", f"<!-- end of {name} -->"
        place = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", flags=re.DOTALL)
        if not place.search(text):
            raise ValueError(f"README: found no place for the table of {name}, wanted {start} and {end}")
        made = f"{start}\n{table()}\n{end}"
        text = place.sub(lambda _, made=made: made, text, count=1)  # type: ignore[misc]
    return text


def _table(head: Iterable[str], rows: Iterable[Iterable[str]], alignment: str) -> str:
    lines = [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (head, *rows)]
    return "\n".join([lines[0], f"|{alignment}|", *lines[1:]])


def main(arguments: list[str] | None = None) -> int:
    """Write the tables, or check them; 0 if they are up to date (afterwards)."""
    parser = argparse.ArgumentParser(prog="python -m xmlwb.readme", description="The README's tables.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--write", action="store_true", help="make the tables anew")
    action.add_argument("--check", action="store_true", help="exit with 1 if they are out of date")
    chosen = parser.parse_args(arguments)
    if not README.is_file():
        parser.error(f"{README} not found; this runs in a clone of the repository")
    text = README.read_text(encoding="utf-8")
    made = with_tables(text)
    if chosen.write and made != text:
        README.write_text(made, encoding="utf-8")
    if chosen.check and made != text:
        print("README.md: its tables are out of date; wanted: python -m xmlwb.readme --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
