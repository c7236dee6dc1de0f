from __future__ import annotations

import numpy as np
import pytest

from xmlwb.datasets import Dataset
from xmlwb.lessons.tree_comparison import fit_and_measure
from xmlwb.metrics import precision_at_k
from xmlwb.models import OneVsAll, Popular


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
