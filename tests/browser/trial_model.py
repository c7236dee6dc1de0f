"""A model that takes its time: each step sleeps, reports, and can be the last."""

from __future__ import annotations

import time

import numpy as np
from scipy import sparse

from xmlwb.models.callbacks import Reporter


class Sleeper:
    """Learns one label a step, ``seconds`` each; predicts the labels learned so far."""

    def __init__(self, *, steps: int = 200, seconds: float = 0.1) -> None:
        self.steps, self.seconds = steps, seconds

    def fit(self, X, Y, *, eval_set=None, callback=None):
        report = Reporter(callback, "block of labels", self.steps)
        for step in range(1, self.steps + 1):
            time.sleep(self.seconds)
            self.n_learned_ = step
            if report({"labels": step, "valid P@1": 1 - 0.98**step}):
                break
        return self

    def predict_topk(self, X, k=5):
        scores = np.zeros((X.shape[0], self.steps), dtype=np.float32)
        scores[:, : min(k, self.n_learned_)] = 1.0
        return sparse.csr_array(scores)

    def memory_estimate(self, n, d, L, nnz):
        return 8 * L
