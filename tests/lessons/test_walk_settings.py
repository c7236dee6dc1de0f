from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.walk_settings import START, deep_walk, walk_settings

SETTINGS = {"walk_length": (2, 40), "window": (1, 5), "n_components": (4, 16), "n_walks": (1, 10)}
FIRST = {"walk_length": 40, "window": 5, "n_components": 16, "n_walks": 10}


def grouped(ds: Dataset, n: int = 300) -> Dataset:
    """Twelve labels in three facets of four; documents keep to a facet."""

    def draw(seed: int) -> csr_array:
        rng = np.random.default_rng(seed)
        Y = np.zeros((n, 12), dtype=np.float32)
        for i, group in enumerate(rng.integers(3, size=n)):
            Y[i, 4 * group : 4 * group + 4] = rng.random(4) < 0.6
        return csr_array(Y)

    X = csr_array(np.ones((n, ds.n_features), dtype=np.float32))
    parents = [(f"facet {label // 4}",) for label in range(12)]
    return dataclasses.replace(
        ds, X_train=X, Y_train=draw(0), X_valid=X, Y_valid=draw(1), label_parents=parents, texts_train=None
    )


class Counted:
    """DeepWalk that writes down what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def __call__(self, adjacency: csr_array, **settings: Any) -> np.ndarray:
        self.asked.append(settings)
        return deep_walk(adjacency, **settings)


def test_sliders_follow_the_walks_and_nothing_is_embedded_twice(small_dataset: Dataset) -> None:
    embed = Counted()
    view = walk_settings(grouped(small_dataset), k=3, settings=SETTINGS, start=FIRST, embed=embed)
    assert len(embed.asked) == 5  # the start, and each setting's other value
    assert "100 %</b> of the nearest share the facet" in view.figure.layout.title.text
    view.controls["walk_length"].value = 2
    assert len(embed.asked) == 5
    view.controls["window"].value = 1
    assert len(embed.asked) == 6
    assert {name: embed.asked[-1][name] for name in FIRST} == {**FIRST, "walk_length": 2, "window": 1}
    ring = [trace for trace in view.figure.data if trace.legendgroup == "now"]
    assert [trace.x[0] for trace in ring] == ["2", "2", "1", "1", "16", "16", "10", "10"]


def test_the_graph_is_of_training_labels_alone(small_dataset: Dataset) -> None:
    ds = grouped(small_dataset)
    seen: list[csr_array] = []

    def embed(adjacency: csr_array, **_: Any) -> np.ndarray:
        seen.append(adjacency)
        return np.eye(12)

    view = walk_settings(ds, k=3, settings=SETTINGS, start=FIRST, embed=embed)
    shared = (ds.Y_train.T @ ds.Y_train).toarray()
    np.fill_diagonal(shared, 0)
    assert all(np.array_equal(adjacency.toarray(), shared > 0) for adjacency in seen)
    view.controls["weighted"].value = True
    assert np.array_equal(seen[-1].toarray(), shared)


def test_the_start_is_on_every_slider_and_a_set_without_hierarchy_is_named(small_dataset: Dataset) -> None:
    from xmlwb.lessons.walk_settings import SETTINGS as OFFERED

    assert all(START[name] in values for name, values in OFFERED.items())
    with pytest.raises(ValueError, match="small has no validation rows or no label_parents"):
        walk_settings(small_dataset)
