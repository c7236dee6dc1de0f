"""Compiled loops of the synthetic generator: draw each instance's labels, then its features."""

# mypy: allow-untyped-defs, allow-untyped-decorators
# numba infers the types.

from __future__ import annotations

import numpy as np
from numba import njit

_TRIES = 64  # draws in a row of labels that the instance has already, before those are left out of the draw


@njit(cache=True, nogil=True)
def _draw(rng, cumulative, first, last):
    """A position in first..last-1, with the probability that its step of `cumulative` has in that range."""
    below = cumulative[first - 1] if first else 0.0
    return _position(cumulative, below + rng.random() * (cumulative[last - 1] - below), first, last)


@njit(cache=True, nogil=True)
def _position(cumulative, target, first, last):
    """The first position in first..last-1 whose `cumulative` is above `target`, or the last one."""
    low, high = first, last - 1
    while low < high:
        middle = (low + high) // 2
        if cumulative[middle] > target:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True)
def _draw_other(rng, cumulative, known):
    """A position that is not among the `known` (ascending), by its weight; -1 where rounding leaves the others none."""
    mass = 0.0
    for position in known:
        mass += cumulative[position] - (cumulative[position - 1] if position else 0.0)
    target = rng.random() * (cumulative[-1] - mass)
    for position in known:
        below = cumulative[position - 1] if position else 0.0
        if target < below:
            break
        target += cumulative[position] - below  # step over it
    found = _position(cumulative, target, 0, cumulative.size)
    for position in known:
        if position == found:
            return -1
    return found


@njit(cache=True, nogil=True)
def draw_labels(rng, cumulative, label_at, branching, correlation, wanted, indptr, indices):
    """Fill CSR label rows; `wanted[i]` labels for row i, as many as can be found. Returns the number of entries.

    The first label comes from the whole distribution. Each further one comes, with probability `correlation`, from
    the siblings of one that the row has already, which leaves every label's marginal probability as it was. Where
    only labels come that the row has (its siblings are used up, or a few labels have nearly all the weight), the next
    one comes from all the others.
    """
    n_labels = cumulative.size
    positions = np.empty(wanted.max() if wanted.size else 0, np.int64)
    count = 0
    for row in range(wanted.size):
        drawn = 0
        tries = 0
        while drawn < wanted[row]:
            first, last = 0, n_labels
            if drawn and rng.random() < correlation:
                earlier = positions[int(rng.random() * drawn)]
                first = earlier // branching * branching
                last = min(first + branching, n_labels)
            position = _draw(rng, cumulative, first, last)
            known = False
            for j in range(drawn):
                known = known or positions[j] == position
            if known:
                tries += 1
                if tries < _TRIES:
                    continue
                positions[:drawn].sort()
                position = _draw_other(rng, cumulative, positions[:drawn])
                if position < 0:
                    break
            tries = 0
            positions[drawn] = position
            drawn += 1
        for j in range(drawn):
            indices[count + j] = label_at[positions[j]]
        indices[count : count + drawn].sort()
        count += drawn
        indptr[row + 1] = count
    return count


@njit(cache=True, nogil=True)
def draw_features(rng, y_indptr, y_indices, p_indptr, p_indices, p_data, n_features, noise, indptr, indices, data):
    """Fill CSR feature rows: the sum of the labels' prototypes, entries moved elsewhere with probability `noise`.

    Rows are l2-normalised and sorted. Returns the number of entries.
    """
    total = np.zeros(n_features, np.float32)
    count = 0
    for row in range(y_indptr.size - 1):
        first = count
        for j in range(y_indptr[row], y_indptr[row + 1]):
            label = y_indices[j]
            for e in range(p_indptr[label], p_indptr[label + 1]):
                feature = np.int64(p_indices[e])
                if noise > 0.0 and rng.random() < noise:
                    feature = int(rng.random() * n_features)
                if total[feature] == 0.0:
                    indices[count] = feature
                    count += 1
                total[feature] += p_data[e]
        indices[first:count].sort()
        square = 0.0
        for e in range(first, count):
            data[e] = total[indices[e]]
            total[indices[e]] = 0.0
            square += data[e] * data[e]
        if square > 0.0:
            data[first:count] /= np.float32(np.sqrt(square))
        indptr[row + 1] = count
    return count
