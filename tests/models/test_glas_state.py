"""GLaS after the fit: what is fitted state, what a file must hold, what training leaves behind and takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import STOP, EmbeddingClassifier, ModelFileError
from xmlwb.models import glas as module

SMALL = {"n_components": 8, "n_epochs": 2, "batch_size": 64, "device": "cpu"}


@pytest.fixture(scope="module")
def data():
    return make_synthetic(300, 20, n_features=60, random_state=3)


def fit(data, **changes) -> EmbeddingClassifier:
    return EmbeddingClassifier(**SMALL | changes).fit(data.X_train, data.Y_train)


@pytest.mark.parametrize(
    ("given", "then"),
    [
        ({}, {"activation": None}), ({"activation": None}, {"activation": "relu"}), ({}, {"n_hidden": 5}),
        ({"n_hidden": 8}, {"n_hidden": None}), ({"n_hidden": 8}, {"n_hidden": 9}), ({}, {"n_components": 3}),
        ({}, {"search": "hnsw"}),
    ],
    ids=str,
)  # fmt: skip
def test_arguments_that_change_after_the_fit_change_no_answer(data, tmp_path: Path, given: dict, then: dict) -> None:
    model = fit(data, **given)
    before = model.predict_topk(data.X_test, k=5)
    model.set_params(**then)
    model.save(tmp_path / "model")
    for changed in (model, EmbeddingClassifier.load(tmp_path / "model")):
        np.testing.assert_array_equal(changed.predict_topk(data.X_test, k=5).toarray(), before.toarray())


def test_a_second_fit_takes_the_new_arguments(data) -> None:
    model = fit(data, n_hidden=12)
    model.set_params(n_hidden=None, activation=None).fit(data.X_train, data.Y_train)
    assert model.activation_ is None
    assert not hasattr(model, "W2_")
    assert model.embed(data.X_test).min() < 0


@pytest.mark.parametrize(
    ("name", "damaged", "message"),
    [
        ("learned_", lambda m: m.learned_.astype(np.float64), "learned_"),
        ("learned_", lambda m: m.learned_[::-1].copy(), "learned_"),
        ("learned_", lambda m: m.learned_[None, :].copy(), "learned_"),
        ("learned_", lambda m: np.arange(m.n_labels_), "learned_"),
        ("learned_", lambda m: m.learned_[:-1].copy(), "learned_"),
        ("activation_", lambda m: "tanh", "activation_ is 'tanh'"),
        ("W1_", lambda m: m.W1_[:, :5].copy(), "W1_ leads to 5|b1_ has shape"),
    ],
)
def test_what_does_not_belong_together_is_not_loaded(data, tmp_path: Path, name: str, damaged, message: str) -> None:
    Y = data.Y_train.toarray()
    Y[:, 7] = 0  # a label that was not learned
    model = EmbeddingClassifier(**SMALL).fit(data.X_train, Y)
    assert 7 not in model.learned_
    setattr(model, name, damaged(model))
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=message):
        EmbeddingClassifier.load(tmp_path / "model")


def test_weights_that_are_no_numbers_are_not_blamed_on_x_alone(data) -> None:
    model = fit(data)
    model.W1_ = np.full_like(model.W1_, np.nan)
    with pytest.raises(ValueError, match=r"the network answers with NaN or inf: .* the model is damaged"):
        model.predict_topk(data.X_test)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"learning_rate": 1e30}, r"learning_rate 1e\+30"),
        ({"scale": 1e38, "loss": "margin"}, r"scale 1e\+38"),
        ({"margin": 1e38, "loss": "margin", "n_epochs": 3}, r"margin 1e\+38"),
    ],
    ids=str,
)
def test_training_that_diverges_names_what_may_be_too_large(data, change: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f"training diverges; wanted lower values among .*{named}"):
        fit(data, **change)


def test_an_epoch_takes_the_weights_over_once(data, tmp_path: Path, monkeypatch) -> None:
    """And data are not hashed where there is no checkpoint."""
    kept, hashed = [], []
    keep, fingerprint = EmbeddingClassifier._keep, module.fingerprint
    monkeypatch.setattr(EmbeddingClassifier, "_keep", lambda self, net: kept.append(1) or keep(self, net))
    monkeypatch.setattr(module, "fingerprint", lambda *data: hashed.append(1) or fingerprint(*data))
    fit(data)
    assert (len(kept), len(hashed)) == (2, 0)
    stopped = EmbeddingClassifier(**SMALL, checkpoint_dir=str(tmp_path))
    stopped.fit(data.X_train, data.Y_train, callback=lambda event: STOP)
    assert (len(kept), len(hashed)) == (3, 1)
    resumed = fit(data, checkpoint_dir=str(tmp_path))
    assert len(kept) == 5  # once for the checkpoint
    again = fit(data, checkpoint_dir=str(tmp_path))  # nothing is left to do
    assert len(kept) == 6
    np.testing.assert_array_equal(again.W1_, resumed.W1_)


GROWTH = """
import gc, json, tempfile
from pathlib import Path
import numpy as np
from scipy import sparse
from xmlwb.models import EmbeddingClassifier
rng = np.random.default_rng(0)
n, D, L = 200, 40_000, 1_000
X = sparse.random_array((n, D), density=20 / D, format="csr", dtype=np.float32, rng=rng)
Y = sparse.csr_array((np.ones(3 * n), (np.repeat(np.arange(n), 3), rng.integers(L, size=3 * n))), shape=(n, L))
Y.sum_duplicates()
Y.data[:] = 1
def peak():  # of this program alone: getrusage's begins with that of the process that started it
    return 1024 * int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
EmbeddingClassifier(n_components=8, n_epochs=1, device="cpu").fit(X[:, :100], Y).predict_topk(X[:, :100], k=3)
base, found = peak(), []
for patience, keeps in ((None, False), (5, False), (5, True)):  # each needs more than the one before
    with tempfile.TemporaryDirectory() as folder:
        model = EmbeddingClassifier(
            n_components=256, n_epochs=2, device="cpu", patience=patience, checkpoint_dir=folder if keeps else None
        ).fit(X, Y, eval_set=(X, Y))
    found.append((peak() - base, model.memory_estimate(n, D, L, X.nnz)))
    del model
    gc.collect()
print(json.dumps(found))
"""


STATUS = Path("/proc/self/status")


@pytest.mark.skipif(not STATUS.exists() or "VmHWM:" not in STATUS.read_text(), reason="no peak in /proc/self/status")
def test_memory_estimate_is_near_the_peak() -> None:
    done = subprocess.run([sys.executable, "-c", GROWTH], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for grown, estimate in json.loads(done.stdout):
        assert 0.75 * grown < estimate < 1.5 * grown, done.stdout


def test_memory_estimate_counts_the_labels_of_a_batch_among_the_candidates() -> None:
    few, all_labels = EmbeddingClassifier(n_negatives=10), EmbeddingClassifier()
    scores = 4 * 4 * 1024 * 100_000
    assert few.memory_estimate(10**6, 100, 100_000, 10**6) > scores
    assert few.memory_estimate(10**6, 100, 10**6, 10**6) < all_labels.memory_estimate(10**6, 100, 10**6, 10**6)
