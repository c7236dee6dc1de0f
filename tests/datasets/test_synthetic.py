"""What the generator plants is there: the power law, the tree, the correlations, the loss, and labels to be learned."""

from __future__ import annotations

import numpy as np
import pytest

from xmlwb.datasets import load
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.metrics import propensities


def made(n=600, L=40, **options):
    options = {"n_features": 300, "random_state": 1, "return_truth": True} | options
    return make_synthetic(n, L, **options)


def canonical(matrix):
    row_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    steps = np.diff(matrix.indices)[np.diff(row_of) == 0]
    assert (steps > 0).all()
    assert matrix.dtype == np.float32
    assert matrix.nnz == 0 or 0 <= matrix.indices.min() <= matrix.indices.max() < matrix.shape[1]


def test_shapes_and_forms():
    data, truth = made(1000, 70, valid_fraction=0.1, propensity_loss=(0.55, 1.5))
    sizes = {"train": 650, "valid": 100, "test": 250}
    for part, size in sizes.items():
        X, Y, complete = getattr(data, f"X_{part}"), getattr(data, f"Y_{part}"), getattr(truth, f"Y_{part}")
        assert (X.shape, Y.shape, complete.shape) == ((size, 300), (size, 70), (size, 70))
        for matrix in (X, Y, complete):
            canonical(matrix)
        np.testing.assert_allclose(X.multiply(X).sum(axis=1), 1, rtol=1e-5)
        assert (complete.multiply(Y) != Y).nnz == 0  # a loss only takes away
        assert np.diff(complete.indptr).min() >= 1
    assert data.n_labels == len(data.label_names) == len(data.label_parents) == 70


@pytest.mark.parametrize("loss", [None, (0.55, 1.5)])
def test_a_nearest_centroid_finds_the_labels(loss):
    data, truth = made(propensity_loss=loss, noise=0.1)
    centroids = (data.Y_train.T @ data.X_train).toarray()
    centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), 1e-9)
    best = (data.X_test @ centroids.T).argmax(axis=1)
    hits = truth.Y_test.toarray()[np.arange(len(best)), best]
    assert hits.mean() > 0.9


def test_noise_takes_the_signal_away():
    data, truth = made(noise=1.0)
    centroids = (truth.prototypes @ data.X_test.T).toarray().T
    hits = truth.Y_test.toarray()[np.arange(len(centroids)), centroids.argmax(axis=1)]
    assert hits.mean() < 0.4


def test_without_noise_features_are_the_sum_of_prototypes():
    data, truth = made(noise=0.0)
    wanted = (truth.Y_train @ truth.prototypes).toarray()
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    np.testing.assert_allclose(data.X_train.toarray(), wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("exponent", "correlation"), [(0.0, 0.0), (0.0, 0.8), (0.7, 0.8), (1.2, 0.0)])
def test_frequencies_follow_the_power_law(exponent, correlation):
    """Where hardly any draw is a repetition (few labels an instance, no heavy head among siblings)."""
    _, truth = make_synthetic(
        60_000, 400, n_features=50, labels_per_instance=1.2, zipf_exponent=exponent, correlation=correlation,
        features_per_node=1, return_truth=True,
    )  # fmt: skip
    shares = truth.Y_train.sum(axis=0) / truth.Y_train.nnz
    wanted = np.sort(np.arange(1, 401) ** -exponent)
    np.testing.assert_allclose(np.sort(truth.label_weights), wanted / wanted.sum())
    order = np.argsort(-truth.label_weights)
    np.testing.assert_allclose(np.cumsum(shares[order]), np.cumsum(truth.label_weights[order]), atol=0.02)


@pytest.mark.parametrize("mean", [1, 2.5, 8])
def test_labels_an_instance(mean):
    _, truth = make_synthetic(4000, 5000, n_features=50, labels_per_instance=mean, zipf_exponent=0.5, return_truth=True)
    assert np.diff(truth.Y_train.indptr).mean() == pytest.approx(mean, rel=0.05)


def test_siblings_occur_together_as_often_as_planted():
    def share_of_pairs_in_a_group(correlation):
        _, truth = made(4000, 256, zipf_exponent=0.0, correlation=correlation, labels_per_instance=3)
        group = truth.tree_parents[:256]
        pairs = (truth.Y_train.T @ truth.Y_train).tocoo()
        off = pairs.row != pairs.col
        return pairs.data[off & (group[pairs.row] == group[pairs.col])].sum() / pairs.data[off].sum()

    assert share_of_pairs_in_a_group(0.0) < 0.1  # 15 of 255 others are siblings
    assert share_of_pairs_in_a_group(0.9) > 0.7


@pytest.mark.parametrize(("L", "branching"), [(1, 2), (2, 2), (7, 2), (16, 4), (17, 4), (100, 200), (1000, 10)])
def test_the_tree_is_a_tree(L, branching):
    data, truth = made(60, L, tree_branching=branching, labels_per_instance=1)
    parents = truth.tree_parents
    root = len(parents) - 1
    assert np.flatnonzero(parents == -1).tolist() == [root]
    assert (parents[:-1] > np.arange(root)).all()  # so every way up ends at the root
    assert np.bincount(parents[:-1], minlength=1).max() <= branching
    assert np.isin(np.arange(L, len(parents)), parents).all()  # every inner node has children
    siblings = truth.siblings(0)
    assert 0 in siblings
    assert siblings.tolist() == [i for i in range(L) if data.label_parents[i] == data.label_parents[0]]


def test_prototypes_are_inherited():
    _, truth = made(60, 64, tree_branching=8, n_features=100_000)
    prototypes = truth.prototypes
    mates = truth.siblings(5)
    shared = (prototypes[[mates[0]]].multiply(prototypes[[mates[1]]])).nnz
    strangers = np.flatnonzero(truth.tree_parents[:64] != truth.tree_parents[5])
    assert shared >= 4
    assert max((prototypes[[5]].multiply(prototypes[[other]])).nnz for other in strangers) < shared


def test_labels_are_lost_by_their_propensity():
    data, truth = made(20_000, 50, propensity_loss=(0.55, 1.5), features_per_node=1)
    counts, kept = truth.Y_train.sum(axis=0), data.Y_train.sum(axis=0)
    C = (np.log(15_000) - 1) * 2.5**0.55
    np.testing.assert_allclose(truth.propensities, 1 / (1 + C * (counts + 1.5) ** -0.55))
    spread = 4 * np.sqrt(counts * truth.propensities * (1 - truth.propensities)) + 1e-9
    assert (np.abs(kept - counts * truth.propensities) < spread).all()
    assert data.propensity_ab == (0.55, 1.5)
    nothing_lost, complete = made()
    assert (nothing_lost.Y_train != complete.Y_train).nnz == 0
    assert (complete.propensities == 1).all()


@pytest.mark.parametrize("n", [2, 4, 6, 12])
def test_a_loss_is_that_of_the_metrics_on_a_tiny_set_too(n):
    _, truth = made(n, 5, propensity_loss=(0.55, 1.5))
    np.testing.assert_allclose(truth.propensities, propensities(truth.Y_train, 0.55, 1.5))


@pytest.mark.parametrize(
    ("L", "options"),
    [
        (200, {"correlation": 1.0, "tree_branching": 2}),
        (200, {"zipf_exponent": 10.0}),
        (200, {"zipf_exponent": 10.0, "correlation": 1.0, "tree_branching": 3}),
        (4, {"zipf_exponent": 3.0, "labels_per_instance": 4}),
    ],
)
def test_the_labels_wanted_are_drawn_where_siblings_or_the_head_are_used_up(L, options):
    mean = options.setdefault("labels_per_instance", 3)
    data, truth = made(4000, L, **options)
    found = np.diff(truth.Y_train.indptr)
    canonical(truth.Y_train)
    wanted = np.minimum(1 + np.random.default_rng(0).poisson(mean - 1, 100_000), L).mean()
    assert found.mean() == pytest.approx(wanted, rel=0.05)
    assert f"mean number of true labels {found.mean():.2f}" in data.card.made


def test_labels_drawn_in_the_end_follow_their_weights():
    """Three labels of an instance, drawn without repetition: the shares of a direct draw."""
    _, truth = made(30_000, 6, zipf_exponent=6.0, labels_per_instance=3, correlation=0.0, features_per_node=1)
    Y = truth.Y_train.toarray()[np.diff(truth.Y_train.indptr) == 3]
    rng = np.random.default_rng(0)
    direct = np.zeros(6)
    for _ in range(20_000):
        direct[rng.choice(6, 3, replace=False, p=truth.label_weights)] += 1 / 20_000
    np.testing.assert_allclose(Y.mean(axis=0), direct, atol=0.03)


def test_same_seed_same_data():
    def parts(seed):
        data, truth = made(propensity_loss=(0.55, 1.5), random_state=seed)
        matrices = (data.X_train, data.Y_train, data.X_test, data.Y_test, truth.Y_test, truth.prototypes)
        return [array for m in matrices for array in (m.data, m.indices, m.indptr)] + [truth.tree_parents]

    for a, b in zip(parts(5), parts(5), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(parts(5)[1], parts(6)[1])


def test_more_labels_wanted_than_there_are():
    _, truth = made(50, 3, labels_per_instance=3, zipf_exponent=0.0)
    assert truth.Y_train.sum(axis=1).max() == 3


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("n", 0),
        ("L", 2.5),
        ("n_features", -1),
        ("features_per_node", 0),
        ("tree_branching", 1),
        ("labels_per_instance", 0.5),
        ("labels_per_instance", 41),
        ("zipf_exponent", -1),
        ("zipf_exponent", float("nan")),
        ("correlation", 1.5),
        ("noise", -0.1),
        ("test_fraction", 1.0),
        ("propensity_loss", (0.55,)),
        ("propensity_loss", (0, 1)),
    ],
)
def test_bad_arguments_are_named(argument, value):
    with pytest.raises(ValueError, match=rf"{argument}\b.*wanted"):
        made(**{argument: value})


def test_load_forwards_to_it():
    data = load("synthetic", n=100, L=10, n_features=30)
    assert (data.n_train, data.n_labels, data.n_features) == (75, 10, 30)
    assert "100 instances" in data.card.title
