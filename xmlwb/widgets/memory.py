"""What a fit will need beside what the machine has left, in words."""

from __future__ import annotations

from typing import Any

import psutil
from scipy import sparse


def memory_note(model: Any, X: Any, Y: Any) -> tuple[str, bool]:
    """Compare a model's own estimate with the memory that is free now.

    Parameters
    ----------
    model : estimator with ``memory_estimate(n, d, L, nnz)``
    X, Y : the training data

    Returns
    -------
    note : str
        For example "A fit needs about 132 MB; 18.2 GB of memory are free."
    fits : bool
        False if the estimate is more than what is free.
    """
    n, d = X.shape
    n_labels = Y.shape[1] if Y.ndim == 2 else len(set(Y))
    nnz = X.nnz if sparse.issparse(X) else X.size
    needed = model.memory_estimate(n=n, d=d, L=n_labels, nnz=nnz)
    free = psutil.virtual_memory().available
    note = f"A fit needs about {in_bytes(needed)}; {in_bytes(free)} of memory are free."
    return note, needed <= free


def in_bytes(count: float) -> str:
    """A number of bytes with three digits and a decimal unit.

    >>> in_bytes(132_400_000)
    '132 MB'
    >>> in_bytes(18_240_000_000)
    '18.2 GB'
    """
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 999.5 and len(units) > 1:
        count /= 1000
        units.pop(0)
    return f"{count:.3g} {units[0]}"
