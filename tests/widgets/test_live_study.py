"""LiveStudy without a browser: it stops, goes on, and says what is wrong."""

from __future__ import annotations

import pandas as pd
import pytest

from xmlwb.studies import Study, read_runs
from xmlwb.widgets.live_study import LiveStudy, means_table

DATA = {"name": "synthetic", "options": {"n": 300, "L": 20, "n_features": 100}}
PATIENCE = 90


def test_stopped_it_goes_on_with_what_is_missing(tmp_path) -> None:
    study = Study(DATA, ["popular", "ova"], grid={"ova": {"C": [0.1, 1.0, 2.0]}}, name="C")
    live = LiveStudy(study, tmp_path, n_jobs=1)
    assert live.status == "ready: 4 runs; press Start"
    heard = live._on_event

    def stop_after_two(event):
        if event.kind == "end" and event.done == 1:
            live._stop_button.click()
        return heard(event)

    live._on_event = stop_after_two  # type: ignore[method-assign]
    live._start_button.click()
    assert live._start_button.disabled
    live.wait(PATIENCE)
    assert live.state == "stopped"
    assert live.status.startswith("stopped after 2 of 4 runs, ")
    assert len(read_runs(tmp_path)) == 2
    assert live._start_button.description == "Go on"
    live._on_event = heard  # type: ignore[method-assign]
    live._start_button.click()
    runs = live.result(PATIENCE)
    assert (live.state, live.events) == ("finished", 2)
    assert live.status.startswith("finished 4 of 4 runs, ")
    assert list(runs["label"]) == ["popular", "ova C=0.1", "ova C=1", "ova C=2"]
    assert (live._bar.value, live._bar.max) == (4, 4)
    assert live._table.value.count("<tr>") == 5
    assert "ova C=2 seed 0: P@1 " in live._log.value


def test_a_mistake_is_shown_and_raised(tmp_path) -> None:
    (tmp_path / "file").touch()
    live = LiveStudy(Study(DATA, ["popular"]), tmp_path / "file", start=True)
    with pytest.raises(ValueError, match="is a file, wanted a folder"):
        live.wait(PATIENCE)
    assert live.state == "failed"
    assert "is a file" in live._status.value


def test_the_table_is_escaped_and_cut() -> None:
    row = {"status": "ok", "data": "<d>", "P@5": 0.5, "train s": 1.0, "ms per instance": 1.0, "model MB": 1.0}
    runs = pd.DataFrame([row | {"label": f"<b>{i}", "P@5": i / 10} for i in range(4)])
    table = means_table(runs, 2)
    assert "<b>" not in table
    assert table.index("30.00") < table.index("20.00")
    assert "10.00" not in table
    assert "and 2 more" in table
    assert means_table(runs.iloc[:0], 2) == means_table(pd.DataFrame(), 2) == ""
