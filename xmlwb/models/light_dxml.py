r"""Label embeddings, shortlists and a one-vs-all classifier that take turns: LightDXML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint, fingerprint
from xmlwb.models.fit_profile import FitProfile
from xmlwb.models.validation import check_number, check_seed, validate_X
from xmlwb.models.word_table import WordTableModel
from xmlwb.solvers import hnsw
from xmlwb.solvers.bag_features import bag_features
from xmlwb.solvers.sampled_products import pair_scores
from xmlwb.solvers.shortlist import Shortlist
from xmlwb.solvers.topk import topk_dense
from xmlwb.solvers.torch_runs import device_of, seeded

#: Instances that are predicted at a time.
_BATCH = 4096
_CHOICES = {
    "negatives": ("shortlist", "random", "both"),
    "activation": ("relu", None),
    "label_activation": ("relu", None),
    "optimizer": ("adagrad", "adam"),
    "search": ("auto", "hnsw", "exact"),
}


def n_epochs_total(n_epochs: int, n_label_epochs: int, rebuild_every: int, *, cycle: bool = True) -> int:
    r"""How many epochs a fit has: :math:`e_{model} + e_{label} (\lfloor e_{model} / \hat e_{label} \rfloor + 1)`.

    The label encoder learns for n_label_epochs once before the classifier's first epoch, and again after every
    rebuild_every epochs of the classifier's, the last one too; without the cycle only before the first.

    >>> n_epochs_total(16, 8, 8), n_epochs_total(21, 6, 9), n_epochs_total(16, 8, 8, cycle=False)
    (40, 39, 24)
    """
    steps = phases(n_epochs, n_label_epochs, rebuild_every, cycle=cycle)
    return len(steps) - steps.count("shortlist")


def phases(n_epochs: int, n_label_epochs: int, rebuild_every: int, *, cycle: bool = True) -> list[str]:
    """The steps of a fit: an epoch of the "label" encoder, a new "shortlist", an epoch of the "classifier".

    >>> phases(2, 1, 2)
    ['label', 'shortlist', 'classifier', 'classifier', 'label', 'shortlist']
    """
    rebuild = ["label"] * n_label_epochs + ["shortlist"]
    steps = list(rebuild)
    for epoch in range(1, n_epochs + 1):
        steps += ["classifier", *rebuild] if cycle and epoch % rebuild_every == 0 else ["classifier"]
    return steps


class LightDXML(WordTableModel):
    r"""LightDXML (Mishra et al. 2023).

    Parameters
    ----------
    n_components : int, default 300
        D.
    """

    decision_threshold = 0.5
    prediction_params = frozenset({"beta"})

    E_: np.ndarray
    W_: np.ndarray
    b_: np.ndarray
    label_embeddings_: np.ndarray
    graph_: np.ndarray
    learned_: np.ndarray
    activation_: str | None
    _search: Shortlist | None = None

    def __init__(
        self,
        *,
        n_components: int = 300,
        word_vectors: np.ndarray | str | os.PathLike | None = None,
        feature_names: Sequence[str] | None = None,
        shortlist_size: int = 500,
        n_random: int = 50,
        beta: float = 0.75,
        n_epochs: int = 16,
        n_label_epochs: int = 8,
        rebuild_every: int = 8,
        cycle: bool = True,
        negatives: str = "both",
        freeze_features: bool = False,
        activation: str | None = None,
        label_activation: str | None = "relu",
        scale: float = 8.0,
        keep_probability: float = 0.8,
        optimizer: str = "adagrad",
        adagrad_start: float = 0.01,
        learning_rate: float = 0.05,
        label_learning_rate: float = 0.003,
        batch_size: int = 255,
        search: str = "auto",
        ef: int | None = None,
        device: str = "auto",
        checkpoint_dir: str | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.word_vectors = word_vectors
        self.feature_names = feature_names
        self.shortlist_size = shortlist_size
        self.n_random = n_random
        self.beta = beta
        self.n_epochs = n_epochs
        self.n_label_epochs = n_label_epochs
        self.rebuild_every = rebuild_every
        self.cycle = cycle
        self.negatives = negatives
        self.freeze_features = freeze_features
        self.activation = activation
        self.label_activation = label_activation
        self.scale = scale
        self.keep_probability = keep_probability
        self.optimizer = optimizer
        self.adagrad_start = adagrad_start
        self.learning_rate = learning_rate
        self.label_learning_rate = label_learning_rate
        self.batch_size = batch_size
        self.search = search
        self.ef = ef
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def embed(self, X: Any) -> np.ndarray:
        """x^ of the rows of X, sparse or dense (n, d): rows of unit length, (n, D) float32."""
        check_is_fitted(self, "E_")  # also in the callback of a fit
        return self._embed(validate_X(self, X, reset=False))

    def shortlist(self, X: Any, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """S_k: the labels nearest to each row of X, nearest first, and their cosines; each (n, k).

        k is `shortlist_size` if None. In the empty places -1 and 0.
        """
        check_is_fitted(self, "label_embeddings_")
        size = self.shortlist_size if k is None else k
        return self._searched().find(self.embed(X), size, ef=self.ef, n_jobs=self.n_jobs)

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The tables and what moves them, features and shortlists of all instances, a batch, the graph."""
        D, k = self.n_components, min(self.shortlist_size, L)
        state = 3 if self.optimizer == "adam" else 2
        tables = (state + 1) * (d + L) * (D + 1)
        if self.checkpoint_dir is not None:
            tables += 2 * state * (d + L) * (D + 1) + 2 * n * k
        batch = 8 * min(n, self.batch_size) * (k + self.n_random) + L * D
        return 4 * (tables + 2 * n * D + 2 * n * k + batch + 5 * L * D + 4 * D * D) + 8 * nnz

    def _check_params(self) -> None:
        for name in ("n_components", "shortlist_size", "n_epochs", "n_label_epochs", "rebuild_every", "batch_size"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("n_random", self.n_random, low=0, integer=True)
        if self.ef is not None:
            check_number("ef", self.ef, low=1, integer=True)
        for name in ("learning_rate", "label_learning_rate", "scale", "keep_probability"):
            check_number(name, getattr(self, name), low=0, strict=True)
        for name in ("beta", "adagrad_start"):
            check_number(name, getattr(self, name), low=0)
        for name in ("beta", "keep_probability"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted at most 1")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted one of {', '.join(map(repr, choices))}")
        self._check_word_vectors()
        check_seed(self.random_state)
        self._check_device()

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        from xmlwb.models.light_cycle import LightCycle

        profile = FitProfile()
        self.learned_ = np.flatnonzero(self.label_counts_)
        self.activation_ = self.activation
        with profile.measured("features"):
            vectors, line = self._starting_vectors(X.shape[1])
        checkpoint = self._checkpoint(fingerprint(X, Y, vectors))
        run = LightCycle(self, X, Y, vectors, profile)
        self._take_turns(run, eval_set, report, checkpoint)
        if not run.is_current:  # stopped while the label encoder learned
            run.rebuild()
            self._keep(run)
        self._searched()
        n_bytes = {
            "features": self.E_.nbytes,
            "label embedding": self.label_embeddings_.nbytes,
            "shortlist": self.graph_.nbytes,
            "classifier": self.W_.nbytes + self.b_.nbytes,
        }
        self.profile_text_ = profile.as_text(n_bytes, line)

    def _take_turns(self, run: Any, eval_set: EvalSet | None, report: Reporter, checkpoint: Checkpoint | None) -> None:
        """The steps that are left, until the last or a STOP."""
        steps = phases(self.n_epochs, self.n_label_epochs, self.rebuild_every, cycle=self.cycle)
        done, arrays = checkpoint.read() if checkpoint else (0, {})
        if done:
            run.restore(arrays)
        self._keep(run)
        report.total, report.step = len(steps), done
        device = device_of(self.device)
        for step in range(done, len(steps)):
            with seeded(self.random_state, step, device) as rng:
                figures = run.learn(steps[step], steps[: step + 1], rng)
            self._require_finite({"loss": 0.0, **figures}, step)
            if checkpoint:
                checkpoint.write(step + 1, run.arrays())
            self._keep(run)
            if run.is_current:
                figures |= self._valid_figures(eval_set)
            report.stage = steps[step]
            if report(figures):
                break

    def _keep(self, run: Any) -> None:
        for name, array in run.fitted().items():
            setattr(self, name, array)

    def _embed(self, X: sparse.csr_array) -> np.ndarray:
        return bag_features(X, self.E_, self.activation_, n_jobs=self.n_jobs)

    def _searched(self) -> Shortlist:
        source = self.label_embeddings_, self.learned_, self.graph_
        if self._search is None or any(a is not b for a, b in zip(self._search.source, source, strict=True)):
            self._search = Shortlist(*source)
        return self._search

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        from joblib import effective_n_jobs

        labels = np.full((X.shape[0], k), -1, dtype=np.int32)
        scores = np.zeros((X.shape[0], k), dtype=np.float32)
        search, W = self._searched(), self.W_
        width = min(k, self.shortlist_size)
        for begin in range(0, X.shape[0], _BATCH):
            batch = slice(begin, begin + _BATCH)
            features = self._embed(X[batch])
            found, cosines = search.find(features, self.shortlist_size, ef=self.ef, n_jobs=self.n_jobs)
            z = pair_scores(features, W, found, n_threads=effective_n_jobs(self.n_jobs))
            z += self.b_[found]
            blend = self.beta * _sigmoid(z) + (1 - self.beta) * _sigmoid(cosines)
            best, values = topk_dense(np.where(found >= 0, blend, -np.inf), width)
            own = np.take_along_axis(found, best, axis=1)
            labels[batch, :width] = np.where(best >= 0, own, -1)
            scores[batch, :width] = np.where(best >= 0, values, 0)
        return labels, scores

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_search": None}  # made anew from what is there

    def _check_state(self) -> None:
        super()._check_state()
        D = self.E_.shape[1]
        self._require_shapes(
            E_=(self.n_features_in_, D), W_=(self.n_labels_, D), b_=(self.n_labels_,),
            label_embeddings_=(self.n_labels_, D),
        )  # fmt: skip
        if self.activation_ not in ("relu", None):
            raise ValueError(f"activation_ is {self.activation_!r}; wanted 'relu' or None")
        occur = np.flatnonzero(self.label_counts_)
        if self.learned_.dtype.kind != "i" or not np.array_equal(self.learned_, occur):
            raise ValueError("learned_ are not the labels with a count in label_counts_, ascending")
        if len(self.graph_):
            hnsw.check(self.graph_, len(self.learned_), D)


def _sigmoid(z: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * z))
