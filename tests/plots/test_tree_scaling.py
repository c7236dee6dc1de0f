"""The scaling figures show the table's numbers, a panel for each measure, told apart without colour."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.tree_scaling import beam_recall_figure, tree_scaling_figure


def scaling_table(methods=("Parabel", "Bonsai"), distributions=("uniform", "Zipf, exponent 1"), beams=(1, 10)):
    rows = []
    for i, method in enumerate(methods):
        for j, distribution in enumerate(distributions):
            for L in (1000, 10_000, 100_000):
                for beam in beams:
                    rows.append(
                        {"method": method, "distribution": distribution, "L": L, "beam": beam,
                         "train_s": (1 + i) * (1 + j) * L / 1000, "model_MB": (2 + i + j) * L / 1000,
                         "ms_per_instance": beam * (1 + i + j) * np.log10(L) / 100,
                         "recall@5": 100 - 20 / beam - i - np.log10(L), "P@1": 50.0 + beam}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def curves(figure, panel):
    """The curves with points of one panel, guides left out, by name."""
    axis = "x" if panel == 0 else f"x{panel + 1}"
    return {t.name: t for t in figure.data if (t.xaxis or "x") == axis and t.mode == "lines+markers"}


@pytest.mark.parametrize(
    ("panel", "column"), list(enumerate(["train_s", "model_MB", "ms_per_instance", "recall@5"]))
)  # fmt: skip
def test_each_panel_shows_its_column_at_the_given_beam(panel, column):
    table = scaling_table()
    drawn = curves(tree_scaling_figure(table, beam=1), panel)
    assert set(drawn) == {f"{m}, {d}" for m in ("Parabel", "Bonsai") for d in ("uniform", "Zipf, exponent 1")}
    rows = table[(table["beam"] == 1) & (table["method"] == "Bonsai") & (table["distribution"] == "uniform")]
    assert list(drawn["Bonsai, uniform"].x) == [1000, 10_000, 100_000]
    np.testing.assert_allclose(drawn["Bonsai, uniform"].y, rows[column])


def test_methods_differ_by_colour_and_marker_and_distributions_by_the_kind_of_line():
    drawn = curves(tree_scaling_figure(scaling_table()), 0)
    ours, other, theirs = (drawn[n] for n in ("Parabel, uniform", "Parabel, Zipf, exponent 1", "Bonsai, uniform"))
    assert ours.line.color == other.line.color != theirs.line.color
    assert ours.marker.symbol == other.marker.symbol != theirs.marker.symbol
    assert ours.line.dash == theirs.line.dash != other.line.dash


def test_axes_have_units_and_the_legend_lies_below_the_panels():
    figure = tree_scaling_figure(scaling_table())
    spec = json.loads(figure.to_json())["layout"]
    units = [spec[axis]["title"]["text"] for axis in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert units == ["seconds", "MB", "ms an instance", "% of the exact top 5"]
    assert "0.2" in spec["yaxis3"]["ticktext"]  # less than two decades: 1, 2, 5 are named
    assert [spec[axis]["type"] for axis in ("xaxis", "yaxis", "yaxis2", "yaxis3")] == ["log"] * 4
    assert spec["legend"]["orientation"] == "h"
    assert spec["legend"]["y"] < 0
    named = [t.name for t in figure.data if t.showlegend is not False]
    assert named == ["Parabel", "Bonsai", "uniform", "Zipf, exponent 1"]


def test_the_guide_in_the_prediction_panel_grows_like_log_L():
    (guide,) = [t for t in tree_scaling_figure(scaling_table()).data if t.name == "grows like log L"]
    np.testing.assert_allclose(guide.y[-1] / guide.y[0], 5 / 3)
    assert guide.xaxis == "x3"
    assert guide.y[0] < scaling_table().query("beam == 10 and L == 1000")["ms_per_instance"].min()


def test_a_run_that_is_missing_leaves_a_shorter_curve():
    table = scaling_table()
    lost = (table["method"] == "Bonsai") & (table["L"] == 100_000)
    drawn = curves(tree_scaling_figure(table.assign(train_s=table["train_s"].mask(lost))), 0)
    assert list(drawn["Bonsai, uniform"].x) == [1000, 10_000]
    assert list(curves(tree_scaling_figure(table[~lost]), 3)["Bonsai, uniform"].x) == [1000, 10_000]


def test_one_label_count_alone_still_draws():
    figure = tree_scaling_figure(scaling_table().query("L == 1000"))
    assert [list(t.x) for t in curves(figure, 0).values()] == [[1000]] * 4


def test_beam_figure_has_a_panel_for_each_method_and_a_line_for_each_L():
    table = scaling_table()
    figure = beam_recall_figure(table, distribution="uniform")
    left, right = curves(figure, 0), curves(figure, 1)
    assert list(left) == [f"Parabel, L = {L:,}" for L in (1000, 10_000, 100_000)]
    rows = table.query("method == 'Bonsai' and distribution == 'uniform' and L == 10_000")
    np.testing.assert_allclose(right["Bonsai, L = 10,000"].y, rows["recall@5"])
    assert len({t.line.dash for t in left.values()}) == 3
    assert "uniform" in figure.layout.title.text


def test_what_the_table_does_not_hold_is_named():
    with pytest.raises(ValueError, match="beam is 7; the table has 1, 10"):
        tree_scaling_figure(scaling_table(), beam=7)
    with pytest.raises(ValueError, match="the table has uniform, Zipf"):
        beam_recall_figure(scaling_table(), distribution="normal")
