"""The chapters' own studies: pace, growth, missing labels, propensities; and their figures."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, vstack

from xmlwb.datasets import Dataset
from xmlwb.lessons import fast, paced, subsample
from xmlwb.lessons.figures import (
    DocumentBrowser,
    cut_figure,
    growth_figure,
    labels_a_document_figure,
    propensity_figure,
    shorten_tag,
)
from xmlwb.lessons.growth import growth_table, log_fit, set_sizes, sets_at_hand
from xmlwb.lessons.missing import absent_as_negative, said_yes, suggestions
from xmlwb.lessons.reweighting import boost_tail, gain_and_reach, under_propensities
from xmlwb.metrics import propensities
from xmlwb.models import OneVsAll


def rows(*lists: list[float]) -> csr_array:
    return csr_array(np.array(lists, dtype=np.float32))


@pytest.fixture
def texts_dataset(small_dataset: Dataset) -> Dataset:
    """The small data set with texts, and its test documents once more as unlabelled ones."""
    n_train, n_test = small_dataset.n_train, small_dataset.X_test.shape[0]
    return dataclasses.replace(
        small_dataset,
        texts_train=[f"train {i}" for i in range(n_train)],
        ids_train=[str(i) for i in range(n_train)],
        sources_train=[f"source {i // 2}" for i in range(n_train)],
        texts_test=[f"test {i}\nmore" for i in range(n_test)],
        ids_test=[f"t{i}" for i in range(n_test)],
        X_unlabelled=small_dataset.X_test,
        texts_unlabelled=[f"lone {i}\nmore" for i in range(n_test)],
        ids_unlabelled=[f"u{i}" for i in range(n_test)],
    )


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("", False), ("0", False)])
def test_fast_reads_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool) -> None:
    monkeypatch.setenv("XMLWB_FAST", value)
    assert fast() is wanted


def test_subsample_keeps_rows_texts_and_names_together(texts_dataset: Dataset) -> None:
    small = subsample(texts_dataset, 50, 20)
    assert small.X_train.shape[0] == small.Y_train.shape[0] == len(small.texts_train or []) == 50
    assert small.X_test.shape[0] == 20
    row = int((small.ids_train or [])[7])
    assert (small.X_train[[7]] != texts_dataset.X_train[[row]]).nnz == 0
    assert (small.texts_train or [])[7] == f"train {row}"
    assert (small.sources_train or [])[7] == f"source {row // 2}"
    assert small.label_names == texts_dataset.label_names


def test_subsample_of_a_smaller_set_is_the_set(texts_dataset: Dataset) -> None:
    assert subsample(texts_dataset, 10**6, 10**6).n_train == texts_dataset.n_train


def test_paced_changes_nothing_unless_asked(monkeypatch: pytest.MonkeyPatch, small_dataset: Dataset) -> None:
    monkeypatch.delenv("XMLWB_FAST", raising=False)
    assert paced(small_dataset, 50) is small_dataset
    monkeypatch.setenv("XMLWB_FAST", "1")
    assert paced(small_dataset, 50).n_train == 50


def test_growth_counts_different_labels() -> None:
    rng = np.random.default_rng(3)
    Y = csr_array((rng.random((200, 40)) < 0.03).astype(np.float32))
    table = growth_table(Y, steps=5, random_state=1)
    order = np.random.default_rng(1).permutation(200)
    for size, met, mean in table.itertuples(index=False):
        part = Y[order[:size]]
        assert met == np.count_nonzero(part.sum(axis=0))
        assert mean == pytest.approx(part.nnz / size)
    assert table["documents"].iloc[-1] == 200


def test_log_fit_finds_a_planted_line_and_leaves_out_gaps() -> None:
    x = np.array([1.0, 10, 100, 1000, 5])
    fit = log_fit(x, [*(2 + 3 * np.log(x[:4])), np.nan])
    assert (fit.intercept, fit.slope, fit.r_squared) == pytest.approx((2, 3, 1))
    assert fit.n == 4
    assert fit(np.array([np.e]))[0] == pytest.approx(5)


def test_log_fit_of_noise_explains_little() -> None:
    rng = np.random.default_rng(0)
    assert log_fit(rng.random(500) + 0.1, rng.random(500)).r_squared < 0.05


@pytest.mark.parametrize("x", [[1, 2], [0, 1, 2]])
def test_log_fit_refuses_what_it_cannot_fit(x: list[float]) -> None:
    with pytest.raises(ValueError, match="found"):
        log_fit(x, x)


def test_sizes_list_sets_at_hand_first(small_dataset: Dataset) -> None:
    sizes = set_sizes([small_dataset])
    assert sizes.index[0] == "small"
    assert sizes.loc["small", "labels a document"] == pytest.approx(1.0)
    assert sizes.loc["Amazon-670K", "labels"] == 670_091
    assert not sizes.loc["Amazon-670K", "at hand"]


def test_a_standard_set_at_hand_is_listed_once(small_dataset: Dataset) -> None:
    sizes = set_sizes([dataclasses.replace(small_dataset, name="bibtex")])
    assert [name for name in sizes.index if name.lower() == "bibtex"] == ["bibtex"]
    assert sizes.loc["bibtex", "labels"] == 12


def test_sets_that_are_not_at_hand_are_left_out(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path))
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path / "cache"))
    assert sets_at_hand(["wikipedia-500k"]) == []


def test_absent_as_negative_silences_the_model(texts_dataset: Dataset) -> None:
    # three times as many untagged as tagged documents: half of them, taken as negatives, outweigh the positives
    untagged = csr_array(vstack([texts_dataset.X_train] * 3, format="csr"))
    table = absent_as_negative(
        dataclasses.replace(texts_dataset, X_unlabelled=untagged, texts_unlabelled=None, ids_unlabelled=None),
        OneVsAll(),
    )
    trusting, silenced = table.iloc[0], table.iloc[1]
    assert silenced["training rows"] == trusting["training rows"] + 240
    assert silenced["positive scores, untagged"] < trusting["positive scores, untagged"]


def test_absent_as_negative_wants_unlabelled_documents(small_dataset: Dataset) -> None:
    with pytest.raises(ValueError, match="no unlabelled"):
        absent_as_negative(small_dataset, OneVsAll())


def test_said_yes_counts_positive_scores_a_row() -> None:
    assert said_yes(rows([0.5, -1, 0], [2, 1, 0])) == pytest.approx(1.5)


def test_suggestions_are_ranked_with_ties_to_the_lower_label(texts_dataset: Dataset) -> None:
    n = texts_dataset.X_test.shape[0]
    scores = np.zeros((n, 12), dtype=np.float32)
    scores[3, [5, 2, 9]] = 1.0, 1.0, 2.0
    table = suggestions(texts_dataset, csr_array(scores), [3], k=2)
    assert table.loc["u3", "suggested tags"] == "label 9, label 2"
    assert table.loc["u3", "says of itself"] == "lone 3"
    with pytest.raises(ValueError, match="one for each"):
        suggestions(texts_dataset, csr_array((1, 12), dtype=np.float32), [0])


def test_boosting_moves_a_rare_label_up_and_zero_strength_moves_nothing() -> None:
    S = rows([1.0, 0.9, -0.5])
    p = np.array([0.9, 0.1, 0.5])
    assert np.argsort(-boost_tail(S, p, 0.0).toarray()[0]).tolist() == [0, 1, 2]
    assert np.argsort(-boost_tail(S, p, 1.0).toarray()[0]).tolist() == [1, 0, 2]
    assert S.data.tolist() == pytest.approx([1.0, 0.9, -0.5])
    with pytest.raises(ValueError, match="propensity: found shape"):
        boost_tail(S, p[:2], 1.0)


def test_the_order_of_two_models_depends_on_the_constants() -> None:
    # 300 documents carry label 0, one carries label 1; each model is right on one of the two
    Y_train = csr_array(np.repeat([[1.0, 0.0], [0.0, 1.0]], [300, 1], axis=0).astype(np.float32))
    Y_test = rows([1, 0], [1, 0], [0, 1])
    models = {"head": rows([1, 0], [1, 0], [1, 0]), "rare": rows([0, 1], [0, 1], [0, 1])}
    flat, steep = (under_propensities(Y_train, Y_test, models, A, 0.1, k=1) for A in (0.0, 1.0))
    assert flat.loc["head", "PSP@1"] > flat.loc["rare", "PSP@1"]
    assert steep.loc["head", "PSP@1"] < steep.loc["rare", "PSP@1"]
    assert flat["P@1"].equals(steep["P@1"])


def test_gain_and_reach_by_hand() -> None:
    Y, S = rows([1, 1, 0], [0, 0, 1]), rows([3, 0, 2], [3, 2, 1])
    table = gain_and_reach(Y, S, np.array([0.5, 0.25, 0.2]), [0, 1], k=2)
    assert table["gained"].tolist() == pytest.approx([2, 0])
    assert table["within reach"].tolist() == pytest.approx([6, 5])
    assert table["P@2"].tolist() == pytest.approx([0.5, 0])


def test_document_browser_marks_right_labels(texts_dataset: Dataset) -> None:
    scores = texts_dataset.Y_test.toarray() * 2
    scores[:, 0] += 1  # label 0 for everyone, after the right one unless it is the right one
    figure = DocumentBrowser(texts_dataset, {"oracle": csr_array(scores)}, k=3)(4)
    grid = figure.data[0]
    assert grid.z[0][0] == 1.0
    assert grid.text[0][0] == "✓ " + texts_dataset.labels_of("test", 4)[0]
    assert grid.text[2][0] == ""  # fewer predictions than ranks
    assert texts_dataset.labels_of("test", 4)[0] in figure.layout.title.text


def test_shorten_tag() -> None:
    assert shorten_tag("game::strategy") == "game::strategy"
    assert len(shorten_tag("works-with-format::" + "x" * 40)) == 30


def test_cut_figure_tells_both_shares() -> None:
    figure = cut_figure({"set": np.array([90, 5, 3, 2, 0])}, m=5)
    assert "75% of the labels" in figure.layout.annotations[0].text
    assert "10.0% of all 1s" in figure.layout.annotations[0].text
    assert figure.data[0].line.dash != figure.data[1].line.dash  # not told apart by colour alone


def test_growth_and_label_figures_draw_the_tables(small_dataset: Dataset) -> None:
    table = growth_table(small_dataset.Y_train)
    assert list(growth_figure({"small": table}).data[0].y) == table["labels met"].tolist()
    first, _, second, _ = growth_figure({"small": table, "other": table}).data
    assert first.marker.symbol != second.marker.symbol
    sizes = set_sizes([small_dataset])
    fit = log_fit(sizes["labels"], sizes["labels a document"])
    assert f"{fit.r_squared:.2f}" in labels_a_document_figure(sizes, fit).data[-1].name


def test_propensity_figure_puts_the_best_model_on_top(small_dataset: Dataset) -> None:
    scores = pd.DataFrame({"P@1": [0.3, 0.8], "PSP@1": [0.6, 0.5]}, index=["one", "two"])
    inverse = 1 / propensities(small_dataset.Y_train)
    figure = propensity_figure(small_dataset.Y_train.sum(axis=0), inverse, scores, baseline="one")
    assert list(figure.data[1].y) == ["two", "one"]
    assert list(figure.data[2].y) == ["one", "two"]
