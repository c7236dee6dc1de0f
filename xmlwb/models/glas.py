r"""An embedding classifier whose label embeddings are regularised by what occurs together: GLaS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint, fingerprint
from xmlwb.models.neural import NeuralModel
from xmlwb.models.validation import check_number, check_seed, validate_X
from xmlwb.solvers import hnsw
from xmlwb.solvers.label_affinity import affinity
from xmlwb.solvers.sparse_dense import times_dense
from xmlwb.solvers.topk import topk_dense
from xmlwb.solvers.torch_runs import device_of, seeded

#: The measure of affinity behind each regulariser; None: it needs none.
REGULARIZERS: dict[str | None, str | None] = {
    None: None,
    "spread-out": None,
    "gravity": None,
    "laplacian": "arithmetic",
    "glas": "arithmetic",
    "glas-geometric": "geometric",
    "glas-pmi": "pmi",
    "glas-jaccard": "jaccard",
}
#: Training rows whose P@1 the events tell.
_N_SEEN = 2000
LOSSES = ("margin", "negative-mining", "softmax")


class EmbeddingClassifier(NeuralModel):
    r"""GLaS (Guo et al. 2019): instances and labels on a sphere, labels that occur together close to each other.

    An instance's labels are those whose vectors v_y lie closest to phi(x), which a network learns together with V:

    .. math:: \min_{w, V} \frac{1}{n} \sum_{i=1}^n \ell\bigl(\phi_w(x_i)^\top V, y_i\bigr)
              + \frac{\lambda}{K^2} \left\lVert V^\top V - \tfrac{1}{2} (A Z^{-1} + Z^{-1} A) \right\rVert_F^2,
              \qquad \lVert \phi_w(x) \rVert = \lVert v_y \rVert = 1

    Parameters
    ----------
    n_components : int, default 512
        d.
    n_hidden : int or None, default None
        Units of a hidden layer before the one that makes phi; None: phi is one layer.
    activation : {"relu", None}, default "relu"
        After each layer; None makes the embedding linear.
    loss : {"softmax", "margin", "negative-mining"}, default "softmax"
    margin : float, default 1.0
        c.
    n_negatives : int or None, default None
        Labels drawn for a batch; None: all.
    n_hardest : int, default 10
        Negatives of the largest scores that ``"negative-mining"`` keeps for an instance.
    regularizer : {"glas", None, "spread-out", "laplacian", "gravity", "glas-geometric", "glas-pmi", "glas-jaccard"}
    regularization : float, default 10.0
        lambda.
    keep_probability : float, default 0.8
        rho.
    n_epochs : int, default 10
    patience : int or None, default None
        Epochs without a better validation P@1 after which the fit ends, with the best epoch's weights; None: all epochs
        and the last weights.
    batch_size : int, default 1024
        B.
    learning_rate : float, default 0.05
        eta_w.
    label_learning_rate : float, default 0.05
        eta_V.
    scale : float, default 20.0
        The first value of s.
    search : {"exact", "hnsw"}, default "exact"
    device : str, default "auto"
    checkpoint_dir : str or None, default None
    n_jobs : int or None, default None
    random_state : int or None, default 0
    """

    decision_threshold = 0.5

    label_embeddings_: np.ndarray

    def __init__(
        self,
        *,
        n_components: int = 512,
        n_hidden: int | None = None,
        activation: str | None = "relu",
        loss: str = "softmax",
        margin: float = 1.0,
        n_negatives: int | None = None,
        n_hardest: int = 10,
        regularizer: str | None = "glas",
        regularization: float = 10.0,
        keep_probability: float = 0.8,
        n_epochs: int = 10,
        patience: int | None = None,
        batch_size: int = 1024,
        learning_rate: float = 0.3,
        label_learning_rate: float = 0.3,
        adagrad_start: float = 0.01,
        scale: float = 10.0,
        search: str = "exact",
        device: str = "auto",
        checkpoint_dir: str | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.n_hidden = n_hidden
        self.activation = activation
        self.loss = loss
        self.margin = margin
        self.n_negatives = n_negatives
        self.n_hardest = n_hardest
        self.regularizer = regularizer
        self.regularization = regularization
        self.keep_probability = keep_probability
        self.n_epochs = n_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.label_learning_rate = label_learning_rate
        self.adagrad_start = adagrad_start
        self.scale = scale
        self.search = search
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def embed(self, X: Any) -> np.ndarray:
        """phi(x) of the rows of X, sparse or dense (n, features): rows of unit length, (n, d) float32."""
        return self._embed(validate_X(self, X, reset=False))

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """Both tables with Adagrad's squares and a copy, a batch's scores, the affinities left out."""
        width = self.n_hidden or self.n_components
        scores = 4 * 4 * min(n, self.batch_size) * (self.n_negatives or L)
        return 4 * 4 * (d * width + L * self.n_components) + scores + 8 * nnz

    def _check_params(self) -> None:
        for name in ("n_components", "n_epochs", "batch_size", "n_hardest"):
            check_number(name, getattr(self, name), low=1, integer=True)
        for name in ("n_hidden", "n_negatives", "patience"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), low=1, integer=True)
        for name in ("learning_rate", "label_learning_rate", "scale", "keep_probability"):
            check_number(name, getattr(self, name), low=0, strict=True)
        for name in ("margin", "regularization", "adagrad_start"):
            check_number(name, getattr(self, name), low=0)
        if self.keep_probability > 1:
            raise ValueError(f"keep_probability is {self.keep_probability!r}; wanted at most 1")
        for name, choices in (
            ("activation", ("relu", None)),
            ("loss", LOSSES),
            ("regularizer", tuple(REGULARIZERS)),
            ("search", ("exact", "hnsw")),
        ):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted one of {', '.join(map(repr, choices))}")
        check_seed(self.random_state)
        self._check_device()

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        from xmlwb.solvers.process_group import ranks

        self.learned_ = np.flatnonzero(self.label_counts_)
        group, device = ranks(self.device)
        self._train(X, Y, eval_set, report, group, device_of(device))
        self.graph_ = np.empty(0, dtype=np.uint8)
        if self.search == "hnsw" and len(self.learned_):
            self.graph_ = hnsw.build(self.label_embeddings_[self.learned_])

    def _train(
        self,
        X: sparse.csr_array,
        Y_all: sparse.csr_array,
        eval_set: EvalSet | None,
        report: Reporter,
        group: Any,
        device: Any,
    ) -> None:
        """Epochs, of which the best is kept where `patience` says so."""
        from xmlwb.solvers.best_epoch import BestEpoch
        from xmlwb.solvers.sphere_descent import Recipe, SphereDescent
        from xmlwb.solvers.sphere_network import SphereNetwork

        Y = Y_all[:, self.learned_]
        watched = eval_set is not None and self.patience is not None
        checkpoint = self._checkpoint(fingerprint(X, Y_all, *(eval_set if watched and eval_set else ())))
        if checkpoint and group.rank:
            checkpoint = _Reader(checkpoint.path.parent, checkpoint.run)
        hidden = () if self.n_hidden is None else (self.n_hidden,)
        with seeded(self.random_state, 2**31) as rng:
            net = SphereNetwork(
                (X.shape[1], *hidden, self.n_components), Y.shape[1], self.activation, scale=self.scale,
                start=self.adagrad_start,
            ).to(device)  # fmt: skip
            seen = np.sort(rng.permutation(X.shape[0])[:_N_SEEN])
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        recipe = replace(recipe, batch_size=min(self.batch_size, max(32, X.shape[0] // 8)))
        kind = REGULARIZERS[self.regularizer]
        descent = SphereDescent(net, X, Y, None if kind is None else affinity(Y, kind), recipe, group)
        best = BestEpoch(net, self.patience if watched else None)

        def learn(rng: np.random.Generator) -> dict[str, float]:
            figures = descent.epoch(rng)
            self._keep(net)
            best_label = self._predict_topk(X[seen], 1)[0][:, 0]
            figures["train P@1"] = float(Y_all[seen, np.maximum(best_label, 0)].mean())
            figures |= self._valid_figures(eval_set)
            best.see(net, figures.get("valid P@1", 0.0))
            return figures

        parts = {"net": net, "optimizer": descent.optimizer, "best": best}
        together = _Together(report, group)
        self._run_epochs(parts, learn, lambda: self._keep(net), dict, together, checkpoint, lambda: best.is_over)
        if watched:
            best.restore(net)
            self._keep(net)

    def _keep(self, net: Any) -> None:
        net.features.sum_up_anew()
        weights = net.weights()
        V = weights.pop("V")
        self.scale_ = float(weights.pop("scale"))
        for name, values in weights.items():
            setattr(self, f"{name}_", values)
        self.label_embeddings_ = np.zeros((self.n_labels_, V.shape[1]), dtype=np.float32)
        self.label_embeddings_[self.learned_] = V

    def _embed(self, X: sparse.csr_array) -> np.ndarray:
        z = times_dense(X, self.W1_, n_jobs=self.n_jobs)
        z += self.b1_
        if self.activation == "relu":
            np.maximum(z, 0, out=z)
        if self.n_hidden is not None:
            z = z @ self.W2_ + self.b2_
            if self.activation == "relu":
                np.maximum(z, 0, out=z)
        return normalize(z, copy=False)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        phi = self._embed(X)
        columns = np.full((len(phi), k), -1, dtype=np.int32)
        scores = np.zeros((len(phi), k), dtype=np.float32)
        width = min(k, len(self.learned_))
        if width == 0:
            return columns, scores
        if self.search == "hnsw" and len(getattr(self, "graph_", ())):
            found, distances = hnsw.search(hnsw.read(self.graph_, phi.shape[1]), phi, width)
            columns[:, :width], scores[:, :width] = self.learned_[found], 1 - distances
            return columns, scores
        V = self.label_embeddings_[self.learned_]
        for begin in range(0, len(phi), 512):
            batch = slice(begin, begin + 512)
            found, scores[batch, :width] = topk_dense(phi[batch] @ V.T, width)
            columns[batch, :width] = self.learned_[found]
        return columns, scores

    def _check_state(self) -> None:
        super()._check_state()
        d = self.label_embeddings_.shape[1]
        h = d if self.n_hidden is None else self.n_hidden
        self._require_shapes(W1_=(self.n_features_in_, h), b1_=(h,), label_embeddings_=(self.n_labels_, d))
        if self.n_hidden is not None:
            self._require_shapes(W2_=(h, d), b2_=(d,))
        if len(self.learned_) and not 0 <= self.learned_.min() <= self.learned_.max() < self.n_labels_:
            raise ValueError(f"learned_ holds labels out of 0..{self.n_labels_ - 1}")


class _Reader(Checkpoint):
    """A checkpoint that another process writes."""

    def write(self, epoch: int, arrays: dict[str, np.ndarray]) -> None:
        pass


class _Together(Reporter):
    """Events from the first process alone; all processes end where its callback says STOP."""

    def __init__(self, report: Reporter, group: Any) -> None:
        vars(self).update(vars(report))
        self._group = group
        if group.rank:
            self._callback = None

    def __call__(self, figures: dict[str, float] | None = None) -> bool:
        self.stopped = self._group.as_rank_0(super().__call__(figures))
        return self.stopped
