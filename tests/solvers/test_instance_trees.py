"""Instance trees: what grows, who reaches which leaf, and what the leaves say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.instance_tree_growth import grow_tree
from xmlwb.solvers.instance_trees import BATCH, InstanceTree, join_trees
from xmlwb.solvers.leaf_scores import SORT_FROM, best_of_sums, mean_leaves, rerank_by_centroids
from xmlwb.solvers.ndcg_partition import gain_shares


def problem(seed: int = 0, n: int = 300, d: int = 40, L: int = 12) -> tuple[sparse.csr_array, sparse.csr_array]:
    rng = np.random.default_rng(seed)
    X = sparse.random_array((n, d), density=0.2, format="csr", dtype=np.float32, rng=rng)
    Y = (X @ rng.normal(size=(d, L)) > 1.0) & (np.arange(L) != 3)  # label 3 has no instance
    return X, sparse.csr_array(Y.astype(np.float32))


def grown(X, Y, **options) -> InstanceTree:
    return grow_tree(X, Y, gain_shares(Y), np.ones(Y.shape[1]), **({"C": 5.0} | options))


def test_shape_of_a_tree() -> None:
    X, Y = problem()
    tree = grown(X, Y)
    inner = np.flatnonzero(~tree.is_leaf)
    assert len(inner) > 10
    assert tree.n_nodes == 2 * len(inner) + 1
    np.testing.assert_array_equal(tree.children[inner].ravel(), np.arange(1, tree.n_nodes))
    np.testing.assert_array_equal(tree.depth[1:], tree.depth[tree.parent[1:]] + 1)
    assert (np.diff(tree.depth) >= 0).all()
    last = tree.n_nodes - 1
    path = tree.path(last)
    assert (path[0], path[-1], len(path)) == (0, last, tree.depth[last] + 1)
    assert not np.diff(tree.separators.indptr)[tree.is_leaf].any()
    assert not np.diff(tree.leaves.indptr)[~tree.is_leaf].any()


def test_a_leaf_holds_the_mean_of_the_instances_that_reach_it() -> None:
    X, Y = problem()
    tree = grown(X, Y)
    rows = tree.rows_at(X)
    np.testing.assert_array_equal(rows[0], np.arange(300))
    for v in range(tree.n_nodes):
        if tree.is_leaf[v]:
            assert 0 < len(rows[v]) <= 10
            np.testing.assert_allclose(tree.leaves[[v]].toarray()[0], Y[rows[v]].mean(axis=0), atol=1e-6)
        else:
            minus, plus = (rows[child] for child in tree.children[v])
            np.testing.assert_array_equal(np.sort(np.concatenate([minus, plus])), rows[v])
            margin = X[rows[v]] @ tree.separators[[v]].toarray()[0].astype(np.float64) + tree.bias[v]
            np.testing.assert_array_equal(np.isin(rows[v], plus), margin >= 0)


def test_leaf_distributions_sum_to_one_where_every_instance_has_one_label() -> None:
    X, _ = problem()
    Y = sparse.csr_array(np.eye(6, dtype=np.float32)[np.arange(300) % 6])
    tree = grown(X, Y)
    np.testing.assert_allclose(tree.leaves.sum(axis=1)[tree.is_leaf], 1, atol=1e-6)


def test_gains_weigh_in_the_leaves() -> None:
    X, Y = problem()
    gains = np.linspace(1, 5, 12)
    tree = grow_tree(X, Y, gain_shares(Y, gains), gains, C=5.0)
    rows = tree.rows_at(X)
    for v in np.flatnonzero(tree.is_leaf):
        np.testing.assert_allclose(tree.leaves[[v]].toarray()[0], gains * Y[rows[v]].mean(axis=0), rtol=1e-5)


def test_a_leaf_keeps_its_largest_labels() -> None:
    X, Y = problem()
    whole, cut = grown(X, Y, max_leaf=50), grown(X, Y, max_leaf=50, max_leaf_labels=3)
    np.testing.assert_array_equal(whole.children, cut.children)
    for v in np.flatnonzero(whole.is_leaf):
        full = whole.leaves[[v]].toarray()[0]
        best = np.sort(np.argsort(-full, kind="stable")[:3])
        best = best[full[best] > 0]
        assert cut.leaves[[v]].indices.tolist() == best.tolist()
        np.testing.assert_array_equal(cut.leaves[[v]].data, full[best])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda X, Y: (X, sparse.csr_array(np.tile(Y[[1]].toarray(), (300, 1)))),
        lambda X, Y: (X, sparse.csr_array(Y.shape, dtype=np.float32)),
        lambda X, Y: (sparse.csr_array(np.tile(X[[0]].toarray(), (300, 1))), Y),
        lambda X, Y: (sparse.csr_array(X.shape, dtype=np.float32), Y),
    ],
    ids=["same labels", "no labels", "same features", "no features"],
)
def test_what_cannot_be_split_is_a_leaf(spoil) -> None:
    X, Y = spoil(*problem())
    tree = grown(X, Y)
    assert tree.n_nodes == 1
    np.testing.assert_allclose(tree.leaves.toarray()[0], Y.mean(axis=0), atol=1e-6)
    assert (tree.apply(X) == 0).all()


def test_some_instances_without_labels_or_features() -> None:
    X, Y = (A.tolil() for A in problem())
    X[::7], Y[::5] = 0, 0
    X, Y = sparse.csr_array(X), sparse.csr_array(Y)
    tree = grown(X, Y)
    assert tree.n_nodes > 20
    assert 3 not in tree.leaves.indices, "a label without an instance is in a leaf"
    rows = tree.rows_at(X)
    assert sum(len(rows[v]) for v in np.flatnonzero(tree.is_leaf)) == 300


def test_planted_clusters_are_parted() -> None:
    rng = np.random.default_rng(4)
    cluster = rng.integers(4, size=400)
    X = np.zeros((400, 40), dtype=np.float32)
    X[np.arange(400), 10 * cluster + rng.integers(10, size=400)] = 1
    X[np.arange(400), 10 * cluster + rng.integers(10, size=400)] = 1
    Y = np.eye(4, dtype=np.float32)[cluster]
    tree = grown(sparse.csr_array(X), sparse.csr_array(Y), max_leaf=150)
    leaf = tree.apply(sparse.csr_array(X))
    assert tree.n_nodes >= 7
    for found in np.unique(leaf):
        assert len(np.unique(cluster[leaf == found])) == 1, "a leaf holds two clusters"


def test_instances_walk_alone_as_they_do_in_company() -> None:
    X, Y = problem()
    forest = join_trees([grown(X, Y, seed=seed) for seed in range(3)])
    many = sparse.csr_array(sparse.vstack([X] * (BATCH // 300 + 2)))
    reached = forest.apply(many, n_jobs=2)
    assert reached.shape == (many.shape[0], 3)
    np.testing.assert_array_equal(reached[:300], reached[300:600])
    np.testing.assert_array_equal(reached, forest.apply(many, n_jobs=1))
    np.testing.assert_array_equal(reached[:9], np.vstack([forest.apply(X[[i]]) for i in range(9)]))
    for t in range(3):
        np.testing.assert_array_equal(reached[:300, t], forest.tree(t).apply(X))
    with pytest.raises(ValueError, match="X has 39 features; wanted 40"):
        forest.apply(X[:, :39])
    with pytest.raises(ValueError, match="do not fit together"):
        grow_tree(X, Y, np.ones(3, dtype=np.float32), np.ones(12))


def test_a_forest_is_its_trees_and_is_checked() -> None:
    X, Y = problem()
    trees = [grown(X, Y, seed=seed) for seed in range(2)]
    forest = join_trees(trees)
    forest.check(40, 12)
    for t, tree in enumerate(trees):
        same = forest.tree(t)
        for name in ("children", "bias"):
            np.testing.assert_array_equal(getattr(same, name), getattr(tree, name))
        np.testing.assert_array_equal(same.separators.toarray(), tree.separators.toarray())
        np.testing.assert_array_equal(same.leaves.toarray(), tree.leaves.toarray())
    loop = forest.first_child.copy()
    loop[np.flatnonzero(loop)[0]] = 0
    late = np.roll(forest.first_child, 1)
    for spoiled, message in (
        (forest._replace(first_child=loop), "first_child does not number"),
        (forest._replace(first_child=late), "first_child"),
        (forest._replace(first_child=forest.first_child[:-1]), "tree_ptr does not rise"),
        (forest._replace(tree_ptr=forest.tree_ptr[:1]), "tree_ptr does not rise"),
        (forest._replace(bias=forest.bias[1:]), "bias has shape"),
        (forest._replace(leaves=forest.leaves[:-1]), "leaves has shape"),
    ):
        with pytest.raises(ValueError, match=message):
            spoiled.check(40, 12)
    with pytest.raises(ValueError, match="separators has shape"):
        forest.check(41, 12)
    wild = forest.separators.copy()
    wild.indices[5] = 40
    with pytest.raises(ValueError, match="separators has an index out of range"):
        forest._replace(separators=wild).check(40, 12)


def test_types_that_the_kernels_do_not_expect_are_refused() -> None:
    """Also pointers whose differences rise only because they wrap around."""
    X, Y = problem()
    forest = join_trees([grown(X, Y)])
    many = forest._replace(
        first_child=np.zeros(127, dtype=np.int32),
        bias=np.zeros(127, dtype=np.float32),
        separators=sparse.csr_array((127, 40), dtype=np.float32),
        leaves=sparse.csr_array((127, 12), dtype=np.float32),
    )
    far = np.iinfo(np.int64).max
    for spoiled, message in (
        (many._replace(tree_ptr=np.array([0, 127, -128, -1, 0, 127], dtype=np.int8)), "tree_ptr is int8"),
        (many._replace(tree_ptr=np.array([0, far, -far - 1, -1, 0, 127])), "tree_ptr does not rise"),
        (forest._replace(first_child=forest.first_child[:, None]), "first_child is int32 of 2 dimensions"),
        (forest._replace(first_child=forest.first_child.astype(np.float64)), "first_child is float64"),
        (forest._replace(bias=forest.bias.astype(np.float64)), "bias is float64"),
        (forest._replace(leaves=forest.leaves.astype(np.float64)), "leaves is float64"),
    ):
        with pytest.raises(ValueError, match=message):
            spoiled.check(40, 12)


@pytest.mark.parametrize("k", [1, 4, 12])
def test_mean_of_the_leaves(k: int) -> None:
    X, Y = problem()
    trees = [grown(X, Y, seed=seed) for seed in range(5)]
    forest = join_trees(trees)
    expected = np.mean([tree.leaves[tree.apply(X)].toarray() for tree in trees], axis=0, dtype=np.float64)
    labels, scores = mean_leaves(forest, forest.apply(X), k, n_jobs=2)
    for i in range(300):
        order = np.argsort(-expected[i].astype(np.float32), kind="stable")[:k]
        order = order[expected[i, order] > 0]
        assert labels[i, : len(order)].tolist() == order.tolist()
        assert (labels[i, len(order) :] == -1).all()
        np.testing.assert_allclose(scores[i, : len(order)], expected[i, order], rtol=1e-6)


@pytest.mark.parametrize("k", [1, 12])
def test_sums_of_leaves_rank_as_the_leaves_do(k: int) -> None:
    X, Y = problem()
    trees = [grown(X, Y, seed=seed) for seed in range(5)]
    forest = join_trees(trees)
    sums = sum(tree.leaves[tree.apply(X)].astype(np.float64) for tree in trees)
    expected = mean_leaves(forest, forest.apply(X), k)
    for part, same in zip(best_of_sums(sums, 5, k, n_jobs=2), expected, strict=True):
        np.testing.assert_array_equal(part, same)


@pytest.mark.parametrize("k", [5, SORT_FROM - 1, SORT_FROM, 150, 300])
def test_long_lists_are_in_order_too(k: int) -> None:
    rng = np.random.default_rng(3)
    sums = sparse.random_array((40, 300), density=0.4, format="csr", rng=rng)
    sums.data[:] = rng.integers(1, 30, size=sums.nnz)  # many are equal
    labels, scores = best_of_sums(sums, 4, k)
    for i in range(40):
        row = sums[[i]]
        order = np.lexsort([row.indices, -row.data])[:k]
        assert labels[i, : len(order)].tolist() == row.indices[order].tolist()
        assert scores[i, : len(order)].tolist() == (row.data[order] / 4).tolist()
        assert (labels[i, len(order) :] == -1).all()


def test_reranking_by_centroids() -> None:
    X, _ = problem(1, n=50)
    X.data /= np.repeat(np.sqrt(X.power(2).sum(axis=1)), np.diff(X.indptr))
    rng = np.random.default_rng(2)
    M = sparse.random_array((40, 12), density=0.3, format="csr", dtype=np.float32, rng=rng)
    proposed = np.tile(np.array([7, 2, 9, 4, -1], dtype=np.int32), (50, 1))
    s = rng.random((50, 5)).astype(np.float32)
    alpha, gamma = 0.7, 3.0
    distance = ((X.toarray()[:, None, :] - M.toarray().T[None]) ** 2).sum(axis=2)[:, [7, 2, 9, 4]]
    expected = alpha * np.log(s[:, :4]) + (1 - alpha) * np.log(1 / (1 + np.exp(gamma * distance)))
    labels, scores = rerank_by_centroids(proposed, s, X, M, 3, alpha=alpha, gamma=gamma, n_jobs=2)
    order = np.argsort(-expected, axis=1)[:, :3]
    np.testing.assert_array_equal(labels, np.array([7, 2, 9, 4])[order])
    np.testing.assert_allclose(scores, np.take_along_axis(expected, order, axis=1), rtol=1e-4)
    more, _ = rerank_by_centroids(proposed, s, X, M, 6, alpha=alpha, gamma=gamma)
    assert (more[:, 4:] == -1).all()


def test_a_tree_cannot_be_changed() -> None:
    tree = grown(*problem())
    assert replace(tree, bias=tree.bias + 1).bias[0] == tree.bias[0] + 1
    with pytest.raises(AttributeError):
        tree.bias = tree.bias + 1  # type: ignore[misc]
