from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.graph_tail import CUT, GRAPH, RANDOM, RandomlyPlaced, graph_tail, without_tail_edges
from xmlwb.metrics import precision_at_k
from xmlwb.models.dxml import DXML
from xmlwb.tails import frequency_bins

SMALL = {"n_components": 8, "n_hidden": 16, "n_epochs": 3, "n_neighbors": 5, "device": "cpu"}


@pytest.fixture(scope="module")
def ds(small_dataset: Dataset) -> Dataset:
    """Three facets of four labels; a document has two labels of a facet."""

    def with_second(Y: csr_array, seed: int) -> csr_array:
        both = Y.toarray()
        first = both.argmax(axis=1)
        both[np.arange(len(both)), 4 * (first // 4) + np.random.default_rng(seed).integers(4, size=len(both))] = 1
        return csr_array(both)

    Y_test = with_second(small_dataset.Y_test, 1)
    return dataclasses.replace(
        small_dataset, Y_train=with_second(small_dataset.Y_train, 0), Y_test=Y_test, X_valid=small_dataset.X_test,
        Y_valid=Y_test, label_parents=[(f"facet {label // 4}",) for label in range(12)],
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(ds: Dataset):
    return graph_tail(ds, seeds=(0, 1), **SMALL)


def test_tail_labels_lose_all_edges_and_the_others_keep_theirs(ds: Dataset) -> None:
    graph = LabelGraph.from_labels(ds.Y_train)
    cut = without_tail_edges(graph, ds.Y_train)
    tail = (frequency_bins(ds.Y_train)["bin"] == "tail").to_numpy()
    assert 0 < tail.sum() < 12
    assert not cut.adjacency[tail].nnz
    assert not cut.adjacency[:, tail].nnz
    assert np.array_equal(cut.adjacency[~tail][:, ~tail].toarray(), graph.adjacency[~tail][:, ~tail].toarray())
    assert cut.counts is graph.counts


def test_the_control_differs_in_the_label_embeddings_alone(ds: Dataset) -> None:
    with_graph = DXML(**SMALL).fit(ds.X_train, ds.Y_train)
    control = RandomlyPlaced(**SMALL).fit(ds.X_train, ds.Y_train)
    assert control.label_embeddings_.shape == with_graph.label_embeddings_.shape
    assert np.linalg.norm(control.label_embeddings_, axis=1) == pytest.approx(np.ones(12), abs=1e-6)
    other = RandomlyPlaced(**{**SMALL, "random_state": 1}).fit(ds.X_train, ds.Y_train)
    assert not np.allclose(other.label_embeddings_, control.label_embeddings_)
    f_x, f_y = control.embed(ds.X_train), control.embed_labels(ds.Y_train)
    assert np.mean(np.sum(f_x * f_y, axis=1)) > 0.3  # it did learn to go there


def test_runs_and_views_hold_the_metrics_of_each_seed(ds: Dataset, found) -> None:
    runs = found.runs.set_index(["model", "seed"])
    assert len(runs) == 6
    model = DXML(**SMALL, random_state=1).fit(ds.X_train, ds.Y_train)
    P = precision_at_k(ds.Y_test, model.predict_topk(ds.X_test, 5), 5)
    assert runs.loc[(GRAPH, 1), "P@1"] == pytest.approx(P[0])
    quality = found.views.quality.set_index(["model", "bin"])["recall"]
    for name in (GRAPH, CUT, RANDOM):
        for part in ("head", "tail"):
            assert quality[name, part] == pytest.approx(runs.loc[name][part].mean())
    assert found.views.baseline == RANDOM
    assert found.views.grouped  # copies of a document are no further documents
    assert list(found.table().index) == [GRAPH, CUT, RANDOM]


def test_the_graph_knows_facets_and_an_isolated_node_nothing(found) -> None:
    known = found.known.set_index(["embedding", "bin"])["share"]
    assert known[GRAPH, "tail"] > known[RANDOM, "tail"]
    assert (CUT, "tail") not in known.index
    assert (CUT, "head") in known.index
    names = {trace.name for trace in found.figure().data}
    assert {GRAPH, CUT, RANDOM} <= names


def test_a_set_without_hierarchy_is_named(small_dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="small has no label_parents"):
        graph_tail(small_dataset)
