"""Beam recall against its definition read literally, and in the cases where a search returns little or nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.ranking import beam_recall_at_k


def predictions(rng, n, L, most, distinct_scores):
    """Rows of 0 to `most` stored scores, unsorted, of few distinct values: ties, zeros and negative ones among them."""
    rows = [rng.permutation(L)[: rng.integers(0, most + 1)] for _ in range(n)]
    indptr = np.cumsum([0, *map(len, rows)])
    data = rng.integers(-1, distinct_scores, indptr[-1]).astype(np.float32)
    return sparse.csr_array((data, np.concatenate(rows).astype(np.int64), indptr), shape=(n, L))


def read_literally(S, S_exact, k):
    def ranked(A, i):
        inside = slice(A.indptr[i], A.indptr[i + 1])
        return [j for _, j in sorted((-s, int(j)) for j, s in zip(A.indices[inside], A.data[inside], strict=True))]

    shares = []
    for i in range(S.shape[0]):
        exact, found = ranked(S_exact, i), ranked(S, i)
        if exact:
            shares.append([len(set(exact[:j]) & set(found[:j])) / len(exact[:j]) for j in range(1, k + 1)])
    return np.mean(shares, axis=0) if shares else np.full(k, np.nan)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.sampled_from([1, 2, 9]), st.integers(1, 8))
def test_equals_the_definition_read_literally(seed, L, distinct_scores, n):
    rng = np.random.default_rng(seed)
    S, S_exact = (predictions(rng, n, L, L, distinct_scores) for _ in range(2))
    k = int(rng.integers(1, L + 1))
    np.testing.assert_allclose(beam_recall_at_k(S, S_exact, k), read_literally(S, S_exact, k))


def test_what_is_cut_from_the_exact_ranking_is_missed_from_there_on():
    S_exact = np.array([[5.0, 4, 3, 2], [5, 4, 3, 2]])
    S = sparse.csr_array(([5.0, 3, 2, 4], [0, 2, 3, 1], [0, 3, 4]), shape=(2, 4))
    np.testing.assert_allclose(beam_recall_at_k(S, S_exact, 4), [(1 + 0) / 2, (1 / 2 + 1 / 2) / 2, (2 / 3 + 1 / 3) / 2,
                                                                 (3 / 4 + 1 / 4) / 2])  # fmt: skip


def test_a_search_agrees_with_itself_also_where_rows_hold_fewer_than_k_and_scores_are_equal():
    S = predictions(np.random.default_rng(0), 50, 30, 7, 3)
    assert beam_recall_at_k(S, S, 20).tolist() == [1.0] * 20


def test_a_longer_row_counts_by_its_first_k_alone():
    S_exact = sparse.csr_array([[3.0, 2.0, 1.0]])
    late = np.array([[1.0, 2.0, 3.0]])  # the exact search's first label comes last
    assert beam_recall_at_k(late, S_exact, 3).tolist() == [0.0, 0.5, 1.0]


def test_rows_in_which_the_exact_search_finds_nothing_are_left_out():
    S_exact = sparse.csr_array(([1.0], [2], [0, 0, 1]), shape=(2, 3))
    S = sparse.csr_array(([1.0, 1.0], [0, 2], [0, 1, 2]), shape=(2, 3))
    assert beam_recall_at_k(S, S_exact, 2).tolist() == [1.0, 1.0]
    nothing = sparse.csr_array((2, 3))
    assert np.isnan(beam_recall_at_k(S, nothing, 2)).all()
    assert beam_recall_at_k(nothing, S, 2).tolist() == [0.0, 0.0]


def test_nothing_of_size_n_times_L_is_made():
    n, L = 3, 2**40  # a dense row would be 8 TB
    S_exact = sparse.csr_array(([1.0, 2.0], [5, L - 1], [0, 2, 2, 2]), shape=(n, L))
    S = sparse.csr_array(([7.0], [L - 1], [0, 1, 1, 1]), shape=(n, L))
    assert beam_recall_at_k(S, S_exact, 2).tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("S", "S_exact", "k", "said"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), 1, "shape"),
        (np.ones((2, 3)), np.ones((2, 3)), 4, "k: found 4"),
        (np.full((2, 3), np.nan), np.ones((2, 3)), 1, "NaN in row 0"),
        (np.ones((2, 3)), np.ones(3), 1, "S_exact"),
    ],
)
def test_bad_input_is_named(S, S_exact, k, said):
    with pytest.raises(ValueError, match=said):
        beam_recall_at_k(S, S_exact, k)
