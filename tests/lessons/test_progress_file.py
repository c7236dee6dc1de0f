from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from xmlwb.lessons import check, progress, quiz
from xmlwb.lessons.progress_file import progress_path, read_progress, record


def test_answers_and_solutions_are_counted(progress_file: Path) -> None:
    quiz("tour", 1).answer("c")
    quiz("tour", 3).answer("b")
    check("metrics.precision", lambda relevant, ranked, k: sum(x in relevant for x in ranked[:k]) / k)
    table = progress()
    assert table["quick checks"].iloc[0].startswith("1 of")
    assert table["exercises"].iloc[2].startswith("1 of")
    assert [p.name for p in progress_file.parent.iterdir()] == ["progress.json"]


def test_what_was_right_once_stays_right() -> None:
    record("quiz", "tour/1", True)
    record("quiz", "tour/1", False)
    assert read_progress()["quiz"] == {"tour/1": True}


def test_an_unwritten_exercise_leaves_no_trace(progress_file: Path) -> None:
    check("metrics.precision", lambda relevant, ranked, k: None)
    assert not progress_file.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"version": 99}', '{"version": 1, "quiz": {"a": 3}}', "\x00"])
def test_a_damaged_file_warns_and_is_set_aside(progress_file: Path, text: str) -> None:
    progress_file.parent.mkdir()
    progress_file.write_text(text)
    with pytest.warns(UserWarning, match="starting afresh"):
        assert read_progress() == {"quiz": {}, "exercise": {}}
    record("quiz", "tour/1", True)
    assert json.loads(progress_file.read_text())["quiz"] == {"tour/1": True}
    assert progress_file.with_name("progress.json.damaged").read_text() == text


@pytest.mark.skipif(os.name != "posix", reason="a file in place of a folder")
def test_a_place_that_cannot_be_written_only_warns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("XMLWB_PROGRESS", str(blocker / "progress.json"))
    with pytest.warns(UserWarning, match="could not be kept"):
        record("quiz", "tour/1", True)


def test_a_failed_write_keeps_the_old_file(progress_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record("quiz", "tour/1", True)
    before = progress_file.read_text()

    def no_space(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", no_space)
    with pytest.warns(UserWarning, match="no space left"):
        record("quiz", "tour/2", True)
    assert progress_file.read_text() == before
    assert [p.name for p in progress_file.parent.iterdir()] == ["progress.json"]


def test_the_usual_place_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XMLWB_PROGRESS")
    assert progress_path().name == "progress.json"
    assert "xmlwb" in str(progress_path())
