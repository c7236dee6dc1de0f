"""A node's classifiers against the solver on the same instances, and the choice of those instances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers import row_subset
from xmlwb.solvers.label_forest import plant
from xmlwb.solvers.label_tree import LabelTree
from xmlwb.solvers.node_classifiers import learn_node, popularity_node, positives_below
from xmlwb.solvers.row_subset import frequent_first, take_rows
from xmlwb.solvers.squared_hinge import solve_block, squared_norms

SETTINGS = {"C": 1.0, "tol": 1e-4, "max_iter": 3000, "seed": 0}


@pytest.fixture(scope="module")
def X() -> sparse.csr_array:
    rng = np.random.default_rng(0)
    return sparse.csr_array(sparse.random_array((120, 60), density=0.15, format="csr", dtype=np.float32, rng=rng))


@pytest.mark.parametrize("n_children", [2, 4, 5, 16, 21])
@pytest.mark.parametrize("everywhere", [False, True])
def test_weights_are_those_of_the_solver_on_the_instances_that_reach_the_node(X, n_children, everywhere) -> None:
    rng = np.random.default_rng(n_children)
    reached = np.arange(120) if everywhere else np.sort(rng.choice(120, size=70, replace=False))
    positives = [np.sort(rng.choice(reached, size=12, replace=False)) for _ in range(n_children)]
    positives[0] = np.union1d(positives[0], np.setdiff1d(reached, np.concatenate(positives)))
    Z, features = frequent_first(X)
    node = learn_node(Z, features, squared_norms(X), positives, threshold=0.05, **SETTINGS)
    tree = LabelTree(
        np.concatenate([[0], np.full(n_children + 1, n_children)]), np.concatenate([[-1], np.arange(n_children)])
    )
    W, bias = plant([(tree, [node])], 60).classifiers(0, 60)
    rows = sparse.csr_array(X[reached])
    for child in range(n_children):
        alone, b, _, _ = solve_block(
            rows, squared_norms(rows), [np.searchsorted(reached, positives[child])], **SETTINGS
        )
        kept = np.where(np.abs(alone[:, 0]) >= 0.05, alone[:, 0], 0)
        close = np.abs(np.abs(alone[:, 0]) - 0.05) < 1e-3  # on the edge of being dropped
        np.testing.assert_allclose(W.toarray()[~close, child], kept[~close], atol=2e-3)
        assert bias[child] == pytest.approx(b[0], abs=2e-3)
    assert (np.diff(node.features) > 0).all()
    assert (np.abs(node.value) >= 0.05).all()


def test_instances_reach_the_node_by_the_labels_below_it() -> None:
    Y = sparse.csc_array(np.array([[1, 0, 0, 1], [0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1]]))
    tree = LabelTree(np.array([0, 2, 4, 4, 4, 4]), np.array([-1, -1, 3, 1, 2]))
    assert [rows.tolist() for rows in positives_below(tree, 0, Y)] == [[1, 2], [0, 4]]
    assert [rows.tolist() for rows in positives_below(tree, 1, Y)] == [[1, 2], [2]]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("counts", "shares"), [([3, 0, 5], [3 / 8, 0, 5 / 8]), ([4], [1]), ([0, 2], [0, 1]), ([0, 0], [0, 0])]
)
def test_a_node_without_weights_gives_shares(counts: list[int], shares: list[float]) -> None:
    node = popularity_node(np.array(counts))
    np.testing.assert_allclose(np.exp(-(np.maximum(0, 1 - node.bias) ** 2)), shares, rtol=1e-5)


@pytest.mark.parametrize("sort_below", [0.001, 1e9])
def test_rows_are_taken_with_their_features_only(X, sort_below: float, monkeypatch) -> None:
    monkeypatch.setattr(row_subset, "_SORT_BELOW", sort_below)
    rows = np.array([5, 3, 90])
    subset, features = take_rows(X, rows)
    np.testing.assert_array_equal(features, np.unique(X[rows].indices))
    np.testing.assert_array_equal(subset.toarray(), X[rows].toarray()[:, features])


def test_frequent_features_come_first_and_nothing_is_lost(X) -> None:
    Z, features = frequent_first(X)
    np.testing.assert_array_equal(Z.toarray(), X.toarray()[:, features])
    assert (np.diff(np.bincount(Z.indices, minlength=60)) <= 0).all()
