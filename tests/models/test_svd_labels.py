from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from label_problems import QUICK, LabelProblem, label_problems

from xmlwb.models import SVDLabels


@QUICK
@given(label_problems())
def test_it_is_the_best_approximation_of_rank_m(problem: LabelProblem):
    V = SVDLabels(n_components=problem.m, alpha=problem.alpha).fit(problem.X, problem.Y).H_.astype(np.float64)
    Y = problem.Y.toarray().astype(np.float64)
    best = np.sum(np.linalg.svd(Y, compute_uv=False)[problem.m :] ** 2)
    assert np.sum((Y - Y @ V @ V.T) ** 2) == pytest.approx(best, abs=1e-5 * max(1.0, Y.sum()))
