"""Two editions of a chapter: the instructor's, with solutions and notes merged in, and the reader's.

Only the instructor's is executed. The reader's has the same outputs, but where a cell runs what the reader is to write,
it has none: an output there would give the exercise away.
"""

from __future__ import annotations

import ast
import re
from copy import deepcopy
from typing import Any

import nbformat

from xmlwb.book.chapter_files import ChapterFile

NOTE, SOLUTION = "instructor-note", "solution"
_EXERCISE = "exercise:"


def merge(chapter: ChapterFile) -> Any:
    """The instructor's edition: the chapter with each stub replaced by its solution, and the notes where they belong.

    The plan for a class stands after the chapter's opening, an exercise's notes before its solution, all other notes
    and cells of the solutions at the end. What is merged in carries the tag ``instructor-note`` or ``solution``, and a
    solution the stub that it replaced, as ``metadata["stub"]``.
    """
    notebook = deepcopy(chapter.read())
    if chapter.solutions is None:
        return notebook
    plan, preamble, exercises, rest = _sorted_out(nbformat.read(chapter.solutions, as_version=4).cells)
    cells: list[Any] = []
    for cell in notebook.cells:
        name = exercise_name(cell)
        if name in exercises:
            note, solution = exercises[name]
            solution.metadata = {**solution.metadata, "stub": cell.source}
            cells += [*note, solution]
        else:
            cells.append(cell)
    opening = 1 if cells and cells[0].cell_type == "markdown" else 0
    imports = next((i for i, cell in enumerate(cells) if cell.cell_type == "code"), len(cells) - 1) + 1
    cells = [*cells[:opening], *plan, *cells[opening:imports], *preamble, *cells[imports:], *rest]
    notebook.cells = [_with_id(cell, i) for i, cell in enumerate(cells)]
    return notebook


def _sorted_out(cells: list[Any]) -> tuple[list[Any], list[Any], dict[str, tuple[list[Any], Any]], list[Any]]:
    """The solutions' cells: the plan, the imports, {exercise: (notes, solution)}, and the others."""
    plan: list[Any] = []
    preamble: list[Any] = []
    exercises: dict[str, tuple[list[Any], Any]] = {}
    rest: list[Any] = []
    waiting: list[Any] = []
    for cell in map(deepcopy, cells):
        name = exercise_name(cell)
        if cell.cell_type == "markdown":
            if not plan:
                plan = [_note(re.sub(r"^# .*\n+", "", cell.source))]
            elif re.match(r"## Exercise \d+", cell.source):
                waiting = [
                    _note(
                        re.sub(r"^## (Exercise \d+).*\n*", r"**On \1.** ", cell.source).replace(
                            "**On Exercise", "**On exercise"
                        )
                    )
                ]
            else:
                rest.append(_note(re.sub(r"^#", "##", cell.source, flags=re.MULTILINE)))
        elif name:
            _tag(cell, SOLUTION)
            exercises[name] = (waiting, cell)
            waiting = []
        elif not exercises and not rest:
            preamble.append(_tag(cell, SOLUTION))
        elif not re.match(r"print\(check\(", cell.source):  # the chapter has its own
            rest.append(_tag(cell, SOLUTION))
    if rest:
        rest.insert(0, _note("## Notes for the instructor"))
    return plan, preamble, exercises, rest


def reader_outputs(merged: Any, chapter: Any) -> Any:
    """The reader's edition: the chapter as it is, with the outputs of the executed instructor's edition.

    A cell that calls what the reader writes keeps a figure that it ends in and loses all else; such cells, and the
    stubs, are tagged ``yours``.
    """
    reader = deepcopy(chapter)
    outputs = {cell.id: cell.outputs for cell in merged.cells if cell.cell_type == "code"}
    theirs = {name.split(".")[-1] for cell in chapter.cells if (name := exercise_name(cell))}
    for cell in reader.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs = deepcopy(outputs.get(cell.id, []))
        if exercise_name(cell):
            cell.outputs = []
        elif theirs & names_used(cell.source):
            cell.outputs = [out for out in cell.outputs if out.output_type == "execute_result" and _is_figure(out)]
            _tag(cell, "yours")
    return reader


def exercise_name(cell: Any) -> str:
    """The exercise that a cell is the place of, ``metrics.psp``; empty for all other cells."""
    tags = cell.metadata.get("tags", [])
    return next((tag.removeprefix(_EXERCISE) for tag in tags if tag.startswith(_EXERCISE)), "")


def names_used(source: str) -> set[str]:
    """The names that a cell reads.

    >>> sorted(names_used("print(psp([1], k))"))
    ['k', 'print', 'psp']
    """
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a cell with a magic
        return set(re.findall(r"\w+", source))
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def quick_checks(notebook: Any) -> list[tuple[str, int]]:
    """The quick checks that a notebook asks, as (chapter's key, number)."""
    source = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return [(key, int(number)) for key, number in re.findall(r'^quiz\("(\w+)", (\d+)\)', source, flags=re.MULTILINE)]


def _is_figure(output: Any) -> bool:
    return "application/vnd.plotly.v1+json" in output.data


def _note(source: str) -> Any:
    return _tag(nbformat.v4.new_markdown_cell(source), NOTE)


def _tag(cell: Any, tag: str) -> Any:
    cell.metadata["tags"] = [*cell.metadata.get("tags", []), tag]
    return cell


def _with_id(cell: Any, place: int) -> Any:
    """What is merged in gets an id by its place: the same input, the same notebook."""
    if NOTE in cell.metadata.get("tags", []) or SOLUTION in cell.metadata.get("tags", []):
        cell["id"] = f"instructor-{place:03d}"
    return cell
