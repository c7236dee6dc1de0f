"""The layers of an HNSW graph, read from its bytes; our search over them finds what hnswlib finds."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from xmlwb.lessons.small_world import compare_with_hnswlib, met_so_far, read_layers, search
from xmlwb.solvers import hnsw

pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
N, DIM, M = 700, 8, 4


def unit(n: int, seed: int) -> np.ndarray:
    return normalize(np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32))


@pytest.fixture(scope="module")
def bytes_of_graph() -> np.ndarray:
    return hnsw.build(unit(N, 0), n_links=M)


@pytest.fixture(scope="module")
def world(bytes_of_graph):
    return read_layers(bytes_of_graph, N, DIM)


def test_the_vectors_are_those_of_the_graph(world) -> None:
    np.testing.assert_array_equal(world.vectors, unit(N, 0))


def test_each_layer_holds_some_of_the_layer_below(world) -> None:
    assert len(world.layers) > 2
    assert sorted(world.layers[0]) == list(range(N))
    for lower, upper in zip(world.layers, world.layers[1:], strict=False):
        assert 0 < len(upper) < len(lower)
        assert set(upper) <= set(lower)
    assert world.entry in world.layers[-1]


def test_links_stay_in_their_layer_and_have_their_number(world) -> None:
    for number, layer in enumerate(world.layers):
        most = 2 * M if number == 0 else M
        for node, links in layer.items():
            assert len(links) <= most
            assert node not in links
            assert set(links) <= set(layer)
    assert max(map(len, world.layers[0].values())) == 2 * M


@pytest.mark.parametrize("ef", [5, 10, 40])
def test_it_finds_what_hnswlib_finds(world, bytes_of_graph, ef: int) -> None:
    queries = unit(100, 1)
    found, distances = hnsw.search(hnsw.read(bytes_of_graph, N, DIM), queries, 5, ef=ef)
    for query, wanted, how_far in zip(queries, found, distances, strict=True):
        best = search(world, query, ef)[-1].best
        assert [node for _, node in best[:5]] == wanted.tolist()
        np.testing.assert_allclose([distance for distance, _ in best[:5]], how_far, atol=1e-6)


def test_the_upper_layers_only_come_nearer(world) -> None:
    for query in unit(20, 2):
        hops = search(world, query, 1)
        going = [hop for hop in hops if hop.layer > 0]
        distances = [world.distance(query, hop.at) for hop in going]
        assert distances == sorted(distances, reverse=True)
        assert [hop.layer for hop in hops] == sorted([hop.layer for hop in hops], reverse=True)
        assert hops[0].at == world.entry


def test_wider_searches_look_at_more_and_find_no_worse(world) -> None:
    queries = unit(50, 3)
    looked, missed = [], []
    for ef in (1, 10, 100):
        ways = [search(world, query, ef) for query in queries]
        looked.append(np.mean([len(met_so_far(world, way)) for way in ways]))
        nearest = np.argmax(queries @ world.vectors.T, axis=1)
        missed.append(sum(way[-1].best[0][1] != right for way, right in zip(ways, nearest, strict=True)))
    assert looked == sorted(looked)
    assert missed == sorted(missed, reverse=True)
    assert missed[-1] == 0 < missed[0]


def test_a_graph_of_one_layer_is_searched_too() -> None:
    vectors = unit(3, 4)
    world = read_layers(hnsw.build(vectors), 3, DIM)
    assert len(world.layers) == 1
    assert search(world, vectors[2], 3)[-1].best[0][1] == 2


def test_copies_are_refused() -> None:
    vectors = np.repeat(unit(5, 5), 2, axis=0)
    with pytest.raises(ValueError, match="some vectors are equal"):
        read_layers(hnsw.build(vectors), 10, DIM)


def test_the_table_of_widths() -> None:
    vectors = np.concatenate([unit(300, 6), unit(2, 6), np.zeros((1, DIM), np.float32)])  # two copies, a zero
    table = compare_with_hnswlib(vectors, unit(30, 7), 5, widths=(5, 300), n_links=M)
    assert table["vectors"].tolist() == [300, 300]
    assert (table["same as hnswlib"] == 1).all()
    assert table["found"][5] < table["found"][300] == 1
    assert table["distances"][5] < table["distances"][300] <= 300
