from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, LightDXML, ModelFileError
from xmlwb.models.light_dxml import n_epochs_total, phases

SMALL = {
    "n_components": 24, "shortlist_size": 12, "n_random": 4, "n_epochs": 4, "n_label_epochs": 2, "rebuild_every": 2,
    "batch_size": 64, "device": "cpu",
}  # fmt: skip
STEPS = ["label", "label", "shortlist", "classifier", "classifier"] * 2 + ["label", "label", "shortlist"]
NEEDS_HNSWLIB = "hnswlib is not installed (see the README)"


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=200, random_state=3)


@pytest.fixture(scope="module")
def fitted(data) -> LightDXML:
    return LightDXML(**SMALL).fit(data.X_train, data.Y_train)


def assert_same(one: LightDXML, other: LightDXML) -> None:
    for name in ("E_", "W_", "b_", "label_embeddings_"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def p_at_1(model: LightDXML, data) -> float:
    return float(precision_at_k(data.Y_test, model.predict_topk(data.X_test, k=1), k=1)[0])


@pytest.mark.parametrize(("e_model", "e_label", "e_hat"), [(16, 8, 8), (21, 4, 4), (21, 8, 6), (21, 6, 7), (5, 3, 9)])
def test_epochs_are_those_of_the_paper_s_formula(e_model: int, e_label: int, e_hat: int) -> None:
    total = e_model + e_label * (e_model // e_hat + 1)
    assert n_epochs_total(e_model, e_label, e_hat) == total
    steps = phases(e_model, e_label, e_hat)
    assert steps.count("classifier") == e_model
    assert steps.count("label") == total - e_model
    assert steps.count("shortlist") == e_model // e_hat + 1
    assert n_epochs_total(e_model, e_label, e_hat, cycle=False) == e_model + e_label


def test_every_step_is_told(data) -> None:
    events = []
    model = LightDXML(**SMALL).fit(
        data.X_train, data.Y_train, eval_set=(data.X_test, data.Y_test), callback=events.append
    )
    assert [event.stage for event in events] == STEPS
    assert [event.step for event in events] == list(range(1, len(STEPS) + 1))
    for event in events:
        wanted = {
            "label": {"loss", "seconds"},
            "shortlist": {"shortlist recall", "search recall", "seconds", "valid P@1"},
            "classifier": {"loss", "negative hardness", "seconds", "valid P@1"},
        }[event.stage]
        assert event.figures.keys() >= wanted
    assert events[-1].figures["valid P@1"] == pytest.approx(p_at_1(model, data))
    assert events[2].figures["search recall"] == 1


def test_recall_that_is_told_is_that_of_the_training_rows(data, fitted) -> None:
    events = []
    model = LightDXML(**SMALL).fit(data.X_train, data.Y_train, callback=events.append)
    lists, _ = model.shortlist(data.X_train)
    listed = np.zeros(data.Y_train.shape)
    np.put_along_axis(listed, lists, 1, axis=1)
    recall = data.Y_train.multiply(listed).sum() / data.Y_train.nnz
    assert events[-1].figures["shortlist recall"] == pytest.approx(recall)


@pytest.mark.parametrize(
    "change",
    [
        {}, {"negatives": "shortlist"}, {"negatives": "random"}, {"freeze_features": True, "n_epochs": 12},
        {"cycle": False}, {"activation": "relu"}, {"label_activation": "relu", "activation": "relu"},
        {"optimizer": "adam", "learning_rate": 0.01, "word_learning_rate": 0.01}, {"keep_probability": 1.0},
        {"n_label_epochs": 1},
    ],
    ids=lambda change: "-".join(map(str, change.values())) or "base",
)  # fmt: skip
def test_every_way_to_train_learns(data, change: dict) -> None:
    losses = []
    model = LightDXML(**(SMALL | change)).fit(
        data.X_train, data.Y_train,
        callback=lambda event: losses.append(event.figures["loss"]) if event.stage == "classifier" else None,
    )  # fmt: skip
    assert losses[-1] < losses[0]
    assert p_at_1(model, data) > 0.7


def test_frozen_features_stay_where_they_start(data) -> None:
    vectors = np.random.default_rng(0).standard_normal((200, 24)).astype(np.float32)
    model = LightDXML(**SMALL, word_vectors=vectors, freeze_features=True).fit(data.X_train, data.Y_train)
    np.testing.assert_array_equal(model.E_, vectors)
    assert model.profile_["starting vectors"] == "given as an array: 200 words, 24 dimensions"
    trained = LightDXML(**SMALL, word_vectors=vectors).fit(data.X_train, data.Y_train)
    assert not np.array_equal(trained.E_, vectors)


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z.astype(np.float64)))


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0])
def test_prediction_blends_classifier_and_shortlist(data, fitted, beta: float) -> None:
    model = LightDXML(**SMALL | {"beta": beta})
    model.__dict__.update(
        {name: value for name, value in vars(fitted).items() if name.endswith("_")} | {"_fitted": True}
    )
    features = model.embed(data.X_test)
    labels, cosines = model.shortlist(data.X_test)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, rtol=1e-5)
    z = np.take_along_axis(features @ model.W_.T + model.b_, labels.astype(np.int64), axis=1)
    expected = beta * sigmoid(z) + (1 - beta) * sigmoid(cosines)
    S = model.predict_topk(data.X_test, k=12).toarray()
    np.testing.assert_allclose(np.take_along_axis(S, labels.astype(np.int64), axis=1), expected, atol=1e-5)
    first = model.predict_topk(data.X_test, k=1).indices
    if beta == 0:
        np.testing.assert_array_equal(first, labels[:, 0])
    if beta == 1:
        np.testing.assert_array_equal(first, np.take_along_axis(labels, z.argmax(axis=1)[:, None], axis=1)[:, 0])


def test_shortlists_are_the_labels_of_the_largest_cosines(data, fitted) -> None:
    labels, cosines = fitted.shortlist(data.X_test, k=5)
    expected = fitted.embed(data.X_test) @ fitted.label_embeddings_.T
    expected[:, fitted.label_counts_ == 0] = -np.inf
    np.testing.assert_array_equal(labels, np.argsort(-expected, axis=1, kind="stable")[:, :5])
    np.testing.assert_allclose(cosines, -np.sort(-expected, axis=1)[:, :5], atol=1e-6)


def test_the_graph_finds_nearly_what_exact_search_finds() -> None:
    pytest.importorskip("hnswlib", reason=NEEDS_HNSWLIB)
    data = make_synthetic(900, 500, n_features=400, random_state=1)
    options = SMALL | {"shortlist_size": 30, "n_epochs": 2}
    recalls = []
    graph = LightDXML(**options, search="hnsw", ef=60).fit(
        data.X_train, data.Y_train, callback=lambda event: recalls.append(event.figures.get("search recall"))
    )
    exact = LightDXML(**options, search="exact").fit(data.X_train, data.Y_train)
    assert len(graph.graph_) > 0 == len(exact.graph_)
    assert 0.9 < recalls[-1] <= 1
    assert p_at_1(graph, data) == pytest.approx(p_at_1(exact, data), abs=0.05)


def test_the_same_seed_gives_the_same_model(data, fitted) -> None:
    assert_same(LightDXML(**SMALL).fit(data.X_train, data.Y_train), fitted)
    other = LightDXML(**SMALL, random_state=1).fit(data.X_train, data.Y_train)
    assert not np.array_equal(other.W_, fitted.W_)


@pytest.mark.parametrize("last", range(1, len(STEPS)))
def test_a_run_stopped_after_any_step_resumes_to_the_same_model(data, fitted, tmp_path: Path, last: int) -> None:
    stopped = LightDXML(**SMALL, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=lambda event: STOP if event.step == last else None)
    assert stopped.predict_topk(data.X_test).nnz == 5 * data.X_test.shape[0], "a stopped fit leaves a usable model"
    steps = []
    resumed = LightDXML(**SMALL, checkpoint_dir=str(tmp_path))
    resumed.fit(data.X_train, data.Y_train, callback=lambda event: steps.append(event.step))
    assert steps == list(range(last + 1, len(STEPS) + 1))
    assert_same(resumed, fitted)
    assert resumed.profile_["seconds"]["classifier"] > 0


def test_adam_resumes_to_the_same_model(data, tmp_path: Path) -> None:
    options = SMALL | {"optimizer": "adam", "learning_rate": 0.01, "word_learning_rate": 0.01}
    stopped = LightDXML(**options, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=lambda event: STOP if event.step == 4 else None)
    resumed = LightDXML(**options, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    assert_same(resumed, LightDXML(**options).fit(data.X_train, data.Y_train))


KILLED = """
import os, signal
from pathlib import Path
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import LightDXML
data = make_synthetic(600, 40, n_features=200, random_state=3)
write, n_written = Path.write_bytes, []
def half(path, blob):
    n_written.append(path)
    if len(n_written) == 5:
        write(path, blob[: len(blob) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return write(path, blob)
Path.write_bytes = half
LightDXML(**{params}, checkpoint_dir={folder!r}).fit(data.X_train, data.Y_train)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_run_killed_while_it_writes_a_checkpoint_loses_only_that(data, fitted, tmp_path: Path) -> None:
    script = KILLED.format(params=SMALL, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    steps = []
    resumed = LightDXML(**SMALL, checkpoint_dir=str(tmp_path)).fit(
        data.X_train, data.Y_train, callback=lambda event: steps.append(event.step)
    )
    assert steps[0] == 5
    assert_same(resumed, fitted)


def test_a_checkpoint_of_another_fit_is_refused(data, tmp_path: Path) -> None:
    LightDXML(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    with pytest.raises(ValueError, match="holds a run whose n_random is 4; wanted 5"):
        LightDXML(**SMALL | {"n_random": 5}, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    vectors = np.ones((200, 24), dtype=np.float32)
    with pytest.raises(ValueError, match="holds a run whose data is"):
        LightDXML(**SMALL, word_vectors=vectors, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)


def test_costs_are_told_by_module(fitted, tmp_path: Path) -> None:
    profile = fitted.profile_
    assert json.loads(json.dumps(profile)) == profile
    assert profile["bytes"]["features"] == 4 * 200 * 24
    assert profile["bytes"]["classifier"] == 4 * 40 * 25
    assert profile["bytes"]["re-ranker"] == 0
    assert all(profile["seconds"][name] > 0 for name in ("label embedding", "shortlist", "classifier"))
    assert profile["starting vectors"] == "random: 200 words, 24 dimensions"
    fitted.save(tmp_path / "model")
    assert LightDXML.load(tmp_path / "model").profile_ == profile


def test_memory_counts_what_grows() -> None:
    model, size = LightDXML(), {"n": 1000, "d": 1000, "L": 1000, "nnz": 20_000}
    least = model.memory_estimate(**size)
    for name in size:
        assert model.memory_estimate(**size | {name: 10 * size[name]}) > least
    assert LightDXML(checkpoint_dir="somewhere").memory_estimate(**size) > least


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("W_", lambda A: A[:, 1:].copy()), ("E_", lambda A: A[1:].copy()), ("b_", lambda A: A[1:].copy()),
        ("learned_", lambda A: A + 1), ("label_embeddings_", lambda A: A[1:].copy()),
    ],
)  # fmt: skip
def test_parts_of_another_shape_are_not_loaded(data, tmp_path: Path, name: str, spoil) -> None:
    model = LightDXML(**SMALL | {"n_epochs": 1}).fit(data.X_train, data.Y_train)
    setattr(model, name, spoil(getattr(model, name)))
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=name):
        LightDXML.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"beta": 1.5}, "beta is 1.5; wanted at most 1"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"negatives": "hard"}, "negatives is 'hard'; wanted one of 'shortlist', 'random', 'both'"),
        ({"activation": "tanh"}, "activation is 'tanh'"),
        ({"label_activation": "tanh"}, "label_activation is 'tanh'"),
        ({"search": "annoy"}, "search is 'annoy'"),
        ({"optimizer": "sgd"}, "optimizer is 'sgd'"),
        ({"shortlist_size": 0}, "shortlist_size is 0"),
        ({"rebuild_every": 0}, "rebuild_every is 0"),
        ({"n_label_epochs": 0}, "n_label_epochs is 0"),
        ({"keep_probability": 1.2}, "keep_probability is 1.2; wanted at most 1"),
        ({"ef": 0}, "ef is 0"),
        ({"word_vectors": "vectors.vec"}, "feature_names is None"),
        ({"word_vectors": np.ones((3, 24))}, r"word_vectors has shape \(3, 24\)"),
        ({"checkpoint_dir": "somewhere", "random_state": None}, "wanted a seed"),
    ],
)
def test_arguments_out_of_range(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LightDXML(**(SMALL | argument)).fit(data.X_train, data.Y_train)
