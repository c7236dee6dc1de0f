r"""The modules of Astec that are trained: the encoder with its surrogate task, the classifier over shortlists.

The encoder sends an instance to the direction :math:`\phi(x)` of :math:`\mathrm{ReLU}(E^\top x)`, a weighted sum of
word vectors.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import normalize, softplus

from xmlwb.solvers.adagrad_rows import AdagradRows
from xmlwb.solvers.label_pairs import label_pairs
from xmlwb.solvers.shortlist_loss import ShortlistLoss
from xmlwb.solvers.sparse_input import SparseInput
from xmlwb.solvers.sparse_rows import shuffled_batches
from xmlwb.solvers.spectral_residual import SpectralResidual
from xmlwb.solvers.torch_runs import low_precision, small_steps

#: Lengths of sums of word vectors that count as 0.
_EPS = 1e-6
#: Adagrad's sums of squared gradients start with the square of it.
_START = 0.01
#: The few parameters that move all instances at once move by Adam, at this part of the word vectors' rate.
_ADAM = 0.1


class BagEncoder(torch.nn.Module):
    """phi, of length 1, with dropout behind it while it is trained.

    Parameters
    ----------
    vectors : ndarray, shape (d, D), float32
        What the word vectors E start with; copied.
    dropout : float
    """

    def __init__(self, vectors: np.ndarray, dropout: float) -> None:
        super().__init__()
        self.words = AdagradRows(torch.from_numpy(vectors.copy()), start=_START)
        self.dropout = torch.nn.Dropout(dropout)

    def forward(self, sums: torch.Tensor) -> torch.Tensor:
        """phi (B, D) of ``sums`` (B, D), which is X @ E."""
        return self.dropout(normalize(torch.relu(sums), eps=_EPS))


class SurrogateTask(torch.nn.Module):
    r"""Module 1: which clusters does an instance have labels of? One linear classifier over all of them.

    .. math:: \min_{E, W, b} \frac1n \sum_i \sum_c \mathrm{BCE}\bigl(s\, w_c^\top \phi(x_i) + b_c,\; y_{ic}\bigr)

    Parameters
    ----------
    encoder : BagEncoder
    n_clusters : int
    scale : float
        s.
    """

    def __init__(self, encoder: BagEncoder, n_clusters: int, scale: float) -> None:
        super().__init__()
        self.encoder, self.scale = encoder, scale
        self.clusters = torch.nn.Linear(encoder.words.table.shape[1], n_clusters)
        torch.nn.init.zeros_(self.clusters.weight)
        torch.nn.init.zeros_(self.clusters.bias)


@dataclass(frozen=True)
class Pace:
    """How a stage is trained; see `xmlwb.models.Astec`."""

    batch_size: int
    learning_rate: float
    label_learning_rate: float
    keep_probability: float


class SurrogateDescent:
    """Mini-batch descent on the surrogate task: Adagrad on the word vectors that a batch reads, Adam on the rest.

    Parameters
    ----------
    task : SurrogateTask
        On the device where it is to learn.
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, clusters), float32
    pace : Pace

    Notes
    -----
    Time of an epoch O(nnz(X) D + n D clusters).
    """

    def __init__(self, task: SurrogateTask, X: sparse.csr_array, Y: sparse.csr_array, pace: Pace) -> None:
        self.task, self._X, self._Y, self._pace = task, X, Y, pace
        self.device = task.clusters.weight.device
        self.optimizer = torch.optim.Adam(task.clusters.parameters(), lr=_ADAM * pace.learning_rate)

    def epoch(self, rng: np.random.Generator, *, slower: float = 1.0) -> float:
        """Every instance once, in an order that rng draws; the mean loss. Rates are multiplied by `slower`."""
        with small_steps():
            return self._epoch(rng, slower)

    def _epoch(self, rng: np.random.Generator, slower: float) -> float:
        rate = self._pace.learning_rate * slower
        self.optimizer.param_groups[0]["lr"] = _ADAM * rate
        self.task.train()
        total = torch.zeros((), dtype=torch.float32, device=self.device)
        for batch in shuffled_batches(self._X.shape[0], self._pace.batch_size, rng):
            Y_b = self._Y[batch]
            first, words = _first_layer(self._X[batch], self.task.encoder, self._pace.keep_probability, rng)
            with low_precision(self.device):
                z = self.task.clusters(self.task.scale * self.task.encoder(first.product)).float()
            at = np.repeat(np.arange(len(batch)), np.diff(Y_b.indptr)), Y_b.indices.astype(np.int64)
            positive = z[tuple(torch.from_numpy(part).to(self.device) for part in at)]
            loss = (softplus(z).sum() - positive.sum()) / len(batch)  # BCE(z, y) = log(1 + e^z) - y z
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            rows = torch.from_numpy(words).to(self.device)
            self.task.encoder.words.move(rows, first.gradient(), rate)
            total += loss.detach() * len(batch)
        self.task.eval()
        return float(total) / max(1, self._X.shape[0])


def _first_layer(
    X_b: sparse.csr_array, encoder: BagEncoder, keep_probability: float, rng: np.random.Generator
) -> tuple[SparseInput, np.ndarray]:
    """The sums of a batch's word vectors, each word left out with 1 - keep_probability, and which words these are."""
    if keep_probability < 1:
        X_b.data *= rng.random(X_b.nnz, dtype=np.float32) < keep_probability
        X_b.eliminate_zeros()
    words = np.flatnonzero(np.bincount(X_b.indices, minlength=X_b.shape[1]))
    return SparseInput(X_b, words, encoder.words.table), words


class ShortlistClassifier(torch.nn.Module):
    r"""Modules 3 and 4: :math:`w_l^\top \rho(s\, \phi(x)) + b_l`, rho a `SpectralResidual`; the re-ranker too.

    Parameters
    ----------
    n_labels, width : int
        L and D.
    scale : float
        s.
    bound : float
        Of rho.
    dropout : float
        Behind the ReLU of rho.
    encoder : BagEncoder or None
        The re-ranker's own; None where phi stays as it is and is given.

    Attributes
    ----------
    labels : AdagradRows
        (L, D + 1): the last column is b.
    """

    def __init__(
        self,
        n_labels: int,
        width: int,
        *,
        scale: float,
        bound: float,
        dropout: float,
        encoder: BagEncoder | None = None,
    ) -> None:
        super().__init__()
        self.scale = scale
        self.residual = SpectralResidual(width, bound=bound, dropout=dropout)
        self.labels = AdagradRows(torch.zeros(n_labels, width + 1), start=_START)
        self.encoder = encoder

    def weights(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """R, r, W, b for `ResidualClassifier`, which reads phi without s: r / s and s W."""
        R, r = self.residual.weights()
        table = self.labels.table.detach().cpu().numpy()
        s = np.float32(self.scale)
        return R, r / s, np.ascontiguousarray(table[:, :-1]) * s, table[:, -1].copy()


class ClassifierDescent:
    """Mini-batch descent on a classifier: each instance learns from its own labels, its shortlist and some at random.

    Parameters
    ----------
    net : ShortlistClassifier
        On the device where it is to learn.
    X : csr_array, shape (n, d), or ndarray, shape (n, D), float32
        With an encoder the features, without one phi of the instances.
    Y : csr_array, shape (n, L), float32
    shortlists : ndarray, shape (n, k), int32
    among : ndarray of int
        The labels that random ones are drawn from.
    n_random : int
    pace : Pace

    Attributes
    ----------
    hardness : float
        Mean sigmoid score of the shortlisted negatives in the last epoch.

    Notes
    -----
    Time of an epoch O(n (k + n_random + D) D), with an encoder O(nnz(X) D) besides.
    """

    def __init__(
        self,
        net: ShortlistClassifier,
        X: sparse.csr_array | np.ndarray,
        Y: sparse.csr_array,
        shortlists: np.ndarray,
        among: np.ndarray,
        n_random: int,
        pace: Pace,
    ) -> None:
        self.net, self._X, self._Y, self._pace = net, X, Y, pace
        self._shortlists, self._among, self._n_random = shortlists, among, n_random
        self.device = net.labels.table.device
        self.optimizer = torch.optim.Adam(net.residual.parameters(), lr=_ADAM * pace.learning_rate)
        self.hardness = 0.0

    def epoch(self, rng: np.random.Generator, *, slower: float = 1.0) -> float:
        """Every instance once, in an order that rng draws; the mean loss. Rates are multiplied by `slower`."""
        with small_steps():
            return self._epoch(rng, slower)

    def _epoch(self, rng: np.random.Generator, slower: float) -> float:
        rate = self._pace.learning_rate * slower
        self.optimizer.param_groups[0]["lr"] = _ADAM * rate
        self.net.train()
        total, hard = torch.zeros(2, device=self.device), 0
        for batch in shuffled_batches(self._Y.shape[0], self._pace.batch_size, rng):
            pairs = label_pairs(self._Y, batch, self._shortlists, self._among, self._n_random, rng)
            if self.net.encoder is None:
                phi = torch.from_numpy(self._X[batch]).to(self.device)
            else:
                first, words = _first_layer(self._X[batch], self.net.encoder, self._pace.keep_probability, rng)
                phi = self.net.encoder(first.product)
            x = self.net.residual(self.net.scale * phi)
            x = torch.cat([x, x.new_ones(len(batch), 1)], dim=1)
            of_batch = ShortlistLoss(x, self.net.labels.table, pairs)
            self.optimizer.zero_grad()
            of_batch.loss.backward()
            self.optimizer.step()
            self.net.labels.move(of_batch.rows, of_batch.gradient(), self._pace.label_learning_rate * slower)
            if self.net.encoder is not None:
                rows = torch.from_numpy(words).to(self.device)
                self.net.encoder.words.move(rows, first.gradient(), rate)
            negative = torch.from_numpy(~pairs.positive).to(self.device)
            total += torch.stack([of_batch.loss.detach() * len(batch), of_batch.scores[negative].sigmoid().sum()])
            hard += int(np.count_nonzero(~pairs.positive))
        self.net.eval()
        loss, scores = total.tolist()
        self.hardness = scores / max(1, hard)
        return loss / max(1, self._Y.shape[0])
