"""Chapter 04: three losses of one label, what a missing label does to each, and labels knocked out by propensity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.metrics import precision_at_k
from xmlwb.models import XMCModel
from xmlwb.tails import frequency_bins

Floats = NDArray[np.float64]
LossOf = Callable[[Floats], Floats]

#: name -> (loss of a score where the label is recorded, loss where it is not), as LEML defines them.
LOSSES: dict[str, tuple[LossOf, LossOf]] = {
    "squared": (lambda s: (1 - s) ** 2, lambda s: s**2),
    "logistic": (lambda s: np.logaddexp(0, -s), lambda s: np.logaddexp(0, s)),
    "squared_hinge": (lambda s: np.maximum(0, 1 - s) ** 2, lambda s: np.maximum(0, 1 + s) ** 2),
}


def expected_loss(loss: str, scores: Floats, recorded: float) -> Floats:
    """Mean loss of a score where the label is recorded with the probability ``recorded``, and absent otherwise.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    if loss not in LOSSES:
        raise ValueError(f"loss: found {loss!r}, wanted one of {list(LOSSES)}")
    present, absent = LOSSES[loss]
    return recorded * present(scores) + (1 - recorded) * absent(scores)


def best_score(loss: str, recorded: float) -> float:
    """The score of least expected loss, in closed form.

    q for the squared loss, ln(q / (1 - q)) for the logistic one (infinite at 0 and 1), 2 q - 1 for the squared hinge.

    >>> best_score("squared", 0.4), round(best_score("squared_hinge", 0.4), 6)
    (0.4, -0.2)
    """
    if loss == "squared":
        return recorded
    if loss == "squared_hinge":
        return 2 * recorded - 1
    if loss == "logistic":
        with np.errstate(divide="ignore"):
            return float(np.log(recorded) - np.log1p(-recorded))
    raise ValueError(f"loss: found {loss!r}, wanted one of {list(LOSSES)}")


def knock_out(Y: csr_array, kept: np.ndarray, *, random_state: int = 0) -> csr_array:
    """Y after each 1 of label l has survived a throw with the chance ``kept[l]``; the others read 0.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    kept : ndarray, shape (L,)
        Probabilities. The same seed uses the same throws, so that what a smaller chance keeps a larger one keeps too.

    Raises
    ------
    ValueError
        If ``kept`` has not one probability for each label.
    """
    if kept.shape != (Y.shape[1],) or not ((kept >= 0) & (kept <= 1)).all():
        raise ValueError(f"kept: found shape {kept.shape}, wanted {Y.shape[1]} probabilities, one for each label")
    survived = np.random.default_rng(random_state).random(Y.nnz) < kept[Y.indices]
    rows = np.repeat(np.arange(Y.shape[0]), np.diff(Y.indptr))[survived]
    ones = np.ones(len(rows), dtype=np.float32)
    return csr_array((ones, (rows, Y.indices[survived])), shape=Y.shape)


@threadpool_limits.wrap(limits=1, user_api="blas")  # the products are small: more threads only wait for each other
def knock_out_study(
    X: csr_array,
    Y: csr_array,
    valid: tuple[csr_array, csr_array],
    test: tuple[csr_array, csr_array],
    propensity: np.ndarray,
    models: Mapping[str, tuple[Callable[[float], XMCModel], Sequence[float]]],
    strengths: Sequence[float],
    *,
    n_documents: int,
    throws: int = 3,
    k: int = 5,
) -> pd.DataFrame:
    """Fit each model on labels knocked out with propensities ``p ** strength``; score it on labels left whole.

    Parameters
    ----------
    X, Y : csr_array, shapes (n, d) and (n, L)
        Training data; its 1s are knocked out, each label l's with the chance ``1 - propensity[l] ** strength``.
    valid, test : (X, Y)
        Documents whose labels stay as they are: the first choose alpha, by P@3, the others give the figures.
    propensity : ndarray, shape (L,)
    models : mapping of str to (callable, alphas)
        Makes an unfitted model with the given alpha; the values to choose from, for each strength anew, on the first
        throw.
    strengths : sequence of float
        0 knocks out nothing, 1 follows the propensities.
    n_documents : int
        Training documents of a throw; each throw draws others, and knocks out anew.
    throws : int
    k : int
        Predictions that count for the recalls.

    Returns
    -------
    DataFrame
        One row for each model, strength and throw: "model", "strength", "throw", "alpha", "lost" (share of all 1s),
        "lost of the tail", "P@1", and recall@k by frequency bin of all of Y: "head", "torso", "tail".
    """
    tail = (frequency_bins(Y)["bin"] == "tail").to_numpy()
    rows, chosen = [], {}
    for throw in range(throws):
        drawn = np.sort(np.random.default_rng(throw).permutation(Y.shape[0])[:n_documents])
        X_part, Y_part = X[drawn], Y[drawn]
        for strength in strengths:
            left = knock_out(Y_part, propensity**strength, random_state=throw)
            for name, (make, alphas) in models.items():
                key = name, strength
                if throw == 0:
                    tried = {alpha: make(alpha).fit(X_part, left) for alpha in alphas}
                    quality = {
                        alpha: precision_at_k(valid[1], m.predict_topk(valid[0], k=3), 3)[2]
                        for alpha, m in tried.items()
                    }
                    chosen[key] = max(quality, key=quality.__getitem__)
                    model = tried[chosen[key]]
                else:
                    model = make(chosen[key]).fit(X_part, left)
                S = model.predict_topk(test[0], k=k)
                rows.append(
                    {
                        "model": name,
                        "strength": strength,
                        "throw": throw,
                        "alpha": chosen[key],
                        "lost": 1 - left.nnz / Y_part.nnz,
                        "lost of the tail": 1 - left[:, tail].nnz / Y_part[:, tail].nnz,
                        "P@1": precision_at_k(test[1], S, 1)[0],
                        **recall_by_bin(Y, test[1], S, k),
                    }
                )
    return pd.DataFrame(rows)


def observed_entries(Y: csr_array, share: float, *, random_state: int = 0) -> tuple[csr_array, csr_array]:
    """Observe a random share of *all* entries of Y, as LEML's paper does: the mask, and what is left of Y under it.

    Parameters
    ----------
    Y : csr_array, shape (n, L)
    share : float in (0, 1]

    Returns
    -------
    observed, left : csr_array, shape (n, L)
        0/1 mask with ``share * n * L`` entries, and the 1s of Y inside it. The mask is made by n * L throws,
        held all at once: a teaching demo, not for a large L.
    """
    seen = np.random.default_rng(random_state).random(Y.shape) < share
    observed = csr_array(seen.astype(np.float32))
    return observed, csr_array(Y.multiply(observed))
