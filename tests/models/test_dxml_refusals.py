"""What DXML refuses, what it leaves as it was, and the corners of its vote."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import normalize

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.label_graph import LabelGraph
from xmlwb.models import DXML, ModelFileError, embedded_vote, two_layer_model
from xmlwb.models.embedded_vote import vote_weights

SMALL = {"n_components": 8, "n_hidden": 16, "n_epochs": 3, "batch_size": 16, "n_walks": 10, "device": "cpu"}
NEEDS_HNSWLIB = pytest.mark.skipif(find_spec("hnswlib") is None, reason="hnswlib is not installed (see the README)")


@pytest.fixture(scope="module")
def data():
    return make_synthetic(300, 20, n_features=60, random_state=3)


@pytest.fixture
def model(data) -> DXML:
    return DXML(**SMALL).fit(data.X_train, data.Y_train)


def state(model: DXML) -> dict[str, np.ndarray]:
    return {name: np.array(value) for name, value in model._state().items() if isinstance(value, np.ndarray)}


def assert_same(before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> None:
    assert before.keys() == after.keys()
    for name, array in before.items():
        np.testing.assert_array_equal(array, after[name], err_msg=name)


def planted_groups() -> LabelGraph:
    """20 labels in 5 groups of 4, a bridge from each group to the next."""
    Y = np.kron(np.eye(5), np.ones((1, 4))).repeat(20, 0)
    for row in range(4):
        Y[20 * row, [4 * row, 4 * row + 4]] = 1
    return LabelGraph.from_labels(Y)


def cosines(whiten: bool) -> tuple[np.ndarray, np.ndarray]:
    """Of the labels of a group, and of labels of two."""
    V = normalize(DXML(whiten=whiten)._label_vectors(planted_groups()))
    group = np.arange(20) // 4
    same = np.equal.outer(group, group)
    C = V @ V.T
    return C[same & ~np.eye(20, dtype=bool)], C[~same]


def test_without_whitening_fewer_labels_than_components_keep_their_groups() -> None:
    inside, across = cosines(whiten=False)
    assert inside.mean() > across.mean() + 0.2


def test_whitening_leaves_nothing_of_the_graph_where_labels_are_few() -> None:
    inside, across = cosines(whiten=True)
    np.testing.assert_allclose(np.concatenate([inside, across]), -1 / 19, atol=1e-6)
    assert "L <= l + 1" in (DXML.__doc__ or "")


def test_it_predicts_about_as_many_labels_as_there_are(data) -> None:
    model = DXML(**SMALL | {"learning_rate": 0.3}).fit(data.X_train, data.Y_train)
    per_row, truly = (A.sum() / A.shape[0] for A in (model.predict(data.X_test), data.Y_test))
    assert truly / 4 < per_row < 2 * truly


@NEEDS_HNSWLIB
@pytest.mark.parametrize("width", [8, 12])
def test_a_graph_over_other_vectors_is_not_loaded(data, width: int, tmp_path: Path) -> None:
    options = SMALL | {"search": "hnsw"}
    model = DXML(**options).fit(data.X_train[:100], data.Y_train[:100])
    model.graph_ = DXML(**options | {"n_components": width}).fit(data.X_train, data.Y_train).graph_
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="the search graph holds"):
        DXML.load(tmp_path / "model")


@NEEDS_HNSWLIB
def test_equal_instances_are_found_by_the_graph_as_without(data) -> None:
    X, Y = (A[np.repeat(np.arange(20), 300)] for A in (data.X_train, data.Y_train))
    options = SMALL | {"n_epochs": 5}
    exact, graph = (DXML(**options, search=search).fit(X, Y) for search in ("exact", "hnsw"))
    ours, theirs = (model._neighbours.find(model.embed(data.X_test), 40)[1] for model in (graph, exact))
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


class TestPartialFit:
    @pytest.mark.parametrize("width", [19, 21])
    @pytest.mark.parametrize("n_epochs", [0, 1])
    def test_other_labels(self, model, data, width: int, n_epochs: int) -> None:
        before, Y = state(model), sparse.csr_array(sparse.hstack([data.Y_train, data.Y_train[:, :1]]))[:, :width]
        with pytest.raises(ValueError, match=f"Y has {width} labels; wanted 20 as in the fit"):
            model.partial_fit(data.X_train, Y, n_epochs=n_epochs)
        assert_same(before, state(model))

    @pytest.mark.parametrize(
        ("argument", "message"),
        [
            ({"momentum": 5.0}, "momentum is 5.0; wanted less than 1"),
            ({"batch_size": 0}, "batch_size is 0"),
            ({"n_hidden": 32}, "n_hidden is 32; wanted 16 as in the fit"),
            ({"n_components": 4}, "n_components is 4; wanted 8 as in the fit"),
            ({"activation": None}, "activation is None; wanted 'relu' as in the fit"),
        ],
    )
    def test_arguments_that_were_changed(self, model, data, argument: dict, message: str) -> None:
        before = state(model)
        with pytest.raises(ValueError, match=message):
            model.set_params(**argument).partial_fit(data.X_train, data.Y_train)
        assert_same(before, state(model))

    def test_wrong_classes(self, data) -> None:
        y = np.arange(data.X_train.shape[0]) % 3
        model = DXML(**SMALL)
        with pytest.raises(ValueError, match="classes has 4 values; wanted the 3 of the first Y"):
            model.partial_fit(data.X_train, y, classes=[0, 1, 2, 3])
        with pytest.raises(NotFittedError):
            model.predict_topk(data.X_train)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no two classes occur together
            model.partial_fit(data.X_train, y, classes=[0, 1, 2])
        before = state(model)
        with pytest.raises(ValueError, match="classes has 2 values; wanted the 3"):
            model.partial_fit(data.X_train, y, classes=[0, 1])
        assert_same(before, state(model))

    def test_number_of_epochs_of_the_first_call(self, data) -> None:
        with pytest.raises(ValueError, match="n_epochs is -3"):
            DXML(**SMALL).partial_fit(data.X_train, data.Y_train, n_epochs=-3)

    def test_a_step_that_fails(self, model, data, monkeypatch) -> None:
        before = state(model)

        def fail(*_args):
            raise KeyboardInterrupt

        monkeypatch.setattr(embedded_vote, "cluster", fail)
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(data.X_train, data.Y_train)
        assert_same(before, state(model))


def test_activation_is_that_of_the_fit(model, data, tmp_path: Path) -> None:
    before = model.predict_topk(data.X_test)
    model.set_params(activation=None).save(tmp_path / "model")
    for same in (model, DXML.load(tmp_path / "model")):
        np.testing.assert_array_equal(same.predict_topk(data.X_test).data, before.data)


def test_fewer_epochs_than_a_checkpoint_has(data, tmp_path: Path) -> None:
    options = SMALL | {"checkpoint_dir": str(tmp_path)}
    DXML(**options | {"n_epochs": 4}).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match="holds 4 epochs of this run, n_epochs is 3; wanted at least 4"):
        DXML(**options).fit(data.X_train, data.Y_train)


def test_what_only_prediction_reads_may_differ_on_resuming(data, tmp_path: Path) -> None:
    options = SMALL | {"checkpoint_dir": str(tmp_path)}
    DXML(**options).fit(data.X_train, data.Y_train)
    other = {"n_neighbors": 5, "vote_power": 0.0, "n_clusters": 3}
    resumed = DXML(**options | other).fit(data.X_train, data.Y_train)
    assert_same(state(resumed), state(DXML(**SMALL | other).fit(data.X_train, data.Y_train)))


def test_numpy_numbers_go_into_a_checkpoint(data, tmp_path: Path) -> None:
    options = SMALL | {"n_components": np.int64(8), "learning_rate": np.float32(0.01), "weighted": np.bool_(True)}
    DXML(**options, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    again = SMALL | {"learning_rate": float(np.float32(0.01)), "checkpoint_dir": str(tmp_path)}
    steps = []
    DXML(**again).fit(data.X_train, data.Y_train, callback=steps.append)
    assert not steps, "it is the same run, and finished"


def test_prediction_goes_by_batches(model, data, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = model.predict_topk(data.X_test)
    sizes: dict[str, list[int]] = {"hidden": [], "vote": []}
    times_dense, vote = two_layer_model.times_dense, embedded_vote.vote

    def noted_product(X, W, **kwargs):
        sizes["hidden"].append(X.shape[0])
        return times_dense(X, W, **kwargs)

    def noted_vote(neighbours, *args):
        sizes["vote"].append(len(neighbours))
        return vote(neighbours, *args)

    monkeypatch.setattr(two_layer_model, "times_dense", noted_product)
    monkeypatch.setattr(embedded_vote, "vote", noted_vote)
    monkeypatch.setattr(two_layer_model, "_BATCH", 16)
    monkeypatch.setattr(embedded_vote, "_BATCH", 16)
    parts = model.predict_topk(data.X_test)
    np.testing.assert_allclose(parts.toarray(), whole.toarray(), atol=1e-5)
    for found in sizes.values():
        assert max(found) == 16
        assert sum(found) == data.X_test.shape[0]


def test_memory_estimate_knows_how_often_the_weights_are_there() -> None:
    weights = 4 * 60_000 * 512
    model = DXML(n_hidden=512)
    assert model.memory_estimate(300, 60_000, 50, 18_000) > 4 * weights
    assert model.set_params(checkpoint_dir="somewhere").memory_estimate(300, 60_000, 50, 18_000) > 8 * weights
    assert DXML().memory_estimate(100_000, 1, 50, 1) < DXML(search="hnsw").memory_estimate(100_000, 1, 50, 1)


def test_labels_that_cancel_out_lie_nowhere_and_do_not_train() -> None:
    Y = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1], [1, 1, 1]])
    X = np.eye(5, dtype=np.float32)[[0, 1, 2, 3, 3]]
    model = DXML(**SMALL).fit(X, Y)
    f_y = model.embed_labels(Y)
    np.testing.assert_allclose(np.linalg.norm(f_y, axis=1), [1, 1, 1, 0, 0], atol=1e-5)
    _, descent = model._network(sparse.csr_array(X), sparse.csr_array(Y, dtype=np.float32), model.label_embeddings_)
    assert descent.n_instances == 3


@pytest.mark.parametrize("cosine", [0.9, 0.3, 1e-5])
@pytest.mark.parametrize("power", [0, 10, 1000, 1e4])
def test_no_power_of_a_cosine_is_nothing(cosine: float, power: float) -> None:
    weights = vote_weights(np.float32([[cosine, cosine / 2, -cosine]]), power)
    np.testing.assert_allclose(weights, [[1, 0.5**power, 0 if power else 1]], rtol=1e-5, atol=1e-30)


def test_votes_weigh_the_same_where_no_cosine_is_above_0() -> None:
    np.testing.assert_array_equal(vote_weights(np.float32([[-0.1, -0.2], [0, 0]]), 10), np.ones((2, 2)))


def test_high_powers_still_predict(model, data) -> None:
    for power in (100, 1000, 10_000):
        S = model.set_params(vote_power=power).predict_topk(data.X_test)
        assert np.diff(S.indptr).all()


def test_an_untrained_network_is_named_and_still_predicts(data) -> None:
    y = np.arange(data.X_train.shape[0]) % 3
    with pytest.warns(UserWarning, match="nothing trains the network"):
        model = DXML(**SMALL).fit(data.X_train, y)
    assert np.diff(model.predict_topk(data.X_train[:2] * 0, k=1).indptr).all()


@pytest.mark.parametrize("method", ["embed", "embed_labels"])
def test_embedding_before_a_fit(method: str, data) -> None:
    with pytest.raises(NotFittedError):
        getattr(DXML(), method)(data.X_train)


def test_embedding_of_bad_labels(model, data) -> None:
    with pytest.raises(ValueError, match="Y has 19 labels; wanted 20"):
        model.embed_labels(data.Y_train[:, :19])
    with pytest.raises(ValueError, match=r"Y holds 2\.0"):
        model.embed_labels(2 * data.Y_train)


def test_an_adjacency_is_no_label_graph(model, data) -> None:
    before = state(model)
    with pytest.raises(ValueError, match="label_graph is of type csr_array; wanted a LabelGraph or None"):
        model.fit(data.X_train, data.Y_train, label_graph=sparse.csr_array(np.eye(20)))
    assert_same(before, state(model))


def test_training_that_diverges_says_so(data, tmp_path: Path) -> None:
    options = SMALL | {"learning_rate": 1e30, "checkpoint_dir": str(tmp_path)}
    with pytest.raises(ValueError, match="training diverges; wanted a lower learning_rate than 1e"):
        DXML(**options).fit(data.X_train, data.Y_train)


def test_more_neighbours_than_instances_and_more_components_than_labels(data) -> None:
    X, Y = data.X_train[:6], data.Y_train[:6]
    S = DXML(**SMALL | {"n_components": 30, "n_neighbors": 100}).fit(X, Y).predict_topk(X)
    assert S.nnz
