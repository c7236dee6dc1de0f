"""Astec's training: the surrogate task, then the classifier over shortlists, then the re-ranker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from joblib import effective_n_jobs
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint
from xmlwb.models.fit_profile import MODULES, FitProfile
from xmlwb.models.stages import Stage, run_stages
from xmlwb.solvers.astec_descent import (
    BagEncoder,
    ClassifierDescent,
    Pace,
    ShortlistClassifier,
    SurrogateDescent,
    SurrogateTask,
)
from xmlwb.solvers.label_clustering import label_centroids
from xmlwb.solvers.residual_scores import at_places, best_places
from xmlwb.solvers.sparse_dense import times_dense, transposed
from xmlwb.solvers.surrogate_labels import label_clusters, surrogate_labels, usual_number
from xmlwb.solvers.torch_runs import one_thread

if TYPE_CHECKING:
    from xmlwb.models.astec import Astec

#: Steps whose features have fewer numbers gain nothing from a second thread.
_SMALL = 1 << 15
#: Training instances whose shortlists the events judge.
_N_SEEN = 1000
#: From this part of a stage's epochs on the learning rate is halved (the released code: after 14 of 20).
_SLOWER_FROM = 0.7
_OF_SURROGATE = ("E_",)
_OF_CLASSIFIER = ("R_", "r_", "W_", "b_")
_OF_RERANKER = ("reranker_E_", "reranker_R_", "reranker_r_", "reranker_W_", "reranker_b_")
#: Training instances whose negatives are chosen at a time.
_BATCH = 1 << 12


class AstecFit:
    """One fit of an `Astec`, whose attributes it sets.

    Parameters
    ----------
    model : Astec
    X : csr_array, shape (n, d), float32
    Y : csr_array, shape (n, L), float32
    eval_set : pair of csr_array, or None
    vectors : ndarray, shape (d, D), float32
        What the word vectors start with.
    device : torch.device
    profile : FitProfile
        Is told the seconds of each module.
    """

    def __init__(
        self,
        model: Astec,
        X: sparse.csr_array,
        Y: sparse.csr_array,
        eval_set: EvalSet | None,
        vectors: np.ndarray,
        device: torch.device,
        profile: FitProfile,
    ) -> None:
        self.model, self.X, self.Y, self.eval_set = model, X, Y, eval_set
        self.vectors, self.device, self.profile = vectors, device, profile
        self.pace = Pace(
            min(model.batch_size, max(16, X.shape[0] // 16)), model.feature_learning_rate, model.learning_rate,
            model.keep_probability,
        )  # fmt: skip
        self.seed = 0 if model.random_state is None else model.random_state
        self._known: dict[str, float] = {}  # figures that stay the same through a stage
        self._lists: np.ndarray | None = None
        self._valid_lists: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._descent: Any = None  # of the stage under way

    def run(self, report: Reporter, checkpoint: Checkpoint | None) -> None:
        """All stages, or those until a STOP; then what prediction needs is there."""
        model = self.model
        stages = [
            Stage("surrogate", model.n_surrogate_epochs, self._begin_surrogate, self._learn_surrogate,
                  self._keep_encoder, dict),
            Stage("classifier", model.n_epochs, self._begin_classifier, self._learn_classifier,
                  self._keep_classifier, self._figures),
            Stage("re-ranker", model.n_reranker_epochs, self._begin_reranker, self._learn_reranker,
                  self._keep_reranker, self._figures),
        ]  # fmt: skip
        stages = stages if model.reranker else stages[:2]
        with one_thread(self.pace.batch_size * model.n_components < _SMALL):
            run_stages(
                stages, self._finished, self._take_over, report, checkpoint, random_state=model.random_state,
                device=self.device,
            )  # fmt: skip
        if not hasattr(model, "label_embeddings_"):
            self._search()

    # module 1

    def _begin_surrogate(self) -> dict[str, Any]:
        model = self.model
        with self.profile.measured("features"):
            n_clusters = model.n_surrogate_labels or usual_number(len(model.learned_))
            V = label_centroids(self.X, self.Y, n_jobs=model.n_jobs)
            cluster = label_clusters(V, model.learned_, n_clusters, random_state=self.seed, n_jobs=model.n_jobs)
            Y = surrogate_labels(self.Y, cluster)
            task = SurrogateTask(BagEncoder(self.vectors, model.dropout), Y.shape[1], model.scale).to(self.device)
            self._descent = SurrogateDescent(task, self.X, Y, self.pace)
        return {"net": task, "optimizer": self._descent.optimizer}

    def _learn_surrogate(self, rng: np.random.Generator, epoch: int) -> dict[str, float]:
        n_epochs = self.model.n_surrogate_epochs
        return self._measured("features", lambda: self._descent.epoch(rng, slower=_slower(epoch, n_epochs)))

    def _keep_encoder(self) -> None:
        self.model.E_ = _array(self._descent.task.encoder.words.table)
        self.model.n_stages_ = 1

    # module 2

    def _search(self) -> None:
        """Lay the two structures over the encoder's places of labels and instances; forget what trained it."""
        model = self.model
        self._descent = None
        with self.profile.measured("label embedding"):
            Z = model._encode(self.X)
            model.label_embeddings_ = normalize(times_dense(transposed(self.Y), Z, n_jobs=model.n_jobs), copy=False)
        with self.profile.measured("shortlist"):
            model._build_searches(Z, self.Y)
        self._Z = Z

    def _find_lists(self) -> np.ndarray:
        """Shortlists of the training instances (n, k), and those of the validation ones for the events."""
        model, self._descent = self.model, None
        if self._lists is not None:
            return self._lists
        if not hasattr(model, "graph_"):
            self._search()
        with self.profile.measured("shortlist"):
            self._lists = model._shortlists(self._Z)[0]
        if self.eval_set is not None:
            Z = model._encode(self.eval_set[0])
            self._valid_lists = Z, *model._shortlists(Z)
        self._known = self._recalls(self._lists)
        return self._lists

    def _recalls(self, lists: np.ndarray) -> dict[str, float]:
        seen = np.arange(0, len(lists), -(-len(lists) // _N_SEEN))
        own = self.Y[seen]
        rows = np.repeat(np.arange(len(seen)), lists.shape[1]), lists[seen].ravel()
        given = rows[1] >= 0
        found = sparse.csr_array((np.ones(given.sum(), np.float32), (rows[0][given], rows[1][given])), shape=own.shape)
        centroids = self.model._searches().centroids
        width = min(self.model.shortlist_size, max(1, len(self.model.learned_)))
        return {
            "shortlist recall": float(own.multiply(found).sum() / max(1, own.nnz)),
            "search recall": centroids.recall(self._Z[seen], width, ef=self.model.ef, n_jobs=self.model.n_jobs),
        }

    # modules 3 and 4

    def _begin_classifier(self) -> dict[str, Any]:
        model = self.model
        lists = self._find_lists()
        self._descent = ClassifierDescent(
            self._net(None), self._Z, self.Y, lists, model.learned_, model.n_random, self.pace
        )  # fmt: skip
        return {"net": self._descent.net, "optimizer": self._descent.optimizer}

    def _net(self, encoder: BagEncoder | None) -> ShortlistClassifier:
        L, D, model = self.Y.shape[1], self.model.n_components, self.model
        net = ShortlistClassifier(
            L, D, scale=model.scale, bound=model.spectral_bound, dropout=model.dropout, encoder=encoder
        )  # fmt: skip
        return net.to(self.device)

    def _learn_classifier(self, rng: np.random.Generator, epoch: int) -> dict[str, float]:
        slower = _slower(epoch, self.model.n_epochs)
        found = self._measured("classifier", lambda: self._descent.epoch(rng, slower=slower))
        return found | {"negative hardness": self._descent.hardness}

    def _keep_classifier(self) -> None:
        self._keep_scores("")
        self.model.n_stages_ = 2

    def _keep_scores(self, prefix: str) -> None:
        for name, array in zip(_OF_CLASSIFIER, self._descent.net.weights(), strict=True):
            setattr(self.model, prefix + name, array)

    # the re-ranker

    def _begin_reranker(self) -> dict[str, Any]:
        model = self.model
        lists = self._find_lists()
        with self.profile.measured("re-ranker"):
            top = np.empty((len(lists), min(model.n_reranked, lists.shape[1])), dtype=np.int32)
            for begin in range(0, len(lists), _BATCH):
                part = slice(begin, begin + _BATCH)
                scores = model._classifier().scores(
                    self._Z[part], lists[part], n_threads=effective_n_jobs(model.n_jobs)
                )  # fmt: skip
                top[part] = at_places(lists[part], best_places(scores, model.n_reranked), -1)
            net = self._net(BagEncoder(self.vectors, model.dropout))
            pace = replace(self.pace, label_learning_rate=model.reranker_learning_rate)
            self._descent = ClassifierDescent(net, self.X, self.Y, top, model.learned_, 0, pace)
        return {"net": net, "optimizer": self._descent.optimizer}

    def _learn_reranker(self, rng: np.random.Generator, epoch: int) -> dict[str, float]:
        slower = _slower(epoch, self.model.n_reranker_epochs)
        found = self._measured("re-ranker", lambda: self._descent.epoch(rng, slower=slower))
        return found | {"negative hardness": self._descent.hardness}

    def _keep_reranker(self) -> None:
        self.model.reranker_E_ = _array(self._descent.net.encoder.words.table)
        self._keep_scores("reranker_")
        self.model.n_stages_ = 3

    # all stages

    def _measured(self, module: str, epoch: Callable[[], float]) -> dict[str, float]:
        before = self.profile.seconds[module]
        with self.profile.measured(module):
            loss = epoch()
        if not np.isfinite(loss):
            raise ValueError(f"the loss is {loss}: {self.model._too_large()}")
        return {"loss": loss, "seconds": self.profile.seconds[module] - before}

    def _figures(self) -> dict[str, float]:
        found = dict(self._known)
        if self.eval_set is not None and self._valid_lists is not None:
            found |= self.model._figures_of_lists(self.eval_set, self._valid_lists)
        return found

    def _finished(self, number: int) -> dict[str, np.ndarray]:
        names = (*_OF_SURROGATE * (number > 0), *_OF_CLASSIFIER * (number > 1), *_OF_RERANKER * (number > 2))
        return {name: getattr(self.model, name) for name in names} | {"seconds": self.profile.as_array()}

    def _take_over(self, number: int, arrays: dict[str, np.ndarray]) -> None:
        self.profile.go_on_from(arrays.pop("seconds"))
        for name, array in arrays.items():
            setattr(self.model, name, array)
        self.model.n_stages_ = number


def _slower(epoch: int, n_epochs: int) -> float:
    return 0.5 if epoch >= _SLOWER_FROM * n_epochs else 1.0


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy().copy()


def module_bytes(model: Astec) -> dict[str, int]:
    """What each module of a fitted model takes, in bytes."""
    of = {
        "features": ("E_",),
        "label embedding": ("label_embeddings_",),
        "shortlist": ("graph_", "instances_", "instance_graph_", "instance_labels_"),
        "classifier": _OF_CLASSIFIER,
        "re-ranker": _OF_RERANKER,
    }
    assert set(of) == set(MODULES)
    return {module: sum(_n_bytes(getattr(model, name, None)) for name in names) for module, names in of.items()}


def _n_bytes(value: Any) -> int:
    if sparse.issparse(value):
        return value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
    return value.nbytes if isinstance(value, np.ndarray) else 0
