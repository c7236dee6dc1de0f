"""A Dataset refuses what does not fit together, and holds out validation rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csc_array, csr_array

from xmlwb.datasets import Card, Dataset


def _sparse(rows: list[list[float]]) -> csr_array:
    return csr_array(np.array(rows, dtype=np.float32))


def _twice() -> csr_array:
    return csr_array((np.ones(2, dtype=np.float32), [0, 0], [0, 2]), shape=(1, 2))


@pytest.fixture
def small() -> Dataset:
    Y = _sparse([[1, 0], [0, 1], [1, 1], [0, 0]])
    return Dataset(
        name="small",
        X_train=_sparse([[0.5, 0, 2], [0, 1, 0], [1, 0, 3], [0, 0, 1]]),
        Y_train=Y,
        X_valid=None,
        Y_valid=None,
        X_test=_sparse([[1, 1, 0]]),
        Y_test=_sparse([[1, 0]]),
        label_names=["red", "blue"],
        feature_names=["a", "b", "c"],
        propensity_ab=(0.55, 1.5),
        card=Card("small", "made up", "none", "by hand").with_figures(Y, Y, None, Y),
        texts_train=["t0", "t1", "t2", "t3"],
        texts_test=["u0"],
        ids_train=["i0", "i1", "i2", "i3"],
        sources_train=["s0", "s1", "s2", "s3"],
    )


def test_properties_and_repr(small):
    assert (small.n_train, small.n_features, small.n_labels) == (4, 3, 2)
    assert repr(small) == "Dataset('small': 4 train + 0 valid + 1 test documents, 3 features, 2 labels)"


def test_documents_are_readable(small):
    assert small.labels_of("train", 2) == ["red", "blue"]
    assert small.labels_of("train", 3) == []
    assert small.terms_of("train", 0) == [("c", 2.0), ("a", 0.5)]
    assert small.terms_of("test", 0, top=1) == [("a", 1.0)]  # equal weights: the earlier feature
    with pytest.raises(ValueError, match=r"small has of train, valid, test, found 'valid'"):
        small.labels_of("valid", 0)
    with pytest.raises(IndexError, match="wanted 0 to 3, found 4"):
        small.labels_of("train", 4)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X_train": csc_array((4, 3))}, TypeError, "X_train: wanted a scipy.sparse.csr_array, found csc_array"),
        ({"X_test": csr_array((1, 4))}, ValueError, "X_test: wanted 3 columns.*found 4"),
        ({"Y_test": csr_array((1, 3))}, ValueError, "Y_test: wanted 2 columns.*found 3"),
        ({"Y_train": csr_array((5, 2), dtype=np.float32)}, ValueError, "Y_train: wanted 4 rows.*found 5"),
        ({"Y_test": _sparse([[2, 0]])}, ValueError, "Y_test: wanted zeros and ones, found 2"),
        ({"X_valid": csr_array((1, 3), dtype=np.float32)}, ValueError, "X_valid, Y_valid: wanted both or neither"),
        ({"X_test": csr_array((1, 3), dtype=np.float64)}, TypeError, "X_test: wanted float32, found float64"),
        ({"Y_test": _twice()}, ValueError, "Y_test: wanted sorted rows without duplicates"),
        ({"texts_train": ["a"]}, ValueError, "texts_train: wanted 4 items"),
        ({"sources_test": ["a", "b"]}, ValueError, "sources_test: wanted 1 items"),
        ({"label_texts": ["a"]}, ValueError, "label_texts: wanted 2 items"),
        ({"label_parents": [("a",)]}, ValueError, "label_parents: wanted 2 items"),
        (
            {"X_unlabelled": csr_array((2, 3), dtype=np.float32), "texts_unlabelled": ["a"]},
            ValueError,
            "texts_unlabelled: wanted 2",
        ),
        ({"propensity_ab": (0.0, 1.5)}, ValueError, "propensity_ab: wanted two positive"),
    ],
)
def test_what_does_not_fit_is_refused(small, change, error, message):
    with pytest.raises(error, match=message):
        replace(small, **change)


def test_with_valid_keeps_rows_together(small):
    held = small.with_valid(0.25, random_state=3)
    assert (held.X_train.shape[0], held.X_valid.shape[0]) == (3, 1)
    assert sorted([*held.texts_train, *held.texts_valid]) == small.texts_train
    for split in ("train", "valid"):
        for i, text in enumerate(getattr(held, f"texts_{split}")):
            row = int(text[1])
            assert getattr(held, f"ids_{split}")[i] == f"i{row}"
            assert getattr(held, f"sources_{split}")[i] == f"s{row}"
            assert_array_equal(getattr(held, f"X_{split}")[[i]].toarray(), small.X_train[[row]].toarray())
            assert_array_equal(getattr(held, f"Y_{split}")[[i]].toarray(), small.Y_train[[row]].toarray())
    assert held.card.figures["volume"]["validation documents"] == 1
    assert held.texts_test == small.texts_test


def test_with_valid_same_seed_same_rows(small):
    assert small.with_valid(0.5, 7).texts_valid == small.with_valid(0.5, 7).texts_valid
    assert len({tuple(small.with_valid(0.5, seed).texts_valid) for seed in range(20)}) > 1


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 0.1, 1.5, float("nan")])
def test_with_valid_refuses_empty_parts(small, fraction):
    with pytest.raises(ValueError, match="fraction: wanted a share of 4 rows"):
        small.with_valid(fraction)


def test_with_valid_twice_is_refused(small):
    with pytest.raises(ValueError, match="small has 1 validation documents already"):
        small.with_valid(0.25).with_valid(0.25)
