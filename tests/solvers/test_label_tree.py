"""The shape of label trees against definitions that walk from node to node."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xmlwb.solvers.label_tree import LabelTree, grow


def in_random_parts(labels: np.ndarray, level: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    if level >= 3:
        return [labels]
    cuts = np.sort(rng.choice(np.arange(1, len(labels)), size=min(len(labels) - 1, rng.integers(0, 4)), replace=False))
    return np.split(labels, cuts)


@pytest.fixture(scope="module", params=range(6))
def tree(request: pytest.FixtureRequest) -> LabelTree:
    labels = np.random.default_rng(request.param).permutation(60)[:40].astype(np.int32)
    return grow(labels, in_random_parts, [request.param])[0]


def below(tree: LabelTree, node: int) -> set[int]:
    if tree.label[node] >= 0:
        return {int(tree.label[node])}
    return set().union(*(below(tree, child) for child in tree.children(node)))


def test_every_label_hangs_in_the_tree_once(tree: LabelTree) -> None:
    labels = tree.label[tree.label >= 0]
    assert len(labels) == 40
    assert len(set(labels.tolist())) == 40
    assert below(tree, 0) == set(labels.tolist())


def test_views_agree_with_a_walk(tree: LabelTree) -> None:
    for node in range(tree.n_nodes):
        assert set(tree.labels_under(node).tolist()) == below(tree, node)
        for child in tree.children(node):
            assert tree.parent[child] == node
            assert tree.depth[child] == tree.depth[node] + 1
    assert tree.parent[0] == -1
    assert [node for level in tree.levels for node in level] == list(range(tree.n_nodes))
    for depth, level in enumerate(tree.levels):
        assert (tree.depth[level.start : level.stop] == depth).all()


def test_a_path_leads_from_the_root_to_the_label(tree: LabelTree) -> None:
    for label in tree.label[tree.label >= 0]:
        path = tree.path(label)
        assert path[0] == 0
        assert tree.label[path[-1]] == label
        assert all(child in tree.children(parent) for parent, child in pairwise(path))
    with pytest.raises(ValueError, match=r"label is 61; wanted one of the 40 in the tree"):
        tree.path(61)


def test_trees_do_not_depend_on_the_threads() -> None:
    labels = np.arange(200, dtype=np.int32)
    one, three = (grow(labels, in_random_parts, [4, 5, 6], n_jobs=n_jobs) for n_jobs in (1, 3))
    for a, b in zip(one, three, strict=True):
        np.testing.assert_array_equal(a.children_ptr, b.children_ptr)
        np.testing.assert_array_equal(a.label, b.label)
    assert not np.array_equal(one[0].label, one[1].label), "another seed, another tree"


def test_one_label_alone_is_a_tree() -> None:
    [tree] = grow(np.array([7], dtype=np.int32), lambda labels, level, seed: [labels], [0])
    assert tree.label.tolist() == [-1, 7]
    assert tree.path(7) == [0, 1]
