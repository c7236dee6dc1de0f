"""The label matrix with its means taken off, and its singular vectors; it stays sparse throughout."""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.linalg import eigh
from scipy.sparse.linalg import LinearOperator, eigsh

from xmlwb.solvers.sparse_dense import times_dense, transposed

#: Up to this many labels or instances the Gram matrix of the label matrix is decomposed as a whole.
GRAM_UP_TO = 1024


class CentredLabels:
    """The products of ``Y_c = Y - 1 mean^T`` with dense blocks; Y stays sparse.

    Attributes
    ----------
    mean : ndarray, shape (L,), float64
        The share of instances with each label; zeros if not centred.
    squared_norm : float
        ``||Y_c||_F^2``.
    """

    def __init__(self, Y: sparse.csr_array, *, centred: bool = True, n_jobs: int | None = None) -> None:
        n, L = Y.shape
        counts = np.bincount(Y.indices, minlength=L).astype(np.float64)
        self.shape = (n, L)
        self.mean = counts / n if centred else np.zeros(L)
        self.squared_norm = float(np.sum(counts * (1 - self.mean)))
        self._Y, self._Y_transposed, self._n_jobs = Y, transposed(Y), n_jobs

    def times(self, V: np.ndarray) -> np.ndarray:
        """``Y_c V``, shape (n, m), float32."""
        return times_dense(self._Y, V, n_jobs=self._n_jobs) - (self.mean @ V).astype(np.float32)

    def transposed_times(self, Z: np.ndarray) -> np.ndarray:
        """``Y_c^T Z``, shape (L, m), float64."""
        product = times_dense(self._Y_transposed, Z, n_jobs=self._n_jobs).astype(np.float64)
        return product - np.outer(self.mean, Z.sum(axis=0, dtype=np.float64))

    def gram(self) -> np.ndarray:
        """``Y_c^T Y_c``, shape (L, L), float64: for few labels only."""
        gram = (self._Y_transposed @ self._Y).toarray().astype(np.float64)
        return gram - self.shape[0] * np.outer(self.mean, self.mean)

    def gram_of_instances(self) -> np.ndarray:
        """``Y_c Y_c^T``, shape (n, n), float64: for few instances only."""
        shared = (self._Y @ self._Y_transposed).toarray().astype(np.float64)
        along_mean = self._Y @ self.mean
        return shared - along_mean - along_mean[:, None] + self.mean @ self.mean

    def operator(self) -> LinearOperator:
        """``Y_c`` for scipy's solvers, in float64."""
        Y, mean = self._Y.astype(np.float64), self.mean
        Y_transposed = sparse.csr_array(Y.T)

        def times(V: np.ndarray) -> np.ndarray:
            return Y @ V - mean @ V

        def transposed_times(Z: np.ndarray) -> np.ndarray:
            return Y_transposed @ Z - np.multiply.outer(mean, Z.sum(axis=0))

        return LinearOperator(
            self.shape, matvec=times, rmatvec=transposed_times, matmat=times, rmatmat=transposed_times, dtype=np.float64
        )


def by_gram_matrix(short: int, m: int) -> bool:
    """Whether m singular vectors come from the Gram matrix of the shorter side rather than from Lanczos steps."""
    return short <= GRAM_UP_TO or 4 * m > short


def right_singular_vectors(Y: sparse.csr_array, m: int, *, centred: bool, random_state: int = 0) -> np.ndarray:
    """The m leading right singular vectors of the label matrix, as columns of shape (L, m), float64.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    m : int
        1 <= m <= min(n, L).
    centred : bool
        Whether each label's mean is taken off first; Y itself stays sparse.
    random_state : int
        Seed of the Lanczos iteration's first vector.

    Notes
    -----
    Implicitly restarted Lanczos (ARPACK, through scipy) to machine precision: O((nnz(Y) + (n + L) m) m) an iteration
    and 2 m + 1 vectors. Where there are no more than 1,024 labels or instances (8 MiB), or m is more than a quarter of
    them, the Gram matrix of the shorter side is decomposed instead: at most four times as large as the result, and 24
    bytes an entry at the peak. Neither can be stopped on its way.

    A direction's sign is chosen so that its largest entry is positive.

    Examples
    --------
    >>> Y = sparse.csr_array(np.array([[1, 1, 0], [1, 1, 0], [0, 0, 1]], dtype=np.float32))
    >>> right_singular_vectors(Y, 2, centred=False).round(3) + 0.0
    array([[0.707, 0.   ],
           [0.707, 0.   ],
           [0.   , 1.   ]])
    """
    labels = CentredLabels(Y, centred=centred)
    short = min(Y.shape)
    if by_gram_matrix(short, m):
        gram = labels.gram() if Y.shape[1] == short else labels.gram_of_instances()
        vectors = eigh(gram, subset_by_index=(short - m, short - 1))[1]
    elif labels.squared_norm == 0:  # every instance has the same labels: ARPACK has nothing to start from
        vectors = np.eye(short, m)
    else:
        vectors = _by_lanczos(labels.operator(), m, random_state)
    V = vectors[:, ::-1]  # both solvers put the strongest last
    if Y.shape[1] != short:
        V = np.linalg.svd(labels.operator().rmatmat(V), full_matrices=False)[0]
    largest = np.take_along_axis(V, np.abs(V).argmax(axis=0, keepdims=True), axis=0)
    return np.ascontiguousarray(V * np.where(largest < 0, -1.0, 1.0))


def _by_lanczos(operator: LinearOperator, m: int, seed: int) -> np.ndarray:
    """The m leading eigenvectors of ``A^T A`` or ``A A^T``, whichever is smaller, the strongest last.

    scipy's `svds` would do the same, but does not hand its seed on to where ARPACK starts again from a random vector,
    as it does when A has fewer than m directions.
    """
    n, L = operator.shape
    rng = np.random.default_rng(seed)

    def gram_times(v: np.ndarray) -> np.ndarray:
        return operator.rmatvec(operator.matvec(v)) if n >= L else operator.matvec(operator.rmatvec(v))

    short = min(n, L)
    gram = LinearOperator((short, short), matvec=gram_times, dtype=np.float64)
    return eigsh(gram, k=m, v0=rng.standard_normal(short), rng=rng)[1]
