from __future__ import annotations

import numpy as np
import pytest
from planted_label_tree import uneven_tree
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_tree_names import facet_agreement, node_centroids, node_facets, node_table, node_words
from xmlwb.lessons.label_tree_parts import labels_below, nodes_of_labels, summed_upwards
from xmlwb.plots.label_tree import label_tree_figure
from xmlwb.solvers.label_clustering import label_centroids
from xmlwb.solvers.label_tree import LabelTree


def two_branches() -> LabelTree:
    """Labels 0, 1 under node 1, labels 2, 3, 4 under node 2."""
    return LabelTree(np.array([0, 2, 4, 7, 7, 7, 7, 7, 7]), np.array([-1, -1, -1, 0, 1, 2, 3, 4], dtype=np.int32))


def test_sums_and_sets_are_those_of_the_labels_under_a_node() -> None:
    tree = uneven_tree()
    values = np.zeros(tree.n_nodes)
    at = np.flatnonzero(tree.label >= 0)
    values[at] = 10.0 ** tree.label[at]
    total = summed_upwards(tree, values)
    below = labels_below(tree, 9).toarray()
    for row, v in enumerate(np.flatnonzero(tree.label < 0).tolist()):
        under = tree.labels_under(v)
        assert total[v] == sum(10.0 ** int(label) for label in under)
        assert set(np.flatnonzero(below[row])) == set(under.tolist())
    nodes = nodes_of_labels(tree, 9)
    assert nodes[4] == -1
    assert tree.label[nodes[[0, 8]]].tolist() == [0, 8]


def test_a_nodes_centroid_is_the_mean_direction_of_its_labels() -> None:
    C = csr_array(np.random.default_rng(0).random((9, 5)).astype(np.float32))
    tree = uneven_tree()
    found = node_centroids(tree, C).toarray()
    for row, v in enumerate(np.flatnonzero(tree.label < 0).tolist()):
        mean = C.toarray()[tree.labels_under(v)].sum(axis=0)
        assert found[row] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_names_are_what_a_node_has_more_of_than_its_parent() -> None:
    words = ["game", "games", "chess", "mail", "of", "x2y", "server"]
    C = csr_array(
        np.array(
            [
                [0.8, 0.7, 0.3, 0, 1, 1, 0.1],
                [0.8, 0.7, 0.2, 0, 1, 1, 0],
                [0, 0, 0, 0.9, 1, 1, 0.4],
                [0, 0, 0, 0.9, 1, 1, 0.3],
                [0, 0, 0, 0.9, 1, 1, 0.5],
            ],
            dtype=np.float32,
        )
    )
    names = node_words(two_branches(), C, words, n_words=2)
    # "games" says no more than "game"; short words and numbers name nothing
    assert names == ["all labels", "game, chess", "mail, server", "", "", "", "", ""]


def test_a_word_names_one_node_of_a_path_only() -> None:
    tree = LabelTree(np.array([0, 2, 4, 4, 6, 6, 6, 6]), np.array([-1, -1, 3, -1, 2, 0, 1], dtype=np.int32))
    C = csr_array(np.array([[1, 0.1, 0], [1, 0.1, 0], [0.5, 0, 0.9], [0, 0, 1]], dtype=np.float32))
    parent, child = node_centroids(tree, C).toarray()[1:]
    assert (child - parent).argmax() == 0  # "game" again, but it names the parent already
    assert node_words(tree, C, ["game", "chess", "mail"], 1)[:4] == ["all labels", "game", "", "chess"]


def test_node_table_by_hand(small_dataset: Dataset) -> None:
    tree = uneven_tree()
    table = node_table(tree, small_dataset)
    counts = small_dataset.Y_train.sum(axis=0)
    for v in range(tree.n_nodes):
        under = tree.labels_under(v)
        row = table.loc[v]
        assert row["labels"] == len(under)
        assert row["positives"] == counts[under].sum()
        assert row["typical"] == np.median(counts[under])
        by_frequency = sorted(under.tolist(), key=lambda label: (-counts[label], label))[:4]
        assert row["strongest"] == ", ".join(f"label {label}" for label in by_frequency)
    assert table.loc[9, "name"] == "label 0"
    assert table["purity"].isna().all()  # no label of this set has a facet
    with pytest.raises(ValueError, match="no facets"):
        label_tree_figure(table, colour="facet")
    words = node_words(tree, label_centroids(small_dataset.X_train, small_dataset.Y_train), None)
    assert table.loc[1, "name"] != words[1] or words[1].startswith("node")  # "feature 3" holds a digit: not a word


def test_facets_by_hand_and_by_chance() -> None:
    tree = two_branches()
    own, purity = node_facets(tree, ["a", "a", "b", "b", "a"])
    assert own[:3] == ["a", "a", "b"]
    assert purity[:3] == pytest.approx([3 / 5, 1, 2 / 3])
    assert purity[3:].tolist() == [1] * 5
    table = facet_agreement(tree, ["a", "a", "b", "b", "a"], n_shuffles=400)
    assert table["depth"].tolist() == [0, 1]
    assert table["labels"].tolist() == [5, 2.5]
    assert table["purity"].tolist() == pytest.approx([3 / 5, 4 / 5])
    # of the ten ways to place the two b: both on the pair (1), one of each (6), none there (3)
    by_hand = (1 * (2 + 3) + 6 * (1 + 2) + 3 * (2 + 2)) / 10 / 5
    assert table["by chance"].tolist() == pytest.approx([3 / 5, by_hand], abs=0.03)
