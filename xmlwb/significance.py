"""How sure is a difference: bootstrap intervals of a metric and a paired test between two models.

Both resample test instances, so they speak of other test sets drawn from where this one came, with the
models as they are; they say nothing of another training run. Metrics come in as values per instance: (n,)
for a mean such as P@5, or a pair of (n,) arrays for a ratio of sums such as PSP@5, of which instances are
resampled as pairs.

Instances that belong together, such as the packages of one source, which share their text, are no independent
observations: resampled one by one they give intervals that are too narrow. With `groups`, whole groups are
resampled, and in the test swapped, together. This is the simple pairs cluster bootstrap of Cameron et al., without
the corrections that the paper adds for few clusters: below about 30 groups it is still too narrow.

References
----------
A. C. Cameron, J. B. Gelbach, D. L. Miller, Bootstrap-based improvements for inference with clustered errors, Review of
Economics and Statistics 90(3), 2008: the pairs cluster bootstrap.
B. Efron, R. Tibshirani, An introduction to the bootstrap, 1993, chapters 13 (percentile intervals) and 15
(permutation tests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# n_resamples x n random numbers are drawn in blocks of about this many
_BLOCK = 1 << 21


@dataclass(frozen=True)
class Interval:
    """A figure with its bootstrap percentile interval."""

    value: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True)
class PairedResult:
    """Model a against model b on the same instances: a's figure less b's, its interval and its p-value."""

    difference: float
    low: float
    high: float
    confidence: float
    p_value: float
    n: int
    n_groups: int  # what was resampled: n where no groups were given
    n_a_better: int
    n_b_better: int


def _pair(values: Any, name: str) -> tuple[Floats, Floats]:
    """(numerator, denominator) of equal length; a mean is a ratio whose denominators are all 1."""
    if isinstance(values, tuple):
        if len(values) != 2:
            raise ValueError(f"{name}: found a tuple of {len(values)}, wanted (reached, best)")
        top, bottom = (np.asarray(v, dtype=np.float64) for v in values)
    else:
        top = np.asarray(values, dtype=np.float64)
        bottom = np.ones_like(top)
    if top.ndim != 1 or top.shape != bottom.shape or top.size == 0:
        raise ValueError(f"{name}: found shapes {top.shape} and {bottom.shape}, wanted one value each, (n,)")
    if not (np.isfinite(top).all() and np.isfinite(bottom).all()):
        raise ValueError(f"{name}: found a value that is not finite, wanted finite values per instance")
    return top, bottom


def check_resampling(confidence: float, n_resamples: int) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: found {confidence!r}, wanted a number between 0 and 1")
    if n_resamples < 1:
        raise ValueError(f"n_resamples: found {n_resamples!r}, wanted at least 1")


def group_sums(columns: Floats, groups: Any | None) -> Floats:
    """Sums of the columns (n, m) within each group, (number of groups, m), in the order in which groups first appear.

    Without `groups` the columns as they are, each instance its own group. Raises ValueError where `groups` is not one
    hashable name an instance, or holds one group alone, of which nothing can be resampled.
    """
    if groups is None:
        return columns
    n = len(columns)
    numbers: dict[Any, int] = {}
    try:
        number = np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=np.int64)
        unnamed = [group for group in numbers if group is None or group != group]  # None, NaN
    except TypeError as error:
        raise ValueError(f"groups: wanted one hashable name an instance, found: {error}") from None
    if len(number) != n:
        raise ValueError(f"groups: found {len(number)} entries, wanted {n}, one an instance")
    if unnamed:
        raise ValueError(f"groups: found {unnamed[0]}, wanted the name of a group for every instance")
    if len(numbers) == 1 < n:
        raise ValueError(f"groups: found one group of all {n} instances, wanted at least two groups")
    return np.column_stack([np.bincount(number, column) for column in columns.T])


def resampled_sums(columns: Floats, n_resamples: int, random_state: int) -> Floats:
    """Sums of the columns (n, m) over n rows drawn with replacement, n_resamples times: (n_resamples, m).

    A draw is a vector of counts that sum to n, so a block of draws is one (block, n) @ (n, m) product. All columns
    see the same draws: differences between columns keep their pairing.
    """
    rng = np.random.default_rng(random_state)
    n = len(columns)
    out = np.empty((n_resamples, columns.shape[1]))
    step = max(1, _BLOCK // n)
    for first in range(0, n_resamples, step):
        m = min(step, n_resamples - first)
        drawn = rng.integers(0, n, size=(m, n), dtype=np.int64) + np.arange(m)[:, None] * n
        counts = np.bincount(drawn.ravel(), minlength=m * n).reshape(m, n)
        out[first : first + m] = counts @ columns
    return out


def sign_flip_p_value(gain: Floats, n_resamples: int, random_state: int) -> float:
    """Two-sided p-value of sum(gain) among n_resamples random sign flips; 1 where no gain is left."""
    rng = np.random.default_rng(random_state)
    total = gain.sum()
    seen = abs(total) * (1 - 1e-12)  # sums that are equal but for rounding count as equal
    at_least = 1
    step = max(1, _BLOCK // max(1, len(gain)))
    for first in range(0, n_resamples, step):
        m = min(step, n_resamples - first)
        kept = np.unpackbits(rng.integers(0, 256, size=(m, -(-len(gain) // 8)), dtype=np.uint8), axis=1)
        flipped = 2 * (kept[:, : len(gain)].astype(np.float64) @ gain) - total
        at_least += int((np.abs(flipped) >= seen).sum())
    return at_least / (n_resamples + 1)


def _ratios(sums: Floats) -> Floats:
    return sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], 1.0)


def _bounds(draws: Floats, confidence: float) -> tuple[float, float]:
    low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def bootstrap_interval(
    values: Any, *, groups: Any | None = None, confidence: float = 0.95, n_resamples: int = 1000, random_state: int = 0
) -> Interval:
    """Percentile bootstrap interval of a mean, or of a ratio of sums, over test instances.

    Parameters
    ----------
    values : array (n,) of a metric per instance, e.g. ``precision_at_k(Y, S, 5, per_instance=True)[:, 4]``;
        or a pair (reached, best) of such arrays, e.g. PSP's, whose ratio of sums is the figure.
    groups : n hashable names, one an instance, e.g. ``dataset.sources_test``; instances of one name are resampled
        together (see the module's text). Without them each instance is on its own.
    confidence : share of resamples inside the interval.
    n_resamples : draws of n instances (or all groups) with replacement, in O(n_resamples x n) time.

    Raises ValueError for another shape, values that are not finite, groups of another length, a group without a name,
    one group of everything, or a confidence outside (0, 1).

    Notes
    -----
    The percentile interval was chosen over BCa: for means over thousands of instances the two hardly differ, and
    BCa needs n more evaluations. With few instances use ``scipy.stats.bootstrap(method="BCa")``.
    """
    check_resampling(confidence, n_resamples)
    columns = group_sums(np.column_stack(_pair(values, "values")), groups)
    low, high = _bounds(_ratios(resampled_sums(columns, n_resamples, random_state)), confidence)
    return Interval(float(_ratios(columns.sum(axis=0))), low, high, confidence)


def paired_test(
    per_instance_a: Any,
    per_instance_b: Any,
    *,
    groups: Any | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> PairedResult:
    """Is model a better than model b on the same test instances?

    Parameters
    ----------
    per_instance_a, per_instance_b : a metric per instance of each model, (n,), instances in the same order; or,
        for a ratio of sums such as PSP, the pair (reached, best) of each, whose `best` must agree.
    groups : n hashable names, one an instance, e.g. ``dataset.sources_test``; as for `bootstrap_interval`.

    Returns
    -------
    PairedResult
        The difference a - b, its bootstrap interval, and the two-sided p-value of a sign-flip permutation
        test.

    Raises
    ------
    ValueError
        For another shape, different lengths, values that are not finite, different `best`, or groups that
        `bootstrap_interval` would not take.

    Notes
    -----
    Under the null hypothesis the two models' outputs could be swapped on any instance, which flips the sign of
    that instance's difference; with groups, on any whole group, which flips the sum of its differences. The
    p-value is the share of random flips whose mean is at least as far from 0 as the one seen, the seen one counted
    too, so it cannot be below 1 / (n_resamples + 1).
    ``scipy.stats.permutation_test(permutation_type="samples")`` computes the same, more slowly. The test asks
    about the very figure that the tables show; Wilcoxon's asks about ranks, and drops the many instances on
    which both models score the same. Unlike the t test it needs no normality, which fails for values as skewed
    as PSP's.
    """
    check_resampling(confidence, n_resamples)
    top_a, best_a = _pair(per_instance_a, "per_instance_a")
    top_b, best_b = _pair(per_instance_b, "per_instance_b")
    if top_a.shape != top_b.shape:
        raise ValueError(f"per_instance_b: found {top_b.size} instances, wanted the {top_a.size} of per_instance_a")
    if not np.allclose(best_a, best_b):
        raise ValueError("per_instance_b: found another `best`, wanted that of per_instance_a")
    gain = top_a - top_b
    columns = group_sums(np.column_stack((gain, best_a, np.abs(gain))), groups)
    gained, moved = columns[:, 0], np.abs(columns[:, 0]) > 1e-12 * columns[:, 2]  # not: equal but for rounding
    low, high = _bounds(_ratios(resampled_sums(columns[:, :2], n_resamples, random_state)), confidence)
    return PairedResult(
        difference=float(_ratios(columns.sum(axis=0))),
        low=low,
        high=high,
        confidence=confidence,
        p_value=sign_flip_p_value(gained[moved], n_resamples, random_state),
        n=len(gain),
        n_groups=len(columns),
        n_a_better=int((gain > 0).sum()),
        n_b_better=int((gain < 0).sum()),
    )
