"""Every table that the lessons carry is listed, small, and written by a program that is here."""

from __future__ import annotations

from pathlib import Path

import pytest

from xmlwb.lessons.stored_studies import FOLDER, STORED, StoredStudy, stored_studies

ROOT = Path(__file__).resolve().parents[2]


def test_every_table_beside_the_lessons_is_listed() -> None:
    beside = {path.name for path in FOLDER.iterdir() if path.is_file() and path.suffix != ".py"}
    assert beside <= {study.file for study in STORED}
    assert set(stored_studies().index) == beside


@pytest.mark.parametrize("study", STORED, ids=lambda study: study.file)
def test_its_command_is_a_program_of_this_repository(study: StoredStudy) -> None:
    program = study.command.split()[1]
    assert (ROOT / program).is_file()
    assert study.file in (ROOT / program).read_text(encoding="utf-8") or "lessons" in (ROOT / program).read_text(
        encoding="utf-8"
    )


def test_none_is_large() -> None:
    assert stored_studies()["kB"].max() < 300
