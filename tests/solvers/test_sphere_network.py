from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from xmlwb.solvers.sphere_network import SphereNetwork  # noqa: E402


def network(widths: tuple[int, ...], activation: str | None = "relu") -> SphereNetwork:
    torch.manual_seed(0)
    return SphereNetwork(widths, 5, activation, scale=10.0, start=0.1)


@pytest.mark.parametrize("widths", [(30, 8), (30, 12, 8)])
@pytest.mark.parametrize("activation", ["relu", None])
def test_weights_give_what_the_network_gives(widths: tuple[int, ...], activation: str | None) -> None:
    net = network(widths, activation)
    for bias in net.biases:
        torch.nn.init.normal_(bias)
    X = torch.rand(6, 30)
    phi, scale = net(X @ net.features.table)
    weights, z = net.weights(), X.numpy()
    for layer in range(1, len(widths)):
        z = z @ weights[f"W{layer}"] + weights[f"b{layer}"]
        z = np.maximum(z, 0) if activation else z
    np.testing.assert_allclose(phi.detach(), z / np.linalg.norm(z, axis=1, keepdims=True), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(weights["V"], axis=1), 1, rtol=1e-5)
    assert scale.item() == pytest.approx(float(weights["scale"])) == pytest.approx(10)


def test_units_of_a_layer_share_one_length() -> None:
    weights = network((30, 12, 8)).weights()
    for name in ("W1", "W2"):
        lengths = np.linalg.norm(weights[name], axis=0)
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-5)


def test_lengths_of_columns_do_not_matter() -> None:
    net, other = network((30, 8)), network((30, 8))
    other.features.table *= torch.rand(8) + 0.5
    X = torch.rand(6, 30)
    torch.testing.assert_close(net(X @ net.features.table)[0], other(X @ other.features.table)[0])


def test_gradient_lacks_only_what_would_make_columns_longer() -> None:
    """The table's gradient with the lengths taken as constants, and the whole one, differ along the columns alone."""
    net, X, weights = network((30, 8)), torch.rand(6, 30), torch.randn(6, 8)
    table = net.features.table.clone().requires_grad_()
    z = X @ (table / table.norm(dim=0)) * net.log_lengths[0].exp() + net.biases[0]
    (torch.nn.functional.normalize(torch.relu(z)) * weights).sum().backward()
    first = (X @ net.features.table).requires_grad_()
    (net(first)[0] * weights).sum().backward()
    ours = X.T @ first.grad
    unit = net.features.table / net.features.table.norm(dim=0)
    along = unit * (unit * ours).sum(dim=0)
    assert along.abs().max() > 1e-3
    torch.testing.assert_close(ours - along, table.grad, rtol=1e-4, atol=1e-6)


def test_gradients_by_finite_differences() -> None:
    net = network((30, 12, 8)).double()
    first = torch.randn(4, 12, dtype=torch.float64).requires_grad_()
    parameters = tuple(net.parameters())
    assert torch.autograd.gradcheck(lambda first, *_: net(first), (first, *parameters), eps=1e-6, atol=1e-6)
