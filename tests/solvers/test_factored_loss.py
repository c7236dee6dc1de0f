"""Losses of factored scores: each against a dense computation, and against differences of its own values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers import factored_loss
from xmlwb.solvers.factored_loss import CURVATURE_BOUND, LOSSES, DenseLoss, FactoredLoss, ObservedLoss, SquaredLoss

CASES = [("full", loss) for loss in LOSSES] + [("some", loss) for loss in LOSSES]


def dense_value(Y: np.ndarray, Z: np.ndarray, loss: str, mask: np.ndarray) -> float:
    sign = 2 * Y - 1
    entry = {
        "squared": (Y - Z) ** 2,
        "logistic": np.logaddexp(0, -sign * Z),
        "squared_hinge": np.maximum(0, 1 - sign * Z) ** 2,
    }[loss]
    return float(entry[mask].sum())


def build(kind: str, loss: str, seed: int, n: int = 23, L: int = 11, k: int = 3):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, L)) < 0.2).astype(np.float64)
    mask = np.ones((n, L), dtype=bool) if kind == "full" else (rng.random((n, L)) < 0.5) | (Y > 0)
    A, H, S = (rng.standard_normal((rows, k)).astype(np.float32) for rows in (n, L, n))
    Y32 = sparse.csr_array(Y.astype(np.float32))
    if kind == "some":
        rows, columns = np.nonzero(mask)
        known = sparse.csr_array((Y[mask].astype(np.float32), (rows, columns)), shape=Y.shape)
        assert known.nnz == mask.sum()
        return ObservedLoss(known, loss), Y, mask, A, H, S
    return (SquaredLoss(Y32) if loss == "squared" else DenseLoss(Y32, loss)), Y, mask, A, H, S


@settings(max_examples=30, deadline=None)
@given(case=st.sampled_from(CASES), seed=st.integers(0, 999))
def test_value_gradient_and_curvature(case, seed):
    loss, Y, mask, A, H, S = build(*case, seed)

    def value(A: np.ndarray) -> float:
        return dense_value(Y, A.astype(np.float64) @ H.T.astype(np.float64), case[1], mask)

    assert loss.given(H).value(A) == pytest.approx(value(A), rel=1e-5)
    step = 1e-4
    along = (value(A + step * S.astype(np.float64)) - value(A - step * S.astype(np.float64))) / (2 * step)
    assert np.sum(loss.given(H).value_and_gradient(A)[1] * S, dtype=float) == pytest.approx(along, rel=1e-3, abs=1e-2)
    bend = np.sum(loss.given(H).curvature(A)(S) * S, dtype=float)
    if case[1] != "squared_hinge":  # its second derivative jumps
        twice = (
            value(A + step * S.astype(np.float64)) - 2 * value(A) + value(A - step * S.astype(np.float64))
        ) / step**2
        assert bend == pytest.approx(twice, rel=1e-2, abs=0.1)
    bound = CURVATURE_BOUND[case[1]] * np.sum(((S @ H.T) ** 2)[mask], dtype=float)
    assert 0 <= bend <= bound * (1 + 1e-5)


def test_squared_loss_without_the_scores_is_that_with_all_of_them():
    rng = np.random.default_rng(0)
    Y = sparse.csr_array((rng.random((40, 30)) < 0.1).astype(np.float32))
    A, H, S = (rng.standard_normal((rows, 4)).astype(np.float32) for rows in (40, 30, 40))
    losses: list[FactoredLoss] = [SquaredLoss(Y), DenseLoss(Y, "squared")]
    implicit, explicit = (loss.given(H) for loss in losses)
    assert implicit.value(A) == pytest.approx(explicit.value(A), rel=1e-5)
    gradients = [loss.value_and_gradient(A)[1] for loss in (implicit, explicit)]
    np.testing.assert_allclose(*gradients, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(implicit.curvature(A)(S), explicit.curvature(A)(S), rtol=1e-3, atol=1e-3)


def test_the_minimiser_has_no_slope():
    rng = np.random.default_rng(0)
    Y = sparse.csr_array((rng.random((40, 30)) < 0.1).astype(np.float32))
    H = rng.standard_normal((30, 4)).astype(np.float32)
    of_A = SquaredLoss(Y).given(H)
    A = of_A.minimiser(alpha=0.7)
    np.testing.assert_allclose(of_A.value_and_gradient(A)[1] + 0.7 * A, 0, atol=1e-3)


@pytest.mark.parametrize("loss", ["logistic", "squared_hinge"])
def test_batches_of_rows_are_the_whole(monkeypatch, loss):
    whole, _, _, A, H, S = build("full", loss, seed=1)
    expected = whole.given(H).value(A), whole.given(H).value_and_gradient(A)[1], whole.given(H).curvature(A)(S)
    monkeypatch.setattr(factored_loss, "_BATCH_SCORES", 4 * len(H))  # four rows at a time, three in the last batch
    assert whole.given(H).value(A) == pytest.approx(expected[0], rel=1e-6)
    np.testing.assert_allclose(whole.given(H).value_and_gradient(A)[1], expected[1], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(whole.given(H).curvature(A)(S), expected[2], rtol=1e-5, atol=1e-5)


def test_logistic_loss_of_huge_scores_is_finite():
    Y = sparse.csr_array(np.array([[1, 0]], dtype=np.float32))
    A, H = np.array([[1.0]], dtype=np.float32), np.array([[-1e4], [1e4]], dtype=np.float32)
    loss = DenseLoss(Y, "logistic")
    assert loss.given(H).value(A) == pytest.approx(2e4)
    assert np.isfinite(loss.given(H).value_and_gradient(A)[1]).all()
