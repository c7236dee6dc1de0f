"""Questions to the table of runs, held against brute force and against planted answers."""

from __future__ import annotations

import importlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xmlwb import run_table
from xmlwb.run_table import (
    are_numbers,
    best_settings,
    bins_of,
    choose_runs,
    levels,
    metrics_of,
    parameters_of,
    pareto_front,
    settings_of,
    with_seeds_apart,
)

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def planted(monkeypatch) -> pd.DataFrame:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return with_seeds_apart(importlib.import_module("planted_runs").planted_runs(3000))


def test_runs_of_one_setting_differ_in_their_seed_alone(planted):
    keys = planted.groupby("setting")[["data", "method", "params"]].nunique()
    assert (keys == 1).all().all()
    assert planted["setting"].nunique() == 600
    assert (planted.groupby("setting")["seed"].nunique() == 5).all()


def test_a_run_of_two_studies_counts_once(planted):
    assert len(with_seeds_apart(pd.concat([planted, planted.head(7)]))) == len(planted)


def test_a_table_that_is_none_of_runs_is_refused(planted):
    with pytest.raises(ValueError, match="found no column 'method'"):
        with_seeds_apart(planted.drop(columns="method"))


def test_settings_hold_the_mean_and_the_range_of_sound_seeds(planted):
    settings = settings_of(planted, ["P@1", "train s"])
    for _, row in settings.sample(20, random_state=0).iterrows():
        seeds = planted[(planted["setting"] == row["setting"]) & (planted["status"] == "ok")]
        assert row["seeds"] == len(seeds)
        assert row["P@1"] == pytest.approx(seeds["P@1"].mean())
        if len(seeds) > 1:
            assert (row["P@1 low"], row["P@1 high"]) == (seeds["P@1"].min(), seeds["P@1"].max())


def test_a_single_seed_keeps_its_own_interval(planted):
    alone = planted[planted["seed"] == 0]
    settings = settings_of(alone, ["P@1"])
    row, run = settings.iloc[0], alone[alone["status"] == "ok"].iloc[0]
    assert (row["P@1 low"], row["P@1 high"]) == (run["P@1 low"], run["P@1 high"])
    assert run["P@1 low"] < row["P@1"] < run["P@1 high"]


def test_settings_are_the_same_without_their_numbers(planted):
    bare = settings_of(planted.drop(columns="setting"), ["P@5"])
    pd.testing.assert_frame_equal(bare, settings_of(planted, ["P@5"]).drop(columns="setting"))


def test_the_planted_best_settings_are_found(planted):
    best = best_settings(settings_of(planted, ["P@1"]), "P@1").set_index(["data", "method"])
    assert (best.xs("ova", level="method")["param.C"] == 1.0).all()
    assert (best.xs("parabel", level="method")["param.n_trees"] == 8).all()


def test_what_varies_is_found(planted):
    assert set(parameters_of(planted)) >= {"C", "n_trees", "beam", "loss", "n_components"}
    assert parameters_of(planted[planted["param.C"] == 1.0]).count("C") == 0
    assert metrics_of(planted)[:3] == ["P@1", "P@3", "P@5"]
    assert bins_of(planted, "P@5") == ["head", "torso", "tail"]
    assert bins_of(planted, "P@1") == []


def test_runs_are_chosen_by_every_condition_at_once(planted):
    chosen = choose_runs(planted, words="BEAM=10 deep", where={"C": ["0.1", "10"]}, data=["debtags"], status=["ok"])
    assert set(chosen["method"]) == {"parabel"}
    assert set(chosen["param.C"]) == {0.1, 10.0}
    assert set(chosen["param.beam"]) == {10}
    assert set(chosen["data"]) == {"debtags"}
    assert set(chosen["status"]) == {"ok"}
    assert len(choose_runs(planted)) == len(planted)
    assert set(choose_runs(planted, where={"C": ["1"]})["method"]) == {"ova", "parabel", "svd"}
    assert (choose_runs(planted, words="memoryerror")["status"] == "failed").all()


def test_unknown_columns_and_parameters_are_named(planted):
    with pytest.raises(ValueError, match="colour"):
        choose_runs(planted, colour=["red"])
    with pytest.raises(ValueError, match="'gamma'"):
        choose_runs(planted, where={"gamma": ["1"]})


def test_levels_run_by_size_then_by_the_alphabet():
    mixed = pd.Series(["hinge", 10, "0.5", None, 2.0, "beam", np.nan], dtype=object)
    assert list(levels(mixed).values()) == ["0.5", "2", "10", "beam", "hinge", "-"]
    assert are_numbers(["0.5", 2, None])
    assert not are_numbers([True, False])
    assert not are_numbers([3, 3])


def brute_front(cost: np.ndarray, quality: np.ndarray) -> list[bool]:
    points = list(zip(cost, quality, strict=True))

    def beaten(i: int) -> bool:
        c, q = points[i]
        return any(a <= c and b >= q and (a < c or b > q) for j, (a, b) in enumerate(points) if j != i)

    return [not (np.isnan(c) or np.isnan(q)) and not beaten(i) for i, (c, q) in enumerate(points)]


@pytest.mark.parametrize("seed", range(20))
def test_the_front_is_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    cost, quality = rng.integers(0, 6, 30).astype(float), rng.integers(0, 6, 30).astype(float)
    cost[rng.random(30) < 0.1] = np.nan
    assert pareto_front(cost, quality).tolist() == brute_front(cost, quality)


def test_the_front_wants_a_pair_for_each_point():
    with pytest.raises(ValueError, match="quality"):
        pareto_front([1, 2], [1])
    assert pareto_front([], []).tolist() == []


def test_text_of_values_is_short():
    assert [run_table.as_text(v) for v in (1e-5, 123456.0, np.float32(0.1), 3, False, pd.NA)] == [
        "1e-05", "1.235e+05", "0.1", "3", "False", "-",
    ]  # fmt: skip
    assert run_table.parameters_text('{"C": 0.5, "loss": null}') == {"C": "0.5", "loss": "-"}
    assert not run_table.spread_by_decades(itertools.chain([0.0], [1, 100]))
