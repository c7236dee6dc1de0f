"""A half step: its maps and its gradient against dense matrices, and no step where none leads down."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers import half_step as module
from xmlwb.solvers.factored_loss import LOSSES, DenseLoss, FactoredLoss, SquaredLoss
from xmlwb.solvers.half_step import Features, Identity, half_step, penalty


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    X = sparse.random_array((50, 12), density=0.4, format="csr", dtype=np.float32, rng=rng)
    Y = sparse.csr_array((rng.random((50, 9)) < 0.2).astype(np.float32))
    W, H = (rng.standard_normal((rows, 3)).astype(np.float32) for rows in (13, 9))
    return X, Y, W, H


def with_constant(X: sparse.csr_array) -> np.ndarray:
    return np.hstack([X.toarray(), np.ones((X.shape[0], 1))]).astype(np.float64)


def test_features_are_multiplication_with_X_and_a_constant(problem):
    X, _, W, _ = problem
    M, features = with_constant(X), Features(X)
    A = np.random.default_rng(1).standard_normal((50, 3)).astype(np.float32)
    np.testing.assert_allclose(features.times(W), M @ W, atol=1e-5)
    np.testing.assert_allclose(features.transposed_times(A), M.T @ A, atol=1e-5)
    np.testing.assert_allclose(features.squares, np.diag(M.T @ M), rtol=1e-5)


def test_gradient_of_the_squared_loss_by_the_weights_is_the_dense_one(problem):
    X, Y, W, H = problem
    M, features = with_constant(X), Features(X)
    _, slope = SquaredLoss(Y).given(H).value_and_gradient(features.times(W))
    gradient = features.transposed_times(slope) + 0.7 * W
    dense = 2 * M.T @ (M @ W @ H.T - Y.toarray()) @ H + 0.7 * W
    np.testing.assert_allclose(gradient, dense, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_enough_steps_of_either_factor_end_where_the_dense_gradient_is_zero(problem, name):
    X, Y, W, H = problem
    loss: FactoredLoss = SquaredLoss(Y) if name == "squared" else DenseLoss(Y, name)
    features = Features(X)
    A = features.times(W)
    for _ in range(12):
        W, A, value = half_step(loss, features, W, A, H, alpha=0.5, cg_steps=60)
    _, slope = loss.given(H).value_and_gradient(A)
    np.testing.assert_allclose(features.transposed_times(slope) + 0.5 * W, 0, atol=2e-2)
    np.testing.assert_allclose(A, with_constant(X) @ W, atol=1e-4)
    assert value == pytest.approx(loss.given(H).value(A), rel=1e-5)


def test_an_identity_leaves_the_factor_alone(problem):
    _, Y, _, H = problem
    F = np.zeros((50, 3), dtype=np.float32)
    moved = half_step(SquaredLoss(Y), Identity(50), F, F, H, alpha=0.5, cg_steps=30)
    np.testing.assert_allclose(moved.factor, moved.image, atol=1e-5)
    np.testing.assert_allclose(moved.factor, SquaredLoss(Y).given(H).minimiser(0.5), atol=1e-3)
    assert not F.any(), "the caller's factor was changed"


def test_where_no_step_leads_down_the_factor_stays(problem, monkeypatch):
    X, Y, W, H = problem
    features = Features(X)
    A = features.times(W)

    def uphill(linear_map, curvature, gradient, MD, *rest):
        return gradient, features.times(gradient)

    monkeypatch.setattr(module, "_newton_direction", uphill)
    moved = half_step(SquaredLoss(Y), features, W, A, H, alpha=0.5, cg_steps=5)
    assert moved.factor is W
    assert moved.loss == pytest.approx(SquaredLoss(Y).given(H).value(A))
    assert penalty(W, 0.5) == pytest.approx(0.25 * np.sum(W.astype(float) ** 2))
