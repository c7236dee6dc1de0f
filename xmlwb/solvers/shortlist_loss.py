r"""Binary cross-entropy of each instance over its own few labels: no score of any other label, no gradient for it.

A classifier over L labels learns from instances that each name their candidates, positives and hard negatives. What is
computed is a sampled product of two dense matrices, and its two transposes: scores :math:`z_{ij} = x_i^\top w_j` for
the pairs (i, j) alone, the gradient of x, and that of the rows of W that occur.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding_bag, softplus

from xmlwb.solvers.sampled_products import by_label, in_parts, label_gradients, scores_and_pulls
from xmlwb.solvers.torch_runs import kernel_threads

#: Entries of gathered label vectors that a device holds at a time: 1 GiB.
_GATHERED = 1 << 28


@dataclass(frozen=True)
class Candidates:
    """The labels that each instance of a batch learns from.

    Parameters
    ----------
    indptr : ndarray of int64, shape (B + 1,)
        Instance i has the entries ``indptr[i]`` to ``indptr[i + 1]``.
    labels : ndarray of int32, shape (P,)
        Each at most once in an instance.
    positive : ndarray of bool, shape (P,)
        Whether the label is one of the instance's.
    """

    indptr: np.ndarray
    labels: np.ndarray
    positive: np.ndarray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, rows: np.ndarray) -> Candidates:
        """Those of some instances, in that order."""
        lengths = self.indptr[rows + 1] - self.indptr[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        places = np.arange(indptr[-1]) + np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        return Candidates(indptr, self.labels[places], self.positive[places])


class ShortlistLoss:
    r"""The loss of a batch and, after it went backward, the gradient of the label vectors that it read.

    .. math:: \sum_{i} \omega_i \sum_{j \in C_i} \log\bigl(1 + e^{-z_{ij}}\bigr)\, \pi\, y_{ij}
              + \log\bigl(1 + e^{z_{ij}}\bigr) (1 - y_{ij}), \qquad z_{ij} = x_i^\top w_j

    Parameters
    ----------
    x : Tensor, shape (B, D), float32
        A part of the graph, or none.
    W : Tensor, shape (L, D), float32
        The label vectors, on the device of x; no part of the graph: see `gradient`. For a bias give x a column of ones.
    candidates : Candidates
        C.
    weights : ndarray, shape (B,), optional
        omega, 1 / B if not given: the sum over an instance's labels, the mean over instances.
    positive_weight : float
        pi.

    Attributes
    ----------
    loss : Tensor, shape ()
        A part of the graph of x.
    rows : Tensor of int64, shape (u,)
        The labels that occur, ascending.
    scores : Tensor, shape (P,), float32
        z, in the order of the candidates.

    Notes
    -----
    Time O(P D), memory O(P + u D). On the CPU compiled kernels share instances, then labels, out among torch's threads;
    each sum has one owner and one order, so that nothing depends on the number of threads. On a device, batched
    products of gathered label vectors, at most 1 GiB at a time; never a (B, L) array.

    Examples
    --------
    >>> x, W = torch.tensor([[1.0, 0.0]], requires_grad=True), torch.eye(2).repeat(2, 1)
    >>> pairs = Candidates(np.array([0, 2]), np.array([2, 1], dtype=np.int32), np.array([True, False]))
    >>> of_batch = ShortlistLoss(x, W, pairs)
    >>> of_batch.loss.backward()
    >>> of_batch.rows, of_batch.gradient()
    (tensor([1, 2]), tensor([[ 0.5000,  0.0000],
            [-0.2689,  0.0000]]))
    """

    def __init__(
        self,
        x: torch.Tensor,
        W: torch.Tensor,
        candidates: Candidates,
        *,
        weights: np.ndarray | None = None,
        positive_weight: float = 1.0,
    ) -> None:
        if len(x) != len(candidates) or x.shape[1] != W.shape[1]:  # the kernels do not look
            raise ValueError(
                f"x, W and candidates have shapes {tuple(x.shape)}, {tuple(W.shape)} and ({len(candidates)},), which "
                "do not fit together"
            )
        labels = candidates.labels
        if len(labels) and not (labels.min() >= 0 and labels.max() < len(W)):
            raise ValueError(f"candidates hold labels {labels.min()} to {labels.max()}; wanted 0 to {len(W) - 1}")
        if weights is None:
            weights = np.full(len(x), 1 / max(1, len(x)))
        omega = np.asarray(weights, dtype=np.float32)
        work = _on_cpu if x.device.type == "cpu" else _on_device
        loss, grad_x, self.rows, self._grad_W, self.scores = work(
            x.detach(), W.detach(), candidates, omega, positive_weight
        )
        self._upstream: list[torch.Tensor] = [] if x.requires_grad else [torch.ones_like(loss)]
        self.loss: torch.Tensor = _Precomputed.apply(x, loss, grad_x, self._upstream)

    def gradient(self) -> torch.Tensor:
        """Of the label vectors ``W[rows]``, (u, D), after the loss, or what was made of it, went backward.

        Where x needs no gradient nothing goes backward, and this is the gradient of the loss itself.
        """
        if not self._upstream:
            raise ValueError("the loss has not gone backward")
        return self._grad_W * self._upstream[-1]


class _Precomputed(torch.autograd.Function):
    """A scalar of x whose gradient is known already; what comes from above it is put into the list."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, loss: torch.Tensor, grad_x: torch.Tensor, above: list[torch.Tensor]) -> Any:
        ctx.save_for_backward(grad_x)
        ctx.above = above
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> Any:
        (grad_x,) = ctx.saved_tensors
        ctx.above.append(upstream[0])
        return grad_x * upstream[0], None, None, None


_Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def _on_cpu(
    x: torch.Tensor, W: torch.Tensor, candidates: Candidates, omega: np.ndarray, positive_weight: float
) -> _Parts:
    """Loss, gradient of x, the labels that occur, the gradient of their vectors, scores."""
    x_b, vectors = x.contiguous().numpy(), W.contiguous().numpy()
    indptr, labels, positive = candidates.indptr, candidates.labels, candidates.positive
    scores, pulls = np.empty(len(labels), dtype=np.float32), np.empty(len(labels), dtype=np.float32)
    grad_x, losses = np.zeros_like(x_b), np.zeros(len(x_b))
    n_threads, pi = kernel_threads(), np.float32(positive_weight)

    def of_rows(begin: int, end: int) -> None:
        scores_and_pulls(x_b, vectors, indptr, labels, positive, omega, pi, begin, end, scores, pulls, grad_x, losses)

    in_parts(of_rows, indptr, n_threads)
    rows, ptr, of_row, of_pair = by_label(indptr, labels, len(vectors))
    sorted_pulls, grad_W = pulls[of_pair], np.empty((len(rows), x_b.shape[1]), dtype=np.float32)

    def of_labels(begin: int, end: int) -> None:
        label_gradients(x_b, ptr, of_row, sorted_pulls, begin, end, grad_W)

    in_parts(of_labels, ptr, n_threads)
    arrays = np.float32(losses.sum()).reshape(()), grad_x, rows, grad_W, scores
    return tuple(torch.from_numpy(np.asarray(array)) for array in arrays)  # type: ignore[return-value]


def _on_device(
    x: torch.Tensor, W: torch.Tensor, candidates: Candidates, omega: np.ndarray, positive_weight: float
) -> _Parts:
    """The same by torch's products."""
    device, B = x.device, len(candidates)
    rows, ptr, of_row, of_pair = by_label(candidates.indptr, candidates.labels, len(W))
    lengths = np.diff(candidates.indptr)
    most = max(1, int(lengths.max(initial=0)))
    taken = np.arange(most) < lengths[:, None]  # (B, most): the places of the pairs, row by row
    padded = np.zeros((B, most), dtype=np.int64)
    padded[taken] = candidates.labels
    signs = np.zeros((B, most), dtype=np.float32)  # 1, -1, or 0 where there is no pair
    signs[taken] = np.where(candidates.positive, 1, -1)

    def put(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    labels, y, share = put(padded), put(signs), put(omega)[:, None]
    weight = torch.where(y > 0, positive_weight, 1.0) * share * (y != 0)
    z, pulls, grad_x = torch.zeros_like(y), torch.zeros_like(y), torch.zeros_like(x)
    at_once = max(1, _GATHERED // (most * x.shape[1]))
    for begin in range(0, B, at_once):
        part = slice(begin, begin + at_once)
        vectors = W[labels[part]]
        z[part] = torch.bmm(vectors, x[part, :, None])[..., 0]
        pulls[part] = -y[part] * torch.sigmoid(-y[part] * z[part]) * weight[part]
        grad_x[part] = torch.bmm(pulls[part, None], vectors)[:, 0]
    loss = (softplus(-y * z) * weight).sum()
    place = put(taken)
    # the gradient of a label's vector is a bag of rows of x
    bags = put(of_row), x, put(ptr[:-1])
    grad_W = embedding_bag(*bags, mode="sum", per_sample_weights=pulls[place][put(of_pair)])
    return loss, grad_x, put(rows), grad_W, z[place]
