r"""Binary cross-entropy of each instance over its own few labels: no score of any other label, no gradient for it.

A classifier over L labels learns from instances that each name their candidates, positives and hard negatives. What is
computed is a sampled product of two dense matrices, and its two transposes: scores :math:`z_{ij} = x_i^\top w_j` for
the pairs (i, j) alone, the gradient of x, and that of the rows of W that occur.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numba import njit
from torch.nn.functional import embedding_bag, softplus

#: Rows, and later labels, are shared out in so many parts, whatever the number of threads.
_PARTS = 16
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
        self._upstream: torch.Tensor | None = None
        self.loss: torch.Tensor = _Precomputed.apply(x, loss, grad_x, self)

    def gradient(self) -> torch.Tensor:
        """Of the label vectors ``W[rows]``, (u, D), after the loss, or what was made of it, went backward."""
        if self._upstream is None:
            raise ValueError("the loss has not gone backward")
        return self._grad_W * self._upstream


class _Precomputed(torch.autograd.Function):
    """A scalar of x whose gradient is known already."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, loss: torch.Tensor, grad_x: torch.Tensor, owner: ShortlistLoss) -> Any:
        ctx.save_for_backward(grad_x)
        ctx.owner = owner
        return loss.clone()

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> Any:
        (grad_x,) = ctx.saved_tensors
        ctx.owner._upstream = upstream[0]
        return grad_x * upstream[0], None, None, None


_Parts = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def pair_scores(x: np.ndarray, W: np.ndarray, labels: np.ndarray, *, n_threads: int = 1) -> np.ndarray:
    """z of the labels (B, k) of each row of x (B, D), for W (L, D): (B, k) float32; 0 for a label of -1.

    As in `ShortlistLoss`, without gradients; the result does not depend on the threads.
    """
    if len(x) != len(labels) or x.shape[1] != W.shape[1] or (labels.size and labels.max() >= len(W)):
        raise ValueError(f"x, W and labels have shapes {x.shape}, {W.shape} and {labels.shape}, or name no row of W")
    z = np.zeros(labels.shape, dtype=np.float32)
    x, W = (np.ascontiguousarray(part, dtype=np.float32) for part in (x, W))

    def score(begin: int, end: int) -> None:
        _pair_scores(x[begin:end], W, labels[begin:end], z[begin:end])

    _in_parts(score, np.linspace(0, len(x), _PARTS + 1).astype(np.int64), n_threads)
    return z


def _on_cpu(
    x: torch.Tensor, W: torch.Tensor, candidates: Candidates, omega: np.ndarray, positive_weight: float
) -> _Parts:
    """Loss, gradient of x, the labels that occur, the gradient of their vectors, scores."""
    x_b, vectors = x.contiguous().numpy(), W.contiguous().numpy()
    indptr, labels, positive = candidates.indptr, candidates.labels, candidates.positive
    scores, pulls = np.empty(len(labels), dtype=np.float32), np.empty(len(labels), dtype=np.float32)
    grad_x, losses = np.zeros_like(x_b), np.zeros(len(x_b))
    n_threads, pi = torch.get_num_threads(), np.float32(positive_weight)

    def of_rows(begin: int, end: int) -> None:
        _scores_and_pulls(x_b, vectors, indptr, labels, positive, omega, pi, begin, end, scores, pulls, grad_x, losses)

    _in_parts(of_rows, np.linspace(0, len(x_b), _PARTS + 1).astype(np.int64), n_threads)
    rows, ptr, of_row, of_pair = _by_label(indptr, labels, len(vectors))
    grad_W = np.empty((len(rows), x_b.shape[1]), dtype=np.float32)

    def of_labels(begin: int, end: int) -> None:
        _label_gradients(x_b, ptr, of_row, of_pair, pulls, begin, end, grad_W)

    edges = np.searchsorted(ptr, np.linspace(0, len(labels), _PARTS + 1)[1:-1])
    _in_parts(of_labels, np.array([0, *edges, len(rows)]), n_threads)
    arrays = np.float32(losses.sum()).reshape(()), grad_x, rows, grad_W, scores
    return tuple(torch.from_numpy(np.asarray(array)) for array in arrays)  # type: ignore[return-value]


def _in_parts(work: Any, edges: np.ndarray, n_threads: int) -> None:
    if n_threads == 1:
        work(edges[0], edges[-1])
        return
    with ThreadPoolExecutor(n_threads) as pool:
        list(pool.map(lambda part: work(*part), pairwise(edges)))


def _on_device(
    x: torch.Tensor, W: torch.Tensor, candidates: Candidates, omega: np.ndarray, positive_weight: float
) -> _Parts:
    """The same by torch's products."""
    device, B = x.device, len(candidates)
    rows, ptr, of_row, of_pair = _by_label(candidates.indptr, candidates.labels, len(W))
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


@njit(nogil=True, cache=True)
def _by_label(
    indptr: np.ndarray, labels: np.ndarray, n_labels: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The pairs sorted by label: the labels that occur, where each one's pairs begin, their rows and their places."""
    counts = np.zeros(n_labels + 1, dtype=np.int64)
    for p in range(len(labels)):
        counts[labels[p] + 1] += 1
    n_rows = 0
    for label in range(n_labels):
        n_rows += counts[label + 1] > 0
    rows, ptr = np.empty(n_rows, dtype=np.int64), np.zeros(n_rows + 1, dtype=np.int64)
    at = 0
    for label in range(n_labels):
        if counts[label + 1]:
            rows[at] = label
            ptr[at + 1] = ptr[at] + counts[label + 1]
            counts[label + 1] = ptr[at]  # from here on: where the label's next pair goes
            at += 1
    of_row, of_pair = np.empty(len(labels), dtype=np.int64), np.empty(len(labels), dtype=np.int64)
    for i in range(len(indptr) - 1):
        for p in range(indptr[i], indptr[i + 1]):
            place = counts[labels[p] + 1]
            counts[labels[p] + 1] += 1
            of_row[place], of_pair[place] = i, p
    return rows, ptr, of_row, of_pair


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"}, error_model="numpy")
def _scores_and_pulls(
    x: np.ndarray,
    W: np.ndarray,
    indptr: np.ndarray,
    labels: np.ndarray,
    positive: np.ndarray,
    omega: np.ndarray,
    positive_weight: np.float32,
    begin: int,
    end: int,
    scores: np.ndarray,
    pulls: np.ndarray,
    grad_x: np.ndarray,
    losses: np.ndarray,
) -> None:
    """Of each pair z and the loss's derivative by z; of each row the loss and the gradient of x."""
    D = np.uint64(x.shape[1])
    one = np.float32(1)
    for i in range(begin, end):
        loss = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            j = np.uint64(labels[p])
            z = np.float32(0)
            for c in range(D):
                z += x[i, c] * W[j, c]
            sign = one if positive[p] else -one
            weight = omega[i] * (positive_weight if positive[p] else one)
            small = np.exp(-abs(z))
            of_other = (small if sign * z > 0 else one) / (one + small)  # sigmoid(-sign z)
            loss += weight * (max(-sign * z, np.float32(0)) + np.log(one + small))
            pull = -sign * of_other * weight
            scores[p], pulls[p] = z, pull
            for c in range(D):
                grad_x[i, c] += pull * W[j, c]
        losses[i] = loss


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _label_gradients(
    x: np.ndarray,
    ptr: np.ndarray,
    of_row: np.ndarray,
    of_pair: np.ndarray,
    pulls: np.ndarray,
    begin: int,
    end: int,
    grad_W: np.ndarray,
) -> None:
    D = np.uint64(x.shape[1])
    for place in range(begin, end):
        grad_W[place] = 0
        for q in range(ptr[place], ptr[place + 1]):
            i, pull = np.uint64(of_row[q]), pulls[of_pair[q]]
            for c in range(D):
                grad_W[place, c] += pull * x[i, c]


@njit(nogil=True, cache=True, fastmath={"reassoc", "nsz", "contract"})
def _pair_scores(x: np.ndarray, W: np.ndarray, labels: np.ndarray, z: np.ndarray) -> None:
    D = np.uint64(x.shape[1])
    for i in range(len(x)):
        for p in range(labels.shape[1]):
            if labels[i, p] >= 0:
                j = np.uint64(labels[i, p])
                total = np.float32(0)
                for c in range(D):
                    total += x[i, c] * W[j, c]
                z[i, p] = total
