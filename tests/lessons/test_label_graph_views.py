from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from xmlwb.datasets import Dataset, load
from xmlwb.label_graph import LabelGraph
from xmlwb.lessons.ego_network import BY_SHARED, BY_STRENGTH, EgoNetwork, LabelSearch, ego_network, ego_tables
from xmlwb.lessons.graph_hierarchy import (
    community_agreement,
    families,
    graph_hierarchy,
    hops_by_relation,
    related_pairs,
    relatives_by_tie,
)
from xmlwb.lessons.graph_layout import edge_table, places, tie_strength
from xmlwb.lessons.label_graph_growth import GraphGrowth, first_together, graph_growth, growth_table
from xmlwb.lessons.walk_steps import WalkSteps, walk_steps

NAMES = ["a::hub", "a::x", "a::y", "b::p", "b::q", "c::lone", "c::never"]


def labels() -> csr_array:
    """a::hub is with all but c::lone; x and y, p and q are together; c::never has no document."""
    rows = [[0, 1, 2]] * 4 + [[0, 3, 4]] * 3 + [[1, 2]] * 2 + [[3, 4], [5], [0], [0]]
    Y = np.zeros((len(rows), 7), dtype=np.float32)
    for row, members in enumerate(rows):
        Y[row, members] = 1
    return csr_array(Y)


@pytest.fixture(scope="module")
def graph() -> LabelGraph:
    return LabelGraph.from_labels(labels(), names=NAMES)


@pytest.fixture(scope="module")
def debtags() -> Dataset:
    return load("debtags")


def test_strength_is_the_cosine_of_label_columns(graph: LabelGraph) -> None:
    Y = labels().toarray()
    lengths = np.maximum(np.linalg.norm(Y, axis=0), 1e-9)
    cosine = (Y.T @ Y) / np.outer(lengths, lengths)
    np.fill_diagonal(cosine, 0)
    assert tie_strength(graph).toarray() == pytest.approx(cosine, abs=1e-6)
    edges = edge_table(graph)
    assert (edges["a"] < edges["b"]).all()
    assert len(edges) == graph.adjacency.nnz // 2
    for a, b, shared, strength in edges.itertuples(index=False):
        assert shared == (Y[:, a] * Y[:, b]).sum()
        assert strength == pytest.approx(cosine[a, b])


def test_tied_labels_come_to_lie_together() -> None:
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(4), 15)
    Y = csr_array((block == rng.integers(4, size=(400, 1))) & (rng.uniform(size=(400, 60)) < 0.3), dtype=np.float32)
    graph = LabelGraph.from_labels(Y)
    at = places(graph, np.zeros(60, dtype=int))
    assert np.abs(at).max() <= 1
    apart = np.linalg.norm(at[:, None] - at[None], axis=2)
    same = block[:, None] == block[None]
    assert apart[same].mean() < 0.5 * apart[~same].mean()
    assert (at == places(graph, np.zeros(60, dtype=int))).all()


def test_growth_counts_what_is_there() -> None:
    Y = labels()
    table = growth_table(Y, [1, 5, 13])
    for n, nodes, edges, largest in table.itertuples(index=False):
        part = Y[:n].toarray()
        both = (part.T @ part) > 0
        seen = part.sum(axis=0) > 0
        assert (nodes, edges) == (seen.sum(), (both.sum() - seen.sum()) // 2)
        component = connected_components(csr_array(both[seen][:, seen]))[1]
        assert largest == np.bincount(component).max() / seen.sum()
    assert first_together(Y, np.array([[0, 1], [3, 4], [0, 5]])).tolist() == [1, 5, 14]


def test_the_graph_grows_on_fixed_places(debtags: Dataset) -> None:
    growth = GraphGrowth(debtags.Y_train, debtags.label_names, n_sizes=6, max_nodes=200, max_edges=300)
    sizes = growth.growth["documents"].tolist()
    assert sizes[-1] == debtags.n_train
    assert (growth.growth[["nodes", "edges"]].diff().dropna() >= 0).all().all()
    assert growth.growth["edges"].iloc[-1] == LabelGraph.from_labels(debtags.Y_train).adjacency.nnz // 2
    assert (growth.edges["since"] <= debtags.n_train).all()
    early, late = growth(sizes[1]), growth(sizes[-1])
    where = [
        {text.split("<br>")[0]: (float(x), float(y)) for t in figure.data if t.hovertext is not None
         for text, x, y in zip(t.hovertext, t.x, t.y, strict=False) if x is not None}
        for figure in (early, late)
    ]  # fmt: skip
    assert 0 < len(where[0]) < len(where[1]) == 200
    assert where[0].items() <= where[1].items()
    said = late.layout.title.subtitle.text
    assert "drawn of the 200 most frequent labels are 300 of the 300 edges" in said
    slider = graph_growth(debtags, n_sizes=4, max_nodes=50)
    assert slider.controls["documents"].options[-1] == (f"{debtags.n_train:,}", debtags.n_train)


def test_neighbours_by_shared_documents_or_by_strength(graph: LabelGraph) -> None:
    nodes, edges = ego_tables(graph, 1, max_nodes=2)
    assert nodes["name"].tolist() == ["a::x", "a::y"]  # 6 shared documents against the hub's 4
    nodes, edges = ego_tables(graph, 3, by=BY_STRENGTH, max_nodes=3)
    assert nodes["name"].tolist()[0] == "b::p"
    assert set(nodes["name"]) == {"b::p", "b::q", "a::hub"}
    assert dict(zip(nodes["name"], nodes["shared"], strict=True)) == {"b::p": 0, "b::q": 4, "a::hub": 3}
    assert len(edges) == 3
    assert "100% of its own" in nodes.set_index("name").loc["b::q", "hover"]
    with pytest.raises(ValueError, match="by is 'size'"):
        ego_tables(graph, 0, by="size")


def test_a_click_moves_and_back_returns(graph: LabelGraph) -> None:
    network = EgoNetwork(graph, 1)
    network.view.clicked = {"customdata": 0, "count": 1}  # as the page sets it
    assert network.label == 0
    assert network.search.value == "a::hub"
    assert network.figure.layout.title.text == "a::hub"
    network.search.value = "b::p"
    assert network.label == 3
    network.back_button.click()
    network.back_button.click()
    assert network.label == 1
    assert network.back_button.disabled
    before = network.figure
    network.search.value = "b:"
    assert "2 labels contain" in network._message.value
    network.search.value = "zzz"
    assert "no label contains" in network._message.value
    assert network.figure is before


def test_the_shortest_path_is_shown_where_there_is_one(graph: LabelGraph) -> None:
    network = EgoNetwork(graph, 1)
    network.target.value = "b::q"
    assert network.path == [1, 0, 4]
    assert [note.text for note in network.path_figure.layout.annotations] == [
        "4 shared documents",
        "3 shared documents",
    ]
    assert network.path_view.layout.display is None
    network.target.value = "c::lone"
    assert network.path == []
    assert "different components" in network._message.value
    assert network.path_view.layout.display == "none"
    network.go_to(5)
    assert network.figure is not None


def test_a_search_among_many_names_stays_light() -> None:
    names = [f"lib{i}-dev" for i in range(20_000)] + ["python3-lib"]
    search = LabelSearch(names, np.arange(20_001))
    search.value = "lib"
    assert len(search.options) == 30
    assert search.options[0] == "lib19999-dev"
    search.value = "3-LIB"
    assert search.options == ("python3-lib",)


def test_unknown_names_are_refused(debtags: Dataset) -> None:
    with pytest.raises(ValueError, match="label is 'no::such'"):
        ego_network(debtags, "no::such")
    with pytest.raises(ValueError, match="labels holds 'no::such'"):
        walk_steps(debtags, ["no::such"])


def test_ego_networks_of_twenty_thousand_labels_stay_light() -> None:
    network = ego_network(load("debdeps"), "libc6")
    assert len(network.view.figure) < 200_000
    assert "drawn: the 39" in network.figure.layout.title.subtitle.text


def test_each_step_of_a_walk_follows_an_edge(debtags: Dataset) -> None:
    Y = debtags.Y_train
    sketch = WalkSteps(LabelGraph.from_labels(Y, names=debtags.label_names), max_nodes=12)
    for label in ("game::board:chess", "use::gameplaying"):
        states = sketch.run(label, walk_length=8, window=3)
        assert len(states) == 16
        nodes = sketch.nodes["node"].to_numpy()[list(states[-1].walk)]
        assert debtags.label_names[nodes[0]] == label
        for a, b in pairwise(nodes):
            assert a != b
            assert Y[:, [a]].multiply(Y[:, [b]]).sum() > 0


def test_another_start_is_another_walk_on_the_same_network(debtags: Dataset) -> None:
    steps = walk_steps(debtags, ["game::board:chess", "use::gameplaying"], max_nodes=12)
    steps.controls["window"].value = 3
    before = steps.states[-1].walk
    assert before == steps.states[0].walk
    steps.again_button.click()
    assert steps.states[-1].walk != before
    steps.step.value = len(steps.states) - 1
    pairs = len(steps.states[-1].pairs())
    assert f"{pairs:,} pairs so far" in steps.figure.layout.title.text


PARENTS = [(), ("a::hub",), ("a::hub",), ("b",), ("b",), ("c",), ("c",)]


def test_siblings_and_lineage(graph: LabelGraph) -> None:
    siblings, lineage = related_pairs(PARENTS, NAMES)
    assert sorted(zip(*np.nonzero(np.triu(siblings.toarray())), strict=True)) == [(1, 2), (3, 4), (5, 6)]
    assert sorted(zip(*np.nonzero(np.triu(lineage.toarray())), strict=True)) == [(0, 1), (0, 2)]
    assert families(PARENTS, NAMES).tolist() == [0, 0, 0, 1, 1, 2, 2]
    hops = hops_by_relation(graph, {"siblings": siblings, "parent and child": lineage})
    assert hops["pairs"].to_dict() == {"siblings": 2, "parent and child": 2, "all other pairs": 11}
    assert hops.loc["siblings", "1 step"] == 1
    other = hops.loc["all other pairs"]
    assert other["1 step"] == pytest.approx(2 / 11)  # the hub with p and q
    assert other["2 steps"] == pytest.approx(4 / 11)
    assert other["more, or no path"] == pytest.approx(5 / 11)  # c::lone with the five others
    ties = relatives_by_tie(graph, csr_array(siblings + lineage))
    assert ties["pairs"].sum() == 15
    assert (ties["pairs"] * ties["related"]).sum() == pytest.approx(4)
    assert ties["by chance"].iloc[0] == pytest.approx(4 / 15)


def test_agreement_of_planted_families_is_complete() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(4), 10)
    Y = csr_array((groups == rng.integers(4, size=(300, 1))) & (rng.uniform(size=(300, 40)) < 0.5), dtype=np.float32)
    graph = LabelGraph.from_labels(Y)
    table = community_agreement(graph, groups, resolutions=(1.0,))
    assert table["communities"].tolist() == [4, 4]
    assert table["adjusted Rand"].tolist() == pytest.approx([1, 1])
    shuffled = community_agreement(graph, rng.permutation(groups), resolutions=(1.0,))
    assert (shuffled["adjusted information"].abs() < 0.15).all()


def test_a_comparison_with_debtags_facets(debtags: Dataset) -> None:
    found = graph_hierarchy(debtags, resolutions=(1.0,))
    assert found.n_families == 31
    assert found.hops.loc["siblings", "1 step"] > found.hops.loc["all other pairs", "1 step"]
    assert found.relatives["pairs"].sum() == found.hops["pairs"].sum()
    assert found.figure.data
    with pytest.raises(ValueError, match="has no label_parents"):
        graph_hierarchy(load("debdeps"))


def test_default_neighbours_are_by_shared_documents(graph: LabelGraph) -> None:
    assert EgoNetwork(graph, 0).by.value == BY_SHARED
