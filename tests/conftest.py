"""What every test may need: the real data sets, where they are at hand, and a data set small enough to train on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from xmlwb.datasets import Card, Dataset

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real sets that are not shipped: $XMLWB_DATA, or shared/data beside the checkout."""
    named = os.environ.get("XMLWB_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data sets not found: {folder} (the variable XMLWB_DATA names their folder)")
    return folder


@pytest.fixture(scope="session")
def small_dataset() -> Dataset:
    """240 instances whose heaviest feature is their label, but for one in five; 12 labels of falling frequency."""
    rng = np.random.default_rng(0)
    n, d, L = 240, 30, 12
    weights = 1.0 / np.arange(1, L + 1)
    label = rng.choice(L, size=n, p=weights / weights.sum())
    X = rng.random((n, d), dtype=np.float32) * (rng.random((n, d)) < 0.2)
    X[np.arange(n), label] = 3.0
    Y = np.zeros((n, L), dtype=np.float32)
    Y[np.arange(n), np.where(rng.random(n) < 0.2, rng.choice(L, size=n), label)] = 1.0
    train, test = slice(0, 160), slice(160, n)
    card = Card(title="small", source="a generator in the tests", licence="none", made="planted labels")
    return Dataset(
        name="small",
        X_train=csr_array(X[train]), Y_train=csr_array(Y[train]), X_valid=None, Y_valid=None,
        X_test=csr_array(X[test]), Y_test=csr_array(Y[test]),
        label_names=[f"label {i}" for i in range(L)], feature_names=[f"feature {i}" for i in range(d)],
        propensity_ab=(0.55, 1.5), card=card,
    )  # fmt: skip
