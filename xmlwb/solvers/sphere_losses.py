r"""Losses of a batch's scores: margin, stochastic negative mining, softmax cross-entropy; one value an instance.

All take the scores S (B, m) of the candidate labels, which are all labels or a sample of them, and the places in S of
the instances' own labels, which are never among their negatives. Where the candidates are a sample, ``log_inclusion``
(m,) has the logarithm of each label's probability to be in it, and a negative counts by the inverse of that: the sum
over the sample estimates the sum over all labels without bias (Horvitz and Thompson's estimator).
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus

#: Rows and columns of the positives in S.
Places = tuple[torch.Tensor, torch.Tensor]


def margin_loss(
    S: torch.Tensor, positives: Places, drawn: torch.Tensor, *, margin: float, log_inclusion: torch.Tensor | None = None
) -> torch.Tensor:
    r"""Equation 1 for one drawn label y of each instance: :math:`\sum_{y' \notin L_y} [h_{y'} - h_y + c]_+`.

    ``drawn`` (B,) has the columns of the drawn labels, ``margin`` is c.

    >>> S = torch.tensor([[0.9, 0.5, 0.8]])
    >>> margin_loss(S, (torch.tensor([0, 0]), torch.tensor([0, 1])), torch.tensor([1]), margin=0.1)
    tensor([0.4000])
    """
    hinges = torch.relu(_negatives(S, positives) - S.gather(1, drawn[:, None]) + margin)
    return hinges.sum(dim=1) if log_inclusion is None else hinges @ torch.exp(-log_inclusion)


def negative_mining_loss(
    S: torch.Tensor, positives: Places, drawn: torch.Tensor, *, margin: float, n_hardest: int
) -> torch.Tensor:
    """The margin loss over the ``n_hardest`` candidates of the largest scores: stochastic where these are a sample."""
    hardest = _negatives(S, positives).topk(min(n_hardest, S.shape[1]), dim=1).values
    return torch.relu(hardest - S.gather(1, drawn[:, None]) + margin).sum(dim=1)


def softmax_loss(S: torch.Tensor, positives: Places, *, log_inclusion: torch.Tensor | None = None) -> torch.Tensor:
    r"""The mean, over an instance's labels y, of :math:`-\log(e^{h_y} / (e^{h_y} + \sum_{y' \notin L_y} e^{h_{y'}}))`.

    >>> S = torch.tensor([[2.0, 1.0, 1.0]])
    >>> softmax_loss(S, (torch.tensor([0]), torch.tensor([0])))  # log(1 + 2 / e)
    tensor([0.5514])
    """
    rows, columns = positives
    negatives = _negatives(S, positives)
    if log_inclusion is not None:
        negatives = negatives - log_inclusion
    losses = softplus(torch.logsumexp(negatives, dim=1)[rows] - S[rows, columns])
    n_positives = torch.bincount(rows, minlength=len(S)).clamp_min(1)
    return torch.zeros(len(S), dtype=S.dtype, device=S.device).index_add(0, rows, losses) / n_positives


def _negatives(S: torch.Tensor, positives: Places) -> torch.Tensor:
    """S with -inf in the places of an instance's own labels."""
    return S.index_put(positives, S.new_tensor(-torch.inf))
