"""Chapter 05: several models fitted and measured side by side, with what each finds of head, torso and tail."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pandas as pd
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.metrics import evaluate, propensities
from xmlwb.models.base import XMCModel


def fit_and_measure(
    models: Mapping[str, XMCModel], ds: Dataset, *, k: int = 5
) -> tuple[pd.DataFrame, dict[str, csr_array]]:
    """Fit each model that is not fitted yet, let it predict the test documents, and measure.

    Parameters
    ----------
    models : mapping of name to model
        Left fitted.
    ds : Dataset
    k : int
        Answers that count, and that PSP and recall are given for.

    Returns
    -------
    table : DataFrame
        A row for each model: "P@1", "P@k", "PSP@1", "PSP@k", the recall of "head", "torso" and "tail" within k
        answers, "fit s" (NaN for a model that came fitted), "ms a document" of prediction, and "MB" of the model.
    predictions : dict of name to csr_array, shape (n_test, L)
        The k best labels of each test document.
    """
    propensity = propensities(ds.Y_train, *ds.propensity_ab)
    rows: dict[str, dict[str, float]] = {}
    predictions: dict[str, csr_array] = {}
    for name, model in models.items():
        begin = time.perf_counter()
        known = _is_fitted(model)
        if not known:
            model.fit(ds.X_train, ds.Y_train)
        fitted = time.perf_counter()
        S = predictions[name] = model.predict_topk(ds.X_test, k=k)
        done = time.perf_counter()
        found = evaluate(ds.Y_test, S, propensity, k)
        rows[name] = {metric: found[metric] for metric in ("P@1", f"P@{k}", "PSP@1", f"PSP@{k}")}
        rows[name] |= recall_by_bin(ds.Y_train, ds.Y_test, S, k)
        rows[name] |= {
            "fit s": float("nan") if known else fitted - begin,
            "ms a document": 1000 * (done - fitted) / ds.X_test.shape[0],
            "MB": model.size_bytes_ / 1e6,
        }
    return pd.DataFrame.from_dict(rows, orient="index"), predictions


def _is_fitted(model: XMCModel) -> bool:
    try:
        check_is_fitted(model)
    except NotFittedError:
        return False
    return True
