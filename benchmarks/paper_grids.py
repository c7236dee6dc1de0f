"""Hyper-parameters for paper_tables.py: what is tried for each method, and the choice on a part of the training rows.

A grid is a list of stages. A stage tries every combination of its values on top of the best of the stage before, so
parameters that hardly touch each other are not multiplied. Of equal figures the one that was tried first wins: grids
list the cheaper values first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse

from xmlwb.metrics import precision_at_k
from xmlwb.models import METHODS

Stage = dict[str, list[Any]]

#: The linear label spaces are compared at one dimension, 100, that of DXML's own embedding on its small sets. Free to
#: choose, bibtex with its 159 labels takes nearly as many dimensions as labels, which is no compression any more.
RIDGE: list[Stage] = [{"n_components": [100], "alpha": [1.0, 3.0, 0.3, 10.0]}]

#: Numbers of measurements that are not fewer than a set's labels are left out for it.
GRIDS: dict[str, list[Stage]] = {
    "ova": [{"C": [1.0, 0.5, 0.25]}],
    "knn": [{"n_neighbors": [20, 10, 40]}],
    "cs": [{"sparsity": [10], "n_measurements": [100, 150, 200, 300]}, {"sparsity": [20]}, {"alpha": [3.0, 0.3]}],
    "svd": RIDGE,
    "plst": RIDGE,
    "cplst": RIDGE,
    "mlcssp": RIDGE,
    "leml": [{"n_components": [100], "n_iter": [2, 4], "alpha": [3.0, 1.0]}, {"alpha": [6.0, 10.0, 20.0]}],
    "wsabie": [{"n_components": [100], "n_epochs": [20], "learning_rate": [0.3, 0.2, 0.5]}, {"n_epochs": [40]}],
    "fastxml": [{"C": [4.0, 2.0]}],
    "lpsr": [{"n_labels": [100], "n_trees": [1, 2]}],
    "sleec": [{"n_graph_neighbors": [250], "n_neighbors": [25, 15, 40, 70]}],
    "dxml": [{"n_components": [100, 300]}, {"n_neighbors": [20, 40, 80], "vote_power": [10.0, 0.0]}],
    "nb": [{"smoothing": [30.0, 10.0, 100.0]}],
}

VALID_SHARE = 0.2


def new_model(key: str, params: dict[str, Any], *, seed: int, n_jobs: int) -> Any:
    """An unfitted model with these parameters; seed and n_jobs where the method takes them."""
    model = METHODS[key].cls()
    common = {"random_state": seed, "n_jobs": n_jobs}
    return model.set_params(**{name: value for name, value in common.items() if name in model.get_params()}, **params)


def choose(
    key: str, X: sparse.csr_array, Y: sparse.csr_array, *, seed: int, n_jobs: int
) -> Iterator[tuple[dict[str, Any], float]]:
    """Try a method's grid on a random fifth of these (training) rows: each candidate and its mean of P@1, P@3, P@5."""
    order = np.random.default_rng(seed).permutation(X.shape[0])
    n_valid = int(VALID_SHARE * X.shape[0])
    valid, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
    best: dict[str, Any] = {}
    figures: dict[str, float] = {}
    last, last_params = None, None  # the model fitted last serves what differs from it in its predictions alone
    for stage in GRIDS[key]:
        start = best
        for values in product(*stage.values()):
            params = start | dict(zip(stage, values, strict=True))
            name = repr(sorted(params.items()))
            if name in figures or params.get("n_measurements", 0) >= Y.shape[1]:
                continue
            model = new_model(key, params, seed=seed, n_jobs=n_jobs)
            learned = {name: value for name, value in model.get_params().items() if name not in model.prediction_params}
            if last is None or learned != last_params:
                last, last_params = model.fit(X[train], Y[train]), learned
            S = last.set_params(**params).predict_topk(X[valid], k=5)
            figure = 100 * float(precision_at_k(Y[valid], S, k=5)[[0, 2, 4]].mean())
            yield params, figure
            if figure > max(figures.values(), default=-1.0):
                best = params
            figures[name] = figure
