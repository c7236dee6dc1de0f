"""Fast mode: the same chapter on fewer rows, for classrooms with slow machines and for tests."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from xmlwb.datasets import Dataset


def fast() -> bool:
    """Whether ``XMLWB_FAST`` asks for the short version of a chapter."""
    return os.environ.get("XMLWB_FAST", "") not in ("", "0")


def subsample(ds: Dataset, n_train: int, n_test: int | None = None, *, random_state: int = 0) -> Dataset:
    """Return a data set of at most ``n_train`` training rows, and ``n_test`` validation and test rows.

    Rows are drawn without replacement and keep their order; all labels and features stay, so that indices
    mean the same as before.
    """
    rng = np.random.default_rng(random_state)
    changes: dict[str, object] = {}
    for part, most in (("train", n_train), ("valid", n_test), ("test", n_test)):
        X: csr_array | None = getattr(ds, f"X_{part}")
        if X is None or most is None or X.shape[0] <= most:
            continue
        rows = np.sort(rng.choice(X.shape[0], size=most, replace=False))
        changes[f"X_{part}"] = X[rows]
        changes[f"Y_{part}"] = getattr(ds, f"Y_{part}")[rows]
        for field in (f"texts_{part}", f"ids_{part}", f"sources_{part}"):
            items: list[str] | None = getattr(ds, field)
            changes[field] = None if items is None else [items[i] for i in rows]
    return dataclasses.replace(ds, **changes)  # type: ignore[arg-type]


def paced(ds: Dataset, n_train: int = 6_000, n_test: int = 1_500) -> Dataset:
    """Return the data set as it is, or a subsample of it in fast mode."""
    return subsample(ds, n_train, n_test) if fast() else ds
