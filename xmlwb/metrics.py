"""Ranking metrics of extreme classification, computed on sparse arrays.

Every function takes the true labels ``Y_true`` (n, L), 0/1, and the predictions ``S`` (n, L), a sparse
array of scores, and returns the metric at 1..k as fractions (0.5, not 50). Nothing of size n x L is ever
made dense: time is O(nnz(S) log k' + nnz(Y_true)), k' the longest row of ``S``, and memory O(nnz(S) +
nnz(Y_true) + n k).

Conventions
-----------
Ranking
    What is stored in a row of ``S`` is predicted, a stored zero and a negative score included; what is not
    stored is not predicted. Higher scores come first, equal scores break by the lower label index. A row
    may hold fewer than k predictions (the missing places count as wrong) or more (only the first k count).
    A dense ``S`` stores every entry.
P@k
    Hits among the first k, divided by k always, also where an instance has fewer than k labels or
    predictions.
nDCG@k
    Gain 1 and discount 1 / log(1 + rank) (the base cancels) over the best value that the instance allows,
    that of min(k, number of its labels) hits.
R@k
    Hits among the first k over the number of the instance's labels.
PSP@k, PSnDCG@k
    A hit on label l counts 1 / p_l, p_l its propensity: the chance that a true label l was recorded at all.
    Both are the ratio of two sums over the test set, what was reached over what the best ranking of the
    true labels reaches; not the mean of ratios. PSnDCG's terms are divided by the DCG of min(k, number of
    labels) hits before they are summed, as the Repository's own evaluation code does (its page prints the
    sum of k discounts instead).
coverage@k
    Of the labels that occur in ``Y_true``, the share that is predicted correctly at least once within the
    first k.
No labels
    An instance without labels counts 0 in every mean (it does count in n), and `evaluate` reports how many
    there are.

References
----------
K. Bhatia et al., The extreme classification repository, 2016 (P, nDCG, PSP, PSnDCG).
H. Jain, Y. Prabhu, M. Varma, Extreme multi-label loss functions for recommendation, tagging, ranking &
other missing label applications, KDD 2016 (the propensity model and the metrics scored by it).
E. Schultheis et al., Generalized test utilities for long-tail performance in extreme multi-label
classification, NeurIPS 2023 (coverage@k; there over all labels, here over those that occur in the test set).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from xmlwb.datasets.propensity import propensity_of_counts
from xmlwb.ranking import best_positions, check_k, first_k, inverse_propensity, labels_csr, scores_csr
from xmlwb.significance import bootstrap_interval, paired_test

__all__ = [
    "Evaluation",
    "bootstrap_interval",
    "coverage_at_k",
    "evaluate",
    "ndcg_at_k",
    "paired_test",
    "precision_at_k",
    "propensities",
    "psndcg_at_k",
    "psp_at_k",
    "recall_at_k",
    "top_k_hits",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class _Ranking:
    """The first k predictions of each instance and which of them are right: all that the metrics need."""

    Y: sparse.csr_array
    labels: NDArray[np.int64]  # (n, k), best first; -1 where a row stores fewer than k predictions
    hit: NDArray[np.bool_]  # (n, k)

    @classmethod
    def of(cls, Y_true: Any, S: Any, k: Any) -> _Ranking:
        Y = labels_csr(Y_true)
        n, L = Y.shape
        if n == 0:
            raise ValueError("Y_true: found no rows, wanted at least one instance")
        k = check_k(k, L)
        labels, hit = first_k(Y, scores_csr(S, (n, L)), k)
        return cls(Y, labels, hit)

    @property
    def k(self) -> int:
        return int(self.labels.shape[1])

    @property
    def n_true(self) -> NDArray[np.int64]:
        return np.diff(self.Y.indptr).astype(np.int64)

    def precision(self) -> Floats:
        return np.cumsum(self.hit, axis=1) / np.arange(1, self.k + 1)

    def recall(self) -> Floats:
        return np.cumsum(self.hit, axis=1) / np.maximum(self.n_true, 1)[:, None]

    def ndcg(self) -> Floats:
        return np.cumsum(self.hit * _discounts(self.k), axis=1) / self.best_dcg()

    def best_dcg(self) -> Floats:
        """DCG at 1..k of min(k, number of labels) hits, (n, k); 1 for an instance without labels."""
        total = np.cumsum(_discounts(self.k))
        reach = np.minimum(np.maximum(self.n_true, 1)[:, None], np.arange(1, self.k + 1))
        return total[reach - 1]

    def gains(self, inverse: Floats) -> tuple[Floats, Floats]:
        """1 / p of the hits, and of the best k true labels, rank by rank: two arrays (n, k)."""
        reached = np.where(self.hit, inverse[self.labels], 0.0)
        worth = inverse[self.Y.indices]
        at = best_positions(self.Y.indptr, worth, self.k)
        best = np.where(at >= 0, worth[at], 0.0) if worth.size else np.zeros(at.shape)
        return reached, best

    def psp(self, gains: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        places = np.arange(1, self.k + 1)
        return np.cumsum(gains[0], axis=1) / places, np.cumsum(gains[1], axis=1) / places

    def psndcg(self, gains: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        d, norm = _discounts(self.k), self.best_dcg()
        return np.cumsum(gains[0] * d, axis=1) / norm, np.cumsum(gains[1] * d, axis=1) / norm

    def coverage(self) -> Floats:
        first = np.full(self.Y.shape[1], self.k)  # the earliest rank at which each label was right
        rank = np.broadcast_to(np.arange(self.k), self.hit.shape)
        np.minimum.at(first, self.labels[self.hit], rank[self.hit])
        occurring = np.bincount(self.Y.indices, minlength=self.Y.shape[1]) > 0
        reached = np.cumsum(np.bincount(first, minlength=self.k + 1)[: self.k])
        return reached / max(1, int(occurring.sum()))


def _discounts(k: int) -> Floats:
    return 1.0 / np.log2(np.arange(2, k + 2))


def _ratio(pair: tuple[Floats, Floats]) -> Floats:
    best = pair[1].sum(axis=0)
    return pair[0].sum(axis=0) / np.where(best > 0, best, 1.0)


def top_k_hits(Y_true: Any, S: Any, k: int = 5) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The first k predicted labels of each instance, -1 where none, and whether each is right: two arrays (n, k)."""
    ranking = _Ranking.of(Y_true, S, k)
    return ranking.labels, ranking.hit


def precision_at_k(Y_true: Any, S: Any, k: int = 5, *, per_instance: bool = False) -> Floats:
    """P@1..P@k: the share of right labels among the first k predictions.

    Parameters
    ----------
    Y_true : array (n, L) of 0 and 1, sparse (any format) or dense.
    S : sparse array (n, L) of scores; see the module's conventions for what is a prediction.
    k : int from 1 to L.
    per_instance : return the values of every instance, (n, k), instead of their mean, (k,).

    Raises
    ------
    ValueError
        For different shapes, no rows, k out of range, NaN among the scores, or a value in Y_true other than
        0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> Y = np.array([[1, 0, 1], [0, 1, 0]])
    >>> S = np.array([[0.9, 0.8, 0.7], [0.1, 0.2, 0.3]])
    >>> precision_at_k(Y, S, k=2)
    array([0.5, 0.5])
    """
    values = _Ranking.of(Y_true, S, k).precision()
    return values if per_instance else values.mean(axis=0)


def ndcg_at_k(Y_true: Any, S: Any, k: int = 5, *, per_instance: bool = False) -> Floats:
    """nDCG@1..nDCG@k with gain 1 over the best that min(k, number of labels) hits reach; as `precision_at_k`."""
    values = _Ranking.of(Y_true, S, k).ndcg()
    return values if per_instance else values.mean(axis=0)


def recall_at_k(Y_true: Any, S: Any, k: int = 5, *, per_instance: bool = False) -> Floats:
    """R@1..R@k: the share of an instance's labels among its first k predictions; as `precision_at_k`."""
    values = _Ranking.of(Y_true, S, k).recall()
    return values if per_instance else values.mean(axis=0)


def coverage_at_k(Y_true: Any, S: Any, k: int = 5) -> Floats:
    """coverage@1..coverage@k: the share of Y_true's labels that are right at least once within the first k."""
    return _Ranking.of(Y_true, S, k).coverage()


def propensities(Y_train: Any, A: float = 0.55, B: float = 1.5) -> Floats:
    """Propensity of each label, (L,) in (0, 1]: the chance that the label, where true, was recorded.

    Jain et al. (2016) fitted 1 / p_l = 1 + C (N_l + B)^-A with C = (ln N - 1) (B + 1)^A, where N is the
    number of training instances and N_l the number of those with label l. A and B belong to the data set:
    0.5 and 0.4 for WikiLSHTC-325K and Wikipedia-500K, 0.6 and 2.6 for the Amazon sets, 0.55 and 1.5
    otherwise. With fewer than three training instances C would be negative; it is taken as 0, and every
    propensity as 1.

    Raises ValueError where Y_train is not 0/1 or has no rows, or where A or B is negative or not finite.
    """
    Y = labels_csr(Y_train, "Y_train")
    if not (np.isfinite(A) and A >= 0):
        raise ValueError(f"A: found {A!r}, wanted a finite number of at least 0")
    if not (np.isfinite(B) and B > 0):
        raise ValueError(f"B: found {B!r}, wanted a finite number above 0")
    n, L = Y.shape
    if n == 0:
        raise ValueError("Y_train: found no rows, wanted at least one instance")
    return propensity_of_counts(np.bincount(Y.indices, minlength=L), n, A, B)


@overload
def psp_at_k(Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: Literal[False] = False) -> Floats: ...
@overload
def psp_at_k(
    Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: Literal[True]
) -> tuple[Floats, Floats]: ...
def psp_at_k(
    Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: bool = False
) -> Floats | tuple[Floats, Floats]:
    """PSP@1..PSP@k: precision in which a hit on label l counts 1 / p_l, over the best that can be reached.

    Parameters
    ----------
    Y_true, S, k : as in `precision_at_k`.
    propensity : array (L,) of p_l in (0, 1], from the TRAINING labels (`propensities`).
    per_instance : return the pair (reached, best), each (n, k), in place of the ratio of their sums, (k,).
        The mean of each instance's own ratio would be another metric, so the pair is what to resample.

    Raises ValueError as `precision_at_k` does, and for a propensity of the wrong shape or outside (0, 1].
    """
    ranking = _Ranking.of(Y_true, S, k)
    pair = ranking.psp(ranking.gains(inverse_propensity(propensity, ranking.Y.shape[1])))
    return pair if per_instance else _ratio(pair)


@overload
def psndcg_at_k(
    Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: Literal[False] = False
) -> Floats: ...
@overload
def psndcg_at_k(
    Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: Literal[True]
) -> tuple[Floats, Floats]: ...
def psndcg_at_k(
    Y_true: Any, S: Any, propensity: Any, k: int = 5, *, per_instance: bool = False
) -> Floats | tuple[Floats, Floats]:
    """PSnDCG@1..PSnDCG@k: nDCG in which a hit on label l counts 1 / p_l; otherwise as `psp_at_k`."""
    ranking = _Ranking.of(Y_true, S, k)
    pair = ranking.psndcg(ranking.gains(inverse_propensity(propensity, ranking.Y.shape[1])))
    return pair if per_instance else _ratio(pair)


class Evaluation(dict[str, float]):
    """Metric name -> fraction, with the counts that the means rest on: `n_instances` and `n_unlabelled`."""

    def __init__(self, values: dict[str, float], n_instances: int, n_unlabelled: int) -> None:
        super().__init__(values)
        self.n_instances = n_instances
        self.n_unlabelled = n_unlabelled


def evaluate(Y_true: Any, S: Any, propensity: Any = None, k: int = 5) -> Evaluation:
    """Every metric at 1..k from one ranking: a dict with keys "P@1", "nDCG@1", "R@1", "coverage@1", ...

    With `propensity` (L,) also "PSP@1", "PSnDCG@1", .... The result's `n_unlabelled` says how many
    instances have no labels and so count 0. Raises ValueError as the single metrics do.
    """
    ranking = _Ranking.of(Y_true, S, k)
    n, L = ranking.Y.shape
    columns = {
        "P": ranking.precision().mean(axis=0),
        "nDCG": ranking.ndcg().mean(axis=0),
        "R": ranking.recall().mean(axis=0),
    }
    if propensity is not None:
        gains = ranking.gains(inverse_propensity(propensity, L))
        columns["PSP"] = _ratio(ranking.psp(gains))
        columns["PSnDCG"] = _ratio(ranking.psndcg(gains))
    columns["coverage"] = ranking.coverage()
    values = {f"{name}@{i + 1}": float(v) for name, column in columns.items() for i, v in enumerate(column)}
    return Evaluation(values, n, int((ranking.n_true == 0).sum()))
