"""Chapter 05: trees side by side: quality with intervals, where the right labels get lost, forests that grow."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.base import clone

from xmlwb.comparison import resampled_groups
from xmlwb.datasets import Dataset
from xmlwb.metrics import precision_at_k, propensities, psp_at_k, top_k_hits
from xmlwb.models.base import XMCModel
from xmlwb.significance import bootstrap_interval
from xmlwb.tails import frequency_bins

AnyModel = TypeVar("AnyModel", bound=XMCModel)
#: What becomes of the 1s of the test set, see `whereabouts`.
FATES = ("among the first k", "reached, outranked", "never reached")


def quality_intervals(
    ds: Dataset, predictions: Mapping[str, csr_array], ranks: Sequence[int] = (1, 3, 5), *, n_resamples: int = 1000
) -> pd.DataFrame:
    """P@k and PSP@k of several models on the test set, with 95 % bootstrap intervals over whole sources.

    Parameters
    ----------
    ds : Dataset
        Its propensities come from the training labels.
    predictions : mapping of model name to scores (n_test, L)
    ranks : sequence of int
        The k.

    Returns
    -------
    DataFrame
        One row for each model and metric: "model", "metric" ("P@1", ..., "PSP@5"), "value", "low", "high".
    """
    p, groups, k = propensities(ds.Y_train, *ds.propensity_ab), resampled_groups(ds), max(ranks)
    rows = []
    for name, S in predictions.items():
        hits = precision_at_k(ds.Y_test, S, k, per_instance=True)
        reached, best = psp_at_k(ds.Y_test, S, p, k, per_instance=True)
        for metric in ("P", "PSP"):
            for rank in ranks:
                at = rank - 1
                values = hits[:, at] if metric == "P" else (reached[:, at], best[:, at])
                found = bootstrap_interval(values, groups=groups, n_resamples=n_resamples)
                rows.append((name, f"{metric}@{rank}", found.value, found.low, found.high))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high"])


def as_text(quality: pd.DataFrame) -> pd.DataFrame:
    """The table of `quality_intervals` for reading: a row a model, "80.7 (79.9–81.6)" in per cent.

    >>> import pandas as pd
    >>> one = pd.DataFrame({"model": ["m"], "metric": ["P@1"], "value": [0.5], "low": [0.4], "high": [0.62]})
    >>> as_text(one).loc["m", "P@1"]
    '50.0 (40.0–62.0)'
    """
    texts = [f"{100 * v:.1f} ({100 * low:.1f}–{100 * high:.1f})" for v, low, high in _numbers(quality)]
    table = quality.assign(text=texts).pivot(index="model", columns="metric", values="text")
    return table.loc[list(dict.fromkeys(quality["model"])), list(dict.fromkeys(quality["metric"]))]


def _numbers(quality: pd.DataFrame) -> NDArray[np.float64]:
    return quality[["value", "low", "high"]].to_numpy(dtype=np.float64)


def whereabouts(
    models: Mapping[str, XMCModel], X: csr_array, Y: csr_array, Y_train: csr_array, *, k: int = 5
) -> pd.DataFrame:
    """What becomes of each right label: among the first k, reached but outranked, or never reached.

    A label is reached if the model gives it a score at all: in a label tree if the beam comes to it, in an instance
    tree if a document of one of the reached leaves has it. One-vs-all reaches every label that it has learned.

    Parameters
    ----------
    models : mapping of name to fitted model
    X, Y : csr_array, shapes (n, d) and (n, L)
        Test documents.
    Y_train : csr_array
        For the tenths of label frequency.
    k : int
        Predictions that count.

    Returns
    -------
    DataFrame
        One row for each model and tenth of the labels ("decile", 1 the most frequent): "positives" (1s of Y) and their
        shares "among the first k", "reached, outranked", "never reached".

    Notes
    -----
    Asks each model for all the labels that it reaches: about 40 bytes for each instance and such label. One-vs-all
    reaches all, so on debdeps a few hundred instances are enough.
    """
    bins = frequency_bins(Y_train, "decile")["bin"]
    decile = bins.cat.codes.to_numpy()[Y.indices] + 1
    known = np.flatnonzero(decile <= 10)  # labels without a training positive belong to no tenth
    total = np.bincount(decile[known], minlength=11)[1:]
    row = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
    tables = []
    for name, model in models.items():
        S = model.predict_topk(X, k=Y.shape[1])
        found = _holds(Y, *top_k_hits(Y, S, k))
        stored = csr_array((np.ones(S.nnz, dtype=np.int8), S.indices, S.indptr), shape=S.shape)
        reached = _at(stored, row, Y.indices)
        counts = [np.bincount(decile[known][found[known]], minlength=11)[1:]]
        counts.append(np.bincount(decile[known][(reached & ~found)[known]], minlength=11)[1:])
        counts.append(total - counts[0] - counts[1])
        share = dict(zip(FATES, (c / np.maximum(total, 1) for c in counts), strict=True))
        tables.append(pd.DataFrame({"model": name, "decile": np.arange(1, 11), "positives": total, **share}))
    return pd.concat(tables, ignore_index=True)


def _holds(Y: csr_array, labels: NDArray[np.int64], right: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """For each stored entry of Y, in order, whether it is one of the right ones among (n, k) labels."""
    rows = np.nonzero(right)[0]
    hit = csr_array((np.ones(len(rows), dtype=np.int8), (rows, labels[right])), shape=Y.shape)
    return _at(hit, np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr)), Y.indices)


def _at(A: csr_array, rows: NDArray[np.integer], columns: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Whether A stores an entry at each of these places."""
    L = np.int64(A.shape[1])
    stored = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr)) * L + A.indices
    return np.isin(rows * L + columns, stored)


def first_trees(model: AnyModel, n_trees: int) -> AnyModel:
    """The first trees of a fitted forest as a model of their own, for prediction.

    For FastXML, PfastreXML, Parabel and Bonsai. The arrays are shared, not copied; do not save it.

    Raises
    ------
    ValueError
        If there are not so many.
    """
    state: Any = model
    grown = len(state.tree_ptr_) - 1
    if not 1 <= n_trees <= grown:
        raise ValueError(f"n_trees is {n_trees}; wanted 1 to {grown}")
    few: Any = copy.copy(model)
    few.n_trees, few.tree_ptr_ = n_trees, state.tree_ptr_[: n_trees + 1]
    return few


def forest_curve(
    model: XMCModel, X: csr_array, Y: csr_array, propensity: NDArray[np.floating], sizes: Sequence[int]
) -> pd.DataFrame:
    """Quality of the first 1, 2, ... trees of one fitted forest.

    Returns
    -------
    DataFrame
        One row a size: "trees", "P@1", "PSP@1", "P@5", "PSP@5".
    """
    return pd.DataFrame([{"trees": n, **_quality(first_trees(model, n), X, Y, propensity)} for n in sizes])


def _quality(model: XMCModel, X: csr_array, Y: csr_array, propensity: NDArray[np.floating]) -> dict[str, float]:
    k = min(5, Y.shape[1])
    S = model.predict_topk(X, k=k)
    P, PSP = precision_at_k(Y, S, k), psp_at_k(Y, S, propensity, k)
    return {"P@1": P[0], "PSP@1": PSP[0], f"P@{k}": P[k - 1], f"PSP@{k}": PSP[k - 1]}


def setting_curve(
    model: XMCModel,
    X: csr_array,
    Y: csr_array,
    propensity: NDArray[np.floating],
    name: str,
    values: Sequence[float],
) -> pd.DataFrame:
    """Quality at several values of a parameter that acts in prediction only: PfastreXML's alpha or gamma, a beam.

    The model is left as it was.

    Returns
    -------
    DataFrame
        One row a value: a column of the parameter's name, "P@1", "PSP@1", "P@5", "PSP@5".
    """
    changed: Any = copy.copy(model)
    return pd.DataFrame(
        [{name: value, **_quality(changed.set_params(**{name: value}), X, Y, propensity)} for value in values]
    )


def swap_trees(reranker: AnyModel, trees: XMCModel) -> AnyModel:
    """A PfastreXML that ranks with its own centroids what the trees of a FastXML propose; both keep what they have."""
    mixed: Any = copy.copy(reranker)
    for name in ("tree_ptr_", "first_child_", "bias_", "separators_", "leaves_"):
        setattr(mixed, name, getattr(trees, name))
    return mixed


def propensity_and_reranker(
    fastxml: XMCModel, pfastrexml: XMCModel, X: csr_array, Y: csr_array, propensity: NDArray[np.floating]
) -> pd.DataFrame:
    """PfastreXML's two changes to FastXML, each alone and both, from the two fits.

    Returns
    -------
    DataFrame
        Four rows: "trees by" ("count" or "propensity"), "re-ranker" (bool), "P@1", "PSP@1", "P@5", "PSP@5".
    """
    rows = []
    for grown, model in (("count", swap_trees(pfastrexml, fastxml)), ("propensity", pfastrexml)):
        plain: Any = copy.copy(model)
        for reranks, shown in ((False, plain.set_params(alpha=1.0)), (True, model)):
            rows.append({"trees by": grown, "re-ranker": reranks, **_quality(shown, X, Y, propensity)})
    return pd.DataFrame(rows)


def scored_labels_curve(
    lpsr: XMCModel,
    base: XMCModel,
    train: tuple[csr_array, csr_array],
    test: tuple[csr_array, csr_array],
    propensity: NDArray[np.floating],
    sizes: Sequence[int] = (5, 10, 20, 50, 100),
) -> pd.DataFrame:
    """How many labels are scored for a document if leaves keep few or many, and what that does to quality and time.

    Parameters
    ----------
    lpsr : LPSR
        Cloned and fitted anew for each size, base and all.
    base : XMCModel
        Its base, fitted on the same data: scores every label that it has learned.
    train, test : (X, Y)
    sizes : sequence of int
        Labels that a leaf keeps.

    Returns
    -------
    DataFrame
        A row for each size and one for the base: "model" ("LPSR" or the base's class), "labels a leaf" (NaN for the
        base), "labels scored" (mean of an instance), "P@1", "PSP@1", "P@5", "PSP@5", and "ms a document", which
        differs from run to run.
    """
    X, Y = test
    rows: list[dict[str, object]] = []
    for size in sizes:
        small: Any = clone(lpsr).set_params(n_labels=size).fit(*train)
        scored = float(small.labels_scored(X).mean())
        rows.append({"model": "LPSR", "labels a leaf": size, "labels scored": scored} | _timed(small, X, Y, propensity))
    known = float(np.count_nonzero(base.label_counts_))
    name = type(base).__name__
    rows.append({"model": name, "labels a leaf": np.nan, "labels scored": known} | _timed(base, X, Y, propensity))
    return pd.DataFrame(rows)


def _timed(model: XMCModel, X: csr_array, Y: csr_array, propensity: NDArray[np.floating]) -> dict[str, float]:
    quality = _quality(model, X, Y, propensity)
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        model.predict_topk(X, k=min(5, Y.shape[1]))
        seconds.append(time.perf_counter() - begin)
    return quality | {"ms a document": 1000 * float(np.median(seconds)) / X.shape[0]}
