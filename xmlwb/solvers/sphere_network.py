r"""Instances and labels on one sphere: a network over sparse features with weight-normalised layers."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize

from xmlwb.solvers.adagrad_rows import AdagradRows


class SphereNetwork(nn.Module):
    r"""phi(x), of unit length, by one or two layers; v_y, of unit length; scores :math:`s\, \phi(x)^\top v_y`.

    Weight normalisation: a layer's units have weight vectors of one length, which is learned, and directions of their
    own. A direction is what a column of the layer's table points to, whatever the column's length. The length of the
    label layer is s.

    Parameters
    ----------
    widths : tuple of int
        Features, units of each layer; the last is d.
    n_labels : int
        K.
    activation : {"relu", None}
        After each layer.
    scale : float
        Of s, the first value.
    label_table, feature_table : AdagradRows
        Directions of the labels (K, d) and of the first layer (features, units); the gradient of the former is the
        caller's to compute (`directions`), that of the latter follows from that of `first`.
    """

    def __init__(self, widths: tuple[int, ...], n_labels: int, activation: str | None, scale: float) -> None:
        super().__init__()
        self.activation = activation
        self.features = AdagradRows(torch.randn(widths[0], widths[1]) * (1.0 / widths[0]) ** 0.5)
        self.labels = AdagradRows(normalize(torch.randn(n_labels, widths[-1])))
        self.biases = nn.ParameterList([nn.Parameter(torch.zeros(width)) for width in widths[1:]])
        self.lengths = nn.ParameterList([nn.Parameter(torch.tensor(widths[0] ** 0.5 / 4))])
        self.directions = nn.ParameterList()
        for n_in, n_out in zip(widths[1:-1], widths[2:], strict=True):
            self.directions.append(nn.Parameter(torch.randn(n_in, n_out)))
            self.lengths.append(nn.Parameter(torch.tensor(1.0)))
        self.scale = nn.Parameter(torch.tensor(float(scale)).log())

    def forward(self, first: torch.Tensor, norms: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """phi (B, d) and s, from ``first`` = X @ features.table (B, units) and the lengths of the table's columns."""
        z = first * (self.lengths[0] / norms) + self.biases[0]
        for W, length, bias in zip(self.directions, self.lengths[1:], self.biases[1:], strict=True):
            z = self._activate(z) @ (normalize(W, dim=0) * length) + bias
        return normalize(self._activate(z).float(), eps=1e-6), self.scale.exp()

    def _activate(self, z: torch.Tensor) -> torch.Tensor:
        return torch.relu(z) if self.activation == "relu" else z

    def weights(self) -> dict[str, np.ndarray]:
        """W1, b1, W2, b2 ..., V and the scale s, as prediction needs them: lengths and directions multiplied."""
        with torch.no_grad():
            table = self.features.table
            W = [table * (self.lengths[0] / table.norm(dim=0).clamp_min(1e-12))]
            W += [normalize(P, dim=0) * g for P, g in zip(self.directions, self.lengths[1:], strict=True)]
            found = {f"W{i + 1}": w for i, w in enumerate(W)} | {f"b{i + 1}": b for i, b in enumerate(self.biases)}
            found |= {"V": normalize(self.labels.table), "scale": self.scale.exp()}
        return {name: np.array(tensor.detach().cpu().numpy()) for name, tensor in found.items()}
