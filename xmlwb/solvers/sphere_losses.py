r"""Losses of a batch's scores against its labels: margin, stochastic negative mining, softmax cross-entropy.

Each takes the scores of the candidate labels and returns a mean over the instances; the positives of an instance are
never its negatives.
"""

from __future__ import annotations

import torch
from torch.nn.functional import softplus


def margin_loss(S: torch.Tensor, positives: tuple[torch.Tensor, torch.Tensor], drawn: torch.Tensor, c: float):
    """a"""
    return torch.relu(_negatives(S, positives) - S.gather(1, drawn[:, None]) + c).sum(dim=1)


def negative_mining_loss(S, positives, drawn, c: float, n_hardest: int):
    hardest = _negatives(S, positives).topk(min(n_hardest, S.shape[1]), dim=1).values
    return torch.relu(hardest - S.gather(1, drawn[:, None]) + c).sum(dim=1)


def softmax_loss(S, positives):
    rows, columns = positives
    others = torch.logsumexp(_negatives(S, positives), dim=1)
    losses = softplus(others[rows] - S[rows, columns])
    n_positives = torch.bincount(rows, minlength=len(S))
    return torch.zeros_like(others).index_add(0, rows, losses) / n_positives.clamp_min(1)


def _negatives(S, positives):
    """The scores with -inf in the places of an instance's own labels."""
    return S.index_put(positives, S.new_tensor(-torch.inf))
