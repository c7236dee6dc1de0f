"""Features of instances as weighted sums of word vectors, as prediction and everything between two epochs need them."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.solvers.sparse_dense import times_dense


def bag_features(
    X: sparse.csr_array, E: np.ndarray, activation: str | None, *, n_jobs: int | None = None
) -> np.ndarray:
    r""":math:`\hat x = E^\top x / \lVert E^\top x \rVert`, with a ReLU before the division or none.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
        TF-IDF.
    E : ndarray, shape (d, D), float32
        Word vectors.
    activation : {"relu", None}
    n_jobs : int or None
        Threads; the result does not depend on it.

    Returns
    -------
    ndarray, shape (n, D), float32
        Of length 1; 0 for an instance without features.

    Raises
    ------
    ValueError
        A feature is NaN or infinite.

    Examples
    --------
    >>> X = sparse.csr_array(np.float32([[3, 4], [0, 0]]))
    >>> bag_features(X, np.float32([[1, 0], [0, -1]]), None)
    array([[ 0.6, -0.8],
           [ 0. ,  0. ]], dtype=float32)
    """
    features = times_dense(X, E, n_jobs=n_jobs)
    if not np.isfinite(features).all():
        raise ValueError("the word vectors answer with NaN or inf: values of X are too large, or the model is damaged")
    if activation == "relu":
        np.maximum(features, 0, out=features)
    return normalize(features, copy=False)
