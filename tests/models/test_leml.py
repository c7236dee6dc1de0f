"""LEML: the objective falls, missing entries cost nothing, and the penalty is the trace norm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import LEML, STOP, ModelFileError
from xmlwb.models.leml import _balanced
from xmlwb.models.persistence import write_model
from xmlwb.solvers import sparse_dense
from xmlwb.solvers.factored_loss import LOSSES


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


def dense_objective(model: LEML, W: np.ndarray, H: np.ndarray, X: np.ndarray, Y: np.ndarray) -> float:
    Z = np.hstack([X, np.ones((len(X), 1))]) @ W @ H.T
    sign = 2 * Y - 1
    loss = {
        "squared": (Y - Z) ** 2,
        "logistic": np.logaddexp(0, -sign * Z),
        "squared_hinge": np.maximum(0, 1 - sign * Z) ** 2,
    }[model.loss]
    return float(loss.sum() + model.alpha / 2 * (np.sum(W**2) + np.sum(H**2)))


@settings(max_examples=30, deadline=None)
@given(
    loss=st.sampled_from(sorted(LOSSES)), some=st.booleans(), k=st.integers(1, 12), cg_steps=st.integers(1, 6),
    alpha=st.sampled_from([1e-8, 1e-4, 0.01, 1.0, 30.0]), seed=st.integers(0, 999),
)  # fmt: skip
def test_the_objective_falls_at_every_half_step(loss, some, k, alpha, cg_steps, seed):
    rng = np.random.default_rng(seed)
    X = sparse.random_array((40, 15), density=0.3, format="csr", dtype=np.float32, rng=rng)
    Y = (rng.random((40, 9)) < 0.2).astype(np.float32)
    observed = (rng.random(Y.shape) < 0.5) | (Y > 0) if some else None
    model = LEML(n_components=k, loss=loss, alpha=alpha, cg_steps=cg_steps, n_iter=4, random_state=seed)
    objectives = model.fit(X, Y, observed=observed).objectives_
    assert len(objectives) == 9
    assert (np.diff(objectives) <= 1e-6 * objectives[0]).all()
    assert objectives[-1] < objectives[0]


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_it_ends_where_no_dense_step_leads_lower(loss):
    rng = np.random.default_rng(0)
    X = sparse.random_array((60, 8), density=0.5, format="csr", dtype=np.float32, rng=rng)
    Y = (rng.random((60, 5)) < 0.3).astype(np.float32)
    model = LEML(n_components=2, loss=loss, alpha=0.5, n_iter=60, cg_steps=20).fit(X, Y)
    # bias_ = H w_0 is all that is kept of the constant's weights
    w_0 = np.linalg.lstsq(model.H_.astype(float), model.bias_.astype(float), rcond=None)[0]
    W, H = np.vstack([model.W_, w_0]).astype(float), model.H_.astype(float)
    least = dense_objective(model, W, H, X.toarray(), Y)
    assert least == pytest.approx(model.objectives_[-1], rel=1e-4)
    for _ in range(20):
        step_W, step_H = 0.02 * rng.standard_normal(W.shape), 0.02 * rng.standard_normal(H.shape)
        assert dense_objective(model, W + step_W, H + step_H, X.toarray(), Y) > least


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_all_entries_observed_is_nothing_said(loss, planted):
    X, Y = planted.X_train, planted.Y_train
    everything = LEML(n_components=10, loss=loss, n_iter=2).fit(X, Y)
    named = LEML(n_components=10, loss=loss, n_iter=2).fit(X, Y, observed=np.ones(Y.shape))
    # the squared loss has an exact H step where everything is known, and conjugate gradients elsewhere
    rel = 0.05 if loss == "squared" else 1e-3
    assert named.objectives_[-1] == pytest.approx(everything.objectives_[-1], rel=rel)
    P = [precision_at_k(planted.Y_test, model.predict_topk(planted.X_test), k=1)[0] for model in (everything, named)]
    assert P[0] == pytest.approx(P[1], abs=0.05)


def test_knowing_which_labels_are_missing_helps(planted):
    X, rng = planted.X_train, np.random.default_rng(0)
    lost = rng.random(planted.Y_train.shape) < 0.7
    Y = sparse.csr_array(planted.Y_train.toarray() * ~lost)
    told = LEML(n_components=20).fit(X, Y, observed=~lost)
    untold = LEML(n_components=20).fit(X, Y)
    P_told, P_untold = (precision_at_k(planted.Y_test, m.predict_topk(planted.X_test), k=2)[1] for m in (told, untold))
    assert P_told > P_untold


def test_given_entries_give_the_same_model_for_any_n_jobs(planted, monkeypatch):
    monkeypatch.setattr(sparse_dense, "_SERIAL_BELOW", 0)
    observed = (np.random.default_rng(0).random(planted.Y_train.shape) < 0.5) | (planted.Y_train.toarray() > 0)
    models = [
        LEML(n_jobs=n_jobs, n_iter=2).fit(planted.X_train, planted.Y_train, observed=observed) for n_jobs in (1, 2, 3)
    ]
    for other in models[1:]:
        np.testing.assert_array_equal(other.W_, models[0].W_)
        np.testing.assert_array_equal(other.H_, models[0].H_)


def test_observed_is_checked(planted):
    X, Y = planted.X_train, planted.Y_train
    with pytest.raises(ValueError, match=r"observed has shape \(2, 2\); wanted \(450, 40\)"):
        LEML().fit(X, Y, observed=np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"observed holds 2.0; wanted only 0 and 1"):
        LEML().fit(X, Y, observed=np.full(Y.shape, 2.0))
    with pytest.raises(ValueError, match=rf"observed leaves out {Y.nnz} of the {Y.nnz} ones of Y"):
        LEML().fit(X, Y, observed=sparse.csr_array(Y.shape))
    mask = sparse.coo_array((np.ones(2), ([0, 0], [1, 1])), shape=Y.shape)
    with pytest.raises(ValueError, match=r"observed holds 2.0"):
        LEML().fit(X, Y, observed=mask)
    assert mask.nnz == 2, "the caller's data was changed"


def test_balance_keeps_the_product_and_makes_the_penalty_its_trace_norm():
    rng = np.random.default_rng(0)
    W, H = (rng.standard_normal((rows, 4)).astype(np.float32) for rows in (20, 10))
    W[:, 3] = W[:, 2]  # rank 3
    X = rng.standard_normal((30, 20)).astype(np.float32)
    A = X @ W
    W_new, A_new, H_new = _balanced(W, A, H)
    np.testing.assert_allclose(W_new @ H_new.T, W @ H.T, atol=1e-4)
    trace_norm = np.linalg.svd(W @ H.T, compute_uv=False).sum()
    assert (np.sum(W_new**2) + np.sum(H_new**2)) / 2 == pytest.approx(trace_norm, rel=1e-4)
    gram_H = H_new.T @ H_new
    np.testing.assert_allclose(gram_H, np.diag(np.diag(gram_H)), atol=1e-3)
    np.testing.assert_allclose(A_new, X @ W_new, atol=1e-3)


def test_no_more_components_than_labels_or_features():
    X, Y = np.eye(5, dtype=np.float32), (np.arange(5)[:, None] == np.arange(3)).astype(int)
    assert LEML(n_components=100).fit(X, Y).H_.shape == (3, 3)
    assert LEML(n_components=2).fit(X, Y).W_.shape == (5, 2)


@pytest.mark.parametrize("half_steps", [1, 2, 3])
def test_stopped_after_a_half_step_it_can_be_used(half_steps, planted):
    model = LEML().fit(
        planted.X_train, planted.Y_train, callback=lambda event: STOP if event.step == half_steps else None
    )
    assert len(model.objectives_) == 1 + half_steps
    assert precision_at_k(planted.Y_test, model.predict_topk(planted.X_test), k=1)[0] > 0.5


@pytest.mark.parametrize(
    ("argument", "value"),
    [("n_components", 0), ("loss", "hinge"), ("alpha", 0), ("n_iter", 0), ("cg_steps", 1.5), ("random_state", "x")],
)
def test_bad_arguments(argument, value, planted):
    with pytest.raises(ValueError, match=argument):
        LEML(**{argument: value}).fit(planted.X_train, planted.Y_train)


def test_a_file_with_an_argument_out_of_range_is_not_loaded(planted, tmp_path):
    model = LEML(n_iter=1).fit(planted.X_train, planted.Y_train)
    write_model(tmp_path / "model", "LEML", model.get_params() | {"alpha": -1.0}, model._state())
    with pytest.raises(ModelFileError, match="alpha"):
        LEML.load(tmp_path / "model")
