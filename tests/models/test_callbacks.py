from __future__ import annotations

import numpy as np
import pytest

from xmlwb.models import MLCSSP, PLST, STOP, EarlyStopping, Event, Progress, SVDLabels, chain
from xmlwb.solvers import ridge


def event(step: int, **figures: float) -> Event:
    return Event("epoch", step, 9, 0.1 * step, figures)


def test_early_stopping_minimises_too_and_starts_anew_at_step_one() -> None:
    stop = EarlyStopping("loss", patience=1, mode="min", min_delta=0.05)
    answers = [stop(event(i, loss=loss)) for i, loss in enumerate([1.0, 0.9, 0.88], start=1)]
    assert answers == [None, None, STOP]
    assert stop(event(1, loss=5.0)) is None


def test_early_stopping_names_the_figures_there_are_once_the_fit_is_over() -> None:
    stop = EarlyStopping()
    for _ in range(2):  # a second fit is told too
        assert [stop(event(step, labels=3.0)) for step in range(1, 9)] == [None] * 8
        with pytest.raises(KeyError, match=r"no figure 'valid P@1'; it reports: labels, loss"):
            stop(event(9, loss=3.0))


def test_early_stopping_passes_over_events_without_the_figure() -> None:
    stop = EarlyStopping("P", patience=2)
    figures = [{"P": 0.5}, {}, {"P": 0.4}, {"loss": 1.0}, {}, {"P": 0.5}]
    assert [stop(event(step, **found)) for step, found in enumerate(figures, start=1)] == [None] * 5 + [STOP]
    assert stop(event(1, loss=1.0)) is None
    assert stop(event(9, P=0.1)) is None  # the only one of this fit, and its best


@pytest.mark.parametrize("method", [PLST, SVDLabels, MLCSSP])
def test_early_stopping_bears_a_solver_that_only_reports_residuals(method: type, monkeypatch) -> None:
    monkeypatch.setattr(ridge, "DIRECT_UP_TO", 0)
    X, Y = np.eye(20, 6), np.eye(20, 6)
    model = method(n_components=3).fit(X, Y, eval_set=(X, Y), callback=EarlyStopping("valid P@1"))
    assert model.predict_topk(X, k=1).shape == (20, 6)
    with pytest.raises(KeyError, match=r"no figure 'valid P@1'; it reports: components, residual"):
        method(n_components=3).fit(X, Y, callback=EarlyStopping("valid P@1"))


@pytest.mark.parametrize(
    ("argument", "message"), [({"mode": "up"}, "mode is 'up'"), ({"patience": 0}, "patience is 0")]
)
def test_early_stopping_refuses_bad_arguments(argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**argument)


def test_chain_shows_every_event_to_all_and_any_can_stop() -> None:
    seen: list[Event] = []
    both = chain(lambda e: STOP, seen.append)
    assert both(event(1)) is STOP
    assert len(seen) == 1
    assert chain(seen.append)(event(2)) is None


def test_chain_refuses_what_a_fit_refuses() -> None:
    with pytest.raises(TypeError, match="callback returned True"):
        chain(lambda e: True)(event(1))


def test_progress_writes_stage_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Progress()
    for step in range(1, 10):
        bar(event(step, loss=0.25))
    written = capsys.readouterr().err
    assert "9/9" in written
    assert "loss=0.25" in written
