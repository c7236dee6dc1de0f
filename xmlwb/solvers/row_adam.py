"""Adam on some rows of a table: a step costs what its batch touches, not the whole table."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from numba import njit

from xmlwb.solvers.torch_runs import kernel_threads

#: Rows are shared out in so many parts, whatever the number of threads.
_PARTS = 8
#: Below this number of entries a second thread costs more than it brings.
_SERIAL_BELOW = 1 << 16


class RowAdam(torch.nn.Module):
    r"""A table whose rows are moved by Adam, those that a step touches alone.

    With the gradient g of a touched entry, :math:`m \leftarrow \beta_1 m + (1 - \beta_1) g` and
    :math:`v \leftarrow \beta_2 v + (1 - \beta_2) g^2`, both corrected for their start at 0 by the number t of steps,
    the entry takes the step :math:`-\eta\, \hat m / (\sqrt{\hat v} + \epsilon)`. Other rows, their m and v stay as they
    are, where Adam on the whole table would move them on and let m and v decay. This is what torch calls SparseAdam.

    Parameters
    ----------
    table : Tensor, shape (rows, width), float32
        Moved in place.
    betas : tuple of float
    epsilon : float

    Notes
    -----
    Time and memory of a step O(moved rows x width). m, v and t are buffers, so that a checkpoint has them.

    Examples
    --------
    >>> rows = RowAdam(torch.zeros(3, 2))
    >>> rows.move(torch.tensor([2]), torch.tensor([[1.0, -4.0]]), learning_rate=0.5)
    >>> rows.table
    tensor([[ 0.0000,  0.0000],
            [ 0.0000,  0.0000],
            [-0.5000,  0.5000]])
    """

    def __init__(
        self, table: torch.Tensor, *, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8
    ) -> None:
        super().__init__()
        self.betas, self.epsilon = betas, epsilon
        self.table: torch.Tensor
        self.mean: torch.Tensor
        self.squares: torch.Tensor
        self.n_steps: torch.Tensor
        self.register_buffer("table", table)
        self.register_buffer("mean", torch.zeros_like(table))
        self.register_buffer("squares", torch.zeros_like(table))
        self.register_buffer("n_steps", torch.zeros(1, dtype=torch.int64))
        self._t: int | None = None  # n_steps, without asking the device
        self.register_load_state_dict_post_hook(_forget_t)

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
        t = (int(self.n_steps) if self._t is None else self._t) + 1
        self._t = t
        self.n_steps.fill_(t)
        b1, b2 = self.betas
        # eta m^ / (sqrt(v^) + eps) = rate m / (sqrt(v) + floor)
        root = (1 - b2**t) ** 0.5
        rate, floor = learning_rate * root / (1 - b1**t), self.epsilon * root
        if self.table.device.type == "cpu":
            numbers = np.arange(len(self.table)) if rows is None else rows.numpy()
            constants = np.array([b1, 1 - b1, b2, 1 - b2, rate, floor], dtype=np.float32)
            state = self.table.numpy(), self.mean.numpy(), self.squares.numpy()
            _move_on_threads(numbers, gradient.contiguous().numpy(), *state, constants)
            return
        moved = slice(None) if rows is None else rows
        mean = self.mean[moved].lerp(gradient, 1 - b1)
        squares = (b2 * self.squares[moved]).addcmul(gradient, gradient, value=1 - b2)
        self.table[moved] = self.table[moved] - rate * mean / (squares.sqrt() + floor)
        self.mean[moved], self.squares[moved] = mean, squares


def _forget_t(rows: RowAdam, _: object) -> None:
    rows._t = None


def _move_on_threads(
    rows: np.ndarray,
    gradient: np.ndarray,
    table: np.ndarray,
    mean: np.ndarray,
    squares: np.ndarray,
    constants: np.ndarray,
) -> None:
    edges = np.linspace(0, len(rows), _PARTS + 1).astype(np.int64)

    def move(part: int) -> None:
        own = slice(edges[part], edges[part + 1])
        _move(rows[own], gradient[own], table, mean, squares, constants)

    n_threads = kernel_threads() if gradient.size > _SERIAL_BELOW else 1
    if n_threads == 1:
        for part in range(_PARTS):
            move(part)
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            list(pool.map(move, range(_PARTS)))


@njit(nogil=True, cache=True, error_model="numpy")
def _move(
    rows: np.ndarray,
    gradient: np.ndarray,
    table: np.ndarray,
    mean: np.ndarray,
    squares: np.ndarray,
    constants: np.ndarray,
) -> None:
    b1, rest1, b2, rest2, rate, floor = constants
    for i in range(len(rows)):
        r = np.uint64(rows[i])
        for j in range(table.shape[1]):
            g = gradient[i, j]
            m = b1 * mean[r, j] + rest1 * g
            v = b2 * squares[r, j] + rest2 * g * g
            mean[r, j] = m
            squares[r, j] = v
            table[r, j] -= rate * m / (np.sqrt(v) + floor)
