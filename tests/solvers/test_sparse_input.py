from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from xmlwb.solvers.sparse_input import SparseInput  # noqa: E402


@pytest.fixture
def X() -> sparse.csr_array:
    return sparse.random_array((9, 30), density=0.15, format="csr", dtype=np.float32, rng=np.random.default_rng(0))


@pytest.mark.parametrize("through_bags", [False, True])
def test_product_and_gradient_are_those_of_dense_matrices(X, through_bags: bool) -> None:
    table = torch.randn(30, 4)
    features = np.flatnonzero(np.diff(X.tocsc().indptr))
    rows = np.union1d(features, [0, 7, 29])  # more than X has
    first = SparseInput(X, rows, table)
    if through_bags:  # the way on other devices, here as well
        first._through_bags(table)
    dense = table.clone().requires_grad_()
    expected = torch.from_numpy(X.toarray()) @ dense
    torch.testing.assert_close(first.product, expected)
    weights = torch.randn(9, 4)
    (torch.tanh(first.product) * weights).sum().backward()
    (torch.tanh(expected) * weights).sum().backward()
    torch.testing.assert_close(first.gradient(), dense.grad[torch.from_numpy(rows)])
    left_out = np.setdiff1d(np.arange(30), rows)
    assert not dense.grad[torch.from_numpy(left_out)].any()


def test_a_feature_left_out_is_noticed(X) -> None:
    first = SparseInput(X, np.flatnonzero(np.diff(X.tocsc().indptr))[1:], torch.randn(30, 4))
    first.product.sum().backward()
    with pytest.raises(ValueError, match="rows leaves out a feature of X"):
        first.gradient()
