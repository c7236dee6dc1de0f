from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.few_words import most_frequent_words
from xmlwb.lessons.label_directions import (
    as_predictions,
    direction_table,
    explained,
    rank_study,
    recall_by_bin,
    upright,
    with_coin_labels,
)
from xmlwb.lessons.label_map import agreement, facets, map_places, readable_names
from xmlwb.metrics import precision_at_k


def matrix(rows: list[list[float]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


def test_as_predictions_keeps_the_best_k_also_where_scores_are_zero_or_negative() -> None:
    S = as_predictions(np.array([[-3.0, 0.0, -1.0], [0.5, 2.0, 1.0]]), k=2)
    assert sorted(S[[0]].indices.tolist()) == [1, 2]
    assert precision_at_k(matrix([[0, 1, 0], [0, 1, 0]]), S, 1)[0] == 1


def test_direction_table_by_hand() -> None:
    V = np.array([[0.6, 0.8], [-0.8, 0.6], [0.0, 0.0]])
    Z = np.array([[2.0, 1.0], [-2.0, 1.0]])
    Z_hat = np.array([[1.0, 5.0], [-2.0, 1.0]])
    table = direction_table(V, Z, Z_hat, total=20.0, label_names=["a", "b", "c"], n_names=2)
    assert table["share"].tolist() == pytest.approx([8 / 20, 2 / 20])
    assert table["R2"].tolist() == pytest.approx([1 - 1 / 8, 1 - 16 / 2])
    assert table["made of"].tolist() == ["+ b, − a", "+ a, + b"]  # the first one turned round
    assert table.index.tolist() == [1, 2]


def test_explained_is_one_where_right_and_undefined_where_nothing_varies() -> None:
    truth = np.array([[1.0, 2.0, 0.0], [-1.0, 0.0, 0.0]])
    found = explained(truth, np.array([[1.0, 1.0, 1.0], [-1.0, 1.0, 0.0]]))
    assert found[:2] == pytest.approx([1, 0.5])
    assert np.isnan(found[2])


def test_upright_directions_are_the_same_directions() -> None:
    V = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 4)))[0]
    turned = upright(V)
    assert np.abs(turned) == pytest.approx(np.abs(V))
    assert turned.T @ turned == pytest.approx(np.eye(4))
    assert (turned.max(axis=0) == np.abs(turned).max(axis=0)).all()
    assert np.array_equal(upright(-V), turned)


def test_recall_by_bin_by_hand() -> None:
    Y_train = matrix([[1, 0, 0]] * 8 + [[0, 1, 0]] * 3 + [[0, 0, 1]])
    Y = matrix([[1, 0, 1], [1, 1, 0]])
    assert recall_by_bin(Y_train, Y, matrix([[3, 2, 1], [3, 2, 1]]), k=1)["head"] == 1
    found = recall_by_bin(Y_train, Y, matrix([[3, 2, 1], [1, 3, 2]]), k=1)
    assert found["head"] == pytest.approx(0.5)
    assert sum(found.values()) < 3


def test_rank_study_takes_dense_and_sparse_scores_alike() -> None:
    rng = np.random.default_rng(0)
    Y = csr_array((rng.random((30, 8)) < 0.3).astype(np.float32))
    scores = rng.random((30, 8)).astype(np.float32)
    study = rank_study(Y, Y, {("dense", 2): scores, ("sparse", 2): csr_array(scores)})
    dense, sparse = (study[study["method"] == name].drop(columns="method").to_numpy() for name in ("dense", "sparse"))
    assert dense == pytest.approx(sparse)


def test_coin_labels_come_last_and_have_their_share() -> None:
    Y = matrix([[1, 0]] * 2000)
    coins = with_coin_labels(Y, 3, share=0.2, random_state=1)
    assert coins.shape == (2000, 5)
    assert (coins[:, :2] != Y).nnz == 0
    assert coins[:, 2:].mean(axis=0) == pytest.approx([0.2] * 3, abs=0.04)


def test_most_frequent_words_keeps_rows_labels_and_unit_length(small_dataset: Dataset) -> None:
    fewer = most_frequent_words(small_dataset, 3)
    documents = np.diff(small_dataset.X_train.tocsc().indptr)
    assert fewer.X_train.shape == (small_dataset.n_train, 3)
    kept = [small_dataset.feature_names.index(name) for name in fewer.feature_names]
    assert documents[kept].min() >= np.sort(documents)[-3]
    lengths = np.sqrt(fewer.X_train.multiply(fewer.X_train).sum(axis=1))
    assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert fewer.Y_train is small_dataset.Y_train
    with pytest.raises(ValueError, match="wanted 1 to"):
        most_frequent_words(small_dataset, 0)


def test_agreement_of_labels_that_lie_with_their_own_kind() -> None:
    H = np.array([[1, 0], [2, 0.1], [0, 1], [0.1, 3], [9, 9]])
    within = np.array([True, True, True, True, False])
    assert agreement(H, ["a", "a", "b", "b", "a"], within) == pytest.approx((1.0, 4 / 12))
    assert agreement(H, ["a", "b", "a", "b", "a"], within)[0] == 0


def test_map_places_puts_copies_together_and_is_reproducible() -> None:
    H = np.repeat(np.eye(4), 6, axis=0) + np.random.default_rng(0).normal(size=(24, 4)) / 50
    places = map_places(H)
    assert places.shape == (24, 2)
    assert np.array_equal(places, map_places(H))
    assert (
        agreement(places - places.mean(axis=0), [str(row // 6) for row in range(24)], np.ones(24, dtype=bool))[0] > 0.5
    )


def test_the_facets_with_most_positives_not_most_tags_are_named() -> None:
    names = ["game::go", "game::chess", "role::program", "made-of::html", "made-of::pdf"]
    assert facets(names, np.array([1, 1, 9, 2, 2]), most=2) == ["", "", "role", "made-of", "made-of"]


def test_names_on_the_map_keep_apart_and_the_frequent_ones_win() -> None:
    places = np.array([[0.0, 0.0], [0.05, 0.01], [0.05, 0.5], [1.0, 1.0]])
    assert readable_names(places, np.array([1, 9, 5, 2])) == [1, 2, 3]
    assert readable_names(places, np.array([1, 9, 5, 2]), most=2) == [1, 2]
