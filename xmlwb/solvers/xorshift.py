"""Random numbers inside compiled kernels: the same on every platform, and no global state."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, inline="always")
def advance(random: np.uint64) -> np.uint64:
    """The generator's next state; one that is at 0 stays there."""
    random ^= random << np.uint64(13)
    random ^= random >> np.uint64(7)
    random ^= random << np.uint64(17)
    return random


@njit(nogil=True, cache=True, inline="always")
def below(n: int, random: np.uint64) -> np.int64:
    """A number in 0..n-1 from the generator's state."""
    return np.int64((random >> np.uint64(11)) % np.uint64(n))


@njit(nogil=True, cache=True)
def shuffle(order: np.ndarray, n: int, random: np.uint64) -> np.uint64:
    """Fisher-Yates over the first n entries; the state afterwards."""
    for s in range(n - 1, 0, -1):
        random = advance(random)
        r = below(s + 1, random)
        order[s], order[r] = order[r], order[s]
    return random
