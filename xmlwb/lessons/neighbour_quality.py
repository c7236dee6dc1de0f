"""Chapter 06: how good a label's neighbours in an embedding are, by what the embedding has not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from xmlwb.solvers.neighbour_vote import nearest
from xmlwb.solvers.topk import topk_rows

Ints = NDArray[np.int32]


def nearest_labels(V: np.ndarray, k: int, among: np.ndarray | None = None) -> Ints:
    """Each label's k nearest by cosine, nearest first.

    Parameters
    ----------
    V : ndarray, shape (L, l)
        Label embeddings; only their directions count. A vector of zeros, an isolated node's, is near to none.
    k : int
    among : ndarray of bool, shape (L,), optional
        Labels that are asked and that can be neighbours; all by default.

    Returns
    -------
    ndarray, shape (L, k), int32
        -1 in the rows of labels that are not asked or have a vector of zeros, and where there are fewer than k others.

    Notes
    -----
    Time O(L^2 l), memory a batch of rows.
    """
    L = len(V)
    tied = np.abs(V).max(axis=1) > 0
    asked = np.flatnonzero(tied if among is None else tied & among)
    found = np.full((L, k), -1, dtype=np.int32)
    if len(asked) < 2:
        return found
    unit = np.ascontiguousarray(normalize(V[asked]), dtype=np.float32)
    places = nearest(unit, unit, min(k + 1, len(asked)))[0]
    own = places == np.arange(len(asked))[:, None]
    own[~own.any(axis=1), -1] = True  # of more than k equal directions, the label itself need not be among them
    others = places[~own].reshape(len(asked), -1)
    found[asked, : others.shape[1]] = asked[others]
    return found


def strongest_neighbours(Y: csr_array, k: int, among: np.ndarray | None = None) -> Ints:
    """Each label's k strongest co-occurrence neighbours: by the cosine of the labels' columns of Y.

    Raw counts would name the few most frequent labels as everyone's neighbours. Two labels that never occur together
    are no neighbours.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    k : int
    among : ndarray of bool, shape (L,), optional
        As in `nearest_labels`.

    Returns
    -------
    ndarray, shape (L, k), int32
        -1 past the last neighbour.
    """
    L = Y.shape[1]
    kept = np.ones(L, dtype=bool) if among is None else among
    columns = csr_array(normalize(Y.T.tocsr())) * kept[:, None].astype(np.float32)
    columns = csr_array(columns)
    columns.eliminate_zeros()
    together = csr_array(columns @ columns.T)
    together.setdiag(0)
    together.eliminate_zeros()
    together.sort_indices()
    return topk_rows(together.astype(np.float32), min(k, L))[0].astype(np.int32)


def same_kind(neighbours: Ints, parents: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """Of each label's neighbours, the part that shares a parent with it; NaN without neighbours.

    Parameters
    ----------
    neighbours : ndarray, shape (L, k)
    parents : sequence of sequences of str, length L
        ``Dataset.label_parents``.

    Examples
    --------
    >>> same_kind(np.array([[1, 2], [0, -1], [-1, -1]]), [("game",), ("game",), ("role",)])
    array([0.5, 1. , nan])
    """
    kinds = {parent: place for place, parent in enumerate(sorted({p for of in parents for p in of}))}
    sizes = [len(of) for of in parents]
    places = [kinds[parent] for of in parents for parent in of]
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    M = csr_array((np.ones(len(places)), places, indptr), shape=(len(parents), max(1, len(kinds))))
    rows, columns = np.nonzero(neighbours >= 0)
    shared = M[rows].multiply(M[neighbours[rows, columns]]).sum(axis=1) > 0
    return _mean_by_row(shared, rows, len(neighbours))


def found_share(neighbours: Ints, truth: Ints) -> NDArray[np.float64]:
    """Of each label's true neighbours, the part that is among its found ones; NaN where it has no true ones.

    >>> found_share(np.array([[1, 2], [0, 2]]), np.array([[2, 3], [-1, -1]]))
    array([0.5, nan])
    """
    rows, columns = np.nonzero(truth >= 0)
    found = (neighbours[rows] == truth[rows, columns][:, None]).any(axis=1)
    return _mean_by_row(found, rows, len(truth))


def _mean_by_row(values: np.ndarray, rows: np.ndarray, n: int) -> NDArray[np.float64]:
    number = np.bincount(rows, minlength=n)
    total = np.bincount(rows, weights=values, minlength=n)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


class NeighbourQuality:
    """Two measures of a label embedding that was made from training documents alone.

    "facet": of a label's k nearest, the part that shares its parent in the given hierarchy. "held-out": of its k
    strongest co-occurrence neighbours in other documents, the part that is among its k nearest.

    Parameters
    ----------
    Y_train : csr_array, shape (n, L)
        Labels without a training positive are left out.
    Y_held_out : csr_array, shape (r, L)
        Validation labels; never test labels.
    parents : sequence of sequences of str, length L
    k : int
    fewest : int
        Held-out positives that a label needs for the second measure, as a label and as a neighbour: below, who occurs
        with whom is chance.

    Attributes
    ----------
    k : int
    seen, often : ndarray of bool, shape (L,)
        Labels that the first measure asks, and the second.
    truth : ndarray, shape (L, k), int32
    """

    def __init__(
        self, Y_train: csr_array, Y_held_out: csr_array, parents: Sequence[Sequence[str]], *,
        k: int = 10, fewest: int = 5,
    ) -> None:  # fmt: skip
        L = Y_train.shape[1]
        self.k, self._parents = k, parents
        self.seen = np.bincount(Y_train.indices, minlength=L) > 0
        self.often = self.seen & (np.bincount(Y_held_out.indices, minlength=L) >= fewest)
        self.truth = strongest_neighbours(Y_held_out, k, self.often)

    def each(self, V: np.ndarray) -> dict[str, NDArray[np.float64]]:
        """Both measures for every label, shape (L,), in [0, 1]; NaN where a label is not asked."""
        return self.of_neighbours(nearest_labels(V, self.k, self.seen), nearest_labels(V, self.k, self.often))

    def of_neighbours(self, among_seen: Ints, among_often: Ints) -> dict[str, NDArray[np.float64]]:
        """Both measures of given neighbours (L, k): among all labels seen, and among those asked for "held-out"."""
        return {"facet": same_kind(among_seen, self._parents), "held-out": found_share(among_often, self.truth)}

    def __call__(self, V: np.ndarray) -> dict[str, float]:
        """The means over labels."""
        return {name: float(np.nanmean(values)) for name, values in self.each(V).items()}

    def without_walks(self, Y_train: csr_array) -> dict[str, float]:
        """The same of the graph itself: a label's strongest neighbours in the training documents, no embedding."""
        found = (strongest_neighbours(Y_train, self.k, asked) for asked in (self.seen, self.often))
        return {name: float(np.nanmean(values)) for name, values in self.of_neighbours(*found).items()}

    def by_chance(self) -> dict[str, float]:
        """What neighbours drawn at random would reach, on average: by the facets' sizes, and k among all others."""
        seen, often = np.flatnonzero(self.seen), int(self.often.sum())
        others = np.tile(seen, (len(seen), 1))[~np.eye(len(seen), dtype=bool)].reshape(len(seen), -1)
        everyone = np.full((len(self.seen), others.shape[1]), -1)
        everyone[seen] = others
        return {
            "facet": float(np.nanmean(same_kind(everyone, self._parents))),
            "held-out": min(1.0, self.k / max(1, often - 1)),
        }
