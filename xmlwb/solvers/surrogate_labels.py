"""Astec's surrogate task: clusters of labels as new labels, few enough to be learned without any sampling."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.solvers.in_order import in_order
from xmlwb.solvers.label_clustering import split_in_halves


def label_clusters(
    V: sparse.csr_array, among: np.ndarray, n_clusters: int, *, random_state: int = 0, n_jobs: int | None = None
) -> np.ndarray:
    """Balanced clusters of labels, by dividing in halves again and again (`split_in_halves`).

    Parameters
    ----------
    V : csr_array, shape (L, d), float32
        A unit row for each label: see `label_centroids`.
    among : ndarray of int, shape (m,)
        The labels to divide, ascending.
    n_clusters : int
        A power of 2; with fewer labels each is a cluster of its own.
    random_state : int
    n_jobs : int or None
        Threads; the clusters do not depend on it.

    Returns
    -------
    ndarray, shape (L,), int32
        The cluster of each label, from left to right in the tree of halves; -1 for a label that is not among them.

    Raises
    ------
    ValueError
        n_clusters is no power of 2.

    Notes
    -----
    Time O(log n_clusters x turns x entries of V): a level of halves costs about as much as the first division. The
    sizes of clusters differ by one at most.

    Examples
    --------
    >>> V = sparse.csr_array(np.eye(2, dtype=np.float32)[[0, 1, 0, 1]])
    >>> label_clusters(V, np.arange(4), 2).tolist() in ([0, 1, 0, 1], [1, 0, 1, 0])
    True
    """
    if n_clusters < 1 or n_clusters & (n_clusters - 1):
        raise ValueError(f"n_clusters is {n_clusters}; wanted a power of 2")
    groups = [np.asarray(among, dtype=np.int64)]
    rng = np.random.default_rng([random_state, len(among)])
    while len(groups) < n_clusters:
        seeds = rng.integers(2**31, size=len(groups))
        tasks = [(V, group, int(seed)) for group, seed in zip(groups, seeds, strict=True)]
        groups = [half for halves in in_order(_halves, tasks, n_jobs=n_jobs) for half in halves]
    cluster = np.full(V.shape[0], -1, dtype=np.int32)
    kept = [group for group in groups if len(group)]
    for number, group in enumerate(kept):
        cluster[group] = number
    return cluster


def _halves(V: sparse.csr_array, labels: np.ndarray, seed: int) -> list[np.ndarray]:
    return split_in_halves(V, labels, seed) if len(labels) > 1 else [labels, labels[:0]]


def surrogate_labels(Y: sparse.csr_array, cluster: np.ndarray) -> sparse.csr_array:
    """The clusters of each instance's labels: a new label matrix.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    cluster : ndarray of int, shape (L,)
        -1: the label belongs to none.

    Returns
    -------
    csr_array, shape (n, clusters), float32
        1 where an instance has at least one label of the cluster, indices ascending. At least one column.

    Examples
    --------
    >>> Y = sparse.csr_array(np.float32([[1, 1, 0], [0, 0, 1]]))
    >>> surrogate_labels(Y, np.array([1, 1, 0])).toarray().tolist()
    [[0.0, 1.0], [1.0, 0.0]]
    """
    labels = np.flatnonzero(cluster >= 0)
    shape = (len(cluster), int(cluster.max(initial=0)) + 1)
    member = sparse.csr_array((np.ones(len(labels), np.float32), (labels, cluster[labels])), shape=shape)
    found = sparse.csr_array(Y @ member, dtype=np.float32)
    found.eliminate_zeros()
    found.sort_indices()
    found.data[:] = 1
    return found


def usual_number(n_labels: int) -> int:
    """How many clusters the released code's settings have: about one for 4 labels, a power of 2, at most 65,536.

    (EURLex-4K: 1,024 for 3,993 labels; AmazonTitles-670K: 65,536 for 670,091.)

    >>> [usual_number(n) for n in (0, 6, 3993, 21705, 670_091)]
    [1, 2, 1024, 4096, 65536]
    """
    return int(min(65536, 2 ** max(0, round(np.log2(max(1, n_labels) / 4)))))
