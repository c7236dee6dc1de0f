"""Many tests at once: p-values corrected for the number of differences that were looked at.

References
----------
S. Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2), 1979 (not at
hand; the step-down procedure is that of statsmodels' ``multipletests(method="holm")``).
Y. Benjamini, Y. Hochberg, Controlling the false discovery rate, Journal of the Royal Statistical Society B 57(1), 1995
(not at hand; computed by ``scipy.stats.false_discovery_control``).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

Correction = Literal["holm", "benjamini-hochberg", "none"]


def adjusted_p_values(p_values: Any, correction: Correction = "holm") -> NDArray[np.float64]:
    """P-values that may each be held against the level wanted for all of them together.

    Parameters
    ----------
    p_values : array (m,) of numbers in [0, 1]
        NaN, where a test could not be made, stays NaN and does not count.
    correction : "holm", "benjamini-hochberg" or "none"
        "holm": with a level of 0.05 the chance of even one false finding is at most 5 %, whatever the dependence.
        "benjamini-hochberg": of the findings 5 % are expected to be false, if the tests are independent or
        positively dependent.

    Raises ValueError for another correction, or a p-value outside [0, 1].

    Examples
    --------
    >>> adjusted_p_values([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    known = ~np.isnan(p)
    if p.ndim != 1 or np.any((p[known] < 0) | (p[known] > 1)):
        raise ValueError("p_values: wanted a list of numbers from 0 to 1")
    out = np.full(p.shape, np.nan)
    made = p[known]
    if correction == "none" or not made.size:
        out[known] = made
    elif correction == "holm":
        order = np.argsort(made, kind="stable")
        stepped = np.maximum.accumulate(made[order] * np.arange(made.size, 0, -1))
        whole = np.empty_like(made)
        whole[order] = np.minimum(stepped, 1.0)
        out[known] = whole
    elif correction == "benjamini-hochberg":
        out[known] = false_discovery_control(made, method="bh")
    else:
        raise ValueError(f"correction: found {correction!r}, wanted 'holm', 'benjamini-hochberg' or 'none'")
    return out
