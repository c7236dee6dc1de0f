from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from xmlwb.plots.ego_network import ego_figure, path_strip_figure, ring_places, shared_bins
from xmlwb.plots.graph_hierarchy import graph_hierarchy_figure
from xmlwb.plots.label_graph import (
    community_looks,
    growth_figure,
    label_graph_figure,
    named,
    segments,
    strongest_edges,
)
from xmlwb.plots.walk_steps import walk_figure, walk_states


def graph(n: int = 60, m: int = 300, n_communities: int = 9, seed: int = 0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    nodes = pd.DataFrame(
        {"x": rng.uniform(-1, 1, n), "y": rng.uniform(-1, 1, n), "community": np.arange(n) % n_communities,
         "count": rng.integers(1, 1000, n), "name": [f"tag::<{i}>" for i in range(n)]}
    )  # fmt: skip
    a, b = np.triu_indices(n, 1)
    chosen = rng.choice(len(a), m, replace=False)
    return nodes, pd.DataFrame({"a": a[chosen], "b": b[chosen], "strength": rng.uniform(size=m)})


def drawn_edges(trace: object) -> int:
    return int(np.isnan(trace.x).sum())


def test_each_node_keeps_its_strongest_edge() -> None:
    nodes, edges = graph()
    kept = strongest_edges(edges, 80)
    assert len(kept) == 80
    for node in range(len(nodes)):
        own = edges[(edges["a"] == node) | (edges["b"] == node)]
        if len(own):
            assert own["strength"].idxmax() in kept.index
    first = {own["strength"].idxmax() for v in range(60) if len(own := edges[(edges["a"] == v) | (edges["b"] == v)])}
    others = edges.drop(index=list(first)).nlargest(80 - len(first), "strength")
    assert set(kept.index) == first | set(others.index)
    assert strongest_edges(edges, 300) is edges
    assert len(strongest_edges(edges, 5)) == 5


def test_edges_are_one_trace_and_the_title_says_how_many_are_drawn() -> None:
    nodes, edges = graph()
    figure = label_graph_figure(nodes, edges, max_edges=100)
    (lines,) = [trace for trace in figure.data if trace.mode == "lines"]
    assert drawn_edges(lines) == 100
    assert "60 labels, 300 edges; drawn: the 100 strongest" in figure.layout.title.subtitle.text
    assert "drawn" not in label_graph_figure(nodes, edges).layout.title.subtitle.text
    x, y = segments(nodes["x"].to_numpy(), nodes["y"].to_numpy(), edges.iloc[:1])
    a, b = edges.iloc[0][["a", "b"]].astype(int)
    assert x[:2] == pytest.approx(nodes["x"][[a, b]])
    assert y[:2] == pytest.approx(nodes["y"][[a, b]])


def test_communities_differ_in_colour_and_in_symbol() -> None:
    nodes, edges = graph()
    looks = community_looks(nodes)
    assert len({look.colour for look in looks}) == len({look.symbol for look in looks}) == 8
    assert looks[-1].communities == (7, 8)
    leads = nodes[nodes["community"] == 0].sort_values("count", ascending=False)["name"].tolist()
    assert looks[0].name == f"{leads[0]}, {leads[1]} + 5"
    points = [trace for trace in label_graph_figure(nodes, edges).data if trace.mode == "markers"]
    assert sum(len(trace.x) for trace in points) == 60
    assert "&lt;" in points[0].name
    assert "&lt;" in points[0].hovertext[0]
    hub = nodes["count"].idxmax()
    of = next(t for t in points if any(f"&lt;{hub}&gt;" in text for text in t.hovertext))
    assert max(of.marker.size) == max(max(t.marker.size) for t in points)


def test_names_do_not_cover_each_other_and_each_community_is_named() -> None:
    nodes, _ = graph(n=400)
    chosen = named(nodes, 30)
    x, y = nodes["x"].to_numpy() * 400, nodes["y"].to_numpy() * 300
    for place, one in enumerate(chosen):
        for other in chosen[:place]:
            wide = 7.2 * (len(nodes["name"][one]) + len(nodes["name"][other])) / 2
            assert abs(x[one] - x[other]) > wide or abs(y[one] - y[other]) > 19
    assert nodes["community"][chosen[0]] in range(9)
    assert named(nodes.assign(count=0), 30) == []


def test_thousands_of_nodes_are_drawn_by_webgl_and_stay_light() -> None:
    nodes, edges = graph(n=5_000, m=60_000)
    figure = label_graph_figure(nodes, edges)
    assert {trace.type for trace in figure.data} == {"scattergl"}
    assert len(figure.to_json()) < 1_000_000
    assert {trace.type for trace in label_graph_figure(*graph()).data} == {"scatter"}


def test_what_is_not_seen_yet_is_not_drawn_but_keeps_its_place_in_the_legend() -> None:
    nodes, edges = graph(n_communities=3)
    looks = community_looks(nodes)
    growth = pd.DataFrame({"documents": [10, 200], "nodes": [20, 60], "edges": [40, 300], "largest": [0.5, 1.0]})
    early = nodes.assign(count=nodes["count"].where(nodes["community"] == 1, 0))
    figure = growth_figure(early, edges.iloc[:7], growth, 10, looks)
    points = {trace.name: trace for trace in figure.data if trace.name and trace.xaxis in (None, "x")}
    assert len(points) == 3
    assert [len(trace.x) for trace in points.values()] == [1, 20, 1]  # 1: an empty place
    assert "20 labels seen, 40 edges, 50.0 %" in figure.layout.title.subtitle.text
    late = growth_figure(nodes, edges, growth, 200, looks)
    assert late.layout.xaxis2.range == figure.layout.xaxis2.range
    assert late.layout.xaxis.range == figure.layout.xaxis.range
    marks = [trace for trace in late.data if trace.xaxis not in (None, "x") and trace.mode == "markers"]
    assert [float(trace.y[0]) for trace in marks] == [60, 300, 100]
    with pytest.raises(ValueError, match="wanted one of 10, 200"):
        growth_figure(nodes, edges, growth, 11, looks)


def ego(n: int = 12) -> tuple[pd.DataFrame, pd.DataFrame]:
    nodes = pd.DataFrame(
        {"node": 100 + np.arange(n), "name": [f"label <{i}>" for i in range(n)], "count": np.arange(n) + 1,
         "community": [-1, *([0] * (n // 2)), *([1] * (n - 1 - n // 2))], "hover": "h"}
    )  # fmt: skip
    a, b = np.triu_indices(n, 1)
    return nodes, pd.DataFrame({"a": a, "b": b, "shared": a + b, "strength": 1.0 / (a + b)})


def test_neighbours_stand_on_a_circle_at_different_heights() -> None:
    for n in (1, 2, 3, 12, 41):
        at = ring_places(n)
        assert np.hypot(*at[1:].T) == pytest.approx(np.ones(n - 1))
        for side in (-1, 1):
            heights = at[1:][at[1:, 0] * side > 1e-9, 1]
            assert len(np.unique(heights.round(9))) == len(heights)
            assert np.ptp(np.diff(np.sort(heights))) < 1e-9 if len(heights) > 2 else True


def test_a_click_on_a_neighbour_or_its_name_tells_the_node() -> None:
    nodes, edges = ego()
    figure = ego_figure(nodes, edges, path=[103])
    told = [(trace.mode, node) for trace in figure.data for node in trace.customdata or ()]
    assert sorted(node for mode, node in told if mode == "markers") == nodes["node"].tolist()
    assert sorted(node for mode, node in told if "text" in mode) == nodes["node"].tolist()[1:]
    shown = {text for trace in figure.data for text in trace.text or ()}
    assert shown == {f"label &lt;{i}&gt;" for i in range(1, 12)}
    ring = next(trace for trace in figure.data if trace.marker.color == "rgba(0,0,0,0)")
    assert (ring.x[0], ring.y[0]) == pytest.approx(ring_places(12)[3])
    lines = {trace.name: drawn_edges(trace) for trace in figure.data if trace.mode == "lines"}
    assert lines.pop("the 36 strongest edges between neighbours") == 36
    assert sum(lines.values()) == 11


def test_a_label_without_neighbours_stands_alone() -> None:
    nodes, edges = ego(1)
    figure = ego_figure(nodes, edges)
    assert "label &lt;0&gt;" in figure.layout.annotations[0].text


def test_widths_of_shared_documents_cover_all_of_them() -> None:
    shared = pd.Series(np.random.default_rng(0).integers(1, 500, 40))
    bins = shared_bins(shared)
    assert sum(((shared >= low) & (shared <= high)).sum() for low, high, _ in bins) == 40
    assert all(one[1] < other[0] and one[2] < other[2] for one, other in pairwise(bins))


def test_a_path_is_a_row_with_the_documents_between() -> None:
    figure = path_strip_figure([4, 2, 9], ["a<", "b", "c"], [1, 70])
    assert figure.data[1].text == ("a&lt;", "b", "c")
    assert [note.text for note in figure.layout.annotations] == ["1 shared document", "70 shared documents"]
    assert figure.data[1].customdata == (4, 2, 9)
    with pytest.raises(ValueError, match="shared has 1 numbers"):
        path_strip_figure([4, 2, 9], ["a", "b", "c"], [1])


def test_pairs_of_all_windows_by_brute_force() -> None:
    walk, window = [0, 3, 5, 3, 7], 2
    states = walk_states(walk, window)
    assert len(states) == 10
    assert [state.taken for state in states[:5]] == [1, 2, 3, 4, 5]
    assert states[4].pairs() == []
    wanted = [(walk[i], walk[j]) for i in range(5) for j in range(5) if i != j and abs(i - j) <= window]
    assert states[-1].pairs() == wanted
    assert states[6].pairs() == [pair for i, j in ((0, 2), (1, 3)) for pair in _of(walk, i, j)]


def _of(walk: list[int], centre: int, last: int) -> list[tuple[int, int]]:
    return [(walk[centre], walk[place]) for place in range(last + 1) if place != centre]


def test_the_walk_and_its_window_are_marked_and_listed() -> None:
    nodes, edges = ego()
    states = walk_states([0, 3, 5, 3], 1)
    figure = walk_figure(nodes, edges, states[2])
    assert figure.layout.title.text == "The walk: 2 steps of 3"
    texts = [note.text for note in figure.layout.annotations if note.xref == "x2"]
    assert texts == ["<b>the walk, as a sentence</b>", "0  label &lt;0&gt;", "1  label &lt;3&gt;",
                     "<b>2  label &lt;5&gt;</b>", "3"]  # fmt: skip
    figure = walk_figure(nodes, edges, states[5])
    assert figure.layout.title.text == "The window at place 1: 3 pairs so far, 3 different"
    texts = [note.text for note in figure.layout.annotations if note.xref == "x2"]
    assert texts[-2:] == ["(label &lt;3&gt;, label &lt;0&gt;)", "(label &lt;3&gt;, label &lt;5&gt;)"]
    by_name = {trace.name: trace for trace in figure.data}
    at = ring_places(12)
    assert (by_name["centre"].x[0], by_name["centre"].y[0]) == pytest.approx(at[3])
    assert sorted(by_name["context"].x) == pytest.approx(sorted(at[[0, 5], 0]))
    json.loads(figure.to_json())


def test_shares_are_percentages_and_chance_is_a_line() -> None:
    hops = pd.DataFrame({"pairs": [4, 96], "1 step": [0.75, 0.25], "2 steps": [0.25, 0.5], "3 steps": [0, 0.25]},
                        index=["siblings", "all other pairs"])  # fmt: skip
    relatives = pd.DataFrame({"pairs": [10, 90], "related": [0.3, 0.01], "by chance": [0.04, 0.04]},
                             index=["strong", "weak"])  # fmt: skip
    figure = graph_hierarchy_figure(hops, relatives)
    bars = {trace.name: list(trace.x) for trace in figure.data}
    assert bars["1 step"] == [75, 25]
    assert bars["siblings, or parent and child"] == [30, 1]
    assert figure.layout.shapes[0].x0 == 4
    assert figure.data[0].y[0] == "siblings<br>4 pairs"
    looks = {(trace.marker.color, trace.marker.pattern.shape) for trace in figure.data[:3]}
    assert len(looks) == 3
