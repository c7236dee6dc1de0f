"""Ridge regression for many targets: both ways against the dense normal equations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers.ridge import RidgeSystem


def problem(n: int, d: int, m: int, seed: int) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=0.4, format="csr", dtype=np.float32, rng=rng)
    return X, (rng.standard_normal((n, m)) + 5).astype(np.float32)


def dense_solution(X: sparse.csr_array, T: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    dense = X.toarray().astype(np.float64)
    centred, T_mean = dense - dense.mean(axis=0), T.mean(axis=0)
    W = np.linalg.solve(centred.T @ centred + alpha * np.eye(X.shape[1]), centred.T @ (T - T_mean))
    return W, T_mean - dense.mean(axis=0) @ W


@settings(max_examples=25, deadline=None)
@given(
    n=st.integers(1, 40), d=st.integers(1, 12), m=st.integers(1, 5), alpha=st.floats(0.01, 100), direct=st.booleans(),
    seed=st.integers(0, 999),
)  # fmt: skip
def test_both_ways_are_the_dense_solution(n, d, m, alpha, direct, seed):
    X, T = problem(n, d, m, seed)
    system = RidgeSystem(X, alpha, tol=1e-6)
    system.direct = direct
    W, intercept = system.solve(T)
    W_dense, intercept_dense = dense_solution(X, T, alpha)
    np.testing.assert_allclose(W, W_dense, atol=2e-3)
    np.testing.assert_allclose(intercept, intercept_dense, atol=2e-3)
    np.testing.assert_allclose(system.hat(T), X @ W_dense + intercept_dense, atol=5e-3)


@pytest.mark.parametrize("density", [0.05, 0.3])
def test_raw_counts_have_a_factor(density):
    rng = np.random.default_rng(0)
    X = sparse.random_array((200, 400), density=density, format="csr", dtype=np.float32, rng=rng)
    X.data = np.ceil(X.data * 1e4)
    T = rng.standard_normal((200, 3)).astype(np.float32)
    W, intercept = RidgeSystem(X, 1.0).solve(T)
    np.testing.assert_allclose(X @ W + intercept, T, atol=1e-2)  # more features than rows, hardly any penalty


def test_a_penalty_too_small_for_its_features_is_named():
    X = sparse.random_array((50, 90), density=0.3, format="csr", dtype=np.float32, rng=np.random.default_rng(0)) * 1e4
    with pytest.raises(ValueError, match=r"alpha is 1e-12; wanted at least about"):
        RidgeSystem(sparse.csr_array(X), 1e-12).solve(np.ones((50, 1)))


@pytest.mark.parametrize(("largest", "alpha"), [(20, 1.0), (1000, 1.0), (1, 0.01), (1, 1.0)])
def test_both_ways_agree_on_new_rows_where_the_penalty_is_weak(largest, alpha):
    rng = np.random.default_rng(0)
    X, X_new = (sparse.random_array((120, 700), density=0.1, format="csr", dtype=np.float32, rng=rng) for _ in "ab")
    for part in (X, X_new):
        part.data = np.ceil(part.data * largest) if largest > 1 else part.data
    T = rng.standard_normal((120, 4)).astype(np.float32)
    scores = []
    for direct in (True, False):
        system = RidgeSystem(X, alpha)
        system.direct = direct
        W, intercept = system.solve(T)
        scores.append(X_new @ W + intercept)
    assert np.abs(scores[0] - scores[1]).max() < 0.03 * scores[0].std()


@pytest.mark.parametrize("direct", [True, False])
def test_without_an_intercept(direct):
    X, T = problem(30, 6, 3, seed=0)
    system = RidgeSystem(X, 0.5, fit_intercept=False, tol=1e-6)
    system.direct = direct
    W, intercept = system.solve(T)
    dense = X.toarray()
    np.testing.assert_allclose(W, np.linalg.solve(dense.T @ dense + 0.5 * np.eye(6), dense.T @ T), atol=1e-3)
    assert not intercept.any()


def test_many_features_are_never_factored():
    X, T = problem(50, 5000, 2, seed=0)
    system = RidgeSystem(X, 1.0, tol=1e-6)
    assert not system.direct
    W, intercept = system.solve(T)
    fitted = X @ W + intercept
    assert np.abs(fitted - T).mean() < np.abs(T - T.mean(axis=0)).mean() / 5
    # the optimum is where X_c^T (T - fitted) = alpha W
    centred = X.toarray() - X.toarray().mean(axis=0)
    np.testing.assert_allclose(centred.T @ (T - fitted), W, atol=1e-3)


def test_a_mostly_stored_matrix_is_summed_in_blocks():
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.standard_normal((2500, 7)).astype(np.float32))
    T = rng.standard_normal((2500, 2)).astype(np.float32)
    np.testing.assert_allclose(RidgeSystem(X, 1.0).solve(T)[0], dense_solution(X, T, 1.0)[0], atol=1e-4)


def test_a_target_of_zeros_stays_zero_and_disturbs_no_other():
    X, T = problem(30, 6, 3, seed=1)
    T[:, 1] = 0
    system = RidgeSystem(X, 1.0, tol=1e-6)
    system.direct = False
    W, intercept = system.solve(T)
    assert not W[:, 1].any()
    assert intercept[1] == 0
    np.testing.assert_allclose(W, dense_solution(X, T, 1.0)[0], atol=1e-3)


def test_steps_are_told_and_can_be_stopped():
    X, T = problem(60, 10, 3, seed=2)
    told: list[tuple[int, bool, float]] = []
    system = RidgeSystem(X, 0.1, tol=1e-5)
    system.direct = False
    system.solve(T, on_step=lambda *step: told.append(step) or False)
    assert [step for step, _, _ in told] == list(range(1, system.n_iter + 1))
    assert [last for _, last, _ in told] == [False] * (system.n_iter - 1) + [True]
    assert told[-1][2] <= 1e-5 < told[0][2]
    W, _ = system.solve(T, on_step=lambda step, last, residual: step == 2)
    assert system.n_iter == 2
    assert np.isfinite(W).all()
    assert W.any()


def test_the_number_of_threads_changes_nothing():
    X, T = problem(3000, 300, 8, seed=3)
    for direct in (True, False):
        results = []
        for n_jobs in (1, 3):
            system = RidgeSystem(X, 1.0, n_jobs=n_jobs)
            system.direct = direct
            results.append(system.solve(T)[0])
        np.testing.assert_array_equal(*results)
