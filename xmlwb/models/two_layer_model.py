"""A network of two linear layers over sparse features: trained with torch, read with numpy alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.models.neural import NeuralModel
from xmlwb.models.validation import check_number
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.torch_runs import device_of, seeded

_WEIGHTS = ("W1", "b1", "W2", "b2")
#: Instances that go through the network at a time.
_BATCH = 1 << 13


class TwoLayerModel(NeuralModel):
    """Base of a method whose network sends an instance to a place on the unit sphere.

    A subclass has the arguments `n_components`, `n_hidden`, `activation`, `dropout`, `batch_size`, `learning_rate`,
    `momentum`, `weight_decay` and `n_jobs`, besides those of `NeuralModel`.

    Attributes
    ----------
    W1_, b1_, W2_, b2_ : ndarrays, shapes (d, h), (h,), (h, l) and (l,), float32
    activation_ : {"relu", None}
        That of the fit.
    """

    W1_: np.ndarray
    b1_: np.ndarray
    W2_: np.ndarray
    b2_: np.ndarray
    activation_: str | None

    n_components: int
    n_hidden: int
    activation: str | None
    dropout: float
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    n_jobs: int | None

    def _check_network(self) -> None:
        for name in ("n_components", "n_hidden", "n_epochs", "batch_size"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("learning_rate", self.learning_rate, low=0, strict=True)
        check_number("weight_decay", self.weight_decay, low=0)
        for name in ("momentum", "dropout"):
            check_number(name, getattr(self, name), low=0)
            if getattr(self, name) >= 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted less than 1")
        if self.activation not in ("relu", None):
            raise ValueError(f"activation is {self.activation!r}; wanted 'relu' or None")
        self._check_device()

    def _check_same_network(self) -> None:
        """ValueError if an argument asks for another network than the fitted one, which cannot go on as that."""
        fitted = {"n_hidden": len(self.b1_), "n_components": len(self.b2_), "activation": self.activation_}
        for name, value in fitted.items():
            if getattr(self, name) != value:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted {value!r} as in the fit, or a new fit")

    def _network_bytes(self, n: int, d: int) -> int:
        """Of training and prediction, at the peak.

        The weights are there four times: themselves, gradients, momentum, and the copy that prediction reads; a
        checkpoint has weights and momentum twice, as they are and as the file's bytes.
        """
        weights = d * self.n_hidden + self.n_hidden * self.n_components
        copies = 4 if self.checkpoint_dir is None else 8
        return 4 * (copies * weights + min(n, _BATCH) * (self.n_hidden + 2 * self.n_components))

    def _network(self, X: sparse.csr_array, Y: sparse.csr_array, V: np.ndarray) -> tuple[Any, Any]:
        """The network and its descent to the places that V gives: from scratch, or from the weights that are there."""
        from xmlwb.solvers.deep_embedding import DeepEmbedding, EmbeddingDescent

        device = device_of(self.device)
        with seeded(self.random_state, 2**31, device):
            net = DeepEmbedding((X.shape[1], self.n_hidden, self.n_components), self.activation, self.dropout)
        if hasattr(self, "W1_"):
            net.put({name: getattr(self, f"{name}_") for name in _WEIGHTS})
        descent = EmbeddingDescent(
            net.to(device), X, Y, V, batch_size=self.batch_size, learning_rate=self.learning_rate,
            momentum=self.momentum, weight_decay=self.weight_decay,
        )  # fmt: skip
        if not descent.n_instances:
            warnings.warn(
                "the labels of no instance lie anywhere in the label embedding, as where no two labels occur together: "
                "nothing trains the network",
                UserWarning,
                stacklevel=5,
            )
        return net, descent

    def _keep_weights(self, net: Any) -> None:
        self.activation_ = net.activation
        for name in _WEIGHTS:
            setattr(self, f"{name}_", getattr(net, name).detach().cpu().numpy().copy())

    def _embed(self, X: sparse.csr_array) -> np.ndarray:
        """f_x of the rows of X: (n, l), of unit length; 0 where the network answers with 0."""
        embedded = np.empty((X.shape[0], len(self.b2_)), dtype=np.float32)
        for begin in range(0, X.shape[0], _BATCH):
            rows = slice(begin, begin + _BATCH)
            hidden = times_dense(X[rows], self.W1_, n_jobs=self.n_jobs)
            hidden += self.b1_
            if self.activation_ == "relu":
                np.maximum(hidden, 0, out=hidden)
            embedded[rows] = normalize(hidden @ self.W2_ + self.b2_, copy=False)
        return embedded

    def _check_state(self) -> None:
        super()._check_state()
        h, width = self.W1_.shape[1], self.W2_.shape[1]
        self._require_shapes(W1_=(self.n_features_in_, h), b1_=(h,), W2_=(h, width), b2_=(width,))
        if self.activation_ not in ("relu", None):
            raise ValueError(f"activation_ is {self.activation_!r}; wanted 'relu' or None")
