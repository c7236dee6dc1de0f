"""DeepWalk: vectors for the nodes of a graph, from random walks read as sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.solvers.random_walks import Walker
from xmlwb.solvers.skip_gram import SkipGram
from xmlwb.solvers.torch_runs import device_of

#: The learning rate at the end, as a share of the first one; as in word2vec.
_LAST_RATE = 1e-4


class DeepWalk:
    """Random walks from each node, then skip-gram with negative sampling on them.

    Nodes that meet on walks get similar vectors: close to each other in the graph, or close to the same nodes.

    Parameters
    ----------
    n_components : int, default 100
        l, the width of a vector. DXML's paper: 100 for small data sets, 300 for large ones.
    n_walks : int, default 10
        Gamma, walks from each node. DeepWalk's released code names 80 as its paper's value for BlogCatalog, and a few
        hundred nodes want as many: with 10 walks from each of debtags' 571 labels the learning has hardly begun.
    walk_length : int, default 40
        t, nodes of a walk; as DeepWalk's.
    window : int, default 10
        w: a node's contexts are at most b places away on the walk, b random in 1..w for each place. DeepWalk's value.
    n_negatives : int, default 5
        K, noise nodes for each pair. word2vec's.
    n_epochs : int, default 1
        Times that the same walks are read.
    learning_rate : float, default 0.025
        At the start; it falls linearly to a ten-thousandth of it. word2vec's.
    device : {"cpu", "cuda", "auto"} or the name of another torch device, default "cpu"
        ``"cpu"`` is compiled code and needs no torch. Any other runs in torch; ``"auto"`` is ``"cuda"`` where there
        is one, else ``"cpu"``. ``"torch:cpu"`` runs the torch form on the CPU, slowly, to try it out.
    n_jobs : int or None, default None
        Threads of ``"cpu"`` and of the walks; the result does not depend on them.
    random_state : int or None, default 0
        Walks, first vectors, windows and noise.

    Attributes
    ----------
    embeddings_ : ndarray, shape (V, n_components), float32
        The vectors. A node without edges has the vector 0: no walk says anything about it, and a mean over vectors,
        such as DXML's, then is not moved by it but for its length.
    contexts_ : ndarray, shape (V, n_components), float32
        The vectors of the nodes as contexts; 0 likewise.
    losses_ : ndarray, shape (n_epochs * n_walks,), float64
        Mean loss of a pair with its noise, for each pass over the nodes.

    Notes
    -----
    DXML's paper says to "use DeepWalk", and names l alone. Gamma, t, w, negative sampling in place of DeepWalk's
    hierarchical softmax, K, the learning rate, the epochs and whether edges weigh what they count (here they do, if the
    adjacency has weights) are left open by it and are chosen here, as said above.

    ================= ============================== ===================================
    what              DeepWalk's released code       here
    ================= ============================== ===================================
    walks             80 of length 40, unweighted    10 of length 40, weighted if edges are
    window, width     10, 128                        10, 100
    output            hierarchical softmax           negative sampling, 5, count^(3/4)
    threads           give another result each time  give the same result
    ================= ============================== ===================================

    gensim's ``Word2Vec`` minimises the same objective. It is not used: with more than one thread it gives another
    result each time, it wants the walks as lists of words, and it is one more compiled dependency.
    ``benchmarks/deep_walk_speed.py`` runs both on the same graph, tells edges that were taken out from pairs that are
    none by the cosine, and gives, with two threads: debdeps, AUC 0.956 and gensim 0.958, in 39 and 83 s of processor
    time; with ``--data debtags`` 0.599 and 0.593, with ``--walks 80`` besides 0.791 and 0.795.

    Time O(n_epochs n_walks walk_length window (K + 1) l) for each node. Memory 8 V l bytes for the vectors, 4 V
    walk_length for a pass of walks, 12 for each edge, and 50 MB.

    References
    ----------
    Perozzi, Al-Rfou and Skiena, "DeepWalk: online learning of social representations", KDD 2014: not at hand; its
    values are those that the page of the released code (deepwalk 1.0.3) gives as the paper's. word2vec.c (Google, 2013)
    for the skip-gram's. Zhang et al., "Deep extreme multi-label learning", ICMR 2018, sections 3.2 and 4.1.

    Examples
    --------
    >>> two_triangles = sparse.csr_array(np.kron(np.eye(2), np.ones((3, 3)) - np.eye(3)))
    >>> model = DeepWalk(n_components=8, n_walks=200).fit(two_triangles)
    >>> unit = model.embeddings_ / np.linalg.norm(model.embeddings_, axis=1, keepdims=True)
    >>> (unit @ unit.T > 0.5).astype(int)
    array([[1, 1, 1, 0, 0, 0],
           [1, 1, 1, 0, 0, 0],
           [1, 1, 1, 0, 0, 0],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1],
           [0, 0, 0, 1, 1, 1]])
    """

    def __init__(
        self,
        *,
        n_components: int = 100,
        n_walks: int = 10,
        walk_length: int = 40,
        window: int = 10,
        n_negatives: int = 5,
        n_epochs: int = 1,
        learning_rate: float = 0.025,
        device: str = "cpu",
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.n_walks = n_walks
        self.walk_length = walk_length
        self.window = window
        self.n_negatives = n_negatives
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, adjacency: sparse.csr_array, callback: Callable[[int, int, float], Any] | None = None) -> Self:
        """Learn the vectors of a graph's nodes.

        Parameters
        ----------
        adjacency : csr_array, shape (V, V)
            Weights of the edges, none below 0; a step of a walk takes an edge in proportion to its weight.
        callback : callable, optional
            Called as ``callback(step, total, loss)`` after each chunk of the walks, step in 1..total, loss the mean
            over its pairs. A true answer ends the fit; the vectors are then those of that moment, which
            `embeddings_` shows all along.

        Raises
        ------
        ValueError
            `adjacency` is not square or holds weights that are negative or not finite; a parameter is out of range; the
            machine has no such device.
        """
        self._check_params()
        rng = check_random_state(self.random_state)
        walk_seed, skip_gram_seed = (int(seed) for seed in rng.randint(2**31, size=2))
        walker = Walker(adjacency, n_walks=self.n_walks, walk_length=self.walk_length, random_state=walk_seed)
        V = adjacency.shape[0]
        counts = np.zeros(V, dtype=np.int64)
        for number in range(self.n_walks):
            walks = self._pass(walker, V, number)
            counts += np.bincount(walks[walks >= 0], minlength=V)
        if not np.any(counts):
            zeros = np.zeros((V, self.n_components), dtype=np.float32)
            self._keep(zeros, zeros.copy(), np.zeros((0, 2)))
            return self
        learner = self._learner(counts, skip_gram_seed)
        n_passes = self.n_epochs * self.n_walks
        rows = learner.chunk_walks(self.walk_length, n_passes * V)
        chunks = -(-V // rows)
        total = n_passes * chunks
        sums = np.zeros((n_passes, 2))  # of the losses, and the number of pairs
        for step in range(total):
            number, begin = step // chunks, step % chunks * rows
            if begin == 0:
                walks = self._pass(walker, V, number % self.n_walks)
            rate = self.learning_rate * max(1 - step / total, _LAST_RATE)
            loss, n_pairs = learner.train(walks[begin : begin + rows], number * V + begin, rate)
            sums[number] += loss, n_pairs
            if callback is not None:
                self._keep(learner.vectors, learner.contexts, sums[: number + 1])
                if callback(step + 1, total, loss / max(n_pairs, 1)):
                    break
        self._keep(np.ascontiguousarray(learner.vectors), np.ascontiguousarray(learner.contexts), sums[: number + 1])
        return self

    def _pass(self, walker: Walker, V: int, number: int) -> np.ndarray:
        """One walk from each node; a walk that stays where it starts is left out, -1 throughout."""
        walks = walker.rows(number * V, (number + 1) * V, n_jobs=self.n_jobs)
        if walks.shape[1] == 1:
            walks[:] = -1
        else:
            walks[walks[:, 1] < 0] = -1
        return walks

    def _learner(self, counts: np.ndarray, seed: int) -> Any:
        options = {
            "n_components": self.n_components,
            "window": self.window,
            "n_negatives": self.n_negatives,
            "seed": seed,
        }
        device = self.device
        if device == "auto":
            import torch

            device = "cuda" if torch.cuda.is_available() else "cpu"
        if device == "cpu":
            return SkipGram(counts, n_jobs=self.n_jobs, **options)
        from xmlwb.solvers.skip_gram_torch import SkipGramTorch

        return SkipGramTorch(counts, device=device.removeprefix("torch:"), **options)

    def _keep(self, vectors: np.ndarray, contexts: np.ndarray, sums: np.ndarray) -> None:
        self.embeddings_, self.contexts_ = vectors, contexts
        self.losses_ = sums[:, 0] / np.maximum(sums[:, 1], 1)

    def _check_params(self) -> None:
        for name in ("n_components", "n_walks", "walk_length", "window", "n_negatives", "n_epochs"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} is {value!r}; wanted a whole number of at least 1")
        rate = self.learning_rate
        if isinstance(rate, bool) or not isinstance(rate, (int, float, np.number)) or not 0 < rate < np.inf:
            raise ValueError(f"learning_rate is {rate!r}; wanted a number above 0")
        if not isinstance(self.device, str):
            raise ValueError(f"device is {self.device!r}; wanted 'cpu', 'cuda' or 'auto'")
        if self.device not in ("cpu", "auto"):
            device_of(self.device.removeprefix("torch:"))
