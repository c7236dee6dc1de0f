"""Small label problems for property tests, and their answers by dense linear algebra in float64."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from scipy import sparse

#: The first example pays for numba's compilation, so no example is timed.
QUICK = settings(max_examples=25, deadline=None)


@dataclass(frozen=True)
class LabelProblem:
    X: sparse.csr_array
    Y: sparse.csr_array
    m: int
    alpha: float
    seed: int

    @property
    def X_c(self) -> np.ndarray:
        X = self.X.toarray().astype(np.float64)
        return X - X.mean(axis=0)

    @property
    def Y_c(self) -> np.ndarray:
        Y = self.Y.toarray().astype(np.float64)
        return Y - Y.mean(axis=0)

    @property
    def hat(self) -> np.ndarray:
        """The hat matrix of the ridge regression with an intercept, on centred targets."""
        return self.X_c @ np.linalg.solve(self.X_c.T @ self.X_c + self.alpha * np.eye(self.X.shape[1]), self.X_c.T)

    @property
    def optimum(self) -> float:
        """The least value of CPLST's objective."""
        explained = np.linalg.eigvalsh(self.Y_c.T @ self.hat @ self.Y_c)[::-1][: self.m].sum()
        return float(np.sum(self.Y_c**2) - explained)

    def random_directions(self) -> np.ndarray:
        rng = np.random.default_rng(self.seed + 1)
        return np.linalg.qr(rng.standard_normal((self.Y.shape[1], self.m)))[0]

    def ridge_scores(self, X_new: np.ndarray) -> np.ndarray:
        """Plain ridge regression on all labels."""
        W = np.linalg.solve(self.X_c.T @ self.X_c + self.alpha * np.eye(self.X.shape[1]), self.X_c.T @ self.Y_c)
        return (X_new - self.X.toarray().mean(axis=0)) @ W + self.Y.toarray().mean(axis=0)


@st.composite
def label_problems(draw: st.DrawFn) -> LabelProblem:
    """Features, labels that partly depend on them (some rare, some never there), a rank and a ridge weight."""
    n, d, L = draw(st.integers(3, 40)), draw(st.integers(1, 12)), draw(st.integers(2, 20))
    seed = draw(st.integers(0, 2**16))
    density = draw(st.sampled_from([0.05, 0.2, 0.5]))
    alpha = draw(st.sampled_from([0.1, 1.0, 10.0]))
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=0.5, rng=rng, dtype=np.float32, format="csr")
    signal = X @ rng.standard_normal((d, L)) + 0.5 * rng.standard_normal((n, L))
    Y = sparse.csr_array((signal > np.quantile(signal, 1 - density)).astype(np.float32))
    learned = np.count_nonzero(np.bincount(Y.indices, minlength=L))
    m = draw(st.integers(1, max(1, min(n, learned))))
    return LabelProblem(X, Y, m, alpha, seed)


def scores_of(model, X: np.ndarray) -> np.ndarray:
    """All scores of a fitted linear label-space model."""
    return X @ model.W_.astype(np.float64) @ model.H_.T + model.bias_


def peak_bytes(call: Callable[[], object]) -> int:
    """The most that a call holds at once, without what was there before; a first call compiles the kernels."""
    call()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
