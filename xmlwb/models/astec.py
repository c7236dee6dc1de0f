r"""DeepXML's four modules in their first implementation: Astec, with its re-ranker."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from joblib import effective_n_jobs
from scipy import sparse

from xmlwb.metrics import precision_at_k
from xmlwb.models.base import EvalSet, topk_to_csr
from xmlwb.models.callbacks import Reporter
from xmlwb.models.checkpoint import fingerprint
from xmlwb.models.fit_profile import FitProfile
from xmlwb.models.two_search_model import TwoSearchModel
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.bag_features import bag_features
from xmlwb.solvers.residual_scores import ResidualClassifier, at_places, best_places, sigmoid
from xmlwb.solvers.torch_runs import device_of

#: Instances that are predicted at a time.
_BATCH = 1 << 12
_SEARCHES = ("auto", "exact", "hnsw")


class Astec(TwoSearchModel):
    r"""Astec (Dahiya et al. 2021), DeepXML's first method: features of a surrogate task, shortlists, a classifier.

    1. An encoder learns which clusters of labels an instance has, and is frozen from then on:
       :math:`\phi(x)` is the direction of :math:`\mathrm{ReLU}(E^\top x)`, a sum of word vectors that TF-IDF weighs.
    2. Two searches give each instance a shortlist :math:`S(x)` of labels, by the centroids of the labels' instances
       and by the labels of the nearest training instances.
    3. A residual layer moves the features, not far: :math:`\rho(\phi) = \phi + \mathrm{ReLU}(R\phi + r)` with
       :math:`\lVert R \rVert_2 \le \lambda`.
    4. With it learns a classifier on the labels, the shortlist and some labels at random of each instance:

    .. math:: \min_{R, r, W, b} \sum_{i=1}^n \sum_{l \in P_i \cup S(x_i) \cup U_i}
              \mathrm{BCE}\bigl(w_l^\top \rho(s\, \phi(x_i)) + b_l,\; y_{il}\bigr)

    The re-ranker is the same again, encoder included, with parameters of its own, on the labels of an instance and
    those that the classifier ranks highest.

    Parameters
    ----------
    n_components : int, default 300
        D, dimensions of word vectors and features (the released code's).
    word_vectors : ndarray (d, D), path or None, default None
        What E starts with: an array, a fastText ``.vec`` or ``.bin`` file, or random. Not in a saved file.
    feature_names : sequence of str or None, default None
        The word of each feature, for a file of `word_vectors`. Not in a saved file.
    n_surrogate_labels : int or None, default None
        L^, clusters of labels, a power of 2; None: about one for four labels (the released code: 1,024 for EURLex-4K).
    n_surrogate_epochs : int, default 15
        Of module 1 (the released code: 20). In each stage the last 30 % of the epochs have half the learning rate.
    n_epochs : int, default 12
        Of modules 3 and 4 (the released code: 20).
    learning_rate : float, default 0.3
        Adagrad's, of the classifier's label vectors.
    feature_learning_rate : float, default 0.05
        Adagrad's, of the word vectors, in module 1 and in the re-ranker. Parameters that move all instances at once, R
        and the clusters' vectors, move by Adam at a tenth of it.
    scale : float, default 8.0
        s, the length that phi has where it is classified.
    shortlist_size : int, default 500
        |S(x)|.
    n_neighbours : int, default 100
        Nearest training instances of the second search (the released code: 300); 0: the first search alone.
    gamma : float, default 0.075
        Weight of the second search (the released code's), see `TwoSearches`.
    n_random : int, default 50
        |U_i|, labels drawn anew for an instance in each epoch.
    spectral_bound : float, default 1.0
        lambda.
    dropout : float, default 0.2
        Behind the encoder and the residual layer's ReLU, while they are trained (the released code: 0.5).
    keep_probability : float, default 0.8
        With which a word of an instance stays in a step that trains an encoder.
    beta : float, default 0.9
        What the classifier (with the re-ranker) weighs in prediction, the shortlist 1 - beta. May be changed after the
        fit.
    reranker : bool, default True
        Whether there is one.
    n_reranked : int, default 100
        Labels of an instance that it learns from and ranks: the classifier's best (the released code's).
    n_reranker_epochs : int, default 12
        Passes of the re-ranker (the released code: 15).
    reranker_learning_rate : float, default 0.05
        Adagrad's, of the re-ranker's label vectors: its features learn along, and not well with fast ones.
    reranker_beta : float, default 0.6
        What the re-ranker weighs beside the classifier (the released code's). May be changed after the fit.
    batch_size : int, default 255
        Instances of a step (the released code's); at most a sixteenth of them is taken, or 16.
    search : {"auto", "exact", "hnsw"}, default "auto"
        Whether the two searches compare all vectors or walk a navigable small-world graph; "auto": a graph over more
        than 16,384 vectors.
    ef : int or None, default None
        Width of a search in a graph, at least the number of vectors that are wanted; None: that.
    device : str, default "auto"
        Where it is trained: CUDA, else MPS, else the CPU; or its name.
    checkpoint_dir : str or None, default None
        A folder that holds the last finished epoch, of any stage, from which the same fit goes on.
    n_jobs : int or None, default None
        Threads of searches and prediction; the model does not depend on it. Training takes torch's.
    random_state : int or None, default 0
        Starting vectors, clusters, order of the instances, dropout, drawn labels.

    Attributes
    ----------
    E_, R_, r_, W_, b_ : ndarrays, shapes (d, D), (D, D), (D,), (L, D), (L,), float32
        R_ multiplies from the right; s is in r_ and W_. `reranker_E_` and so on are the re-ranker's.
    label_embeddings_ : ndarray, shape (L, D), float32
        Centroids of the labels, of unit length.
    instances_, instance_labels_ : ndarray (n', D), csr_array (n', L)
        What the second search finds: training instances with labels; the former is empty where there is a graph.
    graph_, instance_graph_ : ndarrays of uint8
        The search graphs; empty: the search is exact.
    learned_ : ndarray of int
        The labels that occur in the training data: no other is predicted.
    profile_ : dict
        "seconds" and "bytes" by module, "peak RSS bytes" of the process, "starting vectors".

    Notes
    -----
    One event an epoch, of the stages "surrogate", "classifier" and "re-ranker": ``loss``, ``seconds``, and in the two
    latter ``negative hardness`` (mean sigmoid score of the negatives), ``shortlist recall`` (of training labels),
    ``search recall`` (of what the exact search finds) and validation figures. Stopped in the first, a model ranks by
    the shortlist.

    Train O(e1 (nnz(X) D + n D L^) + e2 n D |S| + n D log L + e3 (nnz(X) D + n D n_reranked)). Predict, an instance,
    O(nnz(x) D + D |S|) and the searches. Size 4 (d + 2 L + n) D bytes and the graphs, 4 (d + L) D of the re-ranker.

    =============== ============================= ========================================== ===========================
    what            paper                         released code                              here
    =============== ============================= ========================================== ===========================
    clusters        of label centroids            of centroids smoothed by co-occurrence     of label centroids
    R's norm        bounded                       divided by it: always 1                    divided where above lambda
    optimiser       not known                     Adam, rates of 0.005 to 0.01               Adagrad, faster here
    features        not known                     not scaled                                 of one length
    random labels   50 (LightDXML's account)      200                                        50
    dropout         not known                     with phi computed in advance, behind rho   as the code
    W starts with   not known                     uniform random                             0
    starting E      fastText                      fastText                                   any, scaled to one length
    graphs          two                           HNSW; M 100 and 50, ef 300 and 50          HNSW; M 32 and 24, 200, 100
    =============== ============================= ========================================== ===========================

    References
    ----------
    The DeepXML paper (Dahiya, Saini, Mittal, Shaw, Dave, Soni, Jain, Agarwal and Varma, "DeepXML: a deep extreme
    multi-label learning framework applied to short text documents", WSDM 2021) is not at hand. What is here follows
    Mishra, Dasgupta, Jawanpuria, Mishra and Kumar, "Light-weight deep extreme multilabel classification", IJCNN 2023,
    section II, and, where it says "the released code", the repository Extreme-classification/deepxml: settings of
    EURLex-4K and AmazonTitles-670K, encoder, residual layer, shortlists.

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)
    >>> Y = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> model = Astec(n_components=8, device="cpu").fit(X, Y)
    >>> model.predict_topk(X, k=2).indices.reshape(4, 2).tolist()
    [[0, 1], [0, 1], [2, 3], [2, 3]]
    """

    decision_threshold = 0.5
    prediction_params = frozenset({"beta", "reranker_beta"})

    def __init__(
        self,
        *,
        n_components: int = 300,
        word_vectors: np.ndarray | str | os.PathLike | None = None,
        feature_names: Sequence[str] | None = None,
        n_surrogate_labels: int | None = None,
        n_surrogate_epochs: int = 15,
        n_epochs: int = 12,
        learning_rate: float = 0.3,
        feature_learning_rate: float = 0.05,
        scale: float = 8.0,
        shortlist_size: int = 500,
        n_neighbours: int = 100,
        gamma: float = 0.075,
        n_random: int = 50,
        spectral_bound: float = 1.0,
        dropout: float = 0.2,
        keep_probability: float = 0.8,
        beta: float = 0.9,
        reranker: bool = True,
        n_reranked: int = 100,
        n_reranker_epochs: int = 12,
        reranker_learning_rate: float = 0.05,
        reranker_beta: float = 0.6,
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
        self.n_surrogate_labels = n_surrogate_labels
        self.n_surrogate_epochs = n_surrogate_epochs
        self.n_epochs = n_epochs
        self.learning_rate = learning_rate
        self.feature_learning_rate = feature_learning_rate
        self.scale = scale
        self.shortlist_size = shortlist_size
        self.n_neighbours = n_neighbours
        self.gamma = gamma
        self.n_random = n_random
        self.spectral_bound = spectral_bound
        self.dropout = dropout
        self.keep_probability = keep_probability
        self.beta = beta
        self.reranker = reranker
        self.n_reranked = n_reranked
        self.n_reranker_epochs = n_reranker_epochs
        self.reranker_learning_rate = reranker_learning_rate
        self.reranker_beta = reranker_beta
        self.batch_size = batch_size
        self.search = search
        self.ef = ef
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The tables, each with Adagrad's squares, its start and two copies; all places and shortlists; the graph.

        The re-ranker's tables come on top of the model that it corrects. A checkpoint holds its part twice more, as
        arrays and as the file's bytes.
        """
        D, k = self.n_components, min(self.shortlist_size, L)
        clusters = self.n_surrogate_labels or max(1, L // 3)
        encoder, classifier = d * D, L * (D + 1)
        training = 5 * encoder + max(4 * clusters * D, 4 * classifier)
        if self.reranker:
            training += 2 * encoder + 3 * classifier
        places = n * D * (4 if self.n_neighbours else 2) + 4 * n * k
        checkpoint = 0 if self.checkpoint_dir is None else 2 * (3 * encoder + 3 * classifier)
        batch = min(n, self.batch_size) * (2 * clusters + 4 * (k + self.n_random) + 8 * D)
        return 4 * (training + places + checkpoint + batch) + 16 * nnz

    def _check_params(self) -> None:
        for name in ("n_components", "n_surrogate_epochs", "n_epochs", "shortlist_size", "n_reranked",
                     "n_reranker_epochs", "batch_size"):  # fmt: skip
            check_number(name, getattr(self, name), low=1, integer=True)
        for name in ("n_neighbours", "n_random"):
            check_number(name, getattr(self, name), low=0, integer=True)
        for name in ("learning_rate", "feature_learning_rate", "reranker_learning_rate", "scale",
                     "spectral_bound"):  # fmt: skip
            check_number(name, getattr(self, name), low=0, strict=True)
        check_number("keep_probability", self.keep_probability, low=0, strict=True)
        for name in ("gamma", "dropout", "keep_probability", "beta", "reranker_beta"):
            check_number(name, getattr(self, name), low=0)
            if getattr(self, name) > 1 or (name == "dropout" and self.dropout == 1):
                raise ValueError(f"{name} is {getattr(self, name)!r}; wanted a part of 1")
        clusters = self.n_surrogate_labels
        if clusters is not None:
            check_number("n_surrogate_labels", clusters, low=1, integer=True)
            if clusters & (clusters - 1):
                raise ValueError(f"n_surrogate_labels is {clusters}; wanted a power of 2")
        if self.ef is not None:
            check_number("ef", self.ef, low=1, integer=True)
        if self.search not in _SEARCHES:
            raise ValueError(f"search is {self.search!r}; wanted one of {', '.join(map(repr, _SEARCHES))}")
        check_seed(self.random_state)
        self._check_word_vectors()
        self._check_device()

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        from xmlwb.models.astec_fit import AstecFit, module_bytes

        self.learned_ = np.flatnonzero(self.label_counts_)
        self.n_stages_ = 0
        profile = FitProfile()
        with profile.measured("features"):
            vectors, line = self._starting_vectors(X.shape[1])
        checkpoint = self._checkpoint(fingerprint(X, Y, vectors)) if self.checkpoint_dir is not None else None
        AstecFit(self, X, Y, eval_set, vectors, device_of(self.device), profile).run(report, checkpoint)
        self.profile_text_ = profile.as_text(module_bytes(self), line)

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.full((X.shape[0], k), -1, dtype=np.int32)
        scores = np.zeros((X.shape[0], k), dtype=np.float32)
        for begin in range(0, X.shape[0], _BATCH):
            rows = slice(begin, begin + _BATCH)
            Z = self._encode(X[rows])
            found = self._ranked(X[rows], (Z, *self._shortlists(Z)), k)
            width = found[0].shape[1]
            labels[rows, :width], scores[rows, :width] = found
        return labels, scores

    def _ranked(
        self, X: sparse.csr_array, lists: tuple[np.ndarray, np.ndarray, np.ndarray], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k best of each instance's shortlist: lists are phi (n, D), labels (n, |S|) and their sums."""
        Z, labels, sums = lists
        score, threads = sigmoid(sums), effective_n_jobs(self.n_jobs)
        if self.n_stages_ > 1:
            z = self._classifier().scores(Z, labels, n_threads=threads)
            if self.n_stages_ > 2:
                best = best_places(z, self.n_reranked)
                labels, score, z = at_places(labels, best, -1), at_places(score, best, 0), at_places(z, best, -np.inf)
                again = bag_features(X, self.reranker_E_, "relu", n_jobs=self.n_jobs)
                z_again = self._reranker().scores(again, labels, n_threads=threads)
                own = self.reranker_beta * sigmoid(z_again) + (1 - self.reranker_beta) * sigmoid(z)
            else:
                own = sigmoid(z)
            score = self.beta * own + (1 - self.beta) * score
        best = best_places(np.where(labels >= 0, score, -np.inf), k)
        return at_places(labels, best, -1), at_places(score, best, 0)

    def _classifier(self) -> ResidualClassifier:
        return ResidualClassifier(self.R_, self.r_, self.W_, self.b_)

    def _reranker(self) -> ResidualClassifier:
        return ResidualClassifier(self.reranker_R_, self.reranker_r_, self.reranker_W_, self.reranker_b_)

    def _figures_of_lists(
        self, eval_set: EvalSet, lists: tuple[np.ndarray, np.ndarray, np.ndarray]
    ) -> dict[str, float]:
        X, Y = eval_set
        k = min(5, self.n_labels_)
        P = precision_at_k(Y, topk_to_csr(*self._ranked(X, lists, k), self.n_labels_), k=k)
        return {f"valid P@{rank}": float(P[rank - 1]) for rank in (1, 5) if rank <= k}

    def _check_state(self) -> None:
        super()._check_state()
        d, L, D = self.n_features_in_, self.n_labels_, self.E_.shape[1]
        if self.n_stages_ not in (1, 2, 3):
            raise ValueError(f"n_stages_ is {self.n_stages_!r}; wanted 1, 2 or 3")
        if self.n_stages_ > 1:
            self._require_shapes(R_=(D, D), r_=(D,), W_=(L, D), b_=(L,))
        if self.n_stages_ > 2:
            self._require_shapes(
                reranker_E_=(d, D), reranker_R_=(D, D), reranker_r_=(D,), reranker_W_=(L, D), reranker_b_=(L,)
            )  # fmt: skip

    def _too_large(self) -> str:
        return "training diverges; wanted lower values among learning_rate, feature_learning_rate, scale"
