r"""One naive Bayes score for each label: counting instead of optimising, and so the cheapest linear classifier."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number
from xmlwb.solvers.topk import topk_product


class NaiveBayes(XMCModel):
    r"""Multinomial naive Bayes, each label against the whole collection.

    .. math:: s_l(x) = \log P(l) + \sum_j x_j \log \frac{P(j \mid l)}{q_j}, \qquad
              P(j \mid l) = \frac{c_{jl} + \mu q_j}{c_l + \mu}

    with :math:`c_{jl} = \sum_i x_{ij} y_{il}` the count of feature j in the label's instances, :math:`c_l` their sum
    over j, and :math:`q_j` the share of feature j in the whole collection; :math:`\mu` counts of it are added to each
    label.

    Parameters
    ----------
    smoothing : float, default 30.0
        :math:`\mu`, in instances of average length. Validation likes 30 to 100 on bibtex, anything to 100 on delicious.
    n_jobs : int or None, default None
        Threads of the prediction, which does not depend on it.

    Attributes
    ----------
    coef_ : csr_array, shape (2 d + 1, L), float32
        :math:`\log(1 + c_{jl} / (\mu q_j))`, above 0 only where feature j occurs with label l. The last row is
        :math:`-\log(1 + c_l / \mu)`, what a count costs that the label has not seen. They multiply `linear_inputs`.
    intercept_ : ndarray, shape (L,), float32
        :math:`\log P(l)`; ``-inf`` for a label without a training positive.

    Notes
    -----
    Smoothed towards q rather than towards equal shares, the score falls into a part for features that the label has
    seen and one that needs only the sum of x:

    .. math:: \log \frac{P(j \mid l)}{q_j} = \log\Bigl(1 + \frac{c_{jl}}{\mu q_j}\Bigr)
              - \log\Bigl(1 + \frac{c_l}{\mu}\Bigr)

    so no d x L matrix is ever filled. To leave the second part out as well is no way out: frequent labels, which have
    seen every feature, would win. Counts need not be whole: weights of unit rows serve as they are. A negative value is
    a count of the feature's opposite, which is a feature of its own.

    Train O(sum over the stored entries of Y of nnz of that row of X); predict, for an instance, O(sum over its features
    of the labels that have seen them + L); size 8 bytes for each pair of a feature and a label that occur together.

    P@1 over ten splits: bibtex 54.2, delicious 64.8, by ``benchmarks/paper_tables.py --methods nb``.

    ============ =============================== ======================================================
    what         naive Bayes in LPSR-NB          here
    ============ =============================== ======================================================
    model        named, not described, where     multinomial, against the collection
                 its figures stand
    smoothing    not at hand                     towards the collection's shares (Dirichlet prior)
    code         not at hand
    ============ =============================== ======================================================

    References
    ----------
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018 (tables 3 and 5 have LPSR over naive Bayes).

    Examples
    --------
    >>> X = np.array([[2, 0], [0, 1], [1, 0], [0, 3]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 1, 0]])
    >>> model = NaiveBayes(smoothing=1).fit(X, Y)
    >>> model.predict_topk(X, k=1).indices.tolist()
    [0, 1, 0, 1]
    """

    stage = "count"

    def __init__(self, *, smoothing: float = 30.0, n_jobs: int | None = None) -> None:
        self.smoothing = smoothing
        self.n_jobs = n_jobs

    @staticmethod
    def linear_inputs(X: sparse.csr_array) -> sparse.csr_array:
        """What ``coef_`` multiplies: positive parts, sizes of negative parts, and the sum of both; (n, 2 d + 1)."""
        n, d = X.shape
        counts = np.abs(X.data)
        sums = np.asarray(sparse.csr_array((counts, X.indices, X.indptr), shape=X.shape).sum(axis=1, dtype=np.float64))
        last = X.indptr[1:]
        features = np.where(X.data < 0, X.indices + d, X.indices)
        parts = np.insert(counts, last, sums.astype(np.float32)), np.insert(features, last, 2 * d)
        inputs = sparse.csr_array((*parts, X.indptr + np.arange(n + 1)), shape=(n, 2 * d + 1))
        inputs.sort_indices()
        return inputs

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """40 bytes for each pair of a feature and a label that occur together, and a copy of the data.

        How many pairs there will be cannot be known before: at most 5 for each entry of X are assumed, so many as an
        instance has labels on average in most sets.
        """
        return 40 * min(d * L, 5 * nnz) + 28 * nnz + 24 * (n + d + L)

    def _check_params(self) -> None:
        check_number("smoothing", self.smoothing, low=0, strict=True)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        n = X.shape[0]
        inputs = self.linear_inputs(X)
        totals = np.asarray(inputs.sum(axis=0, dtype=np.float64))  # of each feature; the last is that of all
        inputs = sparse.csr_array((inputs.data.astype(np.float64), inputs.indices, inputs.indptr), shape=inputs.shape)
        counts = sparse.csr_array(inputs.T @ Y)  # c_jl, and c_l in the last row
        counts.sort_indices()
        mu = self.smoothing * max(totals[-1] / n, np.finfo(np.float32).tiny)
        background = mu * totals / max(totals[-1], np.finfo(np.float32).tiny)  # mu q_j, and mu in the last place
        seen_with = np.repeat(background, np.diff(counts.indptr))
        weights = np.log1p(counts.data / seen_with)
        weights[counts.indptr[-2] :] *= -1
        self.coef_ = sparse.csr_array((weights.astype(np.float32), counts.indices, counts.indptr), shape=counts.shape)
        with np.errstate(divide="ignore"):
            self.intercept_ = np.log(self.label_counts_ / n).astype(np.float32)
        report(self._valid_figures(eval_set))

    def _check_state(self) -> None:
        super()._check_state()
        self._require_shapes(coef_=(2 * self.n_features_in_ + 1, self.n_labels_), intercept_=(self.n_labels_,))
        for name, part in (("coef_", self.coef_.data), ("intercept_", self.intercept_)):
            if part.dtype != np.float32:
                raise ValueError(f"{name} is {part.dtype}; wanted float32")

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return topk_product(self.linear_inputs(X), self.coef_, k, bias=self.intercept_, n_jobs=self.n_jobs)
