r"""Measurement matrices: the A of z = A y that squeezes L labels into m numbers.

Columns have unit length (in expectation where they are Gaussian), so that ``A.correlate(z)`` of a measured label vector
is that vector plus noise of variance about :math:`\lVert y \rVert^2 / m`.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from xmlwb.solvers.hadamard import hadamard_entries, next_power_of_two, walsh_hadamard

#: Up to this many labels the Gram matrix (L x L, float32: 400 MB at the limit) is kept; decoders do without it beyond.
GRAM_LABELS = 10_000
#: Rows of a transform at a time: about this many numbers.
_CHUNK = 1 << 20
#: Decoders ask for the Gram matrix from several threads at once, and only one is to compute it.
_GRAM_LOCK = threading.Lock()


class Measurement(ABC):
    """A measurement matrix A of m rows (measurements) and L columns (labels).

    Attributes
    ----------
    shape : (m, L)
    """

    def __init__(self, m: int, L: int) -> None:
        self.shape = _checked_size(m, L)

    @abstractmethod
    def encode(self, Y: sparse.csr_array) -> np.ndarray:
        """Measure sparse rows: (n, L) CSR to (n, m) float32, Y A^T."""

    @abstractmethod
    def measure(self, V: np.ndarray) -> np.ndarray:
        """Measure dense rows, for row batches: (b, L) to (b, m) float32, V A^T."""

    @abstractmethod
    def correlate(self, R: np.ndarray) -> np.ndarray:
        """Inner products of rows with every column, for row batches: (b, m) to (b, L) float32, R A."""

    @abstractmethod
    def columns(self, labels: np.ndarray) -> np.ndarray:
        """The columns of the labels: (m, len(labels)) float32."""

    @abstractmethod
    def prefix(self, m: int) -> Measurement:
        """The first m measurements alone, columns again of unit length: a measurement matrix of the same kind."""

    @property
    @abstractmethod
    def arrays(self) -> np.ndarray:
        """What the matrix is made of, for a model's file: `measurement_from_arrays` takes it."""

    @property
    @abstractmethod
    def squared_norm(self) -> float:
        """The largest eigenvalue of A A^T, or a little more: the step of a gradient descent is its inverse."""

    @property
    def has_gram(self) -> bool:
        """Whether `gram` may be stored: L is at most GRAM_LABELS."""
        return self.shape[1] <= GRAM_LABELS

    def gram(self) -> np.ndarray:
        """A^T A, (L, L) float32; computed once and kept.

        Raises
        ------
        ValueError
            L is above GRAM_LABELS.
        """
        if not self.has_gram:
            L = self.shape[1]
            raise ValueError(f"the Gram matrix of {L} labels takes {4 * L * L / 2**30:.1f} GiB; {GRAM_LABELS} at most")
        with _GRAM_LOCK:  # cached_property has no lock of its own from Python 3.12 on
            return self._gram

    @cached_property
    def _gram(self) -> np.ndarray:
        A = self.toarray()
        return A.T @ A

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or another process gets: not the Gram matrix, which is computed faster than it is sent."""
        return {name: value for name, value in vars(self).items() if name != "_gram"}

    def toarray(self) -> np.ndarray:
        """A itself, (m, L) float32: for pictures and small cases."""
        return self.columns(np.arange(self.shape[1]))


class _StoredMeasurement(Measurement):
    """A matrix that is stored, by column: ``atoms`` of shape (L, m), float32."""

    def __init__(self, atoms: np.ndarray) -> None:
        super().__init__(atoms.shape[1], atoms.shape[0])
        self.atoms = np.ascontiguousarray(atoms, dtype=np.float32)

    def encode(self, Y: sparse.csr_array) -> np.ndarray:
        return np.asarray(Y @ self.atoms, dtype=np.float32)

    def measure(self, V: np.ndarray) -> np.ndarray:
        return np.asarray(V, dtype=np.float32) @ self.atoms

    def correlate(self, R: np.ndarray) -> np.ndarray:
        return np.asarray(R, dtype=np.float32) @ self.atoms.T

    def columns(self, labels: np.ndarray) -> np.ndarray:
        return self.atoms[labels].T

    def prefix(self, m: int) -> Measurement:
        return _StoredMeasurement(self.atoms[:, :m] * np.float32(np.sqrt(self.shape[0] / m)))

    @property
    def arrays(self) -> np.ndarray:
        return self.atoms

    @cached_property
    def squared_norm(self) -> float:
        m, L = self.shape
        outer = self.atoms.T @ self.atoms if m <= L else self.atoms @ self.atoms.T
        return float(np.linalg.eigvalsh(outer.astype(np.float64))[-1])


class GaussianMeasurement(_StoredMeasurement):
    r"""Independent normal entries of variance 1/m.

    Parameters
    ----------
    m, L : int
        Measurements, labels.
    random_state : int, Generator or None

    Notes
    -----
    4 m L bytes. With m of order s log(L/s) it keeps the lengths of all s-sparse vectors (the restricted isometry
    property) with high probability: Candes and Tao 2006, Baraniuk, Davenport, DeVore and Wakin 2008.
    """

    def __init__(self, m: int, L: int, random_state: int | np.random.Generator | None = 0) -> None:
        m, L = _checked_size(m, L)
        rng = np.random.default_rng(random_state)
        super().__init__(rng.standard_normal((L, m), dtype=np.float32) / np.float32(np.sqrt(m)))


class BernoulliMeasurement(_StoredMeasurement):
    r"""Independent fair signs, :math:`\pm 1 / \sqrt m`.

    Parameters
    ----------
    m, L : int
        Measurements, labels.
    random_state : int, Generator or None

    Notes
    -----
    4 m L bytes; restricted isometry as of Gaussian entries.
    """

    def __init__(self, m: int, L: int, random_state: int | np.random.Generator | None = 0) -> None:
        m, L = _checked_size(m, L)
        rng = np.random.default_rng(random_state)
        signs = 2 * rng.integers(0, 2, size=(L, m), dtype=np.int8) - 1
        super().__init__(signs / np.float32(np.sqrt(m)))


class PartialHadamard(Measurement):
    r"""m random rows of Sylvester's Hadamard matrix, its first L columns, divided by :math:`\sqrt m`.

    Parameters
    ----------
    m, L : int
        Measurements, labels. With p the smallest power of two of at least L, m <= p.
    random_state : int, Generator or None

    Attributes
    ----------
    rows : ndarray, shape (m,), int64
        Which rows of the p x p matrix; all that is stored.

    Raises
    ------
    ValueError
        m is above p.

    Notes
    -----
    Every product is a fast Walsh-Hadamard transform, O(p log p) a row. Entry (i, j) of the Gram matrix depends on
    i XOR j alone, so that one transform gives all of it. m of order s log^4 L rows are enough (Rudelson and Vershynin
    2008, up to the power of the logarithm); with m = p the columns are orthonormal.
    """

    def __init__(self, m: int, L: int, random_state: int | np.random.Generator | None = 0) -> None:
        super().__init__(m, L)
        self.order = next_power_of_two(L)
        if m > self.order:
            raise ValueError(f"m is {m}; a Hadamard matrix for {L} labels has {self.order} rows")
        self.rows = np.random.default_rng(random_state).permutation(self.order)[:m].astype(np.int64)

    @classmethod
    def from_rows(cls, rows: np.ndarray, L: int) -> PartialHadamard:
        """The matrix of given rows."""
        matrix = cls(len(rows), L)
        matrix.rows = np.asarray(rows, dtype=np.int64)
        if len(matrix.rows) and not (matrix.rows.min() >= 0 and matrix.rows.max() < matrix.order):
            raise ValueError(f"rows lie in [{rows.min()}, {rows.max()}]; wanted 0 <= row < {matrix.order}")
        return matrix

    @property
    def _scale(self) -> np.float32:
        return np.float32(1 / np.sqrt(self.shape[0]))

    def encode(self, Y: sparse.csr_array) -> np.ndarray:
        Z = np.empty((Y.shape[0], self.shape[0]), dtype=np.float32)
        per_chunk = max(1, _CHUNK // self.order)
        for begin in range(0, Y.shape[0], per_chunk):
            Z[begin : begin + per_chunk] = self.measure(Y[begin : begin + per_chunk].toarray())
        return Z

    def measure(self, V: np.ndarray) -> np.ndarray:
        padded = np.zeros((len(V), self.order), dtype=np.float32)
        padded[:, : self.shape[1]] = V
        return walsh_hadamard(padded)[:, self.rows] * self._scale

    def correlate(self, R: np.ndarray) -> np.ndarray:
        spread = np.zeros((len(R), self.order), dtype=np.float32)
        spread[:, self.rows] = R
        return walsh_hadamard(spread)[:, : self.shape[1]] * self._scale

    def columns(self, labels: np.ndarray) -> np.ndarray:
        return hadamard_entries(self.rows, labels) * self._scale

    def prefix(self, m: int) -> Measurement:
        return PartialHadamard.from_rows(self.rows[:m], self.shape[1])

    @property
    def arrays(self) -> np.ndarray:
        return self.rows

    @property
    def squared_norm(self) -> float:
        return self.order / self.shape[0]  # the rows of the whole matrix are orthogonal; exact where L = p

    @cached_property
    def _gram(self) -> np.ndarray:
        chosen = np.zeros((1, self.order), dtype=np.float32)
        chosen[0, self.rows] = 1 / self.shape[0]
        by_xor = walsh_hadamard(chosen)[0]
        labels = np.arange(self.shape[1])
        gram = np.empty((len(labels), len(labels)), dtype=np.float32)
        for label in labels:  # all at once would take twice the result in int64
            gram[label] = by_xor[labels ^ label]
        return gram


def _checked_size(m: int, L: int) -> tuple[int, int]:
    if m < 1 or L < 1:
        raise ValueError(f"m is {m} and L is {L}; wanted at least one measurement and one label")
    return int(m), int(L)


#: The kinds of measurement matrices that models and notebooks offer.
MATRICES: dict[str, type[GaussianMeasurement] | type[BernoulliMeasurement] | type[PartialHadamard]] = {
    "gaussian": GaussianMeasurement,
    "bernoulli": BernoulliMeasurement,
    "hadamard": PartialHadamard,
}


def measurement_matrix(
    kind: str, m: int, L: int, random_state: int | np.random.Generator | None = 0
) -> GaussianMeasurement | BernoulliMeasurement | PartialHadamard:
    """Draw a measurement matrix.

    Parameters
    ----------
    kind : {"gaussian", "bernoulli", "hadamard"}
    m, L : int
        Measurements, labels.
    random_state : int, Generator or None

    Raises
    ------
    ValueError
        Another kind, m or L below 1, or more rows than a Hadamard matrix for L labels has.

    Examples
    --------
    >>> A = measurement_matrix("hadamard", 4, 4)
    >>> A.correlate(A.encode(sparse.csr_array([[0, 1, 0, 1]])))
    array([[0., 1., 0., 1.]], dtype=float32)
    """
    if kind not in MATRICES:
        raise ValueError(f"matrix is {kind!r}; wanted one of {', '.join(map(repr, MATRICES))}")
    return MATRICES[kind](m, L, random_state)


def measurement_from_arrays(arrays: np.ndarray, L: int) -> Measurement:
    """The matrix again, from its ``arrays``: atoms (L, m), or the rows (m,) of a Hadamard matrix for L labels."""
    if arrays.ndim == 1:
        return PartialHadamard.from_rows(arrays, L)
    if arrays.shape[0] != L:
        raise ValueError(f"the measurement matrix has {arrays.shape[0]} columns; wanted {L}")
    return _StoredMeasurement(arrays)


def coherence(A: Measurement) -> float:
    r"""Mutual coherence: the largest :math:`|a_i^\top a_j| / (\lVert a_i \rVert \lVert a_j \rVert)` of two columns.

    Without noise, OMP and basis pursuit (the lasso as its penalty goes to 0) recover every s-sparse vector exactly if
    s < (1 + 1/coherence) / 2 (Tropp 2004). 0.0 for a single label.

    Raises
    ------
    ValueError
        L is above GRAM_LABELS.

    Examples
    --------
    >>> coherence(PartialHadamard(8, 8))
    0.0
    """
    return float(np.abs(column_cosines(A)).max(initial=0.0))


def column_cosines(A: Measurement) -> np.ndarray:
    """The cosines of all pairs of different columns, (L (L - 1) / 2,) float32: what a histogram of coherence shows."""
    G = A.gram()
    length = np.sqrt(np.diag(G))
    first, second = np.triu_indices(len(G), k=1)
    return G[first, second] / (length[first] * length[second])
