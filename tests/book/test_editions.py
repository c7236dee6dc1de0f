"""Solutions and notes merged in, and taken out again."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from xmlwb.book.chapter_files import find_chapters
from xmlwb.book.editions import NOTE, SOLUTION, exercise_name, merge, quick_checks, reader_outputs

ROOT = Path(__file__).resolve().parents[2]
CHAPTERS = find_chapters(ROOT / "notebooks")
WITH_SOLUTIONS = [chapter for chapter in CHAPTERS if chapter.solutions]


def test_chapters_are_found_by_their_names(notebooks: Path) -> None:
    (found,) = find_chapters(notebooks)
    assert (found.number, found.name, found.title, found.minutes) == (2, "02-tiny", "A tiny chapter", 5)
    assert found.solutions is not None


def test_a_folder_without_chapters_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.ipynb").touch()
    with pytest.raises(FileNotFoundError, match="NN-name"):
        find_chapters(tmp_path)


def test_the_solution_stands_where_the_stub_stood(notebooks: Path) -> None:
    (chapter,) = find_chapters(notebooks)
    merged = merge(chapter)
    kinds = [
        "note" if NOTE in tags else "solution" if SOLUTION in tags else cell.id
        for cell in merged.cells
        for tags in [cell.metadata.get("tags", [])]
    ]
    wanted = "opening note imports solution figures figure slider fact live state quiz work note solution check used"
    assert " ".join(kinds) == f"{wanted} note note"
    solution = next(cell for cell in merged.cells if exercise_name(cell))
    assert "return sum" in solution.source
    assert "your turn" in solution.metadata["stub"]
    nbformat.validate(nbformat.from_dict(merged))


def test_merging_twice_gives_the_same_notebook(notebooks: Path) -> None:
    (chapter,) = find_chapters(notebooks)
    assert nbformat.writes(merge(chapter)) == nbformat.writes(merge(chapter))


def test_readers_see_no_output_of_what_they_are_to_write(notebooks: Path) -> None:
    (chapter,) = find_chapters(notebooks)
    merged = merge(chapter)
    for cell in merged.cells:
        if cell.cell_type == "code":
            cell.outputs = [nbformat.v4.new_output("stream", text=f"output of {cell.id}")]
    reader = {cell.id: cell for cell in reader_outputs(merged, chapter.read()).cells}
    assert reader["fact"].outputs[0].text == "output of fact"
    for mine in ("stub", "check", "used"):
        assert reader[mine].outputs == []
    assert "yours" in reader["used"].metadata["tags"]
    assert "your turn" in reader["stub"].source


@pytest.mark.parametrize("chapter", WITH_SOLUTIONS, ids=lambda chapter: chapter.name)
def test_every_chapter_merges_whole(chapter) -> None:
    plain, merged = chapter.read(), merge(chapter)
    exercises = [name for cell in plain.cells if (name := exercise_name(cell))]
    solved = [cell for cell in merged.cells if exercise_name(cell)]
    assert [exercise_name(cell) for cell in solved] == exercises
    assert all(SOLUTION in cell.metadata["tags"] and "your turn" not in cell.source for cell in solved)
    kept = {cell.id for cell in merged.cells}
    assert {cell.id for cell in plain.cells if not exercise_name(cell)} <= kept
    assert len(kept) == len(merged.cells)
    assert quick_checks(merged) == quick_checks(plain)
    notes = "\n".join(cell.source for cell in merged.cells if NOTE in cell.metadata.get("tags", []))
    for cell in nbformat.read(chapter.solutions, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert cell.source.split("\n")[-1].lstrip("#") in notes
