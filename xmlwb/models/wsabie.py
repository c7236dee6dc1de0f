r"""Instances and labels embedded in one space by ranking: WSABIE and its WARP loss."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Reporter
from xmlwb.models.validation import check_number, check_seed
from xmlwb.solvers.topk import topk_factored
from xmlwb.solvers.warp import WarpDescent


class WSABIE(XMCModel):
    r"""A joint embedding of instances and labels that learns to rank, by the WARP loss (Weston et al. 2011).

    With the scores :math:`f_l(x) = (W^\top x)^\top h_l`,

    .. math:: \min_{W, H} \; \sum_{i=1}^{n} \sum_{p \in y_i} \Lambda\bigl(\operatorname{rank}_p(x_i)\bigr), \qquad
              \Lambda(r) = \sum_{j=1}^{r} \tfrac1j, \qquad
              \lVert w_j \rVert \le C, \; \lVert h_l \rVert \le C

    where :math:`\operatorname{rank}_p(x)` counts the negative labels q with :math:`1 + f_q(x) > f_p(x)`. Each step
    draws such a q, estimates the rank from the number N of draws as floor(negatives / N), and descends on
    :math:`\Lambda(\operatorname{rank}) \, (1 - f_p(x) + f_q(x))`.

    Parameters
    ----------
    n_components : int, default 100
        m, the dimension of the space (the paper: 100). It may be larger than n, d or L: nothing is factored.
    learning_rate : float, default 0.3
        Length of a row's first step; it falls linearly to 0.
    n_epochs : int, default 20
        Passes over the instances.
    max_norm : float, default 10.0
        C, the greatest length of a row of W and H.
    max_draws : int, default 1000
        Draws in search of a violator, at most; the positive then counts as ranked first. With fewer labels than this,
        the paper's own bound holds, as many draws as there are negatives.
    fit_intercept : bool, default True
        Whether instances have a constant feature 1, so that a label can be likely without any evidence. The paper's
        model has none; on delicious it is worth 3.8 points of P@1 (see the Notes).
    n_jobs : int or None, default None
        Threads of prediction; learning has one, and so does not depend on it.
    random_state : int or None, default 0
        Start, order of the instances, draws.

    Attributes
    ----------
    W_ : ndarray, shape (d, m), float32
        Embeddings of the features; 0 for one that no training instance has.
    H_ : ndarray, shape (L, m), float32
        Embeddings of the labels; 0 for one without training positives.
    bias_ : ndarray, shape (L,), float32
        What the constant feature adds to the labels' scores; ``-inf`` for a label without training positives.

    Notes
    -----
    One event an epoch: ``loss``, the sampled loss, and ``rank``, the estimated rank (how many negatives violate the
    margin), both before the step to which they lead, and averaged over the positives.

    Train O(epochs x m x (nnz(X) + draws)), with at most ``max_draws`` draws a positive and L scores an instance;
    predict, for an instance, O(m (nnz(x) + L)); size 4 m (d + L) bytes.

    ============== ============================= ======================= =======================================
    what           paper                         another's code          here
    ============== ============================= ======================= =======================================
    step           one positive of one instance  the same                all positives of an instance, at the
                                                                         same parameters: its embedding and each
                                                                         score are computed once
    drawn from     all labels but the positive   the same                labels with training positives, but
                                                                         none of the instance's own
    draws          up to the number of negatives the same                up to ``max_draws`` of these
    weight         Lambda(rank)                  Lambda(rank + 1)        Lambda(rank)
    step size      one, constant                 the same                AdaGrad, one number for each row; the
                                                                         rate falls to 0
    stop           when validation error does    a number of steps       after ``n_epochs``; `EarlyStopping` does
                   not improve                                           what the paper does
    start          all entries at random         not read                W = 0 (so that rare features add no
                                                                         noise), H normal with variance 1/m
    constant       none                          none                    a feature of value 1
    ============== ============================= ======================= =======================================

    The authors' own code is not known to be public; the other is ``wsabie_updates`` in the Galois project
    (``lonestar/experimental/leml/wsabie.cpp``).

    P@1/3/5 with the defaults: bibtex 62.3/38.5/28.7, delicious 69.2/62.9/58.0, on the first split, by
    ``benchmarks/label_space_scale.py --runs wsabie:bibtex,wsabie:delicious``; without the constant feature (``--param
    wsabie.fit_intercept=false``) 61.2/38.8/28.6 and 65.4/59.1/54.5. Zhang et al. (2018, table 2) print
    54.78/32.39/23.98 and 64.13/58.13/53.64 over ten splits.
    ``benchmarks/paper_tables.py --table dxml-2 --methods wsabie`` repeats all ten, with learning rate and
    number of epochs chosen on validation data.

    The same model in PyTorch, by mini-batches of 32 to 1,024 instances, took 1.5 to 4.3 times this one's processor time
    for an epoch of bibtex and 3.4 to 4.8 times for one of delicious, on a CPU; to the same precision it was slower on
    bibtex, and on delicious at twice the learning rate about as fast: ``benchmarks/wsabie_torch.py``.

    References
    ----------
    Weston, Bengio and Usunier, "WSABIE: scaling up to large vocabulary image annotation", IJCAI 2011.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]])
    >>> S = WSABIE(n_components=2, learning_rate=0.5).fit(X, Y).predict_topk(X, k=2)
    >>> (S.toarray() > 0).astype(int)
    array([[1, 0, 0],
           [0, 1, 1],
           [1, 0, 0],
           [0, 1, 1]])
    """

    stage = "epoch"

    def __init__(
        self,
        *,
        n_components: int = 100,
        learning_rate: float = 0.3,
        n_epochs: int = 20,
        max_norm: float = 10.0,
        max_draws: int = 1000,
        fit_intercept: bool = True,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.n_epochs = n_epochs
        self.max_norm = max_norm
        self.max_draws = max_draws
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs
        self.random_state = random_state

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """W and H, a step size for each of their rows, and what a pass notes for each label and instance."""
        return 4 * (d + L + 1) * (self.n_components + 1) + 32 * L + 8 * n

    def _check_params(self) -> None:
        check_number("n_components", self.n_components, low=1, integer=True)
        check_number("learning_rate", self.learning_rate, low=0, strict=True)
        check_number("n_epochs", self.n_epochs, low=1, integer=True)
        check_number("max_norm", self.max_norm, low=0, strict=True)
        check_number("max_draws", self.max_draws, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        d, L, m = X.shape[1], Y.shape[1], self.n_components
        seeds = check_random_state(self.random_state).randint(2**31, size=2)
        learned = self.label_counts_ > 0
        start = np.random.default_rng(seeds[0]).standard_normal((np.count_nonzero(learned), m), dtype=np.float32)
        self.H_ = np.zeros((L, m), dtype=np.float32)
        self.H_[learned] = start / np.float32(np.sqrt(m))
        W = np.zeros((d + 1, m), dtype=np.float32)  # the constant feature's row is the last
        self.W_ = W[:-1]
        descent = WarpDescent(
            X, Y, W, self.H_, constant=float(self.fit_intercept), max_norm=self.max_norm, max_draws=self.max_draws,
            seed=int(seeds[1]),
        )  # fmt: skip
        report.total = self.n_epochs
        for first_rate, last_rate in pairwise(np.linspace(self.learning_rate, 0, self.n_epochs + 1)):
            loss, rank = descent.run_epoch(first_rate, last_rate)
            self.bias_ = np.where(learned, self.H_ @ W[-1], np.float32(-np.inf))
            if report({"loss": loss, "rank": rank} | self._valid_figures(eval_set)):
                break

    def _check_state(self) -> None:
        super()._check_state()
        d, L, m = self.n_features_in_, self.n_labels_, self.n_components
        self._require_shapes(W_=(d, m), H_=(L, m), bias_=(L,))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return topk_factored(X, self.W_, self.H_, k, bias=self.bias_, n_jobs=self.n_jobs)
