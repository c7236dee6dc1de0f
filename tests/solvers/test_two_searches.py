from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.shortlist import Shortlist
from xmlwb.solvers.two_searches import TwoSearches


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(0)
    centroids, instances, queries = (rng.standard_normal((n, 6)).astype(np.float32) for n in (40, 90, 600))
    Y = sparse.csr_array((rng.random((90, 40)) < 0.08).astype(np.float32))
    return centroids, instances, queries, Y


def search_of(problem, gamma, among=None) -> TwoSearches:
    centroids, instances, _, Y = problem
    among = np.arange(40) if among is None else among
    by_label = Shortlist.build(centroids, among, search="exact")
    by_instance = Shortlist.build(instances, np.arange(90), search="exact")
    return TwoSearches(by_label, by_instance, Y, gamma)


def unit(A):
    return A / np.linalg.norm(A, axis=1, keepdims=True)


@pytest.mark.parametrize(("gamma", "k", "m"), [(0.075, 12, 20), (0.5, 40, 90), (0.9, 5, 3)])
def test_sums_are_those_of_the_formula(problem, gamma, k, m):
    centroids, instances, queries, Y = problem
    labels, sums = search_of(problem, gamma).find(queries, k, n_neighbours=m)
    C, N = unit(queries) @ unit(centroids).T, unit(queries) @ unit(instances).T
    S = np.zeros_like(C)
    best = np.argsort(-C, axis=1)[:, :k]
    np.put_along_axis(S, best, (1 - gamma) * np.take_along_axis(C, best, axis=1), axis=1)
    for i, row in enumerate(N):
        near = np.argsort(-row)[:m]
        S[i] += gamma * (row[near] @ Y[near].toarray())
    for i in range(len(queries)):
        given = labels[i] >= 0
        np.testing.assert_allclose(sums[i][given], S[i, labels[i][given]], atol=1e-5)
        assert (np.diff(sums[i][given]) <= 0).all()
        candidates = np.union1d(best[i], np.flatnonzero(Y[np.argsort(-N[i])[:m]].toarray().any(axis=0)))
        assert given.sum() == min(k, len(candidates))
        left = np.setdiff1d(candidates, labels[i][given])
        assert S[i, left].max(initial=-np.inf) <= sums[i][given].min() + 1e-5


def test_without_instances_or_neighbours_it_is_the_search_among_centroids(problem):
    centroids, _, queries, Y = problem
    by_label = Shortlist.build(centroids, np.arange(40), search="exact")
    expected = by_label.find(queries, 7)
    for found in (
        TwoSearches(by_label, None, Y, 0.3).find(queries, 7),
        search_of(problem, 0.3).find(queries, 7, n_neighbours=0),
    ):
        np.testing.assert_array_equal(found[0], expected[0])
        np.testing.assert_array_equal(found[1], expected[1])


def test_threads_change_nothing(problem):
    search = search_of(problem, 0.2)
    first, again = (search.find(problem[2], 9, n_neighbours=10, n_jobs=n_jobs) for n_jobs in (1, 3))
    np.testing.assert_array_equal(first[0], again[0])
    np.testing.assert_array_equal(first[1], again[1])


def test_fewer_labels_than_places(problem):
    centroids, instances, queries, _ = problem
    among = np.array([3, 4])
    only = sparse.csr_array(np.eye(90, 40, k=3, dtype=np.float32)[:, :40])  # instance i has label i + 3
    by_instance = Shortlist.build(instances, np.arange(90), search="exact")
    search = TwoSearches(Shortlist.build(centroids, among, search="exact"), by_instance, only, 0.1)
    labels, sums = search.find(queries, 8, n_neighbours=2)
    assert ((labels >= 0).sum(axis=1) <= 4).all()
    assert (sums[labels < 0] == 0).all()


def test_parts_that_do_not_fit_are_refused(problem):
    centroids, instances, _, Y = problem
    by_label = Shortlist.build(centroids, np.arange(40), search="exact")
    with pytest.raises(ValueError, match=r"Y has shape \(90, 39\)"):
        TwoSearches(by_label, None, Y[:, :39], 0.1)
    with pytest.raises(ValueError, match=r"Y has shape \(80, 40\)"):
        TwoSearches(by_label, Shortlist.build(instances, np.arange(90), search="exact"), Y[:80], 0.1)
