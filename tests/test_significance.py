"""Intervals and tests over families of instances: whole groups are resampled, and their signs flipped, together."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from xmlwb.significance import bootstrap_interval, paired_test


def _width(interval) -> float:
    return interval.high - interval.low


@pytest.fixture
def pair():
    """(reached, best) of two models on 400 instances, as PSP has them."""
    rng = np.random.default_rng(0)
    best = rng.uniform(1, 20, 400)
    return (best * rng.random(400), best), (best * rng.random(400) ** 1.1, best)


def test_groups_of_one_change_nothing(pair):
    (a, best), (b, _) = pair
    names = [f"source {i * 7 % 400}" for i in range(400)]  # not in sorted order
    assert bootstrap_interval(a, groups=names) == bootstrap_interval(a)
    assert bootstrap_interval((a, best), groups=names) == bootstrap_interval((a, best))
    assert paired_test(a, b, groups=names) == paired_test(a, b)
    assert paired_test((a, best), (b, best), groups=names) == paired_test((a, best), (b, best))


@pytest.mark.parametrize("as_pairs", [False, True])
@pytest.mark.parametrize("repeat", [np.repeat, np.tile])
def test_copies_of_an_instance_are_no_evidence(pair, as_pairs, repeat):
    m = 9
    once = [half if as_pairs else half[0] for half in pair]
    a, b = (tuple(repeat(v, m) for v in half) if as_pairs else repeat(half, m) for half in once)
    groups = repeat(np.arange(400), m)
    grouped, alone = bootstrap_interval(a, groups=groups), bootstrap_interval(once[0])
    assert dataclasses.astuple(grouped) == pytest.approx(dataclasses.astuple(alone))
    assert _width(alone) / _width(bootstrap_interval(a)) == pytest.approx(3, rel=0.1)  # the square root of m
    grouped, alone = paired_test(a, b, groups=groups), paired_test(*once)
    for figure in ("difference", "low", "high", "p_value"):
        assert getattr(grouped, figure) == pytest.approx(getattr(alone, figure)), figure
    assert (grouped.n, grouped.n_groups) == (3600, 400)
    assert (alone.n, alone.n_groups) == (400, 400)
    assert paired_test(a, b).p_value < grouped.p_value


def test_interval_of_families_of_unlike_size_covers_the_truth():
    """Instances of a family agree; the figure is the mean over instances, so that large families weigh more."""
    rng = np.random.default_rng(3)
    covered = dict.fromkeys(["families", "instances"], 0)
    for trial in range(150):
        sizes = rng.integers(1, 10, 100)
        values = np.repeat(rng.random(100) < 0.3, sizes).astype(float)
        settings = {"confidence": 0.9, "n_resamples": 300, "random_state": trial}
        families = bootstrap_interval(values, groups=np.repeat(np.arange(100), sizes), **settings)
        instances = bootstrap_interval(values, **settings)
        assert families.value == instances.value == pytest.approx(values.mean())
        for kind, interval in (("families", families), ("instances", instances)):
            covered[kind] += interval.low <= 0.3 <= interval.high
    assert 122 <= covered["families"] <= 147  # 135 wanted, standard deviation 3.7
    assert covered["instances"] < 100


def test_paired_test_of_families_rejects_no_more_than_it_should():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(40), 5)
    gains = [np.repeat(rng.normal(size=40), 5) + rng.normal(size=200) for _ in range(200)]
    rejected = [
        sum(paired_test(g, np.zeros(200), groups=given, n_resamples=200).p_value <= 0.05 for g in gains)
        for given in (groups, None)
    ]
    assert rejected[0] <= 20  # 10 wanted
    assert rejected[1] > 40


def test_gains_that_cancel_within_a_family_are_no_gain():
    a, b = np.tile([0.3, 0.0, 0.0], 50), np.tile([0.0, 0.1, 0.2], 50)
    assert sum([0.3, -0.1, -0.2]) != 0  # but for rounding
    result = paired_test(a, b, groups=np.repeat(np.arange(50), 3))
    assert result.p_value == 1.0
    assert (result.n_a_better, result.n_b_better) == (50, 100)


@pytest.mark.parametrize(
    "groups",
    [
        ["a", "b", "b", "c"],
        ("a", "b", "b", "c"),
        np.array(["a", "b", "b", "c"]),
        [(0, "x"), (1,), (1,), frozenset()],
    ],
)
def test_anything_hashable_names_a_group(groups):
    assert bootstrap_interval([0.1, 0.5, 0.2, 0.9], groups=groups) == bootstrap_interval(
        [0.1, 0.5, 0.2, 0.9], groups=[5, 3, 3, 4]
    )


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        (["a", "b"], "groups: found 2 entries, wanted 3, one an instance"),
        (["a", "b", "c", "d"], "groups: found 4 entries, wanted 3"),
        (["a", "a", "a"], "groups: found one group of all 3 instances, wanted at least two groups"),
        (["a", None, "b"], "groups: found None, wanted the name of a group"),
        ([1.0, float("nan"), 2.0], "groups: found nan, wanted the name of a group"),
        ([["a"], ["b"], ["c"]], "groups: .*unhashable"),
        (np.zeros((3, 2)), "groups: .*unhashable"),
        (7, "groups: .*not iterable"),
    ],
)
def test_bad_groups(groups, says):
    for call in (
        lambda: bootstrap_interval([1, 2, 3], groups=groups),
        lambda: paired_test([1, 2, 3], [3, 1, 1], groups=groups),
    ):
        with pytest.raises(ValueError, match=says):
            call()
