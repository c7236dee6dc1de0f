"""Chapter 04: label embeddings as a map, and whether labels of one kind lie together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.manifold import TSNE
from sklearn.preprocessing import normalize


def facets(names: Sequence[str], positives: np.ndarray, most: int = 7) -> list[str]:
    """Each tag's facet (what stands before ``::``) if it is one of the ``most`` with most positives, otherwise "".

    >>> facets(["game::chess", "game::go", "role::program"], np.array([1, 2, 9]), most=1)
    ['', '', 'role']
    """
    of = [name.partition("::")[0] for name in names]
    sums: dict[str, float] = {}
    for facet, number in zip(of, positives.tolist(), strict=True):
        sums[facet] = sums.get(facet, 0) + number
    largest = sorted(sums, key=sums.__getitem__, reverse=True)[:most]
    return [facet if facet in largest else "" for facet in of]


def map_places(H: np.ndarray, *, random_state: int = 0) -> np.ndarray:
    """Places of labels in the plane, so that labels whose embeddings point the same way lie together (t-SNE).

    Parameters
    ----------
    H : ndarray, shape (L, m)
        Label embeddings; only their directions count.

    Returns
    -------
    ndarray, shape (L, 2)
        Near means similar; large distances, and the axes, mean nothing.
    """
    perplexity = min(15.0, (len(H) - 1) / 3)
    return TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=random_state).fit_transform(normalize(H))


def agreement(H: np.ndarray, groups: Sequence[str], within: np.ndarray) -> tuple[float, float]:
    """How often a label's nearest neighbour, by cosine, is of its own group; and how often by chance.

    Parameters
    ----------
    H : ndarray, shape (L, m)
    groups : sequence of str, length L
    within : ndarray of bool, shape (L,)
        Labels that are asked and that can be neighbours.

    Returns
    -------
    share, chance : float
    """
    directions = normalize(H[within])
    kind = np.unique(np.asarray(groups)[within], return_inverse=True)[1]
    cosine = directions @ directions.T
    np.fill_diagonal(cosine, -np.inf)
    share = float(np.mean(kind[cosine.argmax(axis=1)] == kind))
    sizes = np.bincount(kind)
    return share, float(np.sum(sizes * (sizes - 1)) / (len(kind) * (len(kind) - 1)))


def readable_names(places: np.ndarray, positives: np.ndarray, most: int = 50) -> list[int]:
    """Labels whose names can be written on the map without covering each other, the frequent ones first.

    Parameters
    ----------
    places : ndarray, shape (L, 2)
    positives : ndarray, shape (L,)
    most : int
        Names, at most.
    """
    scaled = (places - places.min(axis=0)) / np.ptp(places, axis=0)
    room = np.array([0.12, 0.035])  # a name's width and height, as parts of the map
    chosen: list[int] = []
    for label in np.argsort(-positives, kind="stable").tolist():
        apart = np.abs(scaled[chosen] - scaled[label]) > room
        if len(chosen) < most and apart.any(axis=1).all():
            chosen.append(label)
    return chosen
