from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, reject
from label_problems import QUICK, LabelProblem, label_problems, peak_bytes, scores_of
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import CPLST, MLCSSP, PLST, STOP, SVDLabels
from xmlwb.models.label_space import label_space_errors
from xmlwb.solvers import centred_labels, ridge

ALL = [SVDLabels, PLST, CPLST, MLCSSP]


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(300, 30, n_features=200, labels_per_instance=2, noise=0.05, random_state=3)


@pytest.fixture
def no_factor(monkeypatch):
    """Every ridge system is solved by conjugate gradients."""
    monkeypatch.setattr(ridge, "DIRECT_UP_TO", 0)


@QUICK
@given(label_problems())
def test_the_errors_are_those_of_the_dense_computation(problem: LabelProblem):
    V = problem.random_directions()
    errors = label_space_errors(problem.X, problem.Y, V, alpha=problem.alpha)
    Z = problem.Y_c @ V
    W = np.linalg.solve(problem.X_c.T @ problem.X_c + problem.alpha * np.eye(problem.X.shape[1]), problem.X_c.T @ Z)
    prediction = np.sum((problem.X_c @ W - Z) ** 2) + problem.alpha * np.sum(W**2)
    encoding = np.sum((problem.Y_c - Z @ V.T) ** 2)
    scale = max(1.0, np.sum(problem.Y_c**2))
    assert errors.prediction == pytest.approx(prediction, abs=1e-5 * scale)
    assert errors.encoding == pytest.approx(encoding, abs=1e-5 * scale)
    assert errors.total == errors.prediction + errors.encoding


@pytest.mark.parametrize("alpha", [0, -1.0, np.nan])
def test_the_errors_need_a_penalty(alpha):
    with pytest.raises(ValueError, match=f"alpha is {alpha}; wanted a number above 0"):
        label_space_errors(sparse.eye_array(3, format="csr"), sparse.eye_array(3, format="csr"), np.eye(3), alpha=alpha)


@pytest.mark.parametrize("method", ALL)
@QUICK
@given(problem=label_problems())
def test_with_all_directions_it_is_plain_ridge(method, problem: LabelProblem):
    """Also where the label columns depend on each other; only fewer instances than labels hold fewer directions."""
    learned = np.bincount(problem.Y.indices, minlength=problem.Y.shape[1]) > 0
    if learned.sum() > problem.X.shape[0]:
        reject()
    model = method(n_components=1000, alpha=problem.alpha).fit(problem.X, problem.Y)
    X_new = np.random.default_rng(0).random((5, problem.X.shape[1]))
    expected = problem.ridge_scores(X_new)
    np.testing.assert_allclose(scores_of(model, X_new)[:, learned], expected[:, learned], atol=2e-3)
    assert np.all(model.bias_[~learned] == -np.inf)


@pytest.mark.parametrize("method", ALL)
def test_conjugate_gradients_find_what_the_factor_finds(method, planted, no_factor, monkeypatch):
    iterative = method(n_components=10).fit(planted.X_train, planted.Y_train)
    monkeypatch.setattr(ridge, "DIRECT_UP_TO", 4096)
    direct = method(n_components=10).fit(planted.X_train, planted.Y_train)
    X = planted.X_test.toarray()
    np.testing.assert_allclose(scores_of(iterative, X), scores_of(direct, X), atol=2e-2)


@pytest.mark.parametrize("method", [SVDLabels, PLST, MLCSSP])
def test_each_conjugate_gradient_step_is_an_event(method, planted, no_factor):
    events = []
    held_out = (planted.X_test, planted.Y_test)
    model = method(n_components=10)
    model.fit(planted.X_train, planted.Y_train, eval_set=held_out, callback=events.append)
    assert [event.step for event in events] == list(range(1, events[-1].total + 1))
    assert len(events) > 3
    residuals = [event.figures["residual"] for event in events[:-1]]
    assert residuals[-1] < 1e-2 * residuals[0]
    P = precision_at_k(planted.Y_test, model.predict_topk(planted.X_test, k=5), k=5)
    assert events[-1].figures["valid P@1"] == pytest.approx(P[0])


@pytest.mark.parametrize("method", ALL)
def test_stopped_conjugate_gradients_leave_a_usable_model(method, planted, no_factor):
    events = []

    def stop_at_third(event):
        events.append(event)
        return STOP if event.step == min(3, event.total) else None

    model = method(n_components=10).fit(planted.X_train, planted.Y_train, callback=stop_at_third)
    assert 1 <= len(events) <= 3
    assert np.isfinite(model.W_).all()
    assert model.predict_topk(planted.X_test, k=5).nnz == 5 * planted.X_test.shape[0]


@pytest.mark.parametrize("method", ALL)
def test_more_components_than_there_are_become_as_many_as_there_are(method, planted):
    few = slice(0, 7)
    model = method(n_components=500).fit(planted.X_train[few], planted.Y_train[few])
    n_learned = np.count_nonzero(model.label_counts_)
    assert model.W_.shape == (200, min(7, n_learned))
    assert model.H_.shape == (30, min(7, n_learned))


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(("parameter", "value"), [("n_components", 0), ("n_components", 2.5), ("alpha", 0.0)])
def test_parameters_are_checked(method, parameter, value, planted):
    with pytest.raises(ValueError, match=f"{parameter} is {value}"):
        method(**{parameter: value}).fit(planted.X_train, planted.Y_train)


@pytest.mark.parametrize("method", ALL)
def test_memory_follows_the_arrays_not_the_square_of_the_labels(method):
    estimate = method().memory_estimate(n=500_000, d=140_000, L=670_000, nnz=40_000_000)
    arrays = 4 * 100 * (500_000 + 140_000 + 670_000)
    assert arrays < estimate < 30 * arrays


@pytest.mark.parametrize("method", ALL)
@pytest.mark.parametrize(
    ("n", "d", "L", "m"),
    [(300, 50, 300, 20), (250, 50, 700, 10), (700, 50, 800, 20), (400, 50, 500, 101), (200, 4200, 200, 20)],
    ids=["Gram", "Gram of instances", "Lanczos", "many directions", "conjugate gradients"],
)
def test_the_memory_estimate_is_near_the_peak(method, n, d, L, m, monkeypatch):
    monkeypatch.setattr(centred_labels, "GRAM_UP_TO", 300)
    rng = np.random.default_rng(0)
    X = sparse.random_array((n, d), density=20 / d, rng=rng, dtype=np.float32, format="csr")
    Y = sparse.csr_array((rng.random((n, L)) < 3 / L).astype(np.float32))
    model = method(n_components=m)
    peak = peak_bytes(lambda: model.fit(X, Y))
    assert peak / 3 < model.memory_estimate(n, d, L, X.nnz) < 3 * peak


@pytest.mark.parametrize("method", ALL)
def test_arrays_that_do_not_fit_together_are_refused(method, planted):
    model = method(n_components=5).fit(planted.X_train, planted.Y_train)
    model.W_ = model.W_[:, :3]
    with pytest.raises(ValueError, match=r"W_ has shape \(200, 3\); wanted \(200, 5\)"):
        model._check_state()


def test_predict_rounds_at_one_half():
    X = sparse.csr_array(np.array([[1, 0], [0, 1]] * 10, dtype=np.float32))
    Y = sparse.csr_array(np.array([[1, 0, 0], [0, 1, 1]] * 10, dtype=np.float32))
    for method in ALL:
        np.testing.assert_array_equal(method(alpha=0.1).fit(X, Y).predict(X).toarray(), Y.toarray())
