"""LiveFit without a browser: buttons are clicked by their own method, states are read from the widget."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from scipy import sparse

from xmlwb.models import EarlyStopping, Popular
from xmlwb.models.callbacks import Reporter
from xmlwb.widgets import LiveFit, live_fit

X = sparse.eye_array(6, format="csr", dtype=np.float32)
PATIENCE = 30


class Gated:
    """A model whose every step waits for the test's permission."""

    def __init__(self, total: int = 5, fail_at: int | None = None, memory: int = 1) -> None:
        self.total, self.fail_at, self.memory = total, fail_at, memory
        self.permission = threading.Semaphore(0)

    def allow(self, steps: int) -> None:
        self.permission.release(steps)

    def fit(self, X, Y, *, eval_set=None, callback=None):
        report = Reporter(callback, "block of labels", self.total)
        self.learned_ = 0
        for _ in range(self.total):
            assert self.permission.acquire(timeout=PATIENCE)
            self.learned_ += 1
            if self.learned_ == self.fail_at:
                raise ValueError("C is 0; wanted\nmore")
            if report({"labels": self.learned_, "valid P@1": self.learned_ / 10}):
                break
        return self

    def predict_topk(self, X, k=5):
        return sparse.csr_array(np.full((X.shape[0], self.learned_), 1.0))

    def memory_estimate(self, n, d, L, nnz):
        return self.memory


def await_events(live: LiveFit, count: int) -> None:
    """Wait for a number of events through a callback-free condition: the list only grows."""
    tick = threading.Event()
    for _ in range(PATIENCE * 100):
        if len(live.events) >= count:
            return
        tick.wait(0.01)
    raise AssertionError(f"{len(live.events)} events after {PATIENCE} s; wanted {count}")


def test_runs_to_the_end_and_says_so() -> None:
    model = Gated()
    live = LiveFit(model, X, X)
    assert live.state == "ready"
    live._start_button.click()
    assert live._start_button.disabled
    assert not live._stop_button.disabled
    model.allow(5)
    assert live.result(PATIENCE) is model
    assert live.state == "finished"
    assert live.status.startswith("finished 5 of 5 blocks of labels, ")
    assert (live._bar.value, live._bar.max) == (5, 5)
    assert not live._start_button.disabled
    assert live._stop_button.disabled
    assert live.status in live._status.value
    assert '"y":[0.1,0.2,0.3,0.4,0.5]' in live.view.figure


def test_stop_keeps_a_usable_model() -> None:
    model = Gated(total=100)
    live = LiveFit(model, X, X, start=True)
    model.allow(3)
    await_events(live, 3)
    live._stop_button.click()
    assert live.state == "stopping"
    assert live._stop_button.disabled
    model.allow(1)
    live.wait(PATIENCE)
    assert live.state == "stopped"
    assert live.status.startswith("stopped after 4 of 100 blocks of labels, ")
    assert "the model is usable: labels 4, valid P@1 0.4" in live.status
    assert live.model.predict_topk(X).nnz == 24


def test_start_again_after_a_stop_trains_from_the_beginning() -> None:
    model = Gated(total=3)
    live = LiveFit(model, X, X, start=True)
    live.stop()
    model.allow(1)
    live.wait(PATIENCE)
    assert (live.state, len(live.events)) == ("stopped", 1)
    live._start_button.click()
    model.allow(3)
    live.wait(PATIENCE)
    assert (live.state, len(live.events)) == ("finished", 3)


def test_failure_is_one_line_in_the_widget_and_an_exception_in_the_cell() -> None:
    model = Gated(fail_at=2)
    live = LiveFit(model, X, X, start=True)
    model.allow(2)
    with pytest.raises(ValueError, match="C is 0"):
        live.wait(PATIENCE)
    with pytest.raises(ValueError, match="C is 0"):
        live.result(PATIENCE)
    assert live.state == "failed"
    assert "ValueError: C is 0; wanted more" in live._status.value
    model.fail_at = None
    model.allow(5)
    live.start().wait(PATIENCE)
    assert live.state == "finished"
    assert "Error" not in live._status.value


def test_wait_starts_what_nobody_started_and_times_out() -> None:
    model = Gated(total=1)
    live = LiveFit(model, X, X)
    with pytest.raises(TimeoutError, match=r"timeout=0\.01"):
        live.wait(0.01)
    assert live.running
    with pytest.raises(RuntimeError, match="still running"):
        live.start()
    model.allow(1)
    live.wait(PATIENCE)


def test_second_click_on_start_is_ignored() -> None:
    model = Gated(total=1)
    live = LiveFit(model, X, X)
    live._start_button.click()
    live._start_button.click()
    model.allow(1)
    live.wait(PATIENCE)
    assert len(live.events) == 1


def test_another_callback_can_stop_it_too() -> None:
    model = Gated(total=50)
    model.allow(50)
    live = LiveFit(model, X, X, callback=EarlyStopping("valid P@1", patience=2, mode="min")).wait(PATIENCE)
    assert (live.state, len(live.events)) == ("stopped", 3)


def test_a_factory_is_asked_at_each_start() -> None:
    made: list[Gated] = []

    def make() -> Gated:
        made.append(Gated(total=len(made) + 1))
        made[-1].allow(10)
        return made[-1]

    live = LiveFit(make, X, X)
    first = live.result(PATIENCE)
    second = live.start().result(PATIENCE)
    assert (first, second) == (made[-2], made[-1])
    assert first is not second


@pytest.mark.parametrize(("memory", "warned"), [(1, False), (10**18, True)])
def test_warns_before_a_fit_that_does_not_fit(memory: int, warned: bool) -> None:
    live = LiveFit(Gated(memory=memory), X, X)
    assert ("Warning" in live._note.value) is warned
    assert ("1e+06 TB" in live._note.value) is warned


def test_redraws_are_throttled() -> None:
    model = Gated(total=2000)
    drawn: list[str] = []
    live = LiveFit(model, X, X)
    live.view.observe(lambda change: drawn.append(change["new"]), names="figure")
    model.allow(2000)
    live.wait(PATIENCE)
    # At most one drawing in 0.2 s, the first event's and the last one.
    assert 1 <= len(drawn) <= live.events[-1].elapsed / 0.2 + 2


def test_a_real_model() -> None:
    model = LiveFit(Popular(), X, X).result(PATIENCE)
    assert model.predict_topk(X, k=2).nnz == 12


@pytest.mark.parametrize(
    ("stage", "plural"),
    [("group of labels", "groups of labels"), ("half step", "half steps"), ("pass", "passes"), ("epoch", "epochs")],
)
def test_steps_are_counted_in_the_plural(stage, plural):
    assert live_fit._plural(stage) == plural
