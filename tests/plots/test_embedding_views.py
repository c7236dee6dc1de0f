from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.embedding_quality import embedding_quality_figure
from xmlwb.plots.graph_tail import graph_tail_figure, seeds_table
from xmlwb.plots.map_neighbours import ARTEFACT, SURROUNDINGS, TORN, TRUE, Neighbour, map_and_graph_figure
from xmlwb.plots.neighbour_settings import neighbour_settings_figure
from xmlwb.plots.shared_space import shared_space_figure


def test_every_setting_has_a_panel_and_a_ring_where_its_slider_stands() -> None:
    curves = pd.DataFrame(
        {"setting": ["window"] * 2 + ["length"] * 2, "value": [1, 5, 2, 40],
         "facet": [0.1, 0.2, 0.3, 0.4], "held-out": [0.5, 0.6, 0.7, 0.8]}
    )  # fmt: skip
    now = {"facet": 0.25, "held-out": 0.65}
    references = {"chance": {"facet": 0.05, "held-out": 0.04}}
    figure = embedding_quality_figure(curves, {"window": 5, "length": 2}, now, references, {"window": "w"}, 1.2)
    assert "<b>65 %</b> of the held-out neighbours found, <b>25 %</b>" in figure.layout.title.text
    assert "1.2 s" in figure.layout.title.text
    rings = [trace for trace in figure.data if trace.legendgroup == "now"]
    assert [(ring.x[0], ring.y[0]) for ring in rings] == [("5", 65), ("5", 25), ("2", 65), ("2", 25)]
    assert (figure.layout.xaxis.title.text, figure.layout.xaxis2.title.text) == ("w", "length")
    assert sorted({shape.y0 for shape in figure.layout.shapes}) == [4, 5]
    assert figure.layout.yaxis.range[1] > 80
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert len({(line.line.dash, line.marker.symbol) for line in lines}) == 2


def map_figure():
    places = np.array([[0, 0], [1, 0], [0, 1], [9, 9], [50, 50], [0, 3]], dtype=float)
    names = ["a::x", "a::y", "b::y", "c::z", "d::far", "e::<q>"]
    marked = [(1, TRUE, 7), (3, TORN, 2), (2, SURROUNDINGS, 1), (5, ARTEFACT, 0)]
    neighbours = [Neighbour(*one) for one in marked]
    shares = {TRUE: 0.5, SURROUNDINGS: 0.3, ARTEFACT: 0.2}
    return map_and_graph_figure(places, names, np.array([20, 9, 3, 4, 5, 1]), 0, neighbours, shares, "PCA")


def test_neighbours_are_counted_by_kind_and_torn_ones_are_not_near() -> None:
    figure = map_figure()
    text = figure.layout.title.text
    assert text.startswith("<b>a::x</b>, 20 documents: of its 3 nearest on the map, ")
    assert text.endswith("<b>1 true</b>, 1 by surroundings, 1 artefacts")
    assert figure.layout.title.subtitle.text == "all labels: 50% true, 30% by surroundings, 20% artefacts"
    assert figure.layout.xaxis.range[1] < 50  # the window leaves out what is far from all that is marked
    assert figure.layout.xaxis.range[0] < 0 < 9 < figure.layout.xaxis.range[1]


def test_names_that_would_be_equal_are_written_in_full_and_only_shared_documents_draw_an_edge() -> None:
    figure = map_figure()
    texts = [trace.text[0] for trace in figure.data if trace.mode == "markers+text"]
    assert [text.replace("&nbsp;", "") for text in texts] == ["a::y (7)", "z (2)", "b::y (1)", "&lt;q&gt; (0)"]
    edges = [trace for trace in figure.data if trace.mode == "lines"]
    assert len(edges) == 3
    assert edges[0].line.width > edges[1].line.width > edges[2].line.width > 1


def test_documents_of_a_part_share_their_theme_s_colour() -> None:
    documents = {
        "training": (np.arange(8.0).reshape(4, 2), np.array([0, 0, 1, 1])),
        "validation": (np.array([[5.0, 5.0]]), np.array([1])),
    }
    labels = (np.array([[0.0, 0.0], [1, 1], [2, 2]]), ["game", "font", "other"], [0, 1, -1])
    window = (np.array([-1.0, -1.0]), np.array([8.0, 8.0]))
    curves = {"loss": ([1, 2], [0.9, 0.5]), "validation P@1": ([1, 2], [0.4, 0.6])}
    figure = shared_space_figure(documents, ["game", "font"], labels, curves, epoch=2, total=9, window=window)
    train, valid = (t for t in figure.data if t.name == "font" and t.mode == "markers")
    assert train.marker.color == valid.marker.color
    assert (train.marker.symbol, valid.marker.symbol) == ("diamond", "diamond-open")
    assert figure.layout.title.text == "<b>epoch 2 of 9</b>"
    assert [a.text for a in figure.layout.annotations] == ["<b>game</b>", "<b>font</b>"]
    loss, precision = (t for t in figure.data if t.name in curves)
    assert loss.yaxis != precision.yaxis
    assert figure.layout.shapes[0].x0 == 2


def neighbour_tables():
    votes = pd.DataFrame(
        [{"clusters": m, "k": k, "P@1": 0.6 + k / 1000 - m / 1000, "P@5": 0.3, "P@1 ±": 0.02, "P@5 ±": 0.01}
         for m in (1, 8) for k in (1, 10)]
    )  # fmt: skip
    searches = pd.DataFrame({"clusters": [1, 8, "hnsw"], "ms": [1.0, 0.2, 0.4], "recall": [1.0, 0.7, 0.99]})
    return votes, searches


def test_both_panels_say_what_the_sliders_stand_for() -> None:
    figure = neighbour_settings_figure(*neighbour_tables(), 10, 8)
    titles = [a.text for a in figure.layout.annotations]
    assert "<b>k = 10</b>: P@1 60.2 %, P@5 30.0 %" in titles
    assert "<b>8 clusters</b>: 0.2 ms, finds 70% of the nearest" in titles
    (ring,) = [t for t in figure.data if t.legendgroup == "now" and t.xaxis == "x2"]
    assert (ring.x[0], ring.y[0]) == (0.2, 70)
    compared = [t.name for t in figure.data if t.name and "no clusters" in t.name]
    assert compared == ["P@1, no clusters", "P@5, no clusters"]
    (star,) = [t for t in figure.data if t.name == "HNSW, over all"]
    assert (star.x[0], star.y[0]) == (0.4, 99)
    alone = neighbour_settings_figure(*neighbour_tables(), 1, 1)
    assert len([t for t in alone.data if t.name == "P@1, no clusters"]) == 1


def test_an_embedding_without_neighbours_in_a_bin_is_left_out_there() -> None:
    known = pd.DataFrame(
        {"embedding": ["graph", "graph", "cut"], "bin": ["head", "tail", "head"], "share": [0.3, 0.2, 0.25],
         "low": [0.2, 0.15, 0.2], "high": [0.4, 0.3, 0.3]}
    )  # fmt: skip
    gain = pd.DataFrame({"model": ["graph"], "bin": ["tail"], "gain": [0.031], "low": [0.01], "high": [0.05]})
    figure = graph_tail_figure(known, gain, "random", 5, 0.05)
    knows, cut = (t for t in figure.data if t.xaxis == "x")
    assert (list(knows.x), list(cut.x)) == (["head", "tail"], ["head"])
    (gains,) = [t for t in figure.data if t.xaxis == "x2"]
    assert gains.y[0] == pytest.approx(3.1)
    assert gains.marker.color == knows.marker.color
    assert {shape.y0 for shape in figure.layout.shapes} == {0, 5}
    assert figure.layout.yaxis2.range[0] == -figure.layout.yaxis2.range[1]


def test_seeds_table_keeps_the_order_of_the_models() -> None:
    runs = pd.DataFrame({"model": ["z", "a", "z", "a"], "seed": [0, 0, 1, 1], "tail": [0.1, 0.2, 0.1, 0.24]})
    table = seeds_table(runs, ["tail"], {"tail": "recall, tail"})
    assert table["recall, tail"].to_dict() == {"z": "10.0 ± 0.0", "a": "22.0 ± 2.8"}
