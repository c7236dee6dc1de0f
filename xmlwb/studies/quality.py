"""Every figure of one run's predictions, with bootstrap intervals, from one set of resamples."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xmlwb.metrics import coverage_at_k, ndcg_at_k, precision_at_k, propensities, psp_at_k, recall_at_k, top_k_hits
from xmlwb.significance import group_sums, resampled_sums
from xmlwb.studies.data_source import Rows
from xmlwb.studies.runs import BINS
from xmlwb.tails import frequency_bins

Floats = NDArray[np.float64]
N_RESAMPLES = 1000
_KEPT_DRAWS = 5000  # rows; their draws take 40 MB
_DIGITS = 9  # of an interval's ends: the last bits depend on how many threads sum


class Measure:
    """Measures predictions of the same rows again and again: what depends on the rows alone is worked out once.

    Parameters
    ----------
    rows : Rows
        Propensities and frequency bins are those of its training labels.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._propensity = propensities(rows.Y_train, *rows.propensity_ab)
        self._bin = frequency_bins(rows.Y_train)["bin"].cat.codes.to_numpy(dtype=np.int64)  # 0, 1, 2; 3 is unseen
        n = rows.Y.shape[0]
        self._true = self._per_bin(np.repeat(np.arange(n), np.diff(rows.Y.indptr)), rows.Y.indices)

    def __call__(self, S: Any, k: int = 5) -> dict[str, float]:
        """The columns `METRICS`, `BIN_METRICS` and `INTERVALS`; what needs more than k labels is missing.

        Parameters
        ----------
        S : csr_array (m, L)
            Scores of at least the first k labels.

        Notes
        -----
        Intervals are percentiles of 1,000 resamples of rows, or of whole groups of them, the same ones for every run.
        O(1000 m) time. Coverage has none: a resample holds fewer labels than the rows do.
        """
        Y, n = self._rows.Y, self._rows.Y.shape[0]
        tops, bottoms = {}, {}
        for name, values in self._means(S, k).items():
            tops[name], bottoms[name] = values, np.ones(n)
        reached, best = psp_at_k(Y, S, self._propensity, k, per_instance=True)
        for rank in (1, 3, 5):
            if rank <= k:
                tops[f"PSP@{rank}"], bottoms[f"PSP@{rank}"] = reached[:, rank - 1], best[:, rank - 1]
        labels, hit = top_k_hits(Y, S, k)
        right = self._per_bin(np.nonzero(hit)[0], labels[hit])
        for code, name in enumerate(BINS):
            tops[f"P@5 {name}"], bottoms[f"P@5 {name}"] = right[:, code] / k, np.ones(n)
            tops[f"R@5 {name}"], bottoms[f"R@5 {name}"] = right[:, code], self._true[:, code]
        columns = group_sums(np.column_stack([*tops.values(), *bottoms.values()]), self._rows.groups)
        values = _ratios(columns.sum(axis=0))
        drawn = _ratios(_resampled(columns))
        quantile = np.nanquantile if np.isnan(drawn).any() else np.quantile
        low, high = quantile(np.where(np.isnan(values), 0.0, drawn), [0.025, 0.975], axis=0).round(_DIGITS)
        out = {f"coverage@{k}": float(coverage_at_k(Y, S, k)[-1])} if k == 5 else {}
        for i, name in enumerate(tops):
            if not np.isnan(values[i]):
                out |= {name: float(values[i]), f"{name} low": float(low[i]), f"{name} high": float(high[i])}
        return out

    def _means(self, S: Any, k: int) -> dict[str, Floats]:
        """Metrics that are means over the rows, by name: (m,) each."""
        Y = self._rows.Y
        precision = precision_at_k(Y, S, k, per_instance=True)
        values = {f"P@{rank}": precision[:, rank - 1] for rank in (1, 3, 5) if rank <= k}
        if k >= 5:
            values["nDCG@5"] = ndcg_at_k(Y, S, 5, per_instance=True)[:, 4]
            values["R@5"] = recall_at_k(Y, S, 5, per_instance=True)[:, 4]
        return values

    def _per_bin(self, row: NDArray[Any], label: NDArray[Any]) -> Floats:
        n, width = self._rows.Y.shape[0], len(BINS) + 1
        return np.bincount(row * width + self._bin[label], minlength=n * width).reshape(n, width).astype(np.float64)


def _resampled(columns: Floats) -> Floats:
    """`resampled_sums`; of few rows the draws, which depend on their number alone, are kept from run to run."""
    n = len(columns)
    return _draws(n) @ columns if n <= _KEPT_DRAWS else resampled_sums(columns, N_RESAMPLES, 0)


@lru_cache(maxsize=1)
def _draws(n: int) -> Floats:
    """How often each of n rows is drawn, (1000, n): the draws of `resampled_sums`."""
    rng = np.random.default_rng(0)
    return np.stack(
        [np.bincount(rng.integers(0, n, size=n), minlength=n).astype(np.float64) for _ in range(N_RESAMPLES)]
    )


def _ratios(sums: Floats) -> Floats:
    """Numerators over denominators, NaN where there is nothing to find."""
    half = sums.shape[-1] // 2
    bottom = sums[..., half:]
    return np.where(bottom > 0, sums[..., :half] / np.where(bottom > 0, bottom, 1.0), np.nan)
