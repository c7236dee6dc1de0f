r"""Deep embedding: documents are sent to where their labels lie in an embedding of the label graph."""

from __future__ import annotations

from copy import copy
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from xmlwb.label_graph import LabelGraph
from xmlwb.models.base import EvalSet
from xmlwb.models.callbacks import Callback, Reporter
from xmlwb.models.checkpoint import fingerprint
from xmlwb.models.embedded_vote import EmbeddedVote
from xmlwb.models.two_layer_model import TwoLayerModel
from xmlwb.models.validation import check_number, check_seed, read_classes, validate_more_Y, validate_X
from xmlwb.solvers.deep_walk import DeepWalk
from xmlwb.solvers.label_means import label_directions
from xmlwb.solvers.torch_runs import device_of, seeded
from xmlwb.solvers.whitening import whiten


class DXML(EmbeddedVote, TwoLayerModel):
    r"""Deep extreme multi-label learning (Zhang et al. 2018): DeepWalk on the label graph, a network, k-NN.

    V (L, l) embeds the labels, by DeepWalk on the graph of the labels that occur together. An instance's labels lie at
    :math:`f_y`, the mean of theirs, and a network learns to send the instance there:

    .. math:: \min_W \sum_{i=1}^n \sum_{j=1}^{l} h\bigl((f_{x_i})_j - (f_{y_i})_j\bigr), \qquad
              f_y = \frac{V^\top y}{\operatorname{nnz}(y)}, \qquad
              f_x = \frac{z}{\lVert z \rVert}, \quad z = W_2 \max(0, W_1 x + b_1) + b_2

    with the smooth l1 loss h(a) = a^2 / 2 for |a| <= 1 and |a| - 1/2 beyond. The k training instances nearest to
    :math:`f_x`, in the cluster nearest to it, vote on the labels.

    Parameters
    ----------
    n_components : int, default 100
        l, the width of the embedding (the paper: 100 for its small sets, 300 for its large ones). From L on, whitened
        labels each have a direction of their own: on bibtex, with 159 labels, validation takes 300.
    n_hidden : int, default 256
        Units of the hidden layer (the paper: 256 and 512).
    activation : {"relu", None}, default "relu"
        None leaves two linear layers, the ablation of the paper's figure 2.
    dropout : float, default 0.2
        Part of z that is left out at random in training, "right after the last linear layer"; its rate is not in the
        paper.
    n_epochs : int, default 40
        T, passes over the instances; not in the paper. Validation on bibtex is flat from 30 to 80.
    batch_size : int, default 32
        Instances of a step; not in the paper. A step passes over all of W1: take 256 where d h is in the millions.
    learning_rate : float, default 0.015
        The paper's, constant.
    momentum : float, default 0.9
        The paper's.
    weight_decay : float, default 0.0005
        The paper's.
    n_walks : int, default 80
        DeepWalk: walks from each label. With 10, small graphs leave V nearly as it started: all labels alike.
    walk_length : int, default 40
        DeepWalk: labels of a walk.
    window : int, default 1
        DeepWalk: how far apart two labels of a walk may be and still count as neighbours. Validation on bibtex and
        delicious liked 1 better than 2, 5 and 10: wider windows make labels more alike.
    weighted : bool, default True
        Whether walks prefer labels that occur together often. The paper's graph has no weights; validation likes them.
    whiten : bool, default True
        Whether V is centred and its directions get equal variance, else a few of them rule all distances: 3 to 5 points
        of P@1 on validation rows of bibtex and delicious (``benchmarks/dxml_ablation.py``). With L <= l + 1 labels it
        leaves nothing of the graph, see the Notes.
    n_neighbors : int, default 40
        k, the instances that vote; chosen on validation data in the paper. May be changed after the fit.
    vote_power : float, default 10.0
        A neighbour's vote is its cosine to this power; 0 is the paper's plain sum. May be changed after the fit.
    n_clusters : int, default 1
        m, clusters of the embedded training set; the paper does not say how many. Exact search goes through the
        closest one only. There are fewer where fewer than m points differ.
    search : {"exact", "hnsw"}, default "exact"
        ``"hnsw"`` finds neighbours of all clusters in a navigable small-world graph, nearly always the nearest. As in
        `n_clusters`, a change counts from the next fit or partial_fit on.
    device : str, default "auto"
        Where the network trains: CUDA, else MPS, else the CPU; or its name.
    checkpoint_dir : str or None, default None
        A folder that holds the last finished epoch, from which the same fit goes on after it was killed.
    n_jobs : int or None, default None
        Threads of DeepWalk and of the sparse products; the model does not depend on it.
    random_state : int or None, default 0
        Walks, first weights, order of the instances, dropout, k-means.

    Attributes
    ----------
    label_embeddings_ : ndarray, shape (L, l), float32
        V; 0 for a label that never occurs with another one.
    W1_, b1_, W2_, b2_ : ndarrays, shapes (d, h), (h,), (h, l) and (l,), float32
        The network; `activation_` is that of the fit.
    embedded_, labels_, centres_, assignment_, graph_
        f_x of the training instances, their labels and clusters, see `EmbeddedVote`.

    Notes
    -----
    One event an epoch, with the mean ``loss`` of an instance and the ``instances/s``. Scores lie in [0, 1]; labels that
    no neighbour carries are not predicted. An instance whose labels all lie at 0, or cancel out, does not train the
    network, but votes. Where the cosines of all k neighbours are at most 0, their votes weigh the same. On the sphere
    nearly all coordinates differ by less than 1, where the smooth l1 loss is half the squared distance. Train O(epochs
    x (nnz(X) h + n h l + steps x d h)) and DeepWalk; predict, for an instance, O(nnz(x) h + h l + n l / m), with
    ``"hnsw"`` O(ef log n) distances in place of n / m; size 4 (d h + n l + L l) bytes and the labels, with ``"hnsw"``
    4 n (l + 36) more, for the graph holds the vectors again.

    Whitened vectors of L <= l + 1 labels are all equally far apart (see `whiten`): codes that say nothing of who occurs
    with whom, for which ``whiten=False`` keeps the graph. Of somewhat more labels little is left: the ablation's column
    "edges" says how much, and its row "shuffled" (dealt out to the labels at random) what a gain owes to the graph.
    P@1 of ten splits: bibtex 64.6 (paper 66.0), delicious 70.5 (68.2) (``benchmarks/paper_tables.py --table dxml``).

    ================ ============================= ============ ===================================================
    what             paper                         code         here
    ================ ============================= ============ ===================================================
    DeepWalk         its parameters not stated     none known   80 walks of 40 labels, window 1, 5 negatives
    graph            edges without weights                      weights: the instances that two labels share
    V                as DeepWalk leaves it                      centred, equal variance in all directions; for
                                                                L <= l + 1 the graph is lost
    f_y              mean of the labels' vectors                the same, then of unit length
    loss of a step   sum over the instances                     mean over those of the batch
    first weights    not stated                                 normal, W1 of deviation 0.01, W2 of 0.64 / sqrt(h)
    dropout          "right after the last linear               the same, rate 0.2
                     layer", rate not stated
    epochs, batch    not stated                                 40, 32
    clusters m       not stated                                 1
    vote             sum of the neighbours' labels              weighted by cosine^10
    ================ ============================= ============ ===================================================

    References
    ----------
    Zhang, Yan, Wang and Zha, "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)
    >>> Y = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    >>> model = DXML(n_components=4, n_hidden=8, n_neighbors=2, learning_rate=1.0, whiten=False).fit(X, Y)
    >>> model.predict(X)
    array([[1, 1, 0, 0],
           [1, 1, 0, 0],
           [0, 0, 1, 1],
           [0, 0, 1, 1]])
    """

    free_on_resume = TwoLayerModel.free_on_resume | {"search", "n_clusters"}

    label_embeddings_: np.ndarray

    def __init__(
        self,
        *,
        n_components: int = 100,
        n_hidden: int = 256,
        activation: str | None = "relu",
        dropout: float = 0.2,
        n_epochs: int = 40,
        batch_size: int = 32,
        learning_rate: float = 0.015,
        momentum: float = 0.9,
        weight_decay: float = 0.0005,
        n_walks: int = 80,
        walk_length: int = 40,
        window: int = 1,
        weighted: bool = True,
        whiten: bool = True,
        n_neighbors: int = 40,
        vote_power: float = 10.0,
        n_clusters: int = 1,
        search: str = "exact",
        device: str = "auto",
        checkpoint_dir: str | None = None,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.n_hidden = n_hidden
        self.activation = activation
        self.dropout = dropout
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.n_walks = n_walks
        self.walk_length = walk_length
        self.window = window
        self.weighted = weighted
        self.whiten = whiten
        self.n_neighbors = n_neighbors
        self.vote_power = vote_power
        self.n_clusters = n_clusters
        self.search = search
        self.device = device
        self.checkpoint_dir = checkpoint_dir
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        label_graph: LabelGraph | None = None,
        eval_set: EvalSet | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Learn from instances and their labels.

        Parameters
        ----------
        X, Y, eval_set, callback
            As in every method, see `XMCModel.fit`.
        label_graph : LabelGraph, optional
            A given hierarchy, say; its first L nodes are the labels. None: the labels that occur together in Y.

        Raises
        ------
        ValueError
            Also if `label_graph` is none or has another number of labels, `checkpoint_dir` holds another fit or more
            epochs, or the loss is no longer finite.

        Warns
        -----
        UserWarning
            No instance's labels lie anywhere, as where no two labels occur together: nothing trains the network.
        """
        if not isinstance(label_graph, LabelGraph | None):
            raise ValueError(f"label_graph is of type {type(label_graph).__name__}; wanted a LabelGraph or None")
        self._given_graph = label_graph
        try:
            return super().fit(X, Y, eval_set=eval_set, callback=callback)
        finally:
            del self._given_graph

    def partial_fit(self, X: Any, Y: Any, *, classes: Any = None, n_epochs: int = 1) -> Self:
        """Go on with newly arrived instances alone: they train the network and join those that vote; at first a fit.

        The label embeddings and the places of the older instances stay, since their features are not kept: with more
        epochs, the network moves further away from them. Momentum begins anew, and all instances, old and new, are
        divided into clusters or put into a graph again.

        Parameters
        ----------
        X : sparse or dense, shape (n_new, d)
        Y : sparse or dense 0/1, shape (n_new, L)
        classes : array-like, optional
            For a 1-D Y all that it may hold, which the first Y must hold already.
        n_epochs : int
            Passes over the new instances; with 0 they only join the vote. The first call takes the argument of the
            model.

        Raises
        ------
        ValueError
            As `fit`, or for another width of X or Y, other classes, another network than the fitted one. The model is
            then as it was.
        """
        check_number("n_epochs", n_epochs, low=0, integer=True)
        is_first = not self.__sklearn_is_fitted__()
        if classes is not None and Y is not None:
            known = read_classes(self, Y) if is_first else self.classes_
            if not np.array_equal(np.unique(classes), known):
                raise ValueError(f"classes has {len(classes)} values; wanted the {len(known)} of the first Y")
        if is_first:
            return self.fit(X, Y)
        self._check_params()
        self._check_same_network()
        X = validate_X(self, X, reset=False)
        Y = validate_more_Y(self, Y, X.shape[0])
        grown = copy(self)  # a failure on the way leaves this model as it was
        grown._go_on(X, Y, n_epochs)
        self.__dict__.update(grown.__dict__)
        return self

    def _go_on(self, X: sparse.csr_array, Y: sparse.csr_array, n_epochs: int) -> None:
        self.label_counts_ = self.label_counts_ + np.bincount(Y.indices, minlength=self.n_labels_)
        seed = None if self.random_state is None else self.random_state + len(self.embedded_)
        net, descent = self._network(X, Y, self.label_embeddings_)
        for epoch in range(n_epochs):
            with seeded(seed, epoch, device_of(self.device)) as rng:
                self._require_finite(descent.epoch(rng), epoch)
        self._keep_weights(net)
        labels = sparse.csr_array(sparse.vstack([self.labels_, Y]))
        self._place(np.concatenate([self.embedded_, self._embed(X)]), labels)

    def embed(self, X: Any) -> np.ndarray:
        """f_x: where the network sends the rows of X, sparse or dense (n, d): rows of unit length, (n, l) float32."""
        check_is_fitted(self, "W1_")  # also in the callback of a fit
        return self._embed(validate_X(self, X, reset=False))

    def embed_labels(self, Y: Any) -> np.ndarray:
        """f_y: the mean of the labels' embeddings, scaled to unit length; (n, l), float32.

        Y is what `fit` takes, (n, L). Without labels, or where they cancel out, f_y is 0.
        """
        check_is_fitted(self, "label_embeddings_")
        return label_directions(validate_more_Y(self, Y), self.label_embeddings_, n_jobs=self.n_jobs)

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """The network in training, X as bags, the embedded points, the small-world graph; not DeepWalk's walks."""
        # the graph as it is built, as bytes, and the different ones among the vectors
        graph = 4 * n * (3 * self.n_components + 72) if self.search == "hnsw" else 0
        return self._network_bytes(n, d) + 8 * nnz + 4 * (2 * n + 3 * L) * self.n_components + graph

    def _check_params(self) -> None:
        self._check_network()
        for name in ("n_walks", "window"):
            check_number(name, getattr(self, name), low=1, integer=True)
        check_number("walk_length", self.walk_length, low=2, integer=True)
        check_seed(self.random_state)
        self._check_vote()

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        graph = self._given_graph or LabelGraph.from_labels(Y, weighted=self.weighted)
        if graph.n_labels != Y.shape[1]:
            raise ValueError(f"label_graph has {graph.n_labels} labels; wanted {Y.shape[1]} as in Y")
        checkpoint = self._checkpoint(fingerprint(X, Y, graph.adjacency))
        self.label_embeddings_ = self._label_vectors(graph)
        net, descent = self._network(X, Y, self.label_embeddings_)

        def keep() -> None:
            self._keep_weights(net)
            if eval_set is not None:
                self._place(self._embed(X), Y)

        parts = {"net": net, "optimizer": descent.optimizer}
        self._run_epochs(parts, descent.epoch, keep, lambda: self._valid_figures(eval_set), report, checkpoint)
        self._place(self._embed(X), Y)

    def _label_vectors(self, graph: LabelGraph) -> np.ndarray:
        """V."""
        walk = DeepWalk(
            n_components=self.n_components, n_walks=self.n_walks, walk_length=self.walk_length, window=self.window,
            n_jobs=self.n_jobs, random_state=int(check_random_state(self.random_state).randint(2**31)),
        )  # fmt: skip
        V = np.ascontiguousarray(walk.fit(graph.adjacency).embeddings_[: graph.n_labels])
        return whiten(V) if self.whiten else V

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return self._vote(self._embed(X), k)

    def _check_state(self) -> None:
        super()._check_state()
        width = self.embedded_.shape[1]
        self._require_shapes(b2_=(width,), label_embeddings_=(self.n_labels_, width))
