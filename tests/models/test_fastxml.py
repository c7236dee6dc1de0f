"""FastXML and PfastreXML: what they promise beyond the contract."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models import STOP, FastXML, ModelFileError, PfastreXML, XMCModel
from xmlwb.models.fastxml import MIN_BATCH, PLACES
from xmlwb.solvers.instance_trees import join_trees

STATE = ("tree_ptr_", "first_child_", "bias_", "separators_", "leaves_")


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


def parts(value) -> list[np.ndarray]:
    return [value.data, value.indices, value.indptr] if sparse.issparse(value) else [value]


def assert_same_state(first: XMCModel, second: XMCModel) -> None:
    for name in STATE:
        for a, b in zip(parts(getattr(first, name)), parts(getattr(second, name)), strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("cls", [FastXML, PfastreXML])
def test_the_same_trees_for_any_n_jobs(cls, planted) -> None:
    one, three = (cls(n_trees=7, n_jobs=n_jobs).fit(planted.X_train, planted.Y_train) for n_jobs in (1, 3))
    assert_same_state(one, three)
    other = cls(n_trees=7, random_state=1).fit(planted.X_train, planted.Y_train)
    assert not np.array_equal(one.tree_ptr_, other.tree_ptr_)


@pytest.mark.parametrize("cls", [FastXML, PfastreXML])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_stopped_after_some_trees_is_a_fit_of_so_many(cls, n_jobs: int, planted) -> None:
    X, Y = planted.X_train, planted.Y_train
    stopped = cls(n_trees=20, n_jobs=n_jobs).fit(X, Y, callback=lambda event: STOP if event.step == 3 else None)
    assert_same_state(stopped, cls(n_trees=3).fit(X, Y))


def test_trees_of_the_forest(planted) -> None:
    X, Y = planted.X_train, planted.Y_train
    model = FastXML(n_trees=4).fit(X, Y)
    reached = model.apply(X)
    assert (reached.shape, reached.dtype) == ((X.shape[0], 4), np.int32)
    S = model.predict_topk(X, k=Y.shape[1])
    mean = sum(model.instance_tree(t).leaves[reached[:, t]].toarray() for t in range(4)) / 4
    np.testing.assert_allclose(S.toarray(), mean, atol=1e-6)
    for t in range(4):
        tree = model.instance_tree(t)
        assert tree.is_leaf[reached[:, t]].all()
        for v, rows in enumerate(tree.rows_at(X)):
            if tree.is_leaf[v]:
                np.testing.assert_allclose(tree.leaves[[v]].toarray()[0], Y[rows].mean(axis=0), atol=1e-6)
    for wrong in (-1, 4):
        with pytest.raises(ValueError, match=f"tree is {wrong}; wanted 0 <= tree < 4"):
            model.instance_tree(wrong)


def test_many_rows_are_ranked_batch_by_batch(planted, monkeypatch) -> None:
    model = PfastreXML(n_trees=3).fit(planted.X_train, planted.Y_train)
    whole = model.predict_topk(planted.X_test)
    monkeypatch.setattr("xmlwb.models.fastxml.PLACES", 0)
    assert planted.X_test.shape[0] > MIN_BATCH
    split = model.predict_topk(planted.X_test)
    for a, b in zip(parts(whole), parts(split), strict=True):
        np.testing.assert_array_equal(a, b)


def test_proposals_are_held_for_a_batch_at_a_time() -> None:
    rng = np.random.default_rng(0)
    X = sparse.random_array((900, 60), density=0.1, format="csr", dtype=np.float32, rng=rng)
    Y = sparse.csr_array((np.ones(900, dtype=np.float32), np.arange(900), np.arange(901)), shape=(900, 1000))
    model = PfastreXML(n_trees=2).fit(X, Y)
    many = sparse.csr_array(sparse.vstack([X] * 20))
    model.predict_topk(X)
    tracemalloc.start()
    model.predict_topk(many)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2 * peak > 8 * PLACES, "this test no longer holds any proposals"
    assert peak < 64 << 20
    assert 8 * 1000 * many.shape[0] > 2 * peak


@pytest.mark.parametrize("cls", [FastXML, PfastreXML])
def test_validation_figures_are_those_of_so_many_trees(cls, planted, monkeypatch) -> None:
    joined = []

    def count(trees):
        joined.append(len(trees))
        return join_trees(trees)

    monkeypatch.setattr("xmlwb.models.fastxml.join_trees", count)
    events = []
    cls(n_trees=6).fit(
        planted.X_train, planted.Y_train, eval_set=(planted.X_test, planted.Y_test), callback=events.append
    )
    assert joined == [6], "validation should not need the forest so far"
    for event in events[::2]:
        model = cls(n_trees=event.step).fit(planted.X_train, planted.Y_train)
        P = precision_at_k(planted.Y_test, model.predict_topk(planted.X_test))
        assert (event.figures["valid P@1"], event.figures["valid P@5"]) == (P[0], P[4])


def test_without_the_second_opinion_the_trees_rank(planted) -> None:
    X, Y = planted.X_train, planted.Y_train
    model = PfastreXML(n_trees=5, alpha=1.0).fit(X, Y)
    gains = 1 / propensities(Y)
    reached = model.apply(planted.X_test)
    trees = sum(model.instance_tree(t).leaves[reached[:, t]].toarray().astype(np.float64) for t in range(5)) / 5
    S = model.predict_topk(planted.X_test, k=3).toarray()
    for row, expected in zip(S, trees, strict=True):
        found = np.flatnonzero(row)
        best = np.argsort(-expected.astype(np.float32), kind="stable")[:3]
        assert set(found) == set(best[expected[best] > 0])
        np.testing.assert_allclose(row[found], np.log(expected[found]), rtol=1e-4, atol=1e-6)
    for rows, leaf in zip(model.instance_tree(0).rows_at(X), model.instance_tree(0).leaves.toarray(), strict=True):
        if leaf.any():
            np.testing.assert_allclose(leaf, gains * Y[rows].mean(axis=0), rtol=1e-4)


def test_centroids_are_means_of_unit_rows() -> None:
    X = np.array([[3, 4, 0], [0, 2, 0], [0, 0, 0], [1, 0, 0]], dtype=np.float32)
    Y = np.array([[1, 0], [1, 0], [1, 0], [0, 0]])
    model = PfastreXML(n_trees=1).fit(X, Y)
    np.testing.assert_allclose(model.centroids_.toarray(), [[0.2, 0], [0.6, 0], [0, 0]], rtol=1e-6)


def test_the_second_opinion_decides_where_it_is_all_that_counts(planted) -> None:
    model = PfastreXML(n_trees=5, alpha=0.0).fit(planted.X_train, planted.Y_train)
    X = planted.X_test / np.sqrt(planted.X_test.power(2).sum(axis=1))[:, None]
    S = model.predict_topk(planted.X_test, k=2)
    M = model.centroids_.toarray().T
    for i in range(20):
        z = model.gamma * ((X[[i]].toarray() - M) ** 2).sum(axis=1)
        row = S[[i]]
        np.testing.assert_allclose(row.data, -np.logaddexp(0, z)[row.indices], rtol=1e-3)


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_the_tail_gains(seed: int) -> None:
    data = make_synthetic(1500, 120, n_features=400, labels_per_instance=3, noise=0.2, random_state=seed)
    p = propensities(data.Y_train)
    plain, tail = (
        cls(n_trees=15).fit(data.X_train, data.Y_train).predict_topk(data.X_test) for cls in (FastXML, PfastreXML)
    )
    assert psp_at_k(data.Y_test, tail, p)[4] > psp_at_k(data.Y_test, plain, p)[4] + 0.02
    assert precision_at_k(data.Y_test, plain)[0] > 0.5


def test_a_label_of_the_test_rows_alone_is_never_predicted(planted) -> None:
    Y = planted.Y_train.tolil()
    Y[:, [0, 7]] = 0
    for cls in (FastXML, PfastreXML):
        S = cls(n_trees=5).fit(planted.X_train, Y.tocsr()).predict_topk(planted.X_test, k=40)
        assert not np.isin(S.indices, [0, 7]).any()
        assert S.nnz > 0


@pytest.mark.parametrize(
    ("cls", "params", "message"),
    [
        (FastXML, {"n_trees": 0}, "n_trees is 0"),
        (FastXML, {"max_leaf": 0}, "max_leaf is 0"),
        (FastXML, {"C": 0.0}, "C is 0.0"),
        (FastXML, {"max_leaf_labels": 0}, "max_leaf_labels is 0"),
        (PfastreXML, {"alpha": 1.5}, "alpha is 1.5; wanted a number of at most 1"),
        (PfastreXML, {"gamma": -1.0}, "gamma is -1.0"),
        (PfastreXML, {"B": 0.0}, "B is 0.0"),
    ],
)
def test_parameters_out_of_range(cls, params, message: str, planted) -> None:
    with pytest.raises(ValueError, match=message):
        cls(**params).fit(planted.X_train, planted.Y_train)


@pytest.mark.parametrize("cls", [FastXML, PfastreXML])
def test_memory_estimate_covers_what_a_fit_allocates(cls) -> None:
    data = make_synthetic(2000, 300, n_features=1500, random_state=5)
    model = cls(n_trees=10, n_jobs=1).fit(data.X_train, data.Y_train)
    tracemalloc.start()  # which does not see what the kernels allocate for themselves
    model.fit(data.X_train, data.Y_train)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    n, d = data.X_train.shape
    assert peak < model.memory_estimate(n, d, 300, data.X_train.nnz) < 8 * peak


@pytest.mark.parametrize("wrong", [{"alpha": 1.5}, {"alpha": float("nan")}, {"alpha": "x"}, {"gamma": -5}])
def test_what_may_be_changed_after_the_fit_is_checked(wrong: dict, planted) -> None:
    model = PfastreXML(n_trees=2).fit(planted.X_train, planted.Y_train)
    model.set_params(**wrong)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is"):
        model.predict_topk(planted.X_test)


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("first_child_", lambda a: np.roll(a, 1), "first_child"),
        ("tree_ptr_", lambda a: a[:-1], "tree_ptr does not rise"),
        ("bias_", lambda a: a[1:], "bias has shape"),
        ("separators_", lambda a: a[1:], "separators has shape"),
        ("leaves_", lambda a: a[:, 1:], "leaves has shape"),
        ("first_child_", lambda a: a[:, None], "first_child is int32 of 2 dimensions"),
        ("tree_ptr_", lambda a: a.astype(np.int16), "tree_ptr is int16"),
        ("centroids_", lambda a: a[1:], "centroids_ has shape"),
        ("centroids_", lambda a: a.astype(np.float64), "centroids_ is float64"),
    ],
)
def test_a_damaged_forest_is_not_loaded(name: str, spoil, message: str, planted, tmp_path) -> None:
    model = PfastreXML(n_trees=2).fit(planted.X_train, planted.Y_train)
    setattr(model, name, spoil(getattr(model, name)))
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=message):
        PfastreXML.load(tmp_path / "model")
