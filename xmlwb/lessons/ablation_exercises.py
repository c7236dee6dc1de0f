"""Exercises of chapter 09: a paired bootstrap, Holm's correction, and who may be the best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from xmlwb.lessons.exercises import Case, Exercise, Mistake
from xmlwb.multiplicity import adjusted_p_values

# ------------------------------------------------------------------------------------------------ a paired bootstrap


def paired_interval(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    """mean(a - b), and the 2.5 and 97.5 per cent quantiles of its resampled means."""
    return _with_ends(a - b, draws, 0.025, 0.975)


def _with_ends(gain: np.ndarray, draws: np.ndarray, low: float, high: float) -> tuple[float, float, float]:
    drawn = gain[draws].mean(axis=1)
    return float(gain.mean()), float(np.quantile(drawn, low)), float(np.quantile(drawn, high))


def _each_its_own(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    (_, a_low, a_high), (_, b_low, b_high) = (_with_ends(x, draws, 0.025, 0.975) for x in (a, b))
    return float((a - b).mean()), a_low - b_high, a_high - b_low


def _unpaired(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    drawn = a[draws].mean(axis=1) - b[draws[::-1]].mean(axis=1)
    return float((a - b).mean()), float(np.quantile(drawn, 0.025)), float(np.quantile(drawn, 0.975))


def _by_deviation(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    gain = a - b
    width = 1.96 * gain[draws].mean(axis=1).std()
    return float(gain.mean()), float(gain.mean() - width), float(gain.mean() + width)


def _of_instances(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    gain = a - b
    return float(gain.mean()), float(np.quantile(gain, 0.025)), float(np.quantile(gain, 0.975))


def _centre_of_draws(a: np.ndarray, b: np.ndarray, draws: np.ndarray) -> tuple[float, float, float]:
    gain = a - b
    _, low, high = _with_ends(gain, draws, 0.025, 0.975)
    return float(gain[draws].mean()), low, high


def _paired_case(n: int, n_draws: int, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    easy = rng.integers(0, 4, size=n)
    a, b = (np.clip(easy + rng.integers(0, 2, size=n), 0, 5) / 5 for _ in range(2))
    draws = rng.integers(0, n, size=(n_draws, n))
    return Case((a, b, draws), f"paired_interval(a, b, draws), {n} instances, {n_draws} draws;\na = {a}\nb = {b}")


PAIRED_INTERVAL = Exercise(
    name="ablations.paired_interval",
    reference=paired_interval,
    cases=(_paired_case(8, 40, 0), _paired_case(12, 100, 3)),
    mistakes=(
        Mistake(
            _each_its_own,
            "You took an interval of each method and put their far ends together. An instance that is hard for one is "
            "hard for the other: resample the differences, and that part cancels.",
        ),
        Mistake(
            _unpaired,
            "You drew other instances for b than for a. Use the same draw for both; that is what pairing means.",
        ),
        Mistake(
            lambda a, b, draws: paired_interval(b, a, draws),
            "Your signs are turned around: wanted is a less b.",
        ),
        Mistake(
            lambda a, b, draws: _with_ends(a - b, draws, 0.05, 0.95),
            "You cut 5 per cent off each side: that is a 90 % interval. Each side of a 95 % interval loses 2.5.",
        ),
        Mistake(
            _by_deviation,
            "You took 1.96 standard deviations of the resampled means. Often close; wanted are their quantiles, which "
            "need no bell shape.",
        ),
        Mistake(
            _of_instances,
            "These are quantiles of single instances' differences. The interval is of the mean: draw, take the mean of "
            "each draw, and then the quantiles of these means.",
        ),
        Mistake(
            _centre_of_draws,
            "The interval is right. The difference itself is that of the instances as they are, not the draws' mean.",
        ),
        Mistake(
            lambda a, b, draws: _with_ends(a - b, draws.T, 0.025, 0.975),
            "You took means over the draws of a place, not over the places of a draw: a row of draws is one resample.",
        ),
    ),
    hints=(
        "One number an instance is left when you subtract: how much better a was on it.",
        "A row of draws holds the numbers of the instances of one resample, some of them twice. Indexing with "
        "the whole array gives a table, a row a resample.",
        "Take the mean of each row. The interval runs between two quantiles of these means; "
        "np.quantile takes fractions.",
    ),
)

# ------------------------------------------------------------------------------------------------- Holm's correction


def holm(p_values: np.ndarray) -> np.ndarray:
    """The k-th smallest of m times m - k + 1, never below a smaller one's, at most 1; in the order given."""
    return adjusted_p_values(p_values, "holm")


def _stepped(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(p, kind="stable")
    return order, p[order] * np.arange(len(p), 0, -1)


def _back(order: np.ndarray, values: np.ndarray) -> np.ndarray:
    out = np.empty(len(values))
    out[order] = values
    return out


def _not_monotone(p: np.ndarray) -> np.ndarray:
    order, stepped = _stepped(p)
    return _back(order, np.minimum(stepped, 1))


def _no_cap(p: np.ndarray) -> np.ndarray:
    order, stepped = _stepped(p)
    return _back(order, np.maximum.accumulate(stepped))


def _sorted(p: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum.accumulate(_stepped(p)[1]), 1)


def _one_less(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    return _back(order, np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p) - 1, -1, -1)), 1))


def _upwards(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p, kind="stable")
    return _back(order, np.minimum(np.maximum.accumulate(p[order] * np.arange(1, len(p) + 1)), 1))


HOLM = Exercise(
    name="ablations.holm",
    reference=holm,
    cases=(
        Case((np.array([0.01, 0.04, 0.03, 0.005]),)),
        Case((np.array([0.6, 0.02, 0.9, 0.021, 0.3]),)),
        Case((np.array([0.2]),)),
    ),
    mistakes=(
        Mistake(
            lambda p: np.minimum(p * len(p), 1),
            "That is Bonferroni's correction, which multiplies each by their number. Holm's asks less of all but the "
            "smallest.",
        ),
        Mistake(
            _not_monotone,
            "The factors are right. But a larger p-value must not end up below a smaller one's: carry the maximum "
            "along.",
        ),
        Mistake(_no_cap, "The steps are right, but there are values above 1, which is no p-value. Cut them off."),
        Mistake(_sorted, "The values are right, in sorted order. Put them back where their p-values stood."),
        Mistake(
            _one_less, "Your factors run from m - 1 to 0. The smallest is held against all m, the largest against 1."
        ),
        Mistake(_upwards, "Your factors grow with the p-values. The smallest gets the largest factor, m."),
        Mistake(
            lambda p: adjusted_p_values(p, "benjamini-hochberg"),
            "That is Benjamini and Hochberg's correction: it keeps the share of false findings low, not the chance of "
            "any.",
        ),
        Mistake(lambda p: p, "You returned the p-values as they came."),
    ),
    hints=(
        "Sort first, and remember where each came from: np.argsort.",
        "The smallest is multiplied by m, the next by m - 1, the largest by 1.",
        "np.maximum.accumulate carries the largest value so far along. Then nothing above 1, and back into the "
        "old order.",
    ),
)

# --------------------------------------------------------------------------------------------------- who may be best


def may_be_best(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    """The best by its figure, and all that Holm's procedure does not tell from it; sorted numbers."""
    return _kept(figures, p_values, level, "holm")


def _best(figures: Sequence[float]) -> int:
    return int(np.argmax(figures))


def _kept(figures: Sequence[float], p_values: Sequence[float], level: float, correction: str) -> list[int]:
    best = _best(figures)
    others = [i for i in range(len(figures)) if i != best]
    adjusted = adjusted_p_values(np.asarray(p_values, dtype=float)[others], correction)  # type: ignore[arg-type]
    return sorted([best, *(i for i, p in zip(others, adjusted, strict=True) if p > level)])


def _without_best(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    return [i for i in may_be_best(figures, p_values, level) if i != _best(figures)]


def _the_beaten(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    kept = may_be_best(figures, p_values, level)
    return [i for i in range(len(figures)) if i not in kept]


def _bonferroni(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    best, others = _best(figures), len(figures) - 1
    return [i for i, p in enumerate(p_values) if i == best or p * others > level]


def _best_counted(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    adjusted = adjusted_p_values(np.nan_to_num(np.asarray(p_values, dtype=float), nan=1.0), "holm")
    return [i for i, p in enumerate(adjusted) if i == _best(figures) or p > level]


def _no_step(figures: Sequence[float], p_values: Sequence[float], level: float) -> list[int]:
    best = _best(figures)
    others = sorted((i for i in range(len(figures)) if i != best), key=lambda i: p_values[i])
    kept = [i for k, i in enumerate(others) if p_values[i] * (len(others) - k) > level]
    return sorted([best, *kept])


_NAN = float("nan")

MAY_BE_BEST = Exercise(
    name="ablations.may_be_best",
    reference=may_be_best,
    cases=(
        Case(([0.41, 0.452, 0.444, 0.45, 0.43], [0.0001, _NAN, 0.03, 0.7, 0.012], 0.05)),
        Case(([0.5, 0.48, 0.3, 0.47, 0.46], [_NAN, 0.0127, 0.0001, 0.024, 0.02], 0.05)),
        Case(([0.5, 0.48, 0.3], [_NAN, 0.06, 0.001], 0.1)),
        Case(([0.3, 0.2, 0.1, 0.15], [_NAN, 0.02, 0.026, 0.045], 0.05)),
        Case(([0.3, 0.2, 0.1, 0.15, 0.29], [_NAN, 0.0001, 0.0002, 0.0155, 0.5], 0.05)),
        Case(([0.3, 0.2, 0.25, 0.28], [_NAN, 0.03, 0.6, 0.7], 0.05)),
    ),
    mistakes=(
        Mistake(
            _without_best, "All but one are right: the best itself may well be the best. Its own p-value is missing."
        ),
        Mistake(
            lambda figures, p, level: _kept(figures, p, level, "none"),
            "You held each p-value against the level as if it were the only one. There are several: correct them.",
        ),
        Mistake(_the_beaten, "You returned those that are told from the best. Wanted are the others, with the best."),
        Mistake(_bonferroni, "You multiplied all by their number, Bonferroni's way. Holm's tells more apart."),
        Mistake(
            _best_counted,
            "You counted the best's own missing p-value among the tests. With five methods there are four comparisons.",
        ),
        Mistake(
            _no_step,
            "Holm's procedure goes down from the smallest p-value and stops at the first that is too large: all after "
            "that one stay, however they stand.",
        ),
        Mistake(
            lambda figures, p, level: [_best(figures)], "That is the top of the table alone. Who else may be best?"
        ),
        Mistake(
            lambda figures, p, level: _kept(figures, p, level, "benjamini-hochberg"),
            "That is Benjamini and Hochberg's correction. The exercise asks for Holm's.",
        ),
    ),
    hints=(
        "The best is the one with the highest figure; it stays. The others each have a p-value of their "
        "difference to it.",
        "With m others, hold the smallest p-value against level / m, the next against level / (m - 1), and so on.",
        "At the first p-value that is larger than its bound stop: this one and all the larger ones stay with the best.",
    ),
)
