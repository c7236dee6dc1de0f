"""Chapter 08: variants of LightDXML and Astec side by side, over seeds, on validation rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.metrics import precision_at_k, propensities, psp_at_k

#: The ablations of the issue: what each one switches.
VARIANTS: dict[str, dict[str, Any]] = {
    "LightDXML: cycle": {},
    "no cycle: labels once": {"cycle": False},
    "features frozen": {"freeze_features": True},
    "random negatives": {"negatives": "random"},
    "shortlist and random": {"negatives": "both"},
}
#: Columns of `variants_study`, and what stands at their axes.
MEASURES = {
    "P@1": "P@1, per cent",
    "PSP@1": "PSP@1, per cent",
    "tail": "tail labels among<br>five, per cent",
    "in the list": "true labels in<br>the shortlist, per cent",
    "train s": "training,<br>seconds",
}


def list_recall(labels: np.ndarray, Y: csr_array) -> float:
    """Share of the 1s of Y that are among the rows' shortlists (n, k); -1 is an empty place.

    >>> list_recall(np.array([[1, 0], [2, -1]]), csr_array(np.array([[0, 1, 1], [1, 0, 1]])))
    0.5
    """
    rows, places = np.nonzero(labels >= 0)
    listed = csr_array((np.ones(len(rows)), (rows, labels[rows, places])), shape=Y.shape)
    return float(listed.multiply(Y > 0).sum() / (Y > 0).sum())


def variants_study(
    make: Callable[..., Any],
    ds: Dataset,
    variants: Mapping[str, Mapping[str, Any]] = VARIANTS,
    *,
    seeds: Sequence[int] = (0, 1),
    progress: Callable[[str], Any] | None = None,
) -> pd.DataFrame:
    """Fit each variant with each seed on the training rows, measure it on the validation rows.

    Parameters
    ----------
    make : callable
        ``make(**variant, random_state=seed)`` returns an unfitted model with ``shortlist``.
    ds : Dataset
        With validation rows.
    variants : mapping of name to arguments
    seeds : sequence of int
    progress : callable, optional
        Told what is fitted next.

    Returns
    -------
    DataFrame
        "variant", "seed", the columns of `MEASURES` (all but "train s" in per cent), "model MB" and "ms an instance".

    Raises
    ------
    ValueError
        If the data set has no validation rows.
    """
    if ds.X_valid is None or ds.Y_valid is None:
        raise ValueError(f"{ds.name} has no validation rows; wanted some")
    propensity = propensities(ds.Y_train, *ds.propensity_ab)
    rows = []
    for name, arguments in variants.items():
        for seed in seeds:
            if progress is not None:
                progress(f"{name}, seed {seed}")
            model = make(**arguments, random_state=seed)
            begin = time.perf_counter()
            model.fit(ds.X_train, ds.Y_train)
            fitted = time.perf_counter()
            S = model.predict_topk(ds.X_valid, k=5)
            done = time.perf_counter()
            found = {
                "P@1": precision_at_k(ds.Y_valid, S, 1)[0],
                "PSP@1": psp_at_k(ds.Y_valid, S, propensity, 1)[0],
                "tail": recall_by_bin(ds.Y_train, ds.Y_valid, S, 5)["tail"],
                "in the list": list_recall(model.shortlist(ds.X_valid)[0], ds.Y_valid),
            }
            costs = {
                "train s": fitted - begin,
                "model MB": model.size_bytes_ / 1e6,
                "ms an instance": 1000 * (done - fitted) / ds.X_valid.shape[0],
            }
            percent = {measure: 100 * float(value) for measure, value in found.items()}
            rows.append({"variant": name, "seed": seed, **percent, **costs})
    return pd.DataFrame(rows)
