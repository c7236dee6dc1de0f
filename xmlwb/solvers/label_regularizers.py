r"""Regularisers of label embeddings on a batch of them: spread-out, graph Laplacian, GLaS, Gravity.

Each is a mean over the pairs i != j of the batch. Where the labels are drawn uniformly, each on its own, such a pair is
any of the K^2 pairs of labels with the same probability, so that the mean is an unbiased estimate of the paper's
(1 / K^2) times the sum over all pairs, a label with itself included. Where they are drawn as labels of instances, as in
the paper's algorithm 2 and in `SphereDescent`, it estimates the sum in which a pair counts by p_y p_y', with p_y the
share of label y among the draws: frequent labels count more than in the equations.

References
----------
Guo, Mousavi, Wu, Holtmann-Rice, Kale, Reddi and Kumar, "Breaking the glass ceiling for embedding-based classifiers for
large output spaces", NeurIPS 2019, section 3.2.
"""

from __future__ import annotations

import torch


def spread_out(V_b: torch.Tensor) -> torch.Tensor:
    r"""Equation 2: :math:`(v_y^\top v_{y'})^2`, which pushes all labels apart.

    V_b (B, d) has the batch's label vectors, of unit length; the result is a scalar.

    >>> V_b = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    >>> spread_out(V_b)
    tensor(0.3333)
    """
    return _off_diagonal_mean((V_b @ V_b.T) ** 2)


def laplacian(V_b: torch.Tensor, U_b: torch.Tensor) -> torch.Tensor:
    r"""Equation 4: :math:`\lVert v_y - v_{y'} \rVert^2 u_{yy'}`, which pulls together what occurs together.

    V_b (B, d) has the batch's label vectors, U_b (B, B) their affinities; the result is a scalar.
    """
    squares = (V_b**2).sum(dim=1)
    return _off_diagonal_mean((squares[:, None] + squares - 2 * (V_b @ V_b.T)) * U_b)


def glas(V_b: torch.Tensor, U_b: torch.Tensor) -> torch.Tensor:
    r"""Equation 3: :math:`(v_y^\top v_{y'} - u_{yy'})^2`, which gives each pair the inner product it should have.

    On unit vectors it is Laplacian + spread-out + the mean of :math:`u^2 - 2 u`, which no vector changes.

    V_b (B, d) has the batch's label vectors, U_b (B, B) their affinities; the result is a scalar.
    """
    return _off_diagonal_mean((V_b @ V_b.T - U_b) ** 2)


def gravity(phi: torch.Tensor, V_b: torch.Tensor, *, first: int = 0) -> torch.Tensor:
    r"""The mean of :math:`(\phi(x)^\top v_y)^2` over instances and labels, which pulls all scores to 0.

    It is the inner product of the two Gramians, :math:`\langle \mathbb{E}\, \phi \phi^\top, \mathbb{E}\, v v^\top
    \rangle`, estimated here on the batch.

    V_b (B, d) has the vector of one label of each of the batch's instances, phi (b, d) the instances ``first``,
    ``first + 1``, ... of the batch, embedded: all of them, or a process's share. The result is a scalar.
    """
    pairs = (phi @ V_b.T) ** 2
    return (pairs.sum() - pairs.diagonal(offset=first).sum()) / max(1, len(phi) * (len(V_b) - 1))


def _off_diagonal_mean(pairs: torch.Tensor) -> torch.Tensor:
    B = len(pairs)
    return (pairs.sum() - pairs.diagonal().sum()) / max(1, B * (B - 1))
