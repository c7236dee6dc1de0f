"""The blocked solver against LIBLINEAR's, and against the definition of its problem."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core.errors import TypingError
from scipy import sparse
from sklearn.svm import LinearSVC

from xmlwb.solvers.squared_hinge import solve_block, squared_norms


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    X = sparse.random_array((300, 50), density=0.2, format="csr", dtype=np.float32, rng=rng)
    truth = rng.normal(size=(50, 16))
    Y = (X @ truth > 0.8).astype(int)
    return X, Y, [np.flatnonzero(Y[:, label]) for label in range(16)]


def objective(X, y, w, b, C: float) -> float:
    slack = np.maximum(0, 1 - (2 * y - 1) * (X @ w + b))
    return 0.5 * (w @ w + b * b) + C * np.sum(slack**2)


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_optimum_is_that_of_liblinear(problem, C: float) -> None:
    X, Y, positives = problem
    W, bias, _, _ = solve_block(X, squared_norms(X), positives, C=C, tol=1e-4, max_iter=5000)
    for label in range(16):
        svc = LinearSVC(C=C, tol=1e-8, max_iter=100_000, dual=True).fit(X, Y[:, label])
        ours = objective(X, Y[:, label], W[:, label], bias[label], C)
        theirs = objective(X, Y[:, label], svc.coef_[0], svc.intercept_[0], C)
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_a_label_is_learned_the_same_alone_and_in_company(problem) -> None:
    X, _, positives = problem
    together, *_ = solve_block(X, squared_norms(X), positives, tol=1e-4, max_iter=5000)
    alone, *_ = solve_block(X, squared_norms(X), positives[:1], tol=1e-4, max_iter=5000)
    np.testing.assert_allclose(together[:, 0], alone[:, 0], atol=1e-3)


def test_seed_decides_the_order_and_nothing_else(problem) -> None:
    X, _, positives = problem
    first, again, other = (solve_block(X, squared_norms(X), positives, seed=seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    np.testing.assert_allclose(first, other, atol=0.2)


def test_max_iter_ends_the_descent(problem) -> None:
    X, _, positives = problem
    assert solve_block(X, squared_norms(X), positives, tol=1e-6, max_iter=3)[2:] == (3, False)
    n_iter, converged = solve_block(X, squared_norms(X), positives, tol=0.1, max_iter=1000)[2:]
    assert n_iter < 1000
    assert converged


def test_int64_indices_and_empty_rows(problem) -> None:
    X, _, positives = problem
    wide = sparse.csr_array((X.data, X.indices.astype(np.int64), X.indptr.astype(np.int64)), shape=X.shape)
    np.testing.assert_array_equal(
        solve_block(wide, squared_norms(wide), positives)[0], solve_block(X, squared_norms(X), positives)[0]
    )
    hollow = X.copy()
    hollow.data[hollow.indptr[4] : hollow.indptr[5]] = 0
    hollow.eliminate_zeros()
    assert np.isfinite(solve_block(hollow, squared_norms(hollow), positives)[0]).all()


def test_at_most_sixteen_labels(problem) -> None:
    X, _, positives = problem
    with pytest.raises(ValueError, match=r"positives holds 17 labels; wanted 1\.\.16"):
        solve_block(X, squared_norms(X), [*positives, positives[0]])


def test_arrays_that_the_lanes_would_misread_are_refused(problem) -> None:
    X, _, positives = problem
    strided = sparse.csr_array((np.repeat(X.data, 2)[::2], X.indices, X.indptr), shape=X.shape)
    with pytest.raises(TypingError, match="wanted a C-contiguous float32 array"):
        solve_block(strided, squared_norms(strided), positives)
