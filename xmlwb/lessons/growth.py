"""Chapter 01's studies of growth: labels met as documents come in, and labels a document across data sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset, load
from xmlwb.datasets.registry import STANDARD


def growth_table(Y: csr_array, steps: int = 24, *, random_state: int = 0) -> pd.DataFrame:
    """How many labels have been met, and how many a document has, after ever more documents in random order.

    Returns
    -------
    DataFrame
        Columns ``documents``, ``labels met`` and ``labels a document``; sizes grow by a constant factor.
    """
    n = Y.shape[0]
    order = np.random.default_rng(random_state).permutation(n)
    sizes = np.unique(np.geomspace(min(30, n), n, steps).round().astype(int))
    # a label is met at the earliest position of any of its documents
    position = np.empty(n, dtype=np.int64)
    position[order] = np.arange(n)
    at = np.repeat(position, np.diff(Y.indptr))
    first = np.full(Y.shape[1], n, dtype=np.int64)
    np.minimum.at(first, Y.indices, at)
    per_document = np.diff(Y.indptr)[order]
    return pd.DataFrame(
        {
            "documents": sizes,
            "labels met": [int(np.count_nonzero(first < size)) for size in sizes],
            "labels a document": [float(per_document[:size].mean()) for size in sizes],
        }
    )


def set_sizes(here: Iterable[Dataset] = ()) -> pd.DataFrame:
    """Sizes of data sets at hand, and of the other standard sets as published; an unknown size is missing."""
    here = list(here)
    at_hand = {ds.name for ds in here}
    rows: list[dict[str, object]] = []
    for ds in here:
        rows.append(
            {
                "data set": ds.name,
                "documents": ds.n_train,
                "features": ds.n_features,
                "labels": ds.n_labels,
                "labels a document": ds.Y_train.nnz / max(1, ds.n_train),
                "documents a label": ds.Y_train.nnz / max(1, ds.n_labels),
                "at hand": True,
            }
        )
    for info in STANDARD.values():
        if info.key in at_hand:
            continue
        rows.append(
            {
                "data set": info.title,
                "documents": info.n_train,
                "features": info.n_features,
                "labels": info.n_labels,
                "labels a document": info.labels_per_point,
                "documents a label": info.points_per_label,
                "at hand": False,
            }
        )
    table = pd.DataFrame(rows).set_index("data set")
    return table.astype({"documents": "Int64", "features": "Int64"})


@dataclass(frozen=True)
class LogFit:
    """A least-squares line y = intercept + slope ln(x), and the share of y's variance that it explains."""

    intercept: float
    slope: float
    r_squared: float
    n: int

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return self.intercept + self.slope * np.log(x)


def log_fit(x: Iterable[float], y: Iterable[float]) -> LogFit:
    """Fit y against ln(x), leaving out pairs with a missing value.

    Raises
    ------
    ValueError
        With fewer than three pairs, or an x that is not positive.

    Examples
    --------
    >>> fit = log_fit([1, 10, 100], [0, 1, 2])
    >>> print(round(fit.slope * np.log(10), 6), round(fit.r_squared, 6))
    1.0 1.0
    """
    pairs = np.array([(a, b) for a, b in zip(x, y, strict=True) if not (pd.isna(a) or pd.isna(b))], dtype=float)
    if len(pairs) < 3:
        raise ValueError(f"x, y: found {len(pairs)} complete pairs, wanted at least 3")
    if pairs[:, 0].min() <= 0:
        raise ValueError("x: found a value that is not positive")
    u, v = np.log(pairs[:, 0]), pairs[:, 1]
    slope, intercept = np.polyfit(u, v, 1)
    spread = float(((v - v.mean()) ** 2).sum())
    left = float(((v - intercept - slope * u) ** 2).sum())
    return LogFit(float(intercept), float(slope), 1 - left / spread if spread > 0 else 0.0, len(pairs))


def sets_at_hand(names: Iterable[str]) -> list[Dataset]:
    """Load those of the named standard sets whose files are on this machine (``XMLWB_DATA`` or the cache folder).

    The others are left out; none at all gives an empty list.
    """
    found = []
    for name in names:
        try:
            found.append(load(name))
        except FileNotFoundError:
            continue
    return found
