"""How prediction grows with L: planted powers are found, and the table's reader says what is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmlwb.lessons.tree_scaling import growth_in_words, measured_scaling, nodes_and_time, prediction_growth

LABELS = (1000, 10_000, 100_000, 1_000_000)


def runs(ms, distributions=("a", "b"), method="Parabel"):
    """One beam, ms(L, place of the distribution)."""
    return pd.DataFrame(
        [
            {"method": method, "distribution": d, "L": L, "beam": 10, "ms_per_instance": ms(L, i)}
            for i, d in enumerate(distributions)
            for L in LABELS
        ]
    )


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_a_planted_power_of_log_L_is_found_whatever_the_unit_and_the_distributions_level(power):
    growth = prediction_growth(runs(lambda L, i: (i + 1) * 0.03 * np.log(L) ** power))
    assert growth["p"].to_numpy() == pytest.approx([power] * 3)
    assert growth.loc[("Parabel", "all"), "points"] == 8
    assert growth["p_se"].to_numpy() == pytest.approx([0] * 3, abs=1e-6)


@pytest.mark.parametrize("bend", [0.0, 0.01, -0.002])
def test_a_planted_bend_is_found_whatever_the_distributions_line(bend):
    growth = prediction_growth(runs(lambda L, i: 1 + i + (0.1 + i) * np.log10(L) + bend * np.log10(L) ** 2))
    assert growth["c"].to_numpy() == pytest.approx([bend] * 3, abs=1e-9)
    assert growth["c_se"].to_numpy() == pytest.approx([0] * 3, abs=1e-6)


def test_a_tree_that_begins_at_a_leaf_of_100_grows_like_a_logarithm_though_its_power_is_above_1():
    growth = prediction_growth(runs(lambda L, _: np.log2(L / 100)))
    assert growth.loc[("Parabel", "all"), "p"] > 1.5
    assert growth.loc[("Parabel", "all"), "c"] == pytest.approx(0, abs=1e-9)


def test_growth_like_L_is_far_above_growth_like_log_L():
    growth = prediction_growth(runs(lambda L, _: 1e-4 * L))
    p, error = growth.loc[("Parabel", "all"), ["p", "p_se"]]
    assert p - 2 * error > 5
    bend, error = growth.loc[("Parabel", "all"), ["c", "c_se"]]
    assert bend - 2 * error > 0


def test_the_line_in_log_L_is_found():
    growth = prediction_growth(runs(lambda L, i: 0.1 * i + 0.02 * np.log10(L)))
    assert growth.loc[("Parabel", "b"), ["a", "b"]].to_numpy(float) == pytest.approx([0.1, 0.02])
    assert np.isnan(growth.loc[("Parabel", "all"), "a"])


@pytest.mark.parametrize(
    ("bend", "said"), [(0.0, "a line in log L fits"), (0.05, "bends upward"), (-0.005, "bends downward")]
)
def test_the_verdict_names_the_growth_of_a_tenfold_L(bend, said):
    wobble = {1000: 1, 10_000: -1, 100_000: -1, 1_000_000: 1}  # neither a line nor a bend of its own
    table = runs(lambda L, i: 0.25 * np.log10(L) + bend * np.log10(L) ** 2 + 1e-4 * wobble[L] * (-1) ** i)
    (line,) = growth_in_words(table).splitlines()
    assert said in line
    if not bend:
        assert line.startswith("Parabel: ten times as many labels add 0.25 ms an instance")
    assert "too few points" in growth_in_words(table[table["L"] < 100_000])


def test_the_standard_error_is_that_of_least_squares():
    noise = np.random.default_rng(0).normal(0, 0.1, 4)
    table = runs(lambda L, _: 0.02 * np.log(L) * np.exp(noise[LABELS.index(L)]), distributions=("a",))
    x = np.log(np.log(LABELS))
    design = np.stack([np.ones(4), x], axis=1)
    found, residual, *_ = np.linalg.lstsq(design, np.log(table["ms_per_instance"]), rcond=None)
    error = np.sqrt(residual[0] / 2 * np.linalg.inv(design.T @ design)[1, 1])
    growth = prediction_growth(table).loc[("Parabel", "a")]
    assert growth[["p", "p_se"]].to_numpy(float) == pytest.approx([found[1], error])


def test_what_the_points_are_too_few_for_is_empty():
    two = runs(lambda L, _: np.log(L)).query("L <= 10_000 and distribution == 'a'")
    growth = prediction_growth(two).loc[("Parabel", "a")]
    assert growth["p"] == pytest.approx(1)
    assert np.isnan(growth[["p_se", "c", "c_se"]].to_numpy(float)).all()
    one = prediction_growth(two.head(1)).loc[("Parabel", "a")]
    assert np.isnan(one[["a", "b", "c", "p", "p_se"]].to_numpy(float)).all()
    assert one["points"] == 1


def test_methods_are_fitted_apart_and_other_beams_left_out():
    table = pd.concat([runs(lambda L, _: np.log(L)), runs(lambda L, _: 1.0, method="Bonsai")])
    table = pd.concat([table, table.assign(beam=1, ms_per_instance=table["L"])])
    growth = prediction_growth(table)
    assert growth.loc[[("Parabel", "all"), ("Bonsai", "all")], "p"].to_numpy() == pytest.approx([1, 0])
    with pytest.raises(ValueError, match="beam is 3; the table has 1, 10"):
        prediction_growth(table, beam=3)


def test_the_reader_says_which_command_writes_the_table(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"benchmarks/tree_scaling\.py writes"):
        measured_scaling(tmp_path / "none.csv")
    other = tmp_path / "other.csv"
    runs(lambda L, _: 1.0).to_csv(other, index=False)
    with pytest.raises(ValueError, match="no column P@1"):
        measured_scaling(other)


def test_the_reader_returns_the_table(tmp_path):
    whole = runs(lambda L, _: 0.25).assign(
        n=1,
        d=2,
        train_s=1.5,
        peak_GiB=0.5,
        model_MB=3.0,
        depth=5,
        **dict.fromkeys(("P@1", "P@5", "PSP@5", "recall@1", "recall@5"), 50.0),
    )
    whole.to_csv(tmp_path / "runs.csv", index=False)
    pd.testing.assert_frame_equal(measured_scaling(tmp_path / "runs.csv"), whole)


def test_nodes_of_a_binary_tree_grow_by_the_beam_a_level():
    table = runs(lambda L, _: 1e-3 * L).assign(model_MB=1.0)
    table["depth"] = table["L"].map({1000: 5, 10_000: 8, 100_000: 11, 1_000_000: 14})
    found = nodes_and_time(table)
    assert found["nodes"].tolist() == [3 * 25, 3 * 55, 3 * 85, 3 * 115]
    assert found.loc[1000, "ns a node"] == pytest.approx(1e6 * 1.0 / 75)
