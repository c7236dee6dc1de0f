r"""Column subset selection: the compressed label space consists of labels, and the others are lifted from them."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.models.label_space import CodedLabelModel, LabelCode
from xmlwb.solvers.centred_labels import right_singular_vectors

#: Directions of the chosen columns whose eigenvalue is below this part of the largest count as linearly dependent.
RANK_TOL = 1e-10


class MLCSSP(CodedLabelModel):
    r"""Multi-label classification by column subset selection, ML-CSSP (Bi and Kwok 2013).

    Look for m columns C of the label matrix that span it nearly,

    .. math:: \min_{C} \; \lVert Y - C C^+ Y \rVert_F^2 ,

    by drawing labels with probability :math:`p_l = \tfrac1m \lVert V_{l \cdot} \rVert^2`, their leverage in the m
    leading right singular vectors V of Y, until m different ones are found. Regress the chosen labels alone, and lift:

    .. math:: W, b = \arg\min_{W, b} \lVert X W + \mathbf 1 b^\top - C \rVert_F^2 + \alpha \lVert W \rVert_F^2, \qquad
              s(x) = (C^+ Y)^\top (W^\top x + b)

    Parameters
    ----------
    n_components : int, default 100
        m (the paper's k), the number of labels that are regressed; 100 is the embedding's width in Zhang et al. (2018).
        No more are used than there are instances, or labels with a positive.
    alpha : float, default 1.0
        Weight of the ridge penalty, for rows of X of length one. The intercept is not penalised.
    n_jobs : int or None, default None
        Threads of the sparse products. The model does not depend on it.
    random_state : int or None, default 0
        Seed of the labels drawn.

    Attributes
    ----------
    chosen_ : ndarray, shape (m,), int32
        The labels that are regressed, ascending.
    W_ : ndarray, shape (d, m), float32
        Regressor from features to the chosen labels.
    H_ : ndarray, shape (L, m), float32
        The lift, :math:`(C^+ Y)^\top`; the identity in the rows of the chosen labels, if C has full rank.
    bias_ : ndarray, shape (L,), float32
        The lifted intercept; ``-inf`` for a label without a training positive.

    Notes
    -----
    The codes are labels, so the regression may be any classifier, and a code can be read. With all labels chosen it is
    plain ridge regression, also where the columns depend on each other: :math:`Y Y^+ Y = Y`.

    Train as `PLST` (it too cannot be stopped before it has the singular vectors), and C^+ Y by an eigendecomposition of
    C^T C: O(nnz(Y) m + m^3 + L m^2). Nothing in it costs more than linearly in L, so no number of labels is too large
    for it. What does not scale is what it can hold: a label that was not chosen is told only by the chosen labels it
    occurs with. On debdeps (21,705 labels, m = 100) P@1 is 52.0, where PLST has 60.8 and CPLST 62.1:
    ``benchmarks/label_space_scale.py --runs mlcssp:debdeps,plst:debdeps,cplst:debdeps``.

    ============== ================================ ================================= ==============================
    what           paper                            released code (mlc_lsdr, by the   here
                                                    authors of CPLST)
    ============== ================================ ================================= ==============================
    probabilities  leverage scores                  sums of the entries of V, signed  leverage scores
    drawing        until m different labels         without putting back              without putting back: the same
                                                                                      distribution
    lift           C^+ Y                            ridge, lambda = 1e-6              C^+ Y
    learner        any                              ridge, lambda = 0.1               ridge, alpha = 1
    ============== ================================ ================================= ==============================

    References
    ----------
    Bi and Kwok, "Efficient multi-label classification with many labels", ICML 2013. Other authors' code:
    github.com/hsuantien/mlc_lsdr.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]])
    >>> model = MLCSSP(n_components=2, alpha=0.01).fit(X, Y)
    >>> model.chosen_  # one of the last two labels tells the other
    array([0, 2], dtype=int32)
    >>> model.predict(X[:2])
    array([[1, 0, 0],
           [0, 1, 1]])
    """

    def _encode(self, Y: sparse.csr_array, m: int) -> LabelCode:
        seed = self._seed()
        V = right_singular_vectors(Y, m, centred=False, random_state=seed)
        candidates = np.flatnonzero(self.label_counts_) if self.label_counts_.any() else np.arange(len(V))
        self.chosen_ = candidates[draw_labels(V[candidates], m, seed)].astype(np.int32)
        columns = Y.tocsc()[:, self.chosen_]
        return LabelCode(columns.toarray().astype(np.float32), lift(columns, Y), np.zeros(Y.shape[1], dtype=np.float32))

    def _check_state(self) -> None:
        super()._check_state()
        self._require_shapes(chosen_=(self.H_.shape[1],))
        chosen = self.chosen_
        if chosen.dtype.kind not in "iu" or not np.all((chosen >= 0) & (chosen < self.n_labels_)):
            raise ValueError(f"chosen_ holds {chosen}; wanted label numbers below {self.n_labels_}")


def draw_labels(V: np.ndarray, m: int, seed: int) -> np.ndarray:
    """m different labels, drawn by their leverage in V, ascending.

    Parameters
    ----------
    V : ndarray, shape (L, r)
        Leading right singular vectors of the label matrix, as columns.
    m : int
    seed : int

    Returns
    -------
    ndarray, shape (m,)

    Notes
    -----
    Each draw is by leverage among the labels not drawn yet: drawing with replacement until m are different, as in the
    paper, has the same distribution. If fewer than m labels have any leverage, the rest are the lowest of the others.
    """
    leverage = np.sum(np.asarray(V, dtype=np.float64) ** 2, axis=1)
    leverage[leverage < RANK_TOL * leverage.max(initial=0)] = 0
    with_leverage = int(np.count_nonzero(leverage))
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(V), min(m, with_leverage), replace=False, p=leverage / leverage.sum())
    others = np.setdiff1d(np.arange(len(V)), drawn)[: m - len(drawn)]
    return np.sort(np.concatenate([drawn, others]))


def lift(columns: sparse.csc_array, Y: sparse.csr_array) -> np.ndarray:
    """``(C^+ Y)^T``, shape (L, m), float32: each label as the least-squares combination of the columns C (n, m)."""
    gram = (columns.T @ columns).toarray().astype(np.float64)
    values, vectors = np.linalg.eigh(gram)
    kept = values > RANK_TOL * max(values[-1], 1.0)
    inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
    return ((Y.T @ columns) @ inverse).astype(np.float32)
