r"""One low-rank matrix for all labels, learned from the entries that are known."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from xmlwb.models.base import EvalSet, XMCModel
from xmlwb.models.callbacks import Callback, Reporter
from xmlwb.models.validation import check_choice, check_number, check_seed
from xmlwb.solvers.factored_loss import LOSSES, DenseLoss, FactoredLoss, ObservedLoss, SquaredLoss, gram
from xmlwb.solvers.half_step import Features, Identity, half_step, penalty
from xmlwb.solvers.sparse_dense import times_dense, transposed
from xmlwb.solvers.topk import topk_factored


class LEML(XMCModel):
    r"""Low-rank empirical risk minimisation for multi-label learning.

    .. math:: \min_{W, H} \sum_{(i,j) \in \Omega} \ell(Y_{ij},\, x_i^\top W h_j)
              + \frac{\lambda}{2} \left( \lVert W \rVert_F^2 + \lVert H \rVert_F^2 \right)

    W is (d, k), H is (L, k): k numbers of an instance decide on all labels. The penalty is the trace norm of
    :math:`W H^\top` in its factored form. :math:`\Omega` is the set of observed entries of Y: all of them, unless `fit`
    is told otherwise.

    Parameters
    ----------
    n_components : int, default 100
        k, the rank; at most min(d + 1, L) are used. 100 is the embedding's width in Zhang et al. (2018).
    loss : {"squared", "logistic", "squared_hinge"}, default "squared"
        l: (y - z)^2 with y in {0, 1}; log(1 + exp(-y z)) or max(0, 1 - y z)^2 with y in {-1, +1}. The paper's three.
    alpha : float, default 5.0
        Lambda; the paper chooses it on validation data. With rows of unit length, validation liked 3 to 10 on bibtex,
        delicious, debtags and EURLEX57K, 20 on debdeps.
    n_iter : int, default 3
        Rounds of a W step and an H step. Precision on new instances peaks after a few and then falls: stopping early
        is part of the regularisation, so choose it with alpha. The other two losses start further from their optimum
        and want more: 8 where 3 do for the squared loss.
    cg_steps : int, default 5
        Conjugate-gradient steps in a half step, at most.
    n_jobs : int or None, default None
        Threads of the sparse products; the model does not depend on it.
    random_state : int or None, default 0
        The first H.

    Attributes
    ----------
    W_ : ndarray, shape (d, k), float32
    H_ : ndarray, shape (L, k), float32
        Label embeddings.
    bias_ : ndarray, shape (L,), float32
        ``H_ @ w_0`` for the weights w_0 of the constant feature; ``-inf`` for a label without a training positive.
    objectives_ : ndarray, shape (1 + half steps,), float64
        The objective at the start and after each half step; it never rises
        by more than float32 rounds.

    Notes
    -----
    With H fixed this is a regression on k targets, with W fixed one on k features for each label, so the two take
    turns. No n x L array: with the squared loss the absent labels enter through the k x k matrices W^T X^T X W and
    H^T H (an H step solves one k x k system, exactly); the Hessian is never formed, only multiplied with. Other losses
    over all entries compute the scores batch by batch, and over given entries one by one.

    A half step takes the direction that a few conjugate-gradient steps on the Newton equations give, and halves it
    until the objective falls. Then W and H are balanced: the same W H^T with the smallest penalty, which is its trace
    norm, and with H^T H diagonal, which makes the diagonal preconditioner sharp.

    Train, a round: O((nnz(X) + nnz(Y)) k + (n + d + L) k^2) times `cg_steps` for the squared loss,
    O((nnz(X) + n L) k) for another one over all entries, O((nnz(X) + nnz(Omega)) k) over given ones. Predict O(nnz(x) k
    + L k). Size 4 k (d + L) bytes.

    ============ =============================== ============================== ==================================
    what         paper                           C++ in the Galois project      here
    ============ =============================== ============================== ==================================
    W step       conjugate gradients; trust      the same, 20 steps             one Newton direction by 5
                 region Newton for the others                                   preconditioned steps, backtracking
    H step       k x k system for each label     written, but commented out     the same; for other losses and for
                                                                                given entries as the W step
    balance      -                               -                              after each W step
    first H      not read                        uniform in [0, 1]              orthonormal, in the range of Y^T X
    constant     -                               -                              one constant feature, penalised
    lambda       by validation                   0.1                            5; by validation
    ============ =============================== ============================== ==================================

    The authors' own code was not to be had; what Galois holds in ``lonestar/experimental/leml`` looks like it, changed.

    References
    ----------
    Yu, Jain, Kar and Dhillon, "Large-scale multi-label learning with missing labels", ICML 2014.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> X = np.eye(4, dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]])
    >>> model = LEML(n_components=3, alpha=0.01).fit(X, Y)
    >>> model.predict(X)
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 0, 1],
           [0, 1, 0]])
    >>> model.objectives_[[0, 1, 2, 3, 4]].round(4)
    array([4.015 , 0.0288, 0.0288, 0.0275, 0.0275])
    """

    stage = "half step"

    def __init__(
        self,
        *,
        n_components: int = 100,
        loss: str = "squared",
        alpha: float = 5.0,
        n_iter: int = 3,
        cg_steps: int = 5,
        n_jobs: int | None = None,
        random_state: int | None = 0,
    ) -> None:
        self.n_components = n_components
        self.loss = loss
        self.alpha = alpha
        self.n_iter = n_iter
        self.cg_steps = cg_steps
        self.n_jobs = n_jobs
        self.random_state = random_state

    @property
    def decision_threshold(self) -> float:  # type: ignore[override]
        """Half-way between absent and present: 1/2 for labels read as 0/1, 0 for -1/+1."""
        return 0.5 if self.loss == "squared" else 0.0

    def fit(
        self,
        X: Any,
        Y: Any,
        *,
        observed: Any = None,
        eval_set: EvalSet | None = None,
        callback: Callback | None = None,
    ) -> Self:
        """Learn from instances and the labels that are known of them.

        Parameters
        ----------
        X, Y, eval_set, callback
            As in every method, see `XMCModel.fit`.
        observed : sparse or dense 0/1, shape (n, L), optional
            Omega: 1 where Y is known, present or absent. It must hold every 1 of Y. None: all of Y is known.

        Raises
        ------
        ValueError
            Also if `observed` has another shape than Y, is not 0/1, or leaves out a 1 of Y.
        """
        self._observed = observed
        try:
            return super().fit(X, Y, eval_set=eval_set, callback=callback)
        finally:
            del self._observed

    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """X transposed, the (n, k), (d, k) and (L, k) arrays of a half step, and a batch of scores if there are any.

        Y and `observed` are left out.
        """
        k = min(self.n_components, d + 1, L)
        scores = 0 if self.loss == "squared" else 16 * min(n * L, 1 << 21)
        return 8 * nnz + 4 * k * (6 * n + 8 * d + 6 * L) + scores

    def _check_params(self) -> None:
        check_number("n_components", self.n_components, low=1, integer=True)
        check_choice("loss", self.loss, tuple(LOSSES))
        check_number("alpha", self.alpha, low=float(np.finfo(np.float32).tiny))
        check_number("n_iter", self.n_iter, low=1, integer=True)
        check_number("cg_steps", self.cg_steps, low=1, integer=True)
        check_seed(self.random_state)

    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        of_codes, of_embeddings = self._losses(Y)
        features = Features(X, self.n_jobs)
        move = partial(half_step, alpha=self.alpha, cg_steps=self.cg_steps)
        H = self._first_embeddings(features, Y)
        W = np.zeros((features.n_weights, H.shape[1]), dtype=np.float32)
        A = np.zeros((X.shape[0], H.shape[1]), dtype=np.float32)
        lost = of_codes.given(H).value(A)
        objectives = [lost + penalty(W, self.alpha) + penalty(H, self.alpha)]
        report.total = 2 * self.n_iter
        for step in range(2 * self.n_iter):
            if step % 2 == 0:
                W, A, lost = move(of_codes, features, W, A, H)
                W, A, H = _balanced(W, A, H)
            elif isinstance(of_embeddings, SquaredLoss):
                of_H = of_embeddings.given(A)
                H = of_H.minimiser(self.alpha)
                lost = of_H.value(H)
            else:
                H, _, lost = move(of_embeddings, Identity(len(H)), H, H, A)
            objectives.append(lost + penalty(W, self.alpha) + penalty(H, self.alpha))
            self._keep(W, H, objectives)
            if report({"objective": objectives[-1], **self._valid_figures(eval_set)}):
                break

    def _losses(self, Y: sparse.csr_array) -> tuple[FactoredLoss, ...]:
        """The loss as a function of the instances' codes and as one of the label embeddings."""
        if self._observed is not None:
            known = _known_entries(self._observed, Y)
            return tuple(ObservedLoss(part, self.loss, n_jobs=self.n_jobs) for part in (known, transposed(known)))
        if self.loss == "squared":
            return tuple(SquaredLoss(part, n_jobs=self.n_jobs) for part in (Y, transposed(Y)))
        return tuple(DenseLoss(part, self.loss) for part in (Y, transposed(Y)))

    def _first_embeddings(self, features: Features, Y: sparse.csr_array) -> np.ndarray:
        """An orthonormal basis of Y^T X times a random matrix: directions of the labels that X can tell apart."""
        k = min(self.n_components, features.n_weights, Y.shape[1])
        rng = check_random_state(self.random_state)
        codes = features.times(rng.standard_normal((features.n_weights, k)).astype(np.float32))
        H = times_dense(transposed(Y), codes, n_jobs=self.n_jobs)
        return H @ _square_root(gram(H))[1].astype(np.float32)

    def _keep(self, W: np.ndarray, H: np.ndarray, objectives: list[float]) -> None:
        self.W_, self.H_ = np.ascontiguousarray(W[:-1]), np.ascontiguousarray(H)
        self.bias_ = np.where(self.label_counts_ > 0, H @ W[-1], -np.inf).astype(np.float32)
        self.objectives_ = np.array(objectives)

    def _check_state(self) -> None:
        super()._check_state()
        k = self.W_.shape[-1]
        self._require_shapes(W_=(self.n_features_in_, k), H_=(self.n_labels_, k), bias_=(self.n_labels_,))

    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        return topk_factored(X, self.W_, self.H_, k, bias=self.bias_, n_jobs=self.n_jobs)


def _balanced(W: np.ndarray, A: np.ndarray, H: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same W H^T with the smallest penalty, its trace norm: W^T W = H^T H = the diagonal of its singular values.

    Only k x k matrices are decomposed. A is X W, and is turned with it.
    """
    to_W, back_W = _square_root(gram(W))
    to_H, back_H = _square_root(gram(H))
    U, singular, Vt = np.linalg.svd(to_W @ to_H.T)
    turn = (back_W @ U * np.sqrt(singular)).astype(np.float32)
    return W @ turn, A @ turn, H @ (back_H @ Vt.T * np.sqrt(singular)).astype(np.float32)


def _square_root(gram_matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R with R^T R = the matrix, and R's pseudo-inverse."""
    values, vectors = np.linalg.eigh(gram_matrix)
    roots = np.sqrt(np.maximum(values, 0))
    inverse = np.divide(1, roots, out=np.zeros_like(roots), where=values > 1e-12 * values[-1])
    return roots[:, None] * vectors.T, vectors * inverse


def _known_entries(observed: Any, Y: sparse.csr_array) -> sparse.csr_array:
    """Omega with the values of Y: a stored 0 is an observed absence."""
    shape = observed.shape if sparse.issparse(observed) else np.shape(observed)
    if shape != Y.shape:
        raise ValueError(f"observed has shape {shape}; wanted {Y.shape} as Y")
    known = sparse.csr_array(observed, copy=True)
    known.sum_duplicates()
    known.eliminate_zeros()
    if not np.isin(known.data, 1).all():
        raise ValueError(f"observed holds {known.data[known.data != 1][0]}; wanted only 0 and 1")
    n_outside = Y.nnz - known.multiply(Y).nnz
    if n_outside:
        raise ValueError(f"observed leaves out {n_outside} of the {Y.nnz} ones of Y; wanted all of them in it")
    # Y + observed holds 2 at the ones of Y and 1 at the absences.
    entries = sparse.csr_array(Y + known.astype(np.float32))
    entries.data -= 1
    return entries
