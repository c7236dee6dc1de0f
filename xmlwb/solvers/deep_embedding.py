r"""The network of DXML and one epoch of its descent."""

from __future__ import annotations

import time

import numpy as np
import torch
from scipy import sparse
from torch import nn
from torch.nn.functional import normalize, smooth_l1_loss

from xmlwb.solvers.label_means import with_direction
from xmlwb.solvers.sparse_rows import Bags, SparseRows, apply_bags, shuffled_batches
from xmlwb.solvers.torch_runs import low_precision, one_thread

#: Steps that pass over fewer weights than this run in one thread.
SMALL = 1_000_000


class DeepEmbedding(nn.Module):
    """Two linear layers over sparse features, dropout, unit length.

    Parameters
    ----------
    widths : tuple of int
        d, h, l: features, hidden units, dimensions of the embedding.
    activation : {"relu", None}
    dropout : float

    Notes
    -----
    W1 starts nearly at 0: what rare features would add at random stays small against what frequent ones learn, and is
    all that a rare feature of a new instance ever adds.
    """

    def __init__(self, widths: tuple[int, int, int], activation: str | None, dropout: float) -> None:
        super().__init__()
        d, h, width = widths
        self.W1 = nn.Parameter(0.01 * torch.randn(d, h))
        self.b1 = nn.Parameter(torch.zeros(h))
        self.W2 = nn.Parameter(0.64 / h**0.5 * torch.randn(h, width))
        self.b2 = nn.Parameter(torch.zeros(width))
        self.activation = activation
        self.dropout = nn.Dropout(dropout)

    def put(self, weights: dict[str, np.ndarray]) -> None:
        """Take these weights, by name."""
        self.load_state_dict({name: torch.from_numpy(np.array(values)) for name, values in weights.items()})

    def forward(self, bags: Bags) -> torch.Tensor:
        """f_x, shape (instances, l), rows of unit length."""
        hidden = apply_bags(bags, self.W1) + self.b1
        if self.activation == "relu":
            hidden = torch.relu(hidden)
        return normalize(self.dropout(hidden @ self.W2 + self.b2).float())


class EmbeddingDescent:
    """Mini-batch descent that moves f_x to f_y.

    Parameters
    ----------
    net : DeepEmbedding
        On the device where it is to learn; X and Y go there whole.
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
        Instances whose labels' vectors are 0 or cancel out are passed over.
    V : ndarray, shape (L, l), float32
        Label embeddings.
    batch_size : int
    learning_rate, momentum, weight_decay : float
    """

    def __init__(
        self,
        net: DeepEmbedding,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        V: np.ndarray,
        *,
        batch_size: int,
        learning_rate: float,
        momentum: float,
        weight_decay: float,
    ) -> None:
        self.net, self.batch_size, self.device = net, batch_size, net.W1.device
        self.optimizer = torch.optim.SGD(
            net.parameters(),
            lr=learning_rate,
            momentum=momentum,
            weight_decay=weight_decay,
            fused=self.device.type in ("cpu", "cuda"),
        )
        self._rows = with_direction(Y, V)
        self._X, self._Y = SparseRows(X, self.device), SparseRows(Y, self.device)
        self._V = torch.as_tensor(V, device=self.device)

    @property
    def n_instances(self) -> int:
        """How many instances there are to learn from."""
        return len(self._rows)

    def epoch(self, rng: np.random.Generator) -> dict[str, float]:
        """Every instance once, in an order that rng draws; the mean loss and the instances a second."""
        with one_thread(self.net.W1.numel() < SMALL):
            return self._epoch(rng)

    def _epoch(self, rng: np.random.Generator) -> dict[str, float]:
        start = time.perf_counter()
        self.net.train()
        total = torch.zeros((), device=self.device)
        for batch in shuffled_batches(len(self._rows), self.batch_size, rng):
            rows = torch.as_tensor(self._rows[batch], device=self.device)
            f_y = normalize(apply_bags(self._Y.bags(rows), self._V))
            with low_precision(self.device):
                f_x = self.net(self._X.bags(rows))
            loss = smooth_l1_loss(f_x, f_y, reduction="sum") / len(batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            total += loss.detach() * len(batch)
        self.net.eval()
        loss_of_one = float(total) / max(1, len(self._rows))  # waits for the device
        return {"loss": loss_of_one, "instances/s": len(self._rows) / (time.perf_counter() - start)}
