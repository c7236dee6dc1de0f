"""The chapters against the code: stubs fail, solutions pass, every question and exercise is used, nothing is stored."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest

from xmlwb.lessons import CHAPTERS, ChapterInfo
from xmlwb.lessons.chapters import lesson
from xmlwb.lessons.checking import exercise
from xmlwb.lessons.exercises import Exercise, judge

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
EXERCISES = [(info, found) for info in CHAPTERS for found in lesson(info.key).EXERCISES]
FILES = [NOTEBOOKS / info.file for info in CHAPTERS] + [NOTEBOOKS / "solutions" / info.file for info in CHAPTERS]
BESIDE = NOTEBOOKS / "own-data.ipynb"
FILES.append(BESIDE)
CHECKED = "nbval-check-output"

by_name = pytest.mark.parametrize(("info", "found"), EXERCISES, ids=[found.name for _, found in EXERCISES])
by_chapter = pytest.mark.parametrize("info", CHAPTERS, ids=lambda info: info.slug)
by_file = pytest.mark.parametrize("file", FILES, ids=[f"{file.parent.name}/{file.stem}" for file in FILES])


def cells(file: Path, kind: str = "code") -> list[Any]:
    return [cell for cell in nbformat.read(file, as_version=4).cells if cell.cell_type == kind]


def student_function(file: Path, name: str) -> Callable[..., Any]:
    """The function that the cell tagged ``exercise:<name>`` defines, with the notebook's own imports."""
    tagged = [cell for cell in cells(file) if f"exercise:{name}" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1, f"{file.name} has {len(tagged)} cells tagged exercise:{name}, wanted one"
    space: dict[str, Any] = {"np": np}
    for cell in cells(file):
        for line in re.findall(r"^from math import .*$", cell.source, flags=re.MULTILINE):
            exec(line, space)
    exec(tagged[0].source, space)
    function = space[name.split(".")[-1]]
    assert callable(function)
    return function


@by_name
def test_the_stub_fails_as_unwritten(info: ChapterInfo, found: Exercise) -> None:
    assert judge(found, student_function(NOTEBOOKS / info.file, found.name)).status == "unwritten"


@by_name
def test_the_solution_passes(info: ChapterInfo, found: Exercise) -> None:
    verdict = judge(found, student_function(NOTEBOOKS / "solutions" / info.file, found.name))
    assert verdict.passed, verdict


@by_name
def test_no_hint_is_a_line_of_the_solution(info: ChapterInfo, found: Exercise) -> None:
    tag = f"exercise:{found.name}"
    (cell,) = [c for c in cells(NOTEBOOKS / "solutions" / info.file) if tag in c.metadata.get("tags", [])]
    hints = " ".join(found.hints).replace("'", '"')
    for line in cell.source.splitlines()[2:]:
        told = line.strip().removeprefix("return ").split(" = ", maxsplit=1)[-1]
        assert len(told) < 24 or told not in hints, line


@by_name
def test_stub_and_solution_have_one_signature_and_docstring(info: ChapterInfo, found: Exercise) -> None:
    stub = student_function(NOTEBOOKS / info.file, found.name)
    solution = student_function(NOTEBOOKS / "solutions" / info.file, found.name)
    assert (
        stub.__code__.co_varnames[: stub.__code__.co_argcount]
        == solution.__code__.co_varnames[: solution.__code__.co_argcount]
    )
    assert stub.__doc__ == solution.__doc__


@by_chapter
def test_every_question_and_exercise_of_the_chapter_is_asked_once(info: ChapterInfo) -> None:
    source = "\n".join(cell.source for cell in cells(NOTEBOOKS / info.file))
    asked = [(key, int(number)) for key, number in re.findall(r'quiz\("(\w+)", (\d+)\)', source)]
    assert asked == [(info.key, number + 1) for number in range(len(lesson(info.key).QUESTIONS))]
    checked = re.findall(r'^check\("([\w.]+)"', source, flags=re.MULTILINE)
    assert checked == [found.name for found in lesson(info.key).EXERCISES]


@by_chapter
def test_a_chapter_has_the_parts_that_every_chapter_has(info: ChapterInfo) -> None:
    text = "\n".join(cell.source for cell in cells(NOTEBOOKS / info.file, "markdown"))
    for part in ("After this chapter you can", "**Time**", "**You need**", "**Papers**", "Where we deviate", "## Next"):
        assert part in text, f"{info.file} has no {part!r}"
    objectives = re.findall(r"^\d\. .*[;.]$", text.split("**Time**")[0], flags=re.MULTILINE)
    assert 3 <= len(objectives) <= 5
    assert text.count("**Predict first.**") >= 3
    source = "\n".join(cell.source for cell in cells(NOTEBOOKS / info.file))
    assert re.search(r"\b(slider_figure|graph_growth|walk_settings|random_labels|search_steps)\(", source)  # made of it
    assert "tails.tail_views(" in source
    assert "plots.tail_figures(" in source


@by_chapter
def test_a_chapter_says_how_long_it_takes(info: ChapterInfo) -> None:
    text = "\n".join(cell.source for cell in cells(NOTEBOOKS / info.file, "markdown"))
    (time,) = re.findall(r"^\*\*Time\*\* .*$", text, flags=re.MULTILINE)
    numbers = [int(number) for number in re.findall(r"about (\d+)", time)]
    assert numbers == [info.minutes, *([info.more_minutes] if info.more_minutes else [])]
    assert (text.lower().count("skip on a first pass") > 1) == bool(info.more_minutes)


@by_chapter
def test_a_plan_for_a_class_adds_up(info: ChapterInfo) -> None:
    plan = cells(NOTEBOOKS / "solutions" / info.file, "markdown")[0].source
    total = re.search(r"\*\*Plan for a class\*\* \((\d+) minutes", plan)
    assert total is not None
    assert sum(int(part) for part in re.findall(r" \((\d+)\)", plan)) == int(total.group(1))
    assert "tail lens" in plan


@pytest.mark.parametrize(
    "name",
    [
        "tour.vote",
        "data.leaked_share",
        "metrics.precision",
        "metrics.ndcg",
        "metrics.psp",
        "compressed_sensing.omp",
        "compressed_sensing.breaking_m",
        "svd_leml.plst_decode",
        "svd_leml.leml_step",
        "trees.two_means_step",
        "trees.beam_search",
        "trees.tail_winner",
        "dxml.one_walk",
        "dxml.label_targets",
        "dxml.knn_vote",
        "glas.glas_loss",
        "glas.choose_lambda",
        "lightdxml.label_centroids",
        "lightdxml.blend",
        "lightdxml.choose_beta",
        "ablations.paired_interval",
        "ablations.holm",
        "ablations.may_be_best",
    ],
)
def test_what_a_student_wrote_is_used_after_it_passes(name: str) -> None:
    source = "\n".join(cell.source for info in CHAPTERS for cell in cells(NOTEBOOKS / info.file))
    assert source.count(f'if check("{name}", {name.split(".")[1]}, keep=False).passed:') == 1


def test_the_tour_says_which_chapters_are_here() -> None:
    text = "\n".join(cell.source for cell in cells(NOTEBOOKS / CHAPTERS[0].file, "markdown"))
    rows = re.findall(r"^\| (\d\d) ([\w-]+) \|.*\| (here now|planned) \|$", text, flags=re.MULTILINE)
    assert len(rows) >= len(CHAPTERS) - 1
    here = [f"{number}-{slug}.ipynb" for number, slug, when in rows if when == "here now"]
    assert here == [info.file for info in CHAPTERS[1:]]


@by_file
def test_a_notebook_is_stored_clean(file: Path) -> None:
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        if cell.cell_type == "code":
            # only the small printed facts that nbval compares are kept; it takes a cell without a count for one not run
            checked = CHECKED in cell.metadata.get("tags", [])
            assert bool(cell.outputs) == checked, cell.source
            assert (cell.execution_count is not None) == checked, cell.source
            assert all(output.output_type == "stream" and len(output.text) < 1500 for output in cell.outputs)


@by_file
def test_a_notebook_only_links_to_what_is_there(file: Path) -> None:
    for cell in cells(file, "markdown"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", cell.source):
            assert (file.parent / target).exists(), f"{file.name} links to {target}"


def test_there_is_one_notebook_beside_the_chapters() -> None:
    for folder in (NOTEBOOKS, NOTEBOOKS / "solutions"):
        found = sorted(path.name for path in folder.glob("*.ipynb") if path != BESIDE)
        assert found == [info.file for info in CHAPTERS]


def test_every_exercise_is_found_by_its_name() -> None:
    assert [exercise(found.name).name for _, found in EXERCISES] == [found.name for _, found in EXERCISES]
