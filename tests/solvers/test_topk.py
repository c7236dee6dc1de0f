from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers.topk import topk_product, topk_rows


def brute_force(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(scores, order, axis=1)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    k=st.integers(1, 9),
    n_jobs=st.sampled_from([None, 2]),
    filled=st.sampled_from([0.1, 0.9]),  # below and above DENSE_FROM
)
def test_product_equals_brute_force(seed: int, k: int, n_jobs: int | None, filled: float) -> None:
    rng = np.random.default_rng(seed)
    X = sparse.csr_array(rng.integers(0, 3, size=(130, 6)).astype(np.float32))  # small whole numbers: many ties
    W = sparse.csr_array((rng.choice([-1, 1], size=(6, 9)) * (rng.random((6, 9)) < filled)).astype(np.float32))
    bias = rng.integers(-1, 2, size=9).astype(np.float32)
    columns, scores = topk_product(X, W, k, bias=bias, n_jobs=n_jobs)
    expected_columns, expected_scores = brute_force((X @ W).toarray() + bias, k)
    np.testing.assert_array_equal(columns, expected_columns)
    np.testing.assert_array_equal(scores, expected_scores)


def test_a_column_with_bias_minus_infinity_is_never_chosen() -> None:
    bias = np.array([0, -np.inf, 0], dtype=np.float32)
    columns, scores = topk_product(sparse.eye_array(2, format="csr", dtype=np.float32),
                                   sparse.csr_array(np.ones((2, 3), dtype=np.float32)), 3, bias=bias)  # fmt: skip
    assert columns.tolist() == [[0, 2, -1]] * 2
    assert scores[0, 2] == -np.inf


def test_rows_take_stored_entries_only_and_break_ties_by_column() -> None:
    S = sparse.csr_array((np.array([-1.0, 0.0, 0.0, 5.0], dtype=np.float32), [1, 2, 4, 0], [0, 3, 3, 4]), shape=(3, 5))
    columns, scores = topk_rows(S, 2)
    assert columns.tolist() == [[2, 4], [-1, -1], [0, -1]]
    assert scores[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("k", [1, 4])
def test_no_rows(k: int) -> None:
    columns, _ = topk_product(sparse.csr_array((0, 3), dtype=np.float32), sparse.csr_array((3, 4), dtype=np.float32), k)
    assert columns.shape == (0, k)


def test_shapes_that_do_not_fit_are_refused() -> None:
    X, W = sparse.csr_array((2, 3), dtype=np.float32), sparse.csr_array((4, 5), dtype=np.float32)
    with pytest.raises(ValueError, match=r"shapes \(2, 3\), \(4, 5\) and \(5,\)"):
        topk_product(X, W, 1)
