r"""LightDXML's label encoder: a map from the mean of a label's instances to where the label lies among them."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn.functional import linear

from xmlwb.solvers.sparse_dense import times_dense, transposed
from xmlwb.solvers.sparse_rows import shuffled_batches
from xmlwb.solvers.torch_runs import small_steps


class LabelEncoder(nn.Module):
    r"""Two linear layers with nothing between them, and a ReLU, or none, behind them (equation 4 of the paper).

    .. math:: \hat y_j = Z_l(j) = \operatorname{ReLU}\bigl(W_2 (W_1 \mu_j + b_1) + b_2\bigr)

    Both layers start as the identity, plus normal noise of deviation 0.01 / sqrt(D) so that no two units are the same:
    a label begins near its centroid, which is where the squared distance to its instances is least.

    Parameters
    ----------
    width : int
        D, of the features, of the hidden layer and of the embedding.
    activation : {"relu", None}
        None is the released code's form.

    Examples
    --------
    >>> LabelEncoder(4, "relu")(torch.tensor([[1.0, -1.0, 0.0, 2.0]])).round().tolist()
    [[1.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, width: int, activation: str | None) -> None:
        super().__init__()
        self.activation = activation
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=0.01 / width**0.5)
            layer.weight.data += torch.eye(width)
            nn.init.zeros_(layer.bias)

    def forward(self, centroids: torch.Tensor) -> torch.Tensor:
        """The embeddings (m, D) of labels, by their centroids (m, D)."""
        # the two maps as one, of D^2 numbers, before it meets the labels
        weight = self.second.weight @ self.first.weight
        z = linear(centroids, weight, self.second(self.first.bias))
        return torch.relu(z) if self.activation == "relu" else z


def centroids(Y: sparse.csr_array, features: np.ndarray, *, n_jobs: int | None = None) -> np.ndarray:
    """mu: the mean of the features (n, D) of each label's instances, (L, D) float32; 0 for a label without any.

    >>> centroids(sparse.csr_array(np.float32([[1, 0], [1, 0]])), np.float32([[0, 2], [2, 0]]))
    array([[1., 1.],
           [0., 0.]], dtype=float32)
    """
    sums = times_dense(transposed(Y), features, n_jobs=n_jobs)
    return sums / np.maximum(np.bincount(Y.indices, minlength=Y.shape[1]), 1).astype(np.float32)[:, None]


class LabelDescent:
    r"""Mini-batch descent on the label encoder, the features held still.

    .. math:: \min_{Z_l} \frac{1}{\operatorname{nnz}(Y)} \sum_{y_{ij} = 1} \log\bigl(1 + \|\hat x_i - Z_l(j)\|^2\bigr)

    Parameters
    ----------
    encoder : LabelEncoder
        On the device where it is to learn.
    features : ndarray, shape (n, D), float32
        x^.
    centroids : ndarray, shape (L, D), float32
        mu.
    Y : csr_array, shape (n, L)
    optimizer : torch.optim.Optimizer
        Over the encoder's parameters.
    batch_size : int
        Pairs (i, j) of a step. Of the labels that occur in it each is embedded once.

    Notes
    -----
    Time of an epoch O(nnz(Y) D + steps x (labels of a step + D) x D^2).
    """

    def __init__(
        self,
        encoder: LabelEncoder,
        features: np.ndarray,
        centroids: np.ndarray,
        Y: sparse.csr_array,
        optimizer: torch.optim.Optimizer,
        *,
        batch_size: int,
    ) -> None:
        self.encoder, self.optimizer, self._batch_size = encoder, optimizer, batch_size
        self._device = encoder.first.weight.device
        self._features, self._centroids = (torch.from_numpy(part).to(self._device) for part in (features, centroids))
        self._instances = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))
        self._labels = Y.indices

    def epoch(self, rng: np.random.Generator) -> float:
        """Every pair once, in an order that rng draws; the mean loss."""
        with small_steps():
            return self._epoch(rng)

    def _epoch(self, rng: np.random.Generator) -> float:
        total = torch.zeros((), device=self._device)
        for batch in shuffled_batches(len(self._labels), self._batch_size, rng):
            labels, of_pair = np.unique(self._labels[batch], return_inverse=True)
            rows, own, pair = (
                torch.from_numpy(part.astype(np.int64)).to(self._device)
                for part in (self._instances[batch], labels, of_pair)
            )
            apart = self._features[rows] - self.encoder(self._centroids[own])[pair]
            loss = torch.log1p((apart * apart).sum(dim=1)).mean()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(batch)
        return float(total) / max(1, len(self._labels))

    @torch.no_grad()
    def embeddings(self) -> np.ndarray:
        """Z_l of all labels, (L, D) float32."""
        return self.encoder(self._centroids).cpu().numpy()
