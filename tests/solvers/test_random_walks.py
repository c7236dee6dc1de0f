from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.random_walks import Walker, random_walks


def weighted_graph(V: int = 12, seed: int = 0) -> sparse.csr_array:
    """Symmetric, weights from 1 to 50; node 4 is alone."""
    rng = np.random.default_rng(seed)
    A = np.triu(rng.integers(1, 51, (V, V)) * (rng.random((V, V)) < 0.5), 1).astype(np.float32)
    A[4], A[:, 4] = 0, 0
    return sparse.csr_array(A + A.T)


def test_steps_go_to_neighbours_in_proportion_to_the_weights():
    A = weighted_graph()
    walks = random_walks(A, n_walks=2000, walk_length=20)
    steps = np.zeros(A.shape)
    here, there = walks[:, :-1].ravel(), walks[:, 1:].ravel()
    on = there >= 0
    np.add.at(steps, (here[on], there[on]), 1)
    weights = A.toarray()
    assert not np.any(steps[weights == 0])
    taken = steps.sum(axis=1, keepdims=True)
    wanted = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)
    deviations = (steps - taken * wanted) / np.sqrt(np.maximum(taken * wanted * (1 - wanted), 1))
    assert taken[np.arange(12) != 4].min() > 5_000
    assert np.abs(deviations).max() < 4.5  # standard deviations, in 66 places
    assert np.sqrt(np.mean(deviations[weights > 0] ** 2)) < 1.3


def test_steps_do_not_remember_the_one_before():
    ring = sparse.csr_array(np.ones((3, 3)) - np.eye(3))
    walks = random_walks(ring, n_walks=3000, walk_length=40)
    turns = (walks[:, 1:] - walks[:, :-1]) % 3  # 1 or 2
    ahead = turns == 1
    n = ahead[:, 1:].size
    for lag in (1, 2, 3):
        same = np.mean(ahead[:, lag:] == ahead[:, :-lag])
        assert abs(same - 0.5) < 5 / np.sqrt(n)


def test_a_heavy_edge_next_to_many_light_ones():
    weights = np.array([1e6, *np.full(999, 1e-3)])
    star = sparse.csr_array((weights, (np.zeros(1000, dtype=int), np.arange(1, 1001))), shape=(1001, 1001))
    walks = random_walks(star, n_walks=2000, walk_length=2)
    first = walks[walks[:, 0] == 0, 1]
    assert np.mean(first == 1) > 0.99


def test_every_node_starts_a_walk_in_every_pass_in_an_order_of_its_own():
    walks = random_walks(weighted_graph(), n_walks=3, walk_length=5)
    assert walks.shape == (36, 5)
    assert walks.dtype == np.int32
    orders = walks[:, 0].reshape(3, 12)
    assert all(np.array_equal(np.sort(order), np.arange(12)) for order in orders)
    assert not np.array_equal(orders[0], orders[1])


@pytest.mark.parametrize("n_jobs", [2, 3, 7])
def test_walks_do_not_depend_on_the_number_of_threads(n_jobs):
    A = sparse.csr_array(sparse.random_array((900, 900), density=0.01, rng=np.random.default_rng(0)))
    walks = random_walks(A, n_walks=4, walk_length=11, n_jobs=1)
    assert np.array_equal(walks, random_walks(A, n_walks=4, walk_length=11, n_jobs=n_jobs))
    assert not np.array_equal(walks, random_walks(A, n_walks=4, walk_length=11, random_state=1))


def test_a_part_of_the_walks_is_the_same_as_in_the_whole():
    A = weighted_graph()
    whole = random_walks(A, n_walks=5, walk_length=9, random_state=3)
    walker = Walker(A, n_walks=5, walk_length=9, random_state=3)
    parts = [walker.rows(begin, min(begin + 7, 60)) for begin in range(0, 60, 7)]
    assert np.array_equal(np.concatenate(parts), whole)
    assert np.array_equal(walker.starts, whole[:, 0])
    with pytest.raises(ValueError, match="there are 60 walks"):
        walker.rows(59, 61)


def test_a_walk_ends_where_no_edge_leaves():
    one_way = sparse.csr_array(np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]]))
    walks = random_walks(one_way, n_walks=1, walk_length=5)
    assert walks[walks[:, 0] == 0].tolist() == [[0, 1, 2, -1, -1]]
    assert walks[walks[:, 0] == 2].tolist() == [[2, -1, -1, -1, -1]]
    assert sorted(random_walks(one_way, n_walks=2, walk_length=1).ravel().tolist()) == [0, 0, 1, 1, 2, 2]


def test_an_edge_of_weight_0_is_none():
    A = sparse.csr_array((np.array([0.0, 2.0, 0.0]), np.array([1, 2, 0]), np.array([0, 2, 3, 3])), shape=(3, 3))
    walks = random_walks(A, n_walks=50, walk_length=3)
    assert set(walks[walks[:, 0] == 0, 1].tolist()) == {2}
    assert set(walks[walks[:, 0] == 1, 1].tolist()) == {-1}
    assert A.nnz == 3  # the caller's array stays as it was


def test_no_nodes_no_walks():
    assert random_walks(sparse.csr_array((0, 0)), n_walks=2, walk_length=3).shape == (0, 3)


@pytest.mark.parametrize(
    ("adjacency", "options", "message"),
    [
        (np.eye(3), {}, "adjacency: found ndarray"),
        (sparse.csr_array((2, 3)), {}, "shape .2, 3."),
        (sparse.csr_array(-np.eye(2)), {}, "negative"),
        (sparse.csr_array(np.eye(2) * np.nan), {}, "not finite"),
        (sparse.csr_array(np.eye(2)), {"n_walks": 0}, "n_walks is 0"),
        (sparse.csr_array(np.eye(2)), {"walk_length": 2.5}, "walk_length is 2.5"),
        (sparse.csr_array((np.ones(1), np.array([5]), np.array([0, 1, 1])), shape=(2, 2)), {}, "out of range"),
    ],
)
def test_bad_input_is_named(adjacency, options, message):
    with pytest.raises(ValueError, match=message):
        random_walks(adjacency, **options)
