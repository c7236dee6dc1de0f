from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch.nn.functional import binary_cross_entropy_with_logits  # noqa: E402

from xmlwb.solvers import sampled_products, shortlist_loss  # noqa: E402
from xmlwb.solvers.sampled_products import pair_scores  # noqa: E402
from xmlwb.solvers.shortlist_loss import Candidates, ShortlistLoss  # noqa: E402

B, L, D = 37, 60, 19


@pytest.fixture
def problem() -> tuple[torch.Tensor, torch.Tensor, Candidates]:
    """Instances with between 0 and 14 candidates, among labels 0 to 49."""
    rng = np.random.default_rng(0)
    labels = [rng.permutation(50)[: rng.integers(15)] for _ in range(B)]
    labels[4] = labels[4][:0]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in labels])])
    flat = np.concatenate(labels).astype(np.int32)
    pairs = Candidates(indptr, flat, rng.random(len(flat)) < 0.3)
    generator = torch.Generator().manual_seed(0)
    return torch.randn(B, D, generator=generator), torch.randn(L, D, generator=generator), pairs


def dense_loss(
    x: torch.Tensor, W: torch.Tensor, pairs: Candidates, weights: torch.Tensor, positive_weight: float
) -> torch.Tensor:
    """The formula over all labels, those that are no candidates weighted by 0."""
    rows = np.repeat(np.arange(B), np.diff(pairs.indptr))
    Y, weight = torch.zeros(B, L), torch.zeros(B, L)
    Y[rows, pairs.labels.astype(np.int64)] = torch.from_numpy(pairs.positive).float()
    weight[rows, pairs.labels.astype(np.int64)] = 1
    weight = weight * weights[:, None] * torch.where(Y > 0, positive_weight, 1.0)
    return binary_cross_entropy_with_logits(x @ W.T, Y, weight=weight, reduction="sum")


@pytest.mark.parametrize("way", ["kernels", "products"])
@pytest.mark.parametrize(("weighted", "positive_weight"), [(False, 1.0), (True, 2.5)])
def test_loss_and_gradients_are_those_of_the_dense_formula(
    problem, way: str, weighted: bool, positive_weight: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "products":  # the way on other devices, here as well, and in several parts
        monkeypatch.setattr(shortlist_loss, "_on_cpu", shortlist_loss._on_device)
        monkeypatch.setattr(shortlist_loss, "_GATHERED", 14 * D * 10)
    x, W, pairs = problem
    weights = np.random.default_rng(1).random(B).astype(np.float32) if weighted else None
    ours = x.clone().requires_grad_()
    of_batch = ShortlistLoss(torch.tanh(ours), W, pairs, weights=weights, positive_weight=positive_weight)
    (3 * of_batch.loss).backward()

    theirs, dense_W = x.clone().requires_grad_(), W.clone().requires_grad_()
    omega = torch.full((B,), 1 / B) if weights is None else torch.from_numpy(weights)
    expected = dense_loss(torch.tanh(theirs), dense_W, pairs, omega, positive_weight)
    (3 * expected).backward()
    torch.testing.assert_close(of_batch.loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(of_batch.gradient(), dense_W.grad[of_batch.rows], atol=1e-6, rtol=1e-4)
    rows = np.repeat(np.arange(B), np.diff(pairs.indptr))
    torch.testing.assert_close(of_batch.scores, (torch.tanh(x) @ W.T)[rows, pairs.labels.astype(np.int64)])


def test_only_labels_of_the_batch_are_touched(problem) -> None:
    x, W, pairs = problem
    of_batch = ShortlistLoss(x.requires_grad_(), W, pairs)
    of_batch.loss.backward()
    np.testing.assert_array_equal(of_batch.rows, np.unique(pairs.labels))
    assert of_batch.gradient().shape == (len(of_batch.rows), D)
    assert not x.grad[4].any(), "an instance without candidates has no gradient"


def test_label_vectors_learn_where_instances_stay(problem) -> None:
    x, W, pairs = problem
    frozen, moving = ShortlistLoss(x, W, pairs), ShortlistLoss(x.clone().requires_grad_(), W, pairs)
    moving.loss.backward()
    assert torch.equal(frozen.gradient(), moving.gradient())


def by_differences(f: Callable[[torch.Tensor], torch.Tensor], at: torch.Tensor, entry: tuple[int, int]) -> float:
    step = torch.zeros_like(at)
    step[entry] = 0.02
    return float(f(at + step) - f(at - step)) / 0.04


def test_gradients_are_the_loss_s_slope(problem) -> None:
    x, W, pairs = problem
    W = W / 4
    of_batch = ShortlistLoss(x.requires_grad_(), W, pairs)
    of_batch.loss.backward()
    x = x.detach()
    label = int(of_batch.rows[7])
    for c in (0, D - 1):
        by_x = by_differences(lambda moved: ShortlistLoss(moved, W, pairs).loss, x, (2, c))
        by_W = by_differences(lambda moved: ShortlistLoss(x, moved, pairs).loss, W, (label, c))
        assert by_x == pytest.approx(float(_grad_x(x, W, pairs)[2, c]), rel=0.02, abs=1e-4)
        assert by_W == pytest.approx(float(of_batch.gradient()[7, c]), rel=0.02, abs=1e-4)


def _grad_x(x: torch.Tensor, W: torch.Tensor, pairs: Candidates) -> torch.Tensor:
    x = x.clone().requires_grad_()
    ShortlistLoss(x, W, pairs).loss.backward()
    assert x.grad is not None
    return x.grad


def test_nothing_depends_on_the_threads(problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampled_products, "_SERIAL_BELOW", 0)
    x, W, pairs = problem
    before, found = torch.get_num_threads(), []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            moved = x.clone().requires_grad_()
            of_batch = ShortlistLoss(moved, W, pairs)
            of_batch.loss.backward()
            found.append((of_batch.loss.detach(), moved.grad, of_batch.gradient(), of_batch.scores))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_scores_far_from_0_do_not_overflow() -> None:
    pairs = Candidates(np.array([0, 2]), np.array([0, 1], dtype=np.int32), np.array([True, False]))
    x = torch.tensor([[300.0]], requires_grad=True)
    of_batch = ShortlistLoss(x, torch.tensor([[-1.0], [1.0]]), pairs)
    of_batch.loss.backward()
    assert float(of_batch.loss.detach()) == pytest.approx(600)
    assert of_batch.gradient().tolist() == [[-300.0], [300.0]]


def test_candidates_of_some_instances(problem) -> None:
    _, _, pairs = problem
    chosen = pairs[np.array([6, 0, 4])]
    parts = [slice(pairs.indptr[i], pairs.indptr[i + 1]) for i in (6, 0, 4)]
    np.testing.assert_array_equal(chosen.labels, np.concatenate([pairs.labels[part] for part in parts]))
    np.testing.assert_array_equal(chosen.positive, np.concatenate([pairs.positive[part] for part in parts]))
    assert len(chosen) == 3


def test_scores_of_shortlists(problem) -> None:
    x, W, _ = problem
    labels = np.random.default_rng(0).integers(L, size=(B, 6)).astype(np.int32)
    labels[np.arange(6) >= np.arange(B)[:, None] % 7] = -1
    z = pair_scores(x.numpy(), W.numpy(), labels, n_threads=2)
    expected = np.where(labels >= 0, np.take_along_axis((x @ W.T).numpy(), labels.astype(np.int64), axis=1), 0)
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5)


def test_what_does_not_fit_together_is_refused(problem) -> None:
    x, W, pairs = problem
    with pytest.raises(ValueError, match="do not fit together"):
        ShortlistLoss(x[1:], W, pairs)
    with pytest.raises(ValueError, match=r"candidates hold labels \d+ to \d+; wanted 0 to 9"):
        ShortlistLoss(x, W[:10], pairs)
    with pytest.raises(ValueError, match="name no row of W"):
        pair_scores(x.numpy(), W.numpy(), np.full((B, 1), L))
    with pytest.raises(ValueError, match="has not gone backward"):
        ShortlistLoss(x.requires_grad_(), W, pairs).gradient()
