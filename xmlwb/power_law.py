"""A power law fitted to label frequencies.

References
----------
A. Clauset, C. R. Shalizi, M. E. J. Newman, Power-law distributions in empirical data, SIAM Review 51, 2009: the
discrete maximum-likelihood exponent (section 3.1) and the lower cut-off by Kolmogorov-Smirnov distance (section 3.3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import zeta

Floats = NDArray[np.float64]
_CUT_OFFS_TRIED = 100
_FEWEST_LABELS = 10
_LEAST_ALPHA, _MOST_ALPHA = 1.01, 8.0


@dataclass(frozen=True)
class PowerLaw:
    """A power law P(N = x) proportional to x^-alpha for x >= x_min, fitted to label frequencies.

    Attributes
    ----------
    alpha : exponent of the frequencies' distribution.
    x_min : smallest frequency that the fit covers, in training positives.
    n_covered : labels with at least x_min positives.
    distance : largest gap between the fitted and the observed distribution (Kolmogorov-Smirnov).
    """

    alpha: float
    x_min: int
    n_covered: int
    distance: float

    @property
    def rank_exponent(self) -> float:
        """b of the rank-frequency law N(rank) ~ rank^-b, 1 / (alpha - 1); about 1 is Zipf's law."""
        return 1.0 / (self.alpha - 1.0)

    def rank_of(self, x: Any) -> Floats:
        """Expected number of labels with at least x positives, for x >= x_min."""
        return self.n_covered * zeta(self.alpha, np.asarray(x, dtype=np.float64)) / zeta(self.alpha, self.x_min)


def fit_power_law(counts: Any, x_min: int | None = None) -> PowerLaw:
    """Fit a discrete power law to label frequencies by maximum likelihood.

    A straight line through the log-log rank plot is the usual short cut; its errors are correlated and it is drawn to
    the flat head, so the likelihood is maximised instead (Clauset et al., eq. 3.5). Without `x_min`, the cut-off is the
    one whose fit lies closest to the data, of all observed frequencies that leave at least 10 labels; where there are
    more than 100, of 100 evenly spaced by their logarithm.

    Parameters
    ----------
    counts : array (L,) of training positives; zeros are left out.
    x_min : smallest frequency to fit, at least 1.

    Raises
    ------
    ValueError
        With fewer than 10 labels of at least x_min positives, where they all have the same frequency, or where the
        likelihood has no maximum for an exponent from 1.01 to 8: such frequencies follow no power law.

    Examples
    --------
    >>> x = np.round(1000 / np.arange(1, 1001))  # Zipf's law: alpha 2, rank exponent 1
    >>> round(fit_power_law(x, x_min=5).alpha, 1)
    2.0
    """
    x = np.asarray(counts, dtype=np.float64).ravel()
    values, labels = np.unique(x[x > 0], return_counts=True)
    at_least = np.cumsum(labels[::-1])[::-1]  # labels of each frequency or a higher one
    if labels.sum() < _FEWEST_LABELS or len(values) < 2:
        raise ValueError(
            f"counts: found {labels.sum()} labels with positives, wanted {_FEWEST_LABELS} of several frequencies"
        )
    if x_min is None:
        cut_offs = _spread(values[:-1][at_least[:-1] >= _FEWEST_LABELS])
    else:
        covered = values >= x_min
        if x_min < 1 or labels[covered].sum() < _FEWEST_LABELS or covered.sum() < 2:
            raise ValueError(f"x_min: found {x_min}, wanted a cut-off that leaves {_FEWEST_LABELS} unequal labels")
        cut_offs = np.array([x_min], dtype=np.float64)
    fits = [fit for c in cut_offs if (fit := _fit_above(values[values >= c], labels[values >= c], int(c)))]
    if not fits:
        raise ValueError(
            f"counts: found frequencies that no exponent from {_LEAST_ALPHA} to {_MOST_ALPHA} fits, wanted a power law"
        )
    return min(fits, key=lambda fit: fit.distance)


def _spread(possible: Floats) -> Floats:
    """At most `_CUT_OFFS_TRIED` of these ascending values, evenly spaced by their logarithm."""
    if len(possible) <= _CUT_OFFS_TRIED:
        return possible
    places = np.searchsorted(possible, np.geomspace(possible[0], possible[-1], _CUT_OFFS_TRIED))
    return possible[np.unique(np.minimum(places, len(possible) - 1))]


def _fit_above(values: Floats, labels: NDArray[np.int64], x_min: int) -> PowerLaw | None:
    """The fit to `labels[i]` labels of frequency `values[i]`, all at least x_min; None where alpha is out of range."""
    n = int(labels.sum())
    mean_log = np.log(values) @ labels / n
    found = minimize_scalar(
        lambda a: np.log(zeta(a, x_min)) + a * mean_log, bounds=(_LEAST_ALPHA, _MOST_ALPHA), method="bounded"
    )
    alpha = float(found.x)
    if not _LEAST_ALPHA + 1e-3 < alpha < _MOST_ALPHA - 1e-3:
        return None
    # Between two observed frequencies the observed share stands still, so the gap is widest right at or under one.
    up_to = np.cumsum(labels) / n
    below = np.concatenate([[0.0], up_to[:-1]])
    expected_below, expected_up_to = (1.0 - zeta(alpha, v) / zeta(alpha, x_min) for v in (values, values + 1))
    distance = max(np.abs(below - expected_below).max(), np.abs(up_to - expected_up_to).max())
    return PowerLaw(alpha, x_min, n, float(distance))
