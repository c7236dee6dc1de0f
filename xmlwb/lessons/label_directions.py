"""Chapter 04: directions of the label space, what each is made of, and how much of it a text tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array, hstack

from xmlwb.metrics import precision_at_k, top_k_hits
from xmlwb.solvers.topk import topk_dense
from xmlwb.tails import UNSEEN, frequency_bins


def as_predictions(scores: np.ndarray, k: int = 5) -> csr_array:
    """The k best labels of each row of dense scores (r, L), as the sparse predictions that metrics take."""
    labels, values = topk_dense(np.ascontiguousarray(scores, dtype=np.float32), k)
    r, L = scores.shape
    return csr_array((values.ravel(), labels.ravel(), np.arange(0, r * k + 1, k)), shape=(r, L))


def upright(V: np.ndarray) -> np.ndarray:
    """The same directions (L, m), each turned so that its largest entry is positive: its sign has no meaning.

    >>> upright(np.array([[0.6, 0.8], [-0.8, 0.6]]))
    array([[-0.6,  0.8],
           [ 0.8,  0.6]])
    """
    largest = np.abs(V).argmax(axis=0)
    return V * np.where(V[largest, np.arange(V.shape[1])] < 0, -1, 1).astype(V.dtype)


def explained(truth: np.ndarray, predicted: np.ndarray) -> NDArray[np.float64]:
    """R2 of each column: 1 - squared error / squares. Below 0 where 0 would be a better guess; NaN where truth is 0.

    Parameters
    ----------
    truth, predicted : ndarray, shape (r, m)
        Centred by the training mean.
    """
    squares = np.sum(truth.astype(np.float64) ** 2, axis=0)
    errors = np.sum((truth - predicted).astype(np.float64) ** 2, axis=0)
    return 1 - errors / np.where(squares > 0, squares, np.nan)


def direction_table(
    V: np.ndarray, Z: np.ndarray, Z_hat: np.ndarray, total: float, label_names: Sequence[str], n_names: int = 3
) -> pd.DataFrame:
    """What each direction is, how much of the labels it holds, and how well it is predicted.

    Parameters
    ----------
    V : ndarray, shape (L, m)
        Orthonormal directions, as columns.
    Z, Z_hat : ndarray, shape (r, m)
        The true codes of r documents (centred by the training mean) and the predicted ones.
    total : float
        ``||Y_c||_F^2`` of the same documents.
    label_names : sequence of str, length L
    n_names : int
        Labels named of each direction, those with the largest entries.

    Returns
    -------
    DataFrame
        Index "direction" from 1, with "share" (of the squares), "R2" (1 - squared error / squares; below 0 where a
        constant guess would do better) and "made of", which shows each direction upright.
    """
    squares = np.sum(Z.astype(np.float64) ** 2, axis=0)
    made_of = []
    for v in upright(V).T:
        leading = np.argsort(-np.abs(v), kind="stable")[:n_names]
        made_of.append(", ".join(f"{'+' if v[label] > 0 else '−'} {label_names[label]}" for label in leading))
    index = pd.RangeIndex(1, V.shape[1] + 1, name="direction")
    return pd.DataFrame({"share": squares / total, "R2": explained(Z, Z_hat), "made of": made_of}, index=index)


def rank_study(
    Y_train: csr_array, Y: csr_array, scores: Mapping[tuple[str, int], np.ndarray | csr_array], k: int = 5
) -> pd.DataFrame:
    """Quality of predictions by method and rank: P@1, P@3, P@5, and recall within the first k by frequency bin.

    Parameters
    ----------
    Y_train, Y : csr_array, shapes (n, L) and (r, L)
        Y_train gives the bins, Y the truth.
    scores : mapping of (method, m) to ndarray or csr_array, shape (r, L)
        Dense scores, or sparse predictions with at least five labels a row.

    Returns
    -------
    DataFrame
        One row for each entry: "method", "m", "P@1", "P@3", "P@5" and one column of recall for each bin.
    """
    rows = []
    for (method, m), given in scores.items():
        S = given if isinstance(given, csr_array) else as_predictions(given, max(k, 5))
        p = precision_at_k(Y, S, 5)
        rows.append(
            {"method": method, "m": m, "P@1": p[0], "P@3": p[2], "P@5": p[4], **recall_by_bin(Y_train, Y, S, k)}
        )
    return pd.DataFrame(rows)


def recall_by_bin(Y_train: csr_array, Y: csr_array, S: csr_array, k: int = 5) -> dict[str, float]:
    """Share of each frequency bin's 1s in Y that are among the first k predictions."""
    bins = frequency_bins(Y_train)["bin"].to_numpy()
    labels, right = top_k_hits(Y, S, k)
    found = np.bincount(labels[right], minlength=Y.shape[1])
    wanted = np.bincount(Y.indices, minlength=Y.shape[1])
    return {
        name: float(found[bins == name].sum() / wanted[bins == name].sum())
        for name in ("head", "torso", "tail", UNSEEN)
        if name != UNSEEN and wanted[bins == name].sum()
    }


def with_coin_labels(Y: csr_array, number: int, share: float = 0.2, *, random_state: int = 0) -> csr_array:
    """Y with further labels that have nothing to do with any text: each is thrown, document by document.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    number : int
        How many labels to add, at the end.
    share : float
        How many of the documents get each of them, on average.

    Returns
    -------
    csr_array, shape (n, L + number)
    """
    coins = np.random.default_rng(random_state).random((Y.shape[0], number)) < share
    return csr_array(hstack([Y, csr_array(coins.astype(np.float32))], format="csr"))
