"""One set of tests for every method in the registry: what the contract promises, each model must keep."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import check_estimator

import xmlwb.models
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import precision_at_k
from xmlwb.models import METHODS, STOP, Event, ModelFileError, XMCModel
from xmlwb.solvers import sparse_dense

VARIANTS = [pytest.param(info.cls(), id=key) for key, info in METHODS.items()]
NEEDS_HNSWLIB = pytest.mark.skipif(find_spec("hnswlib") is None, reason="hnswlib is not installed (see the README)")
VARIANTS.append(pytest.param(METHODS["knn"].cls(search="hnsw", n_components=64), id="knn-hnsw", marks=NEEDS_HNSWLIB))
VARIANTS.append(pytest.param(METHODS["dxml"].cls(search="hnsw"), id="dxml-hnsw", marks=NEEDS_HNSWLIB))
VARIANTS.append(pytest.param(METHODS["dxml"].cls(n_clusters=3), id="dxml-clusters"))
LEARNERS = [variant for variant in VARIANTS if variant.id != "popular"]


@pytest.fixture(scope="module")
def planted():
    return make_synthetic(600, 40, n_features=300, labels_per_instance=2, noise=0.05, random_state=3)


@pytest.fixture
def tiny():
    rng = np.random.default_rng(0)
    X = sparse.random_array((30, 12), density=0.4, format="csr", dtype=np.float32, rng=rng)
    Y = sparse.csr_array((rng.random((30, 6)) < 0.3).astype(np.float32))
    return X, Y


def same(A: sparse.csr_array, B: sparse.csr_array) -> bool:
    return all(np.array_equal(getattr(A, part), getattr(B, part)) for part in ("indptr", "indices", "data"))


@pytest.mark.parametrize("model", VARIANTS)
class TestEveryModel:
    def test_form_of_a_prediction(self, model: XMCModel, tiny) -> None:
        X, Y = tiny
        S = clone(model).fit(X, Y).predict_topk(X, k=3)
        assert isinstance(S, sparse.csr_array)
        assert S.shape == Y.shape
        assert S.dtype == np.float32
        assert S.has_sorted_indices
        assert np.diff(S.indptr).max() <= 3
        assert np.isfinite(S.data).all()

    def test_fewer_labels_asked_are_the_first_of_more(self, model: XMCModel, planted) -> None:
        model = clone(model).fit(planted.X_train, planted.Y_train)
        three, one = (model.predict_topk(planted.X_test, k=k) for k in (3, 1))
        best = [row.indices[np.argmax(row.data)] for row in (three[[i]] for i in range(three.shape[0])) if row.nnz]
        assert best == one.indices.tolist()

    def test_refit_forgets_the_first_fit(self, model: XMCModel, tiny, planted) -> None:
        X, Y = tiny
        twice = clone(model).fit(planted.X_train, planted.Y_train).fit(X, Y)
        assert same(twice.predict_topk(X), clone(model).fit(X, Y).predict_topk(X))

    def test_same_seed_same_model_for_any_n_jobs(self, model: XMCModel, planted, monkeypatch) -> None:
        monkeypatch.setattr(sparse_dense, "_SERIAL_BELOW", 0)  # threads in the smallest product too
        jobs = (1, 2, 3) if "n_jobs" in model.get_params() else (None, None)
        predictions = []
        for n_jobs in jobs:
            one = clone(model)
            if n_jobs is not None:
                one.set_params(n_jobs=n_jobs)
            predictions.append(one.fit(planted.X_train, planted.Y_train).predict_topk(planted.X_test))
        assert all(same(predictions[0], other) for other in predictions[1:])

    def test_what_prediction_alone_reads_may_change_after_the_fit(self, model: XMCModel, planted) -> None:
        fitted = clone(model).fit(planted.X_train, planted.Y_train)
        for name in sorted(model.prediction_params):
            old = model.get_params()[name]
            changed = {name: max(1, old // 2) if isinstance(old, int) else old / 2}
            anew = clone(model).set_params(**changed).fit(planted.X_train, planted.Y_train)
            assert same(fitted.set_params(**changed).predict_topk(planted.X_test), anew.predict_topk(planted.X_test))
            fitted.set_params(**{name: old})

    def test_save_and_load(self, model: XMCModel, planted, tmp_path) -> None:
        model = clone(model).fit(planted.X_train, planted.Y_train)
        model.save(tmp_path / "model.xmlwb")
        expected = model.predict_topk(planted.X_test)
        for loaded in (type(model).load(tmp_path / "model.xmlwb"), xmlwb.models.load(tmp_path / "model.xmlwb")):
            assert loaded.get_params() == model.get_params()
            assert same(loaded.predict_topk(planted.X_test), expected)
        assert [path.name for path in tmp_path.iterdir()] == ["model.xmlwb"]

    def test_load_refuses_another_method_and_half_a_file(self, model: XMCModel, tiny, tmp_path) -> None:
        path = tmp_path / "model.xmlwb"
        clone(model).fit(*tiny).save(path)
        other = next(info.cls for info in METHODS.values() if info.cls is not type(model))
        with pytest.raises(ModelFileError, match=f"holds a {type(model).__name__}"):
            other.load(path)
        path.write_bytes(path.read_bytes()[:-7])
        with pytest.raises(ModelFileError, match="not a whole model file"):
            type(model).load(path)

    def test_empty_instances_and_labels_are_legal(self, model: XMCModel, tiny) -> None:
        X, Y = tiny[0].copy().tolil(), tiny[1].copy().tolil()
        X[3] = 0  # an instance without features
        Y[5] = 0  # an instance without labels
        Y[:, 2] = 0  # a label without instances
        X, Y = X.tocsr(), Y.tocsr()
        model = clone(model).fit(X, Y)
        S = model.predict_topk(X, k=Y.shape[1])
        assert S.shape == Y.shape
        assert 2 not in S.indices, "a label without a training positive was predicted"
        P = clone(model).fit(X, sparse.csr_array(Y.shape)).predict_topk(X)
        assert P.nnz == 0, "nothing was learned, so nothing can be predicted"

    @pytest.mark.parametrize(
        "form",
        [
            sparse.csr_matrix,
            sparse.csc_array,
            sparse.coo_array,
            lambda A: A.toarray(),
            lambda A: sparse.csr_array((A.data, A.indices.astype(np.int64), A.indptr.astype(np.int64)), A.shape),
            lambda A: shuffled_with_duplicates(A),
            lambda A: as_float64(shuffled_with_duplicates(A)),
            lambda A: coo_with_duplicates(A),
            lambda A: backwards_in_memory(A),
            lambda A: every_other_in_memory(A),
        ],
        ids=["csr_matrix", "csc", "coo", "dense", "int64", "unsorted+duplicates", "float64 unsorted+duplicates",
             "coo+duplicates", "reversed view", "strided view"],
    )  # fmt: skip
    def test_any_form_of_input_gives_the_same_model(self, model: XMCModel, tiny, form) -> None:
        X, Y = tiny
        X_other, Y_other = form(X), form(Y)
        before = [stored(A) for A in (X_other, Y_other)]
        S = clone(model).fit(X_other, Y_other, eval_set=(X_other, Y_other)).predict_topk(X_other)
        assert same(S, clone(model).fit(X, Y).predict_topk(X))
        for given, kept in zip((X_other, Y_other), before, strict=True):
            for part, old in zip(stored(given), kept, strict=True):
                np.testing.assert_array_equal(part, old, err_msg="the caller's data was changed")

    def test_events_and_stop(self, model: XMCModel, planted) -> None:
        events: list[Event] = []

        def stop_at_once(event: Event):
            events.append(event)
            return STOP

        stopped = clone(model).fit(planted.X_train, planted.Y_train, callback=stop_at_once)
        assert len(events) == 1
        assert 1 == events[0].step <= events[0].total
        assert stopped.predict_topk(planted.X_test).nnz > 0

        events.clear()
        clone(model).fit(planted.X_train, planted.Y_train, callback=events.append)
        assert [event.step for event in events] == list(range(1, events[-1].total + 1))
        with pytest.raises(TypeError, match="callback returned True"):
            clone(model).fit(planted.X_train, planted.Y_train, callback=lambda event: True)

    def test_a_failed_refit_leaves_no_half_of_two_models(self, model: XMCModel, tiny, planted, tmp_path) -> None:
        def fail(event: Event) -> None:
            raise KeyboardInterrupt

        interrupted = clone(model).fit(planted.X_train, planted.Y_train)
        with pytest.raises(KeyboardInterrupt):
            interrupted.fit(*tiny, callback=fail)
        refused = clone(model).fit(planted.X_train, planted.Y_train)
        with pytest.raises(ValueError, match="Y holds"):
            refused.fit(tiny[0], tiny[1] * 2)
        for unusable in (interrupted, refused):
            with pytest.raises(NotFittedError):
                unusable.predict_topk(tiny[0])
            with pytest.raises(NotFittedError):
                unusable.save(tmp_path / "model")
            unusable.fit(*tiny).predict_topk(tiny[0])

    def test_parts_that_do_not_fit_together_are_not_loaded(self, model: XMCModel, tiny, tmp_path) -> None:
        fitted = clone(model).fit(*tiny)
        fitted.label_counts_ = fitted.label_counts_[:-1]
        fitted.save(tmp_path / "model")
        with pytest.raises(ModelFileError, match=r"label_counts_ has shape \(5,\); wanted \(6,\)"):
            type(model).load(tmp_path / "model")

    def test_events_tell_validation_precision(self, model: XMCModel, planted) -> None:
        events: list[Event] = []
        held_out = (planted.X_test, planted.Y_test)
        model = clone(model).fit(planted.X_train, planted.Y_train, eval_set=held_out, callback=events.append)
        P = precision_at_k(planted.Y_test, model.predict_topk(planted.X_test), k=5)
        assert events[-1].figures["valid P@1"] == pytest.approx(P[0])
        assert events[-1].figures["valid P@5"] == pytest.approx(P[4])

    def test_eval_set_is_checked(self, model: XMCModel, tiny) -> None:
        X, Y = tiny
        clone(model).fit(X, Y, eval_set=(X, Y))
        with pytest.raises(ValueError, match="eval_set is of type list"):
            clone(model).fit(X, Y, eval_set=[X, Y])
        with pytest.raises(ValueError, match="Y of eval_set has 5 labels; wanted 6"):
            clone(model).fit(X, Y, eval_set=(X, Y[:, :5]))

    def test_memory_estimate_grows_with_the_problem(self, model: XMCModel) -> None:
        small = model.memory_estimate(n=1000, d=1000, L=1000, nnz=20_000)
        assert 0 < small < model.memory_estimate(n=10_000, d=10_000, L=10_000, nnz=200_000)

    def test_size_is_that_of_the_arrays(self, model: XMCModel, tiny, tmp_path) -> None:
        model = clone(model).fit(*tiny)
        model.save(tmp_path / "model")
        assert 0 < model.size_bytes_ <= (tmp_path / "model").stat().st_size

    def test_scikit_learn_conventions(self, model: XMCModel) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their data is not ours to mend
            check_estimator(clone(model))


@pytest.mark.parametrize("model", LEARNERS)
def test_planted_answer(model: XMCModel, planted) -> None:
    S = clone(model).fit(planted.X_train, planted.Y_train).predict_topk(planted.X_test)
    floor = METHODS["popular"].cls().fit(planted.X_train, planted.Y_train).predict_topk(planted.X_test)
    P, P_floor = (precision_at_k(planted.Y_test, scores, k=2) for scores in (S, floor))
    assert P[0] > 0.85
    assert P[1] > P_floor[1] + 0.3


def with_value(A: sparse.csr_array, value: float) -> sparse.csr_array:
    A = A.copy()
    A.data[7] = value
    return A


def with_index(A: sparse.csr_array, index: int) -> sparse.csr_array:
    A = A.copy()
    A.indices[-1] = index  # scipy takes it as it is
    return A


BAD_FITS = {
    "NaN in X": (lambda X, Y: (with_value(X, np.nan), Y), r"X contains NaN.*row \d+, column \d+"),
    "inf in X": (lambda X, Y: (with_value(X, np.inf), Y), r"X contains inf.*row \d+, column \d+"),
    "more rows in X": (lambda X, Y: (X, Y[:-1]), "X has 30 rows and Y has 29"),
    "fewer rows in X": (lambda X, Y: (X[:-1], Y), "X has 29 rows and Y has 30"),
    "an index out of range": (lambda X, Y: (with_index(X, 2**30), Y), "X holds the index 1073741824; wanted 0..11"),
    "an index below 0 in Y": (lambda X, Y: (X, with_index(Y, -1)), "Y holds the index -1; wanted 0..5"),
    "no rows": (lambda X, Y: (X[:0], Y[:0]), r"X: found array with 0 sample\(s\)"),
    "Y not 0/1": (lambda X, Y: (X, with_value(Y, 2.0)), r"Y holds 2.0; wanted only 0 and 1"),
    "dense Y not 0/1": (lambda X, Y: (X, with_value(Y, 0.5).toarray()), r"Y holds 0.5"),
    "NaN in dense Y": (lambda X, Y: (X, with_value(Y, np.nan).toarray()), "Y holds nan"),
    "text in Y": (lambda X, Y: (X, Y.toarray().astype(str)), "Y has dtype <U"),
    "NaN in Y": (lambda X, Y: (X, with_value(Y, np.nan)), "Y holds nan"),
    "no labels": (lambda X, Y: (X, Y[:, :0]), "Y has 0 labels"),
}
BAD_PREDICTS = {
    "an index out of range": (lambda X: (with_index(X, 12), 2), "X holds the index 12; wanted 0..11"),
    "NaN in X": (lambda X: (with_value(X, np.nan), 2), "X contains NaN"),
    "wider": (lambda X: (sparse.hstack([X, X]).tocsr(), 2), "X has 24 features, but .* is expecting 12 features"),
    "narrower": (lambda X: (X[:, :5], 2), "X has 5 features, but .* is expecting 12 features"),
    "no rows": (lambda X: (X[:0], 2), r"X: found array with 0 sample\(s\)"),
    "k of 0": (lambda X: (X, 0), "k is 0; wanted 1 <= k <= 6"),
    "k above L": (lambda X: (X, 7), "k is 7; wanted 1 <= k <= 6"),
    "k not whole": (lambda X: (X, 2.5), "k is 2.5; wanted a whole number"),
}


@pytest.mark.parametrize("model", VARIANTS)
@pytest.mark.parametrize("case", BAD_FITS)
def test_bad_input_to_fit(model: XMCModel, case: str, tiny) -> None:
    spoil, message = BAD_FITS[case]
    with pytest.raises(ValueError, match=message):
        clone(model).fit(*spoil(*tiny))


@pytest.mark.parametrize("model", VARIANTS)
@pytest.mark.parametrize("case", BAD_PREDICTS)
def test_bad_input_to_predict(model: XMCModel, case: str, tiny) -> None:
    spoil, message = BAD_PREDICTS[case]
    fitted = clone(model).fit(*tiny)
    X, k = spoil(tiny[0])
    with pytest.raises(ValueError, match=message):
        fitted.predict_topk(X, k=k)


@pytest.mark.parametrize("model", VARIANTS)
def test_nothing_works_before_fit(model: XMCModel, tiny, tmp_path) -> None:
    with pytest.raises(NotFittedError):
        clone(model).predict_topk(tiny[0])
    with pytest.raises(NotFittedError):
        clone(model).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def shuffled_with_duplicates(A: sparse.csr_array) -> sparse.csr_array:
    """The same matrix with each row's entries reversed and, where values may add up, its first entry in two halves."""
    rng = np.random.default_rng(1)
    is_indicator = bool(np.all(A.data == 1))
    data, indices, indptr = [], [], [0]
    for i in range(A.shape[0]):
        part = slice(A.indptr[i], A.indptr[i + 1])
        values, columns = A.data[part].tolist(), A.indices[part].tolist()
        if values:
            share = values[0] if is_indicator else values[0] / 2  # halves of a float32 add up exactly
            values, columns = [share, *values[1:], share], [*columns, columns[0]]
        order = rng.permutation(len(values))
        data += [values[j] for j in order]
        indices += [columns[j] for j in order]
        indptr.append(len(data))
    return sparse.csr_array((np.array(data, dtype=np.float32), np.array(indices), np.array(indptr)), shape=A.shape)


def as_float64(A: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((A.data.astype(np.float64), A.indices, A.indptr), shape=A.shape)  # A.astype adds up


def coo_with_duplicates(A: sparse.csr_array) -> sparse.coo_array:
    unsorted = shuffled_with_duplicates(A)
    rows = np.repeat(np.arange(A.shape[0]), np.diff(unsorted.indptr))
    return sparse.coo_array((unsorted.data, (rows, unsorted.indices)), shape=A.shape)


def backwards_in_memory(A: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((A.data[::-1].copy()[::-1], A.indices, A.indptr), shape=A.shape)


def every_other_in_memory(A: sparse.csr_array) -> sparse.csr_array:
    return sparse.csr_array((np.repeat(A.data, 2)[::2], A.indices, A.indptr), shape=A.shape)


def stored(A) -> list[np.ndarray]:
    """Copies of the arrays that a matrix consists of."""
    parts = ("data", "indices", "indptr", "row", "col") if sparse.issparse(A) else ()
    return [getattr(A, part).copy() for part in parts if hasattr(A, part)] or [np.array(A)]
