from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models import STOP, EmbeddingClassifier, ModelFileError

SMALL = {"n_components": 24, "n_epochs": 6, "batch_size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=200, random_state=3)


@pytest.fixture(scope="module")
def fitted(data) -> EmbeddingClassifier:
    return EmbeddingClassifier(**SMALL).fit(data.X_train, data.Y_train)


def assert_same(one: EmbeddingClassifier, other: EmbeddingClassifier, *, atol: float = 0) -> None:
    for name in ("W1_", "b1_", "label_embeddings_"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=0, atol=atol, err_msg=name)
    assert one.scale_ == pytest.approx(other.scale_, abs=atol)


def p_at_1(model: EmbeddingClassifier, X, Y) -> float:
    return float(precision_at_k(Y, model.predict_topk(X, k=1), k=1)[0])


@pytest.mark.parametrize(
    "change",
    [
        {}, {"loss": "margin", "n_epochs": 12}, {"loss": "negative-mining"}, {"n_negatives": 10},
        {"loss": "margin", "n_negatives": 10, "n_epochs": 12}, {"n_hidden": 48}, {"activation": None},
        {"keep_probability": 1.0}, {"regularizer": None}, {"regularizer": "spread-out"}, {"regularizer": "gravity"},
        {"regularizer": "laplacian", "n_epochs": 12}, {"regularizer": "glas-geometric"}, {"regularizer": "glas-pmi"},
        {"regularizer": "glas-jaccard"},
    ],
    ids=lambda change: "-".join(map(str, change.values())) or "base",
)  # fmt: skip
def test_every_way_to_train_learns(data, change: dict) -> None:
    losses = []
    model = EmbeddingClassifier(**(SMALL | change)).fit(
        data.X_train, data.Y_train, callback=lambda event: losses.append(event.figures["loss"])
    )
    assert losses[-1] < losses[0]
    assert p_at_1(model, data.X_test, data.Y_test) > 0.8


def test_scores_are_cosines_of_instance_and_label(data, fitted) -> None:
    phi, V = fitted.embed(data.X_test), fitted.label_embeddings_
    np.testing.assert_allclose(np.linalg.norm(phi, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(V[fitted.label_counts_ > 0], axis=1), 1, rtol=1e-5)
    S = fitted.predict_topk(data.X_test, k=40).toarray()
    np.testing.assert_allclose(S, phi @ V.T, atol=1e-5)


def test_embedding_is_that_of_the_weights(data) -> None:
    model = EmbeddingClassifier(**SMALL, n_hidden=32).fit(data.X_train, data.Y_train)
    hidden = np.maximum(data.X_test.toarray() @ model.W1_ + model.b1_, 0)
    z = np.maximum(hidden @ model.W2_ + model.b2_, 0)
    np.testing.assert_allclose(model.embed(data.X_test), z / np.linalg.norm(z, axis=1, keepdims=True), atol=1e-5)


def cooccurring() -> tuple[sparse.csr_array, sparse.csr_array]:
    """Labels 0 and 1 always come together, 2 and 3 never."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=400)
    Y = np.eye(4, dtype=np.float32)[[0, 2, 3]][kind]
    Y[kind == 0, 1] = 1
    X = rng.random((400, 30)) * (rng.random((400, 30)) < 0.3)
    X[np.arange(400), kind] += 1
    return sparse.csr_array(X.astype(np.float32)), sparse.csr_array(Y)


@pytest.mark.parametrize(("regularizer", "together"), [("glas", 0.97), ("spread-out", None), ("laplacian", 0.97)])
def test_a_strong_regularizer_sets_the_inner_products(regularizer: str, together: float | None) -> None:
    X, Y = cooccurring()
    model = EmbeddingClassifier(**SMALL | {"n_epochs": 30}, regularizer=regularizer, regularization=1000.0).fit(X, Y)
    gram = model.label_embeddings_ @ model.label_embeddings_.T
    if together is None:
        assert abs(gram[0, 1]) < 0.2
    else:
        assert gram[0, 1] > together
    if regularizer != "laplacian":
        assert abs(gram[2, 3]) < 0.2


def test_events_tell_training_beside_validation(data) -> None:
    events = []
    model = EmbeddingClassifier(**SMALL).fit(
        data.X_train, data.Y_train, eval_set=(data.X_test, data.Y_test), callback=events.append
    )
    figures = events[-1].figures
    assert figures.keys() >= {"loss", "regularizer", "instances/s", "train P@1", "valid P@1", "valid P@5"}
    assert figures["train P@1"] == pytest.approx(p_at_1(model, data.X_train, data.Y_train))
    assert figures["valid P@1"] == pytest.approx(p_at_1(model, data.X_test, data.Y_test))


def test_the_best_epoch_is_kept(data) -> None:
    scores = []
    options = SMALL | {"n_epochs": 40, "learning_rate": 0.1, "patience": 2}
    model = EmbeddingClassifier(**options).fit(
        data.X_train, data.Y_train, eval_set=(data.X_test, data.Y_test),
        callback=lambda event: scores.append(event.figures["valid P@1"]),
    )  # fmt: skip
    best = int(np.argmax(scores))
    assert len(scores) == best + 3 < 40
    assert p_at_1(model, data.X_test, data.Y_test) == pytest.approx(scores[best])
    ended_there = EmbeddingClassifier(**options | {"n_epochs": best + 1, "patience": None}).fit(
        data.X_train, data.Y_train
    )
    assert_same(model, ended_there)


def test_exact_and_hnsw_find_nearly_the_same() -> None:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    data = make_synthetic(1500, 900, n_features=600, random_state=1)
    options = SMALL | {"n_components": 64, "n_epochs": 3}
    exact = EmbeddingClassifier(**options).fit(data.X_train, data.Y_train)
    graph = EmbeddingClassifier(**options, search="hnsw").fit(data.X_train, data.Y_train)
    ours, theirs = (model.predict_topk(data.X_test, k=5) for model in (graph, exact))
    same = ours.astype(bool).multiply(theirs.astype(bool))
    assert same.sum() > 0.97 * theirs.nnz
    np.testing.assert_allclose(ours.multiply(same).sum(), theirs.multiply(same).sum(), rtol=1e-5)


def test_a_graph_over_other_labels_is_not_loaded(data, tmp_path: Path) -> None:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    options = SMALL | {"n_epochs": 1, "search": "hnsw"}
    other = EmbeddingClassifier(**options).fit(data.X_train, data.Y_train[:, :30])
    model = EmbeddingClassifier(**options).fit(data.X_train, data.Y_train)
    model.graph_ = other.graph_
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="the search graph is one over 30 vectors; wanted 40"):
        EmbeddingClassifier.load(tmp_path / "model")


def test_a_stopped_fit_resumes_to_the_same_model(data, fitted, tmp_path: Path) -> None:
    stopped = EmbeddingClassifier(**SMALL, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=lambda event: STOP if event.step == 2 else None)
    assert stopped.predict_topk(data.X_test).nnz
    steps = []
    resumed = EmbeddingClassifier(**SMALL, checkpoint_dir=str(tmp_path))
    resumed.fit(data.X_train, data.Y_train, callback=lambda event: steps.append(event.step))
    assert steps == [3, 4, 5, 6]
    assert_same(resumed, fitted)


def test_early_stopping_survives_a_stop(data, tmp_path: Path) -> None:
    held_out = (data.X_test, data.Y_test)
    options = SMALL | {"n_epochs": 40, "learning_rate": 0.1, "patience": 2}
    whole = EmbeddingClassifier(**options).fit(data.X_train, data.Y_train, eval_set=held_out)
    for steps in (3, 5, 40, 40):  # the last goes on from a run that is over
        model = EmbeddingClassifier(**options, checkpoint_dir=str(tmp_path)).fit(
            data.X_train, data.Y_train, eval_set=held_out, callback=lambda e, s=steps: STOP if e.step == s else None
        )
    assert_same(model, whole)


KILLED = """
import os, signal
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import EmbeddingClassifier
data = make_synthetic(600, 40, n_features=200, random_state=3)
def kill(event):
    if event.step == 3:
        os.kill(os.getpid(), signal.SIGKILL)
EmbeddingClassifier(**{params}, checkpoint_dir={folder!r}).fit(data.X_train, data.Y_train, callback=kill)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_killed_fit_resumes_to_the_same_model(data, fitted, tmp_path: Path) -> None:
    script = KILLED.format(params=SMALL, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert_same(EmbeddingClassifier(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train), fitted)


def test_a_checkpoint_of_another_fit_is_refused(data, tmp_path: Path) -> None:
    EmbeddingClassifier(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match=r"holds a run whose regularization is 10\.0; wanted 5\.0"):
        EmbeddingClassifier(**SMALL, regularization=5.0, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)


def test_parts_of_another_shape_are_not_loaded(data, fitted, tmp_path: Path) -> None:
    model = EmbeddingClassifier(**SMALL).fit(data.X_train, data.Y_train)
    model.learned_ = model.learned_ + 1
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="learned_"):
        EmbeddingClassifier.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"activation": "tanh"}, "activation is 'tanh'; wanted one of 'relu', None"),
        ({"loss": "hinge"}, "loss is 'hinge'; wanted one of 'margin'"),
        ({"regularizer": "l2"}, "regularizer is 'l2'; wanted one of None"),
        ({"keep_probability": 1.5}, "keep_probability is 1.5; wanted at most 1"),
        ({"keep_probability": 0.0}, "keep_probability"),
        ({"regularization": -1.0}, "regularization"),
        ({"n_negatives": 0}, "n_negatives"),
        ({"search": "annoy"}, "search is 'annoy'"),
        ({"checkpoint_dir": "somewhere", "random_state": None}, "wanted a seed"),
    ],
)
def test_arguments_out_of_range(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EmbeddingClassifier(**(SMALL | argument)).fit(data.X_train, data.Y_train)


def appendix_d(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray, K: int) -> float:
    """The paper's precision_wt_k, line by line."""

    def psp_precision(scores: np.ndarray) -> float:
        indices = np.argsort(-scores, axis=1, kind="stable")[:, :K]  # top_k
        topK_mat = np.zeros(labels.shape)
        np.put_along_axis(topK_mat, indices, weights[indices], axis=1)
        return float(np.mean((topK_mat * labels).sum(axis=1) / K))

    return psp_precision(scores) / psp_precision(labels * weights)


def test_psp_is_that_of_appendix_d(data, fitted) -> None:
    labels = data.Y_test.toarray()
    N, counts, A, B = data.Y_train.shape[0], np.asarray(data.Y_train.sum(axis=0)).ravel(), 0.55, 1.5
    weights = 1 + (np.log(N) - 1) * (B + 1) ** A * (counts + B) ** -A
    p = propensities(data.Y_train, A, B)
    np.testing.assert_allclose(1 / p, weights, rtol=1e-6)
    ours = psp_at_k(data.Y_test, fitted.predict_topk(data.X_test, k=5), p, k=5)
    scores = fitted.predict_topk(data.X_test, k=40).toarray()
    for k in range(1, 6):
        assert ours[k - 1] == pytest.approx(appendix_d(labels, scores, weights, k), rel=1e-6)
