"""Adagrad on some rows of a table: a step over sparse features costs what its batch holds, not the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from xmlwb.solvers.torch_runs import kernel_threads

#: Rows are shared out in so many parts, whatever the number of threads: sums do not depend on it.
_PARTS = 8
#: Below this number of entries a second thread costs more than it brings.
_SERIAL_BELOW = 1 << 16


class AdagradRows(torch.nn.Module):
    r"""A table whose rows are moved by Adagrad, each entry at its own pace.

    An entry with gradient g takes the step :math:`-\eta g / \sqrt{s}`, where s sums up the squares of its gradients so
    far. An entry without a gradient stays, and so does its s: to leave a row out is the same as to give it a gradient
    of 0, which holds for Adagrad and not for Adam.

    Parameters
    ----------
    table : Tensor, shape (rows, width), float32
        Moved in place.
    start : float
        s starts with the square of it: entries whose gradients are far smaller move as in plain gradient descent.

    Notes
    -----
    Time and memory of a step O(moved rows x width).

    Examples
    --------
    >>> rows = AdagradRows(torch.zeros(3, 2), start=0.0)
    >>> rows.move(torch.tensor([2]), torch.tensor([[1.0, -4.0]]), learning_rate=0.5)
    >>> rows.table
    tensor([[ 0.0000,  0.0000],
            [ 0.0000,  0.0000],
            [-0.5000,  0.5000]])
    >>> rows.column_lengths()
    tensor([0.5000, 0.5000])
    """

    def __init__(self, table: torch.Tensor, *, start: float) -> None:
        super().__init__()
        self.table: torch.Tensor
        self.squares: torch.Tensor
        self.register_buffer("table", table)
        self.register_buffer("squares", torch.full_like(table, start**2 + 1e-20))
        self._sums: torch.Tensor | None = None

    def column_lengths(self) -> torch.Tensor:
        """The length of each column, (width,): summed up at the first call, kept up to date by `move` from then on."""
        if self._sums is None:
            self._sums = sum((part.to(self._wide) ** 2).sum(dim=0) for part in self.table.split(4096))
        return self._sums.clamp_min(1e-24).sqrt().float()

    @property
    def _wide(self) -> torch.dtype:
        return torch.float32 if self.table.device.type == "mps" else torch.float64  # MPS has no float64

    def sum_up_anew(self) -> None:
        """Let `column_lengths` sum up again: the table was given other values, or rounding errors should not add up."""
        self._sums = None

    @torch.no_grad()
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
            arrays = gradient.contiguous().numpy(), self.table.numpy(), self.squares.numpy()
            change = torch.from_numpy(_move_on_threads(numbers, *arrays, learning_rate))
        else:
            moved = slice(None) if rows is None else rows
            before, squares = self.table[moved], self.squares[moved].addcmul(gradient, gradient)
            after = before - learning_rate * gradient / squares.sqrt()
            change = (after.to(self._wide) ** 2 - before.to(self._wide) ** 2).sum(dim=0)
            self.squares[moved], self.table[moved] = squares, after
        if self._sums is not None:
            self._sums += change


def _move_on_threads(
    rows: np.ndarray, gradient: np.ndarray, table: np.ndarray, squares: np.ndarray, learning_rate: float
) -> np.ndarray:
    """The step, and how much the sum of squares of each column grew by it."""
    changes = np.zeros((_PARTS, table.shape[1]))
    edges = np.linspace(0, len(rows), _PARTS + 1).astype(np.int64)

    def move(part: int) -> None:
        own = slice(edges[part], edges[part + 1])
        _move(rows[own], gradient[own], table, squares, np.float32(learning_rate), changes[part])

    n_threads = kernel_threads() if gradient.size > _SERIAL_BELOW else 1
    if n_threads == 1:
        for part in range(_PARTS):
            move(part)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(move, range(_PARTS)))
    return changes.sum(axis=0)


@njit(nogil=True, cache=True, error_model="numpy")
def _move(
    rows: np.ndarray,
    gradient: np.ndarray,
    table: np.ndarray,
    squares: np.ndarray,
    learning_rate: np.float32,
    change: np.ndarray,
) -> None:
    for i in range(len(rows)):
        row, g, s = table[rows[i]], gradient[i], squares[rows[i]]
        for j in range(len(row)):
            before = row[j]
            s[j] += g[j] * g[j]
            after = before - learning_rate * g[j] / np.sqrt(s[j])
            row[j] = after
            change[j] += np.float64(after) * after - np.float64(before) * before
