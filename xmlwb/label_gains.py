"""Label by label: which labels does one setting find that another misses, and behind which documents?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binom

from xmlwb.metrics import top_k_hits
from xmlwb.multiplicity import Correction, adjusted_p_values
from xmlwb.ranking import labels_csr
from xmlwb.tails import frequency_bins


def label_gains(
    Y_train: Any,
    Y: Any,
    predicted_a: Sequence[Any],
    predicted_b: Sequence[Any],
    label_names: Sequence[str],
    *,
    k: int = 5,
    correction: Correction = "benjamini-hochberg",
) -> pd.DataFrame:
    """Of each label's instances, how many A and B find within the first k, and how sure the difference is.

    Parameters
    ----------
    Y_train, Y : arrays (n, L) and (m, L) of 0 and 1
        Training labels, for the frequencies, and the labels of the instances that were predicted.
    predicted_a, predicted_b : sequences of csr_array (m, L)
        Scores, one array a seed, the seeds of A and of B in the same order; where their numbers differ, the first ones.
    label_names : L names.
    k : predictions that count.
    correction : see `xmlwb.multiplicity.adjusted_p_values`; over the labels on which A and B differ at all.

    Returns
    -------
    DataFrame, a row for each label that occurs in Y, the most frequent in training first
        "index" (the label's column), "label", "positives" (training), "bin", "test positives", "found by A", "found by
        B" (instances, the mean over seeds), "gain" (A less B, instances), "gain in recall" (as a share of the test
        positives), "wrong by A", "wrong by B" (instances that get the label without having it), "p value", "adjusted
        p".

    Notes
    -----
    The test is McNemar's, exact: of the instances that one of the two finds and the other misses, each could as well
    have been the other's. It counts the first seed only, since the seeds of one instance are no independent trials.
    O(m k log nnz + L) time.
    """
    truth = labels_csr(Y, "Y")
    pairs = list(zip(predicted_a, predicted_b, strict=False))
    if not pairs:
        raise ValueError("predicted_a, predicted_b: found no predictions, wanted those of at least one seed each")
    if len(label_names) != truth.shape[1]:
        raise ValueError(f"label_names: found {len(label_names)} names, wanted {truth.shape[1]}")
    table = frequency_bins(Y_train)
    if len(table) != truth.shape[1]:
        raise ValueError(f"Y: found {truth.shape[1]} labels, wanted the {len(table)} of Y_train")
    table.insert(0, "label", list(label_names))
    table.insert(0, "index", np.arange(len(table)))
    table["test positives"] = np.bincount(truth.indices, minlength=len(table))
    counted = [(_counts(truth, a, k), _counts(truth, b, k)) for a, b in pairs]
    for side, name in enumerate("AB"):
        table[f"found by {name}"] = np.mean([both[side][0] for both in counted], axis=0)
        table[f"wrong by {name}"] = np.mean([both[side][1] for both in counted], axis=0)
    table["gain"] = table["found by A"] - table["found by B"]
    only_a, only_b = _discordant(truth, *pairs[0], k)
    seen = (table["test positives"] > 0).to_numpy()
    table["gain in recall"] = table["gain"] / np.where(seen, table["test positives"], 1)
    table["p value"] = _mcnemar(only_a, only_b)
    differ = seen & (only_a + only_b > 0)
    adjusted = np.ones(len(table))
    adjusted[differ] = adjusted_p_values(table["p value"].to_numpy()[differ], correction)
    table["adjusted p"] = adjusted
    columns = ["index", "label", "positives", "bin", "test positives", "found by A", "found by B", "gain"]
    columns += ["gain in recall", "wrong by A", "wrong by B", "p value", "adjusted p"]
    return table[seen].sort_values("rank", ignore_index=True)[columns]


def documents_of(Y: Any, predicted_a: Any, predicted_b: Any, label: int, *, k: int = 5) -> pd.DataFrame:
    """The instances that have a label, or get it from A or B: those on which A and B differ first.

    Parameters
    ----------
    Y : array (m, L) of 0 and 1.
    predicted_a, predicted_b : csr_array (m, L)
        Of one seed each.
    label : its column.

    Returns
    -------
    DataFrame
        "row" (of Y), "true" (bool), "rank by A", "rank by B" (1 the first; 0 where the label is not among the first k),
        "who" ("only A finds it", "only B finds it", "both find it", "neither finds it", and for instances without the
        label "only A is wrong", "only B is wrong", "both are wrong").
    """
    truth = labels_csr(Y, "Y")
    if not 0 <= label < truth.shape[1]:
        raise ValueError(f"label: found {label}, wanted a column from 0 to {truth.shape[1] - 1}")
    of_label = truth.indices == label
    has = np.zeros(truth.shape[0], dtype=bool)
    has[np.repeat(np.arange(truth.shape[0]), np.diff(truth.indptr))[of_label]] = True
    ranks = [_ranks(truth, S, label, k) for S in (predicted_a, predicted_b)]
    rows = np.flatnonzero(has | (ranks[0] > 0) | (ranks[1] > 0))
    table = pd.DataFrame({"row": rows, "true": has[rows], "rank by A": ranks[0][rows], "rank by B": ranks[1][rows]})
    found_a, found_b = table["rank by A"] > 0, table["rank by B"] > 0
    said = {
        (True, True, False): "only A finds it", (True, False, True): "only B finds it",
        (False, True, False): "only A is wrong", (False, False, True): "only B is wrong",
        (True, True, True): "both find it", (True, False, False): "neither finds it",
        (False, True, True): "both are wrong",
    }  # fmt: skip
    order = {name: place for place, name in enumerate(said.values())}
    table["who"] = [said[key] for key in zip(table["true"], found_a, found_b, strict=True)]
    return table.sort_values("who", key=lambda who: who.map(order), kind="stable", ignore_index=True)


def _counts(truth: Any, S: Any, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each label: right and wrong predictions among the first k."""
    labels, hit = top_k_hits(truth, S, min(k, truth.shape[1]))
    L = truth.shape[1]
    return np.bincount(labels[hit], minlength=L), np.bincount(labels[(labels >= 0) & ~hit], minlength=L)


def _discordant(truth: Any, a: Any, b: Any, k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of each label: instances that only A finds, and that only B finds."""
    L = truth.shape[1]
    found = []
    for S in (a, b):
        labels, hit = top_k_hits(truth, S, min(k, truth.shape[1]))
        found.append(np.nonzero(hit)[0] * L + labels[hit])
    parts = (np.setdiff1d(found[0], found[1]), np.setdiff1d(found[1], found[0]))
    return tuple(np.bincount(part % L, minlength=L) for part in parts)  # type: ignore[return-value]


def _mcnemar(only_a: NDArray[np.int64], only_b: NDArray[np.int64]) -> NDArray[np.float64]:
    """Two-sided exact p-values of a fair coin: 1 where there is nothing to toss."""
    n, few = only_a + only_b, np.minimum(only_a, only_b)
    return np.where(n > 0, np.minimum(1.0, 2 * binom.cdf(few, np.maximum(n, 1), 0.5)), 1.0)


def _ranks(truth: Any, S: Any, label: int, k: int) -> NDArray[np.int64]:
    labels, _ = top_k_hits(truth, S, min(k, truth.shape[1]))
    at = labels == label
    return np.where(at.any(axis=1), at.argmax(axis=1) + 1, 0)
