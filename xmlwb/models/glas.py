r"""An embedding classifier whose label embeddings are regularised by what occurs together: GLaS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import sparse

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import fingerprint
from xmlwb.models.shared_fit import SharedReporter, shared_checkpoint
from xmlwb.models.sphere_model import SphereModel
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers import hnsw
from xmlwb.solvers.label_affinity import KIND_OF_REGULARIZER, affinity
from xmlwb.solvers.process_group import Ranks, ranks
from xmlwb.solvers.torch_runs import device_of, seeded

#: Training rows whose P@1 the events tell.
_N_SEEN = 2000
_CHOICES = {
    "activation": ("relu", None),
    "loss": ("margin", "negative-mining", "softmax"),
    "regularizer": tuple(KIND_OF_REGULARIZER),
    "search": ("exact", "hnsw"),
}


class EmbeddingClassifier(SphereModel):
    r"""GLaS (Guo et al. 2019): instances and labels on a sphere, labels that occur together close to each other.

    An instance's labels are those whose vectors v_y lie closest to phi(x), which a network learns together with them:

    .. math:: \min_{w, V} \frac{1}{n} \sum_{i=1}^n \ell\bigl(s\, \phi_w(x_i)^\top V, y_i\bigr)
              + \frac{\lambda}{K^2} \left\lVert V^\top V - \tfrac{1}{2} (A Z^{-1} + Z^{-1} A) \right\rVert_F^2,
              \qquad \lVert \phi_w(x) \rVert = \lVert v_y \rVert = 1

    with the co-occurrences A = Y^T Y of the labels and their frequencies Z = diag(A). A step takes a batch of
    instances, of each one of its labels, and the regulariser of these B labels: of the sum over all pairs it estimates
    the one in which each label counts by how often it is drawn.

    Parameters
    ----------
    n_components : int, default 512
        d, dimensions of the sphere (the paper: 1024; 256 and 512 in its ablation).
    n_hidden : int or None, default None
        Units of a hidden layer before the one that makes phi; None: phi is one layer over the features.
    activation : {"relu", None}, default "relu"
        After each layer (the paper's ablation: ReLU 94.21, linear 91.77); None makes the embedding linear.
    loss : {"softmax", "margin", "negative-mining"}, default "softmax"
        ``"margin"`` is the paper's equation 1 for the drawn label of an instance, ``"negative-mining"`` the same over
        the hardest candidates alone, ``"softmax"`` the cross-entropy of each label of an instance against all that are
        not its labels (what the paper uses on Delicious-200K). On validation data softmax learned fastest here.
    margin : float, default 1.0
        c, by which a label's score is to exceed those of others, in units of the scores s phi(x)^T v_y.
    n_negatives : int or None, default None
        Labels drawn for a batch, besides the labels of its instances: these candidates are scored, each weighted by
        the inverse of its probability to be among them. None: all labels. From ten thousand labels on a thousand or so
        save most of an epoch.
    n_hardest : int, default 10
        Candidates of the largest scores that ``"negative-mining"`` keeps for an instance.
    regularizer : {"glas", None, "spread-out", "laplacian", "gravity", "glas-geometric", "glas-pmi", "glas-jaccard"}
        ``"glas"`` is in the formula above; with -geometric, -pmi and -jaccard other affinities take the place of the
        arithmetic mean (see `affinity`). ``"spread-out"`` wants all labels orthogonal, ``"laplacian"`` those that occur
        together close, ``"gravity"`` pulls the scores of other instances' labels to 0. None: none.
    regularization : float, default 10.0
        lambda (the paper's, with means over the pairs as here).
    keep_probability : float, default 0.8
        rho, with which a feature of an instance stays in a step: input dropout (the paper's). 1: no dropout.
    n_epochs : int, default 5
        Passes over the instances, at most (the paper: 10, with early stopping).
    patience : int or None, default None
        Epochs without a better P@1 on `eval_set` after which training ends; the model then has the best epoch's
        weights. None, or no `eval_set`: all epochs, and the last weights.
    batch_size : int, default 1024
        B, instances of a step (the paper: 4096, with 1024 hardly worse). At most a sixteenth of the instances is
        taken, or 16, so that a small set has steps enough.
    learning_rate : float, default 0.05
        eta_w, Adagrad's, of the first layer's table; biases, lengths and inner layers move by Adam at a thousandth of
        it.
    label_learning_rate : float, default 0.05
        eta_V, Adagrad's, of the label embeddings.
    adagrad_start : float, default 0.001
        Root of what Adagrad's sums of squared gradients start with. Gradients below it, those of rare features and
        labels, move them in proportion; with 0 every first step is as long as any.
    scale : float, default 16.0
        What s, the length that all label vectors share, starts with; it is learned, slowly. Smaller values fit the
        training data less sharply: on validation data 10 to 14 were best for debdeps, 20 for EURLEX57K.
    search : {"exact", "hnsw"}, default "exact"
        Whether prediction scores all labels, or finds most of the best in a navigable small-world graph of them, which
        pays from about 20,000 labels on. May be changed to ``"exact"`` after the fit; a change to ``"hnsw"`` counts
        from the next fit on, and a model without a graph answers exactly.
    ef : int, default 100
        Width of the search in the graph: wider finds more of the best labels and takes longer. May be changed after
        the fit.
    device : str, default "auto"
        Where the network trains: CUDA, else MPS, else the CPU; or its name.
    checkpoint_dir : str or None, default None
        A folder that holds the last finished epoch, from which the same fit goes on after it was killed.
    n_jobs : int or None, default None
        Threads of the sparse products in prediction; the model does not depend on it. Training takes torch's.
    random_state : int or None, default 0
        First weights, order of the instances, drawn labels, dropout.

    Attributes
    ----------
    label_embeddings_ : ndarray, shape (K, d), float32
        V, a label a row, of length 1; 0 for a label without a training positive, which is never predicted.
    W1_, b1_, W2_, b2_ : ndarrays, float32
        The network, shapes (features, units) and (units,); the latter two with `n_hidden` only. Columns of a W have
        the same length. `activation_` is that of the fit.
    scale_ : float
        s.
    learned_ : ndarray of int
        The labels that occur in the training data.
    graph_ : ndarray of uint8
        The search graph over them, with ``search="hnsw"``.

    Notes
    -----
    One event an epoch: mean ``loss`` and ``regularizer`` of its steps, ``train P@1`` (on at most 2,000 training
    instances, always the same, without dropout), ``instances/s``. Scores are cosines. Inside processes that torchrun
    started (``torchrun --nproc-per-node 2 script.py``) a fit shares each batch among them and learns what one process
    would; only the first one calls the callback and writes checkpoints.

    Train O(epochs x (nnz(X) d + n m d + n B d)) with m candidates of a batch, all K at most; the paper states the first
    term. Memory, tables and Adagrad's sums, 8 d (features + K) bytes, B x m scores, the affinities (sparse). Predict,
    for an instance, O(nnz(x) d + K d), with ``"hnsw"`` O(ef log K) inner products in place of K. Size 4 d (features +
    K) bytes.

    ================ =================================== ====== ========================================================
    what             paper                               code   here
    ================ =================================== ====== ========================================================
    descent          w - eta dL/dw, optimiser not stated none   Adagrad on both tables, only rows that a step touches;
                                                         known  Adam on the few other parameters
    loss             margin; softmax on Delicious-200K          softmax, all labels of an instance
    negatives        sampled, number not stated                 all, or a sample weighted by inverse inclusion
    scores           unit vectors "for the ease of              cosines times one learned length s, the label layer's
                     exposition"                                under section 3.1
    equation 3       all pairs over K^2; algorithm 2:           as algorithm 2, mean over pairs i != j: pairs count by
                     the B labels drawn with the batch,         how often they are drawn, frequent labels more than
                     its norm not stated                        in equation 3, rare ones less
    last batch       not stated                                 smaller; for sampled negatives one of half the size
                                                                counts as whole
    input dropout    x * Bernoulli(rho)                         the same, not rescaled: phi has unit length anyway
    PMI              no formula                                 normed to at most 1, negative ones 0
    Gravity          cited                                      its Gramians estimated on the batch alone, no averages
                                                                over steps
    search           quantisation, partitions                   HNSW, or exact
    ================ =================================== ====== ========================================================

    References
    ----------
    Guo, Mousavi, Wu, Holtmann-Rice, Kale, Reddi and Kumar, "Breaking the glass ceiling for embedding-based classifiers
    for large output spaces", NeurIPS 2019. Not at hand: Reddi et al. 2019 (stochastic negative mining), Krichene et al.
    2019 (Gramian estimation; its abstract only), Salimans and Kingma 2016 (weight normalisation).

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)
    >>> Y = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> model = EmbeddingClassifier(n_components=8, n_epochs=30, device="cpu").fit(X, Y)
    >>> model.predict_topk(X, k=2).indices.reshape(4, 2).tolist()
    [[0, 1], [0, 1], [2, 3], [2, 3]]
    """

    decision_threshold = 0.5
    prediction_params = frozenset({"ef"})
    free_on_resume = SphereModel.free_on_resume | {"search", "ef"}

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
        n_epochs: int = 5,
        patience: int | None = None,
        batch_size: int = 1024,
        learning_rate: float = 0.05,
        label_learning_rate: float = 0.05,
        adagrad_start: float = 0.001,
        scale: float = 16.0,
        search: str = "exact",
        ef: int = 100,
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
        self.ef = ef
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The tables and their copies, a batch's scores and affinities; all affinities (`affinity`) are left out.

        Both tables are there about five times (measured): themselves, Adagrad's squares, what prediction reads, old and
        new. With `patience` two more of the best epoch; a checkpoint holds its part twice more, as arrays and as the
        file's bytes. Of sampled candidates as many are counted as if each instance of a batch had 100 labels.
        """
        width, B = self.n_hidden or self.n_components, min(n, self.batch_size)
        best = 0 if self.patience is None else 2
        copies = 5 + best if self.checkpoint_dir is None else 4 + best + 2 * (2 + best)
        scored = L if self.n_negatives is None else min(L, self.n_negatives + 100 * B)
        tables = d * width + (L + width) * self.n_components
        return 4 * (copies * tables + 4 * B * scored + 6 * B * B) + 8 * nnz

    def _check_params(self) -> None:
        for name in ("n_components", "n_epochs", "batch_size", "n_hardest", "ef"):
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
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted one of {', '.join(map(repr, choices))}")
        check_seed(self.random_state)
        self._check_device()

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        self.learned_ = np.flatnonzero(self.label_counts_)
        self.graph_ = np.empty(0, dtype=np.uint8)
        group, device = ranks(self.device)
        self._train(X, Y, eval_set, report, group, device_of(device))
        if self.search == "hnsw" and len(self.learned_):
            self.graph_ = hnsw.build(self.label_embeddings_[self.learned_])

    def _train(
        self,
        X: sparse.csr_array,
        Y_all: sparse.csr_array,
        eval_set: EvalSet | None,
        report: Reporter,
        group: Ranks,
        device: Any,
    ) -> None:
        """Epochs, of which the best is kept where `patience` says so."""
        from xmlwb.solvers.best_epoch import BestEpoch
        from xmlwb.solvers.sphere_descent import Recipe, SphereDescent
        from xmlwb.solvers.sphere_network import SphereNetwork

        Y = Y_all[:, self.learned_]
        watched = eval_set is not None and self.patience is not None
        checkpoint = None
        if self.checkpoint_dir is not None:
            data = fingerprint(X, Y_all, *(eval_set if watched and eval_set else ()))
            checkpoint = shared_checkpoint(self._checkpoint(data), group)
        hidden = () if self.n_hidden is None else (self.n_hidden,)
        with seeded(self.random_state, 2**31, device) as rng:
            net = SphereNetwork(
                (X.shape[1], *hidden, self.n_components), Y.shape[1], self.activation, scale=self.scale,
                start=self.adagrad_start,
            ).to(device)  # fmt: skip
            seen = np.sort(rng.permutation(X.shape[0])[:_N_SEEN])
        recipe = Recipe(**{name: getattr(self, name) for name in Recipe.__dataclass_fields__})
        recipe = replace(recipe, batch_size=min(self.batch_size, max(16, X.shape[0] // 16)))
        kind = KIND_OF_REGULARIZER[self.regularizer]
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

        def keep_resumed() -> None:
            if not hasattr(self, "W1_"):  # else learn has done it
                self._keep(net)

        parts = {"net": net, "optimizer": descent.optimizer, "best": best}
        together = SharedReporter(report, group)
        self._run_epochs(parts, learn, keep_resumed, dict, together, checkpoint, lambda: best.is_over)
        if watched:
            best.restore(net)
            self._keep(net)

    def _too_large(self) -> str:
        names = ["learning_rate", "label_learning_rate", "scale"] + ["margin"] * (self.loss != "softmax")
        values = ", ".join(f"{name} {getattr(self, name)!r}" for name in names)
        return f"training diverges; wanted lower values among {values}"
