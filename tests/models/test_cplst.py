from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from label_problems import QUICK, LabelProblem, label_problems, peak_bytes
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import CPLST, PLST
from xmlwb.models.cplst import OCCA_UP_TO, occa
from xmlwb.models.label_space import label_space_errors


def total(problem: LabelProblem, V: np.ndarray) -> float:
    return label_space_errors(problem.X, problem.Y, V, alpha=problem.alpha).total


@QUICK
@given(label_problems())
def test_its_objective_is_never_above_that_of_plst_or_of_chance(problem: LabelProblem):
    ours = CPLST(n_components=problem.m, alpha=problem.alpha).fit(problem.X, problem.Y)
    theirs = PLST(n_components=problem.m, alpha=problem.alpha).fit(problem.X, problem.Y)
    slack = 1e-5 * max(1.0, np.sum(problem.Y_c**2))
    assert total(problem, ours.H_) <= total(problem, theirs.H_) + slack
    assert total(problem, ours.H_) <= total(problem, problem.random_directions()) + slack
    assert ours.objectives_[0] <= total(problem, theirs.H_) + slack, "the first pass starts from PLST"
    assert np.all(np.diff(ours.objectives_) <= slack)


@QUICK
@given(label_problems())
def test_it_is_the_eigendecomposition_of_the_dense_matrix(problem: LabelProblem):
    model = CPLST(n_components=problem.m, alpha=problem.alpha, n_passes=20).fit(problem.X, problem.Y)
    V, W = model.H_.astype(np.float64), model.W_.astype(np.float64)
    scale = max(1.0, np.sum(problem.Y_c**2))
    np.testing.assert_allclose(V.T @ V, np.eye(problem.m), atol=1e-5)
    assert model.objectives_[-1] == pytest.approx(problem.optimum, abs=2e-4 * scale)
    assert total(problem, V) == pytest.approx(model.objectives_[-1], abs=1e-4 * scale)
    rank_m = np.sum((problem.Y_c - problem.X_c @ W @ V.T) ** 2) + problem.alpha * np.sum(W**2)
    assert rank_m == pytest.approx(model.objectives_[-1], abs=1e-4 * scale), "wanted ridge regression held to rank m"


def test_many_labels_take_several_passes_and_reach_the_optimum():
    data = make_synthetic(400, 150, n_features=80, labels_per_instance=3, noise=0.3, random_state=0)
    problem = LabelProblem(data.X_train, data.Y_train, m=8, alpha=1.0, seed=0)
    events = []
    model = CPLST(n_components=8, n_passes=20).fit(problem.X, problem.Y, callback=events.append)
    assert 3 <= len(model.objectives_) < 20
    assert [event.figures["objective"] for event in events] == model.objectives_.tolist()
    assert events[-1].step == events[-1].total
    plst = total(problem, PLST(n_components=8).fit(problem.X, problem.Y).H_)
    assert model.objectives_[-1] - problem.optimum < 1e-2 * (plst - problem.optimum)
    short = CPLST(n_components=8, n_passes=2).fit(problem.X, problem.Y)
    np.testing.assert_array_equal(short.objectives_, model.objectives_[:2])


@QUICK
@given(label_problems())
def test_no_directions_are_predicted_more_easily_than_those_of_occa(problem: LabelProblem):
    V, errors = occa(problem.X, problem.Y, problem.m, alpha=problem.alpha)
    slack = 1e-5 * max(1.0, np.sum(problem.Y_c**2))
    np.testing.assert_allclose(V.T @ V, np.eye(problem.m), atol=1e-10)
    ours = label_space_errors(problem.X, problem.Y, V, alpha=problem.alpha)
    assert ours.prediction == pytest.approx(errors.sum(), abs=slack)
    assert np.all(np.diff(errors) >= 0)
    model = PLST(n_components=problem.m).fit(problem.X, problem.Y)
    for other in (problem.random_directions(), model.H_):
        assert (
            ours.prediction <= label_space_errors(problem.X, problem.Y, other, alpha=problem.alpha).prediction + slack
        )


def test_occa_refuses_what_it_cannot_do():
    data = make_synthetic(60, OCCA_UP_TO + 1, n_features=20, random_state=0)
    with pytest.raises(ValueError, match=r"Y has 4097 labels; wanted at most 4096.*0.4 GiB"):
        occa(data.X_train, data.Y_train, 3)
    few = data.Y_train[:, :5]
    with pytest.raises(ValueError, match="n_components is 6; wanted at most the 5 labels"):
        occa(data.X_train, few, 6)
    with pytest.raises(ValueError, match="n_components is 0"):
        occa(data.X_train, few, 0)
    for alpha in (0, -1.0, np.nan):
        with pytest.raises(ValueError, match=f"alpha is {alpha}; wanted a number above 0"):
            occa(data.X_train, few, 3, alpha=alpha)


def test_occa_takes_the_memory_that_it_says():
    rng = np.random.default_rng(0)
    X, Y = (sparse.csr_array(rng.random((50, width)) < 0.1, dtype=np.float32) for width in (20, 700))
    assert peak_bytes(lambda: occa(X, Y, 5)) == pytest.approx(27 * 700**2, rel=0.1)


def test_passes_are_checked():
    with pytest.raises(ValueError, match="n_passes is 0"):
        CPLST(n_passes=0).fit(np.eye(3), np.eye(3))
