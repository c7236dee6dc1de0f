r"""A residual layer that cannot move its input far: the spectral norm of its matrix has a bound."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn.functional import normalize


class SpectralResidual(nn.Module):
    r""":math:`x + \mathrm{ReLU}(\bar R x + b)` with :math:`\bar R = R \min(1, \lambda / \sigma(R))`.

    The largest singular value of R is estimated by one turn of the power method a step, from the last step's singular
    vectors, while `self.training`. Distances between inputs grow at most by the factor :math:`1 + \lambda`, so that
    labels that were near an instance before the layer are not far from it behind the layer.

    Parameters
    ----------
    width : int
        D.
    bound : float
        lambda.
    dropout : float
        Share of what is added that is left out while training.

    Examples
    --------
    >>> layer = SpectralResidual(2, bound=1.0, dropout=0.0)  # R starts as the unit matrix
    >>> layer(torch.tensor([[1.0, -1.0]])).detach().numpy().round(4).tolist()
    [[2.0, -1.0]]
    """

    def __init__(self, width: int, *, bound: float = 1.0, dropout: float = 0.5) -> None:
        super().__init__()
        self.bound = bound
        self.R = nn.Parameter(torch.eye(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.dropout = nn.Dropout(dropout)
        self.left: torch.Tensor
        self.right: torch.Tensor
        start = normalize(torch.arange(1.0, width + 1) % 7 + 1, dim=0)  # in general position, and the same every time
        self.register_buffer("left", start)
        self.register_buffer("right", start.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, D) to (B, D)."""
        return x + self.dropout(torch.relu(x @ self._bounded().T + self.bias))

    def _bounded(self) -> torch.Tensor:
        if self.training:
            with torch.no_grad():
                self.right = normalize(self.R.T @ self.left, dim=0, eps=1e-12)
                self.left = normalize(self.R @ self.right, dim=0, eps=1e-12)
        sigma = self.left @ self.R @ self.right
        return self.R * (self.bound / sigma.clamp_min(1e-12)).clamp_max(1.0)

    @torch.no_grad()
    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """What an instance is multiplied with, (D, D), and b: by R's own spectral norm, no longer an estimate."""
        R = self.R.detach().cpu().numpy()
        sigma = float(np.linalg.norm(R.astype(np.float64), 2)) if np.isfinite(R).all() else np.nan
        if sigma > self.bound:
            R = R * np.float32(self.bound / sigma)
        return R.T.copy(), self.bias.detach().cpu().numpy().copy()
