"""Time of the metrics on 600,000 predictions x 5 over 670,000 labels, about the largest public test set.

Run: python benchmarks/metrics_speed.py [n [L]]. Nothing is compiled, so there is no warm-up; medians of 3.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
from scipy import sparse

from xmlwb.metrics import evaluate, precision_at_k, propensities
from xmlwb.significance import bootstrap_interval, paired_test


def random_rows(n: int, L: int, per_row: int, rng: np.random.Generator) -> sparse.csr_array:
    """(n, L) with per_row distinct labels a row, drawn with a Zipf-like preference for low labels."""
    gaps = np.ceil(L / per_row * rng.random((n, per_row)) ** 3).astype(np.int64).clip(1)
    columns = np.cumsum(gaps, axis=1) - 1
    indptr = np.arange(n + 1) * per_row
    return sparse.csr_array((rng.random(n * per_row), columns.ravel(), indptr), shape=(n, L))


def timed(title: str, run: Callable[[], object], repeat: int = 3) -> None:
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(f"{title:58s} {median(seconds):7.3f} s", flush=True)


def main(n: int = 600_000, L: int = 670_000) -> None:
    rng = np.random.default_rng(0)
    Y, S = random_rows(n, L, 5, rng), random_rows(n, L, 5, rng)
    Y.data[:] = 1
    p = propensities(Y, 0.6, 2.6)
    print(f"{n:,} instances x 5 predictions over {L:,} labels")
    timed("precision_at_k", lambda: precision_at_k(Y, S))
    timed("evaluate: P, nDCG, R, coverage", lambda: evaluate(Y, S))
    timed("evaluate: the same and PSP, PSnDCG", lambda: evaluate(Y, S, p))
    a, b = (precision_at_k(Y[:50_000], T[:50_000], per_instance=True)[:, 4] for T in (S, Y))
    timed("bootstrap_interval, 50,000 instances x 1,000", lambda: bootstrap_interval(a))
    timed("paired_test, 50,000 instances x 1,000", lambda: paired_test(a, b))


if __name__ == "__main__":
    main(*(int(v) for v in sys.argv[1:]))
