"""Random walks on a weighted graph, each of them from a random number stream of its own.

A step goes to a neighbour with a probability in proportion to the edge's weight, in constant time: Walker's alias
tables (one comparison chooses between a row's p-th neighbour and the alias of that place). Walk number i draws from a
stream that only `random_state` and i decide, so walks do not depend on how many threads make them, and any part of them
can be made again on its own.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from joblib import effective_n_jobs
from numba import njit
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.solvers.xorshift import advance

#: The threshold of an edge that has its place to itself.
_CERTAIN = np.uint32(2**32 - 1)
#: Walks that a thread takes in step: while one waits for its node to come from memory, the others go on.
_ABREAST = 16


def random_walks(
    adjacency: sparse.csr_array,
    *,
    n_walks: int = 10,
    walk_length: int = 40,
    random_state: int | None = 0,
    n_jobs: int | None = None,
) -> np.ndarray:
    """`n_walks` walks from each node, as DeepWalk takes them: a pass over all nodes, in a new random order, at a time.

    Parameters
    ----------
    adjacency : csr_array, shape (V, V)
        Weights of the edges, none below 0; an edge of weight 0 is none. Need not be symmetric.
    n_walks : int, default 10
        Gamma, walks from each node.
    walk_length : int, default 40
        t, nodes of a walk, the first included.
    random_state : int or None, default 0
    n_jobs : int or None
        Threads; the walks do not depend on it.

    Returns
    -------
    ndarray, shape (n_walks * V, walk_length), int32
        Row w * V + v starts at ``order[w][v]``; -1 after a node that no edge leaves.

    Raises
    ------
    ValueError
        `adjacency` is not square or holds weights that are negative or not finite; a number is below 1.

    Notes
    -----
    O(edges) to begin with, then O(1) a step. ``Walker`` makes the same walks a few at a time.

    Examples
    --------
    >>> path = sparse.csr_array(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]]))
    >>> random_walks(path, n_walks=1, walk_length=4).tolist()
    [[2, -1, -1, -1], [1, 0, 1, 0], [0, 1, 0, 1]]
    """
    walker = Walker(adjacency, n_walks=n_walks, walk_length=walk_length, random_state=random_state)
    return walker.rows(0, walker.n_rows, n_jobs=n_jobs)


class Walker:
    """The walks of `random_walks`, any rows of them at a time.

    Parameters
    ----------
    adjacency, n_walks, walk_length, random_state
        As in `random_walks`.

    Attributes
    ----------
    starts : ndarray, shape (n_walks * V,), int32
        The first node of each walk.
    """

    def __init__(
        self, adjacency: sparse.csr_array, *, n_walks: int, walk_length: int, random_state: int | None
    ) -> None:
        for name, value in (("n_walks", n_walks), ("walk_length", walk_length)):
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} is {value!r}; wanted a whole number of at least 1")
        self._indptr, indices, weights = _edges(adjacency)
        V = len(self._indptr) - 1
        self._edges = alias_tables(self._indptr, indices, weights)
        rng = check_random_state(random_state)
        self.starts = np.concatenate([rng.permutation(V) for _ in range(n_walks)]).astype(np.int32)
        self._seed = np.uint64(rng.randint(2**63 - 1, dtype=np.int64))
        self.walk_length = walk_length

    @property
    def n_rows(self) -> int:
        return len(self.starts)

    def rows(self, begin: int, end: int, *, n_jobs: int | None = None) -> np.ndarray:
        """Rows begin..end-1 of the walks, shape (end - begin, walk_length), int32, made in threads."""
        if not 0 <= begin <= end <= self.n_rows:
            raise ValueError(f"rows {begin}..{end} were asked for; there are {self.n_rows} walks")
        walks = np.empty((end - begin, self.walk_length), dtype=np.int32)
        # Not one part a thread: the threads of a busy machine do not all run at the same speed.
        bounds = np.linspace(begin, end, 1 + max(1, min(256, len(walks) // 256))).astype(np.int64)
        with ThreadPoolExecutor(effective_n_jobs(n_jobs)) as pool:
            for task in [
                pool.submit(self._fill, walks[a - begin : b - begin], a) for a, b in pairwise(bounds.tolist())
            ]:
                task.result()
        return walks

    def _fill(self, walks: np.ndarray, first: int) -> None:
        _walk(self._indptr, self._edges, self.starts[first : first + len(walks)], first, self._seed, walks)


def _edges(adjacency: sparse.csr_array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """indptr int64, indices int32 and weights float64 of the edges above 0, in arrays of our own."""
    if not sparse.issparse(adjacency) or adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        found = f"{type(adjacency).__name__} of shape {getattr(adjacency, 'shape', None)}"
        raise ValueError(f"adjacency: found {found}; wanted a sparse array (V, V)")
    V = adjacency.shape[0]
    A = adjacency if adjacency.format == "csr" else sparse.csr_array(adjacency)
    if A.nnz and (A.indices.min() < 0 or A.indices.max() >= V):
        raise ValueError(f"adjacency holds an index out of range; wanted 0..{V - 1}")
    if not np.all(np.isfinite(A.data)) or np.any(A.data < 0):
        raise ValueError("adjacency holds a weight that is negative or not finite; wanted numbers of at least 0")
    kept = A.data > 0
    indptr = np.concatenate([[0], np.cumsum(kept)])[A.indptr]
    return indptr.astype(np.int64), A.indices[kept].astype(np.int32), A.data[kept].astype(np.float64)


@njit(nogil=True, cache=True)
def alias_tables(indptr: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each stored edge a 32-bit threshold, the neighbour below it, and the neighbour from it on, side by side.

    Vose's construction: a place whose share is below average is filled up by one above.
    """
    edges = np.empty((len(weights), 3), dtype=np.uint32)
    widest = 0
    for v in range(len(indptr) - 1):
        widest = max(widest, indptr[v + 1] - indptr[v])
    share = np.empty(widest)
    small, large = np.empty(widest, dtype=np.int32), np.empty(widest, dtype=np.int32)
    for v in range(len(indptr) - 1):
        begin, degree = indptr[v], indptr[v + 1] - indptr[v]
        total = 0.0
        for p in range(degree):
            total += weights[begin + p]
        n_small, n_large = 0, 0
        for p in range(degree):
            edges[begin + p, 0] = _CERTAIN
            edges[begin + p, 1] = indices[begin + p]
            edges[begin + p, 2] = indices[begin + p]
            share[p] = weights[begin + p] / total * degree
            if share[p] < 1.0:
                small[n_small] = p
                n_small += 1
            else:
                large[n_large] = p
                n_large += 1
        while n_small > 0 and n_large > 0:
            n_small -= 1
            low, high = small[n_small], large[n_large - 1]
            edges[begin + low, 0] = np.uint32(share[low] * 4294967295.0)
            edges[begin + low, 2] = indices[begin + high]
            share[high] -= 1.0 - share[low]
            if share[high] < 1.0:
                n_large -= 1
                small[n_small] = high
                n_small += 1
    return edges


@njit(nogil=True, cache=True, inline="always")
def stream(seed: np.uint64, number: np.uint64) -> np.uint64:
    """The first state of random stream `number`, not 0: splitmix64's output function."""
    z = seed + (number + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z | np.uint64(z == 0)


@njit(nogil=True, cache=True)
def _walk(
    indptr: np.ndarray, edges: np.ndarray, starts: np.ndarray, first: int, seed: np.uint64, walks: np.ndarray
) -> None:
    n, length = walks.shape
    nodes, random = np.empty(_ABREAST, dtype=np.int64), np.empty(_ABREAST, dtype=np.uint64)
    for row in range(0, n, _ABREAST):
        abreast = min(_ABREAST, n - row)
        for w in range(abreast):
            nodes[w] = starts[row + w]
            walks[row + w, 0] = starts[row + w]
            random[w] = stream(seed, np.uint64(first + row + w))
        for step in range(1, length):
            for w in range(abreast):
                if nodes[w] >= 0:
                    begin = indptr[nodes[w]]
                    degree = np.uint64(indptr[nodes[w] + 1] - begin)
                    random[w] = advance(random[w])
                    # The upper half of the number chooses the place, the lower half between its two neighbours.
                    place = np.uint64(begin) + (((random[w] >> np.uint64(32)) * degree) >> np.uint64(32))
                    if degree == 0:
                        nodes[w] = -1
                    elif np.uint32(random[w] & np.uint64(0xFFFFFFFF)) < edges[place, 0]:
                        nodes[w] = np.int64(edges[place, 1])
                    else:
                        nodes[w] = np.int64(edges[place, 2])
                walks[row + w, step] = nodes[w]
