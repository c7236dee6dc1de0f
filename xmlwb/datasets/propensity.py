"""The propensity model of Jain et al.: how likely a true label is recorded, by its frequency."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def propensity_of_counts(counts: NDArray[np.integer], n: int, A: float, B: float) -> NDArray[np.float64]:
    """p_l = 1 / (1 + C (N_l + B)^-A) with C = (ln n - 1)(B + 1)^A, natural logarithm; in (0, 1].

    Parameters
    ----------
    counts : ndarray (L,)
        N_l, training positives of each label.
    n : training instances, at least 1. With fewer than three, C would be negative; it is taken as 0.
    A, B : constants of the data set.

    References
    ----------
    H. Jain, Y. Prabhu, M. Varma, Extreme multi-label loss functions for recommendation, tagging, ranking & other
    missing label applications, KDD 2016, equation 7.
    """
    C = max(0.0, math.log(n) - 1.0) * (B + 1.0) ** A
    return 1.0 / (1.0 + C * (counts + B) ** -A)
