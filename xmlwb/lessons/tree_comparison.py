"""Chapter 05: models measured side by side, and the most that the forks of a tree leave to a true label."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from xmlwb.datasets import Dataset
from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.lessons.label_tree_cascade import path_log_probabilities, step_log_probabilities
from xmlwb.lessons.label_tree_parts import TreeModel, nodes_of_labels
from xmlwb.metrics import evaluate, propensities
from xmlwb.models.base import XMCModel
from xmlwb.tails import frequency_bins


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


def ceilings(model: TreeModel, X: csr_array, Y: csr_array, Y_train: csr_array, *, tree: int = 0) -> pd.DataFrame:
    """The most that the forks above a true label's last one leave it: the product of the path without its last step.

    Parameters
    ----------
    model : fitted `Parabel` or `Bonsai`
    X, Y : csr_arrays of n rows
        Held-out documents; n x n_nodes numbers are made.
    Y_train : csr_array
        For the frequency bins.
    tree : int

    Returns
    -------
    DataFrame
        A row for each of "head", "torso" and "tail": "true labels" (1s of Y that the tree holds), "median", and the
        shares of them with a ceiling "below 0.5" and "below 0.1".
    """
    shape = model.label_tree(tree)
    path = path_log_probabilities(shape, step_log_probabilities(model, X, tree))
    node = nodes_of_labels(shape, Y.shape[1])[Y.indices]
    row = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    held = node >= 0
    most = np.exp(path[row[held], shape.parent[node[held]]])
    bins = frequency_bins(Y_train)["bin"].astype(str).to_numpy()[Y.indices[held]]
    rows = {
        name: {
            "true labels": int((bins == name).sum()),
            "median": float(np.median(most[bins == name])),
            "below 0.5": float(np.mean(most[bins == name] < 0.5)),
            "below 0.1": float(np.mean(most[bins == name] < 0.1)),
        }
        for name in ("head", "torso", "tail")
        if (bins == name).any()
    }
    return pd.DataFrame.from_dict(rows, orient="index")
