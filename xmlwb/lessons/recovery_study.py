"""Chapter 03's study of recovery alone: label vectors squeezed and decoded, nothing learned in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.datasets import load
from xmlwb.lessons.growth import sets_at_hand
from xmlwb.models.base import topk_to_csr
from xmlwb.solvers.measurement import Measurement, measurement_matrix
from xmlwb.solvers.sparse_recovery import DECODERS

#: The decoders' names as a reader sees them, in the order of the chapter.
DECODER_TITLES = {
    "omp": "OMP",
    "cosamp": "CoSaMP",
    "iht": "IHT",
    "fista": "FISTA (lasso)",
    "correlation": "correlation",
}

# Half of fista's own limit: a map has thousands of vectors, and more steps change few of them.
_OPTIONS = {"fista": {"n_iter": 100}}


def random_label_vectors(n: int, L: int, s: int, random_state: int | Sequence[int] = 0) -> csr_array:
    """n label vectors with s ones each, at places drawn without replacement; shape (n, L), float32."""
    rng = np.random.default_rng(random_state)
    places = np.sort(np.argpartition(rng.random((n, L)), s - 1, axis=1)[:, :s], axis=1)
    return csr_array((np.ones(n * s, dtype=np.float32), places.ravel(), np.arange(0, n * s + 1, s)), shape=(n, L))


def recover_labels(Y: csr_array, A: Measurement, decoder: str = "omp") -> csr_array:
    """Squeeze label vectors by A and decode them; the decoder is told how many labels each document has.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    A : Measurement, shape (m, L)
    decoder : str
        A key of `DECODER_TITLES`.

    Returns
    -------
    csr_array, shape (n, L)
        1 at the decoded labels: as many as the document has, or m if it has more labels than there are measurements.
    """
    n, L = Y.shape
    counts = np.diff(Y.indptr)
    found = np.full((n, int(counts.max(initial=1))), -1, dtype=np.int32)
    Z = A.encode(Y)
    for s in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == s)
        labels, _ = DECODERS[decoder](Z[rows], A, min(int(s), A.shape[0]), **_OPTIONS.get(decoder, {}))
        found[rows, : labels.shape[1]] = labels
    return topk_to_csr(found, np.ones(found.shape, dtype=np.float32), L)


def whole(Y: csr_array, decoded: csr_array) -> np.ndarray:
    """Which documents got exactly their own labels back: bool, shape (n,)."""
    wrong = np.abs(Y - decoded).sum(axis=1)
    return np.asarray(wrong == 0)


@dataclass(frozen=True)
class PhaseStudy:
    """How often random label vectors come back whole, by sparsity and number of measurements.

    Attributes
    ----------
    L : int
        Labels.
    measurements : sequence of int
        The grid's rows, m.
    sparsities : sequence of int
        The grid's columns, s.
    trials : int
        Label vectors of each cell; all of them are measured by one matrix, drawn for the cell.
    matrix : str
        Kind of matrix, as `measurement_matrix` takes it.
    random_state : int
    """

    L: int
    measurements: Sequence[int]
    sparsities: Sequence[int]
    trials: int = 40
    matrix: str = "gaussian"
    random_state: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the grid."""
        return len(self.measurements), len(self.sparsities)

    def cell(self, decoder: str, row: int, column: int) -> float:
        """Share of the cell's vectors that come back whole. All decoders get the same vectors and matrix."""
        m, s = self.measurements[row], self.sparsities[column]
        Y = random_label_vectors(self.trials, self.L, s, [self.random_state, m, s])
        A = measurement_matrix(self.matrix, m, self.L, np.random.default_rng([self.random_state, m, s, 1]))
        return float(whole(Y, recover_labels(Y, A, decoder)).mean())


def crossings(values: np.ndarray, measurements: Sequence[int], level: float = 0.5) -> np.ndarray:
    """For each sparsity, the m at which the share recovered passes ``level``, between grid points by a straight line.

    Parameters
    ----------
    values : ndarray, shape (len(measurements), n_sparsities)
        Rows ordered by growing m; NaN where nothing is known.

    Returns
    -------
    ndarray, shape (n_sparsities,)
        NaN where the share does not pass the level within what is known.

    Examples
    --------
    >>> crossings(np.array([[0.0, 0.0], [1.0, 0.2], [1.0, 0.4]]), [10, 20, 30]).tolist()
    [15.0, nan]
    """
    m = np.asarray(measurements, dtype=float)
    found = np.full(values.shape[1], np.nan)
    for column, shares in enumerate(values.T):
        known = np.flatnonzero(~np.isnan(shares))
        below = known[shares[known] < level]
        # the last share below the level, and the next known one, which is not below it
        after = known[known > below[-1]] if below.size else known[:0]
        if after.size:
            low, high = below[-1], after[0]
            part = (level - shares[low]) / (shares[high] - shares[low])
            found[column] = m[low] + part * (m[high] - m[low])
    return found


def order(s: np.ndarray | Sequence[float], L: int) -> np.ndarray:
    """s ln(L / s): what the number of measurements grows like."""
    s = np.asarray(s, dtype=float)
    return s * np.log(L / s)


def order_of_all(s: np.ndarray | Sequence[float], L: int) -> np.ndarray:
    """s ln(L): the same without the s in the logarithm, which bends upward where `order` is a straight line."""
    return np.asarray(s, dtype=float) * np.log(L)


#: What the number of measurements may grow like, by how a reader sees it.
FORMS: dict[str, Callable[[np.ndarray | Sequence[float], int], np.ndarray]] = {
    "s ln(L/s)": order,
    "s ln L": order_of_all,
}


@dataclass(frozen=True)
class BoundFit:
    """m = constant * form(s, L), fitted through the origin, and how far the measured m stray from it.

    Attributes
    ----------
    constant : float
    error : float
        Root of the mean squared distance of the measured m from the line.
    largest_error : float
        The largest distance, as a share of the measured m.
    n : int
        Measured values.
    form : str
        A key of `FORMS`.
    L : int
    """

    constant: float
    error: float
    largest_error: float
    n: int
    form: str
    L: int = field(repr=False)

    def __call__(self, s: np.ndarray | Sequence[float]) -> np.ndarray:
        return self.constant * FORMS[self.form](s, self.L)


def fit_bound(s: Sequence[int], m: np.ndarray, L: int, form: str = "s ln(L/s)") -> BoundFit | None:
    """Least squares of the measured m on one of the `FORMS`; None with fewer than two known values.

    Examples
    --------
    >>> fit = fit_bound([1, 2, 4], 3 * order([1, 2, 4], 100), 100)
    >>> round(fit.constant, 6), round(fit.largest_error, 6)
    (3.0, 0.0)
    """
    known = ~np.isnan(m)
    if known.sum() < 2:
        return None
    x, y = FORMS[form](s, L)[known], np.asarray(m)[known]
    constant = float(x @ y / (x @ x))
    apart = constant * x - y
    error, largest = float(np.sqrt(np.mean(apart**2))), float(np.max(np.abs(apart / y)))
    return BoundFit(constant, error, largest, int(known.sum()), form, L)


def form_table(crossed: Mapping[str, np.ndarray], s: Sequence[int], L: int) -> pd.DataFrame:
    """Both `FORMS` fitted to each decoder's crossings: the constant, and how many measurements the points are off.

    Parameters
    ----------
    crossed : mapping of str to ndarray
        A key of `DECODER_TITLES` -> what `crossings` found.
    s, L : as of `fit_bound`.

    Returns
    -------
    DataFrame
        One row a decoder with at least two known crossings; "points" says how many it has.
    """
    rows = {}
    for name, m in crossed.items():
        fits = {form: fit_bound(s, m, L, form) for form in FORMS}
        known = {form: fit for form, fit in fits.items() if fit is not None}
        if known:
            row: dict[str, float] = {"points": int((~np.isnan(m)).sum())}
            for form, fit in known.items():
                row |= {f"m / ({form})": round(fit.constant, 2), f"off {form} by": round(fit.error, 1)}
            rows[DECODER_TITLES[name]] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def documents_to_break(n: int = 200) -> tuple[str, csr_array]:
    """Real label vectors that are hard to squeeze, and in words what they are.

    The first n training documents of delicious, which has 19 labels a document, where its files are on this machine;
    else those of debtags with at least eight labels.
    """
    found = sets_at_hand(["delicious"])
    if found:
        Y = found[0].Y_train
        return f"the first {n} training documents of delicious", csr_array(Y[:n])
    Y = load("debtags").Y_train
    rows = np.flatnonzero(np.diff(Y.indptr) >= 8)[:n]
    return (
        f"{n} training documents of debtags with 8 labels or more (delicious is not on this machine: the variable "
        "XMLWB_DATA can name its folder)",
        csr_array(Y[rows]),
    )
