from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, Event, ModelFileError
from xmlwb.models.wsabie import WSABIE


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


def test_planted_labels_come_first(planted) -> None:
    model = WSABIE().fit(planted.X_train, planted.Y_train)
    P = precision_at_k(planted.Y_test, model.predict_topk(planted.X_test), k=2)
    best_possible = np.minimum(np.diff(planted.Y_test.indptr), 2).mean() / 2
    assert P[0] > 0.97
    assert P[1] > 0.93 * best_possible


def test_the_space_may_be_narrower_than_the_labels_or_wider_than_all(planted) -> None:
    for m in (8, 700):
        model = WSABIE(n_components=m).fit(planted.X_train, planted.Y_train)
        assert (model.W_.shape, model.H_.shape) == ((planted.X_train.shape[1], m), (40, m))
        assert precision_at_k(planted.Y_test, model.predict_topk(planted.X_test), k=1)[0] > 0.8


def test_scores_are_the_products_of_the_embeddings(planted) -> None:
    model = WSABIE().fit(planted.X_train, planted.Y_train)
    S = model.predict_topk(planted.X_test, k=40).toarray()
    learned = model.label_counts_ > 0
    expected = planted.X_test @ model.W_ @ model.H_.T + model.bias_
    np.testing.assert_allclose(S[:, learned], expected[:, learned], rtol=1e-3, atol=1e-4)


def test_no_row_is_longer_than_max_norm(planted) -> None:
    free, bound = (WSABIE(max_norm=C).fit(planted.X_train, planted.Y_train) for C in (100, 0.7))
    assert np.linalg.norm(free.H_, axis=1).max() > 1
    for rows in (bound.W_, bound.H_):
        assert np.linalg.norm(rows, axis=1).max() == pytest.approx(0.7, rel=1e-4)


def test_the_loss_and_the_rank_fall(planted) -> None:
    events: list[Event] = []
    WSABIE().fit(planted.X_train, planted.Y_train, callback=events.append)
    assert len(events) == 20
    for figure in ("loss", "rank"):
        values = [event.figures[figure] for event in events]
        assert 0 <= values[-1] < 0.1 * values[0]


def test_a_stopped_fit_is_the_model_as_it_was_then(planted) -> None:
    def stop_at_three(event: Event):
        return STOP if event.step == 3 else None

    stopped = WSABIE().fit(planted.X_train, planted.Y_train, callback=stop_at_three)
    seen: list[float] = []
    held_out = planted.X_test, planted.Y_test
    WSABIE().fit(
        planted.X_train, planted.Y_train, eval_set=held_out, callback=lambda e: seen.append(e.figures["valid P@1"])
    )
    P = precision_at_k(planted.Y_test, stopped.predict_topk(planted.X_test), k=1)
    assert P[0] == pytest.approx(seen[2])


def test_labels_without_positives_have_no_embedding_and_are_not_predicted() -> None:
    rng = np.random.default_rng(0)
    X = sparse.random_array((40, 10), density=0.5, dtype=np.float32, rng=rng).tolil()
    Y = (rng.random((40, 6)) < 0.4).astype(np.float32)
    Y[:, [1, 4]] = 0
    X[:, 3] = 0
    model = WSABIE().fit(X, Y)
    assert sorted(set(model.predict_topk(X, k=6).indices)) == [0, 2, 3, 5]
    assert not model.H_[[1, 4]].any()
    assert not model.W_[3].any()
    assert model.H_[[0, 2, 3, 5]].any(axis=1).all()


def test_an_instance_with_all_labels_does_not_hang() -> None:
    X, Y = np.eye(3, dtype=np.float32), np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0]])
    model = WSABIE(learning_rate=0.5).fit(X, Y)
    assert not model.W_[0].any(), "an instance that has all labels says nothing about their order"
    assert model.predict_topk(X[1:], k=1).indices.tolist() == [0, 1]


def test_the_constant_feature_carries_what_the_features_cannot_say() -> None:
    X = sparse.csr_array((60, 4), dtype=np.float32)
    Y = np.zeros((60, 3))
    Y[:40, 2] = Y[40:55, 0] = Y[55:, 1] = 1
    with_constant, without = (WSABIE(fit_intercept=one).fit(X, Y) for one in (True, False))
    order = np.argsort(-with_constant.bias_)
    assert order.tolist() == [2, 0, 1]
    assert not without.bias_.any()


def test_seeds(planted) -> None:
    one, again, other = (WSABIE(random_state=s, n_epochs=2).fit(planted.X_train, planted.Y_train) for s in (0, 0, 1))
    assert np.array_equal(one.W_, again.W_)
    assert np.array_equal(one.H_, again.H_)
    assert not np.array_equal(one.W_, other.W_)


@pytest.mark.parametrize(
    ("parameter", "value", "message"),
    [
        ("n_components", 0, "a whole number of at least 1"),
        ("n_components", 2.5, "a whole number"),
        ("learning_rate", 0, "a number above 0"),
        ("learning_rate", np.nan, "a number above 0"),
        ("n_epochs", 0, "a whole number of at least 1"),
        ("max_norm", 0, "a number above 0"),
        ("max_draws", 0, "a whole number of at least 1"),
        ("random_state", -1, "a whole number of at least 0"),
    ],
)
def test_parameters_are_checked(parameter: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=f"{parameter} is {value!r}; wanted {message}".replace("(", r"\(")):
        WSABIE(**{parameter: value}).fit(np.eye(3), np.eye(3))


@pytest.mark.parametrize("name", ["W_", "H_", "bias_"])
def test_a_file_whose_arrays_do_not_fit_is_refused(name: str, tmp_path) -> None:
    model = WSABIE(n_components=4).fit(np.eye(3), np.eye(3))
    setattr(model, name, getattr(model, name)[:-1])
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=f"{name} has shape"):
        WSABIE.load(tmp_path / "model")
