"""Chapter 09: the checkers know the usual mistakes, and what the references compute is what libraries compute."""

from __future__ import annotations

import numpy as np
import pytest

from xmlwb.lessons.ablation_exercises import HOLM, MAY_BE_BEST, PAIRED_INTERVAL, holm, may_be_best, paired_interval
from xmlwb.lessons.exercises import Exercise, Mistake, judge
from xmlwb.significance import paired_test

MISTAKES = [(found, mistake) for found in (PAIRED_INTERVAL, HOLM, MAY_BE_BEST) for mistake in found.mistakes]


@pytest.mark.parametrize(("found", "mistake"), MISTAKES, ids=[f"{f.name}: {m.why[:30]}" for f, m in MISTAKES])
def test_who_makes_a_known_mistake_is_told_so(found: Exercise, mistake: Mistake) -> None:
    verdict = judge(found, mistake.function)
    assert verdict.status == "failed"
    assert verdict.cause == mistake.why


def test_the_paired_interval_is_the_library_s() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random((2, 200))
    draws = np.random.default_rng(5).integers(0, 200, size=(300, 200))
    theirs = paired_test(a, b, n_resamples=300, random_state=5)
    assert paired_interval(a, b, draws) == pytest.approx((theirs.difference, theirs.low, theirs.high))


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])).tolist() == pytest.approx([0.03, 0.06, 0.06])


def test_the_best_stays_and_so_does_who_is_not_told_from_it() -> None:
    assert may_be_best([0.2, 0.5, 0.49], [0.001, float("nan"), 0.2], 0.05) == [1, 2]
