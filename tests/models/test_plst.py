from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from label_problems import QUICK, LabelProblem, label_problems

from xmlwb.models import PLST
from xmlwb.models.label_space import label_space_errors


@QUICK
@given(label_problems())
def test_it_is_the_best_approximation_of_rank_m(problem: LabelProblem):
    """Eckart and Young: no other flat of dimension m lies nearer to the centred label vectors."""
    V = PLST(n_components=problem.m, alpha=problem.alpha).fit(problem.X, problem.Y).H_.astype(np.float64)
    scale = max(1.0, np.sum(problem.Y_c**2))
    best = np.sum(np.linalg.svd(problem.Y_c, compute_uv=False)[problem.m :] ** 2)
    np.testing.assert_allclose(V.T @ V, np.eye(problem.m), atol=1e-5)
    assert np.sum((problem.Y_c - problem.Y_c @ V @ V.T) ** 2) == pytest.approx(best, abs=1e-5 * scale)
    assert label_space_errors(problem.X, problem.Y, V).encoding == pytest.approx(best, abs=1e-5 * scale)


def test_an_instance_that_nothing_is_known_about_gets_the_mean():
    X = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=np.float32)  # centred already
    Y = np.array([[1, 0], [0, 0], [1, 0], [1, 1]])
    model = PLST(n_components=1).fit(X, Y)
    scores = model.predict_topk(np.array([[0.0, 0.0, 1.0]]), k=2).toarray()
    np.testing.assert_allclose(scores, [[0.75, 0.25]], atol=1e-6)
