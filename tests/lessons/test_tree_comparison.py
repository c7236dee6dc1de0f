from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from xmlwb.datasets import Dataset
from xmlwb.lessons.tree_comparison import ceilings, fit_and_measure
from xmlwb.metrics import precision_at_k
from xmlwb.models import OneVsAll, Parabel, Popular
from xmlwb.tails import frequency_bins


def test_models_are_fitted_where_needed_and_measured_as_by_hand(small_dataset: Dataset) -> None:
    ready = OneVsAll().fit(small_dataset.X_train, small_dataset.Y_train)
    weights = ready.coef_.data.copy()
    table, predictions = fit_and_measure({"ready": ready, "new": Popular()}, small_dataset, k=3)
    assert np.array_equal(ready.coef_.data, weights)
    assert np.isnan(table.loc["ready", "fit s"])
    assert table.loc["new", "fit s"] >= 0
    for name, S in predictions.items():
        assert set(np.diff(S.indptr)) == {3}
        found = precision_at_k(small_dataset.Y_test, S, 3)
        assert table.loc[name, ["P@1", "P@3"]].tolist() == pytest.approx([found[0], found[2]])
    assert table.loc["ready", "P@1"] > table.loc["new", "P@1"]


def test_recall_of_the_parts_sums_to_recall_of_the_whole(small_dataset: Dataset) -> None:
    table, predictions = fit_and_measure({"all": Popular()}, small_dataset, k=small_dataset.n_labels)
    assert set(np.diff(predictions["all"].indptr)) == {small_dataset.n_labels}
    parts = [part for part in ("head", "torso", "tail") if part in table]
    assert table.loc["all", parts].tolist() == pytest.approx([1.0] * len(parts))


def test_ceilings_are_the_products_of_all_steps_but_the_last(small_dataset: Dataset) -> None:
    """Step by step, by the model's own classifiers."""
    ds = small_dataset
    model = Parabel(n_trees=1, max_leaf=3).fit(ds.X_train, ds.Y_train)
    tree = model.label_tree()
    bins = frequency_bins(ds.Y_train)["bin"].astype(str)
    most: dict[str, list[float]] = {}
    for i, label in zip(*ds.Y_test.nonzero(), strict=True):
        *above, _ = tree.path(int(label))
        product = 1.0
        for node, child in pairwise(above):
            W, b = model.classifiers(node)
            place = tree.children(node).index(child)
            margin = (ds.X_test[[i]] @ W).toarray()[0, place] + b[place]
            product *= np.exp(-(max(0.0, 1 - margin) ** 2))
        most.setdefault(bins[label], []).append(product)
    table = ceilings(model, ds.X_test, ds.Y_test, ds.Y_train)
    assert set(table.index) == set(most)
    for name, values in most.items():
        assert table.loc[name, "true labels"] == len(values)
        assert table.loc[name, "median"] == pytest.approx(np.median(values), rel=1e-4)
        assert table.loc[name, "below 0.5"] == np.mean(np.array(values) < 0.5)
    assert (table["below 0.1"] <= table["below 0.5"]).all()
