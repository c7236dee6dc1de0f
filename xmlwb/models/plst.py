r"""Principal label space transformation: principal component analysis of the label vectors, then ridge regression."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from xmlwb.models.label_space import CodedLabelModel, LabelCode
from xmlwb.solvers.centred_labels import CentredLabels, right_singular_vectors


class PLST(CodedLabelModel):
    r"""Principal label space transformation (Tai and Lin 2012).

    With the centred label matrix :math:`Y_c = Y - \mathbf 1 \bar y^\top`,

    .. math:: V = \arg\min_{V^\top V = I} \lVert Y_c - Y_c V V^\top \rVert_F^2, \qquad
              W, b = \arg\min_{W, b} \lVert X W + \mathbf 1 b^\top - Y_c V \rVert_F^2 + \alpha \lVert W \rVert_F^2

    and an instance's labels are ranked by :math:`V (W^\top x + b) + \bar y`: in the paper's picture, label vectors are
    corners of a hypercube, V spans the flat through their mean that lies nearest to them, and decoding rounds a point
    of the flat to a corner.

    Parameters
    ----------
    n_components : int, default 100
        m (the paper's M), the dimension of the compressed label space; 100 is the embedding's width in Zhang et al.
        (2018). No more are used than there are instances, or labels with a positive.
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
        V b plus the mean label vector; ``-inf`` for a label without a training positive.

    Notes
    -----
    Y is centred implicitly: it stays sparse. ``predict`` rounds at 1/2 as the paper does; `predict_topk` ranks by the
    values before they are rounded.

    Train: the SVD, O((nnz(Y) + (n + L) m) m) a Lanczos restart, then one ridge regression of m targets, by Cholesky
    (O(d^3 + d^2 m)) up to 4,096 features and by conjugate gradients (O(nnz(X) m) a step) beyond. Predict, for an
    instance, O(nnz(x) m + L m); size 4 m (d + L) bytes. A fit cannot be stopped before it has the singular vectors.

    ============== ============================ ============================== ================================
    what           paper (abstract)             released code (mlc_lsdr)       here
    ============== ============================ ============================== ================================
    labels         hypercube view               -1 and 1                       0 and 1; the directions are the
                                                                               same, alpha's scale is not
    SVD            "the key step"               dense                          Lanczos on the sparse Y
    regression     any ("regression")           ridge, lambda = 0.1, the       ridge, alpha = 1, the constant
                                                constant's weight included     is not penalised
    decoding       not in the abstract          sign                           round at 1/2; ranked by value
    ============== ============================ ============================== ================================

    References
    ----------
    Tai and Lin, "Multilabel classification with principal label space transformation", Neural Computation 24(9), 2012;
    code at github.com/hsuantien/mlc_lsdr.
    Zhang et al., "Deep extreme multi-label learning", ICMR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.array([[1, 0], [0, 1], [1, 0], [0, 1]], dtype=np.float32)
    >>> Y = np.array([[1, 0, 0], [0, 1, 1], [1, 0, 0], [0, 1, 1]])  # one direction tells all the label vectors apart
    >>> model = PLST(n_components=1, alpha=0.01).fit(X, Y)
    >>> model.predict(X[:2])
    array([[1, 0, 0],
           [0, 1, 1]])
    """

    def _encode(self, Y: sparse.csr_array, m: int) -> LabelCode:
        labels = CentredLabels(Y, n_jobs=self.n_jobs)
        V = right_singular_vectors(Y, m, centred=True, random_state=self._seed()).astype(np.float32)
        return LabelCode(labels.times(V), V, labels.mean.astype(np.float32))
