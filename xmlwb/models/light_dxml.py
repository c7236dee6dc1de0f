r"""Label embeddings, shortlists and a one-vs-all classifier that take turns: LightDXML."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import sparse

from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import Checkpoint, fingerprint
from xmlwb.models.cycle_steps import n_epochs_total, phases
from xmlwb.models.fit_profile import FitProfile
from xmlwb.models.shortlist_model import ShortlistModel
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.torch_runs import device_of, seeded

__all__ = ["LightDXML", "n_epochs_total", "phases"]

_CHOICES = {
    "negatives": ("shortlist", "random", "both"),
    "activation": ("relu", None),
    "label_activation": ("relu", None),
    "optimizer": ("adagrad", "adam"),
    "search": ("auto", "hnsw", "exact"),
}


class LightDXML(ShortlistModel):
    r"""LightDXML (Mishra et al. 2023): label embeddings, shortlists and a one-vs-all classifier, in turns.

    1. An instance lies at :math:`\hat x`, the direction of :math:`E^\top x`, a sum of word vectors that TF-IDF weighs.
    2. The label encoder :math:`Z_l` sends :math:`\mu_j`, the mean of the instances of label j, to its embedding
       :math:`\hat y_j`, close to these instances:

    .. math:: \min_{Z_l} \frac1N \sum_i \sum_{j \in P_i} \log\bigl(1 + \lVert \hat x_i - Z_l(j) \rVert^2\bigr), \qquad
              Z_l(j) = W_2 (W_1 \mu_j + b_1) + b_2

    3. The k labels of the largest cosines :math:`\cos(\hat x, \hat y_j)` are the instance's shortlist
       :math:`S_k(\hat x)`: its hard negatives, beside its labels :math:`P_i`.
    4. From these alone the classifiers learn, and with them the word vectors:

    .. math:: \min_{E, W, b} \sum_i \sum_{j \in P_i \cup S_k(\hat x_i)} \mathrm{BCE}\bigl(\sigma(z_{ij}), y_{ij}\bigr),
              \qquad z_{ij} = w_j^\top \hat x_i + b_j

    5. After every `rebuild_every` epochs the features are others: steps 2 and 3 are taken again.
    6. A shortlisted label has the score :math:`\beta\, \sigma(z_j) + (1 - \beta)\, \sigma(\cos(\hat x, \hat y_j))`, the
       others none.

    Parameters
    ----------
    n_components : int, default 300
        D, dimensions of word vectors, features and labels (the released code's).
    word_vectors : ndarray (d, D), path or None, default None
        What E starts with: an array, a fastText ``.vec`` or ``.bin`` file, or random. Not in a saved file.
    feature_names : sequence of str or None, default None
        The word of each feature, for a file of `word_vectors`. Not in a saved file.
    shortlist_size : int, default 500
        k (the paper's table V: 500 to 650). As many labels are scored in a prediction, which has no more.
    n_random : int, default 50
        Labels that each instance draws anew in an epoch, besides its shortlist, with ``negatives="both"``: they teach
        the classifier what it is to say of labels that a later shortlist may have.
    beta : float, default 0.5
        beta (the paper: 0.1 to 1, 0.75 for EURLex-4K). Smaller values favour rare labels: on validation rows of
        EURLEX57K P@1 was best at 0.5, and PSP@1 rose down to 0.25. May be changed after the fit.
    n_epochs : int, default 16
        e_model, passes over the instances of the classifier (the paper: 16 for EURLex-4K).
    n_label_epochs : int, default 2
        e_label, passes of the label encoder each time (the paper: 8, of an encoder that starts at random).
    rebuild_every : int, default 8
        e^_label, epochs of the classifier between two rebuilds.
    cycle : bool, default True
        False: labels and shortlists are made once, before the classifier's first epoch.
    negatives : {"both", "shortlist", "random"}, default "both"
        Shortlist and random labels, the shortlist alone (the paper's), or `shortlist_size` random labels.
    freeze_features : bool, default False
        Whether E stays as it starts.
    activation : {"relu", None}, default None
        What E^T x goes through before it is scaled to unit length.
    label_activation : {"relu", None}, default None
        Behind the label encoder: equation 4's ReLU, or none, as in the released code.
    scale : float, default 8.0
        s, the length of the features that the classifier learns from; it is multiplied into `W_` afterwards. Only how
        fast W moves beside E depends on it.
    classifier_start : float, default 8.0
        w_j starts as this multiple of label j's first embedding; 0: at 0.
    bias_start : float, default -4.0
        What b starts with: most candidates are negatives.
    keep_probability : float, default 0.8
        With which a word of an instance stays in a step of the classifier; 1: all.
    optimizer : {"adagrad", "adam"}, default "adagrad"
        What moves the rows of E and of W that a step touches.
    adagrad_start : float, default 0.01
        Root of what Adagrad's sums of squared gradients start with: gradients below it, those of rare words and labels,
        move them in proportion.
    learning_rate : float, default 0.05
        Of W and b. For ``"adam"`` take a twentieth of it or less (the paper: 0.006).
    word_learning_rate : float, default 0.01
        Of E. On validation rows of debdeps word vectors that move slower than the classifier predict better.
    label_learning_rate : float, default 0.003
        Adam's, of the label encoder (the released code's).
    batch_size : int, default 255
        Instances of a step (the released code's); at most a sixteenth of them is taken, or 16.
    search : {"auto", "hnsw", "exact"}, default "auto"
        Whether shortlists come from a navigable small-world graph (the paper's) or from all cosines; "auto": the graph
        from 50,000 labels on: below it is no faster.
    ef : int or None, default None
        Width of a search in the graph, at least k; None: k.
    device : str, default "auto"
        Where it is trained: CUDA, else MPS, else the CPU; or its name.
    checkpoint_dir : str or None, default None
        A folder that holds the last finished step, from which the same fit goes on after it was killed.
    n_jobs : int or None, default None
        Threads of searches and prediction; the model does not depend on it. Training takes torch's.
    random_state : int or None, default 0
        Starting vectors, order of the instances, words left out, drawn labels.

    Attributes
    ----------
    E_ : ndarray, shape (d, D), float32
        Word vectors.
    W_, b_ : ndarrays, shapes (L, D) and (L,), float32
        The classifier: z = W_ x^ + b_.
    label_embeddings_ : ndarray, shape (L, D), float32
        Y^, of unit length; what is said of a label without a training positive, which is never predicted, is void.
    graph_ : ndarray of uint8
        The search graph over the labels; empty: the search is exact.
    learned_ : ndarray of int
        The labels that occur in the training data.
    profile_ : dict
        "seconds" and "bytes" by module, "peak RSS bytes" of the process, "starting vectors".

    Notes
    -----
    One event a step, its `stage` one of ``"label"`` (an epoch of the label encoder: ``loss``), ``"shortlist"`` (a
    rebuild: ``shortlist recall``, the share of the training positives that the shortlists have, and ``search recall``,
    that of the exact search's labels, on 500 instances) and ``"classifier"`` (an epoch: ``loss``, and ``negative
    hardness``, the mean sigmoid score of the negatives), all with ``seconds``; see `phases`, `n_epochs_total`.
    Validation figures come where the shortlists belong to the labels, not while the encoder learns. Between two
    rebuilds the features move away from the shortlists' labels, and a validation figure falls behind: the rebuild after
    the last epoch is part of the model. A fit stopped while the encoder learns makes its shortlists at its end.

    Train O(e_model (nnz(X) D + N k D) + e_label nnz(Y) D + N D L), with the graph D k log L in place of the last D L.
    Memory, tables and their sums, 8 D (d + L) bytes (12 with Adam), features and shortlists 4 N (2 D + k). Predict, an
    instance, O(nnz(x) D + k D + D L), with the graph O(k log L D) for D L. Size 4 D (d + 2 L) bytes and the graph.

    =============== =============================== ============================== =================================
    what            paper                           code                           here
    =============== =============================== ============================== =================================
    features        E^T x, TF-IDF and fastText      the same, ReLU of unknown use  of unit length, no ReLU
    label encoder   two layers, ReLU (equation 4)   no ReLU, hidden layer of 1000  no ReLU, hidden layer of D
    its start       not stated                      torch's random one             the identity, a label's centroid
    its steps       not stated                      256 pairs                      4,096 pairs
    classifier      W alone, start not stated       with DeepXML's bias            b; starts at the label embeddings
    optimiser       not stated; rates .006 to .009  Adam, halved at epoch 14       Adagrad, constant; "adam" as well
    negatives       the shortlist                   the shortlist                  and 50 at random
    word dropout    not stated                      not known                      a fifth of the words
    rebuilds        before the first epoch, after   before epochs 0, 8, 16, 24     the paper's
                    every 8th, the last too         of 26; none after the last
    EURLex-4K       k 500, 16 epochs, beta .75      k 400, 26 epochs, beta .75     k 500, 16 epochs, beta .5
    =============== =============================== ============================== =================================

    References
    ----------
    Mishra, Dasgupta, Jawanpuria, Mishra and Kumar, "Light-weight deep extreme multilabel classification", IJCNN 2023;
    github.com/misterpawan/LightDXML, its model, label layer, shortlist and settings for EURLex-4K. Not at hand: its
    description of the feature network.

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)
    >>> Y = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> model = LightDXML(n_components=8, n_epochs=4, rebuild_every=2, device="cpu").fit(X, Y)
    >>> model.predict_topk(X, k=2).indices.reshape(4, 2).tolist()
    [[0, 1], [0, 1], [2, 3], [2, 3]]
    """

    decision_threshold = 0.5
    prediction_params = frozenset({"beta"})

    def __init__(
        self,
        *,
        n_components: int = 300,
        word_vectors: np.ndarray | str | os.PathLike | None = None,
        feature_names: Sequence[str] | None = None,
        shortlist_size: int = 500,
        n_random: int = 50,
        beta: float = 0.5,
        n_epochs: int = 16,
        n_label_epochs: int = 2,
        rebuild_every: int = 8,
        cycle: bool = True,
        negatives: str = "both",
        freeze_features: bool = False,
        activation: str | None = None,
        label_activation: str | None = None,
        scale: float = 8.0,
        classifier_start: float = 8.0,
        bias_start: float = -4.0,
        keep_probability: float = 0.8,
        optimizer: str = "adagrad",
        adagrad_start: float = 0.01,
        learning_rate: float = 0.05,
        word_learning_rate: float = 0.01,
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
        self.classifier_start = classifier_start
        self.bias_start = bias_start
        self.keep_probability = keep_probability
        self.optimizer = optimizer
        self.adagrad_start = adagrad_start
        self.learning_rate = learning_rate
        self.word_learning_rate = word_learning_rate
        self.label_learning_rate = label_learning_rate
        self.batch_size = batch_size
        self.search = search
        self.ef = ef
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

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
        for name in ("learning_rate", "word_learning_rate", "label_learning_rate", "scale", "keep_probability"):
            check_number(name, getattr(self, name), low=0, strict=True)
        for name in ("beta", "adagrad_start", "classifier_start"):
            check_number(name, getattr(self, name), low=0)
        check_number("bias_start", self.bias_start, low=-np.inf)
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
