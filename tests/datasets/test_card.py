"""The card's figures on a matrix small enough to count by hand, and its two renderings."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Card
from xmlwb.datasets.card import compute_figures, format_figure


def _sparse(rows: list[list[float]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


@pytest.fixture
def figures() -> dict[str, dict[str, float]]:
    X = _sparse([[1, 0, 1]] * 7 + [[0, 0, 0]])
    Y_train = _sparse([[1, 0, 0, 0]] * 6 + [[1, 1, 0, 0], [0, 1, 0, 0]])  # 7, 2, 0, 0 positives
    Y_test = _sparse([[0, 0, 1, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    return compute_figures(X, Y_train, None, Y_test, n_unlabelled=11)


def test_volume(figures):
    assert figures["volume"] == {
        "training documents n": 8, "validation documents": 0, "test documents": 3, "features d": 3, "labels L": 4,
        "non-zeros of X_train": 14, "non-zeros of Y_train": 9, "features a training document": 14 / 8,
    }  # fmt: skip


def test_quantity(figures):
    quantity = figures["quantity"]
    assert quantity["labels a document, all splits"] == pytest.approx(12 / 11)
    assert quantity["labels a training document, most"] == 2
    assert quantity["training documents a label, mean"] == pytest.approx(9 / 4)
    assert quantity["training documents a label, most"] == 7
    assert quantity["share of labels with 5 training positives or fewer"] == 3 / 4
    assert quantity["share of label mass in the head (most frequent 1 % of labels)"] == pytest.approx(7 / 9)
    assert quantity["share of label mass in the tail (labels of 5 training positives or fewer)"] == pytest.approx(2 / 9)
    entropy = -(7 / 9 * np.log2(7 / 9) + 2 / 9 * np.log2(2 / 9))
    assert quantity["label entropy, bits"] == pytest.approx(entropy)
    assert quantity["label entropy of even use, bits"] == 2


def test_quality(figures):
    quality = figures["quality"]
    assert quality["documents without labels, all splits"] == 1
    assert quality["training documents without features"] == 1
    assert quality["labels without training positives"] == 2
    assert quality["share of test positives of labels without training positives"] == pytest.approx(2 / 3)
    assert quality["share of all documents unlabelled"] == 11 / 22


def test_a_set_without_any_label_or_row_has_figures():
    empty = compute_figures(csr_array((0, 3)), csr_array((0, 2)), None, csr_array((0, 2)))
    assert all(np.isfinite(value) for group in empty.values() for value in group.values())


def test_count_of_unlabelled_is_kept_unless_given():
    Y = _sparse([[1, 0]])
    card = Card("c", "s", "l", "m").with_figures(Y, Y, None, Y, 5)
    assert card.with_figures(Y, Y, Y, Y).figures["quality"]["unlabelled documents kept aside"] == 5
    assert card.with_figures(Y, Y, Y, Y, 0).figures["quality"]["unlabelled documents kept aside"] == 0


def test_both_renderings_say_everything(figures):
    card = Card("a set", "somewhere", "free", "carefully", figures, ("one fault",), {"speed": "fast"})
    for text in (card.to_markdown(), card.to_text()):
        for piece in ("a set", "somewhere", "free", "carefully", "one fault", "speed", "fast", "75.0 %"):
            assert piece in text
        for group in figures.values():
            assert all(what in text for what in group)
    assert card._repr_markdown_() == card.to_markdown()
    assert max(map(len, Card("t", "word " * 80, "l", "m").to_text(60).splitlines())) <= 60


def test_formats():
    assert format_figure("share of x", 0.1234) == "12.3 %"
    assert format_figure("labels", 21705.0) == "21,705"
    assert format_figure("labels a document", 3.6574) == "3.66"
