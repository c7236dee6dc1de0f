from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xmlwb.lessons import glas_runs
from xmlwb.lessons.glas_runs import (
    BEST,
    FACTORS,
    LAST,
    PAPER,
    PAPER_GAP,
    Ablation,
    ablation_explorer,
    curves_explorer,
    effects_table,
    gap_table,
    stored_curves,
    stored_runs,
)

#: Made up for these tests.
LEVELS = {("regulariser: none", 80.0), ("regulariser: GLaS", 83.0), ("regulariser: spread-out", 79.0),
          ("regulariser: GLaS, PMI", 84.0), ("rho: 1.0", 82.0), ("rho: 0.8", 83.0)}  # fmt: skip


def runs() -> pd.DataFrame:
    rows = [
        {"study": "table1", "setting": setting, "data": "debdeps", "seed": seed, "train P@1": 99.0, "test P@1": p - 2,
         "gap": 101.0 - p, "PSP@1": 40.0, "best train P@1": 97.0, "best test P@1": p + seed, "best PSP@1": 41.0}
        for setting, p in sorted(LEVELS) for seed in (0, 1)
    ]  # fmt: skip
    rows += [
        {"study": "table2", "setting": setting, "data": "debdeps", "seed": seed, "train P@1": 98.0 + seed,
         "test P@1": test + seed, "gap": 98.0 - test, "PSP@1": 30.0, "best test P@1": test + 1}
        for setting, test in (("none", 60.0), ("GLaS + dropout", 62.0)) for seed in (0, 1)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def curves() -> pd.DataFrame:
    return pd.DataFrame(
        [{"study": "table2", "setting": setting, "data": "debdeps", "seed": seed, "epoch": epoch,
          "train P@1": 60.0 + 10 * epoch, "test P@1": 60.0 - epoch + extra + seed}
         for setting, extra in (("none", 0), ("GLaS + dropout", 3)) for seed in (0, 1) for epoch in (1, 2, 3)]
    )  # fmt: skip


def test_tables_are_read_and_others_refused(tmp_path: Path) -> None:
    runs().to_csv(tmp_path / "runs.csv", index=False)
    assert stored_runs(tmp_path / "runs.csv").equals(runs())
    with pytest.raises(ValueError, match="has no column epoch"):
        stored_curves(tmp_path / "runs.csv")
    with pytest.raises(FileNotFoundError, match=r"benchmarks/overfitting\.py"):
        stored_runs(tmp_path / "none.csv")


def test_a_regulariser_called_none_is_no_missing_value(tmp_path: Path) -> None:
    table = runs().assign(regularizer="none")
    table.to_csv(tmp_path / "runs.csv", index=False)
    assert (stored_runs(tmp_path / "runs.csv")["regularizer"] == "none").all()


def test_orders_and_effects_stand_beside_the_paper_s() -> None:
    ablation = Ablation(runs())
    figure = ablation()
    assert "<b>4.0 points</b>, the paper's 1.9" in figure.layout.title.text
    assert figure.layout.title.subtitle.text == (
        "best first: GLaS > none > spread-out; the paper: GLaS > spread-out > none; 2 seeds"
    )
    here = {
        x: y for t in figure.data if t.xaxis == "x" and t.mode == "markers+text" for x, y in zip(t.x, t.y, strict=True)
    }
    assert here == {"none": 80.5, "GLaS": 83.5, "spread-out": 79.5, "GLaS, PMI": 84.5}
    theirs = {x: y for t in figure.data if t.xaxis == "x2" for x, y in zip(t.x, t.y, strict=True)}
    assert theirs == {name: PAPER["regulariser"][name] for name in ("none", "GLaS", "spread-out")}
    spans = [np.ptp(axis.range) for axis in (figure.layout.yaxis, figure.layout.yaxis2)]
    assert spans[0] == pytest.approx(spans[1])  # a point is as long on the left as on the right
    effects = ablation.effects()
    assert effects.loc[FACTORS["regulariser"], "here"] == pytest.approx(4)
    assert effects.loc[FACTORS["rho"], "best here"] == "0.8"


def test_gap_and_last_epoch_have_their_own_columns() -> None:
    ablation = Ablation(runs())
    gap = ablation.values("rho", "gap, training less test", BEST, "debdeps").groupby("level")["value"].mean()
    assert gap.to_dict() == {"0.8": 97 - 83.5, "1.0": 97 - 82.5}
    last = ablation.values("rho", "test P@1", LAST, "debdeps").groupby("level")["value"].mean()
    assert last.to_dict() == {"0.8": 81.0, "1.0": 80.0}
    with pytest.raises(ValueError, match="no study table1"):
        Ablation(runs()[lambda table: table["study"] == "table2"])


def test_the_explorers_follow_their_menus() -> None:
    view = ablation_explorer(runs())
    view.controls["factor"].value = "rho"
    view.controls["measure"].value = "gap, training less test"
    assert view.figure.layout.yaxis.title.text == "gap, training less test, per cent"
    assert len({t.xaxis for t in view.figure.data}) == 1  # the paper has no gaps for it
    both = curves_explorer(curves())
    assert "none 32.5; GLaS + dropout 29.5 points" in both.figure.layout.title.text
    (test,) = [t for t in both.figure.data if t.name == "none, test"]
    assert list(test.y) == [59.5, 58.5, 57.5]


def test_differences_are_taken_seed_by_seed_and_the_paper_stands_below() -> None:
    table = gap_table(runs())
    ours = table.loc["debdeps, 2 seeds"]
    assert ours.loc["none", "test P@1"] == "60.5"
    assert ours.loc["GLaS + dropout", "test P@1"] == "62.5 (+2.0; +2.0 to +2.0)"
    assert ours.loc["GLaS + dropout", "gap"] == "36.0 (-2.0; -2.0 to -2.0)"
    theirs = table.loc["AmazonCat-13K, the paper"]
    assert theirs.loc["GLaS + dropout", "gap"] == "4.6 (-2.3)"
    assert theirs.loc["none", "test PSP@1"] == ""


def test_what_has_not_been_run_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glas_runs, "RUNS", tmp_path / "runs.csv")
    monkeypatch.setattr(glas_runs, "CURVES", tmp_path / "curves.csv")
    for made, study in ((ablation_explorer, "table1"), (effects_table, "table1"), (gap_table, "table2"),
                        (curves_explorer, "table2")):  # fmt: skip
        assert f"--study {study}" in repr(made())
    (tmp_path / "curves.csv").write_text("\n")
    assert "--study table2" in repr(curves_explorer())
    runs()[lambda table: table["study"] == "table2"].to_csv(tmp_path / "runs.csv", index=False)
    assert "--study table1" in repr(ablation_explorer())
    assert gap_table().equals(gap_table(runs()))


def test_studies_that_are_half_run_show_what_can_be_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glas_runs, "RUNS", tmp_path / "runs.csv")
    monkeypatch.setattr(glas_runs, "CURVES", tmp_path / "curves.csv")
    alone = curves()[lambda table: table["setting"] == "none"]
    alone.to_csv(tmp_path / "curves.csv", index=False)
    assert "--study table2" in repr(curves_explorer())
    pd.concat([curves(), alone.assign(data="eurlex-4.3k")]).to_csv(tmp_path / "curves.csv", index=False)
    assert [data for _, data in curves_explorer().controls["data"].options] == ["debdeps"]
    half = runs()[lambda table: table["setting"].isin(["regulariser: none", "rho: 0.8", "rho: 1.0"])]
    half.to_csv(tmp_path / "runs.csv", index=False)
    assert [name for _, name in ablation_explorer().controls["factor"].options] == ["rho"]
    half.iloc[:1].to_csv(tmp_path / "runs.csv", index=False)
    assert "--study table1" in repr(effects_table())


def test_the_paper_s_tables_are_the_paper_s() -> None:
    train, test = PAPER_GAP["AmazonCat-13K"]["none"]
    assert train - test == pytest.approx(6.89)
    assert max(PAPER["regulariser"], key=PAPER["regulariser"].get) == "GLaS"
    assert all(94.21 in levels.values() for levels in PAPER.values())  # each row has the base
