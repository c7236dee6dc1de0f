"""One chapter as the body of a page: prose, code in colours, outputs, quick checks that open without a kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from xmlwb.book.editions import NOTE, SOLUTION, exercise_name
from xmlwb.book.execution import Executed
from xmlwb.book.outputs import output_html
from xmlwb.book.prose import Prose, code_html
from xmlwb.book.quick_checks import quick_check_html

_QUIZ = re.compile(r'quiz\("(\w+)", (\d+)\)\s*$')
YOURS = "This cell runs what you write: open the notebook to see what it says."
PROGRESS = "In the notebook, this cell shows which quick checks and exercises you have done."


def chapter_html(run: Executed, prose: Prose, *, instructor: bool = False) -> str:
    """The body of a chapter's page.

    Parameters
    ----------
    run : Executed
        The edition to show, with its outputs.
    prose : Prose
        Renders the text, and collects the headings.
    instructor : bool
        Whether solutions and notes are shown, and the quick checks stand open.
    """
    parts = []
    if run.error:
        parts.append(f'<p class="failed"><b>Not executed.</b> {run.error}</p>')
    alt = "figure"
    for i, cell in enumerate(run.notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "markdown":
            text = prose.html(cell.source)
            parts.append(f'<aside class="note">{text}</aside>' if NOTE in tags else text)
            if headings := prose.headings.found:
                alt = f"figure of the section {re.sub('<[^>]+>', '', headings[-1][2])}"
            if i == 0 and not instructor:
                parts.append("<!-- contents -->")
        elif cell.cell_type == "code":
            parts.append(_cell_html(cell, run, alt, instructor))
    return "\n".join(parts)


def _cell_html(cell: Any, run: Executed, alt: str, instructor: bool) -> str:
    tags = cell.metadata.get("tags", [])
    source = cell.source.strip("\n")
    if quiz := _QUIZ.fullmatch(source):
        return quick_check_html(quiz[1], int(quiz[2]), run.answers, instructor=instructor)
    if source == "progress()":
        return f'<div class="cell">{code_html(source)}<p class="kernel-note">{PROGRESS}</p></div>'
    kind, label = "cell", ""
    if SOLUTION in tags:
        kind, label = (
            "cell solution",
            f"<p class='label'>Solution {exercise_name(cell)}</p>" if exercise_name(cell) else "",
        )
    elif exercise_name(cell):
        kind, label = "cell stub", f"<p class='label'>Your turn: {exercise_name(cell)}</p>"
    code = _folded(source) if instructor is False and _is_imports(source) else code_html(source)
    shown = "".join(output_html(output, run.widgets, context=alt) for output in cell.outputs)
    if "yours" in tags:
        shown += f'<p class="kernel-note">{YOURS}</p>'
    if stub := cell.metadata.get("stub"):
        opening = "<details class='stub'><summary>The stub that readers find here</summary>"
        shown += f"{opening}{code_html(stub)}</details>"
    return f'<div class="{kind}">{label}{code}{shown}</div>'


def _is_imports(source: str) -> bool:
    lines = [line for line in source.split("\n") if line.strip()]
    return len(lines) > 6 and all(re.match(r"(import|from) |[ )]", line) for line in lines)


def _folded(source: str) -> str:
    return f"<details class='imports'><summary>Imports</summary>{code_html(source)}</details>"


def chapter_link(known: set[str], copied: Callable[[str], str]) -> Callable[[str], str]:
    """What a link of a notebook leads to in the book: another chapter's page, or a copy of a file of the repository.

    Parameters
    ----------
    known : set of str
        Names of the chapters' pages.
    copied : callable
        Takes an address relative to the notebook, puts the file into the book and returns its address there.
    """

    def link(address: str) -> str:
        path, mark, anchor = address.partition("#")
        name = path.rpartition("/")[2].removesuffix(".ipynb")
        if path.endswith(".ipynb") and name in known:
            folder = "instructor/" if path.startswith("solutions/") else ""
            return f"{folder}{name}.html{mark}{anchor}"
        return copied(path) + mark + anchor if path else address

    return link
