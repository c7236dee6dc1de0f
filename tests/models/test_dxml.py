from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.label_graph import LabelGraph
from xmlwb.metrics import precision_at_k
from xmlwb.models import DXML, STOP

SMALL = {
    "n_components": 16, "n_hidden": 32, "n_epochs": 10, "batch_size": 16, "learning_rate": 0.05, "n_neighbors": 15,
    "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=200, random_state=3)


@pytest.fixture(scope="module")
def fitted(data) -> DXML:
    return DXML(**SMALL).fit(data.X_train, data.Y_train)


def weights(model: DXML) -> dict[str, np.ndarray]:
    return {name: getattr(model, name) for name in ("W1_", "b1_", "W2_", "b2_", "embedded_", "label_embeddings_")}


def assert_same(one: DXML, other: DXML) -> None:
    for name, array in weights(one).items():
        np.testing.assert_array_equal(array, getattr(other, name), err_msg=name)


def test_instances_are_sent_to_where_their_labels_lie() -> None:
    data = make_synthetic(600, 40, n_features=200, labels_per_instance=1, random_state=3)
    parents = [(f"group {label // 8}",) for label in range(40)]
    graph = LabelGraph.from_parents([f"label {label}" for label in range(40)], parents)
    losses = []
    model = DXML(**(SMALL | {"n_epochs": 60})).fit(
        data.X_train, data.Y_train, label_graph=graph, callback=lambda event: losses.append(event.figures["loss"])
    )
    V = normalize(model.label_embeddings_)
    group = np.arange(40) // 8
    same = np.equal.outer(group, group)
    assert (V @ V.T)[same].mean() > (V @ V.T)[~same].mean() + 0.3
    f_x, f_y = model.embed(data.X_train), model.embed_labels(data.Y_train)
    np.testing.assert_allclose(np.linalg.norm(f_x, axis=1), 1, rtol=1e-5)
    own, others = ((f_x * np.roll(f_y, shift, axis=0)).sum(axis=1).mean() for shift in (0, 7))
    assert own > others + 0.3
    assert losses[-1] < losses[0] / 2


def test_label_embedding_of_an_instance_is_the_mean_of_its_labels(fitted) -> None:
    V = fitted.label_embeddings_
    Y = sparse.csr_array(np.eye(40, dtype=np.float32)[[3]] + np.eye(40, dtype=np.float32)[[7]])
    mean = (V[3] + V[7]) / 2
    np.testing.assert_allclose(fitted.embed_labels(Y)[0], mean / np.linalg.norm(mean), rtol=1e-5)
    assert not fitted.embed_labels(sparse.csr_array((1, 40), dtype=np.float32)).any()


def test_it_learns_more_than_which_labels_are_frequent(data, fitted) -> None:
    popular = np.zeros((data.X_test.shape[0], 40))
    popular[:, np.argmax(fitted.label_counts_)] = 1
    ours = precision_at_k(data.Y_test, fitted.predict_topk(data.X_test), k=1)[0]
    assert ours > precision_at_k(data.Y_test, sparse.csr_array(popular), k=1)[0] + 0.1


def test_vote_is_that_of_the_nearest_in_the_closest_cluster(data, fitted) -> None:
    model = DXML(**(SMALL | {"n_clusters": 4, "n_neighbors": 7, "vote_power": 0})).fit(data.X_train, data.Y_train)
    S = model.predict_topk(data.X_test[:20], k=40).toarray()
    n_same = 0
    for x, scores in zip(model.embed(data.X_test[:20]), S, strict=True):
        closest = np.argmin(((model.centres_ - x) ** 2).sum(axis=1))
        members = np.flatnonzero(model.assignment_ == closest)
        nearest = members[np.argsort(-(model.embedded_[members] @ x), kind="stable")[:7]]
        n_same += np.allclose(scores, data.Y_train.toarray()[nearest].mean(axis=0), atol=1e-6)
    assert n_same >= 15  # like instances lie at one point, up to rounding: which of them is the seventh is open


@pytest.mark.parametrize("activation", ["relu", None])
def test_without_activation_the_network_is_linear(data, activation: str | None) -> None:
    model = DXML(**SMALL, activation=activation).fit(data.X_train, data.Y_train)
    x = data.X_train[:1].toarray()
    hidden = x @ model.W1_ + model.b1_
    z = (np.maximum(hidden, 0) if activation else hidden) @ model.W2_ + model.b2_
    np.testing.assert_allclose(model.embed(x), z / np.linalg.norm(z), rtol=1e-4, atol=1e-6)


def test_hnsw_finds_nearly_the_same(data) -> None:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    exact = DXML(**SMALL).fit(data.X_train, data.Y_train)
    graph = DXML(**SMALL, search="hnsw").fit(data.X_train, data.Y_train)
    ours, theirs = (model.predict_topk(data.X_test).astype(bool) for model in (graph, exact))
    assert ours.multiply(theirs).sum() > 0.95 * theirs.nnz


def test_a_graph_of_other_labels_is_refused(data) -> None:
    graph = LabelGraph.from_labels(data.Y_train[:, :30])
    with pytest.raises(ValueError, match="label_graph has 30 labels; wanted 40 as in Y"):
        DXML(**SMALL).fit(data.X_train, data.Y_train, label_graph=graph)


def test_number_of_neighbours_may_change_after_the_fit(data, fitted) -> None:
    wider = DXML(**(SMALL | {"n_neighbors": 40})).fit(data.X_train, data.Y_train).predict_topk(data.X_test)
    before = fitted.n_neighbors
    try:
        np.testing.assert_array_equal(fitted.set_params(n_neighbors=40).predict_topk(data.X_test).data, wider.data)
    finally:
        fitted.set_params(n_neighbors=before)


@pytest.mark.parametrize("n_epochs", [0, 3])
def test_new_instances_train_the_network_and_join_the_vote(data, n_epochs: int) -> None:
    half = data.X_train.shape[0] // 2
    X_new, Y_new = data.X_train[half:], data.Y_train[half:]
    model = DXML(**SMALL).fit(data.X_train[:half], data.Y_train[:half])
    before = precision_at_k(Y_new, model.predict_topk(X_new), k=1)[0]
    W1, old = model.W1_.copy(), model.embedded_.copy()
    model.set_params(n_neighbors=1).partial_fit(X_new, Y_new, n_epochs=n_epochs)
    assert np.array_equal(model.W1_, W1) == (n_epochs == 0)
    np.testing.assert_array_equal(model.embedded_[:half], old)
    np.testing.assert_array_equal(model.embedded_[half:], model.embed(X_new))
    np.testing.assert_array_equal(model.label_counts_, np.asarray(data.Y_train.sum(axis=0)).ravel())
    assert precision_at_k(Y_new, model.predict_topk(X_new), k=1)[0] > max(before, 0.95)


def test_a_stopped_fit_resumes_to_the_same_model(data, fitted, tmp_path: Path) -> None:
    def stop_after_two(event):
        return STOP if event.step == 2 else None

    stopped = DXML(**SMALL, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=stop_after_two)
    assert stopped.predict_topk(data.X_test).nnz
    steps = []
    resumed = DXML(**SMALL, checkpoint_dir=str(tmp_path))
    resumed.fit(data.X_train, data.Y_train, callback=lambda event: steps.append(event.step))
    assert steps == list(range(3, 11))
    assert_same(resumed, fitted)


KILLED = """
import os, signal
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import DXML
data = make_synthetic(600, 40, n_features=200, random_state=3)
def kill(event):
    if event.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
DXML(**{params}, checkpoint_dir={folder!r}).fit(data.X_train, data.Y_train, callback=kill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_fit_resumes_to_the_same_model(data, fitted, tmp_path: Path) -> None:
    script = KILLED.format(params=SMALL, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert_same(DXML(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train), fitted)


def test_a_checkpoint_of_another_fit_is_refused(data, tmp_path: Path) -> None:
    DXML(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match=r"holds a run whose momentum is 0\.9; wanted 0\.5"):
        DXML(**SMALL, momentum=0.5, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match="holds a run whose data is"):
        DXML(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train[:-1], data.Y_train[:-1])


def test_a_loaded_model_goes_on_learning(data, fitted, tmp_path: Path) -> None:
    fitted.save(tmp_path / "dxml.xmlwb")
    loaded = DXML.load(tmp_path / "dxml.xmlwb")
    loaded.partial_fit(data.X_test, data.Y_test)
    assert len(loaded.embedded_) == data.X_train.shape[0] + data.X_test.shape[0]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'; wanted 'relu' or None"),
        ({"vote_power": -1}, "vote_power"),
        ({"dropout": 1.0}, "dropout is 1.0; wanted less than 1"),
        ({"device": "gpu"}, "device is 'gpu'; wanted 'auto'"),
        ({"device": "cuda:97"}, "device is 'cuda:97'; wanted 'auto' or one that is here"),
        ({"checkpoint_dir": "somewhere", "random_state": None}, "wanted a seed"),
    ],
)
def test_arguments_out_of_range(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DXML(**(SMALL | argument)).fit(data.X_train, data.Y_train)
