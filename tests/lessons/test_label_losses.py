from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array

from xmlwb.lessons.label_losses import (
    LOSSES,
    best_score,
    expected_loss,
    knock_out,
    knock_out_study,
    observed_entries,
)
from xmlwb.models import LEML, Popular


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("recorded", [0.1, 0.4, 0.75])
def test_the_closed_form_is_the_lowest_point(loss: str, recorded: float) -> None:
    found = minimize_scalar(
        lambda s: float(expected_loss(loss, np.array(s), recorded)), bounds=(-6, 6), method="bounded"
    )
    assert best_score(loss, recorded) == pytest.approx(found.x, abs=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_losses_are_those_of_leml(loss: str) -> None:
    rng = np.random.default_rng(0)
    X = rng.random((40, 3)).astype(np.float32)
    Y = (rng.random((40, 6)) < 0.4).astype(np.float32)
    model = LEML(n_components=2, loss=loss, alpha=1e-7, n_iter=2).fit(csr_array(X), csr_array(Y))  # no penalty to see
    scores = (X @ model.W_ @ model.H_.T + model.bias_).astype(float)
    total = np.where(Y > 0, LOSSES[loss][0](scores), LOSSES[loss][1](scores)).sum()
    assert model.objectives_[-1] == pytest.approx(total, rel=1e-3)


def test_a_label_never_recorded_has_no_lowest_logistic_point() -> None:
    assert best_score("logistic", 0.0) == -np.inf
    for ask in (lambda: best_score("hinge", 0.5), lambda: expected_loss("hinge", np.zeros(1), 0.5)):
        with pytest.raises(ValueError, match="loss: found 'hinge'"):
            ask()


def test_knock_out_removes_by_label_and_nests() -> None:
    Y = csr_array(np.ones((4000, 3), dtype=np.float32))
    kept = np.array([1.0, 0.5, 0.0])
    left = knock_out(Y, kept)
    assert left.sum(axis=0) / 4000 == pytest.approx(kept, abs=0.03)
    fewer = knock_out(Y, kept**2)
    assert left.multiply(fewer).nnz == fewer.nnz
    assert Y.nnz == 12000
    with pytest.raises(ValueError, match="wanted 3 probabilities"):
        knock_out(Y, np.ones(2))


def small_problem() -> tuple[csr_array, csr_array]:
    rng = np.random.default_rng(0)
    Y = csr_array((rng.random((60, 8)) < 0.3).astype(np.float32))
    return csr_array(rng.random((60, 6)).astype(np.float32)), Y


def test_knock_out_study_scores_on_whole_labels() -> None:
    X, Y = small_problem()
    models = {"popular": (lambda alpha: Popular(), [1.0])}
    table = knock_out_study(X, Y, (X, Y), (X, Y), np.full(8, 0.5), models, [0.0, 2.0], n_documents=60, throws=1)
    whole, half = table.iloc[0], table.iloc[1]
    assert whole["lost"] == whole["lost of the tail"] == 0
    assert half["lost"] == pytest.approx(0.75, abs=0.12)
    assert 0 < whole["P@1"] <= 1


def test_each_strength_chooses_its_alpha_once_and_every_throw_takes_other_documents() -> None:
    X, Y = small_problem()
    made: list[float] = []

    def make(alpha: float) -> LEML:
        made.append(alpha)
        return LEML(n_components=3, alpha=alpha, n_iter=1)

    table = knock_out_study(
        X, Y, (X, Y), (X, Y), np.full(8, 0.5), {"leml": (make, [0.1, 1e6])}, [0.0, 1.0], n_documents=40, throws=3
    )
    assert made[:4] == [0.1, 1e6] * 2
    assert len(made) == 4 + 4
    assert table.groupby("strength")["alpha"].nunique().tolist() == [1, 1]
    assert made[4:] == table["alpha"].tolist()[2:]
    assert table.loc[table["strength"] == 0, "P@1"].nunique() > 1


def test_observed_entries_are_a_share_of_all_and_hold_what_is_left() -> None:
    rng = np.random.default_rng(0)
    Y = csr_array((rng.random((200, 50)) < 0.1).astype(np.float32))
    observed, left = observed_entries(Y, 0.3)
    assert observed.nnz == pytest.approx(0.3 * 10_000, rel=0.1)
    assert left.nnz == left.multiply(observed).nnz == left.multiply(Y).nnz
    X = csr_array(rng.random((200, 5)).astype(np.float32))
    LEML(n_components=2, n_iter=1).fit(X, left, observed=observed)
