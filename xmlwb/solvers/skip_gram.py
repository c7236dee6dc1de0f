r"""Skip-gram with negative sampling on walks: a node's vector learns to tell the nodes near it on walks from noise.

.. math:: \min_{U, C} \; - \sum_{(c, o)} \Bigl( \log \sigma(u_c^\top c_o)
          + \sum_{s=1}^{K} \log \sigma(-u_c^\top c_{q_s}) \Bigr), \qquad q_s \sim \mathrm{count}(q)^{3/4}

over the pairs of a node c and a node o at most b places from it on a walk, b drawn anew from 1..window for each place.
word2vec's conventions: that random window, K noise nodes for each pair (one that is o itself is left out), a learning
rate that falls linearly, u uniform in +-1/2m and c 0 at the start.

How the result does not depend on the threads: nodes are dealt out to P blocks. The examples of a chunk of walks (pairs
and noise alike) are sorted by the blocks of their two nodes, P x P buckets. Buckets without a common block touch
different rows of U and C, so P of them can be worked on at a time, in any order or at once; P rounds of P buckets do
the chunk. PyTorch-BigGraph trains by such buckets, too, but draws a pair's noise from the block of its context; here
noise is drawn from all nodes and sorted with the pairs, so that the objective is word2vec's, whatever P. A bucket's
rows fit into a core's cache, which makes up for the sorting.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from joblib import effective_n_jobs
from numba import njit

from xmlwb.solvers.random_walks import alias_tables, stream
from xmlwb.solvers.xorshift import advance, below

#: The noise distribution's power of a node's count, as in word2vec.
NOISE_POWER = 0.75
#: Blocks of nodes, at most, and nodes of a block, at least. They decide on the order of the examples, so they must not
#: depend on the machine.
_MAX_BLOCKS = 16
_BLOCK_NODES = 32
#: Chunks that the walks are cut into, at least: the learning rate falls, and the buckets mix, from one to the next.
_CHUNKS = 64
#: Examples of a chunk that a bucket holds on average, at least and at most; a thread takes 20 ms for a million.
_BUCKET_EXAMPLES = (4096, 16384)
#: Walks that one thread makes examples of at a time.
_PART_WALKS = 64
#: Floats of a cache line: rows begin on one.
_LINE = 16


def noise_weights(counts: np.ndarray) -> np.ndarray:
    """count^(3/4), shape (V,), float64: how often a node is drawn as noise, in proportion.

    >>> noise_weights(np.array([0, 1, 16])).tolist()
    [0.0, 1.0, 8.0]
    """
    return np.asarray(counts, dtype=np.float64) ** NOISE_POWER


class SkipGram:
    """Vectors and contexts in training, chunk by chunk.

    Parameters
    ----------
    counts : ndarray, shape (V,), int
        How often each node is on the walks. A node with 0 is never noise, and its rows stay at 0; it must not be on
        any walk.
    n_components : int
        m.
    window : int
        Places to either side, at most.
    n_negatives : int
        K.
    seed : int
        Of the first vectors, the windows and the noise.
    n_jobs : int or None
        Threads, of which P are of use; the result does not depend on them.

    Attributes
    ----------
    vectors, contexts : ndarray, shape (V, m), float32
        U and C, views that change as training goes on.

    Notes
    -----
    Time O(m) an example, of which there are about (window + 1)(K + 1) for each place of a walk. Memory 8 V (m + 15)
    bytes at most, and 8 bytes an example of a chunk: 40 MB.
    """

    def __init__(
        self, counts: np.ndarray, *, n_components: int, window: int, n_negatives: int, seed: int, n_jobs: int | None
    ) -> None:
        V = len(counts)
        self._counts = counts
        examples = int(counts.sum()) * (window + 1) * (n_negatives + 1)
        blocks = int((examples / (_CHUNKS * _BUCKET_EXAMPLES[0])) ** 0.5)
        self.n_blocks = max(1, min(blocks, V // _BLOCK_NODES, _MAX_BLOCKS))
        self._blocks = deal_out(counts, self.n_blocks)
        self._noise = alias_tables(np.array([0, V]), np.arange(V, dtype=np.int32), noise_weights(counts))
        self._window, self._n_negatives = window, n_negatives
        rng = np.random.default_rng(seed)
        self._seed = rng.integers(2**64, dtype=np.uint64)
        self._vectors, self._contexts = _aligned_rows(V, n_components), _aligned_rows(V, n_components)
        self.vectors, self.contexts = self._vectors[:, :n_components], self._contexts[:, :n_components]
        self.vectors[:] = (rng.random((V, n_components), dtype=np.float32) - np.float32(0.5)) / n_components
        self.vectors[counts == 0] = 0
        self._n_threads = min(effective_n_jobs(n_jobs), self.n_blocks)

    def chunk_walks(self, walk_length: int, n_walks: int) -> int:
        """Walks of a good chunk: enough for a thread to get going, and small beside all n_walks."""
        examples = max(1, walk_length * (self._window + 1) * (self._n_negatives + 1))
        return max(1, min(self.n_blocks**2 * _BUCKET_EXAMPLES[1] // examples, n_walks // _CHUNKS))

    def train(self, walks: np.ndarray, first: int, learning_rate: float) -> tuple[float, int]:
        """Learn from one chunk of walks.

        Parameters
        ----------
        walks : ndarray, shape (rows, walk_length), int32
            -1 after a walk's end.
        first : int
            The number of the first of them: walk number i has a random stream of its own. Another epoch counts on.
        learning_rate : float

        Returns
        -------
        loss : float
            Sum over the pairs, each with its noise, met before the step that it led to.
        n_pairs : int

        Raises
        ------
        ValueError
            A node of the walks is not in 0..V-1, or has the count 0.
        """
        self._check(walks)
        with ThreadPoolExecutor(self._n_threads) as pool:
            rows = max(1, min(_PART_WALKS, len(walks) // _MAX_BLOCKS))
            parts = [pool.submit(self._examples, walks[a : a + rows], first + a) for a in range(0, len(walks), rows)]
            examples = [part.result() for part in parts]
            loss = 0.0
            for shift in range(self.n_blocks):
                buckets = [i * self.n_blocks + (i + shift) % self.n_blocks for i in range(self.n_blocks)]
                tasks = [pool.submit(self._descend, bucket, examples, learning_rate) for bucket in buckets]
                loss += sum(task.result() for task in tasks)
        return loss, sum(n_pairs for *_, n_pairs in examples)

    def _check(self, walks: np.ndarray) -> None:
        used = walks[walks >= 0]  # the kernels below do not look
        if len(used) and (used.max() >= len(self._counts) or not np.all(self._counts[used])):
            raise ValueError("walks holds a node that is not in 0..V-1 or has the count 0")

    def _examples(self, walks: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
        return bucketed_examples(
            walks, first, self._window, self._n_negatives, self._noise, self._blocks, self.n_blocks, self._seed
        )

    def _descend(self, bucket: int, examples: list[tuple[Any, ...]], learning_rate: float) -> float:
        loss = 0.0
        for centres, targets, bounds, _ in examples:
            part = slice(bounds[bucket], bounds[bucket + 1])
            loss += descend(centres[part], targets[part], self._vectors, self._contexts, np.float32(learning_rate))
        return loss


def deal_out(counts: np.ndarray, n_blocks: int) -> np.ndarray:
    """A block for each node, shape (V,), uint8: the most frequent ones go to different blocks, back and forth.

    >>> deal_out(np.array([9, 1, 5, 7, 3, 2]), 2).tolist()
    [0, 1, 1, 1, 0, 0]
    """
    turn = np.arange(len(counts)) % (2 * n_blocks)
    blocks = np.empty(len(counts), dtype=np.uint8)
    blocks[np.argsort(-counts, kind="stable")] = np.minimum(turn, 2 * n_blocks - 1 - turn)
    return blocks


def _aligned_rows(n_rows: int, width: int) -> np.ndarray:
    """Zeros, float32: rows of whole cache lines, so that no line belongs to two threads."""
    padded = -(-width // _LINE) * _LINE
    flat = np.zeros(n_rows * padded + _LINE, dtype=np.float32)
    skipped = (-flat.ctypes.data // 4) % _LINE
    return flat[skipped : skipped + n_rows * padded].reshape(n_rows, padded)


@njit(nogil=True, cache=True)
def bucketed_examples(
    walks: np.ndarray,
    first: int,
    window: int,
    n_negatives: int,
    noise: np.ndarray,
    blocks: np.ndarray,
    n_blocks: int,
    seed: np.uint64,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """The examples of some walks by bucket, in a bucket in the order of the walks.

    Parameters
    ----------
    walks : ndarray, shape (rows, length), int32
    first : int
        The first walk's number.
    noise : ndarray, shape (V, 3), uint32
        Alias table of the noise distribution.
    blocks : ndarray, shape (V,), uint8

    Returns
    -------
    centres : ndarray, shape (E,), int32
    targets : ndarray, shape (E,), int32
        The context o of a pair; ~q, which is below 0, for a noise node q.
    bounds : ndarray, shape (n_blocks^2 + 1,), int64
        Bucket i * n_blocks + j (centre in block i, target in block j) is ``bounds[b]:bounds[b + 1]``.
    n_pairs : int
    """
    n_rows, length = walks.shape
    most = n_rows * length * min(2 * window, length) * (1 + n_negatives)
    c, t = np.empty(most, dtype=np.int32), np.empty(most, dtype=np.int32)
    bounds = np.zeros(n_blocks * n_blocks + 1, dtype=np.int64)
    n, n_pairs = 0, 0
    V = np.uint64(len(noise))
    for row in range(n_rows):
        random = stream(seed, np.uint64(first + row))
        end = 0
        while end < length and walks[row, end] >= 0:
            end += 1
        for place in range(end):
            random = advance(random)
            b = int(1 + below(window, random))
            centre = walks[row, place]
            side = np.int64(blocks[centre]) * n_blocks + 1
            for other in range(max(0, place - b), min(end, place + b + 1)):
                if other == place:
                    continue
                context = walks[row, other]
                n_pairs += 1
                c[n], t[n] = centre, context
                bounds[side + blocks[context]] += 1
                n += 1
                for _ in range(n_negatives):
                    random = advance(random)
                    drawn = ((random >> np.uint64(32)) * V) >> np.uint64(32)
                    kept = np.uint32(random & np.uint64(0xFFFFFFFF)) < noise[drawn, 0]
                    node = np.int32(noise[drawn, 1] if kept else noise[drawn, 2])
                    if node != context:
                        c[n], t[n] = centre, ~node
                        bounds[side + blocks[node]] += 1
                        n += 1
    for bucket in range(n_blocks * n_blocks):
        bounds[bucket + 1] += bounds[bucket]
    centres, targets = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    free = bounds[:-1].copy()
    for e in range(n):
        node = t[e] if t[e] >= 0 else ~t[e]
        bucket = np.int64(blocks[c[e]]) * n_blocks + blocks[node]
        centres[free[bucket]], targets[free[bucket]] = c[e], t[e]
        free[bucket] += 1
    return centres, targets, bounds, n_pairs


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def descend(
    centres: np.ndarray, targets: np.ndarray, vectors: np.ndarray, contexts: np.ndarray, learning_rate: np.float32
) -> float:
    """One step down the gradient for each example, in their order; the sum of the losses that were met.

    For a pair x = u^T c has the loss log(1 + e^-x), for noise log(1 + e^x); both rows move, each by the other's value
    before the step.
    """
    one, zero = np.float32(1), np.float32(0)
    loss, product = (
        np.float64(0),
        np.float64(1),
    )  # of log(1 + e^-|x|) only the product of the arguments, while it can be held
    for e in range(len(centres)):
        pair = targets[e] >= 0
        u, c = vectors[np.uint32(centres[e])], contexts[np.uint32(targets[e] if pair else ~targets[e])]
        x = zero
        for s in range(len(u)):
            x += u[s] * c[s]
        small = np.exp(-abs(x))  # in (0, 1]
        sigmoid = (one if x > zero else small) / (one + small)
        loss += max(-x if pair else x, zero)
        product *= np.float64(1) + small
        if product > 1e200:
            loss += np.log(product)
            product = np.float64(1)
        step = learning_rate * ((one if pair else zero) - sigmoid)
        for s in range(len(u)):
            old = u[s]
            u[s] += step * c[s]
            c[s] += step * old
    return loss + np.log(product)
