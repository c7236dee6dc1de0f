from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, Astec, ModelFileError
from xmlwb.models import load as load_model

SMALL = {
    "n_components": 24, "n_surrogate_epochs": 3, "n_epochs": 4, "n_reranker_epochs": 3, "batch_size": 64,
    "shortlist_size": 12, "n_neighbours": 10, "n_random": 5, "n_reranked": 8, "dropout": 0.1, "device": "cpu",
}  # fmt: skip
TOTAL = 10
ARRAYS = ("E_", "R_", "r_", "W_", "b_", "label_embeddings_", "instances_", "reranker_E_", "reranker_R_",
          "reranker_r_", "reranker_W_", "reranker_b_")  # fmt: skip


@pytest.fixture(scope="module")
def data():
    return make_synthetic(600, 40, n_features=200, random_state=3)


@pytest.fixture(scope="module")
def fitted(data) -> Astec:
    return Astec(**SMALL).fit(data.X_train, data.Y_train)


def assert_same(one: Astec, other: Astec) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def p_at_1(model: Astec, X, Y) -> float:
    return float(precision_at_k(Y, model.predict_topk(X, k=1), k=1)[0])


@pytest.mark.parametrize(
    "change",
    [{}, {"reranker": False}, {"n_neighbours": 0}, {"n_random": 0}, {"n_surrogate_labels": 4}, {"spectral_bound": 0.1}],
    ids=lambda change: "-".join(map(str, change)) or "base",
)
def test_every_way_to_train_learns(data, change: dict) -> None:
    losses: dict[str, list[float]] = {}
    model = Astec(**SMALL | {"n_components": 48} | change).fit(
        data.X_train, data.Y_train,
        callback=lambda event: losses.setdefault(event.stage, []).append(event.figures["loss"]),
    )  # fmt: skip
    assert all(of_stage[-1] < of_stage[0] for of_stage in losses.values())
    assert p_at_1(model, data.X_test, data.Y_test) > 0.8


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z.astype(np.float64)))


def by_hand(model: Astec, X: np.ndarray) -> np.ndarray:
    """The scores of the docstring, line by line, for all labels: -inf where one is not shortlisted or not re-ranked."""

    def classifier(phi, R, r, W, b):
        return (phi + np.maximum(phi @ R + r, 0)) @ W.T + b

    phi = model.embed(X)
    labels, sums = model.shortlist(X)
    scores = np.full((len(X), model.n_labels_), -np.inf)
    z = classifier(phi, model.R_, model.r_, model.W_, model.b_)
    again = features_of(model.reranker_E_, X)
    z_again = classifier(again, model.reranker_R_, model.reranker_r_, model.reranker_W_, model.reranker_b_)
    for i in range(len(X)):
        own, s = labels[i][labels[i] >= 0], sums[i][labels[i] >= 0]
        if model.reranker:
            kept = np.argsort(-z[i, own], kind="stable")[: model.n_reranked]
            own, s = own[kept], s[kept]
        clf = sigmoid(z[i, own])
        if model.reranker:
            clf = model.reranker_beta * sigmoid(z_again[i, own]) + (1 - model.reranker_beta) * clf
        scores[i, own] = model.beta * clf + (1 - model.beta) * sigmoid(s)
    return scores


def features_of(E: np.ndarray, X: np.ndarray) -> np.ndarray:
    z = np.maximum(X @ E, 0)
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)


@pytest.mark.parametrize("betas", [(0.0, 0.5), (1.0, 1.0), (1.0, 0.0), (0.3, 0.7)])
def test_prediction_is_that_of_the_formula(data, fitted, betas) -> None:
    model = clone(fitted).set_params()
    model.__dict__.update(fitted.__dict__)
    model.set_params(beta=betas[0], reranker_beta=betas[1])
    X = data.X_test.toarray()
    np.testing.assert_allclose(model.embed(X), features_of(model.E_, X), rtol=1e-3, atol=1e-4)
    expected = by_hand(model, X)
    S = model.predict_topk(X, k=5)
    for i in range(len(X)):
        row = S[[i]]
        assert row.nnz == 5
        np.testing.assert_allclose(row.data, expected[i, row.indices], rtol=1e-4, atol=1e-5)
        assert np.sort(expected[i])[-5] <= row.data.min() + 1e-4


def test_the_encoder_stays_as_module_1_left_it(data, fitted) -> None:
    short = Astec(**SMALL | {"n_epochs": 1, "reranker": False}).fit(data.X_train, data.Y_train)
    np.testing.assert_array_equal(short.E_, fitted.E_)
    assert not np.array_equal(fitted.reranker_E_, fitted.E_)


@pytest.mark.parametrize("bound", [0.5, 1.0])
def test_the_residual_layers_keep_their_bound(data, bound) -> None:
    model = Astec(**SMALL | {"spectral_bound": bound}).fit(data.X_train, data.Y_train)
    for R in (model.R_, model.reranker_R_):
        assert np.linalg.norm(R, 2) <= bound * (1 + 1e-5)


def test_the_reranker_learns_from_what_the_classifier_ranks_wrongly(data, monkeypatch) -> None:
    from xmlwb.models import astec_fit

    given = []

    class Recorded(astec_fit.ClassifierDescent):
        def __init__(self, net, X, Y, shortlists, among, n_random, pace) -> None:
            given.append((shortlists, n_random))
            super().__init__(net, X, Y, shortlists, among, n_random, pace)

    monkeypatch.setattr(astec_fit, "ClassifierDescent", Recorded)
    model = Astec(**SMALL).fit(data.X_train, data.Y_train)
    (first, n_random), (second, none) = given
    assert (first.shape[1], n_random, second.shape[1], none) == (12, 5, 8, 0)
    np.testing.assert_array_equal(first, model.shortlist(data.X_train)[0])
    phi = model.embed(data.X_train)
    z = (phi + np.maximum(phi @ model.R_ + model.r_, 0)) @ model.W_.T + model.b_
    for i in range(0, len(z), 17):
        own = first[i][first[i] >= 0]
        assert z[i, second[i]].min() >= np.sort(z[i, own])[-8] - 1e-3
        assert set(second[i]) <= set(own)


def test_exact_and_hnsw_find_nearly_the_same() -> None:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    data = make_synthetic(1200, 300, n_features=400, random_state=1)
    options = SMALL | {"n_components": 32, "n_epochs": 2, "reranker": False, "shortlist_size": 60}
    exact = Astec(**options, search="exact").fit(data.X_train, data.Y_train)
    graph = Astec(**options, search="hnsw").fit(data.X_train, data.Y_train)
    assert len(graph.graph_)
    assert len(graph.instance_graph_)
    assert not len(graph.instances_)
    ours, theirs = (model.shortlist(data.X_test)[0] for model in (graph, exact))
    common = [len(np.intersect1d(a, b)) for a, b in zip(ours, theirs, strict=True)]
    assert np.mean(common) > 0.95 * 60


@pytest.mark.parametrize("step", [1, 3, 5, 7, 9])
def test_a_fit_stopped_in_any_stage_is_of_use_and_resumes_to_the_same_model(data, fitted, tmp_path: Path, step) -> None:
    stopped = Astec(**SMALL, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=lambda event: STOP if event.step == step else None)
    assert p_at_1(stopped, data.X_test, data.Y_test) > 0.3
    stopped.save(tmp_path / "model")
    S = load_model(tmp_path / "model").predict_topk(data.X_test)
    np.testing.assert_array_equal(S.data, stopped.predict_topk(data.X_test).data)
    steps = []
    resumed = Astec(**SMALL, checkpoint_dir=str(tmp_path))
    resumed.fit(data.X_train, data.Y_train, callback=lambda event: steps.append(event.step))
    assert steps == list(range(step + 1, TOTAL + 1))
    assert_same(resumed, fitted)


def test_a_fit_resumed_after_every_epoch_is_the_same(data, fitted, tmp_path: Path) -> None:
    for _ in range(TOTAL + 1):
        model = Astec(**SMALL, checkpoint_dir=str(tmp_path))
        model.fit(data.X_train, data.Y_train, callback=lambda event: STOP)
    assert_same(model, fitted)
    seconds = model.profile_["seconds"]
    assert all(seconds[module] > 0 for module in ("features", "shortlist", "classifier", "re-ranker"))


KILLED = """
import os, signal
from xmlwb.atomic import atomic_path
from xmlwb.models import checkpoint
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import Astec
data = make_synthetic(600, 40, n_features=200, random_state=3)
calls = []
class Half:
    def __init__(self, path): self.inner = atomic_path(path)
    def __enter__(self):
        partial = self.inner.__enter__()
        calls.append(1)
        if len(calls) == 9:  # the checkpoint of epoch 9 is half written
            partial.write_bytes(b"half")
            os.kill(os.getpid(), signal.SIGKILL)
        return partial
    def __exit__(self, *error): return self.inner.__exit__(*error)
checkpoint.atomic_path = Half
Astec(**{params}, checkpoint_dir={folder!r}).fit(data.X_train, data.Y_train)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_fit_killed_while_it_writes_loses_that_checkpoint_alone(data, fitted, tmp_path: Path) -> None:
    script = KILLED.format(params=SMALL, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    steps = []
    resumed = Astec(**SMALL, checkpoint_dir=str(tmp_path))
    resumed.fit(data.X_train, data.Y_train, callback=lambda event: steps.append(event.step))
    assert steps == [9, 10]
    assert_same(resumed, fitted)


def test_a_checkpoint_of_another_fit_is_refused(data, fitted, tmp_path: Path) -> None:
    Astec(**SMALL, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train, callback=lambda event: STOP)
    for change, message in (({"gamma": 0.5}, "gamma is 0.075"), ({"n_epochs": 5}, "n_epochs is 4")):
        with pytest.raises(ValueError, match=f"holds a run whose {message}"):
            Astec(**SMALL | change, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)
    vectors = np.ones((200, 24), dtype=np.float32)
    with pytest.raises(ValueError, match="holds a run whose data"):
        Astec(**SMALL, word_vectors=vectors, checkpoint_dir=str(tmp_path)).fit(data.X_train, data.Y_train)


def test_events_tell_the_stage_and_what_it_does(data) -> None:
    events = []
    Astec(**SMALL).fit(data.X_train, data.Y_train, eval_set=(data.X_test, data.Y_test), callback=events.append)
    assert [event.stage for event in events] == ["surrogate"] * 3 + ["classifier"] * 4 + ["re-ranker"] * 3
    assert events[0].figures.keys() == {"loss", "seconds"}
    for event in events[3:]:
        figures = event.figures
        assert figures.keys() == {
            "loss", "seconds", "negative hardness", "shortlist recall", "search recall", "valid P@1", "valid P@5",
        }  # fmt: skip
        assert 0 < figures["negative hardness"] < 1
        assert 0.5 < figures["shortlist recall"] <= 1
        assert figures["search recall"] == 1  # exact


def test_shortlist_recall_is_the_share_of_training_labels(data) -> None:
    events = []
    model = Astec(**SMALL).fit(data.X_train, data.Y_train, callback=events.append)
    lists, _ = model.shortlist(data.X_train)
    Y = data.Y_train.toarray()
    share = sum(Y[i, row[row >= 0]].sum() for i, row in enumerate(lists)) / Y.sum()
    assert events[-1].figures["shortlist recall"] == pytest.approx(share)


def test_profile_tells_what_each_module_costs(fitted, tmp_path: Path) -> None:
    profile = fitted.profile_
    assert json.loads(json.dumps(profile)) == profile
    modules = ["features", "label embedding", "shortlist", "classifier", "re-ranker"]
    assert list(profile["seconds"]) == list(profile["bytes"]) == modules
    assert all(profile["seconds"][module] > 0 for module in modules)
    assert profile["bytes"]["features"] == 4 * 200 * 24
    assert profile["bytes"]["classifier"] == 4 * (40 * 25 + 24 * 25)
    assert profile["bytes"]["re-ranker"] == profile["bytes"]["classifier"] + profile["bytes"]["features"]
    rest = fitted.label_counts_.nbytes + fitted.classes_.nbytes + fitted.learned_.nbytes
    assert sum(profile["bytes"].values()) + rest == fitted.size_bytes_
    assert profile["peak RSS bytes"] > 1 << 20
    assert profile["starting vectors"] == "random: 200 words, 24 dimensions"
    fitted.save(tmp_path / "model")
    assert Astec.load(tmp_path / "model").profile_ == profile


def test_memory_estimate_covers_the_model(data, fitted) -> None:
    n, d = data.X_train.shape
    assert fitted.memory_estimate(n, d, 40, data.X_train.nnz) > fitted.size_bytes_
    without = Astec(**SMALL | {"reranker": False}).memory_estimate(n, d, 40, data.X_train.nnz)
    assert without < fitted.memory_estimate(n, d, 40, data.X_train.nnz)


def test_word_vectors_of_an_array_or_a_file(data, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((200, 24)).astype(np.float32)
    vectors /= np.sqrt(np.mean(np.sum(vectors**2, axis=1)))  # as reading a file scales them
    names = [f"w{i}" for i in range(200)]
    lines = [f"{name} " + " ".join(map(str, row)) for name, row in zip(names, vectors, strict=True)]
    (tmp_path / "w.vec").write_text("\n".join(["200 24", *lines]) + "\n")
    options = SMALL | {"reranker": False, "n_epochs": 1}
    given = Astec(**options, word_vectors=vectors).fit(data.X_train, data.Y_train)
    read = Astec(**options, word_vectors=str(tmp_path / "w.vec"), feature_names=names).fit(data.X_train, data.Y_train)
    np.testing.assert_allclose(read.E_, given.E_, atol=2e-3)
    assert read.profile_["starting vectors"] == "w.vec: 200 of 200 words found, 24 dimensions"
    assert not np.allclose(given.E_, Astec(**options).fit(data.X_train, data.Y_train).E_, atol=1e-2)
    given.save(tmp_path / "model")
    loaded = Astec.load(tmp_path / "model")
    assert loaded.word_vectors is None
    np.testing.assert_array_equal(loaded.predict_topk(data.X_test).data, given.predict_topk(data.X_test).data)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"word_vectors": np.ones((3, 24))}, r"word_vectors has shape \(3, 24\).*each of the 200 features"),
        ({"word_vectors": "nowhere.vec"}, "feature_names is None; wanted the word of each feature"),
        ({"word_vectors": "nowhere.vec", "feature_names": ["a"]}, "feature_names has 1 names; wanted one for each"),
        ({"word_vectors": 3}, "word_vectors is of type int"),
        ({"n_surrogate_labels": 12}, "n_surrogate_labels is 12; wanted a power of 2"),
        ({"beta": 1.5}, "beta is 1.5; wanted a part of 1"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"search": "annoy"}, "search is 'annoy'"),
        ({"n_reranked": 0}, "n_reranked"),
        ({"spectral_bound": 0.0}, "spectral_bound"),
        ({"ef": 0}, "ef"),
        ({"checkpoint_dir": "somewhere", "random_state": None}, "wanted a seed"),
    ],
)
def test_arguments_out_of_range(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Astec(**(SMALL | argument)).fit(data.X_train, data.Y_train)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model: setattr(model, "R_", model.R_[:-1]), "R_ has shape"),
        (lambda model: setattr(model, "reranker_W_", model.W_[:-1]), "reranker_W_ has shape"),
        (lambda model: setattr(model, "learned_", model.learned_ + 1), "learned_"),
        (lambda model: setattr(model, "instances_", model.instances_[:-1]), "instances_ has shape"),
        (lambda model: setattr(model, "n_stages_", 7), "n_stages_ is 7"),
        (lambda model: setattr(model, "label_counts_", np.arange(40)), "learned_"),
    ],
)
def test_parts_that_do_not_fit_are_not_loaded(data, fitted, tmp_path: Path, spoil, message) -> None:
    fitted.save(tmp_path / "whole")
    model = Astec.load(tmp_path / "whole")
    spoil(model)
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=message):
        Astec.load(tmp_path / "model")
