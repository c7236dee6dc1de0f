"""The turns of LightDXML's training: the label encoder, the shortlists, the classifier with the word vectors."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from scipy import sparse

from xmlwb.models.fit_profile import FitProfile
from xmlwb.solvers.bag_features import bag_features
from xmlwb.solvers.label_encoder import LabelDescent, LabelEncoder, centroids
from xmlwb.solvers.shortlist import Shortlist, n_common
from xmlwb.solvers.shortlist_descent import Recipe, ShortlistDescent, row_table
from xmlwb.solvers.torch_runs import device_of, restore_state, seeded, state_arrays

if TYPE_CHECKING:
    from xmlwb.models.light_dxml import LightDXML

#: Instances of which the shortlists' recall is measured against exact search.
_SAMPLE = 500
#: From this number of labels with a positive on, search="auto" takes the graph.
_GRAPH_FROM = 50_000
#: Pairs of an instance and one of its labels that a step of the label encoder takes.
_PAIRS = 4096


class LightCycle:
    """What is trained, one step after the other.

    Parameters
    ----------
    model : LightDXML
        Its arguments are read.
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L)
    vectors : ndarray, shape (d, D), float32
        What the word vectors start with.
    profile : FitProfile
        Is told the seconds of each module.

    Attributes
    ----------
    is_current : bool
        Whether the shortlists belong to the label embeddings.
    """

    def __init__(
        self, model: LightDXML, X: sparse.csr_array, Y: sparse.csr_array, vectors: np.ndarray, profile: FitProfile
    ) -> None:
        self._model, self._X, self._Y, self._profile = model, X, Y, profile
        self._device = device_of(model.device)
        D, L = vectors.shape[1], Y.shape[1]
        start = model.adagrad_start
        with seeded(model.random_state, 2**31, self._device):
            self.encoder = LabelEncoder(D, model.label_activation).to(self._device)
        self.optimizer = torch.optim.Adam(self.encoder.parameters(), lr=model.label_learning_rate)
        self.words = row_table(vectors, model.optimizer, start).to(self._device)
        self.labels = row_table(np.zeros((L, D + 1)), model.optimizer, start).to(self._device)
        self._among = model.learned_
        self._descent = ShortlistDescent(self.words, self.labels, X, Y, self._among, self._recipe())
        self._lists: np.ndarray | None = None
        self._search: Shortlist | None = None
        self._label_descent: LabelDescent | None = None
        self._label_vectors = np.zeros((L, D), dtype=np.float32)
        self.is_current = False

    def _recipe(self) -> Recipe:
        model = self._model
        n_random = {"shortlist": 0, "random": model.shortlist_size, "both": model.n_random}[model.negatives]
        return Recipe(
            activation=model.activation, scale=model.scale, keep_probability=model.keep_probability,
            batch_size=min(model.batch_size, max(16, self._X.shape[0] // 16)), learning_rate=model.learning_rate,
            word_learning_rate=model.word_learning_rate, n_random=n_random, freeze_features=model.freeze_features,
        )  # fmt: skip

    @property
    def _parts(self) -> dict[str, Any]:
        return {"words": self.words, "labels": self.labels, "encoder": self.encoder, "optimizer": self.optimizer}

    def learn(self, phase: str, steps: Sequence[str], rng: np.random.Generator) -> dict[str, float]:
        """One step; steps are those so far, this one too. Figures for its event."""
        start = time.perf_counter()
        figures = {
            "label": self._learn_labels,
            "shortlist": self._learn_shortlists,
            "classifier": self._learn_classifier,
        }[phase](steps, rng)
        return figures | {"seconds": time.perf_counter() - start}

    def _learn_labels(self, steps: Sequence[str], rng: np.random.Generator) -> dict[str, float]:
        if len(steps) < 2 or steps[-2] != "label":
            self.optimizer.state.clear()  # Adam begins anew, the encoder goes on
        self.is_current, self._search = False, None
        with self._profile.measured("label embedding"):
            descent = self._labels_at_work()
            loss = descent.epoch(rng)
            self._label_vectors = descent.embeddings()
        return {"loss": loss}

    def _labels_at_work(self) -> LabelDescent:
        if self._label_descent is None:
            features = self._features()
            self._label_descent = LabelDescent(
                self.encoder, features, centroids(self._Y, features, n_jobs=self._model.n_jobs), self._Y,
                self.optimizer, batch_size=_PAIRS,
            )  # fmt: skip
        return self._label_descent

    def _features(self) -> np.ndarray:
        model, table = self._model, self.words.table.cpu().numpy()
        return bag_features(self._X, table, model.activation, n_jobs=model.n_jobs)

    def _learn_shortlists(self, steps: Sequence[str], rng: np.random.Generator) -> dict[str, float]:
        features = self.rebuild()
        if steps.count("shortlist") == 1:
            self._start_classifier()
        assert self._search is not None
        k = self._model.shortlist_size
        recall = self._search.recall(features, k, ef=self._model.ef, n_sample=_SAMPLE, n_jobs=self._model.n_jobs)
        return {"shortlist recall": self._share_of_positives(), "search recall": recall}

    def _start_classifier(self) -> None:
        """Each label's classifier begins at its embedding: the logit is a multiple of the cosine, and a bias."""
        assert self._search is not None
        start = torch.from_numpy(self._search.vectors) * (self._model.classifier_start / self._model.scale)
        self.labels.table[:, :-1] = start.to(self._device)
        self.labels.table[:, -1] = self._model.bias_start

    def rebuild(self) -> np.ndarray:
        """The shortlists of all instances, by the label embeddings as they are now; returns the features."""
        model = self._model
        with self._profile.measured("shortlist"):
            features = self._features()
            self._search = self._build()
            self._lists, _ = self._search.find(features, model.shortlist_size, ef=model.ef, n_jobs=model.n_jobs)
        self._label_descent, self.is_current = None, True
        return features

    def _build(self) -> Shortlist:
        search = self._model.search
        if search == "auto":
            search = "hnsw" if len(self._among) >= _GRAPH_FROM else "exact"
        return Shortlist.build(self._label_vectors, self._among, search=search)

    def _share_of_positives(self) -> float:
        lists, Y = self._lists, self._Y
        assert lists is not None
        widest = int(np.diff(Y.indptr).max(initial=0))
        own = np.full((Y.shape[0], widest), -1)
        own[np.arange(widest) < np.diff(Y.indptr)[:, None]] = Y.indices
        return n_common(own, lists) / max(1, Y.nnz)

    def _learn_classifier(self, steps: Sequence[str], rng: np.random.Generator) -> dict[str, float]:
        lists = None if self._model.negatives == "random" else self._lists
        with self._profile.measured("classifier"):
            return self._descent.epoch(lists, rng)

    def fitted(self) -> dict[str, np.ndarray]:
        """The model's attributes as they are now."""
        table = self.labels.table.cpu().numpy()
        found = {
            "E_": self.words.table.cpu().numpy(),
            "W_": np.ascontiguousarray(table[:, :-1]) * np.float32(self._model.scale),
            "b_": np.ascontiguousarray(table[:, -1]),
            "label_embeddings_": self._label_vectors,
            "graph_": np.empty(0, dtype=np.uint8),
        }
        if self._search is not None:
            found |= {"label_embeddings_": self._search.vectors, "graph_": self._search.graph}
        return found

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the run needs to go on, for a checkpoint."""
        found = state_arrays(self._parts) | {"seconds": self._profile.as_array(), "vectors": self._label_vectors}
        return found if self._lists is None or not self.is_current else found | {"lists": self._lists}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what `arrays` gave."""
        restore_state(self._parts, {name: array for name, array in arrays.items() if "." in name})
        self._profile.go_on_from(arrays["seconds"])
        self._label_vectors = arrays["vectors"]
        if "lists" in arrays:
            self._lists, self.is_current = arrays["lists"], True
            self._search = self._build()
