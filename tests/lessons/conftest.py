from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def progress_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every test's progress away from the developer's own."""
    path = tmp_path / "kept" / "progress.json"
    monkeypatch.setenv("XMLWB_PROGRESS", str(path))
    return path
