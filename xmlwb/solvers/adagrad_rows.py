"""Adagrad on some rows of a table: a step over sparse features costs what its batch holds, not the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

#: Keeps the first division by a row's root mean square finite.
_EPS = 1e-10


class AdagradRows(torch.nn.Module):
    r"""A table whose rows are moved by Adagrad, each at its own pace.

    A row w with gradient g takes the step :math:`-\eta g / \sqrt{s}`, where s sums up the squares of all its gradients
    so far, entry by entry. A row without a gradient stays, and so does its s: to leave it out is the same as
    to give it a gradient of 0, which holds for Adagrad and not for Adam.

    Parameters
    ----------
    table : Tensor, shape (rows, width), float32
        Moved in place.
    """

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.table: torch.Tensor
        self.squares: torch.Tensor
        self.register_buffer("table", table)
        self.register_buffer("squares", torch.zeros_like(table))

    def move(self, rows: torch.Tensor | None, gradient: torch.Tensor, learning_rate: float) -> None:
        """One step.

        Parameters
        ----------
        rows : Tensor of int64, shape (m,), or None
            Each at most once; None is all.
        gradient : Tensor, shape (m, width), float32
        learning_rate : float
        """
        if self.table.device.type == "cpu":
            numbers = np.arange(len(self.table)) if rows is None else rows.numpy()
            _on_threads(numbers, gradient.contiguous().numpy(), self.table.numpy(), self.squares.numpy(), learning_rate)
            return
        squares = self.squares if rows is None else self.squares[rows]
        squares = squares.addcmul(gradient, gradient)
        step = gradient * torch.rsqrt(squares + _EPS) * -learning_rate
        if rows is None:
            self.squares.copy_(squares)
            self.table += step
        else:
            self.squares[rows] = squares
            self.table.index_add_(0, rows, step)


def _on_threads(
    rows: np.ndarray, gradient: np.ndarray, table: np.ndarray, squares: np.ndarray, learning_rate: float
) -> None:
    n_threads = torch.get_num_threads()
    if n_threads == 1:
        return _move(rows, gradient, table, squares, np.float32(learning_rate))
    parts = zip(np.array_split(rows, n_threads), np.array_split(gradient, n_threads), strict=True)
    with ThreadPoolExecutor(n_threads) as pool:
        jobs = [pool.submit(_move, *part, table, squares, np.float32(learning_rate)) for part in parts]
        for job in jobs:
            job.result()


@njit(nogil=True, cache=True, error_model="numpy")
def _move(
    rows: np.ndarray, gradient: np.ndarray, table: np.ndarray, squares: np.ndarray, learning_rate: np.float32
) -> None:
    eps = np.float32(_EPS)
    for i in range(len(rows)):
        row, g, s = table[rows[i]], gradient[i], squares[rows[i]]
        for j in range(len(row)):
            s[j] += g[j] * g[j]
            row[j] -= learning_rate * g[j] / np.sqrt(s[j] + eps)
