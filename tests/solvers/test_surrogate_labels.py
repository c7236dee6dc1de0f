from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.solvers.label_clustering import label_centroids
from xmlwb.solvers.surrogate_labels import label_clusters, surrogate_labels


@pytest.fixture(scope="module")
def centroids():
    data = make_synthetic(600, 50, n_features=200, random_state=3)
    return label_centroids(data.X_train, data.Y_train)


@pytest.mark.parametrize("n_clusters", [1, 2, 8, 32])
def test_clusters_are_balanced_and_hold_every_label(centroids, n_clusters):
    among = np.delete(np.arange(50), [3, 17])
    cluster = label_clusters(centroids, among, n_clusters)
    assert (cluster == -1).nonzero()[0].tolist() == [3, 17]
    sizes = np.bincount(cluster[among], minlength=n_clusters)
    assert len(sizes) == n_clusters
    assert sizes.max() - sizes.min() <= 1


def test_more_clusters_than_labels_give_each_its_own(centroids):
    cluster = label_clusters(centroids, np.array([4, 7, 9]), 16)
    assert sorted(cluster[[4, 7, 9]]) == [0, 1, 2]


def test_no_labels_give_no_cluster(centroids):
    assert set(label_clusters(centroids, np.empty(0, dtype=np.int64), 4)) == {-1}


def test_labels_of_two_kinds_do_not_share_a_cluster():
    rng = np.random.default_rng(0)
    kind = rng.permutation(np.repeat([0, 1], 8))
    V = np.zeros((16, 40), dtype=np.float32)
    V[:, :20][kind == 0] = rng.random((8, 20))
    V[:, 20:][kind == 1] = rng.random((8, 20))
    V /= np.linalg.norm(V, axis=1, keepdims=True)
    cluster = label_clusters(sparse.csr_array(V), np.arange(16), 4)
    assert not set(cluster[kind == 0]) & set(cluster[kind == 1])


def test_threads_and_runs_give_the_same(centroids):
    first = label_clusters(centroids, np.arange(50), 16, random_state=5)
    for n_jobs in (1, 3):
        again = label_clusters(centroids, np.arange(50), 16, random_state=5, n_jobs=n_jobs)
        np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, label_clusters(centroids, np.arange(50), 16, random_state=6))


def test_a_number_that_is_no_power_of_two_is_refused(centroids):
    with pytest.raises(ValueError, match="n_clusters is 6; wanted a power of 2"):
        label_clusters(centroids, np.arange(50), 6)


def test_surrogate_labels_are_those_of_the_definition():
    rng = np.random.default_rng(1)
    Y = (rng.random((30, 12)) < 0.2).astype(np.float32)
    cluster = rng.integers(-1, 5, size=12)
    expected = np.zeros((30, cluster.max() + 1))
    for i, label in np.argwhere(Y):
        if cluster[label] >= 0:
            expected[i, cluster[label]] = 1
    given = sparse.csr_array(Y)
    found = surrogate_labels(given, cluster)
    np.testing.assert_array_equal(found.toarray(), expected)
    np.testing.assert_array_equal(given.toarray(), Y)
    assert found.has_sorted_indices
    assert found.nnz == expected.sum()
