"""The tail lens: the same four views of any predictions, from the most frequent labels to the rarest.

`tail_views` makes the tables, `xmlwb.plots.tail_figures` draws them: (1) label frequency by rank, with the fitted
exponent; (2) how much of each frequency bin's labels a model finds; (3) what one model gains over another, bin by bin;
(4) which labels are ever predicted. All frequencies are those of the training labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xmlwb.metrics import top_k_hits
from xmlwb.power_law import PowerLaw, fit_power_law
from xmlwb.ranking import check_k, labels_csr
from xmlwb.significance import check_resampling, group_sums, resampled_sums, sign_flip_p_value

Floats = NDArray[np.float64]
UNSEEN = "unseen"


def frequency_bins(Y_train: Any, kind: Literal["mass", "decile"] = "mass") -> pd.DataFrame:
    """Each label's training frequency, rank and frequency bin.

    Parameters
    ----------
    Y_train : array (n, L) of 0 and 1.
    kind : "mass" or "decile"
        "mass": head, torso and tail, each about a third of all training positives. A label belongs to the head if all
        labels more frequent than it hold less than a third of the positives, to the torso if less than two thirds;
        labels of one frequency share a bin. "decile": tenths of the labels that have positives, by rank, "1" the most
        frequent.

    Returns
    -------
    DataFrame with L rows: "positives" (int), "rank" (1 the most frequent, equals by label index) and "bin" (ordered
    category; "unseen" for labels without training positives).

    Raises ValueError where Y_train is not 0/1, or for another kind.
    """
    Y = labels_csr(Y_train, "Y_train")
    L = Y.shape[1]
    counts = np.bincount(Y.indices, minlength=L)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(L, dtype=np.int64)
    rank[order] = np.arange(1, L + 1)
    if kind == "mass":
        names = ["head", "torso", "tail"]
        value, inverse, labels_of_value = np.unique(counts, return_inverse=True, return_counts=True)
        # positives of all labels more frequent than this value
        above = counts.sum() - np.cumsum(value * labels_of_value)
        code = np.minimum(3 * above[inverse] // max(1, counts.sum()), 2)
    elif kind == "decile":
        names = [str(d) for d in range(1, 11)]
        code = np.minimum(10 * (rank - 1) // max(1, int((counts > 0).sum())), 9)
    else:
        raise ValueError(f"kind: found {kind!r}, wanted 'mass' or 'decile'")
    code = np.where(counts > 0, code, len(names))
    bins = pd.Categorical.from_codes(code, categories=[*names, UNSEEN], ordered=True)
    return pd.DataFrame({"positives": counts, "rank": rank, "bin": bins})


@dataclass(frozen=True)
class TailViews:
    """Four views of predictions by label frequency; see `tail_views`.

    Attributes
    ----------
    labels : DataFrame, one row a label
        "label" (name or index), "positives", "rank", "bin", "test positives", and for each model "predicted: <model>"
        (times among the first k) and "right: <model>".
    power_law : PowerLaw, or None where there are too few labels to fit one, or no exponent fits them.
    bins : DataFrame, one row a bin that holds labels
        "labels", "share of labels", "positives", "share of positives", "fewest", "most" (positives of one label).
    quality : DataFrame, one row a model and bin
        "recall" = right / test positives of the bin, within the first k, with its bootstrap interval "low", "high";
        "P part" = right / (k n): over the bins it sums to the model's P@k.
    gain : DataFrame, one row a model other than the baseline, and bin
        "gain" in recall over the baseline, its interval "low", "high", and the sign-flip "p value".
    coverage : DataFrame, one row a model and bin
        Of the bin's labels that occur in the test set ("labels"), the shares that are "right at least once",
        "predicted, never right" and "never predicted" within the first k.
    models, baseline, k, confidence, grouped : what the tables are of, and whether groups were resampled as wholes.
    """

    labels: pd.DataFrame
    power_law: PowerLaw | None
    bins: pd.DataFrame
    quality: pd.DataFrame
    gain: pd.DataFrame
    coverage: pd.DataFrame
    models: list[str]
    baseline: str
    k: int
    confidence: float
    grouped: bool

    def never_predicted(self, model: str) -> pd.DataFrame:
        """The labels that occur in the test set and that `model` never names within the first k, frequent first."""
        _check_known("model", model, self.models)
        missed = (self.labels["test positives"] > 0) & (self.labels[f"predicted: {model}"] == 0)
        return self.labels.loc[missed, ["label", "positives", "rank", "bin", "test positives"]].sort_values("rank")

    def label_gain(self, model: str) -> pd.DataFrame:
        """Recall within the first k of each label in the test set, less the baseline's; the best gain first."""
        _check_known("model", model, self.models)
        table = self.labels[self.labels["test positives"] > 0]
        won = table[f"right: {model}"] - table[f"right: {self.baseline}"]
        columns = ["label", "positives", "rank", "bin", "test positives"]
        return (
            table[columns]
            .assign(gain=won / table["test positives"])
            .sort_values("gain", ascending=False, kind="stable")
        )


def tail_views(
    Y_train: Any,
    Y_test: Any,
    predictions: Mapping[str, Any],
    *,
    k: int = 5,
    kind: Literal["mass", "decile"] = "mass",
    baseline: str | None = None,
    label_names: Sequence[str] | None = None,
    groups: Any | None = None,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    random_state: int = 0,
) -> TailViews:
    """See any predictions through the tail lens.

    Parameters
    ----------
    Y_train, Y_test : arrays (n, L) and (n_test, L) of 0 and 1.
    predictions : mapping of model name to its scores S, sparse (n_test, L).
    k : predictions of each instance that count.
    kind : frequency bins, see `frequency_bins`.
    baseline : the model that the others are held against; the first one if not given.
    label_names : names for the table of labels.
    groups : a name for each test instance, e.g. ``dataset.sources_test``; see `significance.bootstrap_interval`.
    confidence, n_resamples, random_state : of the bootstrap over test instances. All models and bins see the same
        resamples. Time is O(n_resamples n_test models bins).

    Raises
    ------
    ValueError
        Where shapes do not fit, there is no model or no such baseline, or as `metrics.precision_at_k` does.
    """
    check_resampling(confidence, n_resamples)
    table, test = frequency_bins(Y_train, kind), labels_csr(Y_test, "Y_test")
    n, L = test.shape
    if n == 0:
        raise ValueError("Y_test: found no rows, wanted at least one instance")
    if len(table) != L:
        raise ValueError(f"Y_test: found {L} labels, wanted the {len(table)} of Y_train")
    check_k(k, L)
    models = list(predictions)
    if not models:
        raise ValueError("predictions: found no model, wanted at least one")
    baseline = models[0] if baseline is None else baseline
    _check_known("baseline", baseline, models)
    if label_names is not None and len(label_names) != L:
        raise ValueError(f"label_names: found {len(label_names)} names, wanted {L}")
    table.insert(0, "label", list(range(L)) if label_names is None else list(label_names))
    table["test positives"] = np.bincount(test.indices, minlength=L)
    table["bin"] = table["bin"].cat.remove_unused_categories()
    code, n_bins = table["bin"].cat.codes.to_numpy(dtype=np.int64), len(table["bin"].cat.categories)
    # Per instance and bin: true labels, then the right predictions of each model; all resampled together.
    counted = [_by_bin(np.repeat(np.arange(n), np.diff(test.indptr)), code[test.indices], n, n_bins)]
    for model, S in predictions.items():
        first, right = _top_k_hits_of(model, test, S, k)
        table[f"predicted: {model}"] = np.bincount(first[first >= 0], minlength=L)
        table[f"right: {model}"] = np.bincount(first[right], minlength=L)
        counted.append(_by_bin(np.nonzero(right)[0], code[first[right]], n, n_bins))
    counted = [group_sums(part, groups) for part in counted]
    columns = np.hstack(counted)
    draws = resampled_sums(columns, n_resamples, random_state).reshape(n_resamples, len(counted), n_bins)
    seen = columns.sum(axis=0).reshape(len(counted), n_bins)
    recall, drawn = _share(seen[1:], seen[0]), _share(draws[:, 1:], draws[:, :1])
    low, high = _interval(drawn, confidence)
    names = list(table["bin"].cat.categories)
    quality = _table(models, names, recall=recall, low=low, high=high)
    quality["P part"] = (seen[1:] / (k * n)).ravel()
    base, others = models.index(baseline), [m for m in models if m != baseline]
    rows = [models.index(m) for m in others]
    gain_low, gain_high = _interval(drawn[:, rows] - drawn[:, [base]], confidence)
    gain = _table(others, names, gain=recall[rows] - recall[base], low=gain_low, high=gain_high)
    differences = [counted[1 + r][:, b] - counted[1 + base][:, b] for r in rows for b in range(n_bins)]
    gain["p value"] = [sign_flip_p_value(d[d != 0], n_resamples, random_state) for d in differences]
    return TailViews(
        labels=table,
        power_law=_fit_if_possible(table["positives"]),
        bins=_bins_table(table),
        quality=quality,
        gain=gain,
        coverage=_coverage_table(table, models),
        models=models,
        baseline=baseline,
        k=k,
        confidence=confidence,
        grouped=groups is not None,
    )


def _check_known(name: str, model: str, models: list[str]) -> None:
    if model not in models:
        raise ValueError(f"{name}: found {model!r}, wanted one of {', '.join(models)}")


def _top_k_hits_of(model: str, test: Any, S: Any, k: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """`top_k_hits`, its complaint with the model's name."""
    try:
        return top_k_hits(test, S, k)
    except ValueError as error:
        raise ValueError(f"predictions[{model!r}]: {error}") from error


def _by_bin(rows: NDArray[Any], code: NDArray[np.int64], n: int, n_bins: int) -> Floats:
    return np.bincount(rows * n_bins + code, minlength=n * n_bins).reshape(n, n_bins).astype(np.float64)


def _share(part: Floats, whole: Floats) -> Floats:
    """part / whole, NaN where there is nothing to find."""
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1.0), np.nan)


def _interval(draws: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Percentile bounds over the first axis; a resample without any label of a bin says nothing of that bin."""
    sides = [(1 - confidence) / 2, (1 + confidence) / 2]
    if not draws.size:  # a model alone gains nothing over another
        return draws[0], draws[0]
    empty = np.isnan(draws).all(axis=0)
    low, high = np.nanquantile(np.where(empty, 0.0, draws), sides, axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)


def _table(models: list[str], bins: list[str], **columns: Floats) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([models, bins], names=["model", "bin"])
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, index=index).reset_index()


def _fit_if_possible(counts: pd.Series) -> PowerLaw | None:
    try:
        return fit_power_law(counts)
    except ValueError:  # too few labels, or no power law
        return None


def _bins_table(table: pd.DataFrame) -> pd.DataFrame:
    grouped = table.groupby("bin", observed=True)["positives"]
    out = grouped.agg(labels="size", positives="sum", fewest="min", most="max")
    out.insert(1, "share of labels", out["labels"] / len(table))
    out.insert(3, "share of positives", out["positives"] / max(1, table["positives"].sum()))
    return out


def _coverage_table(table: pd.DataFrame, models: list[str]) -> pd.DataFrame:
    in_test = table[table["test positives"] > 0]
    parts = []
    for model in models:
        predicted, right = in_test[f"predicted: {model}"] > 0, in_test[f"right: {model}"] > 0
        flags = pd.DataFrame(
            {"right at least once": right, "predicted, never right": predicted & ~right, "never predicted": ~predicted}
        )
        grouped = flags.groupby(in_test["bin"], observed=False)
        part = grouped.mean()
        part.insert(0, "labels", grouped.size())
        parts.append(part.rename_axis("bin").reset_index().assign(model=model))
    out = pd.concat(parts, ignore_index=True)
    return out[["model", "bin", *[c for c in out.columns if c not in ("model", "bin")]]]
