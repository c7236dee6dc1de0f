"""SLEEC: its clusters, its vote by the formula, what ends it early, and what a file may hold."""

from __future__ import annotations

import tracemalloc
import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import KNN, SLEEC, STOP, ModelFileError
from xmlwb.solvers import sparse_dense

SMALL = {"n_components": 20, "n_learners": 3, "cluster_size": 150, "n_graph_neighbors": 30, "n_neighbors": 7}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


@pytest.fixture(scope="module")
def fitted(data):
    return SLEEC(**SMALL).fit(data.X_train, data.Y_train)


def same(A: sparse.csr_array, B: sparse.csr_array) -> bool:
    return all(np.array_equal(getattr(A, part), getattr(B, part)) for part in ("indptr", "indices", "data"))


def test_every_learner_parts_the_instances(data, fitted):
    n = data.X_train.shape[0]
    unit = normalize(data.X_train).toarray()
    assert len(fitted.learner_ptr_) == 4
    parts = []
    for first, last in pairwise(fitted.learner_ptr_):
        assert last - first == 3
        members = fitted.members_[fitted.member_ptr_[first] : fitted.member_ptr_[last]]
        assert sorted(members) == list(range(n))
        for cluster in range(first, last):
            inside = fitted.members_[fitted.member_ptr_[cluster] : fitted.member_ptr_[cluster + 1]]
            np.testing.assert_allclose(fitted.centres_.toarray()[cluster], unit[inside].mean(axis=0), atol=1e-6)
        parts.append(
            frozenset(map(frozenset, np.split(members, fitted.member_ptr_[first + 1 : last] - n * len(parts))))
        )
    assert len(set(parts)) == 3, "two clusterings are the same"


def test_the_regression_is_ridge_on_the_cluster(data, fitted):
    """Its fitted values are what a dense ridge gives for some targets whose inner products are the similarities."""
    inside = fitted.members_[: fitted.member_ptr_[1]]
    used = fitted.features_[: fitted.feature_ptr_[1]]
    unit = normalize(data.X_train).toarray()[inside].astype(float)
    assert set(used) == set(np.flatnonzero(unit.any(axis=0)))
    V = fitted.weights_[: fitted.feature_ptr_[1]]
    np.testing.assert_allclose(fitted.embeddings_[: len(inside)], unit[:, used] @ V, atol=1e-4)
    # X^T (Z - X V) = alpha V determines X^T Z; the best Z is the one whose residual is smallest
    hat = unit[:, used] @ np.linalg.solve(unit[:, used].T @ unit[:, used] + fitted.alpha * np.eye(len(used)),
                                          unit[:, used].T)  # fmt: skip
    Z = np.linalg.lstsq(hat, unit[:, used] @ V, rcond=1e-8)[0]
    Y = normalize(data.Y_train).toarray()[inside]
    kept = (Y @ Y.T) > 0.99
    assert (Z @ Z.T)[kept].mean() > 0.8


def test_votes_are_the_formula(data, fitted):
    """Against a dense and slow reading of the docstring."""
    S = fitted.predict_topk(data.X_test, k=40).toarray()
    X, Y, centres = normalize(data.X_test).toarray(), data.Y_train.toarray(), fitted.centres_.toarray()
    for i in range(0, len(X), 7):
        votes = np.zeros(40)
        for first, last in pairwise(fitted.learner_ptr_):
            b = first + int(np.argmin(np.square(centres[first:last] - X[i]).sum(axis=1)))
            inside = slice(*fitted.member_ptr_[b : b + 2])
            used = slice(*fitted.feature_ptr_[b : b + 2])
            z = X[i, fitted.features_[used]] @ fitted.weights_[used]
            distances = np.square(fitted.embeddings_[inside] - z).sum(axis=1)
            votes += Y[fitted.members_[inside][np.argsort(distances, kind="stable")[:7]]].sum(axis=0)
        np.testing.assert_allclose(S[i], votes / 21, atol=1e-6)


def test_the_embedding_sees_through_features_that_tell_nothing():
    """Most features are noise: neighbours in them are none, neighbours in V x are."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 20, 1200)
    signal = np.eye(20)[group] * 0.6
    noise = rng.random((1200, 200)) * (rng.random((1200, 200)) < 0.3)
    X = sparse.csr_array(np.hstack([signal, noise]).astype(np.float32))
    Y = sparse.csr_array(np.hstack([np.eye(20)[group], np.eye(5)[group % 5]]).astype(np.float32))
    P = [precision_at_k(Y[900:], model.fit(X[:900], Y[:900]).predict_topk(X[900:]), k=2)[1]
         for model in (SLEEC(n_components=25), KNN())]  # fmt: skip
    assert P[0] > 0.9
    assert P[0] > P[1] + 0.2


def test_a_stop_keeps_the_learners_that_are_there(data):
    def stop_after_two(event):
        return STOP if event.step == 2 else None

    stopped = SLEEC(**SMALL).fit(data.X_train, data.Y_train, callback=stop_after_two)
    two = SLEEC(**SMALL | {"n_learners": 2}).fit(data.X_train, data.Y_train)
    assert len(stopped.learner_ptr_) == 3
    assert same(stopped.predict_topk(data.X_test), two.predict_topk(data.X_test))


def test_one_cluster_is_one_learner(data):
    events = []
    model = SLEEC(n_learners=4).fit(data.X_train, data.Y_train, callback=events.append)
    assert [(event.step, event.total) for event in events] == [(1, 1)]
    assert len(model.members_) == data.X_train.shape[0]
    assert events[0].figures["error"] == model.errors_[0]


def test_any_number_of_threads_and_any_scale_give_the_same_model(data, fitted, monkeypatch):
    monkeypatch.setattr(sparse_dense, "_SERIAL_BELOW", 0)
    expected = fitted.predict_topk(data.X_test)
    for n_jobs in (2, 3):
        other = SLEEC(**SMALL, n_jobs=n_jobs).fit(data.X_train, data.Y_train)
        np.testing.assert_array_equal(other.embeddings_, fitted.embeddings_)
        assert same(other.predict_topk(data.X_test), expected)
    longer = SLEEC(**SMALL).fit(data.X_train * 8, data.Y_train)
    assert same(longer.predict_topk(data.X_test * 2), expected)


def test_neighbours_may_be_changed_after_the_fit(data):
    model = SLEEC(**SMALL).fit(data.X_train, data.Y_train)
    model.set_params(n_neighbors=3)
    again = SLEEC(**SMALL | {"n_neighbors": 3}).fit(data.X_train, data.Y_train)
    assert same(model.predict_topk(data.X_test), again.predict_topk(data.X_test))


def test_fewer_different_rows_than_clusters():
    X = np.repeat(np.eye(2, dtype=np.float32), 15, axis=0)
    Y = np.repeat(np.eye(2, dtype=int), 15, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SLEEC(cluster_size=5, n_components=2, n_neighbors=40, n_learners=2).fit(X, Y)
    assert np.diff(model.learner_ptr_).max() <= 2
    np.testing.assert_array_equal(model.predict(X), Y)


def test_batches_do_not_show(data, fitted, monkeypatch):
    expected = fitted.predict_topk(data.X_test)
    monkeypatch.setattr("xmlwb.models.sleec._BATCH", 7)
    assert same(fitted.predict_topk(data.X_test), expected)


@pytest.mark.parametrize("cluster_size", [150, 10_000])
def test_memory_estimate_holds(cluster_size):
    data = make_synthetic(1600, 300, n_features=1500, random_state=0)
    X, Y = data.X_train, data.Y_train
    model = SLEEC(n_components=30, n_learners=2, cluster_size=cluster_size, n_graph_neighbors=40)
    model.fit(X, Y)  # compiles
    tracemalloc.start()
    try:
        model.fit(X, Y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < model.memory_estimate(*X.shape, Y.shape[1], X.nnz) < 6 * peak


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors is 0"),
        ({"alpha": 0.0}, "alpha is 0.0"),
        ({"n_steps": -1}, "n_steps is -1"),
        ({"cluster_size": 2.5}, "cluster_size is 2.5"),
    ],
)
def test_bad_parameters(data, argument, message):
    with pytest.raises(ValueError, match=message):
        SLEEC(**argument).fit(data.X_train, data.Y_train)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("members_", lambda a: a + 1, r"members_ holds the index"),
        ("features_", lambda a: a - 1, r"features_ holds the index"),
        ("member_ptr_", lambda a: a[::-1], r"member_ptr_ does not part"),
        ("learner_ptr_", lambda a: np.append(a, a[-1]), r"learner_ptr_ does not part"),
        ("feature_ptr_", lambda a: a * 2, r"feature_ptr_ does not part"),
        ("weights_", lambda a: a[:, :-1], r"embeddings_ has shape"),
        ("centres_", lambda a: a[:-1], r"centres_ has shape"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(data, tmp_path, name, spoil, message):
    model = SLEEC(**SMALL).fit(data.X_train[:200], data.Y_train[:200])
    setattr(model, name, spoil(getattr(model, name)))
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=message):
        SLEEC.load(tmp_path / "model")


def test_more_neighbours_than_a_cluster_has_take_no_place(data):
    model = SLEEC(n_components=4).fit(data.X_train, data.Y_train)
    all_of_them = model.set_params(n_neighbors=data.X_train.shape[0]).predict_topk(data.X_test)
    assert same(model.set_params(n_neighbors=10**9).predict_topk(data.X_test), all_of_them)
