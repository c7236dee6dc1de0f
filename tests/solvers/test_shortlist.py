from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from xmlwb.solvers.shortlist import Shortlist, n_common

AMONG = np.delete(np.arange(900), [3, 500, 501])


def vectors(n: int, width: int = 24, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32)


@pytest.fixture(scope="module")
def graph() -> Shortlist:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    return Shortlist.build(vectors(900), AMONG)


def test_exact_search_is_that_of_all_cosines() -> None:
    V, Q = vectors(900), vectors(700, seed=1) * 7
    rows, cosines = Shortlist.build(V, AMONG, search="exact").find(Q, 10)
    expected = normalize(Q) @ normalize(V).T
    expected[:, [3, 500, 501]] = -np.inf
    np.testing.assert_array_equal(rows, np.argsort(-expected, axis=1, kind="stable")[:, :10])
    np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :10], atol=1e-6)
    assert rows.dtype == np.int32
    assert cosines.dtype == np.float32


def test_the_graph_finds_nearly_what_exact_search_finds(graph: Shortlist) -> None:
    Q = vectors(300, seed=1)
    rows, cosines = graph.find(Q, 20, ef=200)
    exact, their_cosines = Shortlist.build(vectors(900), AMONG, search="exact").find(Q, 20)
    recall = n_common(rows, exact) / exact.size
    assert recall > 0.97
    assert recall == pytest.approx(graph.recall(Q, 20, ef=200))
    assert graph.recall(Q, 20, ef=20) < recall
    same = rows[:, 0] == exact[:, 0]
    assert same.mean() > 0.99
    np.testing.assert_allclose(cosines[same, 0], their_cosines[same, 0], atol=1e-5)
    assert np.isin(rows, AMONG).all()


@pytest.mark.parametrize("search", ["exact", "hnsw"])
def test_answers_do_not_depend_on_the_threads(search: str, request: pytest.FixtureRequest) -> None:
    shortlist = (
        request.getfixturevalue("graph") if search == "hnsw" else Shortlist.build(vectors(900), AMONG, search=search)
    )
    Q = vectors(1500, seed=2)
    one, three = (shortlist.find(Q, 30, n_jobs=n_jobs) for n_jobs in (1, 3))
    np.testing.assert_array_equal(one[0], three[0])
    np.testing.assert_array_equal(one[1], three[1])


def test_a_graph_is_read_again_from_its_bytes(graph: Shortlist) -> None:
    Q = vectors(100, seed=3)
    again = Shortlist(graph.vectors, graph.among, graph.graph.copy())
    np.testing.assert_array_equal(again.find(Q, 9)[0], graph.find(Q, 9)[0])


@pytest.mark.parametrize("search", ["exact", "hnsw"])
def test_places_beyond_the_labels_stay_empty(search: str) -> None:
    if search == "hnsw":
        pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    rows, cosines = Shortlist.build(vectors(5), np.array([1, 4]), search=search).find(vectors(3, seed=1), 4)
    assert np.sort(rows, axis=1).tolist() == [[-1, -1, 1, 4]] * 3
    assert not cosines[:, 2:].any()
    nothing, _ = Shortlist.build(vectors(5), np.array([], dtype=int), search=search).find(vectors(3, seed=1), 2)
    assert (nothing == -1).all()


def test_vectors_and_queries_of_length_0() -> None:
    V = vectors(4)
    V[2] = 0
    rows, cosines = Shortlist.build(V, np.arange(4), search="exact").find(np.zeros((1, 24), np.float32), 4)
    assert sorted(rows[0]) == [0, 1, 2, 3]
    assert not cosines.any()


def test_ties_go_to_the_lower_label() -> None:
    V = np.repeat(np.eye(1, 24, dtype=np.float32), 6, axis=0)
    rows, _ = Shortlist.build(V, np.arange(6), search="exact").find(V[:1], 6)
    assert rows.tolist() == [[0, 1, 2, 3, 4, 5]]


def test_another_search_is_refused() -> None:
    with pytest.raises(ValueError, match="search is 'annoy'; wanted 'hnsw' or 'exact'"):
        Shortlist.build(vectors(4), np.arange(4), search="annoy")
