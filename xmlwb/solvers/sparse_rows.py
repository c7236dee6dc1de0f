"""Rows of a sparse matrix as the bags of an embedding: what a network over sparse features reads in a mini-batch.

``X[rows] @ W`` is the weighted sum of the rows of W that belong to an instance's features: an embedding bag. Only the
features that a batch holds are touched, on the CPU and on a GPU alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag

#: The features of some instances, where each instance's begin, and their values.
Bags = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class SparseRows:
    """A sparse matrix on a device, from which rows are taken as bags.

    Parameters
    ----------
    X : csr_array, shape (n, d), float32
    device : torch.device
        Where the whole matrix goes: 8 bytes an entry.

    Examples
    --------
    >>> X = sparse.csr_array(np.array([[0, 2, 0], [1, 0, 3]], dtype=np.float32))
    >>> rows = SparseRows(X, torch.device("cpu"))
    >>> apply_bags(rows.bags(torch.tensor([1, 0])), torch.eye(3))
    tensor([[1., 0., 3.],
            [0., 2., 0.]])
    """

    def __init__(self, X: sparse.csr_array, device: torch.device) -> None:
        self.shape = X.shape
        self.device = device
        self._indptr = torch.as_tensor(X.indptr.astype(np.int64), device=device)
        self._indices = torch.as_tensor(X.indices.astype(np.int32), device=device)
        self._data = torch.as_tensor(X.data.astype(np.float32), device=device)

    def bags(self, rows: torch.Tensor) -> Bags:
        """The bags of some rows; rows is an int64 tensor on the same device."""
        starts = self._indptr[rows]
        lengths = self._indptr[rows + 1] - starts
        offsets = torch.cumsum(lengths, 0) - lengths
        n_entries = int(lengths.sum())
        places = torch.arange(n_entries, device=self.device) + torch.repeat_interleave(
            starts - offsets, lengths, output_size=n_entries
        )
        return self._indices[places], offsets.to(torch.int32), self._data[places]


def apply_bags(bags: Bags, W: torch.Tensor) -> torch.Tensor:
    """``X[rows] @ W``: (rows, width), for W of shape (d, width)."""
    features, offsets, values = bags
    return embedding_bag(features, W, offsets, mode="sum", per_sample_weights=values.to(W.dtype))


def shuffled_batches(n: int, batch_size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """The numbers 0..n-1 in a random order, `batch_size` at a time; the last batch may be smaller."""
    order = rng.permutation(n)
    for begin in range(0, n, batch_size):
        yield order[begin : begin + batch_size]
