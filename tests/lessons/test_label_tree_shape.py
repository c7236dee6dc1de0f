from __future__ import annotations

import numpy as np
import pytest
from planted_label_tree import documents, uneven_tree

from xmlwb.lessons.label_tree_shape import forks_and_groups, label_places, leaf_sizes
from xmlwb.plots.label_tree_shape import tree_shape_figure
from xmlwb.tails import frequency_bins


def test_places_by_loops_over_the_tree() -> None:
    tree, (_, Y) = uneven_tree(), documents()
    counts = np.asarray(Y.sum(axis=0))
    bins = frequency_bins(Y)["bin"]
    table = label_places(tree, Y)
    assert table.index.tolist() == [0, 1, 2, 3, 5, 6, 7, 8]
    for label, row in table.iterrows():
        path = tree.path(label)
        company = [int(tree.label[v]) for v in tree.children(path[-2]) if tree.label[v] >= 0]
        others = [counts[other] for other in company if other != label]
        assert row["depth"] == len(path) - 1
        assert row["siblings"] == len(others)
        assert row["bin"] == bins[label]
        assert row["positives"] == counts[label]
        assert row["share"] == pytest.approx(counts[label] / counts[company].sum())
        if others:
            assert row["siblings' positives"] == np.median(others)
        else:
            assert np.isnan(row["siblings' positives"])


def test_leaf_sizes_count_the_labels_of_each_node() -> None:
    sizes = leaf_sizes(uneven_tree())
    assert sizes.set_index("node")["labels"].to_dict() == {0: 1, 1: 2, 4: 2, 7: 2, 8: 1}
    assert sizes.set_index("node")["depth"].to_dict() == {0: 0, 1: 1, 4: 2, 7: 2, 8: 2}


def test_forks_do_not_count_the_step_to_a_label() -> None:
    tree = uneven_tree()
    assert forks_and_groups(tree, 9) == {"forks": int(tree.depth.max()) - 1, "largest group": 2}
    assert forks_and_groups(None, 9) == {"forks": 0, "largest group": 9}


def test_shape_figure_draws_what_the_table_says() -> None:
    table = label_places(uneven_tree(), documents()[1])
    figure = tree_shape_figure({"Parabel": table})
    depth, sizes = figure.data[0], figure.data[1]
    assert dict(zip(depth.x, depth.y, strict=True)) == pytest.approx({"1": 12.5, "2": 25, "3": 62.5})
    share_with_at_most = dict(zip(sizes.x, sizes.y, strict=True))
    tail = table.loc[table["bin"] == "tail", "siblings"]
    assert 0 < len(tail) < len(table)
    assert share_with_at_most[1] == 100  # one sibling at most: everyone
    assert sizes.y[1] == pytest.approx(100 * (tail <= sizes.x[1]).mean())
    for trace in figure.data[2:]:
        company = table.loc[table["bin"] == trace.x[0], "siblings' positives"].dropna()
        assert trace.y[0] == company.median()
        assert trace.y[0] + trace.error_y.array[0] == company.quantile(0.75)
        assert trace.y[0] - trace.error_y.arrayminus[0] == company.quantile(0.25)
