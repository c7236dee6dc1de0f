r"""Chapter 07: the two existence theorems of the GLaS paper as arrays that one can count in.

Theorem 2.1: random label vectors, and instances that lie at the sum of their labels' vectors, tell labels apart without
a mistake as soon as d is of the order of s log(K |S|). Theorem B.1: a random projection of the instances' identity
matrix does so, too, and its label vectors have the geometric means of the conditional frequencies for inner products.

Source of both: Guo, Mousavi, Wu, Holtmann-Rice, Kale, Reddi and Kumar, "Breaking the glass ceiling for embedding-based
classifiers for large output spaces", NeurIPS 2019, theorems 2.1 (A.1) and B.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, erfc, exp, log, log1p, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Floats = NDArray[np.float32]

#: The scores that theorem 2.1 promises: at least this for a relevant label, at most that for another one.
RELEVANT, IRRELEVANT, THRESHOLD = 2 / 3, 1 / 3, 1 / 2


# ------------------------------------------------------------------------------------------------------ theorem 2.1


def random_signs(K: int, d: int, rng: np.random.Generator) -> Floats:
    """V (K, d), float32: each entry is 1 / sqrt(d) or -1 / sqrt(d) by the toss of a coin, so that rows are one long.

    >>> V = random_signs(1000, 64, np.random.default_rng(0))
    >>> bool(np.allclose(np.linalg.norm(V, axis=1), 1)), round(float(np.abs(V).max()), 3)
    (True, 0.125)
    """
    bits = np.unpackbits(np.frombuffer(rng.bytes((K * d + 7) // 8), dtype=np.uint8), count=K * d)
    signs = bits.reshape(K, d).astype(np.float32)
    signs *= 2 / sqrt(d)
    signs -= 1 / sqrt(d)
    return signs


def random_label_sets(n: int, s: int, K: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The relevant labels (n, s) of n instances: s different ones of K each, all sets alike.

    Raises
    ------
    ValueError
        Not 1 <= s <= K.
    """
    if not 1 <= s <= K:
        raise ValueError(f"s: found {s}, wanted 1 to {K}, the number of labels")
    return np.array([rng.choice(K, size=s, replace=False) for _ in range(n)])


def proof_dimension(s: int, n: int, K: int, *, all_labels: bool = True) -> int:
    r"""The d that makes the failure of items 3 and 4 of theorem 2.1 less likely than 1/2.

    By Hoeffding one score of one instance is off by more than 1/3 with a probability of at most 2 exp(-d / (18 s)).
    There are min(n, K^s) different instances, with K scores each. So

    .. math:: d = \lceil 18 s \ln(4 K \min(n, K^s)) \rceil

    Parameters
    ----------
    s, n, K : int
        Relevant labels of an instance at most, instances of the sample, labels.
    all_labels : bool, default True
        False: as the paper's proof sets it, :math:`\lceil 18 s \ln(4 \min(n, K^s)) \rceil`. Its union bound goes over
        the instances and leaves out the labels (the theorem's statement, s log(K |S|), has them).

    >>> proof_dimension(5, 1000, 20_000), proof_dimension(5, 1000, 20_000, all_labels=False)
    (1638, 747)
    """
    sets = log(n) if s * log(K) > log(n) else s * log(K)
    return ceil(18 * s * (log(4) + sets + (log(K) if all_labels else 0.0)))


@dataclass(frozen=True)
class Trial:
    """One draw of theorem 2.1's construction, and how it went.

    Attributes
    ----------
    d, s, K : int
    relevant : ndarray, shape (n, s)
        Scores of the relevant labels.
    irrelevant : ndarray, shape (n,)
        The highest score of any other label, instance by instance.
    sample : ndarray
        Scores of irrelevant labels, all of them or every so manyth, for a histogram.
    lengths : ndarray, shape (n,)
        Norms of phi(x).
    """

    d: int
    s: int
    K: int
    relevant: Floats
    irrelevant: Floats
    sample: Floats
    lengths: Floats

    @property
    def lowest(self) -> Floats:
        """The lowest score of a relevant label, instance by instance."""
        return np.asarray(self.relevant.min(axis=1))

    @property
    def promised(self) -> float:
        """Share of the instances that have items 3 and 4: relevant at least 2/3, all others at most 1/3."""
        return float(np.mean((self.lowest >= RELEVANT) & (self.irrelevant <= IRRELEVANT)))

    @property
    def perfect(self) -> float:
        """Share of the instances whose labels are those with a score above 1/2, none missed and none too many."""
        return float(np.mean((self.lowest > THRESHOLD) & (self.irrelevant < THRESHOLD)))

    @property
    def ranked(self) -> float:
        """Share of the instances whose s labels stand before all others: P@s = 1, without a threshold."""
        return float(np.mean(self.lowest > self.irrelevant))


def perfect_accuracy(V: Floats, labels: NDArray[np.int64], phi: Floats | None = None) -> Trial:
    """Score all labels for each instance, and keep what theorem 2.1 speaks about.

    Parameters
    ----------
    V : ndarray, shape (K, d)
        Label vectors, such as `random_signs`.
    labels : ndarray, shape (n, s)
        The relevant labels of each instance.
    phi : ndarray, shape (n, d), optional
        Where the instances lie; None: at the sum of their labels' vectors, as in the proof.

    Notes
    -----
    O(n K d) time, and n K scores in memory.
    """
    K, d = V.shape
    places = label_sums(V, labels) if phi is None else phi
    return _trial(places @ V.T, labels, d, K, np.linalg.norm(places, axis=1))


def label_sums(V: Floats, labels: NDArray[np.int64]) -> Floats:
    """phi(x) of the proof, (n, d): the sum of the relevant labels' vectors."""
    return V[labels].sum(axis=1)


def _trial(scores: NDArray[np.floating], labels: NDArray[np.int64], d: int, K: int, lengths: Floats) -> Trial:
    scores = np.array(scores, dtype=np.float32)  # a copy
    relevant = np.take_along_axis(scores, labels, axis=1)
    np.put_along_axis(scores, labels, -np.inf, axis=1)
    others = scores.ravel()[:: max(1, scores.size // 20_000)]
    return Trial(d, labels.shape[1], K, relevant, scores.max(axis=1), others[np.isfinite(others)], lengths)


def accuracy_by_dimension(s: int, K: int, dims: Sequence[int], *, n: int = 64, random_state: int = 0) -> list[Trial]:
    """One draw for each d, the vectors of the smaller ones being the beginnings of the largest's.

    Parameters
    ----------
    s, K : int
    dims : sequence of int, increasing
    n : int
        Instances.

    Notes
    -----
    As dear as the largest d alone: scores add up over the coordinates.
    """
    rng = np.random.default_rng(random_state)
    V = random_signs(K, dims[-1], rng) * sqrt(dims[-1])  # -1 and 1
    labels = random_label_sets(n, s, K, rng)
    phi = label_sums(V, labels)
    scores = np.zeros((n, K), dtype=np.float32)
    trials, done, squares = [], 0, np.zeros(n)
    for d in dims:
        part = slice(done, d)
        scores += phi[:, part] @ V[:, part].T
        squares += np.sum(phi[:, part].astype(float) ** 2, axis=1)
        trials.append(_trial(scores / d, labels, d, K, np.sqrt(squares / d).astype(np.float32)))
        done = d
    return trials


def expected_accuracy(d: float, s: int, K: int) -> float:
    """The share of perfect instances that a normal distribution of the scores lets expect.

    A relevant label's score is 1 and s - 1 inner products of other labels' vectors, each of variance 1/d; another
    label's is s of them. Perfect is an instance with all s of the first above 1/2 and all K - s others below.

    >>> round(expected_accuracy(64, 5, 20_000), 3), round(expected_accuracy(1024, 5, 20_000), 3)
    (0.0, 1.0)
    """

    def log_inside(terms: int) -> float:
        if terms == 0:
            return 0.0
        outside = erfc(THRESHOLD * sqrt(d / terms) / sqrt(2)) / 2
        return log1p(-outside)

    return exp(s * log_inside(s - 1) + (K - s) * log_inside(s))


def fitted_places(
    V: Floats, labels: NDArray[np.int64], *, steps: int = 400, random_state: int = 0
) -> tuple[Floats, NDArray[np.bool_]]:
    """Where instances lie best for fixed label vectors: the theorem's "infinite expressivity" taken at its word.

    phi(x) may be any point, not only the sum of the labels' vectors. It is moved by perceptron steps, each away from
    the highest irrelevant label and towards the lowest relevant one, until all relevant ones stand before all others.

    Parameters
    ----------
    V : ndarray, shape (K, d)
    labels : ndarray, shape (n, s)
    steps : int
        At most; an instance that is right by then or never has no further ones.

    Returns
    -------
    phi : ndarray, shape (n, d)
    right : ndarray of bool, shape (n,)
        Whether the instance's labels stand first. False is no proof that they cannot.

    Notes
    -----
    O(steps x n K d) at worst.
    """
    phi = label_sums(V, labels)
    right = np.zeros(len(labels), dtype=bool)
    for step in range(steps):
        open_ = np.flatnonzero(~right)
        if not len(open_):
            break
        scores = phi[open_] @ V.T
        own = np.take_along_axis(scores, labels[open_], axis=1)
        np.put_along_axis(scores, labels[open_], -np.inf, axis=1)
        highest = scores.argmax(axis=1)
        low = labels[open_][np.arange(len(open_)), own.argmin(axis=1)]
        right[open_] = own.min(axis=1) > scores.max(axis=1)
        wrong = open_[~right[open_]]
        if step == steps - 1:
            break
        still = ~right[open_]
        phi[wrong] += V[low[still]] - V[highest[still]]
    return phi, right


# ------------------------------------------------------------------------------------------------------ theorem B.1


def geometric_mean(Y: csr_array) -> csr_array:
    """sqrt(F(y|y') F(y'|y)) of all pairs, (K, K): the cosines of the columns of Y; rows of unused labels are empty.

    Parameters
    ----------
    Y : csr_array, shape (n, K), of 0 and 1
    """
    return csr_array(_unit_columns(Y).T @ _unit_columns(Y))


def _unit_columns(Y: csr_array) -> csr_array:
    counts = np.bincount(Y.indices, minlength=Y.shape[1])
    scaled = csr_array(Y, dtype=np.float64, copy=True)
    scaled.data = scaled.data / np.sqrt(counts[scaled.indices])
    return scaled


@dataclass(frozen=True)
class Projection:
    """Theorem B.1's construction for a sample, and how it went.

    Attributes
    ----------
    phi, V : ndarrays, shapes (n, d) and (K, d)
    epsilon : float
        1 / (2 sqrt(a)), a the frequency of the most frequent label: threshold, and largest error promised.
    largest_error : float
        Of all inner products v_y . v_y', those of a label with itself too, beside the geometric means.
    perfect : float
        Share of the instances whose labels are those that score above epsilon, none missed and none too many.
    """

    phi: NDArray[np.float64]
    V: NDArray[np.float64]
    epsilon: float
    largest_error: float
    perfect: float


def johnson_lindenstrauss(Y: csr_array, d: int, rng: np.random.Generator) -> Projection:
    r"""Place every instance, and every label at the mean direction of its instances, by a random projection.

    In n dimensions :math:`e_x` for the instances and :math:`v'_y = \sum_{x: y \in y(x)} e_x / \sqrt{A_{yy}}` for the
    labels have all that theorem B.1 asks for. A Gaussian matrix :math:`\psi` (d, n) with variance 1/d keeps their inner
    products up to an error that shrinks like :math:`\sqrt{\ln(K n) / d}`.

    Parameters
    ----------
    Y : csr_array, shape (n, K), of 0 and 1
    d : int

    Raises
    ------
    ValueError
        If no label occurs.

    Notes
    -----
    The Gram matrix and the scores are dense: for samples of some thousand instances and labels.
    """
    n, K = Y.shape
    counts = np.bincount(Y.indices, minlength=K)
    if not counts.any():
        raise ValueError("Y has no positives; wanted an instance with a label")
    phi = rng.normal(size=(n, d)) / sqrt(d)
    V = np.asarray(_unit_columns(Y).T @ phi)
    epsilon = 1 / (2 * sqrt(counts.max()))
    used = counts > 0
    error = np.abs(V[used] @ V[used].T - geometric_mean(Y).toarray()[np.ix_(used, used)])
    said = (phi @ V.T > epsilon) & used
    perfect = float(np.mean(np.all(said == (Y.toarray() > 0), axis=1)))
    return Projection(phi, V, epsilon, float(error.max()), perfect)


def smallest_eigenvalue(U: NDArray[np.floating]) -> float:
    """Of a symmetric matrix: below 0, no vectors in whatever dimension have U for their inner products.

    >>> hub = np.eye(6)
    >>> hub[0, 1:] = hub[1:, 0] = 0.5  # five labels that never meet, each half of the way to the first
    >>> round(smallest_eigenvalue(hub), 3), round(smallest_eigenvalue(hub[:5, :5]), 3)
    (-0.118, 0.0)
    """
    return float(np.linalg.eigvalsh(np.asarray(U, dtype=np.float64))[0]) + 0.0
