r"""Truncated SVD of the label matrix: the plainest linear label space, and the one the others vary."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.models.label_space import CodedLabelModel, LabelCode
from xmlwb.solvers.centred_labels import right_singular_vectors
from xmlwb.solvers.sparse_dense import times_dense


class SVDLabels(CodedLabelModel):
    r"""Ridge regression onto the leading right singular vectors of the label matrix, as it stands.

    .. math:: V = \arg\min_{V^\top V = I} \lVert Y - Y V V^\top \rVert_F^2, \qquad
              W, b = \arg\min_{W, b} \lVert X W + \mathbf 1 b^\top - Y V \rVert_F^2 + \alpha \lVert W \rVert_F^2

    and an instance's labels are ranked by :math:`V (W^\top x + b)`.

    Parameters
    ----------
    n_components : int, default 100
        m, the dimension of the compressed label space; 100 is the embedding's width in Zhang et al. (2018). No more
        are used than there are instances, or labels with a positive.
    alpha : float, default 1.0
        Weight of the ridge penalty, for rows of X of length one. The intercept is not penalised.
    n_jobs : int or None, default None
        Threads of the sparse products. The model does not depend on it.
    random_state : int or None, default 0
        Seed of the Lanczos iteration's first vector.

    Attributes
    ----------
    W_ : ndarray, shape (d, m), float32
        Regressor from features to codes.
    H_ : ndarray, shape (L, m), float32
        V, orthonormal columns, the largest entry of each positive.
    bias_ : ndarray, shape (L,), float32
        V b; ``-inf`` for a label without a training positive.

    Notes
    -----
    Without centring the first direction is spent on the mean label vector, which `PLST` keeps for free; with all
    directions the two are the same ridge regression.

    Train: the SVD, O((nnz(Y) + (n + L) m) m) a Lanczos restart, then one ridge regression of m targets, by Cholesky
    (O(d^3 + d^2 m)) up to 4,096 features and by conjugate gradients (O(nnz(X) m) a step) beyond. Predict, for an
    instance, O(nnz(x) m + L m); size 4 m (d + L) bytes. A fit cannot be stopped before it has the singular vectors.

    ================ ===================================== ============= =====================================
    what             paper (Tai and Lin 2012)              released code here
    ================ ===================================== ============= =====================================
    centring         PLST is the centred form              none known    none; see `PLST`
    regression       any                                                 ridge, intercept not penalised
    ================ ===================================== ============= =====================================

    References
    ----------
    Tai and Lin, "Multilabel classification with principal label space transformation", Neural Computation 24(9), 2012.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]])  # the last two labels share one direction
    >>> model = SVDLabels(n_components=2, alpha=0.01).fit(X, Y)
    >>> model.H_.round(3) + 0.0
    array([[0.   , 1.   ],
           [0.707, 0.   ],
           [0.707, 0.   ]], dtype=float32)
    >>> model.predict(X[:2])
    array([[1, 0, 0],
           [0, 1, 1]])
    """

    def _encode(self, Y: sparse.csr_array, m: int) -> LabelCode:
        V = right_singular_vectors(Y, m, centred=False, random_state=self._seed()).astype(np.float32)
        return LabelCode(times_dense(Y, V, n_jobs=self.n_jobs), V, np.zeros(Y.shape[1], dtype=np.float32))
