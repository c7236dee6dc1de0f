from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import KNN, ModelFileError


@pytest.fixture(scope="module")
def data():
    return make_synthetic(400, 60, n_features=300, random_state=2)


def test_votes_are_the_formula(data) -> None:
    """Against the docstring's formula, dense and slow."""
    rng = np.random.default_rng(0)  # values of its own for each entry: no two neighbours tie
    train, test = (
        sparse.csr_array((rng.random(X.nnz), X.indices, X.indptr), X.shape) for X in (data.X_train, data.X_test)
    )
    S = KNN(n_neighbors=7).fit(train, data.Y_train).predict_topk(test, k=60).toarray()
    X, Y, X_test = normalize(train).toarray(), data.Y_train.toarray(), normalize(test).toarray()
    cosines = X_test @ X.T
    for i in range(len(X_test)):
        nearest = np.argsort(-cosines[i], kind="stable")[:7]
        votes = cosines[i, nearest] @ Y[nearest] / cosines[i, nearest].sum()
        np.testing.assert_allclose(S[i], votes, atol=1e-5)


@pytest.mark.skipif(find_spec("hnswlib") is None, reason="hnswlib is not installed (see the README)")
def test_graph_search_finds_nearly_all_neighbours(data) -> None:
    exact = KNN().fit(data.X_train, data.Y_train).predict_topk(data.X_test)
    graph = KNN(search="hnsw", n_components=100).fit(data.X_train, data.Y_train).predict_topk(data.X_test)
    both = exact.astype(bool).multiply(graph.astype(bool)).sum()
    assert both > 0.9 * exact.nnz


def test_an_instance_like_no_other_gets_no_labels(data) -> None:
    X = data.X_train[[0]] * 0
    assert KNN().fit(data.X_train, data.Y_train).predict_topk(X).nnz == 0


def test_more_neighbours_than_instances(data) -> None:
    S = KNN(n_neighbors=1000).fit(data.X_train[:5], data.Y_train[:5]).predict_topk(data.X_test)
    assert S.nnz > 0


def test_hnsw_without_its_package_says_how_to_get_it(data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    with pytest.raises(ImportError, match="pip install hnswlib"):
        KNN(search="hnsw").fit(data.X_train, data.Y_train)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"search": "faiss"}, "search is 'faiss'; wanted one of 'exact', 'hnsw'"),
        ({"n_neighbors": 0}, "n_neighbors is 0"),
    ],
)
def test_bad_parameters(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        KNN(**argument).fit(data.X_train, data.Y_train)


@pytest.mark.skipif(find_spec("hnswlib") is None, reason="hnswlib is not installed (see the README)")
def test_a_graph_over_other_instances_is_not_loaded(data, tmp_path) -> None:
    more = KNN(search="hnsw", n_components=100).fit(data.X_train, data.Y_train)
    fewer = KNN(search="hnsw", n_components=100).fit(data.X_train[:200], data.Y_train[:200])
    fewer.index_ = more.index_
    fewer.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="the search graph holds"):
        KNN.load(tmp_path / "model")


@pytest.mark.skipif(find_spec("hnswlib") is None, reason="hnswlib is not installed (see the README)")
def test_instances_that_are_there_many_times_are_found(data) -> None:
    X, Y = (A[np.repeat(np.arange(40), 200)] for A in (data.X_train, data.Y_train))
    exact, graph = (KNN(search=search).fit(X, Y).predict_topk(data.X_train[:40]) for search in ("exact", "hnsw"))
    np.testing.assert_array_equal(graph.indices, exact.indices)
