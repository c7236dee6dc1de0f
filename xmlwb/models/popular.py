"""The most frequent labels for everybody: the floor that every method must clear."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from sklearn.utils import Tags

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter


class Popular(XMCModel):
    """Rank labels by their training frequency, whatever the instance.

    Attributes
    ----------
    label_counts_ : ndarray, shape (L,), int64
        Training positives of each label; all that this model knows.
    n_train_ : int
        n, the instances of the fit.

    Notes
    -----
    The score is N_l / n, the share of training instances with the label. Train O(nnz(Y)), predict O(L log L) once and
    O(k) an instance, size O(L).

    It is a baseline, not a straw man: on skewed label sets its P@1 can be high while its PSP@1 and its coverage
    show that it knows five labels.

    Examples
    --------
    >>> import numpy as np
    >>> Y = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 1]])
    >>> Popular().fit(np.eye(3), Y).predict_topk(np.ones((1, 3)), k=2).toarray()
    array([[1.        , 0.        , 0.6666667]], dtype=float32)
    """

    stage = "pass over the labels"
    decision_threshold = 0.5

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """8 bytes a label: the counts."""
        return 8 * L

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        self.n_train_ = X.shape[0]
        report({"labels": float(np.count_nonzero(self.label_counts_))} | self._valid_figures(eval_set))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        best = np.argsort(-self.label_counts_, kind="stable")[:k]
        labels = np.where(self.label_counts_[best] > 0, best, -1)
        scores = self.label_counts_[best] / self.n_train_
        n = X.shape[0]
        return np.tile(labels, (n, 1)), np.tile(scores.astype(np.float32), (n, 1))

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True
        return tags
