"""A step of GLaS: what it draws, what that estimates, and the gradients that it moves the tables by."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import sparse

torch = pytest.importorskip("torch")

from xmlwb.solvers.adagrad_rows import AdagradRows  # noqa: E402
from xmlwb.solvers.label_affinity import KIND_OF_REGULARIZER, affinity  # noqa: E402
from xmlwb.solvers.sparse_rows import shuffled_batches  # noqa: E402
from xmlwb.solvers.sphere_descent import Recipe, SphereDescent  # noqa: E402
from xmlwb.solvers.sphere_network import SphereNetwork  # noqa: E402

RECIPE = {
    "loss": "softmax", "margin": 1.0, "n_negatives": None, "n_hardest": 2, "regularizer": None, "regularization": 0.0,
    "keep_probability": 1.0, "batch_size": 4, "learning_rate": 0.05, "label_learning_rate": 0.05,
}  # fmt: skip


def descent_of(X, Y, width: int = 4, scale: float = 3.0, **recipe) -> SphereDescent:
    torch.manual_seed(0)
    net = SphereNetwork((X.shape[1], width), Y.shape[1], "relu", scale=scale, start=0.1)
    kind = KIND_OF_REGULARIZER[recipe.get("regularizer")]
    return SphereDescent(net, X, Y, None if kind is None else affinity(Y, kind), Recipe(**RECIPE | recipe))


# --------------------------------------------------------------------------------------------------------- candidates


@pytest.mark.parametrize(
    ("n", "unlabelled", "batch_size"),
    [(2000, 0, 200), (2000, 1200, 200), (640, 0, 200), (1240, 600, 200)],
    ids=["all labelled", "unlabelled", "short last batch", "both"],
)
def test_candidates_are_as_frequent_as_their_weights_say(n: int, unlabelled: int, batch_size: int) -> None:
    """A sum of ones over the labels, estimated from a batch's candidates, is how many labels there are."""
    rng, K = np.random.default_rng(0), 100
    D = rng.random((n, K)) < np.geomspace(0.02, 0.002, K)
    D[np.arange(K) % (n - unlabelled) + unlabelled, np.arange(K)] = True
    D[~D.any(axis=1), 0] = True
    D[:unlabelled] = False
    X = sparse.csr_array((n, 5), dtype=np.float32)
    descent = descent_of(
        X, sparse.csr_array(D.astype(np.float32)), loss="margin", n_negatives=20, batch_size=batch_size
    )
    estimates: dict[int, list[float]] = {}
    for _ in range(100):
        for batch in shuffled_batches(len(descent._rows), batch_size, rng):
            candidates, column = descent._candidates(descent._Y[descent._rows[batch]], rng)
            weights = torch.exp(-descent._log_inclusion[len(batch)]).numpy()
            assert np.array_equal(column[candidates], np.arange(len(candidates)))
            estimates.setdefault(len(batch), []).append(weights[candidates].sum() / K)
    assert len(estimates) == 1 + bool((n - unlabelled) % batch_size)
    for size, found in estimates.items():
        error = 4 * np.std(found) / np.sqrt(len(found))
        assert abs(np.mean(found) - 1) < error + 0.05, (size, np.mean(found))  # rows come once an epoch, not at random


def test_a_last_batch_of_half_the_size_counts_as_whole() -> None:
    Y = sparse.csr_array(np.eye(8, dtype=np.float32)[np.arange(46) % 8])
    X = sparse.csr_array((46, 5), dtype=np.float32)
    shorter, half = (descent_of(X, Y, n_negatives=1, batch_size=size)._log_inclusion for size in (40, 30))
    assert float(shorter[6][0]) == pytest.approx(np.log(1 - (1 - 6 / 46) ** 6 * (7 / 8)), rel=1e-5)
    assert torch.equal(half[16], half[30])


# -------------------------------------------------------------------------------------------------------- regulariser


def test_the_regularizer_weighs_labels_by_how_often_they_are_drawn() -> None:
    """As algorithm 2: pairs count by the instances that labels are drawn with, not each the same as in equation 3."""
    Y = np.array([[1, 0, 0, 0]] * 5 + [[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]], dtype=np.float32)
    X = sparse.csr_array(np.eye(8, dtype=np.float32))
    still = {"learning_rate": 0.0, "label_learning_rate": 0.0}
    descent = descent_of(X, sparse.csr_array(Y), regularizer="glas", regularization=1.0, **still)
    descent.net.labels.table[:] = torch.eye(4)[[0, 1, 1, 1]]  # only rare labels are where they should not be
    rng = np.random.default_rng(0)
    found = [descent.epoch(rng)["regularizer"] for _ in range(300)]

    V = torch.nn.functional.normalize(descent.net.labels.table).numpy()
    of_pair = (V @ V.T - affinity(sparse.csr_array(Y)).toarray()) ** 2
    share = Y / Y.sum(axis=1, keepdims=True)  # the chance of a label to be drawn with an instance
    others = [(i, j) for i, j in product(range(8), repeat=2) if i != j]  # an instance is in a batch once
    weighted = np.mean([share[i] @ of_pair @ share[j] for i, j in others])
    error = 4 * np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - weighted) < error
    assert abs(np.mean(found) - of_pair.mean()) > 3 * error  # equation 3


# ---------------------------------------------------------------------------------------------------------- gradients


class Problem:
    """Loss and regulariser of one step, written down densely in float64, for what the step drew."""

    def __init__(self, descent: SphereDescent, batch: np.ndarray) -> None:
        self.recipe, net = descent.recipe, descent.net
        self.X, self.Y = descent._X[batch].toarray().astype(np.float64), descent._Y[batch].toarray() > 0
        self.U = None if descent._U is None else descent._U.toarray()
        self.lengths = np.linalg.norm(net.features.table.numpy().astype(np.float64), axis=0)  # taken as constants
        self.inclusion: np.ndarray | None = None
        self.at = {
            "features": net.features.table.numpy().astype(np.float64),
            "labels": net.labels.table.numpy().astype(np.float64),
            "bias": net.biases[0].detach().numpy().astype(np.float64),
            "log_length": net.log_lengths[0].detach().numpy().astype(np.float64),
            "log_scale": net.log_scale.detach().numpy().astype(np.float64),
        }

    def value(self, features, labels, bias, log_length, log_scale) -> float:
        z = np.maximum(self.X @ features * np.exp(log_length) / self.lengths + bias, 0)
        phi = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6)
        V = labels / np.linalg.norm(labels, axis=1, keepdims=True)
        S = np.exp(log_scale) * phi @ V.T
        loss = np.mean([self.loss(S[i], np.flatnonzero(self.Y[i]), self.drawn[i]) for i in range(len(S))])
        return float(loss + self.recipe.regularization * self.regularizer(phi, V[self.drawn]))

    def loss(self, s: np.ndarray, own: np.ndarray, drawn: int) -> float:
        others = np.setdiff1d(self.candidates, own)
        weight = np.ones(len(others)) if self.inclusion is None else 1 / self.inclusion[others]
        if self.recipe.loss == "softmax":
            rest = np.sum(weight * np.exp(s[others]))
            return float(np.mean([np.log1p(rest / np.exp(s[y])) for y in own]))
        hinges = np.maximum(s[others] - s[drawn] + self.recipe.margin, 0)
        if self.recipe.loss == "margin":
            return float(weight @ hinges)
        return float(np.sort(hinges)[::-1][: self.recipe.n_hardest].sum())

    def regularizer(self, phi: np.ndarray, V: np.ndarray) -> float:
        kind = self.recipe.regularizer
        if kind is None:
            return 0.0
        terms = []
        for i, j in product(range(len(V)), repeat=2):
            if i == j:
                continue
            u = 0.0 if self.U is None else self.U[self.drawn[i], self.drawn[j]]
            if kind == "gravity":
                terms.append((phi[i] @ V[j]) ** 2)
            elif kind == "laplacian":
                terms.append(np.sum((V[i] - V[j]) ** 2) * u)
            else:  # spread-out is GLaS with affinities of 0
                terms.append((V[i] @ V[j] - u) ** 2)
        return float(np.mean(terms))

    def gradient(self, name: str, h: float = 1e-6) -> np.ndarray:
        found = np.zeros_like(self.at[name])
        for place in np.ndindex(*found.shape):
            sides = []
            for side in (h, -h):
                moved = self.at[name].copy()
                moved[place] += side
                sides.append(self.value(**self.at | {name: moved}))
            found[place] = (sides[0] - sides[1]) / (2 * h)
        return found


@pytest.mark.parametrize("n_negatives", [None, 3])
@pytest.mark.parametrize("regularizer", KIND_OF_REGULARIZER)
@pytest.mark.parametrize("loss", ["softmax", "margin", "negative-mining"])
def test_a_step_follows_the_gradient_of_loss_and_regularizer(loss, regularizer, n_negatives, monkeypatch) -> None:
    rng = np.random.default_rng(4)
    X = sparse.csr_array((rng.random((12, 7)) * (rng.random((12, 7)) < 0.6)).astype(np.float32))
    Y = sparse.csr_array((rng.random((12, 9)) < 0.25).astype(np.float32) + np.eye(12, 9, dtype=np.float32) > 0)
    Y = sparse.csr_array(Y.astype(np.float32))
    changes = {"loss": loss, "regularizer": regularizer, "regularization": 3.0, "n_negatives": n_negatives}
    descent = descent_of(X, Y, **changes)
    torch.nn.init.normal_(descent.net.biases[0], std=0.1)
    batch = descent._rows[:4]
    problem = Problem(descent, batch)

    moves, small = [], {}
    monkeypatch.setattr(AdagradRows, "move", lambda self, rows, g, rate: moves.append((self, rows, g.clone(), rate)))

    def record() -> None:
        net = descent.net
        parameters = {"bias": net.biases[0], "log_length": net.log_lengths[0], "log_scale": net.log_scale}
        small.update({name: parameter.grad.numpy().copy() for name, parameter in parameters.items()})

    monkeypatch.setattr(descent.optimizer, "step", record)
    candidates_of = descent._candidates

    def candidates(*given):
        found, column = candidates_of(*given)
        problem.candidates = np.arange(9) if found is None else found
        return found, column

    def losses(S, Y_own, column, drawn, log_inclusion):
        problem.drawn = drawn
        return losses_of(S, Y_own, column, drawn, log_inclusion)

    losses_of = descent._losses
    monkeypatch.setattr(descent, "_candidates", candidates)
    monkeypatch.setattr(descent, "_losses", losses)
    if n_negatives is not None:
        problem.inclusion = np.exp(descent._log_inclusion[4].numpy().astype(np.float64))
    told = descent._step(batch, rng)

    assert [(table, rate) for table, _, _, rate in moves] == [(descent.net.features, 0.05), (descent.net.labels, 0.05)]
    for name, (_, rows, gradient, _) in zip(("features", "labels"), moves, strict=True):
        whole = torch.zeros(problem.at[name].shape)
        whole[slice(None) if rows is None else rows] = gradient
        small[name] = whole.numpy()
    for name, gradient in small.items():
        np.testing.assert_allclose(gradient, problem.gradient(name), rtol=2e-3, atol=2e-4, err_msg=name)
    assert np.abs(small["features"]).max() > 1e-2 < np.abs(small["labels"]).max()
    R = problem.regularizer(*phi_and_vectors(problem))
    assert float(told[1]) / 4 == pytest.approx(R, rel=1e-4, abs=1e-6)
    assert float(told[0]) / 4 == pytest.approx(problem.value(**problem.at) - 3.0 * R, rel=1e-3, abs=1e-4)


def phi_and_vectors(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    at = problem.at
    z = np.maximum(problem.X @ at["features"] * np.exp(at["log_length"]) / problem.lengths + at["bias"], 0)
    V = at["labels"] / np.linalg.norm(at["labels"], axis=1, keepdims=True)
    return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-6), V[problem.drawn]


@pytest.mark.parametrize("drawn", [[3, 1, 3, 0], [0, 1, 2]])
def test_affinities_spread_out_on_the_device_are_the_same(drawn: list[int], monkeypatch) -> None:
    Y = sparse.csr_array((np.random.default_rng(0).random((30, 5)) < 0.5).astype(np.float32))
    descent = descent_of(sparse.csr_array((30, 3), dtype=np.float32), Y, regularizer="glas")
    here = descent._affinities(descent._U, np.array(drawn))
    monkeypatch.setattr(descent, "_put", torch.from_numpy)
    monkeypatch.setattr(descent, "device", torch.device("meta"))  # another than the CPU
    assert torch.equal(descent._affinities(descent._U, np.array(drawn)), here)
