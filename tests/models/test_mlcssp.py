from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from label_problems import QUICK, LabelProblem, label_problems
from scipy import sparse

from xmlwb.models import MLCSSP, ModelFileError
from xmlwb.models.mlcssp import draw_labels, lift


@QUICK
@given(label_problems())
def test_the_lift_is_the_pseudo_inverse(problem: LabelProblem):
    Y = problem.Y.toarray().astype(np.float64)
    chosen = np.random.default_rng(problem.seed).permutation(Y.shape[1])[: problem.m]
    lifted = lift(problem.Y.tocsc()[:, chosen], problem.Y)
    np.testing.assert_allclose(lifted.T, np.linalg.pinv(Y[:, chosen]) @ Y, atol=1e-5)


@QUICK
@given(label_problems())
def test_the_codes_are_labels(problem: LabelProblem):
    model = MLCSSP(n_components=problem.m, alpha=problem.alpha, random_state=problem.seed).fit(problem.X, problem.Y)
    assert len(set(model.chosen_.tolist())) == problem.m
    if problem.Y.nnz:
        assert np.all(model.label_counts_[model.chosen_] > 0)
    columns = problem.Y.toarray()[:, model.chosen_]
    if np.linalg.matrix_rank(columns) == problem.m:
        np.testing.assert_allclose(model.H_[model.chosen_], np.eye(problem.m), atol=1e-4)


def test_labels_are_drawn_by_leverage():
    V = np.sqrt(np.array([[0.5], [0.3], [0.2], [0.0]]))
    first = np.bincount([draw_labels(V, 1, seed)[0] for seed in range(2000)], minlength=4) / 2000
    np.testing.assert_allclose(first, [0.5, 0.3, 0.2, 0.0], atol=0.04)
    pairs = [tuple(draw_labels(V, 2, seed).tolist()) for seed in range(2000)]
    # 0 and 1 by hand: 0 first and then 1 of what is left, or the other way round
    assert pairs.count((0, 1)) / 2000 == pytest.approx(0.5 * 0.3 / 0.5 + 0.3 * 0.5 / 0.7, abs=0.04)


def test_labels_without_leverage_come_last():
    V = np.array([[0.0], [1.0], [0.0], [0.0]])
    assert draw_labels(V, 3, seed=0).tolist() == [0, 1, 2]


def test_another_seed_draws_other_labels():
    rng = np.random.default_rng(0)
    X = sparse.csr_array(rng.random((60, 10), dtype=np.float32))
    Y = sparse.csr_array((rng.random((60, 30)) < 0.2).astype(np.float32))
    chosen = [MLCSSP(n_components=8, random_state=seed).fit(X, Y).chosen_.tolist() for seed in (0, 0, 1)]
    assert chosen[0] == chosen[1] != chosen[2]


@pytest.mark.parametrize("chosen", [[0, 3], [-1, 2], [0.0, np.nan]])
def test_labels_that_are_none_are_not_loaded(chosen: list[float], tmp_path):
    model = MLCSSP(n_components=2).fit(np.eye(3), np.eye(3))
    model.chosen_ = np.array(chosen)
    model.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match=r"chosen_ holds .*; wanted label numbers below 3"):
        MLCSSP.load(tmp_path / "model")
