from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scipy.sparse import eye_array

from xmlwb.lessons.overfitting import GapFit
from xmlwb.models.callbacks import STOP, Reporter

X = eye_array(6, format="csr", dtype="float32")
PATIENCE = 30


class Memorizer:
    """Training accuracy climbs by tenths; validation turns at epoch 3. The folder keeps the epoch."""

    def __init__(self, *, regularizer=None, regularization=10.0, keep_probability=1.0, n_components=8,
                 checkpoint_dir=None, n_epochs=6, wait=0.0) -> None:  # fmt: skip
        self.regularizer, self.regularization, self.keep_probability = regularizer, regularization, keep_probability
        self.n_components, self.checkpoint_dir, self.n_epochs, self.wait = (
            n_components, checkpoint_dir, n_epochs, wait,
        )  # fmt: skip

    def fit(self, X, Y, *, eval_set=None, callback=None):
        kept = Path(self.checkpoint_dir) / "epoch"
        done = int(kept.read_text()) if kept.exists() else 0
        report = Reporter(callback, "epoch", self.n_epochs)
        report.step = done
        for epoch in range(done + 1, self.n_epochs + 1):
            time.sleep(self.wait)
            kept.write_text(str(epoch))
            turned = 0.6 - 0.02 * abs(epoch - 3) - (0.01 if self.regularizer is None else 0)
            if report({"train P@1": min(1.0, 0.4 + 0.1 * epoch), "valid P@1": turned, "loss": 1 / epoch}):
                break
        return self

    def memory_estimate(self, n, d, L, nnz):
        return 8


def make(**given: Any) -> Memorizer:
    return Memorizer(**given)


def until(condition: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def shown(fit: GapFit) -> dict[str, Any]:
    return json.loads(fit.view.figure)


def test_the_gap_is_a_number_and_the_best_epoch_is_named() -> None:
    fit = GapFit(make, X, X, eval_set=(X, X))
    fit.result(PATIENCE)
    title = shown(fit)["layout"]["title"]
    assert title["text"] == "<b>gap 47.0 points</b>: training 100.0, validation 53.0"
    assert title["subtitle"]["text"] == "epoch 6 of 6; validation was best after epoch 3: 59.0"
    assert fit.runs[0].name == "none"


def test_stop_look_go_on_is_one_run() -> None:
    fit = GapFit(make, X, X, eval_set=(X, X))
    fit.callback = lambda event: STOP if event.step == 2 else None
    fit.result(PATIENCE)
    assert fit.state == "stopped"
    assert not fit._go_on_button.disabled
    fit.callback = None
    fit.go_on().wait(PATIENCE)
    assert fit.state == "finished"
    assert [event.step for event in fit.events] == [1, 2, 3, 4, 5, 6]
    assert len(fit.runs) == 1
    assert list(fit.runs[0].epochs) == [1, 2, 3, 4, 5, 6]
    fit.go_on(2).wait(PATIENCE)
    assert fit.events[-1].step == fit.events[-1].total == 8
    fit.go_on().wait(PATIENCE)
    assert fit.events[-1].step == 14


def test_the_next_run_is_what_the_controls_say_and_stands_beside_the_first() -> None:
    fit = GapFit(make, X, X, eval_set=(X, X), settings={"n_components": [8, 64]})
    fit.result(PATIENCE)
    fit.controls["regularizer"].value = "glas"
    fit.controls["regularization"].value = 100.0
    fit.controls["keep_probability"].value = 0.8
    fit.controls["n_components"].value = 64
    fit.start().wait(PATIENCE)
    assert (fit.model.regularizer, fit.model.regularization, fit.model.n_components) == ("glas", 100.0, 64)
    assert [run.name for run in fit.runs] == ["none, d 8", "GLaS, λ 100, ρ 0.8, d 64"]
    assert [event.step for event in fit.events] == [1, 2, 3, 4, 5, 6]
    assert [note["text"] for note in shown(fit)["layout"]["annotations"]] == [
        "none, d 8: gap <b>47.0</b>",
        "<b>GLaS, λ 100, ρ 0.8, d 64</b>: gap <b>46.0</b>",
    ]


def test_buttons_and_controls_wait_for_a_running_fit() -> None:
    fit = GapFit(lambda **given: Memorizer(**given, wait=0.05, n_epochs=200), X, X, eval_set=(X, X))
    assert fit._go_on_button.disabled
    with pytest.raises(RuntimeError, match="press Start"):
        fit.go_on()
    fit._start_button.click()
    assert fit.controls["regularizer"].disabled
    assert fit._go_on_button.disabled
    until(lambda: bool(fit.events))
    fit._stop_button.click()
    fit.wait(PATIENCE)
    assert fit.state == "stopped"
    assert not fit.controls["regularizer"].disabled
    before = fit.events[-1].step
    fit._go_on_button.click()
    until(lambda: fit.events[-1].step > before)
    fit.stop()
    fit.wait(PATIENCE)
    steps = [event.step for event in fit.events]
    assert steps == list(range(1, len(steps) + 1))
