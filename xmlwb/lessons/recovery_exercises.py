"""The exercises of chapter 03: orthogonal matching pursuit, and the m at which decoding breaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from scipy.sparse import csr_array

from xmlwb.lessons.exercises import Case, Exercise, Mistake
from xmlwb.lessons.pursuit_variants import (
    all_at_once,
    least_left,
    omp,
    refit_once,
    refit_to_rest,
    signed,
    stops_early,
    without_refit,
)
from xmlwb.lessons.recovery_study import whole

Recover = Callable[[csr_array, int], csr_array]


def breaking_m(Y: csr_array, sizes: Sequence[int], recover: Recover) -> int:
    """The smallest m in sizes from which on at least half of the documents come back whole.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    sizes : sequence of int
        Ascending.
    recover : callable
        ``recover(Y, m)`` squeezes to m numbers and decodes: csr_array of shape (n, L), 0/1.

    Raises
    ------
    ValueError
        If even the largest m recovers fewer than half.
    """
    enough = [bool(np.mean(whole(Y, recover(Y, m))) >= 0.5) for m in sizes]
    if not enough[-1]:
        raise ValueError(f"sizes: m = {sizes[-1]} recovers fewer than half of the documents, wanted a larger one")
    return sizes[len(enough) - next((i for i, good in enumerate(reversed(enough)) if not good), len(enough))]


def _unit_columns(m: int, L: int, seed: int) -> np.ndarray:
    A = np.random.default_rng(seed).standard_normal((m, L))
    return A / np.linalg.norm(A, axis=0)


_SMALL_A = np.array([[1.0, 0.0, 0.6, 0.0], [0.0, 1.0, 0.8, 0.6], [0.0, 0.0, 0.0, 0.8]])
_WIDE_A, _WIDER_A = _unit_columns(12, 24, 1), _unit_columns(14, 30, 5)
_WIDE_Y, _WIDER_Y = np.zeros(24), np.zeros(30)
_WIDE_Y[[2, 9, 17]] = 1.0
_WIDER_Y[[0, 7, 21, 28]] = 1.0, -1.5, 1.0, 0.5
# Here the order of the choices changes unless all values are solved anew after each of them.
_TIGHT_A, _TIGHT_Y = _unit_columns(12, 24, 13), np.zeros(24)
_TIGHT_Y[np.random.default_rng(13).choice(24, 4, replace=False)] = 1.0
# Three labels explain this code up to a twentieth; the fourth is asked for all the same.
_FAINT_Y = np.zeros(30)
_FAINT_Y[[0, 7, 21, 28]] = 1.0, -1.5, 1.0, 0.05
_SHOWN_SMALL = "with A =\n" + str(_SMALL_A)

# A stand-in for squeezing and decoding: a document comes back whole if it has few labels for its m.
_SIX_DOCUMENTS = csr_array((np.arange(12) < np.array([[1], [2], [2], [4], [4], [6]])).astype(np.float32))


def _fake_recover(whole_up_to: dict[int, int], how: Literal["swaps", "adds", "drops"] = "swaps") -> Recover:
    """Documents with more labels than that swap one of theirs for a wrong one, get a wrong one on top, or lose one."""

    def recover(Y: csr_array, m: int) -> csr_array:
        dense, counts = Y.toarray(), np.diff(Y.indptr)
        broken = counts > whole_up_to[m]
        if how == "adds":
            dense[broken, -1] = 1
        elif how == "drops":
            dense[broken, 0] = 0
        else:
            dense[broken] = np.roll(dense[broken], 1, axis=1)
        return csr_array(dense)

    return recover


_STEADY = {10: 0, 20: 1, 30: 2, 40: 4, 50: 6}
_BUMPY = {10: 1, 20: 2, 30: 1, 40: 4, 50: 4}
_DECEIVING = {10: 1, 20: 2, 30: 2, 40: 1, 50: 4}
_EARLY = {10: 2, 20: 2, 30: 4}
_ADDED = _DROPPED = {10: 1, 20: 2, 30: 4}


def _told(whole_up_to: dict[int, int]) -> str:
    parts = ", ".join(f"{n} from m = {m}" for m, n in whole_up_to.items())
    return (
        "breaking_m(Y, sizes, recover) with six documents of 1, 2, 2, 4, 4 and 6 labels, sizes = "
        f"{list(whole_up_to)}, and a recover that gets documents back whole up to this number of labels: {parts}"
    )


def _share(Y: csr_array, sizes: Sequence[int], recover: Recover) -> list[float]:
    return [float(np.mean(whole(Y, recover(Y, m)))) for m in sizes]


def _by_labels(Y: csr_array, sizes: Sequence[int], recover: Recover) -> int:
    share = [float(recover(Y, m).multiply(Y).sum() / Y.sum()) for m in sizes]
    return next(m for m, part in zip(sizes, share, strict=True) if part >= 0.5)


def _by_halves(Y: csr_array, sizes: Sequence[int], recover: Recover) -> int:
    low, high = 0, len(sizes) - 1
    while low < high:
        middle = (low + high) // 2
        if _share(Y, [sizes[middle]], recover)[0] >= 0.5:
            high = middle
        else:
            low = middle + 1
    return sizes[low]


EXERCISES: list[Exercise] = [
    Exercise(
        name="compressed_sensing.omp",
        reference=omp,
        cases=(
            Case(
                (np.array([0.6, 1.8, 0.0]), _SMALL_A, 2),
                "omp(z=[0.6, 1.8, 0], A, s=2) " + _SHOWN_SMALL,
            ),
            Case(
                (_SMALL_A @ np.array([0.0, 0.0, 0.5, -1.0]), _SMALL_A, 2),
                "omp(z = A @ [0, 0, 0.5, -1], A, s=2) " + _SHOWN_SMALL,
            ),
            Case((np.array([3.0, 0.0, 1.0]), _SMALL_A, 1), "omp(z=[3, 0, 1], A, s=1) " + _SHOWN_SMALL),
            Case((_WIDE_A @ _WIDE_Y, _WIDE_A, 3), "omp(z = A @ y, A, s=3), A random, 12 x 24, y of three ones"),
            Case((_WIDER_A @ _WIDER_Y, _WIDER_A, 4), "omp(z = A @ y, A, s=4), A random, 14 x 30, y of four entries"),
            Case((_TIGHT_A @ _TIGHT_Y, _TIGHT_A, 4), "omp(z = A @ y, A, s=4), A random, 12 x 24, y of four ones"),
            Case(
                (_WIDER_A @ _FAINT_Y, _WIDER_A, 4),
                "omp(z = A @ y, A, s=4), A random, 14 x 30, y of four entries, one of them only 0.05",
            ),
        ),
        mistakes=(
            Mistake(
                without_refit,
                "You kept the value that a label got when it was chosen. OMP solves least squares again over ALL "
                "chosen labels after each choice; that is its O.",
            ),
            Mistake(
                refit_once,
                "You solved least squares once, at the end. OMP solves it after each choice, so that what is left, and "
                "with it the next choice, is that of the best fit so far.",
            ),
            Mistake(
                lambda z, A, s: refit_once(z, A, s, again=True),
                "You solved least squares once, at the end. OMP solves it after each choice, so that what is left, and "
                "with it the next choice, is that of the best fit so far.",
            ),
            Mistake(
                stops_early,
                "You stopped before s labels were chosen, since little of z was left. Choose s all the same.",
            ),
            Mistake(
                least_left,
                "You chose the label that leaves least after a refit (orthogonal least squares). OMP is cheaper: it "
                "takes the label that correlates most with what is left, and refits once for each choice.",
            ),
            Mistake(
                lambda z, A, s: np.linalg.pinv(A) @ z,
                "You solved for all L labels at once: of the many y with A y = z, this is the shortest, and it is not "
                "sparse. Choose s labels first, one after the other.",
            ),
            Mistake(
                signed,
                "You took the largest correlation with its sign. A strongly negative one explains as much: take |.|.",
            ),
            Mistake(
                all_at_once,
                "You took the s largest correlations at once. Choose one, refit, and correlate what is LEFT of z.",
            ),
            Mistake(
                refit_to_rest,
                "You fitted the chosen labels to what was left, and lost what they explained before: fit them to z.",
            ),
            Mistake(
                lambda z, A, s: (omp(z, A, s) != 0).astype(float),
                "The labels are right. Asked for are their least-squares values, not ones.",
            ),
            Mistake(
                lambda z, A, s: omp(z, A, s + 1),
                "You chose one label too many.",
            ),
            Mistake(lambda z, A, s: A.T @ z, "These are the correlations with z, the first step. Choose among them."),
        ),
        hints=(
            "Keep a list of chosen labels and the rest r, which is z at first. Each round adds one label to the list.",
            "np.argmax finds the largest entry; of which array? What you want is large for columns that look like r.",
            "np.linalg.lstsq(B, z, rcond=None)[0] solves least squares; B holds the chosen columns, A[:, chosen].",
        ),
    ),
    Exercise(
        name="compressed_sensing.breaking_m",
        reference=breaking_m,
        cases=(
            Case((_SIX_DOCUMENTS, list(_STEADY), _fake_recover(_STEADY)), _told(_STEADY)),
            Case((_SIX_DOCUMENTS, list(_BUMPY), _fake_recover(_BUMPY)), _told(_BUMPY)),
            Case((_SIX_DOCUMENTS, list(_DECEIVING), _fake_recover(_DECEIVING)), _told(_DECEIVING)),
            Case((_SIX_DOCUMENTS, list(_EARLY), _fake_recover(_EARLY)), _told(_EARLY)),
            Case(
                (_SIX_DOCUMENTS, list(_ADDED), _fake_recover(_ADDED, "adds")),
                _told(_ADDED) + "; the others keep their labels and get a wrong one on top",
            ),
            Case(
                (_SIX_DOCUMENTS, list(_DROPPED), _fake_recover(_DROPPED, "drops")),
                _told(_DROPPED) + "; the others lose a label and get none in its place",
            ),
        ),
        mistakes=(
            Mistake(
                _by_labels,
                "You counted labels. A document counts only if all of its labels came back, and no other one.",
            ),
            Mistake(
                lambda Y, sizes, recover: sizes[int(np.argmax(np.array(_share(Y, sizes, recover)) >= 0.5))],
                "That is the first m that works. A larger one fails again; wanted is the m from which on it works.",
            ),
            Mistake(
                lambda Y, sizes, recover: sizes[
                    int(np.flatnonzero(np.array(_share(Y, sizes, recover)) <= 0.5)[-1]) + 1
                ],
                "'At least half' includes half itself: >=, not >.",
            ),
            Mistake(
                lambda Y, sizes, recover: sizes[int(np.flatnonzero(np.array(_share(Y, sizes, recover)) < 0.5)[-1])],
                "That is the last m that fails; wanted is the next one.",
            ),
            Mistake(
                _by_halves,
                "You searched by halves. That takes for granted that an m works if a smaller one does; each m has a "
                "matrix of its own, and a larger one can fail. Look at all sizes, from the largest down.",
            ),
            Mistake(
                lambda Y, sizes, recover: breaking_m(Y, sizes, lambda Y, m: _completed(Y, recover(Y, m))),
                "You looked for wrong labels alone. A missing label breaks a document too.",
            ),
            Mistake(
                lambda Y, sizes, recover: breaking_m(Y, sizes, lambda Y, m: _kept(Y, recover(Y, m))),
                "You looked at the documents' own labels alone. A wrong label that came in breaks a document too.",
            ),
        ),
        hints=(
            "For one m: D = recover(Y, m) is what came back. Which rows of Y - D hold nothing but zeros?",
            "abs(Y - D).sum(axis=1) counts what is missing and what is wrong, document by document.",
            "From which on: find the last m that fails; the answer is the next one (the first of all, if none fails).",
        ),
    ),
]


def _kept(Y: csr_array, D: csr_array) -> csr_array:
    return csr_array(D.multiply(Y))


def _completed(Y: csr_array, D: csr_array) -> csr_array:
    return csr_array(D.maximum(Y))
