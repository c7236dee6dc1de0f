from __future__ import annotations

import numpy as np
import torch

from xmlwb.solvers.residual_scores import transfer
from xmlwb.solvers.spectral_residual import SpectralResidual


def trained(bound: float, steps: int = 60) -> SpectralResidual:
    """A layer that is pulled towards outputs far larger than its bound lets it make."""
    generator = torch.Generator().manual_seed(0)
    layer = SpectralResidual(12, bound=bound, dropout=0.0)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    x = torch.randn(64, 12, generator=generator)
    target = 10 * torch.relu(x @ torch.randn(12, 12, generator=generator))
    for _ in range(steps):
        optimizer.zero_grad()
        (layer(x) - target).square().mean().backward()
        optimizer.step()
    return layer


def test_the_spectral_norm_keeps_its_bound():
    for bound in (0.5, 1.0, 2.0):
        layer = trained(bound)
        assert np.linalg.norm(layer.R.detach().numpy(), 2) > 2 * bound, "nothing pulled at the bound"
        np.testing.assert_allclose(np.linalg.norm(layer.weights()[0], 2), bound, rtol=1e-5)


def test_a_matrix_within_the_bound_stays_as_it_is():
    layer = trained(1000.0)
    np.testing.assert_array_equal(layer.weights()[0], layer.R.detach().numpy().T)


def test_distances_grow_by_one_plus_the_bound_at_most():
    layer = trained(1.0)
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((200, 12), dtype=np.float32) for _ in range(2))
    before = np.linalg.norm(x - y, axis=1)
    after = np.linalg.norm(transfer(x, *layer.weights()) - transfer(y, *layer.weights()), axis=1)
    assert (after <= 2 * before * (1 + 1e-5)).all()


def test_what_prediction_reads_is_what_was_trained():
    layer = trained(1.0).eval()
    x = torch.randn(20, 12, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        for _ in range(100):  # the estimate of the norm settles
            layer.train()(x)
        expected = layer.eval()(x).numpy()
    np.testing.assert_allclose(transfer(x.numpy(), *layer.weights()), expected, rtol=1e-3, atol=1e-3)


def test_the_singular_vectors_are_part_of_the_state():
    layer = trained(1.0)
    other = SpectralResidual(12, bound=1.0, dropout=0.0)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(other(x), layer(x), rtol=0, atol=0)


def test_dropout_leaves_the_input_itself_in_place():
    layer = SpectralResidual(50, bound=1.0, dropout=0.9).train()
    x = torch.ones(4, 50)
    with torch.no_grad():
        added = layer(x) - x
    assert (added == 0).float().mean() > 0.7
    assert (layer.eval()(x) == 2).all()
