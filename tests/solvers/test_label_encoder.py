from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from xmlwb.solvers.label_encoder import LabelDescent, LabelEncoder, centroids  # noqa: E402

D = 8


@pytest.fixture
def problem() -> tuple[np.ndarray, sparse.csr_array]:
    rng = np.random.default_rng(0)
    features = np.abs(rng.standard_normal((200, D))).astype(np.float32)
    Y = sparse.csr_array((rng.random((200, 12)) < 0.2).astype(np.float32))
    Y[:, [5]] = 0
    Y.eliminate_zeros()
    return features, Y


def descent(problem, *, batch_size: int = 64, rate: float = 0.01) -> LabelDescent:
    features, Y = problem
    torch.manual_seed(0)
    encoder = LabelEncoder(D, "relu")
    optimizer = torch.optim.Adam(encoder.parameters(), lr=rate)
    return LabelDescent(encoder, features, centroids(Y, features), Y, optimizer, batch_size=batch_size)


def loss_of_equation_2(features: np.ndarray, Y: sparse.csr_array, Z: np.ndarray) -> float:
    rows, labels = Y.nonzero()
    return float(np.log1p(((features[rows] - Z[labels]) ** 2).sum(axis=1)).mean())


def test_centroids_are_means_of_a_label_s_instances(problem) -> None:
    features, Y = problem
    mu = centroids(Y, features)
    for label in range(12):
        own = features[Y.toarray()[:, label] > 0]
        np.testing.assert_allclose(mu[label], own.mean(axis=0) if len(own) else 0, rtol=1e-5)
    assert not mu[5].any()


@pytest.mark.parametrize("activation", ["relu", None])
def test_two_layers_are_one_affine_map_and_the_activation(activation: str | None) -> None:
    encoder = LabelEncoder(D, activation)
    for parameter in encoder.parameters():
        torch.nn.init.normal_(parameter)
    W1, b1, W2, b2 = (parameter.detach() for parameter in encoder.parameters())
    mu = torch.randn(5, D)
    affine = mu @ (W2 @ W1).T + (W2 @ b1 + b2)
    torch.testing.assert_close(encoder(mu), torch.relu(affine) if activation else affine, atol=1e-4, rtol=1e-4)


def test_training_lowers_the_loss_of_equation_2(problem) -> None:
    features, Y = problem
    at_work = descent(problem)
    before = loss_of_equation_2(features, Y, at_work.embeddings())
    rng = np.random.default_rng(0)
    losses = [at_work.epoch(rng) for _ in range(8)]
    after = loss_of_equation_2(features, Y, at_work.embeddings())
    assert after < before
    assert losses[-1] < losses[0]
    assert losses[0] == pytest.approx(before, rel=0.02)


def test_one_step_over_all_pairs_is_that_of_the_whole_loss(problem) -> None:
    features, Y = problem
    at_work, other = descent(problem, batch_size=10_000), descent(problem)
    told = at_work.epoch(np.random.default_rng(0))
    mu = torch.from_numpy(centroids(Y, features))
    rows, labels = Y.nonzero()
    apart = torch.from_numpy(features)[rows] - other.encoder(mu)[labels]
    loss = torch.log1p((apart**2).sum(dim=1)).mean()
    other.optimizer.zero_grad()
    loss.backward()
    other.optimizer.step()
    assert told == pytest.approx(float(loss.detach()), rel=1e-5)
    for ours, theirs in zip(at_work.encoder.parameters(), other.encoder.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-6, rtol=1e-4)
