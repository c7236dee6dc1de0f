from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.solvers.leaf_topk import topk_of_leaves
from xmlwb.solvers.topk import topk_product

QUICK = settings(max_examples=40, deadline=None)


def problem(seed: int):
    rng = np.random.default_rng(seed)
    n, d, L, n_leaves, T = rng.integers(1, [30, 20, 40, 6, 4], endpoint=True)
    X = sparse.random_array((n, d), density=0.3, format="csr", dtype=np.float32, rng=rng)
    W = sparse.csr_array(np.round(rng.normal(size=(L, d)) * (rng.random((L, d)) < 0.4)).astype(np.float32))
    X.data[:] = np.round(4 * X.data)  # whole numbers: sums without rounding, and ties
    bias = np.round(rng.normal(size=L)).astype(np.float32)
    bias[rng.random(L) < 0.2] = -np.inf
    leaf_labels = sparse.csr_array((rng.random((n_leaves, L)) < 0.3).astype(np.float32))
    return X, W, bias, leaf_labels, rng.integers(n_leaves, size=(n, T))


@QUICK
@given(st.integers(0, 2**31), st.integers(1, 6), st.sampled_from([1, 2, 3]))
def test_the_best_of_the_labels_in_the_leaves(seed: int, k: int, n_jobs: int) -> None:
    X, W, bias, leaf_labels, leaves = problem(seed)
    columns, scores = topk_of_leaves(X, W, bias, leaf_labels, leaves, k, n_jobs=n_jobs)
    S = X.toarray() @ W.toarray().T + bias
    for i, row in enumerate(S):
        allowed = leaf_labels.toarray()[leaves[i]].any(axis=0)
        row = np.where(allowed, row, -np.inf)
        best = [label for label in np.argsort(-row, kind="stable")[:k] if row[label] > -np.inf]
        assert columns[i].tolist() == best + [-1] * (k - len(best))
        assert scores[i].tolist() == row[best].tolist() + [-np.inf] * (k - len(best))


def test_scores_are_those_of_the_whole_product_to_the_last_bit() -> None:
    rng = np.random.default_rng(1)
    X = sparse.random_array((50, 300), density=0.2, format="csr", dtype=np.float32, rng=rng)
    W = sparse.random_array((40, 300), density=0.1, format="csr", dtype=np.float32, rng=rng)
    bias = rng.normal(size=40).astype(np.float32)
    all_labels = sparse.csr_array(np.ones((1, 40), dtype=np.float32))
    ours = topk_of_leaves(X, W, bias, all_labels, np.zeros((50, 1), dtype=np.int64), 7)
    whole = topk_product(X, sparse.csr_array(W.T), 7, bias=bias)
    np.testing.assert_array_equal(ours[0], whole[0])
    np.testing.assert_array_equal(ours[1], whole[1])


def test_what_does_not_fit_together_is_refused() -> None:
    X, W, bias, leaf_labels, leaves = problem(3)
    with pytest.raises(ValueError, match="no fit"):
        topk_of_leaves(X, W, bias[:-1], leaf_labels, leaves, 1)
    for wrong in (leaves[:, 0], leaves - 10, leaves + 10):
        with pytest.raises(ValueError, match="wanted a leaf's number"):
            topk_of_leaves(X, W, bias, leaf_labels, wrong, 1)
