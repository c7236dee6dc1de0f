"""The figures of the tail lens show what the tables say, on axes that do not depend on the data."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import plotly.io as pio
import pytest
from scipy import sparse

from xmlwb.plots import TailFigures, rank_frequency_figure, tail_figures
from xmlwb.plots.theme import FONT_SIZE, PALETTE, model_styles
from xmlwb.tails import frequency_bins, tail_views


def views_of(models=2, kind="mass", L=60):
    rng = np.random.default_rng(0)
    train, test = (sparse.csr_array((rng.random((n, L)) < 0.5 / np.arange(1, L + 1)).astype(float)) for n in (600, 80))
    predictions = {f"model <{m}>": sparse.csr_array(rng.random((80, L))) for m in range(models)}
    return tail_views(train, test, predictions, kind=kind, n_resamples=50)


def with_counts(counts):
    """A label matrix whose column l holds counts[l] ones, each in a row of its own."""
    columns = np.repeat(np.arange(len(counts)), counts)
    return sparse.csr_array((np.ones(len(columns)), (np.arange(len(columns)), columns)), (len(columns), len(counts)))


@pytest.mark.parametrize("models", [1, 2, 5])
@pytest.mark.parametrize("kind", ["mass", "decile"])
def test_four_titled_figures_that_survive_json(models, kind):
    figures = tail_figures(views_of(models, kind))
    assert isinstance(figures, TailFigures)
    assert len(figures) == 4
    for figure in figures:
        assert json.loads(figure.to_json())["data"] or (models == 1 and figure is figures.gain)
        assert figure.layout.title.text
        assert figure.layout.yaxis.title.text


def test_dots_stand_where_the_table_says():
    views = views_of()
    figure = tail_figures(views).quality
    for trace, model in zip(figure.data, views.models, strict=True):
        rows = views.quality[views.quality["model"] == model]
        np.testing.assert_allclose(trace.y, 100 * rows["recall"])
        np.testing.assert_allclose(trace.y + trace.error_y.array, 100 * rows["high"])
        np.testing.assert_allclose(trace.y - trace.error_y.arrayminus, 100 * rows["low"])
    assert [t.name for t in figure.data] == ["model &lt;0&gt;", "model &lt;1&gt;"]  # a name is no markup


def test_same_axes_whatever_the_data():
    a, b = tail_figures(views_of(2)), tail_figures(views_of(3, L=90))
    assert a.quality.layout.yaxis.range == b.quality.layout.yaxis.range
    assert a.coverage.layout.yaxis.range == b.coverage.layout.yaxis.range == (0, 101)
    for figures in (a, b):
        low, high = figures.gain.layout.yaxis.range
        assert low == -high <= -10
        assert high % 10 == 0
        drawn = np.concatenate([t.y + t.error_y.array for t in figures.gain.data])
        assert np.abs(drawn).max() < high
        assert figures.rank_frequency.layout.xaxis.type == figures.rank_frequency.layout.yaxis.type == "log"


def test_gain_leaves_the_baseline_out_and_says_so_when_alone():
    assert [t.name for t in tail_figures(views_of(3)).gain.data] == ["model &lt;1&gt;", "model &lt;2&gt;"]
    alone = tail_figures(views_of(1)).gain
    assert any("one model only" in note.text for note in alone.layout.annotations)


def test_coverage_bars_fill_the_panel():
    figure = tail_figures(views_of(2)).coverage
    assert len(figure.data) == 6
    np.testing.assert_allclose(sum(np.asarray(trace.y) for trace in figure.data[:3]), 100)
    assert [trace.showlegend for trace in figure.data] == [True] * 3 + [False] * 3


def test_rank_frequency_shows_every_bin_and_the_fit():
    views = views_of()
    figure = rank_frequency_figure(views.labels, views.power_law)
    assert [t.name.split("</b>")[0] for t in figure.data[:-1]] == ["<b>head", "<b>torso", "<b>tail"]
    assert f"{views.power_law.rank_exponent:.2f}" in figure.layout.title.subtitle.text
    fitted = figure.data[-1]
    assert min(fitted.y) == views.power_law.x_min
    assert max(fitted.x) == pytest.approx(views.power_law.n_covered)


@pytest.mark.parametrize(("kind", "left_out"), [("mass", "torso"), ("mass", "head"), ("decile", "2")])
def test_a_bin_looks_the_same_whichever_others_there_are(kind, left_out):
    labels = frequency_bins(with_counts(np.maximum(1, 200 // np.arange(1, 41))), kind)

    def looks(labels):
        drawn = rank_frequency_figure(labels).data
        return {t.name.split("</b>")[0]: (t.marker.color, t.marker.symbol) for t in drawn}

    whole, part = looks(labels), looks(labels[labels["bin"] != left_out])
    assert len(part) == len(whole) - 1
    assert part == {name: look for name, look in whole.items() if name != f"<b>{left_out}"}
    assert all(a != b for a, b in pairwise(whole.values()))  # neighbours are told apart


def test_a_long_curve_stays_a_small_figure():
    counts = np.maximum(1, 40_000 // np.arange(1, 20_001))
    figure = rank_frequency_figure(frequency_bins(with_counts(counts)))
    assert sum(len(trace.x) for trace in figure.data) <= 500


def test_no_label_seen_in_training():
    labels = frequency_bins(sparse.csr_array((3, 4)))
    assert len(rank_frequency_figure(labels).data) == 0


def test_template_is_the_default_and_large_enough_to_project():
    assert pio.templates.default == "xmlwb"
    layout = pio.templates["xmlwb"].layout
    assert layout.font.size == FONT_SIZE >= 14
    assert layout.title.subtitle.font.size >= 14


def test_styles_differ_without_colour_and_the_baselines_keep_theirs():
    names = [f"m{i}" for i in range(20)]
    styles = model_styles(names)
    assert len({(s.colour, s.symbol) for s in styles.values()}) == 20
    assert len({s.symbol for s in list(styles.values())[: len(PALETTE)]}) == len(PALETTE)
    alone, among = model_styles(["ova"])["ova"], model_styles(["parabel", "knn", "OneVsAll"])["OneVsAll"]
    assert alone == among
    three = model_styles(["popular", "knn", "ova", "parabel"])
    assert len({s.colour for s in three.values()}) == 4
