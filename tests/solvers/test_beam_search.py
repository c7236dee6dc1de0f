"""Beam search against a walk through the whole tree, and a beam kept by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers import beam_search as module
from xmlwb.solvers.beam_search import beam_search
from xmlwb.solvers.label_forest import Forest, plant
from xmlwb.solvers.label_tree import LabelTree, grow
from xmlwb.solvers.node_classifiers import NodeWeights

D, L, T = 40, 30, 3


def uneven(labels: np.ndarray, level: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if level >= 3 or len(labels) < 4:
        return [labels]
    return np.split(labels, np.sort(rng.choice(np.arange(1, len(labels)), size=2, replace=False)))


def random_weights(n_children: int, rng: np.random.Generator) -> NodeWeights:
    W = rng.normal(size=(D, n_children)) * (rng.random((D, n_children)) < 0.5)
    feature, child = np.nonzero(W)
    features, n_entries = np.unique(feature, return_counts=True)
    bias = rng.normal(size=n_children).astype(np.float32)
    return NodeWeights(
        features.astype(np.int32), n_entries, child.astype(np.uint8), W[feature, child].astype(np.float32), bias, 1
    )


@pytest.fixture(scope="module")
def trees() -> list[tuple[LabelTree, list[NodeWeights]]]:
    rng = np.random.default_rng(0)
    shapes = grow(rng.permutation(L).astype(np.int32), uneven, list(range(T)))
    return [
        (tree, [random_weights(len(tree.children(node)), rng) for node in np.flatnonzero(tree.label < 0)])
        for tree in shapes
    ]


@pytest.fixture(scope="module")
def forest(trees) -> Forest:
    return plant(trees, D)


@pytest.fixture(scope="module")
def X() -> sparse.csr_array:
    rng = np.random.default_rng(5)
    return sparse.csr_array(sparse.random_array((50, D), density=0.3, format="csr", dtype=np.float32, rng=rng))


def by_hand(forest: Forest, x: np.ndarray, beam: int) -> np.ndarray:
    """Mean probability of every label for one instance, with a beam kept in plain Python."""
    total = np.zeros(L)
    for number in range(forest.n_trees):
        tree = forest.tree(number)
        inner = forest.tree_ptr[number] + np.cumsum(tree.label < 0) - 1
        level = {0: 0.0}
        while level:
            reached = {}
            for node, score in level.items():
                W, bias = forest.classifiers(int(inner[node]), D)
                margins = W.T @ x + bias
                for child, margin in zip(tree.children(node), margins, strict=True):
                    reached[child] = score - max(0.0, 1 - margin) ** 2
            for node, score in reached.items():
                if tree.label[node] >= 0:
                    total[tree.label[node]] += np.exp(score)
            inside = [node for node in reached if tree.label[node] < 0]
            level = {node: reached[node] for node in sorted(inside, key=lambda node: -reached[node])[:beam]}
    return total / forest.n_trees


@pytest.mark.parametrize("beam", [1, 2, 4, 1000])
def test_labels_and_probabilities_are_those_of_a_beam_by_hand(forest, X, beam: int) -> None:
    labels, scores = beam_search(X, forest, L, 6, beam)
    for i in range(X.shape[0]):
        expected = by_hand(forest, X[[i]].toarray().ravel().astype(np.float64), beam)
        found = labels[i][labels[i] >= 0]
        np.testing.assert_allclose(np.exp(scores[i][: len(found)]), np.sort(expected)[::-1][: len(found)], rtol=2e-4)
        np.testing.assert_allclose(np.exp(scores[i][: len(found)]), expected[found], rtol=2e-4)
        assert len(found) == min(6, np.count_nonzero(expected))


def test_a_beam_as_wide_as_the_level_scores_every_label(forest, X) -> None:
    labels, scores = beam_search(X, forest, L, L, 1000)
    assert (np.sort(labels, axis=1) == np.arange(L)).all()
    assert np.isfinite(scores).all()
    wide, _ = beam_search(X, forest, L, 1, 1000)
    np.testing.assert_array_equal(wide[:, 0], labels[:, 0])


def test_neither_batches_nor_threads_nor_the_way_of_looking_up_matter(forest, X, monkeypatch) -> None:
    expected = beam_search(X, forest, L, 5, 3)
    one_by_one = [beam_search(X[[i]], forest, L, 5, 3) for i in range(X.shape[0])]
    for part in range(2):
        np.testing.assert_array_equal(np.concatenate([result[part] for result in one_by_one]), expected[part])
    monkeypatch.setattr(module, "BATCH", 7)
    monkeypatch.setattr(module, "WIDEST_BATCH", 7)
    for n_jobs in (1, 3):
        for found, wanted in zip(beam_search(X, forest, L, 5, 3, n_jobs=n_jobs), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_one_instance_is_looked_up_by_bisection_in_a_large_node() -> None:
    rng = np.random.default_rng(1)
    d = 4000
    weights = NodeWeights(
        np.arange(0, d, 2, dtype=np.int32), np.full(d // 2, 2), np.tile([0, 1], d // 2).astype(np.uint8),
        rng.normal(size=d).astype(np.float32), np.zeros(2, dtype=np.float32), 1,
    )  # fmt: skip
    forest = plant([(LabelTree(np.array([0, 2, 2, 2]), np.array([-1, 0, 1])), [weights])], d)
    x = sparse.csr_array(([1.0, -2.0, 0.5], ([0, 0, 0], [10, 11, 3998])), shape=(1, d), dtype=np.float32)
    labels, scores = beam_search(x, forest, 2, 2, 1)
    W, _ = forest.classifiers(0, d)
    expected = -(np.maximum(0, 1 - (x @ W).toarray().ravel()) ** 2)
    np.testing.assert_allclose(scores[0], np.sort(expected)[::-1], rtol=1e-5)
    assert labels[0, 0] == np.argmax(expected)
    many = sparse.csr_array(sparse.vstack([x] * 2000))  # so many share the node that it is spread out
    np.testing.assert_array_equal(beam_search(many, forest, 2, 2, 1)[1], np.repeat(scores, 2000, axis=0))


def test_equal_scores_go_to_the_lower_label() -> None:
    nothing = np.zeros(0, dtype=np.uint8)
    node = NodeWeights(
        nothing.astype(np.int32), nothing, nothing, nothing.astype(np.float32), np.zeros(4, dtype=np.float32), 1
    )
    tree = LabelTree(np.array([0, 4, 4, 4, 4, 4]), np.array([-1, 3, 1, 2, 0], dtype=np.int32))
    x = sparse.csr_array((1, 5), dtype=np.float32)
    for n_trees in (1, 2):
        labels, _ = beam_search(x, plant([(tree, [node])] * n_trees, 5), 4, 3, 10)
        assert labels.tolist() == [[0, 1, 2]]


def test_no_trees_no_labels(X) -> None:
    labels, scores = beam_search(X, plant([], D), L, 3, 10)
    assert (labels == -1).all()
    assert (scores == -np.inf).all()


def test_shapes_survive_planting(trees, forest) -> None:
    for number, (tree, nodes) in enumerate(trees):
        planted = forest.tree(number)
        np.testing.assert_array_equal(planted.label, tree.label)
        np.testing.assert_array_equal(planted.children_ptr, tree.children_ptr)
        W, bias = forest.classifiers(int(forest.tree_ptr[number]), D)
        assert W.nnz == len(nodes[0].value)
        np.testing.assert_array_equal(bias, nodes[0].bias)
    forest.check(D, L)


@pytest.mark.parametrize(
    ("part", "spoil", "message"),
    [
        ("child", lambda a: np.where(a == 1, 2, a), "breadth first"),
        ("child", lambda a: np.where(a == -1, -1 - L, a), "child has an entry out of range"),
        ("features", lambda a: a + np.uint16(D), "features has an entry out of range"),
        ("entry_child", lambda a: a + np.uint8(3), "entry_child has an entry out of range"),
        ("entry_child", lambda a: a.astype(np.int8), "entry_child is int8 of 1 dim"),
        ("n_entries", lambda a: a.astype(np.uint64), "n_entries is uint64"),
        ("entry_weight", lambda a: a.astype(np.float16), "entry_weight is float16"),
        ("features", lambda a: a.reshape(1, -1), "features is uint16 of 2 dim"),
        ("children_ptr", lambda a: np.concatenate([[0, 2**63 - 1, -(2**63), -1], a[4:]]), "children_ptr does not rise"),
        ("features", lambda a: np.concatenate([a[1::-1], a[2:]]), "features do not rise within a node"),
        ("child", lambda a: np.where(a == a[a < 0][1], a[a < 0][0], a), "child has a label twice in one tree"),
        ("n_entries", lambda a: a[::-1], "n_entries does not add up"),
        ("bias", lambda a: a[:-1], r"bias has shape \(\d+,\); wanted"),
        ("rows_ptr", lambda a: a[::-1], "rows_ptr does not rise"),
        ("children_ptr", lambda a: a[:-1], "tree_ptr does not rise from 0 to"),
        ("entries_ptr", lambda a: a + 1, "entries_ptr does not rise"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(forest, part: str, spoil, message: str) -> None:
    spoiled = forest._replace(**{part: spoil(getattr(forest, part))})
    with pytest.raises(ValueError, match=message):
        spoiled.check(D, L)
