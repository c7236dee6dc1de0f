r"""One epoch of GLaS's algorithm 2: batches, drawn labels, input dropout, loss, regulariser, steps for w and V.

What a step reads is put together on the CPU by one thread, before the device starts: rows of X and Y, the features that
occur, the affinities of the batch. On a fast GPU this limits a step, not the GPU's memory: nothing is prepared while
the device computes. Only what is of the size B x B is spread out on the device.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import normalize

from xmlwb.solvers import label_regularizers, sphere_losses
from xmlwb.solvers.label_affinity import distinct_submatrix, submatrix
from xmlwb.solvers.process_group import Ranks, share_gradients
from xmlwb.solvers.sparse_input import SparseInput
from xmlwb.solvers.sparse_rows import shuffled_batches
from xmlwb.solvers.sphere_network import SphereNetwork
from xmlwb.solvers.torch_runs import low_precision


@dataclass(frozen=True)
class Recipe:
    """What a descent minimises, and how; see `xmlwb.models.EmbeddingClassifier` for each of them."""

    loss: str
    margin: float
    n_negatives: int | None
    n_hardest: int
    regularizer: str | None
    regularization: float
    keep_probability: float
    batch_size: int
    learning_rate: float
    label_learning_rate: float


class SphereDescent:
    """Mini-batch descent on a network and the label embeddings.

    Where several processes train together, each has its share of every batch, and all know the whole of it: they draw
    the same random numbers. DistributedDataParallel averages the gradients of the network's small parameters; those of
    the rows of the two tables that the batch reads are summed here.

    Parameters
    ----------
    net : SphereNetwork
        On the device where it is to learn.
    X : csr_array, shape (n, features), float32
    Y : csr_array, shape (n, K)
        Instances without labels are passed over.
    U : csr_array, shape (K, K), or None
        What `affinity` returned, for the regularisers that need it.
    recipe : Recipe
    ranks : Ranks
    """

    def __init__(
        self,
        net: SphereNetwork,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        U: sparse.csr_array | None,
        recipe: Recipe,
        ranks: Ranks | None = None,
    ) -> None:
        self.net, self.recipe, self.device = net, recipe, net.log_scale.device
        self._X, self._Y, self._U, self._ranks = X, Y, U, ranks or Ranks()
        self._rows = np.flatnonzero(np.diff(Y.indptr))
        self._log_inclusion = self._of_candidates()
        # these few parameters move all instances at once, so by less
        self.optimizer = torch.optim.Adam(net.parameters(), lr=recipe.learning_rate / 1000)
        self._shared = net if self._ranks.size == 1 else share_gradients(net)

    def _of_candidates(self) -> dict[int, torch.Tensor]:
        """The logarithm of each label's probability to be among a batch's candidates, by the batch's size.

        As if rows were drawn with replacement. The last batch counts as a whole one if at least half of one is left:
        so were the runs of the stored studies made.
        """
        size, n, K = self.recipe.batch_size, len(self._rows), self._Y.shape[1]
        if self.recipe.n_negatives is None:
            return {}
        share = np.bincount(self._Y.indices, minlength=K) / max(1, n)
        found = {}
        for instances in (size, n % size):
            missed = (1 - share) ** (instances if 2 * instances < size else size)
            missed = missed * (1 - 1 / max(1, K)) ** self.recipe.n_negatives
            found[instances] = torch.as_tensor(np.log1p(-missed), dtype=torch.float32, device=self.device)
        return found

    def epoch(self, rng: np.random.Generator) -> dict[str, float]:
        """Every instance once, in an order that rng draws; means of the loss and of the regulariser."""
        start = time.perf_counter()
        self.net.features.sum_up_anew()
        totals = torch.zeros(2, device=self.device)
        for batch in shuffled_batches(len(self._rows), self.recipe.batch_size, rng):
            totals += self._step(self._rows[batch], rng)
        n = max(1, len(self._rows))
        loss, regularizer = (self._ranks.add_up(totals) / n).tolist()  # waits for the device
        return {"loss": loss, "regularizer": regularizer, "instances/s": n / (time.perf_counter() - start)}

    def _step(self, batch: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
        """One step on a batch; the sums of loss and regulariser over this process's share of it."""
        recipe, own = self.recipe, self._ranks.own(len(batch))
        X_b, Y_b = self._X[batch], self._Y[batch]
        if recipe.keep_probability < 1:
            X_b.data *= rng.random(X_b.nnz, dtype=np.float32) < recipe.keep_probability
            X_b.eliminate_zeros()
        features = np.flatnonzero(np.bincount(X_b.indices, minlength=X_b.shape[1]))
        drawn = Y_b.indices[Y_b.indptr[:-1] + (rng.random(len(batch)) * np.diff(Y_b.indptr)).astype(np.int64)]
        candidates, column = self._candidates(Y_b, rng)

        first = SparseInput(X_b[own], features, self.net.features.table)
        rows = None if candidates is None else self._put(candidates)
        directions = self.net.labels.table if rows is None else self.net.labels.table[rows]
        directions = directions.detach().requires_grad_()
        with low_precision(self.device):
            phi, s = self._shared(first.product)
            V = normalize(directions)
            S = s * (phi @ V.T)
        log_inclusion = None if rows is None else self._log_inclusion[len(batch)][rows]
        losses = self._losses(S.float(), Y_b[own], column, drawn[own], log_inclusion)
        R = self._regularizer(V[self._put(column[drawn])], drawn, phi, own.start)
        # DistributedDataParallel takes the mean over the processes
        share = self._ranks.size / len(batch)
        (share * losses.sum() + recipe.regularization * R).backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
        for table, moved, gradient, rate in (
            (self.net.features, self._put(features), first.gradient(), recipe.learning_rate),
            (self.net.labels, rows, directions.grad, recipe.label_learning_rate),
        ):
            table.move(moved, self._ranks.add_up(gradient) / self._ranks.size, rate)
        return torch.stack([losses.detach().sum(), R.detach() * len(losses)])

    def _candidates(self, Y_b: sparse.csr_array, rng: np.random.Generator) -> tuple[np.ndarray | None, np.ndarray]:
        """The labels that are scored, None for all: the batch's own and drawn ones; and each label's column in S."""
        K = Y_b.shape[1]
        if self.recipe.n_negatives is None:
            return None, np.arange(K)
        candidates = np.unique(np.concatenate([rng.integers(K, size=self.recipe.n_negatives), Y_b.indices]))
        column = np.full(K, -1)
        column[candidates] = np.arange(len(candidates))
        return candidates, column

    def _losses(
        self,
        S: torch.Tensor,
        Y_own: sparse.csr_array,
        column: np.ndarray,
        drawn: np.ndarray,
        log_inclusion: torch.Tensor | None,
    ) -> torch.Tensor:
        instances = np.repeat(np.arange(len(drawn)), np.diff(Y_own.indptr))
        positives = self._put(instances), self._put(column[Y_own.indices])
        if self.recipe.loss == "softmax":
            return sphere_losses.softmax_loss(S, positives, log_inclusion=log_inclusion)
        at, margin = self._put(column[drawn]), self.recipe.margin
        if self.recipe.loss == "margin":
            return sphere_losses.margin_loss(S, positives, at, margin=margin, log_inclusion=log_inclusion)
        return sphere_losses.negative_mining_loss(S, positives, at, margin=margin, n_hardest=self.recipe.n_hardest)

    def _regularizer(self, V_b: torch.Tensor, drawn: np.ndarray, phi: torch.Tensor, first: int) -> torch.Tensor:
        kind = self.recipe.regularizer
        if kind is None:
            return V_b.new_zeros(())
        if kind == "spread-out":
            return label_regularizers.spread_out(V_b)
        if kind == "gravity":
            share = len(phi) * self._ranks.size / len(V_b)
            return share * label_regularizers.gravity(phi, V_b, first=first)
        assert self._U is not None
        U_b = self._affinities(self._U, drawn)
        return (label_regularizers.laplacian if kind == "laplacian" else label_regularizers.glas)(V_b, U_b)

    def _affinities(self, U: sparse.csr_array, drawn: np.ndarray) -> torch.Tensor:
        """The B x B affinities of the drawn labels; a device gets the block of the distinct ones and spreads it out."""
        if self.device.type == "cpu":
            return self._put(submatrix(U, drawn))
        own, place = (self._put(part) for part in distinct_submatrix(U, drawn))
        return own[place][:, place]

    def _put(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)
