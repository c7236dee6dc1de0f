"""The sparse separator against scikit-learn's solver, and against the conditions of its optimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from xmlwb.solvers.sparse_logistic import sparse_separator


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = sparse.random_array((300, 60), density=0.2, format="csr", dtype=np.float32, rng=rng)
    delta = np.where(X @ rng.normal(size=60) + 0.3 * rng.normal(size=300) > 0.2, 1, -1)
    return X, delta


def objective(X, delta, w, bias: float, C: np.ndarray) -> float:
    return float(np.abs(w).sum() + abs(bias) + (C * np.logaddexp(0, -delta * (X @ w + bias))).sum())


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_optimum_is_that_of_liblinear(problem, C: float) -> None:
    X, delta = problem
    w, bias = sparse_separator(X, delta, C=C, tol=1e-5, max_iter=200)
    theirs = LogisticRegression(l1_ratio=1.0, solver="liblinear", C=C, tol=1e-8, max_iter=5000).fit(X, delta)
    weights = np.full(len(delta), C)
    assert objective(X, delta, w, bias, weights) == pytest.approx(
        objective(X, delta, theirs.coef_[0], theirs.intercept_[0], weights), rel=1e-5
    )


def test_conditions_of_the_optimum_with_weights(problem) -> None:
    X, delta = problem
    C = np.where(delta > 0, 3.0, 0.5)
    w, bias = sparse_separator(X, delta, C=C, tol=1e-6, max_iter=200)
    assert 0 < np.count_nonzero(w) < len(w)
    slope = -C * delta / (1 + np.exp(delta * (X @ w + bias)))
    gradient = X.T @ slope
    np.testing.assert_allclose(gradient[w != 0], -np.sign(w[w != 0]), atol=1e-3)
    assert np.abs(gradient[w == 0]).max() < 1 + 1e-3


def test_a_few_steps_never_do_harm(problem) -> None:
    X, delta = problem
    C = np.full(len(delta), 30.0)
    values = [objective(X, delta, *sparse_separator(X, delta, C=C, max_iter=steps), C) for steps in (1, 2, 4, 8)]
    assert objective(X, delta, np.zeros(60), 0.0, C) > values[0]
    assert values == sorted(values, reverse=True)


def test_without_a_reason_all_weights_stay_at_zero(problem) -> None:
    X, delta = problem
    w, bias = sparse_separator(X, delta, C=1e-4)
    assert not w.any()
    assert bias == 0
    hollow = sparse.csr_array(X.shape, dtype=np.float32)
    w, bias = sparse_separator(hollow, np.ones(300), C=1.0)
    assert not w.any()
    assert bias > 1


def test_large_values_do_not_overflow() -> None:
    X = sparse.csr_array(np.array([[1e4], [-1e4], [2e4], [-3e4]], dtype=np.float32))
    w, bias = sparse_separator(X, np.array([1, -1, 1, -1]), C=1e3)
    assert np.isfinite(w).all()
    assert np.isfinite(bias)
    assert (np.sign(X @ w + bias) == [1, -1, 1, -1]).all()
