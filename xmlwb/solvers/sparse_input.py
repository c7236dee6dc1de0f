"""The first layer over a sparse batch: its product with the features' table, and the gradient of the rows it read."""

from __future__ import annotations

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag

from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.torch_runs import kernel_threads


class SparseInput:
    """``X @ table`` for a batch, and, once its gradient is there, that of the table's rows.

    On the CPU both are sparse times dense, row by row, with the threads of torch; on a device, embedding bags. Neither
    makes anything as large as the table.

    Parameters
    ----------
    X : csr_array, shape (b, features), float32
    rows : ndarray of int64, shape (u,)
        The features whose gradient is wanted, ascending: all those of X, and maybe more, of other processes' instances.
    table : Tensor, shape (features, units)

    Attributes
    ----------
    product : Tensor, shape (b, units)
        A part of the graph of the loss.
    """

    def __init__(self, X: sparse.csr_array, rows: np.ndarray, table: torch.Tensor) -> None:
        self._X, self._rows = X, rows
        self._taken: torch.Tensor | None = None
        if table.device.type == "cpu":
            product = torch.from_numpy(times_dense(X, table.numpy(), n_jobs=kernel_threads()))
            self.product = product.requires_grad_()
        else:
            self._through_bags(table)

    def _through_bags(self, table: torch.Tensor) -> None:
        place = np.full(self._X.shape[1], -1)
        place[self._rows] = np.arange(len(self._rows))
        places = place[self._X.indices]
        bags = [torch.from_numpy(part).to(table.device) for part in (places, self._X.indptr[:-1].astype(np.int64))]
        values = torch.from_numpy(self._X.data).to(table.device)
        self._taken = table[torch.from_numpy(self._rows).to(table.device)].requires_grad_()
        self.product = embedding_bag(bags[0], self._taken, bags[1], mode="sum", per_sample_weights=values)

    def gradient(self) -> torch.Tensor:
        """Of the table's ``rows``, (u, units), after the loss went backward."""
        if self._taken is not None:
            assert self._taken.grad is not None
            return self._taken.grad
        assert self.product.grad is not None
        T = self._X.tocsc()
        begins = np.append(T.indptr[self._rows], T.indptr[-1])
        if begins[0] != 0 or not np.array_equal(begins[1:], T.indptr[self._rows + 1]):
            raise ValueError("rows leaves out a feature of X")
        transposed = sparse.csr_array((T.data, T.indices, begins), shape=(len(self._rows), self._X.shape[0]))
        grad = times_dense(transposed, self.product.grad.numpy(), n_jobs=kernel_threads())
        return torch.from_numpy(grad)
