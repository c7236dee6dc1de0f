from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.label_pairs import label_pairs


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    Y = sparse.csr_array((rng.random((40, 30)) < 0.1).astype(np.float32))
    lists = np.array([rng.permutation(30)[:8] for _ in range(40)], dtype=np.int32)
    lists[5, 3:] = -1
    return Y, lists


def of_row(pairs, i):
    part = slice(pairs.indptr[i], pairs.indptr[i + 1])
    return pairs.labels[part], pairs.positive[part]


def test_own_labels_and_shortlist_each_once(problem):
    Y, lists = problem
    batch = np.array([7, 5, 0, 39])
    pairs = label_pairs(Y, batch, lists, np.arange(30), 0, np.random.default_rng(0))
    assert len(pairs) == 4
    for i, row in enumerate(batch):
        labels, positive = of_row(pairs, i)
        own = set(Y.indices[Y.indptr[row] : Y.indptr[row + 1]].tolist())
        assert len(set(labels.tolist())) == len(labels)
        assert set(labels[positive].tolist()) == own
        assert set(labels[~positive].tolist()) == set(lists[row][lists[row] >= 0].tolist()) - own


def test_random_labels_are_among_those_that_may_be_drawn_and_fresh_each_time(problem):
    Y, _ = problem
    among = np.arange(3, 30, 2)
    rng = np.random.default_rng(0)
    first, second = (label_pairs(Y, np.arange(40), None, among, 5, rng) for _ in range(2))
    assert set(first.labels[~first.positive].tolist()) <= set(among.tolist())
    assert not np.array_equal(first.labels, second.labels)
    lengths = np.diff(first.indptr) - np.diff(Y.indptr)
    assert lengths.max() <= 5
    assert lengths.mean() > 3
    again = label_pairs(Y, np.arange(40), None, among, 5, np.random.default_rng(0))
    np.testing.assert_array_equal(first.labels, again.labels)


def test_every_label_is_drawn_about_as_often(problem):
    Y = sparse.csr_array((2000, 30), dtype=np.float32)
    pairs = label_pairs(Y, np.arange(2000), None, np.arange(30), 6, np.random.default_rng(1))
    counts = np.bincount(pairs.labels, minlength=30)
    assert counts.min() > 0.85 * counts.mean()
    assert counts.max() < 1.15 * counts.mean()


def test_nothing_to_draw_from(problem):
    Y, _ = problem
    pairs = label_pairs(Y, np.arange(40), None, np.empty(0, dtype=np.int64), 5, np.random.default_rng(0))
    assert pairs.positive.all()
    assert len(pairs.labels) == Y.nnz
