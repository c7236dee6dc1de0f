from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_map_graph import MapBesideGraph, flat_maps, map_beside_graph, nearest_places
from xmlwb.plots.map_neighbours import ARTEFACT, SURROUNDINGS, TORN, TRUE


def documents() -> csr_array:
    """Labels 0 to 3: 0 and 1 share three documents, 0 and 2 one; 3 is alone, 4 never occurs."""
    rows = [[1, 1, 0, 0, 0]] * 3 + [[1, 0, 1, 0, 0]] + [[0, 0, 1, 0, 0]] * 5 + [[0, 0, 0, 1, 0]]
    return csr_array(np.array(rows, dtype=np.float32))


def test_nearest_places_by_brute_force() -> None:
    places = np.random.default_rng(0).normal(size=(20, 2))
    among = np.arange(20) % 5 != 0
    found = nearest_places(places, 3, among)
    for label in range(20):
        others = [o for o in np.flatnonzero(among) if o != label]
        wanted = sorted(others, key=lambda o: np.linalg.norm(places[o] - places[label]))[:3]
        assert found[label].tolist() == (wanted if among[label] else [-1] * 3)
    assert nearest_places(places[:2], 3, np.ones(2, dtype=bool)).tolist() == [[1, -1, -1], [0, -1, -1]]


def test_each_neighbour_is_of_the_kind_that_its_definition_says() -> None:
    V = np.array([[1, 0], [1, 0.1], [0, 1], [0.9, 0.3], [1, 1]])  # near to 0 in the embedding: 1, then 3
    flat = {"flat": np.array([[0, 0], [9, 9], [1, 0], [0, 1], [0, 0]], dtype=float)}  # near to 0 on the map: 2 and 3
    study = MapBesideGraph(V, documents(), list("abcde"), k=2, maps=flat)
    assert [(n.label, n.kind, n.shared) for n in study.neighbours(0, "flat")] == [
        (1, TORN, 3), (2, TRUE, 1), (3, SURROUNDINGS, 0)
    ]  # fmt: skip
    swapped = {"flat": flat["flat"][[0, 1, 3, 2, 4]]}
    study = MapBesideGraph(V[[0, 1, 2, 2, 4]], documents(), list("abcde"), k=1, maps=swapped)
    assert [n.kind for n in study.neighbours(0, "flat")] == [TORN, ARTEFACT]


def test_the_shares_are_the_means_over_all_labels() -> None:
    rng = np.random.default_rng(3)
    Y = csr_array((rng.random((60, 15)) < 0.2).astype(np.float32))
    study = MapBesideGraph(rng.normal(size=(15, 6)), Y, [str(i) for i in range(15)], k=4)
    assert set(study.maps) == {"t-SNE", "PCA"}
    for method in study.maps:
        kinds = [n.kind for label in range(15) for n in study.neighbours(label, method)]
        near = [kind for kind in kinds if kind != TORN]
        assert len(near) == 60
        for kind in (TRUE, SURROUNDINGS, ARTEFACT):
            assert study.shares(method)[kind] == pytest.approx(near.count(kind) / 60)
        assert kinds.count(TORN) + kinds.count(TRUE) == (study.strongest >= 0).sum()


def test_maps_keep_groups_that_are_far_apart() -> None:
    groups = np.repeat(np.eye(3), 8, axis=0)
    V = groups + 0.05 * np.random.default_rng(0).normal(size=groups.shape)
    for places in flat_maps(V, np.ones(24, dtype=bool)).values():
        near = nearest_places(places, 7, np.ones(24, dtype=bool))
        assert (near // 8 == np.arange(24)[:, None] // 8).mean() > 0.9


def test_the_search_box_offers_seen_labels_and_an_unknown_one_says_so(small_dataset: Dataset) -> None:
    ds = dataclasses.replace(small_dataset, Y_train=documents_of_twelve(small_dataset.n_train))
    view = map_beside_graph(ds, np.random.default_rng(0).normal(size=(12, 4)), k=3)
    box = view.controls["label"]
    assert "label 11" not in box.options
    assert f"<b>{box.value}</b>" in view.figure.layout.title.text
    box.value = "label 2"
    assert view.figure.layout.title.text.startswith("<b>label 2</b>")
    view.controls["method"].value = "PCA"
    assert "PCA" in view.figure.layout.annotations[0].text
    with pytest.raises(ValueError, match="there is no label 'labl'"):
        view._fn("labl")
    with pytest.raises(ValueError, match="no training document"):
        view._fn("label 11")


def documents_of_twelve(n: int) -> csr_array:
    Y = (np.random.default_rng(1).random((n, 12)) < 0.3).astype(np.float32)
    Y[:, 11] = 0
    return csr_array(Y)
