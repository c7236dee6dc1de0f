from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from xmlwb.solvers.sphere_losses import margin_loss, negative_mining_loss, softmax_loss  # noqa: E402

LABELS = [[1, 4], [0], [2, 3, 5], []]
POSITIVES = (torch.tensor([0, 0, 1, 2, 2, 2]), torch.tensor([1, 4, 0, 2, 3, 5]))
DRAWN = torch.tensor([4, 0, 3, 0])
S = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def others(i: int) -> list[int]:
    return [label for label in range(6) if label not in LABELS[i]]


def test_margin_loss_is_equation_1_for_the_drawn_label() -> None:
    losses = margin_loss(S, POSITIVES, DRAWN, margin=0.7)
    for i in range(3):
        by_hand = sum(max(0.0, float(S[i, z] - S[i, DRAWN[i]]) + 0.7) for z in others(i))
        assert float(losses[i]) == pytest.approx(by_hand)


def test_negative_mining_keeps_the_hardest() -> None:
    losses = negative_mining_loss(S, POSITIVES, DRAWN, margin=0.7, n_hardest=2)
    for i in range(3):
        hardest = sorted((float(S[i, z]) for z in others(i)), reverse=True)[:2]
        assert float(losses[i]) == pytest.approx(sum(max(0.0, s - float(S[i, DRAWN[i]]) + 0.7) for s in hardest))
    everything = negative_mining_loss(S, POSITIVES, DRAWN, margin=0.7, n_hardest=100)
    torch.testing.assert_close(everything, margin_loss(S, POSITIVES, DRAWN, margin=0.7))


def test_softmax_loss_leaves_an_instances_other_labels_out() -> None:
    losses = softmax_loss(S, POSITIVES)
    for i in range(3):
        rest = sum(np.exp(float(S[i, z])) for z in others(i))
        by_hand = [-np.log(np.exp(float(S[i, y])) / (np.exp(float(S[i, y])) + rest)) for y in LABELS[i]]
        assert float(losses[i]) == pytest.approx(np.mean(by_hand))
    assert float(losses[3]) == 0


@pytest.mark.parametrize("loss", ["margin", "softmax"])
def test_sampled_negatives_count_for_those_left_out(loss: str) -> None:
    """Over all samples of three negatives out of five, equally likely, sums over the sample average to the whole."""
    scores = torch.randn(1, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    positive = (torch.tensor([0]), torch.tensor([0]))
    log_inclusion = torch.log(torch.tensor([1.0, 0.6, 0.6, 0.6], dtype=torch.float64))
    whole, parts = [], []
    for sample in combinations(range(1, 6), 3):
        part = scores[:, [0, *sample]]
        if loss == "margin":
            parts.append(float(margin_loss(part, positive, torch.tensor([0]), margin=3, log_inclusion=log_inclusion)))
            whole.append(float(margin_loss(scores, positive, torch.tensor([0]), margin=3)))
        else:  # the sum in the denominator, from loss = log(1 + sum / exp(h_y))
            parts.append(float(torch.expm1(softmax_loss(part, positive, log_inclusion=log_inclusion))))
            whole.append(float(torch.expm1(softmax_loss(scores, positive))))
    assert np.mean(parts) == pytest.approx(np.mean(whole))
    assert np.std(parts) > 0.01


@pytest.mark.parametrize(
    "loss",
    [
        partial(margin_loss, positives=POSITIVES, drawn=DRAWN, margin=0.7),
        partial(negative_mining_loss, positives=POSITIVES, drawn=DRAWN, margin=0.7, n_hardest=2),
        partial(softmax_loss, positives=POSITIVES),
    ],
    ids=["margin", "negative-mining", "softmax"],
)
def test_gradients_by_finite_differences(loss) -> None:
    assert torch.autograd.gradcheck(lambda scores: loss(scores)[:3], S.clone().requires_grad_(), eps=1e-6, atol=1e-7)
