"""Instances and labels in one space: shortlists by cosine, blended with a classifier, read with numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.validation import validate_X
from xmlwb.models.word_table import WordTableModel
from xmlwb.solvers import hnsw
from xmlwb.solvers.bag_features import bag_features
from xmlwb.solvers.sampled_products import pair_scores
from xmlwb.solvers.shortlist import Shortlist
from xmlwb.solvers.topk import topk_dense

#: Instances that are predicted at a time.
_BATCH = 4096


class ShortlistModel(WordTableModel):
    """Base of a method that scores the labels nearest to an instance, and no others.

    A subclass has the arguments `shortlist_size`, `beta`, `ef` and `n_jobs`, besides those of `WordTableModel`.

    Attributes
    ----------
    E_, W_, b_ : ndarrays, shapes (d, D), (L, D) and (L,), float32
        Word vectors; the classifier.
    activation_ : {"relu", None}
        After E^T x.
    label_embeddings_ : ndarray, shape (L, D), float32
    graph_ : ndarray of uint8
    learned_ : ndarray of int
    """

    E_: np.ndarray
    W_: np.ndarray
    b_: np.ndarray
    label_embeddings_: np.ndarray
    graph_: np.ndarray
    learned_: np.ndarray
    activation_: str | None

    shortlist_size: int
    beta: float
    ef: int | None
    n_jobs: int | None
    _search: Shortlist | None = None

    def embed(self, X: Any) -> np.ndarray:
        """x^ of the rows of X, sparse or dense (n, d): rows of unit length, (n, D) float32."""
        check_is_fitted(self, "E_")  # also in the callback of a fit
        return self._embed(validate_X(self, X, reset=False))

    def shortlist(self, X: Any, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """S_k: the labels nearest to each row of X, nearest first, and their cosines; each (n, k).

        k is `shortlist_size` if None. In the empty places -1 and 0.
        """
        check_is_fitted(self, "label_embeddings_")
        size = self.shortlist_size if k is None else k
        return self._searched().find(self.embed(X), size, ef=self.ef, n_jobs=self.n_jobs)

    def _embed(self, X: sparse.csr_array) -> np.ndarray:
        return bag_features(X, self.E_, self.activation_, n_jobs=self.n_jobs)

    def _searched(self) -> Shortlist:
        source = self.label_embeddings_, self.learned_, self.graph_
        if self._search is None or any(a is not b for a, b in zip(self._search.source, source, strict=True)):
            self._search = Shortlist(*source)
        return self._search

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.full((X.shape[0], k), -1, dtype=np.int32)
        scores = np.zeros((X.shape[0], k), dtype=np.float32)
        search, W = self._searched(), self.W_
        width = min(k, self.shortlist_size)
        for begin in range(0, X.shape[0], _BATCH):
            batch = slice(begin, begin + _BATCH)
            features = self._embed(X[batch])
            found, cosines = search.find(features, self.shortlist_size, ef=self.ef, n_jobs=self.n_jobs)
            z = pair_scores(features, W, found, n_threads=effective_n_jobs(self.n_jobs))
            z += self.b_[found]
            blend = self.beta * _sigmoid(z) + (1 - self.beta) * _sigmoid(cosines)
            best, values = topk_dense(np.where(found >= 0, blend, -np.inf), width)
            own = np.take_along_axis(found, best, axis=1)
            labels[batch, :width] = np.where(best >= 0, own, -1)
            scores[batch, :width] = np.where(best >= 0, values, 0)
        return labels, scores

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_search": None}  # made anew from what is there

    def _check_state(self) -> None:
        super()._check_state()
        D = self.E_.shape[1]
        self._require_shapes(
            E_=(self.n_features_in_, D), W_=(self.n_labels_, D), b_=(self.n_labels_,),
            label_embeddings_=(self.n_labels_, D),
        )  # fmt: skip
        if self.activation_ not in ("relu", None):
            raise ValueError(f"activation_ is {self.activation_!r}; wanted 'relu' or None")
        occur = np.flatnonzero(self.label_counts_)
        if self.learned_.dtype.kind != "i" or not np.array_equal(self.learned_, occur):
            raise ValueError("learned_ are not the labels with a count in label_counts_, ascending")
        if len(self.graph_):
            hnsw.check(self.graph_, len(self.learned_), D)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * z))
