"""Chapter 03's look at a measurement matrix: how far its columns are from orthogonal, and what that guarantees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from xmlwb.solvers.measurement import Measurement, measurement_matrix

#: Where sampled supports' squared singular values must lie for l1 decoding to be certain: E. Candes, The restricted
#: isometry property and its implications for compressed sensing, 2008: delta_2s below the square root of 2, less 1.
RIP_LIMIT = float(np.sqrt(2) - 1)


def cosines(A: Measurement, labels: np.ndarray | None = None) -> np.ndarray:
    """Inner products of the columns of A, each divided by its length: (L, L), or of some labels' columns alone."""
    columns = A.toarray() if labels is None else A.columns(labels)
    columns = columns / np.linalg.norm(columns, axis=0)
    return columns.T @ columns


def coherence(C: np.ndarray) -> float:
    """The largest cosine of two different columns, in magnitude, from the matrix of all cosines.

    >>> coherence(np.array([[1.0, -0.5], [-0.5, 1.0]]))
    0.5
    """
    off = np.abs(C - np.diag(np.diag(C)))
    return float(off.max())


def guaranteed_sparsity(mu: float) -> int:
    """The largest s that coherence mu guarantees for OMP: every s-sparse vector comes back if s < (1 + 1/mu) / 2.

    >>> guaranteed_sparsity(0.3), guaranteed_sparsity(1 / 3)
    (2, 1)
    """
    return int(np.ceil((1 + 1 / mu) / 2 - 1e-9)) - 1


def welch_bound(m: int, L: int) -> float:
    """No m x L matrix has a smaller coherence (Welch 1974), and often none attains it; 0 where m reaches L."""
    return float(np.sqrt(max(0, L - m) / (m * (L - 1)))) if L > 1 else 0.0


def coherence_table(
    L: int, measurements: Sequence[int], kinds: Sequence[str], *, random_state: int = 0
) -> pd.DataFrame:
    """Coherence of one matrix of each kind and m, and a bound that no matrix goes below; what is guaranteed by each.

    "guarantees s" is that of the best of the kinds; "at most s" that of a matrix which attains `welch_bound`, if there
    is one.
    """
    rows = []
    for m in measurements:
        row: dict[str, float] = {"m": m, "none below": welch_bound(m, L)}
        for kind in kinds:
            row[kind] = coherence(cosines(measurement_matrix(kind, m, L, random_state)))
        row["guarantees s"] = guaranteed_sparsity(min(row[kind] for kind in kinds))
        row["at most s"] = guaranteed_sparsity(row["none below"]) if row["none below"] > 0 else L
        rows.append(row)
    return pd.DataFrame(rows).set_index("m")


def isometry_sample(
    L: int,
    measurements: Sequence[int],
    size: int,
    Y: csr_array,
    *,
    kind: str = "gaussian",
    n_supports: int = 200,
    random_state: int = 0,
) -> pd.DataFrame:
    """What A does to lengths: of the vectors on sampled supports at their worst, and of real label vectors.

    Parameters
    ----------
    L : int
    measurements : sequence of int
    size : int
        Labels of a support: 2s, where s-sparse vectors are to be told apart.
    Y : csr_array, shape (n, L)
        Real label vectors.
    n_supports : int
        Supports sampled for each m.

    Returns
    -------
    DataFrame, one row for each m
        "low", "high": the smallest and largest squared singular value of A restricted to a sampled support, so that
        |A v|^2 / |v|^2 lies between them for every v on those supports; "delta": how far they reach from 1, a lower
        bound of the restricted isometry constant; "real low", "real high": where |A y|^2 / |y|^2 of nine in ten
        documents lies.
    """
    rng = np.random.default_rng([random_state, size])
    labelled = csr_array(Y[np.flatnonzero(np.diff(Y.indptr) > 0)])
    length = np.asarray(labelled.sum(axis=1))
    rows = []
    for m in measurements:
        A = measurement_matrix(kind, m, L, np.random.default_rng([random_state, m]))
        supports = np.stack([rng.choice(L, size, replace=False) for _ in range(n_supports)])
        blocks = A.columns(supports.ravel()).reshape(m, n_supports, size).transpose(1, 0, 2)
        eigenvalues = np.linalg.eigvalsh(np.matmul(blocks.transpose(0, 2, 1), blocks))
        ratio = (A.encode(labelled) ** 2).sum(axis=1) / length
        low, high = float(eigenvalues.min()), float(eigenvalues.max())
        real_low, real_high = np.quantile(ratio, [0.05, 0.95])
        rows.append(
            {
                "m": m,
                "low": max(0.0, low),
                "high": high,
                "delta": max(1 - low, high - 1),
                "real low": float(real_low),
                "real high": float(real_high),
            }
        )
    return pd.DataFrame(rows).set_index("m")
