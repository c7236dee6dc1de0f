from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets import load
from xmlwb.label_graph import LabelGraph


def random_labels(n: int = 60, L: int = 20, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, L)) < 0.12).astype(int)
    Y[:, 7] = 0  # a label without documents
    Y[:, 11] = 0
    Y[3] = 0
    Y[3, 11] = 1  # a label that is always alone
    return Y


@pytest.fixture(scope="module")
def path_graph() -> LabelGraph:
    """0 - 1 - 2 - 3 - 4 and 5 - 6; the edge 2 - 3 weighs 5; 7 is alone."""
    pairs = [(0, 1), (1, 2), (2, 3), (2, 3), (2, 3), (2, 3), (2, 3), (3, 4), (5, 6)]
    Y = np.zeros((len(pairs) + 1, 8), dtype=int)
    for row, pair in enumerate(pairs):
        Y[row, list(pair)] = 1
    Y[-1, 7] = 1
    return LabelGraph.from_labels(Y)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csc_array, sparse.coo_matrix])
def test_an_edge_weighs_the_documents_that_two_labels_share(form):
    Y = random_labels()
    shared = Y.T @ Y
    np.fill_diagonal(shared, 0)
    graph = LabelGraph.from_labels(form(Y))
    assert np.array_equal(graph.adjacency.toarray(), shared)
    assert np.array_equal(LabelGraph.from_labels(form(Y), weighted=False).adjacency.toarray(), shared > 0)
    assert graph.adjacency.dtype == np.float32
    assert np.array_equal(graph.counts, Y.sum(axis=0))
    assert np.array_equal(graph.degrees, (shared > 0).sum(axis=1))
    assert graph.degrees[[7, 11]].tolist() == [0, 0]


def test_the_callers_labels_stay_as_they_are():
    Y = sparse.csr_array((np.ones(4), np.array([2, 0, 1, 1]), np.array([0, 2, 4])), shape=(2, 3))  # unsorted, twice
    graph = LabelGraph.from_labels(Y)
    assert Y.indices.tolist() == [2, 0, 1, 1]
    assert graph.adjacency.toarray().tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert graph.counts.tolist() == [1, 1, 1]


def test_many_labels_need_no_square_array():
    L = 2_000_000  # a dense L x L array would take 16 TB
    Y = sparse.csr_array((np.ones(3), ([0, 0, 1], [0, L - 1, 5])), shape=(2, L))
    graph = LabelGraph.from_labels(Y)
    assert graph.adjacency.nnz == 2
    assert graph.shortest_path(0, L - 1) == [0, L - 1]


def test_a_hierarchy_has_its_terms_behind_the_labels():
    parents = [("b", "top"), ("top",), (), ("other",), ("b", "b")]
    graph = LabelGraph.from_parents(["a", "b", "c", "d", "e"], parents, counts=np.array([3, 1, 0, 2, 5]))
    assert graph.names == ("a", "b", "c", "d", "e", "top", "other")
    assert graph.n_labels == 5
    assert graph.counts.tolist() == [3, 1, 0, 2, 5, 0, 0]
    edges = {(int(i), int(j)) for i, j in zip(*graph.adjacency.nonzero(), strict=True) if i < j}
    assert edges == {(0, 1), (0, 5), (1, 5), (3, 6), (1, 4)}
    assert set(graph.adjacency.data.tolist()) == {1.0}
    assert graph.components().tolist() == [0, 0, 2, 1, 0, 0, 1]


def test_the_facets_of_debtags_are_its_hierarchy():
    dataset = load("debtags")
    graph = LabelGraph.from_parents(dataset.label_names, dataset.label_parents)
    facet = [name.split("::")[0] for name in graph.names]
    assert graph.n_labels == len(dataset.label_names) < len(graph.names)
    component = graph.components()
    assert all(len({component[i] for i in np.flatnonzero(np.array(facet) == f)}) == 1 for f in set(facet))
    assert component.max() + 1 == len(set(facet))


def test_components_come_by_size(path_graph):
    assert path_graph.components().tolist() == [0, 0, 0, 0, 0, 1, 1, 2]


def test_shortest_paths_are_as_short_as_networkx_finds_them(path_graph):
    assert path_graph.shortest_path(0, 4) == [0, 1, 2, 3, 4]
    assert path_graph.shortest_path(4, 4) == [4]
    assert path_graph.shortest_path(0, 5) == []
    graph = LabelGraph.from_labels(random_labels(n=25))
    reference = graph.to_networkx()
    for a in range(0, 20, 3):
        hops = nx.single_source_shortest_path_length(reference, a)
        for b in range(20):
            path = graph.shortest_path(a, b)
            assert len(path) - 1 == hops.get(b, -1)
            assert all(graph.adjacency[i, j] > 0 for i, j in pairwise(path))
            assert not path or (path[0], path[-1]) == (a, b)


def test_ego_networks_grow_ring_by_ring_the_strongest_first(path_graph):
    assert path_graph.ego(2).tolist() == [2, 3, 1]
    assert path_graph.ego(2, radius=2).tolist() == [2, 3, 1, 0, 4]
    assert path_graph.ego(2, radius=9, max_nodes=2).tolist() == [2, 3]
    assert path_graph.ego(2, radius=0).tolist() == [2]
    assert path_graph.ego(7, radius=3).tolist() == [7]
    graph = LabelGraph.from_labels(random_labels())
    for node in (0, 5, 7):
        for radius in (1, 2, 3):
            wanted = nx.ego_graph(graph.to_networkx(), node, radius).nodes
            assert set(graph.ego(node, radius=radius).tolist()) == set(wanted)


def test_planted_communities_are_found():
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat([0, 1, 2], [12, 9, 6]))
    rows = []
    for _ in range(300):
        members = np.flatnonzero(group == rng.integers(3)) if rng.random() < 0.95 else np.arange(27)
        rows.append(np.isin(np.arange(28), rng.choice(members, 3)))  # label 27 has no document
    graph = LabelGraph.from_labels(np.array(rows).astype(int))
    found = graph.communities()
    assert np.array_equal(found, [*group, 3])
    assert np.array_equal(found, graph.communities(random_state=0))
    assert graph.communities(resolution=8.0).max() > 3


def test_a_subgraph_keeps_names_counts_and_inner_edges():
    graph = LabelGraph.from_parents(["a", "b", "c"], [("top",), ("a",), ("top",)], counts=np.array([4, 5, 6]))
    small = graph.subgraph([3, 2, 0])
    assert small.names == ("c", "a", "top")
    assert small.n_labels == 2
    assert small.counts.tolist() == [6, 4, 0]
    assert small.adjacency.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [1, 1, 0]]
    assert graph.subgraph([]).counts.tolist() == []
    assert np.array_equal(graph.subgraph(graph.ego(0)).adjacency.sum(axis=0)[0], 2)


def test_networkx_holds_the_same_graph():
    Y = random_labels()
    names = [f"label {i}" for i in range(20)]
    graph = LabelGraph.from_labels(Y, names=names)
    whole = graph.to_networkx()
    assert np.array_equal(nx.to_numpy_array(whole, nodelist=range(20)), graph.adjacency.toarray())
    assert whole.nodes[4] == {"name": "label 4", "count": int(Y[:, 4].sum())}
    part = graph.to_networkx([5, 2, 9])
    assert list(part.nodes) == [5, 2, 9]
    assert nx.utils.graphs_equal(part, nx.Graph(whole.subgraph([5, 2, 9])))
    assert LabelGraph.from_labels(Y).to_networkx().nodes[4]["name"] == "4"


def test_no_documents_and_no_labels_are_legal():
    graph = LabelGraph.from_labels(sparse.csr_array((0, 3)))
    assert graph.communities().tolist() == graph.components().tolist() == [0, 1, 2]
    assert graph.ego(1).tolist() == [1]
    assert graph.to_networkx().number_of_nodes() == 3
    assert LabelGraph.from_parents([], []).components().tolist() == []


GOOD = sparse.csr_array(np.array([[0, 1], [1, 0]], dtype=np.float32))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelGraph.from_labels(np.array([[0, 2]])), "Y: found 2"),
        (lambda: LabelGraph.from_labels(np.array([0, 1])), "Y: found int64 of shape"),
        (lambda: LabelGraph.from_labels(np.eye(3), names=["a"]), "names: found .* wanted 3 names"),
        (lambda: LabelGraph.from_labels(np.eye(3), names="abc"), "names: found 'abc'"),
        (lambda: LabelGraph.from_parents(["a", "a"], [(), ()]), "'a' more than once"),
        (lambda: LabelGraph.from_parents(["a", "b"], [()]), "label_parents has 1 entries; wanted 2"),
        (lambda: LabelGraph.from_parents(["a"], ["top"]), "label_parents.0. is 'top'; wanted a tuple"),
        (lambda: LabelGraph.from_parents(["a"], [(1,)]), "wanted a tuple of names"),
        (lambda: LabelGraph.from_parents(["a"], [None]), "label_parents.0. is None; wanted a tuple of names"),
        (lambda: LabelGraph.from_parents(["a"], [()], counts=np.ones(2)), "counts has shape"),
        (lambda: LabelGraph(GOOD.toarray(), 2, None, np.zeros(2)), "wanted a csr_array"),
        (lambda: LabelGraph(sparse.csr_array(np.eye(2, dtype=np.float32)), 2, None, np.zeros(2)), "diagonal"),
        (lambda: LabelGraph(GOOD.astype(float), 2, None, np.zeros(2)), "float32"),
        (lambda: LabelGraph(-GOOD, 2, None, np.zeros(2)), "above 0"),
        (
            lambda: LabelGraph(sparse.csr_array(np.triu(GOOD.toarray())), 2, None, np.zeros(2)),
            "not symmetric",
        ),
        (lambda: LabelGraph(GOOD, 3, None, np.zeros(2)), "n_labels is 3"),
        (lambda: LabelGraph(GOOD, 2, ("a",), np.zeros(2)), "names has 1 entries"),
        (lambda: LabelGraph(GOOD, 2, None, np.zeros(3)), "counts has shape"),
        (lambda: LabelGraph.from_labels(np.eye(2)).shortest_path(0, 2), "b is 2; wanted a node, 0..1"),
        (lambda: LabelGraph.from_labels(np.eye(2)).shortest_path(True, 1), "a is True"),
        (lambda: LabelGraph.from_labels(np.eye(2)).ego("x"), "node is 'x'"),
        (lambda: LabelGraph.from_labels(np.eye(2)).ego(0, radius=-1), "radius is -1"),
        (lambda: LabelGraph.from_labels(np.eye(2)).ego(0, max_nodes=0), "max_nodes is 0"),
        (lambda: LabelGraph.from_labels(np.eye(2)).subgraph([0, 0]), "more than once"),
        (lambda: LabelGraph.from_labels(np.eye(2)).to_networkx([2]), "wanted a sequence of nodes"),
        (lambda: LabelGraph.from_labels(np.eye(2)).communities(resolution=0), "resolution is 0"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_parents_may_come_from_an_iterator():
    graph = LabelGraph.from_parents(["a", "b"], [(parent for parent in ["b"]), ()])
    assert graph.adjacency.nnz == 2
