from __future__ import annotations

import json
import tracemalloc
import weakref

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

import xmlwb.models
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import KNN, LPSR, STOP, Event, ModelFileError, NaiveBayes, OneVsAll, XMCModel

BASES = [pytest.param(OneVsAll(), id="ova"), pytest.param(NaiveBayes(smoothing=3), id="nb")]


@pytest.fixture(scope="module")
def data():
    return make_synthetic(800, 60, n_features=300, labels_per_instance=3, noise=0.05, random_state=4)


@pytest.mark.parametrize("base", BASES)
def test_one_leaf_with_all_labels_is_the_base(data, base: XMCModel) -> None:
    alone = clone(base).fit(data.X_train, data.Y_train)
    model = LPSR(base=base, n_trees=1, max_leaf=10_000, n_labels=60).fit(data.X_train, data.Y_train)
    S, expected = model.predict_topk(data.X_test, k=60), alone.predict_topk(data.X_test, k=60)
    np.testing.assert_array_equal(S.indices, expected.indices)
    np.testing.assert_array_equal(S.data, expected.data)
    assert (model.labels_scored(data.X_test) == np.count_nonzero(data.Y_train.sum(axis=0))).all()
    assert not hasattr(base, "coef_"), "the caller's own base was fitted"


@pytest.mark.parametrize("base", BASES)
def test_predictions_are_the_base_s_best_among_the_labels_of_the_leaves(data, base: XMCModel) -> None:
    model = LPSR(base=base, n_trees=2, max_leaf=40, n_labels=8).fit(data.X_train, data.Y_train)
    everything = clone(base).fit(data.X_train, data.Y_train).predict_topk(data.X_test, k=60).toarray()
    scored = np.zeros_like(everything, dtype=bool)
    for tree, leaves in enumerate(model.apply(data.X_test).T):
        held = model.instance_tree(tree).leaves
        assert np.diff(held.indptr).max() == 8
        scored |= held[leaves].toarray() > 0
    np.testing.assert_array_equal(model.labels_scored(data.X_test), scored.sum(axis=1))
    assert 8 < scored.sum(axis=1).mean() <= 16
    S = model.predict_topk(data.X_test, k=4)
    for i, row in enumerate(everything):
        possible = np.flatnonzero(scored[i])
        best = np.sort(possible[np.argsort(-row[possible], kind="stable")[:4]])
        assert S.indices[S.indptr[i] : S.indptr[i + 1]].tolist() == best.tolist()
        np.testing.assert_array_equal(S.data[S.indptr[i] : S.indptr[i + 1]], row[best].astype(np.float32))


def test_planted_crowds_come_apart_and_keep_their_own_labels() -> None:
    rng = np.random.default_rng(0)
    crowd = rng.integers(4, size=400)  # four crowds, each with ten features and five labels of its own
    X = np.zeros((400, 40), dtype=np.float32)
    Y = np.zeros((400, 20), dtype=np.float32)
    for i, c in enumerate(crowd):
        X[i, 10 * c + rng.choice(10, size=4, replace=False)] = 1
        Y[i, 5 * c + rng.choice(5, size=2, replace=False)] = 1
    model = LPSR(n_trees=1, max_leaf=150, n_labels=5).fit(X, Y)
    leaf = model.apply(X)[:, 0]
    assert len(np.unique(leaf)) == 4
    for c in range(4):
        (reached,) = np.unique(leaf[crowd == c])
        assert model.instance_tree().leaves[[reached]].indices.tolist() == list(range(5 * c, 5 * c + 5))


def test_few_labels_are_scored_at_little_loss(data) -> None:
    alone = OneVsAll().fit(data.X_train, data.Y_train)
    model = LPSR(max_leaf=60, n_labels=15).fit(data.X_train, data.Y_train)
    P, P_alone = (precision_at_k(data.Y_test, m.predict_topk(data.X_test, k=1), k=1)[0] for m in (model, alone))
    assert model.labels_scored(data.X_test).mean() < 30
    assert P_alone - 0.05 < P


def test_the_fitted_arrays_do_not_depend_on_n_jobs(data) -> None:
    one, three = (LPSR(max_leaf=30, n_labels=10, n_jobs=j).fit(data.X_train, data.Y_train) for j in (1, 3))
    for name, value in vars(one).items():
        if name.endswith("_") and isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, getattr(three, name), err_msg=name)
    assert (one.separators_ != three.separators_).nnz == (one.leaves_ != three.leaves_).nnz == 0


def test_the_seed_changes_the_partition_and_trees_differ(data) -> None:
    models = [LPSR(max_leaf=30, n_trees=2, random_state=seed).fit(data.X_train, data.Y_train) for seed in (0, 1)]
    trees = [model.instance_tree(tree).separators for model in models for tree in range(2)]
    assert all(trees[a].shape != trees[b].shape or (trees[a] != trees[b]).nnz for a in range(4) for b in range(a))


def test_labels_never_seen_are_never_predicted(data) -> None:
    Y = data.Y_train.tolil()
    Y[:, [3, 7]] = 0
    model = LPSR(max_leaf=30, n_labels=60).fit(data.X_train, Y.tocsr())
    assert not {3, 7} & set(model.leaves_.indices)
    assert not {3, 7} & set(model.predict_topk(data.X_test, k=60).indices)


def stop_at(step: int, events: list[Event]):
    def callback(event: Event):
        events.append(event)
        return STOP if event.step == step else None

    return callback


def test_a_stop_in_the_base_leaves_what_it_has_learned() -> None:
    data = make_synthetic(300, 100, n_features=200, random_state=1)
    events: list[Event] = []
    model = LPSR(max_leaf=20).fit(data.X_train, data.Y_train, callback=stop_at(2, events))
    assert events[0].total > 2 + 7  # the base's seven groups of labels, and the levels to come
    assert events[-1].step == 2
    learned = np.flatnonzero(np.isfinite(model.intercept_))
    assert len(learned) == 32
    assert model.instance_tree().n_nodes == 1
    assert model.leaves_[[0]].indices.tolist() == learned.tolist()
    assert model.predict_topk(data.X_test).nnz == 5 * data.X_test.shape[0]


def test_a_stop_between_levels_leaves_large_leaves_with_all_their_labels(data) -> None:
    events: list[Event] = []
    base_steps = 4
    model = LPSR(max_leaf=20, n_labels=5, n_trees=1).fit(
        data.X_train, data.Y_train, callback=stop_at(base_steps + 2, events)
    )
    tree = model.instance_tree()
    assert tree.depth.max() == 2
    for node, rows in enumerate(tree.rows_at(data.X_train)):
        if tree.is_leaf[node]:
            occur = np.flatnonzero(data.Y_train[rows].sum(axis=0))
            assert tree.leaves[[node]].indices.tolist() == occur.tolist()
    alone = OneVsAll().fit(data.X_train, data.Y_train)
    P, P_alone = (precision_at_k(data.Y_test, m.predict_topk(data.X_test, k=1), k=1)[0] for m in (model, alone))
    assert P_alone - 0.05 < P


def test_events_count_the_base_and_the_levels(data) -> None:
    events: list[Event] = []
    held_out = (data.X_test, data.Y_test)
    LPSR(max_leaf=20).fit(data.X_train, data.Y_train, eval_set=held_out, callback=events.append)
    assert [event.step for event in events] == list(range(1, len(events) + 1))
    assert all(event.step < event.total for event in events[:-1])
    assert events[-1].step == events[-1].total
    assert "labels" in events[0].figures
    assert "base valid P@1" in events[3].figures
    assert "valid P@1" not in events[3].figures
    assert "parts" in events[-2].figures
    assert "leaves" in events[-1].figures


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"base": KNN()}, r"base is KNN\(\), which is not linear; wanted OneVsAll\(\)"),
        ({"base": OneVsAll}, "base is <class .*; wanted a model"),
        ({"base": "ova"}, "base is 'ova'; wanted a model"),
        ({"base": OneVsAll(C=-1)}, "C is -1; wanted"),
        ({"n_trees": 0}, "n_trees is 0; wanted"),
        ({"max_leaf": 1.5}, "max_leaf is 1.5; wanted a whole number"),
        ({"n_labels": 0}, "n_labels is 0; wanted"),
        ({"k": 0}, "k is 0; wanted"),
    ],
)
def test_parameters_out_of_range_are_refused(data, params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LPSR(**params).fit(data.X_train, data.Y_train)


def test_a_tree_that_is_not_there(data) -> None:
    model = LPSR(n_trees=2).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match="tree is 2; wanted 0 <= tree < 2"):
        model.instance_tree(2)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"base": LogisticRegression()}, r"base is LogisticRegression\(\); wanted a model"),
        ({"base": KNN()}, r"base is KNN\(\), which is not linear"),
        ({"base": OneVsAll(C=-1)}, "C is -1; wanted"),
        ({"k": 0}, "k is 0; wanted"),
    ],
)
def test_what_could_not_be_loaded_is_not_saved(data, params: dict, message: str, tmp_path) -> None:
    model = LPSR(max_leaf=100).fit(data.X_train, data.Y_train)
    model.save(tmp_path / "m")
    before = (tmp_path / "m").read_bytes()
    model.set_params(**params)
    with pytest.raises(ValueError, match=message):
        model.save(tmp_path / "m")
    with pytest.raises(ValueError, match=message):
        model.predict_topk(data.X_test)
    assert (tmp_path / "m").read_bytes() == before


def test_nothing_works_before_fit(data) -> None:
    for ask in (
        lambda model: model.apply(data.X_test),
        lambda model: model.labels_scored(data.X_test),
        lambda model: model.instance_tree(),
    ):
        with pytest.raises(NotFittedError):
            ask(LPSR())


@pytest.mark.parametrize("base", BASES)
def test_the_base_s_weights_are_there_once_when_the_partition_begins(data, base: XMCModel, monkeypatch) -> None:
    seen: list[weakref.ref] = []
    rate = LPSR._weights

    def remember(self: LPSR, X, Y, coef) -> np.ndarray:
        seen.append(weakref.ref(coef))
        return rate(self, X, Y, coef)

    monkeypatch.setattr(LPSR, "_weights", remember)
    alive: list[bool] = []

    def look(event: Event) -> None:
        if "parts" in event.figures:
            alive.append(seen[0]() is not None)

    LPSR(base=base, max_leaf=100).fit(data.X_train, data.Y_train, callback=look)
    assert alive
    assert not any(alive)


@pytest.mark.parametrize("base", BASES)
def test_the_base_is_saved_by_its_class_and_parameters(data, base: XMCModel, tmp_path) -> None:
    model = LPSR(base=base, max_leaf=50, n_labels=10).fit(data.X_train, data.Y_train)
    model.save(tmp_path / "m")
    for loaded in (LPSR.load(tmp_path / "m"), xmlwb.models.load(tmp_path / "m")):
        assert type(loaded.base) is type(base)
        assert loaded.base.get_params() == base.get_params()
        assert (loaded.predict_topk(data.X_test) != model.predict_topk(data.X_test)).nnz == 0
        again = clone(loaded).fit(data.X_train, data.Y_train)
        assert (again.predict_topk(data.X_test) != model.predict_topk(data.X_test)).nnz == 0
    loaded.set_params(base=None)  # what has been fitted stays what it is
    assert (loaded.predict_topk(data.X_test) != model.predict_topk(data.X_test)).nnz == 0


def rewritten(path, change) -> None:
    """Change the document or the tensors of a model's file."""
    with safe_open(path, framework="numpy") as file:
        document = json.loads(file.metadata()["xmlwb"])
    tensors = load_file(path)
    change(document, tensors)
    save_file(tensors, path, metadata={"xmlwb": json.dumps(document)})


def other_base(document, tensors) -> None:
    document["params"]["base"]["model"] = "Popen"


def base_without_class(document, tensors) -> None:
    del document["params"]["base"]["model"]


def base_of_another_kind(document, tensors) -> None:
    document["attributes"]["base_method_"]["value"] = "KNN"


def unknown_base_method(document, tensors) -> None:
    document["attributes"]["base_method_"]["value"] = "Later"


def bad_parameter_of_the_base(document, tensors) -> None:
    document["params"]["base"]["params"]["C"] = -1


def parent_after_child(document, tensors) -> None:
    tensors["first_child_"] = tensors["first_child_"][::-1].copy()


def labels_out_of_order(document, tensors) -> None:
    tensors["leaves_.indices"] = tensors["leaves_.indices"][::-1].copy()


def wide_weights(document, tensors) -> None:
    tensors["weights_.data"] = tensors["weights_.data"].astype(np.float64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (wide_weights, "weights_ is float64; wanted float32"),
        (other_base, "there is no model 'Popen'"),
        (base_without_class, "model"),
        (base_of_another_kind, "base_method_ is 'KNN', which is not linear"),
        (unknown_base_method, "there is no model 'Later'"),
        (bad_parameter_of_the_base, "C is -1"),
        (parent_after_child, "first_child"),
        (labels_out_of_order, "out of order"),
    ],
)
def test_files_that_hold_no_whole_lpsr_are_refused(data, tmp_path, change, message: str) -> None:
    LPSR(base=OneVsAll(), max_leaf=50).fit(data.X_train, data.Y_train).save(tmp_path / "m")
    rewritten(tmp_path / "m", change)
    with pytest.raises(ModelFileError, match=message):
        LPSR.load(tmp_path / "m")


def test_instances_that_cannot_be_told_apart_stay_together() -> None:
    X = sparse.csr_array(np.tile(np.array([[1, 2, 0]], dtype=np.float32), (50, 1)))
    Y = sparse.csr_array(np.eye(5, dtype=np.float32)[np.arange(50) % 5])
    model = LPSR(max_leaf=4, n_labels=3).fit(X, Y)
    assert model.instance_tree().n_nodes == 1
    assert model.leaves_[[0]].nnz == 3


def test_memory_estimate_covers_what_a_fit_allocates() -> None:
    data = make_synthetic(3000, 300, n_features=2000, random_state=5)
    for model in (LPSR(), LPSR(base=NaiveBayes(), n_trees=4, max_leaf=50)):
        model.fit(data.X_train, data.Y_train)  # compilation allocates too
        tracemalloc.start()
        model.fit(data.X_train, data.Y_train)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        n, d = data.X_train.shape
        assert peak < model.memory_estimate(n, d, data.Y_train.shape[1], data.X_train.nnz) < 10 * peak
