"""Is the difference between two settings real? Paired tests of many settings against one, corrected for their number.

Over instances: both settings predict the same test instances, which are resampled; this speaks of other test sets, with
the models as they are. Over seeds: both settings were trained from the same seeds; this speaks of other trainings, on
the same test set. A finding that should hold for both wants both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ttest_rel

from xmlwb.metrics import ndcg_at_k, precision_at_k, psp_at_k, recall_at_k
from xmlwb.multiplicity import Correction, adjusted_p_values
from xmlwb.significance import paired_test

COLUMNS = ("setting", "label", "difference", "low", "high", "p value", "pairs")


def over_seeds(
    runs: pd.DataFrame, metric: str, base: int, others: Sequence[int], *, seedless: Collection[str] = ()
) -> pd.DataFrame:
    """Each setting against a base setting, by the seeds that both have: a paired t test of the seeds' differences.

    Parameters
    ----------
    runs : DataFrame
        With the column "setting" of `xmlwb.run_table.with_seeds_apart`; runs with status "ok" count.
    metric : str
        A column of numbers.
    base, others : numbers of settings.
    seedless : names of methods that take no seed
        Their one run is held against every seed of the other setting.

    Returns
    -------
    DataFrame, a row for each of `others`: "setting", "label", "difference" (the other's mean less the base's, in the
    metric's own unit), its 95 % interval "low", "high", "p value", and "pairs" (seeds in common). With fewer than two
    seeds in common, interval and p-value are NaN.

    Notes
    -----
    ``scipy.stats.ttest_rel``. It takes the differences of seeds for normally distributed. A test without that
    assumption cannot find anything with few seeds: of 5 differences all 32 sign flips give no p-value below 0.06.
    """
    sound = runs[runs["status"] == "ok"]
    wanted = sound[sound["setting"].isin([base, *others])]
    by_seed = wanted.pivot_table(index="seed", columns="setting", values=metric, aggfunc="mean")
    labels = wanted.drop_duplicates("setting").set_index("setting")["label"]
    fixed = wanted.loc[wanted["method"].isin(list(seedless)), "setting"].unique()
    by_seed[fixed] = by_seed[fixed].ffill().bfill()
    rows = []
    for other in others:
        row: dict[str, Any] = {"setting": other, "label": labels.get(other, "")}
        if base in by_seed and other in by_seed:
            pairs = by_seed[[base, other]].dropna() if base != other else by_seed[[base]].dropna()
            gain = (pairs[other] - pairs[base]).to_numpy()
            row |= _t_test(gain)
        else:
            row |= {"difference": np.nan, "low": np.nan, "high": np.nan, "p value": np.nan, "pairs": 0}
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _t_test(gain: np.ndarray) -> dict[str, Any]:
    mean = float(gain.mean()) if gain.size else np.nan
    row: dict[str, Any] = {"difference": mean, "low": np.nan, "high": np.nan, "p value": np.nan, "pairs": len(gain)}
    if gain.size < 2:
        return row
    if np.ptp(gain) == 0:  # seeds that change nothing: a method without randomness
        return row | {"low": mean, "high": mean, "p value": np.nan}
    test = ttest_rel(gain, np.zeros_like(gain))
    interval = test.confidence_interval(0.95)
    return row | {"low": float(interval.low), "high": float(interval.high), "p value": float(test.pvalue)}


def per_instance(metric: str, Y_true: Any, predictions: Sequence[Any], propensity: Any) -> Any:
    """A setting's metric on each instance, the mean over its seeds: what `significance.paired_test` takes.

    Parameters
    ----------
    metric : "P@k", "R@k", "nDCG@k" or "PSP@k".
    Y_true : csr_array (n, L)
    predictions : sequence of csr_array (n, L)
        One a seed.
    propensity : array (L,)
        Only read for PSP.

    Returns
    -------
    ndarray (n,), or for PSP a pair of them; see `xmlwb.significance`.
    """
    kind, _, rank = metric.partition("@")
    k = int(rank)
    if kind == "PSP":
        pairs = [psp_at_k(Y_true, S, propensity, k, per_instance=True) for S in predictions]
        return tuple(np.mean([pair[side][:, k - 1] for pair in pairs], axis=0) for side in (0, 1))
    measures = {"P": precision_at_k, "R": recall_at_k, "nDCG": ndcg_at_k}
    if kind not in measures:
        raise ValueError(f"metric: found {metric!r}, wanted P, R, nDCG or PSP at some k")
    measure: Any = measures[kind]
    return np.mean([measure(Y_true, S, k, per_instance=True)[:, k - 1] for S in predictions], axis=0)


def over_instances(
    values: Mapping[int, Any],
    labels: Mapping[int, str],
    base: int,
    *,
    groups: Any | None = None,
    n_resamples: int = 2000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Each setting against a base setting on the same instances: paired sign flips and the paired bootstrap.

    Parameters
    ----------
    values : mapping of setting to what `per_instance` returns
        The base among them.
    labels : mapping of setting to its name.
    base : the setting that the others are held against.
    groups : instances of one name are swapped together, see `xmlwb.significance`.
    n_resamples, random_state : of `xmlwb.significance.paired_test`.

    Returns
    -------
    DataFrame as that of `over_seeds`; "pairs" is the number of instances, or of groups.
    """
    rows = []
    for other in values:
        if other == base:
            continue
        found = paired_test(
            values[other], values[base], groups=groups, n_resamples=n_resamples, random_state=random_state
        )
        rows.append(
            {"setting": other, "label": labels[other], "difference": found.difference, "low": found.low,
             "high": found.high, "p value": found.p_value, "pairs": found.n_groups}
        )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def corrected(differences: pd.DataFrame, correction: Correction = "holm", level: float = 0.05) -> pd.DataFrame:
    """The table with "adjusted p" and "significant", the largest difference first."""
    adjusted = adjusted_p_values(differences["p value"], correction)
    out = differences.assign(**{"adjusted p": adjusted, "significant": adjusted <= level})
    return out.sort_values("difference", ascending=False, kind="stable", ignore_index=True)
