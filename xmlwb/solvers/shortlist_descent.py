r"""LightDXML's extreme classifier: it and the word vectors learn together from positives and shortlisted negatives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import normalize

from xmlwb.solvers.adagrad_rows import AdagradRows
from xmlwb.solvers.label_pairs import label_pairs
from xmlwb.solvers.row_adam import RowAdam
from xmlwb.solvers.shortlist_loss import ShortlistLoss
from xmlwb.solvers.sparse_input import SparseInput
from xmlwb.solvers.sparse_rows import shuffled_batches
from xmlwb.solvers.torch_runs import small_steps

#: Lengths of features that count as 0.
_EPS = 1e-6


@dataclass(frozen=True)
class Recipe:
    """What a descent minimises, and how; see `xmlwb.models.LightDXML` for each of them."""

    activation: str | None
    scale: float
    keep_probability: float
    batch_size: int
    learning_rate: float
    word_learning_rate: float
    n_random: int
    freeze_features: bool


def row_table(table: np.ndarray, optimizer: str, start: float) -> RowAdam | AdagradRows:
    """A copy of a table whose rows move by Adam or by Adagrad."""
    rows = torch.from_numpy(table.astype(np.float32))
    return RowAdam(rows) if optimizer == "adam" else AdagradRows(rows, start=start)


class ShortlistDescent:
    r"""Mini-batch descent on word vectors E and classifiers W.

    .. math:: \min_{E, W} \sum_i \sum_{j \in P_i \cup S_i} \mathrm{BCE}\bigl(s\, \hat x_i^\top w_j + b_j,\; y_{ij}\bigr)

    Parameters
    ----------
    words : RowAdam or AdagradRows
        E, (d, D), on the device where it is to learn.
    labels : RowAdam or AdagradRows
        W and, in the last column, b: (L, D + 1).
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
    among : ndarray of int
        The labels that random negatives are drawn from.
    recipe : Recipe

    Notes
    -----
    Time of an epoch O(nnz(X) D + n (k + n_random) D).
    """

    def __init__(
        self,
        words: RowAdam | AdagradRows,
        labels: RowAdam | AdagradRows,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        among: np.ndarray,
        recipe: Recipe,
    ) -> None:
        self.words, self.labels, self.recipe = words, labels, recipe
        self._X, self._Y, self._among = X, Y, among
        self._device = words.table.device

    def epoch(
        self, shortlists: np.ndarray | None, rng: np.random.Generator, *, slower: float = 1.0
    ) -> dict[str, float]:
        """Every instance once, in an order that rng draws.

        Parameters
        ----------
        shortlists : ndarray, shape (n, k), int32, or None
            S; -1 is no label. None: random negatives alone.
        rng : numpy Generator
        slower : float
            The learning rate is multiplied by it.

        Returns
        -------
        dict
            "loss": the mean over instances of the sum over their labels. "negative hardness": the mean sigmoid score of
            negatives.
        """
        with small_steps():
            return self._epoch(shortlists, rng, slower)

    def _epoch(self, shortlists: np.ndarray | None, rng: np.random.Generator, slower: float) -> dict[str, float]:
        n, recipe = self._X.shape[0], self.recipe
        totals, n_negatives = torch.zeros(2, device=self._device), 0
        for batch in shuffled_batches(n, recipe.batch_size, rng):
            X_b = self._X[batch]
            if recipe.keep_probability < 1:
                X_b.data *= rng.random(X_b.nnz, dtype=np.float32) < recipe.keep_probability
                X_b.eliminate_zeros()
            pairs = label_pairs(self._Y, batch, shortlists, self._among, recipe.n_random, rng)
            features = np.flatnonzero(np.bincount(X_b.indices, minlength=X_b.shape[1]))
            first = SparseInput(X_b, features, self.words.table)
            of_batch = ShortlistLoss(self._with_one(first.product), self.labels.table, pairs)
            of_batch.loss.backward()
            self.labels.move(of_batch.rows, of_batch.gradient(), recipe.learning_rate * slower)
            if not recipe.freeze_features:
                rows = torch.from_numpy(features).to(self._device)
                self.words.move(rows, first.gradient(), recipe.word_learning_rate * slower)
            negative = torch.from_numpy(~pairs.positive).to(self._device)
            hard = of_batch.scores[negative].sigmoid().sum()
            totals += torch.stack([of_batch.loss.detach() * len(batch), hard])
            n_negatives += int(np.count_nonzero(~pairs.positive))
        loss, hard = totals.tolist()
        return {"loss": loss / max(1, n), "negative hardness": hard / max(1, n_negatives)}

    def _with_one(self, sums: torch.Tensor) -> torch.Tensor:
        """s x^ and a column of ones, (B, D + 1), from ``X @ E``."""
        x = torch.relu(sums) if self.recipe.activation == "relu" else sums
        x = normalize(x, eps=_EPS) * self.recipe.scale
        return torch.cat([x, x.new_ones(len(x), 1)], dim=1)
