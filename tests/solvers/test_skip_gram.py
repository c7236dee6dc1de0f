from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from xmlwb.solvers.skip_gram import SkipGram, bucketed_examples, deal_out, descend, noise_weights
from xmlwb.solvers.skip_gram_torch import ROW_EXAMPLES, SkipGramTorch

V, M = 9, 5
OPTIONS = {"n_components": M, "window": 3, "n_negatives": 4, "seed": 0}


@pytest.fixture(autouse=True)
def one_torch_thread() -> Iterator[None]:
    """Tensors as small as these only wait for each other's threads."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def walks_of(n: int = 40, length: int = 12, nodes: int = V, seed: int = 0) -> np.ndarray:
    """Random nodes; the first walks end early."""
    walks = np.random.default_rng(seed).integers(0, nodes, (n, length)).astype(np.int32)
    walks[0, 1:], walks[1, 5:], walks[2] = -1, -1, -1
    return walks


def counts_of(walks: np.ndarray, nodes: int = V) -> np.ndarray:
    return np.bincount(walks[walks >= 0], minlength=nodes)


def rows(seed: int, n: int = V) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, M)).astype(np.float32)


def loss_of(U: np.ndarray, C: np.ndarray, centre: int, target: int) -> float:
    """One example's loss as the module's head states it, in float64."""
    x = U[centre] @ C[target if target >= 0 else ~target]
    return float(np.log1p(np.exp(-x if target >= 0 else x)))


@pytest.mark.parametrize("target", [3, ~3])
def test_a_step_goes_down_the_gradient_of_the_loss(target):
    U, C = rows(0), rows(1)
    before = U.astype(float), C.astype(float)
    rate = 0.01
    loss = descend(np.array([2], dtype=np.int32), np.array([target], dtype=np.int32), U, C, np.float32(rate))
    assert loss == pytest.approx(loss_of(*before, 2, target), rel=1e-6)
    for index, moved in enumerate((U, C)):
        for i in range(V):
            for s in range(M):
                nudged = [array.copy() for array in before]
                nudged[index][i, s] += 1e-5
                up = loss_of(*nudged, 2, target)
                nudged[index][i, s] -= 2e-5
                gradient = (up - loss_of(*nudged, 2, target)) / 2e-5
                assert (before[index][i, s] - moved[i, s]) / rate == pytest.approx(gradient, abs=2e-4)


def test_steps_follow_one_another_and_losses_add_up():
    rng = np.random.default_rng(0)
    centres = rng.integers(0, V, 3000).astype(np.int32)
    targets = rng.integers(0, V, 3000).astype(np.int32)
    targets[::3] = ~targets[::3]
    U, C = rows(2), rows(3)
    wanted_U, wanted_C, wanted = U.astype(float), C.astype(float), 0.0
    for c, t in zip(centres, targets, strict=True):
        o, sign = (t, 1) if t >= 0 else (~t, -1)
        wanted += loss_of(wanted_U, wanted_C, c, t)
        pull = 0.05 * sign / (1 + np.exp(sign * (wanted_U[c] @ wanted_C[o])))
        wanted_U[c], wanted_C[o] = wanted_U[c] + pull * wanted_C[o], wanted_C[o] + pull * wanted_U[c]
    assert descend(centres, targets, U, C, np.float32(0.05)) == pytest.approx(wanted, rel=1e-4)
    np.testing.assert_allclose(U, wanted_U, atol=1e-3)
    np.testing.assert_allclose(C, wanted_C, atol=1e-3)


@pytest.mark.parametrize("x", [-200.0, 200.0])
def test_extreme_scores_stay_finite(x):
    U, C = np.array([[x, 0]], dtype=np.float32), np.array([[1, 0]], dtype=np.float32)
    loss = descend(np.zeros(1, dtype=np.int32), np.zeros(1, dtype=np.int32), U, C, np.float32(0.1))
    assert loss == pytest.approx(max(-x, 0), abs=1e-6)
    assert np.isfinite(U).all()
    assert np.isfinite(C).all()


def examples(walks, *, window=3, n_negatives=4, n_blocks=3, first=0, seed=5):
    learner = SkipGram(counts_of(walks), n_jobs=1, **OPTIONS)
    blocks = (np.arange(V) % n_blocks).astype(np.uint8)
    result = bucketed_examples(walks, first, window, n_negatives, learner._noise, blocks, n_blocks, np.uint64(seed))
    return (*result, blocks)


def test_pairs_are_those_of_a_random_window():
    walks = np.arange(V, dtype=np.int32)[None, :].repeat(6000, axis=0)  # a node's place is its number
    centres, targets, _, n_pairs, _ = examples(walks, n_negatives=0)
    assert n_pairs == len(centres) == len(targets)
    distance = np.abs(centres - targets)
    assert set(distance.tolist()) == {1, 2, 3}
    for d in (1, 2, 3):  # b is 1, 2 or 3, and a pair needs d <= b
        share = np.count_nonzero(distance == d) / (6000 * 2 * (V - d))
        assert share == pytest.approx((4 - d) / 3, abs=0.01)
    # The window is drawn for a place, not for a pair: both neighbours at distance 3 come or stay away together.
    assert np.array_equal(
        np.count_nonzero((centres == 4) & (targets == 1)), np.count_nonzero((centres == 4) & (targets == 7))
    )


def test_walks_end_at_their_end():
    walks = walks_of()
    centres, targets, _, n_pairs, _ = examples(walks[:3], n_negatives=0)
    wanted = {(walks[1, i], walks[1, j]) for i in range(5) for j in range(5) if 0 < abs(i - j) <= 3}
    assert set(zip(centres.tolist(), targets.tolist(), strict=True)) <= wanted
    assert 0 < n_pairs <= 18


def test_noise_follows_the_three_quarter_power_and_leaves_the_context_out():
    walks = np.random.default_rng(0).choice(V, (1500, 12), p=np.arange(1, V + 1) / 45).astype(np.int32)
    _, targets, _, n_pairs, _ = examples(walks, n_blocks=1)
    positive = targets >= 0
    assert np.count_nonzero(positive) == n_pairs
    share = noise_weights(counts_of(walks))
    share /= share.sum()
    # One block keeps the order of the walks: a pair, then its noise.
    context = targets[positive][np.cumsum(positive)[~positive] - 1]
    noise = ~targets[~positive]
    assert not np.any(noise == context)
    times = np.bincount(targets[positive], minlength=V)
    wanted = 4 * share * (n_pairs - times)
    assert np.bincount(noise, minlength=V) == pytest.approx(wanted, rel=0.03)


def test_buckets_hold_what_belongs_to_them_and_nothing_is_lost():
    walks = walks_of()
    centres, targets, bounds, n_pairs, blocks = examples(walks)
    nodes = np.where(targets >= 0, targets, ~targets)
    bucket = np.repeat(np.arange(9), np.diff(bounds))
    assert np.array_equal(bucket, blocks[centres].astype(int) * 3 + blocks[nodes])
    alone = examples(walks, n_blocks=1)
    assert n_pairs == alone[3]

    def as_set(c, t):
        return sorted(zip(c.tolist(), t.tolist(), strict=True))

    assert as_set(centres, targets) == as_set(alone[0], alone[1])


def test_blocks_have_about_the_same_number_of_examples():
    counts = np.random.default_rng(0).zipf(1.8, 2000)
    counts = np.minimum(counts, 200)
    sums = np.bincount(deal_out(counts, 16), weights=counts)
    assert sums.max() < 1.15 * sums.min()


@pytest.mark.parametrize("n_jobs", [2, 5])
def test_the_result_does_not_depend_on_the_number_of_threads(n_jobs, monkeypatch):
    monkeypatch.setattr("xmlwb.solvers.skip_gram._BUCKET_EXAMPLES", (1, 100))
    walks = walks_of(300, 20, nodes=700)
    learners = [SkipGram(counts_of(walks, 700), n_jobs=n, **OPTIONS) for n in (1, n_jobs)]
    assert learners[0].n_blocks == 16
    for learner in learners:
        figures = [learner.train(walks[a : a + 100], a, 0.05) for a in (0, 100, 200)]
        assert figures[2][0] / figures[2][1] < figures[0][0] / figures[0][1]
    assert np.array_equal(learners[0].vectors, learners[1].vectors)
    assert np.array_equal(learners[0].contexts, learners[1].contexts)
    assert np.abs(learners[0].contexts).max() > 0


def test_a_node_on_no_walk_stays_at_0():
    walks = walks_of(nodes=V - 1)
    for learner in (
        SkipGram(counts_of(walks), n_jobs=1, **OPTIONS),
        SkipGramTorch(counts_of(walks), device="cpu", **OPTIONS),
    ):
        learner.train(walks, 0, 0.05)
        assert not np.any(learner.vectors[-1])
        assert not np.any(learner.contexts[-1])
        assert np.all(learner.contexts[:-1].any(axis=1))


def test_nodes_out_of_range_are_refused():
    learner = SkipGram(np.array([1, 0, 1]), n_jobs=1, **OPTIONS)
    for node in (1, 3):
        with pytest.raises(ValueError, match="a node that is not in"):
            learner.train(np.array([[0, node]], dtype=np.int32), 0, 0.05)


def torch_learner(walks: np.ndarray, n_components: int = M) -> SkipGramTorch:
    return SkipGramTorch(counts_of(walks), device="cpu", **{**OPTIONS, "n_components": n_components})


def test_a_batch_takes_the_gradient_of_its_loss():
    import torch

    learner = torch_learner(walks_of())
    U, C = torch.from_numpy(rows(0)), torch.from_numpy(rows(1))
    learner._U, learner._C = U.clone(), C.clone()
    centres, others = torch.tensor([2, 2, 5]), torch.tensor([3, 4, 2])
    noise = torch.tensor([[1, 3, 1, 8], [0, 1, 2, 5], [2, 2, 2, 2]])  # with the pair's own context among it
    loss = learner.step(centres, others, noise, 0.1)
    U.requires_grad_()
    C.requires_grad_()
    wanted = torch.zeros(())
    for c, o, drawn in zip(centres, others, noise, strict=True):
        wanted = wanted - torch.nn.functional.logsigmoid(U[c] @ C[o])
        for q in drawn[drawn != o]:
            wanted = wanted - torch.nn.functional.logsigmoid(-U[c] @ C[q])
    wanted.backward()
    assert float(loss) == pytest.approx(float(wanted.detach()), rel=1e-6)
    assert torch.allclose(learner._U, (U - 0.1 * U.grad).detach(), atol=1e-6)
    assert torch.allclose(learner._C, (C - 0.1 * C.grad).detach(), atol=1e-6)


def test_a_row_follows_a_bounded_number_of_gradients():
    import torch

    learner = torch_learner(walks_of())
    learner._C = torch.from_numpy(rows(1))
    U, C = learner._U.clone(), learner._C.clone()
    n = 4 * ROW_EXAMPLES
    noise = torch.empty((n, 0), dtype=torch.int64)
    learner.step(torch.zeros(n, dtype=torch.int64), torch.arange(n) % V, noise, 0.1)
    pull = torch.sigmoid(-(C[torch.arange(n) % V] @ U[0]))
    wanted = U[0] + 0.1 * ROW_EXAMPLES / n * (pull[:, None] * C[torch.arange(n) % V]).sum(dim=0)
    assert torch.allclose(learner._U[0], wanted, atol=1e-5)


def test_torch_makes_the_same_pairs_and_noise():
    import torch

    path = np.arange(V, dtype=np.int32)[None, :].repeat(6000, axis=0)
    learner = torch_learner(path)
    centres, others = learner._pairs(torch.from_numpy(path).long()).numpy()
    for d in (1, 2, 3):
        share = np.count_nonzero(np.abs(centres - others) == d) / (6000 * 2 * (V - d))
        assert share == pytest.approx((4 - d) / 3, abs=0.01)
    walks = walks_of()
    pairs = torch_learner(walks)._pairs(torch.from_numpy(walks[:3]).long())
    assert 0 < pairs.shape[1] <= 18
    counts = np.array([0, 1, 16, 81, 0])
    drawn = SkipGramTorch(counts, device="cpu", **OPTIONS)._draw((20000, 4)).numpy().ravel()
    assert np.bincount(drawn, minlength=5) / len(drawn) == pytest.approx(np.array([0, 1, 8, 27, 0]) / 36, abs=0.01)


def test_torch_learns_what_the_compiled_kernel_learns():
    rng = np.random.default_rng(0)
    group = np.arange(40) // 10
    walks = np.stack([rng.choice(np.flatnonzero(group == rng.integers(4)), 20) for _ in range(600)]).astype(np.int32)
    options = {"n_components": 8, "window": 5, "n_negatives": 5, "seed": 0}
    counts = counts_of(walks, 40)
    same = group[:, None] == group
    losses = []
    for learner in (SkipGram(counts, n_jobs=2, **options), SkipGramTorch(counts, device="cpu", **options)):
        for first in range(0, 2400, 20):
            loss, n_pairs = learner.train(walks[first % 600 :][:20], first, 0.05)
        unit = learner.vectors / np.linalg.norm(learner.vectors, axis=1, keepdims=True)
        near = unit @ unit.T
        assert near[same].min() > near[~same].max()
        losses.append(loss / n_pairs)
    assert losses[0] == pytest.approx(losses[1], rel=0.1)
