from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.base import clone

from xmlwb.datasets import Dataset
from xmlwb.lessons.neighbour_settings import NeighbourSettings, neighbour_settings
from xmlwb.metrics import precision_at_k
from xmlwb.models.dxml import DXML


@pytest.fixture(scope="module")
def ds(small_dataset: Dataset) -> Dataset:
    valid = slice(0, 40)
    return dataclasses.replace(small_dataset, X_valid=small_dataset.X_test[valid], Y_valid=small_dataset.Y_test[valid])


@pytest.fixture(scope="module")
def model(ds: Dataset) -> DXML:
    return DXML(n_components=8, n_epochs=3, n_neighbors=5, device="cpu").fit(ds.X_train, ds.Y_train)


def test_each_k_is_worth_what_the_model_with_that_k_predicts(ds: Dataset, model: DXML) -> None:
    study = NeighbourSettings(model, ds.X_valid, ds.Y_valid, neighbours=(1, 3, 10), clusters=(1, 4), with_graph=False)
    votes = study.votes.set_index(["clusters", "k"])
    for k in (1, 3, 10):
        again = clone(model).set_params(n_neighbors=k).fit(ds.X_train, ds.Y_train)
        P = precision_at_k(ds.Y_valid, again.predict_topk(ds.X_valid, 5), 5)
        assert votes.loc[(1, k), "P@1"] == pytest.approx(P[0])
        assert votes.loc[(1, k), "P@5"] == pytest.approx(P[4])
    assert (votes["P@1 ±"] > 0).all()
    best = study.best_k()
    assert votes.loc[(1, best), "P@1"] == votes.loc[1]["P@1"].max()


def test_clusters_lose_neighbours_and_one_cluster_none(ds: Dataset, model: DXML) -> None:
    study = NeighbourSettings(model, ds.X_valid, ds.Y_valid, neighbours=(1, 10), clusters=(1, 4), with_graph=False)
    recall = study.searches.set_index("clusters")["recall"]
    assert recall[1] == 1
    assert 0.2 < recall[4] < 1
    assert (study.searches["ms"] > 0).all()
    with pytest.raises(ValueError, match="clusters begin with 2"):
        NeighbourSettings(model, ds.X_valid, ds.Y_valid, clusters=(2, 4))


def test_the_graph_search_is_measured_beside_the_exact_one(ds: Dataset, model: DXML) -> None:
    pytest.importorskip("hnswlib")
    study = NeighbourSettings(model, ds.X_valid, ds.Y_valid, neighbours=(1, 10), clusters=(1, 4))
    graph = study.searches.set_index("clusters").loc["hnsw"]
    assert graph["recall"] > 0.99  # 160 vectors, and a search that is 200 wide
    same = study.votes.set_index(["clusters", "k"])
    assert same.loc[("hnsw", 10), "P@1"] == pytest.approx(same.loc[(1, 10), "P@1"], abs=0.03)


def test_the_sliders_start_at_the_model_s_own_settings(ds: Dataset, model: DXML) -> None:
    view = neighbour_settings(model, ds, neighbours=(1, 5, 20), clusters=(1, 4), with_graph=False)
    assert (view.controls["k"].value, view.controls["clusters"].value) == (5, 1)
    view.controls["k"].value = 20
    view.controls["clusters"].value = 4
    assert [a.text.split(":")[0] for a in view.figure.layout.annotations] == ["<b>k = 20</b>", "<b>4 clusters</b>"]
    assert np.array_equal(model.embedded_, model.embed(ds.X_train))  # the model is as it was
    assert model.n_neighbors == 5
