"""``python -m xmlwb.book``: make the book."""

from __future__ import annotations

import argparse
import sys
import time
from importlib.util import find_spec
from pathlib import Path

NEEDED = ("docutils", "jinja2", "latex2mathml", "mdit_py_plugins", "nbclient", "pygments")


def main(arguments: list[str] | None = None) -> int:
    """Make the book; 0 if every chapter was executed, 1 if one failed, 2 for a mistake of the caller."""
    parser = argparse.ArgumentParser(
        prog="python -m xmlwb.book", description="The chapters as pages that work offline."
    )
    parser.add_argument("--out", type=Path, default=Path("build/book"), help="the book's folder (default: build/book)")
    parser.add_argument("--fast", action="store_true", help="execute the chapters in fast mode, on fewer documents")
    parser.add_argument("--chapters", default="", help="only these, by the beginning of their names: 01,02")
    parser.add_argument(
        "--trust", action="store_true", help="take kept outputs although the package's code has changed since"
    )
    parser.add_argument(
        "--for-students", action="store_true", help="leave out the instructor's guide and all solutions"
    )
    chosen = parser.parse_args(arguments)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        print(f"xmlwb.book: not installed: {', '.join(missing)}; wanted: pip install 'xmlwb[book]'", file=sys.stderr)
        return 2
    from xmlwb.book.bookbinding import bind

    begin = time.perf_counter()
    try:
        bound = bind(
            chosen.out.resolve(),
            only=tuple(filter(None, chosen.chapters.split(","))),
            fast=chosen.fast,
            trust=chosen.trust,
            instructor=not chosen.for_students,
            tell=lambda line: print(line, flush=True),
        )
    except (FileNotFoundError, FileExistsError) as error:
        print(f"xmlwb.book: {error}", file=sys.stderr)
        return 2
    print(f"{bound.folder / 'index.html'} in {time.perf_counter() - begin:.0f} s")
    for name, why in bound.failures.items():
        print(f"xmlwb.book: {name} was not executed: {why}", file=sys.stderr)
    return 1 if bound.failures else 0


if __name__ == "__main__":
    sys.exit(main())
