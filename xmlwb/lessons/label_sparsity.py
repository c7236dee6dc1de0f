"""Chapter 03's study of what is squeezed when a model predicts the code: not y, but an estimate of E[y | x]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
from scipy.sparse import csr_array, vstack

from xmlwb.datasets import Dataset
from xmlwb.lessons.recovery_study import DECODER_TITLES, recover_labels
from xmlwb.metrics import precision_at_k, top_k_hits
from xmlwb.models import KNN
from xmlwb.models.base import topk_to_csr
from xmlwb.solvers.measurement import Measurement, measurement_matrix
from xmlwb.solvers.sparse_recovery import DECODERS
from xmlwb.solvers.topk import topk_dense
from xmlwb.tails import UNSEEN, frequency_bins


def effective_sparsity(E: csr_array | np.ndarray, share: float = 0.9) -> np.ndarray:
    """How many entries of each row, the largest first, hold this share of its squared length; int, shape (n,).

    A 0/1 vector with c ones has ceil(share c); a row of zeros has 0.

    Examples
    --------
    >>> effective_sparsity(np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [4, 1, 0.1, 0], [0, 0, 0, 0]]))
    array([1, 4, 1, 0])
    """
    rows = np.split(E.data, E.indptr[1:-1]) if isinstance(E, csr_array) else list(E)
    return np.array([_needed(row, share) for row in rows])


def _needed(values: np.ndarray, share: float) -> int:
    squared = np.sort(np.asarray(values, dtype=np.float64) ** 2)[::-1]
    total = squared.sum()
    return int(np.searchsorted(np.cumsum(squared), share * total * (1 - 1e-12))) + 1 if total > 0 else 0


def held_out(ds: Dataset) -> tuple[csr_array, csr_array]:
    """Features and labels of documents that no model has seen: the validation part, or the test part without one."""
    if ds.X_valid is not None and ds.Y_valid is not None:
        return ds.X_valid, ds.Y_valid
    return ds.X_test, ds.Y_test


def neighbour_means(ds: Dataset, n_neighbors: int, rows: int) -> csr_array:
    """E[y | x] of held-out documents as the labels' weighted share among the nearest training documents."""
    X, _ = held_out(ds)
    model = KNN(n_neighbors=n_neighbors).fit(ds.X_train, ds.Y_train)
    return model.predict_topk(X[:rows], k=min(ds.n_labels, 1_000))


def sparsity_table(sets: Sequence[Dataset], m: int = 100, *, n_neighbors: int = 50, rows: int = 1_000) -> pd.DataFrame:
    """Label sparsity before and after the projection, and that of E[y | x], on held-out documents of each set.

    Parameters
    ----------
    sets : sequence of Dataset
    m : int
        Measurements of a Gaussian matrix.
    n_neighbors : int
        E[y | x] is estimated by `neighbour_means`.
    rows : int
        Held-out documents of each set, at most.

    Returns
    -------
    DataFrame, one row a set; the middle document's count, and that of the document at the 95th percentile
    """
    table = {}
    for ds in sets:
        _, Y = held_out(ds)
        Y = csr_array(Y[:rows])
        E = neighbour_means(ds, n_neighbors, rows)
        A = measurement_matrix("gaussian", m, ds.n_labels)
        counts = {
            "labels of y": np.diff(Y.indptr),
            "non-zeros of A y": np.count_nonzero(A.encode(Y), axis=1),
            "90 % of y": effective_sparsity(Y),
            "90 % of E[y|x]": effective_sparsity(E),
            "non-zeros of E[y|x]": np.diff(E.indptr),
        }
        row: dict[tuple[str, str], float] = {("L", ""): ds.n_labels}
        for name, values in counts.items():
            row[name, "median"], row[name, "95th"] = np.quantile(values, [0.5, 0.95], method="nearest")
        table[ds.name] = row
    return pd.DataFrame.from_dict(table, orient="index").astype(int)


def decode_codes(Z: np.ndarray, A: Measurement, decoder: str = "omp", sparsity: int = 10) -> csr_array:
    """Decode codes (n, m): csr_array (n, L) of at most ``sparsity`` labels a row, with the values that came back."""
    labels, values = DECODERS[decoder](Z, A, min(sparsity, A.shape[0]), n_jobs=-1)
    return topk_to_csr(labels, values, A.shape[1])


def best_labels(E: np.ndarray, k: int = 10) -> csr_array:
    """The k largest scores of each row of a dense (n, L) array, nothing squeezed."""
    return topk_to_csr(*topk_dense(np.ascontiguousarray(E, dtype=np.float32), k), E.shape[1])


def sparsity_test(
    Y: csr_array, E: np.ndarray, A: Measurement, *, decoder: str = "omp", sparsity: int = 20
) -> pd.DataFrame:
    """Decode A y and A e of the same documents, with as many labels, to see which sparsity tells the error.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    E : ndarray, shape (n, L)
        Estimates of E[y | x].
    A : Measurement
    decoder : str
    sparsity : int
        Labels that the decoder may use, for either vector.

    Returns
    -------
    DataFrame, one row a document with labels
        "sparsity of y", "sparsity of E": `effective_sparsity`; "error of y", "error of E": the squared distance of
        the decoded vector from the squeezed one, as a share of the latter's squared length; "floor of y", "floor of
        E": the same share of what lies outside the vector's ``sparsity`` largest entries, below which no such decoder
        gets.
    """
    dense = Y.toarray()
    kept = (dense.sum(axis=1) > 0) & (np.abs(E).sum(axis=1) > 0)
    found = {}
    for name, V in (("y", dense[kept]), ("E", E[kept])):
        back = decode_codes(A.measure(V), A, decoder, sparsity).toarray()
        found[f"sparsity of {name}"] = effective_sparsity(V)
        squared = V.astype(np.float64) ** 2
        found[f"error of {name}"] = ((back - V) ** 2).sum(axis=1) / squared.sum(axis=1)
        largest = -np.partition(-squared, sparsity - 1, axis=1)[:, :sparsity] if sparsity < V.shape[1] else squared
        found[f"floor of {name}"] = np.maximum(0, 1 - largest.sum(axis=1) / squared.sum(axis=1))
    return pd.DataFrame(found)


def sparsity_correlations(documents: pd.DataFrame) -> pd.DataFrame:
    """How the decoding error of the estimate goes along with either sparsity, and with one where the other is equal.

    Parameters
    ----------
    documents : DataFrame
        As `sparsity_test` returns it.

    Returns
    -------
    DataFrame
        Rank (Spearman) correlations with "error of E", of all documents and of those with two labels or more. "at
        equal ...": the partial correlation, of what a straight line in the other sparsity's ranks leaves of both.
    """
    rows = {}
    for name, part in (("all", documents), ("two labels or more", documents[documents["sparsity of y"] >= 2])):
        ranks = part[["error of E", "sparsity of y", "sparsity of E"]].rank()
        C = ranks.corr().to_numpy()
        rows[f"{name} ({len(part)})"] = {
            "with the labels of y": C[0, 1],
            "with the spread of E": C[0, 2],
            "labels of y, at equal spread of E": _partial(C[0, 1], C[0, 2], C[1, 2]),
            "spread of E, at equal labels of y": _partial(C[0, 2], C[0, 1], C[1, 2]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _partial(wanted: float, other: float, between: float) -> float:
    return (wanted - other * between) / float(np.sqrt((1 - other**2) * (1 - between**2)))


def precision_by_m(
    Y: csr_array,
    E: np.ndarray,
    measurements: Sequence[int],
    decoders: Sequence[str],
    *,
    sparsity: int = 10,
    matrix: str = "gaussian",
    random_state: int = 0,
) -> pd.DataFrame:
    """P@1 and P@5 of decoded scores against m.

    E A^T is what a linear regression on the codes predicts, where E is what it predicts on the labels themselves.

    Returns
    -------
    DataFrame
        Columns "decoder", "m", "P@1", "P@5".
    """
    rows = []
    for m in measurements:
        A = measurement_matrix(matrix, m, E.shape[1], random_state)
        for decoder in decoders:
            P = precision_at_k(Y, decode_codes(A.measure(E), A, decoder, sparsity), 5)
            rows.append({"decoder": DECODER_TITLES[decoder], "m": m, "P@1": P[0], "P@5": P[4]})
    return pd.DataFrame(rows)


def recall_by_frequency(
    Y_train: csr_array,
    Y: csr_array,
    predictions: Mapping[str, csr_array],
    k: int = 5,
    kind: Literal["mass", "decile"] = "decile",
) -> pd.DataFrame:
    """Recall within the first k of each frequency bin's labels; one column a prediction.

    Returns
    -------
    DataFrame
        Index: the bins of `frequency_bins` that hold labels of Y, the most frequent first. "positives": mean training
        positives of a bin's labels.
    """
    table = frequency_bins(Y_train, kind)
    bins = [b for b in table["bin"].cat.categories if b != UNSEEN]
    code = table["bin"].cat.codes.to_numpy()
    wanted = np.bincount(code[Y.indices], minlength=len(bins) + 1)[: len(bins)]
    out = pd.DataFrame({"positives": table.groupby("bin", observed=False)["positives"].mean().loc[bins]})
    for name, S in predictions.items():
        labels, right = top_k_hits(Y, S, k)
        hit = np.bincount(code[labels[right]], minlength=len(bins) + 1)[: len(bins)]
        out[name] = hit / np.maximum(wanted, 1)
    return out[wanted > 0]


def label_signal(Y_train: csr_array, Y: csr_array, E: np.ndarray) -> pd.DataFrame:
    """Of each label that occurs in Y: its training positives, and its mean score in E on the documents that have it."""
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    total = np.bincount(Y.indices, weights=E[rows, Y.indices], minlength=Y.shape[1])
    times = np.bincount(Y.indices, minlength=Y.shape[1])
    occurring = np.flatnonzero(times)
    positives = np.bincount(Y_train.indices, minlength=Y.shape[1])
    return pd.DataFrame(
        {"positives": positives[occurring], "signal": total[occurring] / times[occurring]},
        index=pd.Index(occurring, name="label"),
    )


def recall_below_noise(
    signal: pd.DataFrame, length: float, Y: csr_array, E: np.ndarray, measurements: Sequence[int], k: int = 5
) -> pd.DataFrame:
    """What becomes of the labels whose signal is weaker than the noise of correlation, ``length`` / sqrt(m).

    Parameters
    ----------
    signal : DataFrame
        As `label_signal` returns it; labels without training positives are left out.
    length : float
        Typical length of a row of E.
    Y : csr_array, shape (n, L)
    E : ndarray, shape (n, L)
        Scores, squeezed by a Gaussian matrix for each m.
    measurements : sequence of int
    k : int

    Returns
    -------
    DataFrame
        Index m; "weaker": share of the labels; then their recall within k, of the scores themselves ("not squeezed")
        and decoded from the codes ("OMP").
    """
    rows = {}
    for m in measurements:
        A = measurement_matrix("gaussian", m, E.shape[1], 0)
        seen = signal[signal["positives"] > 0]
        weak = np.zeros(E.shape[1], dtype=bool)
        weak[seen.index[seen["signal"] < length / np.sqrt(m)]] = True
        row = {"weaker": float(weak[seen.index].mean())}
        answers = {"not squeezed": best_labels(E), "OMP": decode_codes(A.measure(E), A)}
        for name, S in answers.items():
            labels, right = top_k_hits(Y, S, k)
            row[name] = float(weak[labels[right]].sum() / max(1, weak[Y.indices].sum()))
        rows[m] = row
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("m")


def recovered_by_m(
    Y: csr_array,
    measurements: Sequence[int],
    *,
    decoder: str = "omp",
    matrix: str = "gaussian",
    draws: int = 10,
    random_state: int = 0,
) -> dict[int, csr_array]:
    """What `recover_labels` gives back for each m.

    Documents are dealt out to ``draws`` matrices, so that a label's luck with one of them does not look like a
    property of the label.
    """
    hands = [np.arange(start, Y.shape[0], draws) for start in range(min(draws, Y.shape[0]))]
    back = np.argsort(np.concatenate(hands), kind="stable")
    found = {}
    for m in measurements:
        parts = []
        for hand, rows in enumerate(hands):
            A = measurement_matrix(matrix, m, Y.shape[1], np.random.default_rng([random_state, m, hand]))
            parts.append(recover_labels(csr_array(Y[rows]), A, decoder))
        found[m] = csr_array(csr_array(vstack(parts, format="csr"))[back])
    return found
