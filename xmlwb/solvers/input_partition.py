r"""Parting the input space: weighted spherical 2-means, again and again, until a part holds few instances.

One step maximises, over unit vectors :math:`\mu_-, \mu_+` and a side for each instance,

.. math:: \sum_i w_i \, x_i^\top \mu_{\delta_i}, \qquad \lVert x_i \rVert = 1,

by turns: instances go to the nearer centre, that is by the sign of :math:`x_i^\top (\mu_+ - \mu_-)`, and centres to
the weighted mean direction of their instances. Where a side would get less than a tenth of the instances, the cut moves
from 0 until it has them: a tree stays shallow, and no leaf is made of a few outliers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numba import njit
from scipy import sparse

from xmlwb.solvers.instance_trees import InstanceTree, goes_right
from xmlwb.solvers.row_subset import take_rows
from xmlwb.solvers.xorshift import advance, below

#: Turns of a 2-means, at most; it ends as soon as one gains less than ``MIN_GAIN`` of the objective.
MAX_TURNS = 20
MIN_GAIN = 1e-4
#: Pairs of first centres that are tried where instances do not come apart.
STARTS = 3
#: The least part of a node's instances that either side gets.
MIN_SHARE = 0.1
#: Weights of a separator below this part of its largest are dropped: half of them, and few instances change sides.
DROP = 0.01

_NOBODY = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Split:
    """A node that has been parted: ``x`` goes to the second side if ``values @ x[features] + bias >= 0``.

    Attributes
    ----------
    features : ndarray, shape (s,), int32, ascending
    values : ndarray, shape (s,), float32
    bias : float
    side : ndarray of bool, shape (m,)
        Where each of the node's instances has gone.
    """

    features: np.ndarray
    values: np.ndarray
    bias: np.float32
    side: np.ndarray


def unit_rows(X: sparse.csr_array) -> sparse.csr_array:
    """The directions of the rows of X; a row of zeros stays one. Shares X's indices."""
    squares = np.asarray(sparse.csr_array((X.data.astype(np.float64) ** 2, X.indices, X.indptr), shape=X.shape).sum(1))
    lengths = np.repeat(np.sqrt(squares), np.diff(X.indptr))
    data = np.divide(X.data, lengths, out=np.zeros(len(lengths)), where=lengths > 0).astype(np.float32)
    return sparse.csr_array((data, X.indices, X.indptr), shape=X.shape)


def split_in_two(
    X: sparse.csr_array, rows: np.ndarray, weights: np.ndarray, seed: int, *, min_share: float = MIN_SHARE
) -> Split | None:
    """Part some instances by weighted spherical 2-means.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
        Unit rows.
    rows : ndarray of int, shape (m,), m >= 2
    weights : ndarray, shape (n,), float32
        How much an instance pulls at its centre.
    seed : int
        Which two instances are the first centres.
    min_share : float
        The least part of the instances that either side gets.

    Returns
    -------
    Split, or None if the instances do not come apart, because all have the same direction.

    Notes
    -----
    Time O(turns x (entries of these rows of X + m log m)) + O(d); memory 12 bytes an entry.
    """
    subset, features = take_rows(X, rows)
    w, cut, side = _two_means(
        subset.indptr, subset.indices, subset.data, len(features), weights[rows], min_share, np.uint64(seed)
    )
    if side.all() or not side.any():
        return None
    kept = np.flatnonzero(w)
    return Split(features[kept], w[kept], -cut, side)


@njit(nogil=True, cache=True)
def _two_means(
    indptr: np.ndarray,
    indices: np.ndarray,
    data: np.ndarray,
    d: int,
    weights: np.ndarray,
    min_share: float,
    seed: np.uint64,
) -> tuple[np.ndarray, np.float32, np.ndarray]:
    m = len(indptr) - 1
    least = max(1, int(min_share * m))
    random = advance(seed * np.uint64(2685821657736338717) + np.uint64(88172645463325252))
    mu = np.zeros((2, d), dtype=np.float32)
    difference = np.zeros(d, dtype=np.float32)
    gain = np.empty(m)
    cut = np.float32(0.0)
    side = np.zeros(m, dtype=np.bool_)
    for _start in range(STARTS):
        random = advance(random)
        one = below(m, random)
        random = advance(random)
        other = below(m - 1, random)
        other += other >= one
        mu[:] = 0
        for centre, start in enumerate((one, other)):
            for p in range(indptr[start], indptr[start + 1]):
                mu[centre, indices[p]] = data[p]
        objective = -1.0
        for _turn in range(MAX_TURNS):
            difference[:] = mu[1] - mu[0]
            _project(indptr, indices, data, difference, gain)
            cut = _cut(gain, least)
            for s in range(m):
                side[s] = goes_right(indices, data, indptr[s], indptr[s + 1], difference, -cut)
            before, objective = objective, _centres(indptr, indices, data, weights, side, mu)
            if objective - before <= MIN_GAIN * objective:
                break
        largest = np.abs(difference).max() if d else np.float32(0.0)
        for j in range(d):
            if abs(difference[j]) < DROP * largest:
                difference[j] = 0.0
        _project(indptr, indices, data, difference, gain)
        cut = _cut(gain, least)
        for s in range(m):
            side[s] = goes_right(indices, data, indptr[s], indptr[s + 1], difference, -cut)
        if 0 < side.sum() < m:
            break
    return difference, cut, side


@njit(nogil=True, cache=True)
def _project(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, direction: np.ndarray, gain: np.ndarray
) -> None:
    for s in range(len(gain)):
        total = 0.0
        for p in range(indptr[s], indptr[s + 1]):
            total += data[p] * direction[np.uint64(indices[p])]
        gain[s] = total


@njit(nogil=True, cache=True)
def _cut(gain: np.ndarray, least: int) -> np.float32:
    """0, or the cut nearest to it that leaves at least so many on either side."""
    m = len(gain)
    n_left = int(np.sum(gain < 0.0))
    if least <= n_left <= m - least:
        return np.float32(0.0)
    ordered = np.sort(gain)
    step = 1 if n_left < least else -1
    place = least if n_left < least else m - least
    while 0 < place < m and not ordered[place - 1] < ordered[place]:  # equal ones stay together
        place += step
    if place <= 0 or place >= m:
        return np.float32(0.0)
    return np.float32(0.5 * (ordered[place - 1] + ordered[place]))


@njit(nogil=True, cache=True)
def _centres(
    indptr: np.ndarray, indices: np.ndarray, data: np.ndarray, weights: np.ndarray, side: np.ndarray, mu: np.ndarray
) -> float:
    """Move the centres to the mean directions; the sum of the weighted similarities to them."""
    mu[:] = 0
    for s in range(len(side)):
        centre = 1 if side[s] else 0
        for p in range(indptr[s], indptr[s + 1]):
            mu[centre, np.uint64(indices[p])] += weights[s] * data[p]
    objective = 0.0
    for centre in range(2):
        square = 0.0
        for j in range(mu.shape[1]):
            square += np.float64(mu[centre, j]) ** 2
        length = np.sqrt(square)
        objective += length
        if length > 0:
            mu[centre] /= np.float32(length)
    return objective


class GrowingTree:
    """A partition while it grows, level by level; nodes are numbered breadth first.

    Parameters
    ----------
    n : int
        Instances.
    seed : int
        Node v is parted with the seed ``seed + v``.

    Attributes
    ----------
    rows : list of ndarray
        The instances of each node that is `waiting`; of the others, nobody: a tree holds its instances once.
    """

    def __init__(self, n: int, seed: int) -> None:
        self.rows = [np.arange(n)]
        self.seed = seed
        self._first_child = np.zeros(0, dtype=np.int64)
        self._splits: list[Split | None] = []  # of the nodes whose turn has been, in their order

    @property
    def waiting(self) -> range:
        """The nodes of the lowest level, whose turn has not been; none once the tree is grown."""
        return range(len(self._splits), len(self.rows))

    def add_level(self, splits: Sequence[Split | None]) -> None:
        """What became of the nodes that were `waiting`: parted, or a leaf for good (None)."""
        for node, split in zip(self.waiting, splits, strict=True):
            rows, self.rows[node] = self.rows[node], _NOBODY
            if split is not None:
                self.rows += [rows[~split.side], rows[split.side]]
                split = replace(split, side=np.zeros(0, dtype=np.bool_))
            self._splits.append(split)

    def finish(self, n_features: int) -> InstanceTree:
        """The tree as it stands; nodes that wait are leaves. Its leaves hold no labels yet."""
        splits = self._splits + [None] * len(self.waiting)
        parted = np.array([split is not None for split in splits])
        children = np.full((len(splits), 2), -1, dtype=np.int32)
        children[parted] = 1 + np.arange(2 * int(parted.sum()), dtype=np.int32).reshape(-1, 2)
        sizes = [0 if split is None else len(split.features) for split in splits]
        indptr = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        nothing = [np.zeros(0, dtype=np.int32)]
        features = np.concatenate(nothing + [split.features for split in splits if split is not None])
        values = np.concatenate(
            [np.zeros(0, dtype=np.float32)] + [split.values for split in splits if split is not None]
        )
        separators = sparse.csr_array((values, features, indptr), shape=(len(splits), n_features))
        bias = np.array([0.0 if split is None else split.bias for split in splits], dtype=np.float32)
        return InstanceTree(children, separators, bias, sparse.csr_array((len(splits), 0), dtype=np.float32))
