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
#: Stands in the column "bin" for head, torso and tail together.
ALL = "all"


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
    """What the leading directions of the *whole* label matrix hold of each frequency bin, and of all labels.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    most : int
        The largest m; no more than there are rows or labels are used.

    Returns
    -------
    DataFrame
        One row for each m and bin, or "all" labels that occur: "bin", "m", "share" (of the bin's squares) and
        "half kept" (the share of its labels that keep at least half of their own squares).

    Notes
    -----
    With the right singular vectors v_k of Y_c, label l keeps sum_k ||Y_c v_k||^2 v_kl^2 of its variance.
    """
    bins, centred = frequency_bins(Y)["bin"], CentredLabels(Y)
    V = right_singular_vectors(Y, min(most, *Y.shape), centred=True, random_state=random_state)
    held = np.cumsum(np.sum(centred.times(V).astype(np.float64) ** 2, axis=0) * V**2, axis=1)
    squares = _squares(Y)
    tables = []
    for name in [*_bins_of(bins), ALL]:
        inside = np.flatnonzero(bins != UNSEEN if name == ALL else bins == name)
        kept = held[inside]
        tables.append(
            pd.DataFrame(
                {
                    "bin": name,
                    "m": np.arange(1, V.shape[1] + 1),
                    "share": kept.sum(axis=0) / squares[inside].sum(),
                    "half kept": np.mean(kept >= 0.5 * squares[inside, None], axis=0),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def squares_by_bin(Y: csr_array) -> pd.DataFrame:
    """How the squares of the label matrix, ``||Y_c||_F^2``, are shared out.

    Returns
    -------
    DataFrame
        Index "bin"; "labels" in it, their "share of the squares", and "one label": the squares of the bin's average
        label, in those of the tail's average label.
    """
    bins, squares = frequency_bins(Y)["bin"], _squares(Y)
    table = pd.DataFrame({"bin": bins.to_numpy(), "squares": squares}).groupby("bin")["squares"].agg(["size", "sum"])
    table = table.loc[_bins_of(bins)]
    mean = table["sum"] / table["size"]
    return pd.DataFrame(
        {
            "labels": table["size"],
            "share of the squares": table["sum"] / table["sum"].sum(),
            "one label": mean / mean.iloc[-1],
        }
    )


def _squares(Y: csr_array) -> NDArray[np.float64]:
    """Each label's squares in the centred label matrix."""
    mean = Y.mean(axis=0, dtype=np.float64)
    return Y.shape[0] * mean * (1 - mean)


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
