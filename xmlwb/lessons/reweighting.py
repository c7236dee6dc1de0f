"""Chapter 02's study: the same predictions under other propensities, and predictions bent towards the tail."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.metrics import precision_at_k, propensities, psp_at_k


def boost_tail(S: csr_array, propensity: np.ndarray, strength: float) -> csr_array:
    """Re-rank stored predictions by sigma(2 s) / p ** strength.

    The expected gain of a label in PSP is its chance to be relevant over its propensity, so with calibrated chances
    ``strength=1`` would be the best ranking for PSP. Margins are no chances; sigma(2 s) stands in for them, and the
    strength is left open.

    Parameters
    ----------
    S : csr_array, shape (n, L)
        Margins, more of each row than will be kept (20 of 500 labels, say), so that the tail can move up.
    propensity : ndarray, shape (L,)
    strength : float
        0 leaves every row's ranking as it is.

    Raises
    ------
    ValueError
        If the propensities do not fit the columns of S.
    """
    if propensity.shape != (S.shape[1],):
        raise ValueError(f"propensity: found shape {propensity.shape}, wanted ({S.shape[1]},)")
    boosted = S.copy()
    boosted.data = (propensity[S.indices] ** -strength / (1 + np.exp(-2 * S.data.astype(np.float64)))).astype(
        np.float32
    )
    return boosted


def under_propensities(
    Y_train: csr_array, Y_test: csr_array, predictions: Mapping[str, csr_array], A: float, B: float, k: int = 5
) -> pd.DataFrame:
    """P@k and PSP@k of several predictions under the propensities of A and B; one row for each prediction."""
    p = propensities(Y_train, A, B)
    return pd.DataFrame(
        {
            f"P@{k}": {name: precision_at_k(Y_test, S, k)[k - 1] for name, S in predictions.items()},
            f"PSP@{k}": {name: psp_at_k(Y_test, S, p, k)[k - 1] for name, S in predictions.items()},
        }
    )


def gain_and_reach(
    Y_test: csr_array, S: csr_array, propensity: np.ndarray, rows: list[int], k: int = 5
) -> pd.DataFrame:
    """What single documents bring to PSP@k: weight gained, weight within reach, and both P@k and their ratio."""
    gained, reach = psp_at_k(Y_test[rows], S[rows], propensity, k, per_instance=True)
    P = precision_at_k(Y_test[rows], S[rows], k, per_instance=True)
    return pd.DataFrame(
        {
            "relevant labels": np.diff(Y_test[rows].indptr),
            f"P@{k}": P[:, k - 1],
            "gained": k * gained[:, k - 1],
            "within reach": k * reach[:, k - 1],
            "gained / within reach": gained[:, k - 1] / reach[:, k - 1],
        },
        index=pd.Index(rows, name="document"),
    )
