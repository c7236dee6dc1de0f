"""Instances and labels on one sphere: a model that torch trained, read with numpy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.neural import NeuralModel
from xmlwb.models.validation import validate_X
from xmlwb.solvers import hnsw
from xmlwb.solvers.inner_product_search import InnerProductSearch
from xmlwb.solvers.sparse_dense import times_dense

_NO_GRAPH = np.empty(0, dtype=np.uint8)


class SphereModel(NeuralModel):
    """Base of a method whose network sends an instance to a place on the sphere, where its labels lie nearest.

    A subclass has the arguments `search`, `ef` and `n_jobs`, besides those of `NeuralModel`. What the network is, how
    many layers and with what between them, is fitted state: arguments that change after the fit change no answer.

    Attributes
    ----------
    W1_, b1_, W2_, b2_ : ndarrays, float32
        Shapes (features, units) and (units,); W2_ and b2_ only where there is a second layer.
    activation_ : {"relu", None}
        After each layer.
    scale_ : float
    label_embeddings_ : ndarray, shape (K, d), float32
    learned_ : ndarray of int
        The labels that occur in the training data, ascending.
    graph_ : ndarray of uint8
        The search graph over them; empty: there is none.
    """

    W1_: np.ndarray
    b1_: np.ndarray
    W2_: np.ndarray
    b2_: np.ndarray
    activation_: str | None
    scale_: float
    label_embeddings_: np.ndarray
    learned_: np.ndarray
    graph_: np.ndarray

    search: str
    ef: int
    n_jobs: int | None
    _search: InnerProductSearch | None = None

    def embed(self, X: Any) -> np.ndarray:
        """phi(x) of the rows of X, sparse or dense (n, features): rows of unit length, (n, d) float32."""
        check_is_fitted(self, "W1_")  # also in the callback of a fit
        return self._embed(validate_X(self, X, reset=False))

    def _keep(self, net: Any) -> None:
        """Take over the weights of a SphereNetwork; ValueError if they are no longer numbers."""
        net.features.sum_up_anew()
        weights = net.weights()
        V = weights.pop("V")
        self.scale_, self.activation_ = float(weights.pop("scale")), net.activation
        sums = [float(values.sum(dtype=np.float64)) for values in (V, *weights.values())]
        if not (0 < self.scale_ < np.inf and np.all(np.isfinite(sums))):
            raise ValueError(f"the weights are no longer finite, or the scale {self.scale_} is 0: {self._too_large()}")
        for name, values in weights.items():
            setattr(self, f"{name}_", values)
        self.label_embeddings_ = np.zeros((self.n_labels_, V.shape[1]), dtype=np.float32)
        self.label_embeddings_[self.learned_] = V

    def _embed(self, X: sparse.csr_array) -> np.ndarray:
        z = times_dense(X, self.W1_, n_jobs=self.n_jobs)
        z += self.b1_
        self._activate(z)
        if hasattr(self, "W2_"):
            z = z @ self.W2_ + self.b2_
            self._activate(z)
        if not np.isfinite(z).all():
            raise ValueError("the network answers with NaN or inf: values of X are too large, or the model is damaged")
        return normalize(z, copy=False)

    def _activate(self, z: np.ndarray) -> None:
        if self.activation_ == "relu":
            np.maximum(z, 0, out=z)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        source = self.label_embeddings_, self.learned_, self.graph_ if self.search == "hnsw" else _NO_GRAPH
        if self._search is None or any(a is not b for a, b in zip(self._search.source, source, strict=True)):
            self._search = InnerProductSearch(*source)
        return self._search.find(self._embed(X), k, ef=self.ef)

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_search": None}  # made anew from what is there

    def _check_state(self) -> None:
        super()._check_state()
        d, h = self.label_embeddings_.shape[1], self.W1_.shape[1]
        self._require_shapes(W1_=(self.n_features_in_, h), b1_=(h,), label_embeddings_=(self.n_labels_, d))
        if hasattr(self, "W2_"):
            self._require_shapes(W2_=(h, d), b2_=(d,))
        elif h != d:
            raise ValueError(f"W1_ leads to {h} dimensions; wanted the {d} of label_embeddings_, or a W2_")
        if self.activation_ not in ("relu", None):
            raise ValueError(f"activation_ is {self.activation_!r}; wanted 'relu' or None")
        occur = np.flatnonzero(self.label_counts_)
        if self.learned_.dtype.kind != "i" or not np.array_equal(self.learned_, occur):
            raise ValueError("learned_ are not the labels with a count in label_counts_, ascending")
        if len(self.graph_):
            hnsw.check(self.graph_, len(self.learned_), d)
