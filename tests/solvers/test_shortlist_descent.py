from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from xmlwb.solvers.bag_features import bag_features  # noqa: E402
from xmlwb.solvers.sampled_products import pair_scores  # noqa: E402
from xmlwb.solvers.shortlist_descent import Recipe, ShortlistDescent, row_table  # noqa: E402

RECIPE = Recipe(
    activation=None, scale=4.0, keep_probability=1.0, batch_size=16, learning_rate=0.1, word_learning_rate=0.1,
    n_random=0, freeze_features=False,
)  # fmt: skip
N, FEATURES, L, D = 120, 50, 30, 12


@pytest.fixture
def data() -> tuple[sparse.csr_array, sparse.csr_array, np.ndarray]:
    """Labels 25 to 29 have no positive and are in no shortlist."""
    rng = np.random.default_rng(0)
    X = sparse.random_array((N, FEATURES), density=0.1, format="csr", dtype=np.float32, rng=rng)
    dense = np.zeros((N, L), dtype=np.float32)
    dense[np.arange(N), rng.integers(25, size=N)] = 1
    shortlists = np.stack([rng.permutation(25)[:6] for _ in range(N)]).astype(np.int32)
    shortlists[3, 2:] = -1
    return X, sparse.csr_array(dense), shortlists


def descent(data, recipe: Recipe = RECIPE, optimizer: str = "adagrad") -> ShortlistDescent:
    X, Y, _ = data
    rng = np.random.default_rng(1)
    words = row_table(rng.standard_normal((FEATURES, D)), optimizer, 0.01)
    labels = row_table(np.zeros((L, D + 1)), optimizer, 0.01)
    return ShortlistDescent(words, labels, X, Y, np.arange(25), recipe)


@pytest.mark.parametrize("optimizer", ["adagrad", "adam"])
@pytest.mark.parametrize(
    "change", [{}, {"activation": "relu"}, {"keep_probability": 0.8}, {"n_random": 5}], ids=lambda change: str(change)
)
def test_it_learns_and_touches_only_the_labels_of_the_batch(data, optimizer: str, change: dict) -> None:
    at_work, rng = descent(data, replace(RECIPE, **change), optimizer), np.random.default_rng(0)
    losses = [at_work.epoch(data[2], rng)["loss"] for _ in range(4)]
    assert losses[-1] < losses[0]
    moved = at_work.labels.table.any(dim=1).numpy()
    assert moved[:25].all()
    assert not moved[25:].any()


def test_frozen_word_vectors_stay(data) -> None:
    frozen, free = descent(data, replace(RECIPE, freeze_features=True)), descent(data)
    before = frozen.words.table.clone()
    for at_work in (frozen, free):
        at_work.epoch(data[2], np.random.default_rng(0))
    assert torch.equal(frozen.words.table, before)
    assert not torch.equal(free.words.table, before)
    assert frozen.labels.table.any()


def test_without_shortlists_negatives_are_drawn(data) -> None:
    at_work = descent(data, replace(RECIPE, n_random=8))
    figures = at_work.epoch(None, np.random.default_rng(0))
    assert figures["loss"] > 0
    assert at_work.labels.table.any(dim=1)[:25].all()


def test_loss_and_hardness_are_those_of_the_scores(data) -> None:
    """With a learning rate near 0 the epoch's figures are those of the weights that it began with."""
    X, Y, shortlists = data
    at_work = descent(data, replace(RECIPE, learning_rate=1e-20, word_learning_rate=1e-20))
    W = np.random.default_rng(2).standard_normal((L, D + 1)).astype(np.float32)
    at_work.labels.table.copy_(torch.from_numpy(W))
    figures = at_work.epoch(shortlists, np.random.default_rng(0))
    features = bag_features(X, at_work.words.table.numpy(), None)
    everything = np.tile(np.arange(L, dtype=np.int32), (N, 1))
    z = 4 * pair_scores(features, np.ascontiguousarray(W[:, :D]), everything) + W[:, D]
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    own = Y.toarray() > 0
    listed = np.zeros((N, L), dtype=bool)
    for row, labels in enumerate(shortlists):
        listed[row, labels[labels >= 0]] = True
    negative = listed & ~own
    loss = -np.log(p[own]).sum() - np.log(1 - p[negative]).sum()
    assert figures["loss"] == pytest.approx(loss / N, rel=1e-4)
    assert figures["negative hardness"] == pytest.approx(p[negative].mean(), rel=1e-4)
