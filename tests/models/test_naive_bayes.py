from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from label_problems import QUICK
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import ModelFileError, NaiveBayes


def scores_of_the_formula(X: np.ndarray, Y: np.ndarray, X_new: np.ndarray, smoothing: float) -> np.ndarray:
    """log P(l) + sum_j x_j log(P(j|l) / q_j), entry by entry, for data without negative values."""
    X, X_new = X.astype(np.float64), X_new.astype(np.float64)
    q = X.sum(axis=0) / X.sum()
    mu = smoothing * X.sum() / len(X)
    S = np.full((len(X_new), Y.shape[1]), -np.inf)
    for label in np.flatnonzero(Y.any(axis=0)):
        counts = X[Y[:, label] > 0].sum(axis=0)
        P = (counts + mu * q) / (counts.sum() + mu)
        for i, x in enumerate(X_new):
            seen = x > 0
            S[i, label] = np.log(Y[:, label].mean()) + x[seen] @ np.log(P[seen] / q[seen])
    return S


@QUICK
@given(st.integers(0, 2**31), st.sampled_from([0.1, 1.0, 30.0]))
def test_scores_are_those_of_the_formula(seed: int, smoothing: float) -> None:
    rng = np.random.default_rng(seed)
    n, d, L = rng.integers(2, 20), rng.integers(1, 8), rng.integers(2, 10)
    X = (rng.random((n, d)) * (rng.random((n, d)) < 0.5)).astype(np.float32)
    X[0] = 1  # each feature occurs, so that its share is above 0
    Y = (rng.random((n, L)) < 0.3).astype(np.float32)
    X_new = rng.random((5, d)).astype(np.float32)
    model = NaiveBayes(smoothing=smoothing).fit(X, Y)
    S = model.predict_topk(X_new, k=int(L))
    expected = scores_of_the_formula(X, Y, X_new, smoothing)
    assert set(S.indices) <= set(np.flatnonzero(Y.any(axis=0)))
    np.testing.assert_allclose(S.data, expected[np.isfinite(expected)], rtol=1e-4, atol=1e-4)


def test_weights_follow_what_occurs_together() -> None:
    data = make_synthetic(400, 100, n_features=300, random_state=2)
    model = NaiveBayes().fit(data.X_train, data.Y_train)
    together = (data.X_train.T @ data.Y_train).toarray() > 0
    np.testing.assert_array_equal(model.coef_.toarray()[:300] != 0, together)
    assert model.coef_[300:600].nnz == 0
    assert model.coef_.nnz == together.sum() + np.count_nonzero(data.Y_train.sum(axis=0))


def test_a_negative_value_speaks_for_another_label_than_a_positive_one() -> None:
    x = np.array([[1.0], [2.0], [-1.0], [-3.0]])
    y = np.array(["up", "up", "down", "down"])
    assert NaiveBayes(smoothing=1).fit(x, y).predict(np.array([[0.5], [-0.5]])).tolist() == ["up", "down"]


def test_inputs_are_parts_and_their_sum() -> None:
    X = sparse.csr_array(np.array([[1, -2, 0], [0, 0, 0], [0, 3, -4]], dtype=np.float32))
    inputs = NaiveBayes.linear_inputs(X)
    assert inputs.toarray().tolist() == [[1, 0, 0, 0, 2, 0, 3], [0] * 7, [0, 3, 0, 0, 0, 4, 7]]
    assert inputs.has_canonical_format
    assert inputs.dtype == np.float32


def test_an_instance_without_features_gets_the_most_frequent_label() -> None:
    X = sparse.csr_array(np.eye(4, 3, dtype=np.float32))
    Y = np.array([[1, 0], [0, 1], [0, 1], [0, 1]])
    assert NaiveBayes().fit(X, Y).predict_topk(sparse.csr_array((1, 3), dtype=np.float32), k=1).indices == [1]


def test_data_without_features_leaves_the_label_frequencies() -> None:
    model = NaiveBayes().fit(sparse.csr_array((3, 2), dtype=np.float32), np.array([[1, 0], [1, 0], [0, 1]]))
    S = model.predict_topk(sparse.csr_array(np.ones((1, 2), dtype=np.float32)), k=2)
    np.testing.assert_allclose(S.toarray(), np.log([[2 / 3, 1 / 3]]), rtol=1e-6)


def test_smoothing_has_to_be_positive() -> None:
    with pytest.raises(ValueError, match="smoothing is 0; wanted a number above 0"):
        NaiveBayes(smoothing=0).fit(np.eye(2), np.eye(2))


@pytest.mark.parametrize("name", ["coef_", "intercept_"])
def test_weights_of_another_type_are_not_loaded(name: str, tmp_path) -> None:
    model = NaiveBayes().fit(np.eye(3), np.eye(3))
    setattr(model, name, getattr(model, name).astype(np.float64))
    model.save(tmp_path / "m")
    with pytest.raises(ModelFileError, match=f"{name} is float64; wanted float32"):
        NaiveBayes.load(tmp_path / "m")


def test_memory_estimate_covers_what_a_fit_allocates() -> None:
    data = make_synthetic(2000, 300, n_features=2000, random_state=5)
    NaiveBayes().fit(data.X_train, data.Y_train)
    tracemalloc.start()
    NaiveBayes().fit(data.X_train, data.Y_train)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n, d = data.X_train.shape
    estimate = NaiveBayes().memory_estimate(n, d, data.Y_train.shape[1], data.X_train.nnz)
    assert peak < estimate < 6 * peak
