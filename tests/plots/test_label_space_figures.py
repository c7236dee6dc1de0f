from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.label_embedding import directions_figure, embedding_length_figure, label_map_figure
from xmlwb.plots.label_losses import knock_out_figure, loss_figure
from xmlwb.plots.label_space import block_spectrum_figure, hypercube_figure, rank_figure, shared_energy_figure


def trace(figure, name):
    (found,) = [t for t in figure.data if t.name == name]
    return found


def study():
    rows = [
        {"method": name, "m": m, "P@1": p, "head": 0.9, "torso": 0.5, "tail": 0.01 * m}
        for name, p in (("PLST", 0.5), ("CPLST", 0.6))
        for m in (2, 10)
    ]
    return pd.DataFrame(rows)


def test_the_corners_that_hold_documents_are_joined_to_where_they_land():
    counts = np.zeros((2, 2, 2), dtype=int)
    counts[0, 0, 0], counts[1, 1, 0] = 90, 10
    figure = hypercube_figure(["a", "b", "c"], counts, np.array([[0.0], [0.0], [1.0]]), np.zeros(3))
    loses = trace(figure, "what the code loses")
    assert list(zip(loses.x, loses.y, loses.z, strict=True)) == [
        (0, 0, 0), (0, 0, 0), (None, None, None), (1, 1, 0), (0, 0, 0), (None, None, None),
    ]  # fmt: skip
    edges = np.array(list(zip(figure.data[0].x, figure.data[0].y, figure.data[0].z, strict=True)), dtype=float)
    assert len(edges) == 12 * 3
    assert np.abs(edges[1::3] - edges[::3]).sum(axis=1).tolist() == [1] * 12
    documents = trace(figure, "documents")
    assert figure.layout.scene.annotations[6].text == "<b>10</b>"
    assert documents.marker.size[0] > documents.marker.size[6] > documents.marker.size[1]
    assert figure.layout.scene.zaxis.title.text == "c"


def test_a_plane_holds_the_projections_of_all_corners():
    V = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 2)))[0]
    origin = np.array([0.3, 0.2, 0.6])
    flat = trace(hypercube_figure(["a", "b", "c"], np.ones((2, 2, 2), dtype=int), V, origin), "where codes live")
    square = np.column_stack([flat.x, flat.y, flat.z])
    assert (square - origin) @ np.cross(V[:, 0], V[:, 1]) == pytest.approx(np.zeros(4), abs=1e-9)
    assert np.abs((square - origin) @ V).max() > 0.5


def test_the_spectrum_says_how_many_directions_it_takes():
    spectra = pd.DataFrame(
        {"bin": "tail", "labels": 3, "m": [1, 2, 3], "directions": [0.7, 0.8, 1.0], "labels alone": [0.4, 0.7, 1.0]}
    )
    figure = block_spectrum_figure(spectra, level=0.8)
    assert "80%: 2 directions, or 3 labels alone<br>saves 33%" in figure.layout.annotations[0].text
    assert figure.data[0].line.dash != figure.data[1].line.dash


def test_shared_energy_names_the_shares_at_the_mark():
    table = pd.DataFrame({"bin": ["head", "tail"] * 2, "m": [1, 1, 50, 50], "share": [0.5, 0.0, 0.92, 0.05]})
    figure = shared_energy_figure({"set": table}, "share", "squares held", at=50)
    assert figure.layout.annotations[0].text == "set<br>m = 50: head 92 %, tail 5 %"
    assert list(trace(figure, "labels of the head").y) == [50, 92]
    assert shared_energy_figure({"set": table}, "share", "x", at=7).layout.annotations[0].text == "set"


def test_rank_figure_puts_the_better_method_first_and_shows_the_present_rank():
    figure = rank_figure(study(), 10)
    assert "at m = 10: CPLST 0.600, PLST 0.500" in figure.layout.annotations[0].text
    bars = [t for t in figure.data if t.type == "bar"]
    assert [bar.y[2] for bar in bars] == pytest.approx([10, 10])
    lines = [t for t in figure.data if t.type == "scatter"]
    assert len({line.line.dash for line in lines}) == len({line.marker.symbol for line in lines}) == 2


def test_one_ranking_for_all_is_drawn_across_the_bars():
    constant = {"head": 1.0, "torso": 0.25, "tail": 0.0}
    figure = rank_figure(study(), 10, constant=constant)
    lines = [shape for shape in figure.layout.shapes if shape.name]
    assert [(line.y0, line.y1) for line in lines] == [(100, 100), (25, 25), (0, 0)]
    assert [(line.x0, line.x1) for line in lines] == [(-0.45, 0.45), (0.55, 1.45), (1.55, 2.45)]
    assert [line.showlegend for line in lines] == [True, False, False]
    # a trace at these numbers would make categories of them
    assert all(set(bar.x) == {"head", "torso", "tail"} for bar in figure.data if bar.xaxis == "x2")


def test_all_labels_together_get_a_line_of_their_own():
    table = pd.DataFrame({"bin": ["all", "head"], "m": [50, 50], "share": [0.5, 0.9]})
    figure = shared_energy_figure({"set": table}, "share", "x")
    assert list(trace(figure, "all labels").y) == [50]
    assert "m = 50: all 50 %, head 90 %" in figure.layout.annotations[0].text


def test_directions_are_written_beside_their_bars_and_negative_r2_draws_none():
    table = pd.DataFrame({"share": [0.5, 0.1], "R2": [0.4, -0.2], "made of": ["+ a<b", "− c"]}, index=[1, 2])
    figure = directions_figure({"PLST": table}, most=2)
    assert list(figure.data[0].x) == [40, 0]
    texts = [a.text for a in figure.layout.annotations]
    assert "<b>40 %</b>  + a&lt;b" in texts
    assert "<b>-20 %</b>  − c" in texts


def test_the_map_names_only_what_it_is_asked_to():
    names, groups = ["game::go", "game::chess", "role::program"], ["game", "game", ""]
    figure = label_map_figure(np.zeros((3, 2)), names, groups, np.array([1, 100, 10]), [1])
    names_written = trace(figure, "names")
    assert list(names_written.text) == ["chess"]
    assert figure.data[-1] is names_written  # on top of all points
    assert trace(figure, "game").marker.size[1] > trace(figure, "game").marker.size[0]
    assert trace(figure, "other facets").customdata[0][0] == "role::program"


def test_lengths_are_of_the_longest_and_leave_out_unseen_labels():
    figure = embedding_length_figure({"PLST": np.array([0.5, 1.0, 0.0])}, np.array([3, 30, 0]))
    assert list(figure.data[0].y) == [50, 100]


def test_the_lowest_mean_is_marked_where_it_is_on_the_axis():
    losses = {"squared": (lambda s: (1 - s) ** 2, lambda s: s**2), "logistic": (lambda s: -s, lambda s: s)}
    figure = loss_figure(losses, 0.25, {"squared": 0.25, "logistic": -np.inf})
    (mark,) = [t for t in figure.data if t.name == "lowest mean"]
    assert (mark.x[0], mark.y[0]) == pytest.approx((0.25, 0.25 * 0.75**2 + 0.75 * 0.25**2))
    assert "lowest at 0.25" in figure.layout.annotations[0].text
    assert "no lowest" in figure.layout.annotations[1].text


def test_knock_out_figure_shows_now_beside_before():
    rows = [
        {"model": "squared", "strength": g, "throw": throw, "lost": lost, "lost of the tail": 2 * lost,
         "P@1": 0.7 - lost + throw / 10, "head": 0.9, "torso": 0.5, "tail": 0.1 - lost / 4 + throw / 100}
        for g, lost in ((0.0, 0.0), (1.0, 0.2))
        for throw in (-1, 0, 1)
    ]  # fmt: skip
    figure = knock_out_figure(pd.DataFrame(rows), 1.0)
    now, before, numbers = (t for t in figure.data if t.type == "bar")
    assert now.y[2] == pytest.approx(5)
    assert before.y[2] == pytest.approx(10)
    assert (now.error_y.array[2], now.error_y.arrayminus[2]) == pytest.approx((1, 1))
    assert figure.data[0].y == pytest.approx([0.7, 0.5])
    assert figure.data[0].error_y.array == pytest.approx([0.1, 0.1])
    assert (numbers.text[2], numbers.y[2]) == ("5", pytest.approx(10))
    assert "20% of all 1s gone, 40% of the tail's" in figure.layout.annotations[1].text
