from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import normalize

from xmlwb.solvers import hnsw

pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")


def unit(n: int, width: int, seed: int = 0) -> np.ndarray:
    return normalize(np.random.default_rng(seed).standard_normal((n, width)).astype(np.float32))


@pytest.mark.parametrize(("distinct", "copies", "k"), [(20, 300, 40), (60, 100, 40), (20, 300, 400), (1, 300, 7)])
def test_copies_are_no_island(distinct: int, copies: int, k: int) -> None:
    different = unit(distinct, 16)
    vectors = np.repeat(different, copies, axis=0)
    graph = hnsw.read(hnsw.build(vectors), *vectors.shape)
    queries = normalize(different + 0.05 * unit(distinct, 16, seed=1))
    found, distances = hnsw.search(graph, queries, k)
    cosines = queries @ vectors.T
    np.testing.assert_allclose(1 - distances, -np.sort(-cosines, axis=1)[:, :k], atol=1e-5)
    np.testing.assert_allclose(1 - distances, np.take_along_axis(cosines, found, axis=1), atol=1e-5)
    assert all(len(np.unique(row)) == k for row in found)


def test_zero_with_a_sign_is_no_other_vector() -> None:
    vectors = np.array([[0, 1], [-0.0, 1], [1, 0]], dtype=np.float32)
    found, _ = hnsw.search(hnsw.read(hnsw.build(vectors), 3, 2), vectors[:1], 3)
    assert found.tolist() == [[0, 1, 2]]
    assert len(hnsw.read(hnsw.build(vectors), 3, 2)) == 2


def test_more_than_the_graph_leads_to_is_no_neighbour() -> None:
    vectors = unit(3, 4)
    found, distances = hnsw.search(hnsw.read(hnsw.build(vectors), 3, 4), vectors, 5)
    assert (found[:, 3:] == -1).all()
    assert np.isinf(distances[:, 3:]).all()
    assert np.sort(found[:, :3], axis=1).tolist() == [[0, 1, 2]] * 3


def test_a_search_that_ends_early_gives_what_it_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the copies in the graph they are islands; other vectors may be as close."""
    monkeypatch.setattr(hnsw, "_different", lambda vectors: (np.arange(len(vectors)), np.arange(len(vectors))))
    vectors = np.repeat(unit(20, 16), 300, axis=0)
    graph = hnsw.read(hnsw.build(vectors), *vectors.shape)
    graph.index.set_ef(1000)
    with pytest.raises(RuntimeError, match="contiguous"):
        graph.index.knn_query(vectors[::300], k=1000, num_threads=1)
    found, distances = hnsw.search(graph, vectors[::300], 1000)
    n_found = (found >= 0).sum(axis=1)
    assert ((n_found > 0) & (n_found < 1000)).any()
    assert (np.isinf(distances) == (found < 0)).all()
    assert (np.diff(found < 0, axis=1).sum(axis=1) <= 1).all(), "the empty places are the last"


@pytest.fixture(scope="module")
def graph() -> np.ndarray:
    return hnsw.build(unit(700, 8))


class TestCheck:
    """What hnswlib would trust."""

    n, dim = 700, 8

    def test_its_own_graph_is_in_order(self, graph) -> None:
        assert hnsw.check(graph, self.n, self.dim) == len(graph)

    @pytest.mark.parametrize(
        ("n", "dim", "message"),
        [
            (701, 8, "is one over 700 vectors; wanted 701"),
            (699, 8, "holds 700 vectors, 172 bytes each; wanted at most 699 of 8"),
            (700, 12, "holds 700 vectors, 172 bytes each; wanted at most 700 of 12 dimensions"),
        ],
    )
    def test_a_graph_over_others_is_refused(self, graph, n: int, dim: int, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            hnsw.read(graph, n, dim)

    @pytest.mark.parametrize(
        "spoilt",
        [
            lambda g: g.astype(np.uint16),
            lambda g: g.reshape(-1, 4),
            lambda g: g[:-4],
            lambda g: g[:-3],
            lambda g: g[:2000],
            lambda g: g[:40],
            lambda g: np.concatenate([g, np.zeros(4, dtype=np.uint8)]),
            lambda g: np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8),
        ],
        ids=["dtype", "shape", "shorter", "odd", "half", "no header", "longer", "random"],
    )
    def test_other_bytes_are_refused(self, graph, spoilt) -> None:
        with pytest.raises(ValueError, match="search graph"):
            hnsw.check(spoilt(graph), self.n, self.dim)

    # In words of 4 bytes: the header has 24; then for each vector a count, 32 links, the vector, its number (2 words).
    @pytest.mark.parametrize(
        ("word", "value"),
        [
            (2, 10**9), (4, 699), (6, 168), (8, 0), (10, 0), (12, 0), (13, 699), (13, 700), (14, 15), (16, 31),
            (18, 15), (24, 33), (24, 1 << 16), (25, 700), (24 + 43 * 699 + 32, 700), (24 + 41, 5), (24 + 42, 1),
            (24 + 43 * 700, 4),
        ],
    )  # fmt: skip
    def test_a_number_out_of_place_is_refused(self, graph, word: int, value: int) -> None:
        spoilt = graph.copy()
        assert spoilt.view(np.uint32)[word] != value
        spoilt.view(np.uint32)[word] = value
        with pytest.raises(ValueError, match="search graph"):
            hnsw.check(spoilt, self.n, self.dim)

    def test_links_of_the_upper_layers_are_followed(self, graph) -> None:
        words = graph.view(np.uint32)
        at = 24 + 43 * self.n
        while words[at] == 0:
            at += 1
        low = next(vector for vector in range(self.n) if self._layers(words)[vector] == 0)
        for place, value in ((at + 1, 17), (at + 2, self.n), (at + 2, low)):
            spoilt = graph.copy()
            spoilt.view(np.uint32)[place] = value
            with pytest.raises(ValueError, match="links beyond"):
                hnsw.check(spoilt, self.n, self.dim)

    def _layers(self, words: np.ndarray) -> list[int]:
        at, layers = 24 + 43 * self.n, []
        for _ in range(self.n):
            layers.append(int(words[at]) // 68)
            at += 1 + int(words[at]) // 4
        return layers

    def test_places_of_copies_are_looked_at(self) -> None:
        vectors = np.repeat(unit(50, self.dim), 3, axis=0)
        graph = hnsw.build(vectors)
        hnsw.check(graph, 150, self.dim)
        for value in (50, 2**31, 0):  # beyond the vectors, below them, and none left for one of them
            spoilt = graph.copy()
            spoilt.view(np.uint32)[-3:] = value
            with pytest.raises(ValueError, match="copies do not belong"):
                hnsw.check(spoilt, 150, self.dim)
