r"""Instances and labels on one sphere: a network over sparse features with weight-normalised layers."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from xmlwb.solvers.adagrad_rows import AdagradRows

#: Lengths of columns and of phi that count as 0.
_EPS = 1e-6


class SphereNetwork(nn.Module):
    r"""phi(x), of unit length, by one or two layers; v_y, of unit length; scores :math:`s\, \phi(x)^\top v_y`.

    Weight normalisation (section 3.1 of the paper): the weight vectors of a layer's units have one length, which is
    learned, and each its own direction. The direction is that of a column of the layer's table, or, in the label layer,
    of a row, whatever that one's length. The label layer's length is the scale s.

    The two large tables, over features and over labels, move by rows (`AdagradRows`) and are no parameters. How long
    a column of theirs is does not matter, so the gradient of the first layer leaves out what would only make it longer
    or shorter.

    Parameters
    ----------
    widths : tuple of int
        Features, units of each layer; the last is d.
    n_labels : int
        K.
    activation : {"relu", None}
        After each layer.
    scale : float
        What s starts with.
    start : float
        See `AdagradRows`.
    """

    def __init__(
        self, widths: tuple[int, ...], n_labels: int, activation: str | None, *, scale: float, start: float
    ) -> None:
        super().__init__()
        self.activation = activation
        self.features = AdagradRows(torch.randn(widths[0], widths[1]) / widths[0] ** 0.5, start=start)
        self.labels = AdagradRows(normalize(torch.randn(n_labels, widths[-1])), start=start)
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(width)) for width in widths[1:]])
        self.log_lengths = nn.ParameterList([nn.Parameter(torch.tensor([widths[0] ** 0.5 / 4]).log())])
        self.directions = nn.ParameterList()
        for n_in, n_out in pairwise(widths[1:]):
            self.directions.append(nn.Parameter(torch.randn(n_in, n_out) / n_in**0.5))
            self.log_lengths.append(nn.Parameter(torch.zeros(1)))
        self.log_scale = nn.Parameter(torch.tensor([float(scale)]).log())

    def forward(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """phi (B, d) and s, from ``first`` (B, units), which is X @ ``features.table``."""
        z = first * (self.log_lengths[0].exp() / self.features.column_lengths()) + self.biases[0]
        for W, log_length, bias in zip(self.directions, self.log_lengths[1:], self.biases[1:], strict=True):
            z = self._activate(z) @ (normalize(W, dim=0, eps=_EPS) * log_length.exp()) + bias
        z = self._activate(z)
        z = z.to(torch.promote_types(z.dtype, torch.float32))  # after a product in low precision
        return normalize(z, eps=_EPS), self.log_scale.exp()

    def _activate(self, z: torch.Tensor) -> torch.Tensor:
        return torch.relu(z) if self.activation == "relu" else z

    @torch.no_grad()
    def weights(self) -> dict[str, np.ndarray]:
        """W1, b1, W2, b2 ..., V and the scale s, as prediction needs them: lengths and directions multiplied."""
        g = [log_length.exp() for log_length in self.log_lengths]
        W = [self.features.table * (g[0] / self.features.column_lengths())]
        W += [normalize(P, dim=0, eps=_EPS) * length for P, length in zip(self.directions, g[1:], strict=True)]
        found = {f"W{i + 1}": w for i, w in enumerate(W)} | {f"b{i + 1}": b.clone() for i, b in enumerate(self.biases)}
        found |= {"V": normalize(self.labels.table), "scale": self.log_scale.exp()[0]}
        return {name: tensor.cpu().numpy() for name, tensor in found.items()}
