from __future__ import annotations

import numpy as np
import pytest
from label_problems import peak_bytes
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, CompressedSensing, Event, ModelFileError
from xmlwb.models import compressed_sensing as module
from xmlwb.solvers.ridge import RidgeSystem
from xmlwb.solvers.sparse_recovery import DECODERS


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


def best(model: CompressedSensing, ds) -> float:
    return precision_at_k(ds.Y_test, model.predict_topk(ds.X_test, k=1), k=1)[0]


@pytest.mark.parametrize(
    ("matrix", "decoder"),
    [("hadamard", decoder) for decoder in DECODERS] + [("gaussian", "omp"), ("bernoulli", "omp")],
)
def test_every_decoder_and_matrix_learns(planted, matrix: str, decoder: str) -> None:
    model = CompressedSensing(n_measurements=36, matrix=matrix, decoder=decoder, sparsity=5)
    assert best(model.fit(planted.X_train, planted.Y_train), planted) > 0.8


def test_all_rows_of_hadamard_give_the_ridge_itself(planted) -> None:
    """With orthonormal columns A^T (W^T x + b) is the regression on Y, and decoding takes its largest entries."""
    model = CompressedSensing(n_measurements=64, sparsity=40, alpha=0.5).fit(planted.X_train, planted.Y_train)
    assert model.W_.shape == (300, 64)
    W, bias = RidgeSystem(planted.X_train, 0.5).solve(planted.Y_train.toarray())
    scores = planted.X_test @ W + bias
    S = model.predict_topk(planted.X_test, k=40).toarray()
    np.testing.assert_allclose(S[:, model.labels_], scores[:, model.labels_], atol=2e-4)


def test_the_regression_is_that_of_the_measured_labels(planted) -> None:
    model = CompressedSensing(n_measurements=20, matrix="gaussian", alpha=2.0).fit(planted.X_train, planted.Y_train)
    targets = planted.Y_train[:, model.labels_] @ model.measurement_
    W, bias = RidgeSystem(planted.X_train, 2.0).solve(targets)
    np.testing.assert_allclose(model.W_, W, atol=1e-5)
    np.testing.assert_allclose(model.bias_, bias, atol=1e-5)


def test_a_stopped_fit_is_the_model_of_fewer_measurements(planted) -> None:
    def stop_at_third(event: Event):
        return STOP if event.step == 3 else None

    for matrix in ("hadamard", "gaussian"):
        model = CompressedSensing(n_measurements=40, matrix=matrix)
        model.fit(planted.X_train, planted.Y_train, callback=stop_at_third)
        assert model.W_.shape == (300, 15)
        np.testing.assert_allclose(np.mean(np.sum(model._A.toarray() ** 2, axis=0)), 1, atol=0.25)
        targets = model._A.encode(planted.Y_train[:, model.labels_])
        W, _ = RidgeSystem(planted.X_train, 1.0).solve(targets)
        np.testing.assert_allclose(model.W_, W, atol=1e-5)


def test_events_show_precision_grow_with_the_measurements(planted) -> None:
    events: list[Event] = []
    CompressedSensing(n_measurements=40).fit(
        planted.X_train, planted.Y_train, eval_set=(planted.X_test, planted.Y_test), callback=events.append
    )
    assert [event.figures["measurements"] for event in events] == [5, 10, 15, 20, 25, 30, 35, 40]
    precision = [event.figures["valid P@1"] for event in events]
    assert precision[-1] > precision[0] + 0.2


def test_no_more_labels_than_the_sparsity_are_predicted(planted) -> None:
    S = CompressedSensing(sparsity=3).fit(planted.X_train, planted.Y_train).predict_topk(planted.X_test, k=10)
    assert np.diff(S.indptr).max() == 3


def test_batches_of_rows_do_not_matter(planted, monkeypatch) -> None:
    model = CompressedSensing().fit(planted.X_train, planted.Y_train)
    whole = model.predict_topk(planted.X_test)
    monkeypatch.setattr(module, "_ROWS", 7)
    parts = model.predict_topk(planted.X_test)
    np.testing.assert_array_equal(parts.indices, whole.indices)
    np.testing.assert_allclose(parts.data, whole.data, atol=1e-5)


@pytest.mark.parametrize("matrix", ["hadamard", "gaussian"])
def test_a_loaded_model_has_the_same_matrix_without_the_seed(planted, matrix: str, tmp_path) -> None:
    model = CompressedSensing(matrix=matrix, random_state=None).fit(planted.X_train, planted.Y_train)
    model.save(tmp_path / "model")
    loaded = CompressedSensing.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded._A.toarray(), model._A.toarray())


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda model: {"W_": model.W_[:, 1:]}, "W_ has shape"),
        (lambda model: {"measurement_": model.measurement_[:, 1:]}, "measurement_ has shape"),
        (lambda model: {"labels_": model.labels_ + 1}, "wanted ascending label numbers below 40"),
        (lambda model: {"labels_": model.labels_[::-1].copy()}, "wanted ascending label numbers"),
        (lambda model: {"labels_": np.maximum(model.labels_, 1)}, "wanted ascending label numbers"),
        (lambda model: {"labels_": model.labels_ - 1}, "wanted ascending label numbers"),
        (lambda model: {"labels_": model.labels_ + 0.5}, "wanted ascending label numbers"),
        (lambda model: {"labels_": np.full(len(model.labels_), np.nan)}, "wanted ascending label numbers"),
    ],
)
def test_parts_that_do_not_fit_together_are_not_loaded(planted, spoil, message: str, tmp_path) -> None:
    model = CompressedSensing(matrix="gaussian").fit(planted.X_train, planted.Y_train)
    for name, value in spoil(model).items():
        setattr(model, name, value)
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=message):
        CompressedSensing.load(tmp_path / "model")


def test_number_of_measurements() -> None:
    def m(L: int, **params) -> int:
        return CompressedSensing(**params)._number_of_measurements(L)

    assert m(983) == 230  # ceil(5 * 10 * ln(98.3))
    assert m(159) == 139
    assert m(983, sparsity=1) == 35
    assert (m(6), m(10), m(10, sparsity=50)) == (6, 10, 10)
    assert m(1) == 1
    assert m(40, n_measurements=500) == 64
    assert m(40, n_measurements=500, matrix="gaussian") == 40


@pytest.mark.parametrize("matrix", ["hadamard", "gaussian"])
def test_the_memory_estimate_is_near_the_peak(matrix: str) -> None:
    n, d, L = 500, 30, 1200
    rng = np.random.default_rng(0)
    X = sparse.random_array((n, d), density=0.3, rng=rng, dtype=np.float32, format="csr")
    Y = sparse.csr_array((rng.random((n, L)) < 20 / L).astype(np.float32))
    model = CompressedSensing(matrix=matrix, n_measurements=100)
    peak = peak_bytes(lambda: model.fit(X, Y, eval_set=(X[:20], Y[:20])))
    assert len(model.labels_) == L
    assert peak / 1.5 < model.memory_estimate(n, d, L, X.nnz) < 1.5 * peak


def test_too_many_labels_are_refused_with_the_memory_it_takes(monkeypatch) -> None:
    monkeypatch.setattr(module, "MAX_LABELS", 5)
    with pytest.raises(ValueError, match=r"Y has 6 labels .* wanted at most 5 \(the fit would take 0.0 GiB\)"):
        CompressedSensing().fit(sparse.eye_array(6, format="csr"), sparse.eye_array(6, format="csr"))
    Y = sparse.csr_array((np.ones(6), (np.arange(6), np.arange(6) % 5)), shape=(6, 90))
    CompressedSensing().fit(sparse.eye_array(6, format="csr"), Y)  # labels without instances cost nothing


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_measurements": 0}, "n_measurements is 0; wanted a whole number of at least 1"),
        ({"n_measurements": 2.5}, "n_measurements is 2.5"),
        ({"matrix": "fourier"}, "matrix is 'fourier'; wanted one of 'gaussian'"),
        ({"decoder": "magic"}, "decoder is 'magic'; wanted one of 'omp'"),
        ({"sparsity": 0}, "sparsity is 0"),
        ({"alpha": 0}, "alpha is 0; wanted a number above 0"),
        ({"random_state": -1}, "random_state is -1"),
    ],
)
def test_bad_parameters_are_refused(params: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CompressedSensing(**params).fit(np.eye(4), np.eye(4))
