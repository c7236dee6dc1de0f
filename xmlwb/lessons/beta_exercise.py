"""Exercise of chapter 08: a beta found honestly."""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from xmlwb.lessons.exercises import Case, Exercise, Mistake


def choose_beta(
    betas: list[float], classifier: np.ndarray, near: np.ndarray, Y: np.ndarray, is_valid: np.ndarray
) -> tuple[float, float]:
    """The beta with the highest P@1 on the validation rows, the larger at a tie, and its P@1 on the other rows."""
    return _chosen(betas, classifier, near, Y, is_valid, ~is_valid)


def _p1(beta: float, classifier: np.ndarray, near: np.ndarray, Y: np.ndarray, rows: np.ndarray) -> float:
    best = (beta * classifier + (1 - beta) * near)[rows].argmax(axis=1)
    return float(Y[rows][np.arange(len(best)), best].mean())


def _chosen(
    betas: list[float],
    classifier: np.ndarray,
    near: np.ndarray,
    Y: np.ndarray,
    judges: np.ndarray,
    told: np.ndarray,
    tie: float = 1.0,
) -> tuple[float, float]:
    best = max(betas, key=lambda beta: (_p1(beta, classifier, near, Y, judges), tie * beta))
    return float(best), _p1(best, classifier, near, Y, told)


def _other_rank(
    betas: list[float], classifier: np.ndarray, near: np.ndarray, Y: np.ndarray, is_valid: np.ndarray
) -> tuple[float, float]:
    """By the mean score of the true labels."""

    def quality(beta: float) -> float:
        mixed = (beta * classifier + (1 - beta) * near)[is_valid]
        return float(mixed[Y[is_valid] > 0].mean())

    best = max(betas, key=quality)
    return float(best), _p1(best, classifier, near, Y, ~is_valid)


def _planted(seed: int, n: int = 24, L: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Classifier, shortlist, truth and the mask, rounded, so that they can be read."""
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, L), dtype=int)
    truth[np.arange(n), rng.integers(L, size=n)] = 1
    signal = [expit(2.0 * truth + rng.normal(size=truth.shape) * spread - 1).round(2) for spread in (1.6, 1.1)]
    return signal[0], signal[1], truth, rng.random(n) < 0.5


_BETAS1, _BETAS2 = [0.0, 0.25, 0.5, 0.75, 1.0], [0.9, 0.1, 0.6, 0.3]
#: Seeds with which choices by validation, by test, and by all rows come out differently.
_SEEDS = (3, 220)


def _shown_choice(betas: list[float], seed: int) -> str:
    n = len(_planted(seed)[2])
    return (
        f"choose_beta(betas={betas}, classifier, near, Y, is_valid): {n} documents, 5 labels, about half of them valid"
    )


CHOOSE_BETA = Exercise(
    name="lightdxml.choose_beta",
    reference=choose_beta,
    cases=tuple(
        Case((betas, *_planted(seed)), _shown_choice(betas, seed))
        for betas, seed in zip((_BETAS1, _BETAS2), _SEEDS, strict=True)
    ),
    mistakes=(
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, ~v, ~v),
            "You chose by the rows on which you then report: the best of several is too good by luck. Validation rows "
            "choose, the other rows are looked at once.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, v, v),
            "The choice is right, but you told the validation figure that made it. Report P@1 on the other rows.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, np.ones_like(v), ~v),
            "You chose by all rows, and the rows that you report on are among them. Only rows with is_valid choose.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, v, np.ones_like(v)),
            "You report on all rows; the validation rows among them have made the choice. Report on the others.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, ~v, v),
            "Validation and test rows are swapped: is_valid marks the rows that choose.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, s, c, Y, v, ~v),
            "Beta weighs the classifier, 1 - beta the shortlist. Yours are swapped.",
        ),
        Mistake(
            lambda b, c, s, Y, v: _chosen(b, c, s, Y, v, ~v, tie=-1.0),
            "At a tie the larger beta was wanted, wherever it stands; argmax takes the first.",
        ),
        Mistake(
            _other_rank,
            "You judged by how high the true labels score. P@1 asks whether the highest label is a true one.",
        ),
        Mistake(
            lambda b, c, s, Y, v: (choose_beta(b, c, s, Y, v)[0], max(_p1(beta, c, s, Y, ~v) for beta in b)),
            "The beta is right; the figure is the best of the test rows over all betas. Report that beta's own.",
        ),
    ),
    hints=(
        "First a P@1 of one beta on some rows: blend, which label is highest, is it one of the document's?",
        "Which rows choose, and which may be looked at only once, for the beta that was chosen?",
        "max over pairs (P@1 on validation rows, beta) takes care of the tie. Then the same P@1, on the rows where "
        "is_valid is False.",
    ),
)
