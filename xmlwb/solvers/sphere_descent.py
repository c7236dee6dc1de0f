r"""One epoch of algorithm 2 of GLaS: batches, drawn labels, input dropout, loss, regulariser, steps for w and V."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag, normalize

from xmlwb.solvers import label_regularizers, sphere_losses
from xmlwb.solvers.label_affinity import submatrix
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.sparse_rows import shuffled_batches
from xmlwb.solvers.sphere_network import SphereNetwork
from xmlwb.solvers.torch_runs import low_precision


class SphereDescent:
    def __init__(
        self,
        net: SphereNetwork,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        U: sparse.csr_array | None,
        *,
        loss: str,
        margin: float,
        n_negatives: int | None,
        n_hardest: int,
        regularizer: str | None,
        regularization: float,
        keep_probability: float,
        batch_size: int,
        learning_rate: float,
        label_learning_rate: float,
    ) -> None:
        self.net, self.U = net, U
        self.loss, self.margin, self.n_negatives, self.n_hardest = loss, margin, n_negatives, n_hardest
        self.regularizer, self.regularization = regularizer, regularization
        self.keep_probability, self.batch_size = keep_probability, batch_size
        self.learning_rate, self.label_learning_rate = learning_rate, label_learning_rate
        self.device = net.scale.device
        self._rows = np.flatnonzero(np.diff(Y.indptr))
        self._X, self._Y = X, Y
        self.optimizer = torch.optim.Adam(net.parameters(), lr=0.003)

    def epoch(self, rng: np.random.Generator) -> dict[str, float]:
        start = time.perf_counter()
        totals = torch.zeros(2, device=self.device)
        norms = self.net.features.table.norm(dim=0)
        for batch in shuffled_batches(len(self._rows), self.batch_size, rng):
            totals += self._step(self._rows[batch], rng) * len(batch)
            norms = self.net.features.table.norm(dim=0)
        loss, regularizer = (float(total) / max(1, len(self._rows)) for total in totals)
        seconds = time.perf_counter() - start
        return {"loss": loss, "regularizer": regularizer, "instances/s": len(self._rows) / seconds}

    def _step(self, batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        net = self.net
        X_b, Y_b = self._X[batch], self._Y[batch]
        if self.keep_probability < 1:
            X_b.data *= rng.random(X_b.nnz, dtype=np.float32) < self.keep_probability
        drawn = Y_b.indices[Y_b.indptr[:-1] + (rng.random(len(batch)) * np.diff(Y_b.indptr)).astype(np.int64)]
        # candidates
        K = self._Y.shape[1]
        if self.n_negatives is None:
            C, column = None, np.arange(K)
        else:
            C = np.unique(np.concatenate([rng.integers(K, size=self.n_negatives), Y_b.indices]))
            column = np.full(K, -1)
            column[C] = np.arange(len(C))
        rows = np.repeat(np.arange(len(batch)), np.diff(Y_b.indptr))
        positives = (torch.as_tensor(rows), torch.as_tensor(column[Y_b.indices]))
        at = torch.as_tensor(column[drawn])

        table = net.features.table
        if self.keep_probability < 1:
            X_b.eliminate_zeros()
        first = torch.from_numpy(times_dense(X_b, table.numpy(), n_jobs=torch.get_num_threads())).requires_grad_()
        directions = (net.labels.table if C is None else net.labels.table[torch.as_tensor(C)]).requires_grad_()
        phi, s = net(first, table.norm(dim=0))
        V = normalize(directions)
        S = s * phi @ V.T
        if self.loss == "softmax":
            losses = sphere_losses.softmax_loss(S, positives)
        elif self.loss == "margin":
            losses = sphere_losses.margin_loss(S, positives, at, self.margin)
        else:
            losses = sphere_losses.negative_mining_loss(S, positives, at, self.margin, self.n_hardest)
        loss = losses.mean()
        R = torch.zeros(())
        if self.regularizer is not None:
            V_b = V[at]
            if self.regularizer == "spread-out":
                R = label_regularizers.spread_out(V_b)
            elif self.regularizer == "gravity":
                R = label_regularizers.gravity(phi, V_b)
            else:
                U_b = torch.from_numpy(submatrix(self.U, drawn))
                R = (label_regularizers.laplacian if self.regularizer == "laplacian" else label_regularizers.glas)(
                    V_b, U_b
                )
        self.optimizer.zero_grad()
        (loss + self.regularization * R).backward()
        self.optimizer.step()
        T = X_b.tocsc()
        f = np.flatnonzero(np.diff(T.indptr))
        T = sparse.csr_array((T.data, T.indices, np.append(T.indptr[f], T.indptr[-1])), shape=(len(f), len(batch)))
        g = times_dense(T, first.grad.numpy(), n_jobs=torch.get_num_threads())
        net.features.move(torch.from_numpy(f), torch.from_numpy(g), self.learning_rate)
        net.labels.table.requires_grad_(False)
        net.labels.move(None if C is None else torch.as_tensor(C), directions.grad, self.label_learning_rate)
        net.labels.table.grad = None
        return torch.stack([loss.detach(), R.detach()])
