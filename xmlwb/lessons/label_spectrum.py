"""Chapter 04: how many directions the label matrix needs, for which labels, and what a round trip leaves of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.solvers.centred_labels import CentredLabels, right_singular_vectors
from xmlwb.tails import UNSEEN, frequency_bins

#: ``decode(Z, V, mean)`` gives 0/1 label vectors (n, L) for codes Z (n, m), as in the chapter's first exercise.
Decoder = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def label_sets(Y: csr_array) -> tuple[int, int]:
    """How many different label vectors there are, and how many of them only one document has.

    >>> label_sets(csr_array(np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)))
    (2, 1)
    """
    ordered = csr_array(Y)
    ordered.sort_indices()
    rows = pd.Series([row.tobytes() for row in np.split(ordered.indices, ordered.indptr[1:-1])])
    counts = rows.value_counts()
    return len(counts), int((counts == 1).sum())


def vertex_counts(Y: csr_array, labels: Sequence[int]) -> NDArray[np.int64]:
    """Documents at each vertex of the cube of three labels.

    Returns
    -------
    ndarray, shape (2, 2, 2)
        ``[a, b, c]`` counts the documents whose three labels are a, b and c.
    """
    corner = Y[:, list(labels)].toarray().astype(np.int64)
    return np.bincount(corner @ np.array([4, 2, 1]), minlength=8).reshape(2, 2, 2)


def block_spectra(Y: csr_array) -> pd.DataFrame:
    """Each frequency bin's own best directions, beside its most frequent labels alone.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
        Its L x L Gram matrix is made: for label sets of a few thousand at most.

    Returns
    -------
    DataFrame
        One row for each bin and m: "bin", "labels" (in the bin), "m", "directions" (the share of the bin's squares
        ``||Y_c||_F^2`` that its m leading directions hold) and "labels alone" (that of its m labels of largest
        variance).
    """
    scatter, bins = CentredLabels(Y).gram(), frequency_bins(Y)["bin"]
    tables = []
    for name in _bins_of(bins):
        inside = np.flatnonzero(bins == name)
        block = scatter[np.ix_(inside, inside)]
        eigenvalues = np.maximum(np.linalg.eigvalsh(block)[::-1], 0)
        alone = np.sort(np.diag(block))[::-1]
        tables.append(
            pd.DataFrame(
                {
                    "bin": name,
                    "labels": len(inside),
                    "m": np.arange(1, len(inside) + 1),
                    "directions": np.cumsum(eigenvalues) / eigenvalues.sum(),
                    "labels alone": np.cumsum(alone) / alone.sum(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def shared_energy(Y: csr_array, most: int, *, random_state: int = 0) -> pd.DataFrame:
    """Share of each frequency bin's squares that the leading directions of the *whole* label matrix hold.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    most : int
        The largest m; no more than there are rows or labels are used.

    Returns
    -------
    DataFrame
        One row for each bin and m, with "bin", "m" and "share".

    Notes
    -----
    With the right singular vectors v_k of Y_c, label l keeps sum_k ||Y_c v_k||^2 v_kl^2 of its variance.
    """
    bins, centred = frequency_bins(Y)["bin"], CentredLabels(Y)
    V = right_singular_vectors(Y, min(most, *Y.shape), centred=True, random_state=random_state)
    held = np.sum(centred.times(V).astype(np.float64) ** 2, axis=0) * V**2
    variance = Y.shape[0] * centred.mean * (1 - centred.mean)
    tables = []
    for name in _bins_of(bins):
        inside = np.flatnonzero(bins == name)
        share = np.cumsum(held[inside].sum(axis=0)) / variance[inside].sum()
        tables.append(pd.DataFrame({"bin": name, "m": np.arange(1, V.shape[1] + 1), "share": share}))
    return pd.concat(tables, ignore_index=True)


def round_trip(Y_train: csr_array, Y: csr_array, V: np.ndarray, ranks: Sequence[int], decode: Decoder) -> pd.DataFrame:
    """Share of the 1s of Y that are still 1 after encoding and decoding with m directions, by frequency bin.

    Parameters
    ----------
    Y_train : csr_array, shape (n, L)
        Gives the mean label vector and the bins.
    Y : csr_array, shape (r, L)
        Label vectors to squeeze; r x L numbers are made.
    V : ndarray, shape (L, M)
        Orthonormal directions, the most important first.
    ranks : sequence of int
        Values of m <= M.
    decode : callable
        ``decode(Z, V, mean)`` as in the exercise.

    Returns
    -------
    DataFrame
        One row for each bin and m: "bin", "m" and "recovered".
    """
    mean, bins = Y_train.mean(axis=0), frequency_bins(Y_train)["bin"].to_numpy()
    truth = Y.toarray()
    codes = (truth - mean) @ V
    rows = []
    for m in ranks:
        back = np.asarray(decode(codes[:, :m], V[:, :m], mean))
        right = ((back > 0) & (truth > 0)).sum(axis=0)
        for name in _bins_of(pd.Series(bins)):
            inside = bins == name
            rows.append({"bin": name, "m": m, "recovered": right[inside].sum() / truth[:, inside].sum()})
    return pd.DataFrame(rows)


def _bins_of(bins: pd.Series) -> list[str]:
    present = set(bins)
    return [name for name in ("head", "torso", "tail") if name in present and name != UNSEEN]
