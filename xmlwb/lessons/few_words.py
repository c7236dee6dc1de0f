"""A data set on fewer features, so that a chapter can solve its least-squares problems exactly and often."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from xmlwb.datasets import Dataset


def most_frequent_words(ds: Dataset, d: int) -> Dataset:
    """Return the data set on the ``d`` features that occur in most training documents, rows at unit length again.

    Labels, rows and texts stay as they are. ``text_features`` is dropped: it would make all the features.

    Raises
    ------
    ValueError
        If ``d`` is less than 1, or more than there are features.
    """
    if not 1 <= d <= ds.n_features:
        raise ValueError(f"d: found {d}, wanted 1 to {ds.n_features}, the features of {ds.name}")
    documents = np.bincount(ds.X_train.indices, minlength=ds.n_features)
    kept = np.sort(np.argsort(-documents, kind="stable")[:d])
    changes: dict[str, object] = {"feature_names": [ds.feature_names[j] for j in kept], "text_features": None}
    for part in ("train", "valid", "test", "unlabelled"):
        X: csr_array | None = getattr(ds, f"X_{part}")
        changes[f"X_{part}"] = None if X is None else csr_array(normalize(X[:, kept]))
    return dataclasses.replace(ds, **changes)  # type: ignore[arg-type]
