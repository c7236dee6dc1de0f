"""What the metrics stand on: checked labels and scores, and each instance's first k predictions.

The conventions (what is a prediction, how ties break) are those of `xmlwb.metrics`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

# rows x width that are sorted at once: bounds the memory of the padded copy to a few tens of MB
_BLOCK = 1 << 21


def labels_csr(Y: Any, name: str = "Y_true") -> sparse.csr_array:
    """Y as a canonical CSR pattern of ones; a ValueError where it is not a 2-D array of 0 and 1."""
    if not sparse.issparse(Y):
        Y = np.asarray(Y)
        if Y.ndim != 2 or Y.dtype.kind not in "buif":
            raise ValueError(f"{name}: found {Y.dtype} of shape {Y.shape}, wanted (n, L), 0 and 1")
    C = Y.tocoo() if sparse.issparse(Y) else sparse.coo_array(Y)
    bad = np.flatnonzero((C.data != 0) & (C.data != 1))
    if bad.size:
        i = bad[0]
        where = f"row {C.row[i]}, column {C.col[i]}"
        raise ValueError(f"{name}: found {C.data[i]!s} in {where}; wanted only 0 and 1")
    if sparse.issparse(Y) and Y.format == "csr" and Y.has_canonical_format and np.all(Y.data == 1):
        return sparse.csr_array(Y)
    keep = C.data != 0
    out = sparse.csr_array((np.ones(int(keep.sum())), (C.row[keep], C.col[keep])), shape=C.shape)
    out.data[:] = 1.0  # a pair named twice is still one label
    return out


def scores_csr(S: Any, shape: tuple[int, int]) -> sparse.csr_array:
    """S as CSR with sorted indices, its stored zeros kept; the caller's array is left as it is."""
    if sparse.issparse(S):
        if S.shape != shape:
            raise ValueError(f"S: found shape {S.shape}, wanted that of Y_true, {shape}")
        out = sparse.csr_array(S, copy=S.format == "csr" and not S.has_canonical_format)
        out.sum_duplicates()
    else:
        S = np.asarray(S)
        if S.shape != shape or S.dtype.kind not in "buif":
            raise ValueError(f"S: found {S.dtype} of shape {S.shape}, wanted numbers, {shape} as Y_true")
        n, L = shape
        indptr = np.arange(n + 1, dtype=np.int64) * L
        out = sparse.csr_array((S.ravel(), np.tile(np.arange(L, dtype=np.int64), n), indptr), shape=shape)
    if out.dtype.kind == "f" and np.isnan(out.data).any():
        at = int(np.flatnonzero(np.isnan(out.data))[0])
        row = int(np.searchsorted(out.indptr, at, side="right")) - 1
        raise ValueError(f"S: found NaN in row {row}, label {out.indices[at]}; wanted scores to rank by")
    return out


def check_k(k: Any, L: int) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not 1 <= k <= L:
        raise ValueError(f"k: found {k!r}, wanted a whole number from 1 to the number of labels, {L}")
    return int(k)


def inverse_propensity(propensity: Any, L: int) -> NDArray[np.float64]:
    p = np.asarray(propensity, dtype=np.float64)
    if p.shape != (L,):
        raise ValueError(f"propensity: found shape {p.shape}, wanted one value for each label, ({L},)")
    bad = np.flatnonzero(~((p > 0) & (p <= 1)))
    if bad.size:
        raise ValueError(f"propensity: found {p[bad[0]]} for label {bad[0]}, wanted values in (0, 1]")
    return 1.0 / p


def best_positions(indptr: NDArray[Any], values: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Positions into `values` of each row's k largest, (n, k): best first, equals in stored order, -1 for none.

    Rows are sorted together with rows of a like length (within a factor of two), padded to the longest of
    them, so that all work is done by a few array operations and the padding at most doubles the memory.
    """
    start = np.asarray(indptr[:-1], dtype=np.int64)
    length = np.diff(indptr).astype(np.int64)
    out = np.full((len(start), k), -1, dtype=np.int64)
    size_class = np.frexp(length.astype(np.float64))[1]
    for c in np.unique(size_class[length > 0]):
        members = np.flatnonzero(size_class == c)
        width = int(length[members].max())
        step = max(1, _BLOCK // width)
        columns = np.arange(width)
        for first in range(0, len(members), step):
            rows = members[first : first + step]
            stored = columns < length[rows, None]
            at = np.where(stored, start[rows, None] + columns, 0)
            key = np.where(stored, -values[at].astype(np.float64), np.inf)
            best = np.argsort(key, axis=1, kind="stable")[:, :k]  # a stored -inf still precedes the padding
            found = np.where(best < length[rows, None], np.take_along_axis(at, best, axis=1), -1)
            out[rows, : found.shape[1]] = found
    return out


def first_labels(S: sparse.csr_array, k: int) -> NDArray[np.int64]:
    """Each row's first k predicted labels, (n, k), best first, -1 where it stores fewer."""
    at = best_positions(S.indptr, S.data, k)
    return np.where(at >= 0, S.indices[at].astype(np.int64), -1) if S.nnz else at


def first_k(Y: sparse.csr_array, S: sparse.csr_array, k: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Each row's first k predicted labels, (n, k), -1 where it stores fewer, and whether each is true."""
    n, L = Y.shape
    labels = first_labels(S, k)
    # One sorted list of the true (row, label) pairs, each as one whole number, answers every look-up.
    rows = np.arange(n, dtype=np.int64)
    true = np.repeat(rows * L, np.diff(Y.indptr)) + Y.indices
    asked = rows[:, None] * L + labels
    if true.size == 0:
        return labels, np.zeros(labels.shape, dtype=bool)
    where = np.minimum(np.searchsorted(true, asked), true.size - 1)
    return labels, (labels >= 0) & (true[where] == asked)


def beam_recall_at_k(S: Any, S_exact: Any, k: int = 5) -> NDArray[np.float64]:
    """How much of an exhaustive search's ranking a pruned search, such as a beam search, returns.

    Parameters
    ----------
    S : csr_array, shape (n, L)
        What the pruned search predicts; as in the metrics, what is stored is predicted.
    S_exact : csr_array, shape (n, L)
        What the exhaustive search predicts.
    k : int
        1 <= k <= L.

    Returns
    -------
    ndarray, shape (k,), float64
        At place j - 1: of the first j labels that `S_exact` stores in a row (fewer where it stores fewer), the share
        that is also among the first j of `S`; mean over the rows in which `S_exact` stores any, NaN if there is none.
        True labels do not come into it. Equal scores break by the lower label index, in both.

    Raises
    ------
    ValueError
        The shapes differ, a score is NaN, k is out of range.

    Notes
    -----
    Time O(nnz(S) log k' + n k log(n k)), k' the longest row; memory O(nnz + n k). The measure is the recall by which
    searches for approximate nearest neighbours are compared with exact ones.

    Examples
    --------
    >>> S_exact = np.array([[0.9, 0.5, 0.1, 0.0]])
    >>> S = sparse.csr_array(([0.9, 0.1], [0, 2], [0, 2]), shape=(1, 4))
    >>> beam_recall_at_k(S, S_exact, k=3).round(3).tolist()
    [1.0, 0.5, 0.667]
    """
    if len(np.shape(S)) != 2 or np.shape(S) != np.shape(S_exact):
        raise ValueError(f"S, S_exact: found shapes {np.shape(S)} and {np.shape(S_exact)}, wanted (n, L) twice")
    n, L = np.shape(S)
    k = check_k(k, L)
    found, wanted = (first_labels(scores_csr(part, (n, L)), k) for part in (S, S_exact))
    # Each (row, label) as one whole number; the wanted ones are looked up among the found ones, and their ranks.
    offset = np.arange(n, dtype=np.int64)[:, None] * L
    pairs, ranks = (offset + found)[found >= 0], np.nonzero(found >= 0)[1]
    order = np.argsort(pairs)
    pairs, ranks = np.append(pairs[order], n * L), np.append(ranks[order], k)  # one more: nothing lies behind it
    asked = offset + wanted
    at = np.searchsorted(pairs, asked)
    rank = np.where((wanted >= 0) & (pairs[at] == asked), ranks[at], k)
    both_from = np.maximum(rank, np.arange(k))  # the place from which on both hold the label; k: never
    hits = np.cumsum([np.count_nonzero(both_from == j, axis=1) for j in range(k)], axis=0).T
    stored = np.count_nonzero(wanted >= 0, axis=1)
    any_stored = stored > 0
    if not any_stored.any():
        return np.full(k, np.nan)
    possible = np.minimum(stored[any_stored, None], np.arange(1, k + 1))
    return np.mean(hits[any_stored] / possible, axis=0)
