from __future__ import annotations

import tracemalloc

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import STOP, Event, OneVsAll


@pytest.fixture(scope="module")
def data():
    return make_synthetic(500, 100, n_features=400, random_state=5, valid_fraction=0.2)


def test_processes_learn_the_same_model_as_threads(data) -> None:
    threads = OneVsAll(n_jobs=2).fit(data.X_train, data.Y_train)
    with joblib.parallel_config("loky", n_jobs=2):
        processes = OneVsAll(n_jobs=2).fit(data.X_train, data.Y_train)
    assert (threads.coef_ != processes.coef_).nnz == 0
    np.testing.assert_array_equal(threads.intercept_, processes.intercept_)


def test_threshold_prunes_and_nothing_else(data) -> None:
    whole = OneVsAll(threshold=0).fit(data.X_train, data.Y_train).coef_.toarray()
    pruned = OneVsAll(threshold=0.05).fit(data.X_train, data.Y_train).coef_.toarray()
    np.testing.assert_array_equal(pruned, np.where(np.abs(whole) >= 0.05, whole, 0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("n_jobs", [1, 3])
def test_stopping_keeps_the_head_and_never_predicts_the_rest(data, n_jobs: int) -> None:
    stopped = OneVsAll(n_jobs=n_jobs).fit(data.X_train, data.Y_train, callback=lambda event: STOP)
    learned = np.flatnonzero(np.isfinite(stopped.intercept_))
    assert len(learned) == 16
    assert stopped.label_counts_[learned].min() >= np.delete(stopped.label_counts_, learned).max()
    S = stopped.predict_topk(data.X_test, k=100)
    assert set(S.indices) <= set(learned)
    assert stopped.n_labels_ == 100


def test_events_show_precision_on_validation_data_as_it_will_be(data) -> None:
    events: list[Event] = []
    model = OneVsAll(n_jobs=2).fit(
        data.X_train, data.Y_train, eval_set=(data.X_valid, data.Y_valid), callback=events.append
    )
    P = precision_at_k(data.Y_valid, model.predict_topk(data.X_valid), k=5)
    assert events[-1].figures["valid P@1"] == pytest.approx(P[0])
    assert events[-1].figures["valid P@5"] == pytest.approx(P[4])
    assert events[0].figures["valid P@5"] < events[-1].figures["valid P@5"]


def test_a_fit_reports_at_most_64_times() -> None:
    rng = np.random.default_rng(0)
    n, L = 40, 2000
    Y = sparse.csr_array((np.ones(n * 50), (np.repeat(np.arange(n), 50), rng.permutation(L))), shape=(n, L))
    events: list[Event] = []
    OneVsAll().fit(sparse.eye_array(n, format="csr"), Y, callback=events.append)
    assert len(events) == events[-1].total <= 64
    assert events[-1].figures["labels"] == L


def test_a_fit_that_has_not_converged_says_so(data) -> None:
    with pytest.warns(ConvergenceWarning, match=r"6 of 6 blocks of labels .* max_iter=2"):
        OneVsAll(max_iter=2).fit(data.X_train, data.Y_train)


def test_memory_estimate_covers_what_a_fit_allocates(data) -> None:
    OneVsAll().fit(data.X_train, data.Y_train)  # compilation allocates too
    for model in (OneVsAll(), OneVsAll(threshold=0)):
        tracemalloc.start()
        model.fit(data.X_train, data.Y_train)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        n, d = data.X_train.shape
        assert peak <= model.memory_estimate(n=n, d=d, L=100, nnz=data.X_train.nnz) + 200_000  # Python's own objects


@pytest.mark.parametrize("number", [np.int64, np.float32])
def test_numpy_numbers_as_parameters_can_be_saved(data, tmp_path, number) -> None:
    OneVsAll(C=number(2)).fit(data.X_train, data.Y_train).save(tmp_path / "model")
    assert OneVsAll.load(tmp_path / "model").C == 2


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"random_state": np.random.RandomState(0)}, "random_state is RandomState"),
        ({"C": 0}, "C is 0; wanted a number above 0"),
        ({"C": float("nan")}, "C is nan"),
        ({"threshold": -0.1}, "threshold is -0.1; wanted a number of at least 0"),
        ({"tol": 0.0}, "tol is 0.0"),
        ({"max_iter": 0}, "max_iter is 0; wanted a whole number of at least 1"),
        ({"max_iter": 2.5}, "max_iter is 2.5"),
    ],
)
def test_bad_parameters(data, argument: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OneVsAll(**argument).fit(data.X_train, data.Y_train)


def test_classes_may_have_names() -> None:
    X = np.array([[1, 0], [0, 1]] * 5, dtype=np.float32)
    y = np.array(["cat", "dog"] * 5)
    model = OneVsAll().fit(X, y, eval_set=(X, y))
    assert model.predict(X).tolist() == y.tolist()
    with pytest.raises(ValueError, match="Y holds the class 'cow'"):
        model.fit(X, y, eval_set=(X, np.array(["cow"] * 10)))


def test_bibtex_matches_published_peers(real_data) -> None:
    """The peers' one-vs-all reaches P@1 63.4 +- 1 over the ten splits; a broken solver falls far below."""
    from xmlwb.datasets import load

    data = load("bibtex", root=real_data, split=0)
    S = OneVsAll().fit(data.X_train, data.Y_train).predict_topk(data.X_test)
    P = precision_at_k(data.Y_test, S, k=5)
    np.testing.assert_allclose(100 * P[[0, 2, 4]], [63.4, 38.5, 28.0], atol=1.2)
