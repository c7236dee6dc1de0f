"""Corrections against worked examples, paired tests against planted differences."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import ttest_1samp

from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.multiplicity import adjusted_p_values
from xmlwb.run_differences import corrected, over_instances, over_seeds, per_instance


def test_holm_by_hand():
    # sorted: .005 x 4, .01 x 3, .03 x 2, .04 x 1 and never below the one before
    found = adjusted_p_values([0.01, 0.04, 0.03, 0.005], "holm")
    assert found == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_by_hand():
    # .005 x 4/1, .01 x 4/2, .03 x 4/3, .04 x 4/4 and never above the one after
    found = adjusted_p_values([0.01, 0.04, 0.03, 0.005], "benjamini-hochberg")
    assert found == pytest.approx([0.02, 0.04, 0.04, 0.02])


def test_tests_that_were_not_made_do_not_count():
    found = adjusted_p_values([0.02, np.nan, 0.03], "holm")
    assert found[[0, 2]] == pytest.approx([0.04, 0.04])
    assert np.isnan(found[1])
    assert adjusted_p_values([0.9, 0.8], "holm").max() == 1.0
    assert adjusted_p_values([0.9, 0.8], "none").tolist() == [0.9, 0.8]
    assert adjusted_p_values([], "holm").size == 0


def test_holm_keeps_the_chance_of_any_false_finding():
    rng = np.random.default_rng(0)
    p = rng.random((2000, 20))  # nothing is true
    any_found = np.mean([(adjusted_p_values(row, "holm") <= 0.05).any() for row in p])
    uncorrected = np.mean((p <= 0.05).any(axis=1))
    assert any_found < 0.07
    assert uncorrected > 0.5


@pytest.mark.parametrize("wrong", [[1.2], [-0.1], [[0.1]]])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(ValueError, match="p_values"):
        adjusted_p_values(wrong)


def test_an_unknown_correction_is_refused():
    with pytest.raises(ValueError, match="'tukey'"):
        adjusted_p_values([0.1], "tukey")


def seeds_table() -> pd.DataFrame:
    """Setting 0 the base; 1 is 2 points better, 2 the same but for noise, 3 has one seed, 4 takes none."""
    rng = np.random.default_rng(1)
    rows = []
    for setting, gain, seeds in ((0, 0.0, 6), (1, 0.02, 6), (2, 0.0, 6), (3, 0.05, 1), (4, -0.1, 1)):
        for seed in range(seeds):
            value = 0.5 + gain + 0.01 * seed + 0.002 * rng.standard_normal()
            method = "popular" if setting == 4 else "ova"
            rows.append({"setting": setting, "seed": seed, "status": "ok", "method": method, "P@1": value})
    rows.append({"setting": 1, "seed": 9, "status": "failed", "method": "ova", "P@1": np.nan})
    return pd.DataFrame(rows).assign(label=lambda t: "setting " + t["setting"].astype(str))


def test_seeds_are_paired():
    runs = seeds_table()
    found = over_seeds(runs, "P@1", 0, [1, 2, 3]).set_index("setting")
    gain = runs[runs["setting"] == 1]["P@1"].to_numpy()[:6] - runs[runs["setting"] == 0]["P@1"].to_numpy()
    assert found.loc[1, "difference"] == pytest.approx(gain.mean())
    assert found.loc[1, "p value"] == pytest.approx(ttest_1samp(gain, 0.0).pvalue)
    assert found.loc[1, "p value"] < 0.001  # unpaired, the seeds' own spread of 5 points would hide it
    assert found.loc[2, "p value"] > 0.05
    assert found.loc[1, "low"] < 0.02 < found.loc[1, "high"]
    assert found.loc[3, "pairs"] == 1
    assert np.isnan(found.loc[3, "p value"])


def test_a_method_without_seeds_meets_every_seed():
    runs = seeds_table()
    assert over_seeds(runs, "P@1", 0, [4])["pairs"].item() == 1
    found = over_seeds(runs, "P@1", 0, [4], seedless=["popular"])
    assert found["pairs"].item() == 6
    assert found["p value"].item() < 0.001


def test_a_setting_without_sound_runs_has_no_pairs():
    runs = seeds_table()
    runs.loc[runs["setting"] == 3, "status"] = "failed"
    found = over_seeds(runs, "P@1", 0, [3])
    assert found["pairs"].item() == 0
    assert np.isnan(found["difference"].item())


def predictions() -> tuple[csr_array, list[csr_array]]:
    """400 instances of one label of ten; A is right on 70 %, B on the same and 10 % more, C as often as A by luck."""
    rng = np.random.default_rng(2)
    n, L = 400, 10
    label = rng.integers(0, L, n)
    right_a = rng.random(n) < 0.7
    right_b = right_a | (rng.random(n) < 0.3)
    right_c = rng.permutation(right_a)
    Y = csr_array((np.ones(n, np.float32), (np.arange(n), label)), shape=(n, L))
    made = []
    for right in (right_a, right_b, right_c):
        said = np.where(right, label, (label + 1) % L)
        made.append(csr_array((np.ones(n, np.float32), (np.arange(n), said)), shape=(n, L)))
    return Y, made


def test_instances_are_paired_and_corrected():
    Y, made = predictions()
    p = propensities(Y, 0.55, 1.5)
    values = {i: per_instance("P@1", Y, [S], p) for i, S in enumerate(made)}
    found = over_instances(values, {0: "A", 1: "B", 2: "C"}, 0)
    table = corrected(found, "holm").set_index("label")
    whole = [precision_at_k(Y, S, 1)[0] for S in made]
    assert table.loc["B", "difference"] == pytest.approx(whole[1] - whole[0])
    assert table.loc["B", "significant"]
    assert not table.loc["C", "significant"]
    assert table.loc["B", "adjusted p"] == pytest.approx(2 * table.loc["B", "p value"])
    assert list(table.index) == ["B", "C"]
    assert table.loc["B", "pairs"] == 400


def test_values_per_instance_are_means_over_seeds_and_add_up_to_the_metric():
    Y, (a, b, _) = predictions()
    p = propensities(Y, 0.55, 1.5)
    mean = per_instance("P@1", Y, [a, b], p).mean()
    assert mean == pytest.approx((precision_at_k(Y, a, 1)[0] + precision_at_k(Y, b, 1)[0]) / 2)
    reached, best = per_instance("PSP@3", Y, [a], p)
    assert reached.sum() / best.sum() == pytest.approx(psp_at_k(Y, a, p, 3)[2])
    with pytest.raises(ValueError, match="coverage@5"):
        per_instance("coverage@5", Y, [a], p)
