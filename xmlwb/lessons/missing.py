"""Chapter 01's missing-label study: what happens when untagged packages are taken as negatives."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack
from sklearn.base import clone

from xmlwb.datasets import Dataset
from xmlwb.metrics import evaluate
from xmlwb.models import XMCModel


def absent_as_negative(ds: Dataset, model: XMCModel, *, random_state: int = 0) -> pd.DataFrame:
    """Fit a model without and with the unlabelled documents as all-negative rows, and compare.

    A random half of the unlabelled documents goes into the second fit; the tags given to untagged packages are
    counted on the other half, which neither model has seen.

    Parameters
    ----------
    ds : Dataset
        With ``X_unlabelled``.
    model : XMCModel
        Unfitted; its scores must be above 0 where it says yes (`OneVsAll`'s margins are).

    Returns
    -------
    DataFrame
        One row for each fit: training rows, P@1 and P@5 on labelled test documents, and the mean number of labels
        with a positive score on labelled test and on unlabelled documents.

    Raises
    ------
    ValueError
        If the data set has no unlabelled documents.
    """
    if ds.X_unlabelled is None or ds.X_unlabelled.shape[0] < 2:
        raise ValueError(f"ds: {ds.name} has no unlabelled documents, wanted at least two")
    order = np.random.default_rng(random_state).permutation(ds.X_unlabelled.shape[0])
    half = len(order) // 2
    seen, unseen = ds.X_unlabelled[np.sort(order[:half])], ds.X_unlabelled[np.sort(order[half:])]
    nothing = csr_array((seen.shape[0], ds.n_labels), dtype=np.float32)
    ways = {
        "labelled documents only": (ds.X_train, ds.Y_train),
        "absent = negative": (
            csr_array(vstack([ds.X_train, seen], format="csr")),
            csr_array(vstack([ds.Y_train, nothing], format="csr")),
        ),
    }
    rows = {}
    for way, (X, Y) in ways.items():
        fitted = clone(model).fit(X, Y)
        k = min(20, ds.n_labels)
        S = fitted.predict_topk(ds.X_test, k=k)
        scores = evaluate(ds.Y_test, S)
        rows[way] = {
            "training rows": X.shape[0],
            "P@1": scores["P@1"],
            "P@5": scores["P@5"],
            "positive scores, tagged test": said_yes(S),
            "positive scores, untagged": said_yes(fitted.predict_topk(unseen, k=k)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def said_yes(S: csr_array) -> float:
    """Mean number of labels with a score above 0 in a row of predictions."""
    return float(np.count_nonzero(S.data > 0) / S.shape[0])


def suggestions(ds: Dataset, S: csr_array, rows: list[int], k: int = 5) -> pd.DataFrame:
    """The k best labels that predictions ``S`` give to some unlabelled documents, one document a row.

    Raises
    ------
    ValueError
        If the data set keeps no texts of its unlabelled documents, or ``S`` has not one row for each.
    """
    if ds.texts_unlabelled is None or len(ds.texts_unlabelled) != S.shape[0]:
        raise ValueError(f"S: found {S.shape[0]} rows, wanted one for each unlabelled text of {ds.name}")
    found = []
    for row in rows:
        labels, scores = S.indices[S.indptr[row] : S.indptr[row + 1]], S.data[S.indptr[row] : S.indptr[row + 1]]
        best = labels[np.lexsort((labels, -scores))][:k]
        found.append(
            {
                "package": ds.ids_unlabelled[row] if ds.ids_unlabelled else str(row),
                "says of itself": ds.texts_unlabelled[row].split("\n", 1)[0],
                "suggested tags": ", ".join(ds.label_names[label] for label in best),
            }
        )
    return pd.DataFrame(found).set_index("package")
