"""What a reader has answered and solved so far: one small JSON file on their own machine."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import platformdirs

from xmlwb.atomic import atomic_path
from xmlwb.lessons.chapters import CHAPTERS, lesson

VERSION = 1


def progress_path() -> Path:
    """Where progress is kept: ``$XMLWB_PROGRESS``, else the user's data folder."""
    given = os.environ.get("XMLWB_PROGRESS")
    return Path(given) if given else Path(platformdirs.user_data_dir("xmlwb")) / "progress.json"


def read_progress() -> dict[str, dict[str, bool]]:
    """Return ``{"quiz": {"tour/1": True}, "exercise": {...}}``; a file that cannot be read counts as none.

    A lesson must go on whatever happened to the file, so a damaged one only warns; it is set aside (with
    ``.damaged`` added to its name) when the next answer is kept.
    """
    path = progress_path()
    if path.exists():
        try:
            return _parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            warnings.warn(f"progress file {path} cannot be read ({error}); starting afresh", stacklevel=2)
    return {"quiz": {}, "exercise": {}}


def _parse(text: str) -> dict[str, dict[str, bool]]:
    found: Any = json.loads(text)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError(f"found no version {VERSION}")
    kept: dict[str, dict[str, bool]] = {}
    for kind in ("quiz", "exercise"):
        entries = found.get(kind, {})
        if not isinstance(entries, dict) or not all(isinstance(right, bool) for right in entries.values()):
            raise ValueError(f"{kind!r} is not a table of true and false")
        kept[kind] = dict(entries)
    return kept


def record(kind: str, name: str, right: bool) -> None:
    """Keep one answer; what was right once stays right.

    A failure to write (a full disk, a read-only home) warns and does not stop the lesson.
    """
    path = progress_path()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = read_progress()
    kept[kind][name] = right or kept[kind].get(name, False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _set_damaged_aside(path)
        with atomic_path(path) as draft:
            draft.write_text(json.dumps({"version": VERSION, **kept}, indent=1, sort_keys=True), encoding="utf-8")
    except OSError as error:
        warnings.warn(f"progress could not be kept in {path}: {error}", stacklevel=2)


def _set_damaged_aside(path: Path) -> None:
    if not path.exists():
        return
    try:
        _parse(path.read_text(encoding="utf-8"))
    except ValueError:
        os.replace(path, path.with_name(path.name + ".damaged"))


def progress() -> pd.DataFrame:
    """Return a table with a row for each chapter: quick checks answered rightly, and exercises solved."""
    kept = read_progress()
    rows = []
    for info in CHAPTERS:
        module = lesson(info.key)
        checks = [f"{info.key}/{number}" for number in range(1, len(module.QUESTIONS) + 1)]
        exercises = [exercise.name for exercise in module.EXERCISES]
        rows.append(
            {
                "chapter": f"{info.number:02d} {info.title}",
                "quick checks": _tally(kept["quiz"], checks),
                "exercises": _tally(kept["exercise"], exercises),
            }
        )
    return pd.DataFrame(rows).set_index("chapter")


def _tally(kept: dict[str, bool], names: list[str]) -> str:
    return f"{sum(kept.get(name, False) for name in names)} of {len(names)}"
