from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import sparse

from xmlwb.solvers.label_affinity import affinity

torch = pytest.importorskip("torch")
from torch.nn.functional import normalize  # noqa: E402

from xmlwb.solvers.label_regularizers import glas, gravity, laplacian, spread_out  # noqa: E402

K, D = 6, 4


@pytest.fixture(scope="module")
def V() -> torch.Tensor:
    return normalize(torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))


@pytest.fixture(scope="module")
def U() -> torch.Tensor:
    Y = (np.random.default_rng(1).random((40, K)) < 0.3).astype(np.float32)
    return torch.from_numpy(affinity(sparse.csr_array(Y)).toarray().astype(np.float64))


OF_A_PAIR = {
    "spread-out": lambda v, w, u: (v @ w) ** 2,
    "laplacian": lambda v, w, u: ((v - w) ** 2).sum() * u,
    "glas": lambda v, w, u: (v @ w - u) ** 2,
}
ON_A_BATCH = {
    "spread-out": lambda V_b, U_b: spread_out(V_b),
    "laplacian": laplacian,
    "glas": glas,
}


def equation(name: str, V: torch.Tensor, U: torch.Tensor) -> float:
    """Equations 2, 4 and 3: all K^2 pairs."""
    return sum(float(OF_A_PAIR[name](V[y], V[z], U[y, z])) for y, z in product(range(K), repeat=2)) / K**2


@pytest.mark.parametrize("name", OF_A_PAIR)
def test_mean_over_the_pairs_of_a_batch(name: str, V, U) -> None:
    labels = torch.tensor([4, 0, 4, 2, 5])
    pairs = [(i, j) for i, j in product(range(5), repeat=2) if i != j]
    by_hand = [float(OF_A_PAIR[name](V[labels[i]], V[labels[j]], U[labels[i], labels[j]])) for i, j in pairs]
    value = float(ON_A_BATCH[name](V[labels], U[labels][:, labels]))
    assert value == pytest.approx(np.mean(by_hand), rel=1e-12)


@pytest.mark.parametrize("name", OF_A_PAIR)
@pytest.mark.parametrize("B", [2, 3])
def test_estimate_of_uniform_labels_is_unbiased(name: str, B: int, V, U) -> None:
    """Exactly: the mean over all the batches that there are."""
    draws = [torch.tensor(labels) for labels in product(range(K), repeat=B)]
    mean = np.mean([float(ON_A_BATCH[name](V[labels], U[labels][:, labels])) for labels in draws])
    assert mean == pytest.approx(equation(name, V, U), rel=1e-12)


def test_laplacian_and_spread_out_are_glas_and_a_constant(V, U) -> None:
    """The paper's step (a): the constant is the mean of 2 u - u^2, whatever the vectors are."""
    labels = torch.tensor([1, 3, 5, 0, 2, 4, 3])
    U_b = U[labels][:, labels]
    off_diagonal = ~torch.eye(len(labels), dtype=torch.bool)
    constant = float((2 * U_b - U_b**2)[off_diagonal].mean())
    for seed in range(3):
        other = normalize(torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)))
        V_b = other[labels]
        assert float(laplacian(V_b, U_b) + spread_out(V_b)) == pytest.approx(float(glas(V_b, U_b)) + constant, abs=1e-6)


def test_they_have_the_same_gradient_along_the_sphere(V, U) -> None:
    gradients = []
    for value in (lambda v: laplacian(v, U) + spread_out(v), lambda v: glas(v, U)):
        directions = (3 * V).requires_grad_()
        value(normalize(directions)).backward()
        gradients.append(directions.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", [*OF_A_PAIR, "gravity"])
def test_gradients_by_finite_differences(name: str, V, U) -> None:
    phi = normalize(torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(3)))

    def value(directions: torch.Tensor) -> torch.Tensor:
        V_b = normalize(directions)
        return gravity(phi, V_b) if name == "gravity" else ON_A_BATCH[name](V_b, U)

    assert torch.autograd.gradcheck(value, (2 * V).requires_grad_(), eps=1e-6, atol=1e-7)


def test_gravity_is_the_mean_squared_score_of_other_instances_labels(V) -> None:
    phi = torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    by_hand = [float(phi[i] @ V[j]) ** 2 for i, j in product(range(K), repeat=2) if i != j]
    assert float(gravity(phi, V)) == pytest.approx(np.mean(by_hand), rel=1e-12)
    gramians = float(((phi.T @ phi / K) * (V.T @ V / K)).sum())
    own = float(((phi * V).sum(dim=1) ** 2).sum())
    assert sum(by_hand) + own == pytest.approx(K**2 * gramians, rel=1e-12)


def test_gravity_of_parts_of_a_batch_is_that_of_the_batch(V) -> None:
    phi = torch.randn(K, D, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    parts = [len(phi[a:b]) / K * float(gravity(phi[a:b], V, first=a)) for a, b in ((0, 2), (2, 3), (3, 6))]
    assert sum(parts) == pytest.approx(float(gravity(phi, V)), rel=1e-12)


def test_a_batch_of_one_label_has_no_pairs(V, U) -> None:
    assert float(glas(V[:1], U[:1, :1])) == float(spread_out(V[:1])) == float(gravity(V[:1], V[:1])) == 0
