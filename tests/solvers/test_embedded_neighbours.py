from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from xmlwb.solvers import hnsw
from xmlwb.solvers.embedded_neighbours import EmbeddedNeighbours, closest_centre, cluster
from xmlwb.solvers.inner_product_search import InnerProductSearch

NO_GRAPH = np.zeros(0, dtype=np.uint8)


def unit(n: int, width: int) -> np.ndarray:
    return normalize(np.random.default_rng(0).standard_normal((n, width)).astype(np.float32))


def test_clusters_do_not_depend_on_threads() -> None:
    vectors = unit(6000, 32)
    found = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads):
            found.append(cluster(vectors, 20, 0))
    for centres, assignment in found[1:]:
        np.testing.assert_array_equal(centres, found[0][0])
        np.testing.assert_array_equal(assignment, found[0][1])


@pytest.mark.parametrize(("distinct", "copies", "m"), [(5, 20, 40), (100, 10, 150), (300, 5, 400)])
def test_no_cluster_is_empty(distinct: int, copies: int, m: int) -> None:
    vectors = np.repeat(unit(distinct, 16), copies, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        centres, assignment = cluster(vectors, m, 0)
    assert np.unique(assignment).tolist() == list(range(len(centres)))
    assert len(centres) <= distinct
    indices, _ = EmbeddedNeighbours(vectors, centres, assignment, NO_GRAPH).find(vectors, 1)
    assert (indices >= 0).all()
    assert np.isin(closest_centre(vectors, centres), assignment).all()


def test_empty_places_have_no_cosine_and_no_row(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("hnswlib", reason="hnswlib is not installed (see the README)")
    monkeypatch.setattr(hnsw, "_different", lambda vectors: (np.arange(len(vectors)), np.arange(len(vectors))))
    vectors = np.repeat(unit(20, 16), 300, axis=0)  # islands, which a search does not leave
    centre, together = vectors[:1], np.zeros(len(vectors), dtype=np.int32)
    graph, queries = hnsw.build(vectors), vectors[::300]
    indices, cosines = EmbeddedNeighbours(vectors, centre, together, graph).find(queries, 1000)
    rows, products = InnerProductSearch(vectors, np.arange(6000), graph).find(queries, 1000, ef=10)
    for found, values in ((indices, cosines), (rows, products)):
        assert (found == -1).any()
        assert not values[found < 0].any()
