"""The objective of `xmlwb.solvers.skip_gram` in mini-batches, for a CUDA device.

A batch takes the sum of its examples' gradients at the same parameters, where the compiled kernel moves after each
example. So that a frequent node is not thrown about, a row that more than `ROW_EXAMPLES` examples of a batch touch
takes that many times the mean of their gradients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from xmlwb.solvers.skip_gram import noise_weights

#: Pairs of a batch: as many as there are nodes, within these bounds.
_BATCH_PAIRS = (256, 65536)
#: Gradients that a row follows in full in one batch. At the rate 0.025 and vectors of length 2 a logistic loss's step
#: is stable up to 80 of them.
ROW_EXAMPLES = 32
#: Pairs of a chunk, about: they are shuffled, and take 16 bytes each.
_CHUNK_PAIRS = 1 << 22


class SkipGramTorch:
    """Vectors and contexts in training on a torch device; the methods of `SkipGram`.

    Parameters
    ----------
    counts : ndarray, shape (V,), int
        How often each node is on the walks.
    n_components, window, n_negatives, seed
        As for `SkipGram`.
    device : str
        ``"cuda"``, ``"cpu"``, ...

    Notes
    -----
    Memory on the device: 8 V m bytes, and 12 (K + 2) m bytes for each pair of a batch. The same seed on the same device
    gives the same vectors: torch adds up rows in a fixed order while this trains.
    """

    def __init__(
        self, counts: np.ndarray, *, n_components: int, window: int, n_negatives: int, seed: int, device: str
    ) -> None:
        V = len(counts)
        self._window, self._n_negatives, self._device = window, n_negatives, torch.device(device)
        rng = np.random.default_rng(seed)
        first = (rng.random((V, n_components), dtype=np.float32) - np.float32(0.5)) / n_components
        first[counts == 0] = 0
        self._U = torch.from_numpy(first).to(self._device)
        self._C = torch.zeros_like(self._U)
        cumulative = np.cumsum(noise_weights(counts))
        self._noise = torch.from_numpy(cumulative / max(cumulative[-1], 1)).to(self._device)
        self._last = int(np.flatnonzero(counts)[-1]) if np.any(counts) else 0
        self._batch = int(np.clip(V, *_BATCH_PAIRS))
        self._random = torch.Generator(self._device).manual_seed(int(rng.integers(2**63)))

    @property
    def vectors(self) -> np.ndarray:
        """U, shape (V, m), float32, on the host."""
        return self._U.cpu().numpy()

    @property
    def contexts(self) -> np.ndarray:
        """C, shape (V, m), float32, on the host."""
        return self._C.cpu().numpy()

    def chunk_walks(self, walk_length: int, n_walks: int) -> int:
        """Walks whose pairs are shuffled together."""
        return max(1, min(_CHUNK_PAIRS // max(1, walk_length * (self._window + 1)), n_walks // 64))

    def train(self, walks: np.ndarray, first: int, learning_rate: float) -> tuple[float, int]:
        """Learn from one chunk of walks, shape (rows, walk_length), int32; `SkipGram.train` says what comes back."""
        with _same_every_time(), torch.no_grad():
            pairs = self._pairs(torch.from_numpy(walks).to(self._device).long())
            pairs = pairs[:, torch.randperm(pairs.shape[1], generator=self._random, device=self._device)]
            loss = torch.zeros((), dtype=torch.float64, device=self._device)
            for batch in pairs.split(self._batch, dim=1):
                noise = self._draw((batch.shape[1], self._n_negatives))
                loss += self.step(batch[0], batch[1], noise, learning_rate)
        return float(loss), pairs.shape[1]

    def step(
        self, centres: torch.Tensor, others: torch.Tensor, noise: torch.Tensor, learning_rate: float
    ) -> torch.Tensor:
        """One batch: pairs (B,), (B,) and their noise (B, K), all int64; the sum of their losses before the step."""
        u, targets = self._U[centres], torch.cat([others[:, None], noise], dim=1)
        c = self._C[targets]
        sign = torch.ones(targets.shape[1], device=self._device)
        sign[1:] = -1
        x = sign * (u[:, None] * c).sum(dim=2)
        counted = torch.ones_like(x)
        counted[:, 1:] = (noise != others[:, None]).float()
        # -d log sigmoid(x) = -sigmoid(-x) dx; a noise node that is the pair's own context is left out.
        pull = sign * counted * torch.sigmoid(-x)
        self._move(self._U, centres, (pull[:, :, None] * c).sum(dim=1), counted.sum(dim=1), learning_rate)
        towards = (pull[:, :, None] * u[:, None]).reshape(-1, u.shape[1])
        self._move(self._C, targets.ravel(), towards, counted.ravel(), learning_rate)
        return -(counted * torch.nn.functional.logsigmoid(x)).sum(dtype=torch.float64)

    def _move(
        self, rows: torch.Tensor, index: torch.Tensor, gradients: torch.Tensor, examples: torch.Tensor, rate: float
    ) -> None:
        touched = torch.zeros(len(rows), device=self._device).index_add_(0, index, examples)
        scale = rate * torch.clamp(ROW_EXAMPLES / touched.clamp(min=1), max=1.0)
        rows.index_add_(0, index, gradients * scale[index, None])

    def _pairs(self, walks: torch.Tensor) -> torch.Tensor:
        """Centres and contexts, shape (2, number of pairs)."""
        length = walks.shape[1]
        b = torch.randint(1, self._window + 1, walks.shape, generator=self._random, device=self._device)
        pairs = [torch.empty((2, 0), dtype=torch.int64, device=self._device)]
        for distance in range(1, min(self._window, length - 1) + 1):
            left, right = slice(None, length - distance), slice(distance, None)
            for centre, other in ((left, right), (right, left)):
                kept = (b[:, centre] >= distance) & (walks[:, left] >= 0) & (walks[:, right] >= 0)
                pairs.append(torch.stack([walks[:, centre][kept], walks[:, other][kept]]))
        return torch.cat(pairs, dim=1)

    def _draw(self, shape: tuple[int, int]) -> torch.Tensor:
        uniform = torch.rand(shape, generator=self._random, device=self._device, dtype=torch.float64)
        return torch.searchsorted(self._noise, uniform, right=True).clamp_(max=self._last)


@contextmanager
def _same_every_time() -> Iterator[None]:
    """CUDA adds rows to rows in a fixed order meanwhile."""
    before, only_warn = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=only_warn)
