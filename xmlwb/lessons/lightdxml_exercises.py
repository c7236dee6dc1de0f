"""Exercises of chapter 08: the label centroid, and the blend of classifier and shortlist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake

# -------------------------------------------------------------------------------------------------- the label centroid


def label_centroids(features: np.ndarray, Y: csr_array) -> np.ndarray:
    """Equation 5: the mean of the features of each label's documents, (L, D); zeros for a label without any."""
    return (Y.T @ features) / np.maximum(_documents(Y), 1)[:, None]


def _documents(Y: csr_array) -> np.ndarray:
    return np.asarray(Y.sum(axis=0)).ravel()


def _sums(features: np.ndarray, Y: csr_array) -> np.ndarray:
    return np.asarray(Y.T @ features)


def _without_guard(features: np.ndarray, Y: csr_array) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return _sums(features, Y) / _documents(Y)[:, None]


def _to_unit(vectors: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _shared_out(features: np.ndarray, Y: csr_array) -> np.ndarray:
    """Each document's features divided among its labels."""
    share = Y / np.maximum(np.asarray(Y.sum(axis=1)).reshape(-1, 1), 1)
    return (share.T @ features) / np.maximum(_documents(Y), 1)[:, None]


_X3 = np.array([[1.0, 0.0], [0.0, 2.0], [2.0, 2.0], [-1.0, 1.0]])
_Y3 = csr_array(np.array([[1.0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 1, 0]]))
_X4 = np.array([[0.5, -1.0, 0.0], [1.5, 1.0, 2.0], [0.0, 3.0, -2.0], [1.0, 1.0, 1.0], [-0.5, 0.0, 4.0]])
_Y4 = csr_array(np.array([[1.0, 0, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]))


def _shown_centroids(features: np.ndarray, Y: csr_array, what: str) -> str:
    return f"label_centroids(features, Y), {what}; features =\n{features}\nY =\n{Y.toarray().astype(int)}"


LABEL_CENTROIDS = Exercise(
    name="lightdxml.label_centroids",
    reference=label_centroids,
    cases=(
        Case((_X3, _Y3), _shown_centroids(_X3, _Y3, "three labels")),
        Case((_X4, _Y4), _shown_centroids(_X4, _Y4, "four labels, of which the second has no document")),
    ),
    mistakes=(
        Mistake(
            _without_guard,
            "A label without documents came out as NaN: 0 / 0. Let its centroid be zeros; no search will find it.",
        ),
        Mistake(
            _sums,
            "You added the documents up. Divide by how many they are: a centroid is a mean, or frequent labels lie "
            "far from all their documents.",
        ),
        Mistake(
            lambda features, Y: _sums(features, Y) / Y.shape[0],
            "You divided by the number of all documents. The mean is over P_j, the documents that have the label.",
        ),
        Mistake(
            lambda features, Y: _sums(features, Y) / Y.shape[1],
            "You divided by the number of labels. Divide each label's sum by the number of its documents.",
        ),
        Mistake(
            lambda features, Y: _to_unit(label_centroids(features, Y)),
            "You scaled the vectors to length one. That is Astec's centroid; equation 5 is the plain mean.",
        ),
        Mistake(
            _shared_out,
            "You divided each document among its labels. Every label of a document gets all of it.",
        ),
        Mistake(
            lambda features, Y: label_centroids(features, Y).T,
            "Rows and columns are swapped: a row for each label was wanted, (L, D).",
        ),
        Mistake(
            lambda features, Y: np.asarray(Y @ _to_unit(label_centroids(features, Y))),
            "That has a row for each document. A row for each label was wanted.",
        ),
        Mistake(
            lambda features, Y: np.stack([np.median(features[c > 0], axis=0) if c.any() else 0 * features[0]
                                          for c in Y.toarray().T]),
            "You took medians. A centroid is the mean.",
        ),
    ),
    hints=(
        "Column j of Y says which documents have label j. Which product of Y and the features adds up exactly those?",
        "Y transposed times the features: a row for each label, the sum over its documents.",
        "The sums of Y's columns say how many documents each label has. np.maximum(..., 1) keeps 0 / 0 away; mind that "
        "a row is divided by its number, so the numbers need a second axis.",
    ),
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------------- the blend


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def blend(shortlist: np.ndarray, cosines: np.ndarray, scores: np.ndarray, beta: float) -> np.ndarray:
    """beta sigmoid(classifier) + (1 - beta) sigmoid(cosine) for the labels of the shortlist, 0 for all others."""
    return _blended(shortlist, cosines, scores, lambda s, c: beta * _sigmoid(s) + (1 - beta) * _sigmoid(c))


def _blended(
    shortlist: np.ndarray,
    cosines: np.ndarray,
    scores: np.ndarray,
    rule: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    final = np.zeros(len(scores))
    found = shortlist >= 0
    labels = shortlist[found]
    final[labels] = rule(scores[labels], cosines[found])
    return final


def _everywhere(shortlist: np.ndarray, cosines: np.ndarray, scores: np.ndarray, beta: float) -> np.ndarray:
    found = shortlist >= 0
    near = np.zeros(len(scores))
    near[shortlist[found]] = cosines[found]
    return beta * _sigmoid(scores) + (1 - beta) * _sigmoid(near)


def _last_for_none(shortlist: np.ndarray, cosines: np.ndarray, scores: np.ndarray, beta: float) -> np.ndarray:
    final = np.zeros(len(scores))
    final[shortlist] = beta * _sigmoid(scores[shortlist]) + (1 - beta) * _sigmoid(cosines)
    return final


def _by_place(shortlist: np.ndarray, cosines: np.ndarray, scores: np.ndarray, beta: float) -> np.ndarray:
    final = np.zeros(len(scores))
    found = shortlist >= 0
    of_place = scores[: len(shortlist)][found]
    final[shortlist[found]] = beta * _sigmoid(of_place) + (1 - beta) * _sigmoid(cosines[found])
    return final


def _only_shortlisted(shortlist: np.ndarray, cosines: np.ndarray, scores: np.ndarray, beta: float) -> np.ndarray:
    found = shortlist >= 0
    return blend(shortlist, cosines, scores, beta)[shortlist[found]]


_LIST1, _COS1 = np.array([4, 1, 2]), np.array([0.9, 0.4, -0.2])
_SCORES1 = np.array([3.0, 1.2, -0.7, 2.0, -2.0, 0.4])
_LIST2, _COS2 = np.array([0, 3, -1, -1]), np.array([0.7, 0.1, 0.0, 0.0])
_SCORES2 = np.array([-1.0, 2.5, 0.5, 1.5, 4.0])


def _shown_blend(*args: np.ndarray | float) -> str:
    shortlist, cosines, scores, beta = args
    return f"blend(shortlist={shortlist}, cosines={cosines}, scores={scores}, beta={beta})"


BLEND = Exercise(
    name="lightdxml.blend",
    reference=blend,
    cases=(
        Case((_LIST1, _COS1, _SCORES1, 0.75), _shown_blend(_LIST1, _COS1, _SCORES1, 0.75)),
        Case((_LIST2, _COS2, _SCORES2, 0.4), _shown_blend(_LIST2, _COS2, _SCORES2, 0.4)),
        Case((_LIST1, _COS1, _SCORES1, 0.0), _shown_blend(_LIST1, _COS1, _SCORES1, 0.0)),
    ),
    mistakes=(
        Mistake(
            _everywhere,
            "Labels outside the shortlist got a score, too: a cosine of 0 has a sigmoid of one half. Only the "
            "shortlist's labels are scored; that is what makes prediction fast.",
        ),
        Mistake(
            _last_for_none,
            "A -1 in the shortlist means that the search found no more. As an index it is the last label: leave it "
            "out.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: blend(shortlist, cosines, scores, 1 - beta),
            "Beta weighs the classifier, 1 - beta the shortlist. Yours are swapped.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: _blended(
                shortlist, cosines, scores, lambda s, c: beta * _sigmoid(s) + (1 - beta) * c
            ),
            "The cosine goes through the sigmoid as well.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: _blended(
                shortlist, cosines, scores, lambda s, c: beta * s + (1 - beta) * _sigmoid(c)
            ),
            "The classifier's score goes through the sigmoid as well.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: _blended(
                shortlist, cosines, scores, lambda s, c: beta * s + (1 - beta) * c
            ),
            "Both parts go through a sigmoid first; you blended the raw numbers.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: _blended(
                shortlist, cosines, scores, lambda s, c: _sigmoid(beta * s + (1 - beta) * c)
            ),
            "You blended first and took the sigmoid then. The formula takes two sigmoids and blends them.",
        ),
        Mistake(
            lambda shortlist, cosines, scores, beta: _blended(
                shortlist, cosines, scores, lambda s, c: _sigmoid(s) + (1 - beta) * _sigmoid(c)
            ),
            "The classifier's part is not multiplied by beta.",
        ),
        Mistake(
            _by_place,
            "scores holds all labels by their number, the shortlist says which ones: scores[shortlist], not the first "
            "k scores.",
        ),
        Mistake(
            _only_shortlisted,
            "The values are right, but an entry for each of the L labels was wanted, 0 outside the shortlist.",
        ),
    ),
    hints=(
        "Two sigmoids, and a weighted mean of them. For which labels?",
        "Begin with zeros for all labels. Which entries of the shortlist are label numbers? (-1 is none.)",
        "With `labels`, the shortlist without its -1, the classifier's part is the sigmoid of scores[labels]; the "
        "cosines are cut in the same way.",
    ),
)
