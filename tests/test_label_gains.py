"""Gains by label against a count by hand, and the documents behind a label."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.stats import binomtest

from xmlwb.label_gains import documents_of, label_gains

NAMES = ["cat", "dog", "owl", "elk"]


def rows(*labels: list[int]) -> csr_array:
    """Instances by their labels; the first named gets the highest score."""
    made = np.zeros((len(labels), len(NAMES)), dtype=np.float32)
    for i, of_it in enumerate(labels):
        made[i, of_it] = 1.0 - 0.1 * np.arange(len(of_it))
    return csr_array(made)


TRAIN = csr_array(np.array([[1, 1, 0, 0], [1, 0, 0, 0], [1, 0, 1, 0]], dtype=np.float32))
TRUE = csr_array((rows([0], [0], [0, 1], [1], [2]).toarray() > 0).astype(np.float32))
A = rows([0], [0], [0, 1], [2], [2])
B = rows([0], [1], [3], [1], [0])


def test_gains_by_hand():
    found = label_gains(TRAIN, TRUE, [A], [B], NAMES, k=2).set_index("label")
    assert list(found.index) == ["cat", "dog", "owl"]  # frequent first; no instance has the elk
    assert found["test positives"].tolist() == [3, 2, 1]
    assert found["found by A"].tolist() == [3, 1, 1]
    assert found["found by B"].tolist() == [1, 1, 0]
    assert found["gain"].tolist() == [2, 0, 1]
    assert found["wrong by A"].tolist() == [0, 0, 1]
    assert found["wrong by B"].tolist() == [1, 1, 0]
    assert found.loc["cat", "gain in recall"] == pytest.approx(2 / 3)
    assert found["p value"].tolist() == pytest.approx([0.5, 1.0, 1.0])


def test_gains_turn_round_with_the_sides():
    one, other = (label_gains(TRAIN, TRUE, *pair, NAMES, k=2) for pair in (([A], [B]), ([B], [A])))
    assert (one["gain"] == -other["gain"]).all()
    assert (one["p value"] == other["p value"]).all()


def test_seeds_are_averaged():
    found = label_gains(TRAIN, TRUE, [A, B], [B, B], NAMES, k=2).set_index("label")
    assert found["gain"].tolist() == [1, 0, 0.5]


def test_mcnemar_is_the_exact_binomial_test():
    rng = np.random.default_rng(0)
    n = 200
    truth = np.zeros((n, 4), dtype=np.float32)
    truth[:, 0] = 1
    right = rng.random((2, n)) < np.array([[0.7], [0.5]])
    a, b = (csr_array(np.where(r[:, None], [1, 0, 0, 0], [0, 1, 0, 0]).astype(np.float32)) for r in right)
    found = label_gains(truth, csr_array(truth), [a], [b], NAMES, k=1).iloc[0]
    only_a, only_b = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    assert found["p value"] == pytest.approx(binomtest(only_a, only_a + only_b).pvalue)
    assert found["gain"] == only_a - only_b


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="label_names"):
        label_gains(TRAIN, TRUE, [A], [B], NAMES[:2])
    with pytest.raises(ValueError, match="no predictions"):
        label_gains(TRAIN, TRUE, [], [B], NAMES)
    with pytest.raises(ValueError, match="label: found 9"):
        documents_of(TRUE, A, B, 9, k=2)


def test_documents_say_who_is_right():
    found = documents_of(TRUE, A, B, 0, k=2)
    told = dict(zip(found["row"], found["who"], strict=True))
    assert told == {0: "both find it", 1: "only A finds it", 2: "only A finds it", 4: "only B is wrong"}
    assert found["who"].tolist()[:2] == ["only A finds it"] * 2  # where they differ comes first
    dog = documents_of(TRUE, A, B, 1, k=2).set_index("row")
    assert dog.loc[2, "rank by A"] == 2
    assert dog.loc[3, "who"] == "only B finds it"
    assert dog.loc[1, "who"] == "only B is wrong"
