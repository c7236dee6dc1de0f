"""Synthetic data with a known truth, from a few instances up to a million instances and a million labels."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Literal, overload

import numpy as np
from scipy.sparse import csr_array

from .card import Card
from .dataset import Dataset
from .propensity import propensity_of_counts

_DECAY = 0.5  # weight of a node's features in a label's prototype, for each level above the label
_INT32_MAX = int(np.iinfo(np.int32).max)


@dataclass(frozen=True, eq=False)
class SyntheticTruth:
    """What `make_synthetic` planted.

    Attributes
    ----------
    tree_parents : ndarray (n_nodes,) int64
        Parent of every node of the label tree; nodes 0..L-1 are the labels, the last node is the root (-1).
    label_weights : ndarray (L,) float64
        Probability of each label in one draw, sums to 1: rank^-zipf_exponent, ranks dealt at random.
    prototypes : csr_array (L, n_features) float32
        Features of each label: its own, and those of its ancestors but the root at half the weight a level.
    propensities : ndarray (L,) float64
        Probability that a true label was kept; ones without a loss.
    Y_train, Y_valid, Y_test : csr_array
        The complete labels; those of the data set lack what was lost. `Y_valid` is None without validation part.
    """

    tree_parents: np.ndarray
    label_weights: np.ndarray
    prototypes: csr_array
    propensities: np.ndarray
    Y_train: csr_array
    Y_valid: csr_array | None
    Y_test: csr_array

    def siblings(self, label: int) -> np.ndarray:
        """Labels with the same parent as `label`, itself included, ascending."""
        n_labels = len(self.label_weights)
        return np.flatnonzero(self.tree_parents[:n_labels] == self.tree_parents[label])


@overload
def make_synthetic(
    n: int = ...,
    L: int = ...,
    *,
    n_features: int = ...,
    labels_per_instance: float = ...,
    zipf_exponent: float = ...,
    tree_branching: int = ...,
    features_per_node: int = ...,
    correlation: float = ...,
    noise: float = ...,
    propensity_loss: tuple[float, float] | None = ...,
    valid_fraction: float = ...,
    test_fraction: float = ...,
    random_state: int | np.random.Generator | None = ...,
    return_truth: Literal[False] = ...,
) -> Dataset: ...


@overload
def make_synthetic(
    n: int = ...,
    L: int = ...,
    *,
    n_features: int = ...,
    labels_per_instance: float = ...,
    zipf_exponent: float = ...,
    tree_branching: int = ...,
    features_per_node: int = ...,
    correlation: float = ...,
    noise: float = ...,
    propensity_loss: tuple[float, float] | None = ...,
    valid_fraction: float = ...,
    test_fraction: float = ...,
    random_state: int | np.random.Generator | None = ...,
    return_truth: Literal[True],
) -> tuple[Dataset, SyntheticTruth]: ...


def make_synthetic(
    n: int = 5_000,
    L: int = 500,
    *,
    n_features: int = 5_000,
    labels_per_instance: float = 3.0,
    zipf_exponent: float = 1.0,
    tree_branching: int = 16,
    features_per_node: int = 4,
    correlation: float = 0.3,
    noise: float = 0.2,
    propensity_loss: tuple[float, float] | None = None,
    valid_fraction: float = 0.0,
    test_fraction: float = 0.25,
    random_state: int | np.random.Generator | None = 0,
    return_truth: bool = False,
) -> Dataset | tuple[Dataset, SyntheticTruth]:
    """Draw a data set whose labels follow a power law and are the leaves of a planted tree.

    An instance has 1 + Poisson(`labels_per_instance` - 1) labels. The first is drawn from the power law; each further
    one, with probability `correlation`, from the siblings of one it has, otherwise from the power law again. Both
    draws go by the labels' weights, so the marginals stay as they are, but for this: no label is drawn twice for one
    instance, which makes the head somewhat flatter, the more so the larger the exponent and the correlation; where
    siblings or head are used up, the next label is drawn from all that the instance lacks. The features are the sum of
    the labels' prototypes, entries moved to a random feature with probability `noise`, divided by its length.

    Parameters
    ----------
    n : instances of all parts together.
    L : labels; a million is fine.
    n_features : features; fewer than about `features_per_node` * L / 10 and labels begin to share them.
    labels_per_instance : mean number of true labels, at least 1. No instance has more than L, so that the mean falls
        short where it is near L; the card states the one reached in training.
    zipf_exponent : s of the weights rank^-s; 0 makes all labels alike.
    tree_branching : children of a node; labels are dealt to leaves at random.
    features_per_node : features that each node owns.
    correlation, noise : probabilities, see above.
    propensity_loss : (A, B) of Jain et al. (2016): each true label is lost with probability 1 - p_l, in all
        parts, p_l = 1 / (1 + C (N_l + B)^-A), C = (ln N - 1)(B + 1)^A, from the complete training labels, as
        `metrics.propensities` has it. None loses nothing.
    valid_fraction, test_fraction : shares of `n`, rounded; no validation part at 0.
    random_state : the same seed gives the same data.
    return_truth : also return what was planted.

    Returns
    -------
    Dataset, or (Dataset, SyntheticTruth) with `return_truth`.

    Raises
    ------
    ValueError
        Names the argument, what was found and what was wanted.

    Notes
    -----
    Time and memory O(n labels_per_instance depth features_per_node + L depth features_per_node), depth =
    log L / log tree_branching; never a dense n x L or L x L array. The propensity constants of the data set are
    `propensity_loss`, or the usual 0.55, 1.5.

    Examples
    --------
    >>> data, truth = make_synthetic(200, 20, n_features=100, propensity_loss=(0.55, 1.5), return_truth=True)
    >>> data.X_train.shape, data.Y_train.shape
    ((150, 100), (150, 20))
    >>> bool(truth.Y_train.nnz > data.Y_train.nnz)
    True
    """
    _check_count(n=n, L=L, n_features=n_features, features_per_node=features_per_node)
    _check_range(2, math.inf, tree_branching=tree_branching)
    _check_range(1, L, labels_per_instance=labels_per_instance)
    _check_range(0, 10, zipf_exponent=zipf_exponent)
    _check_range(0, 1, correlation=correlation, noise=noise, valid_fraction=valid_fraction, test_fraction=test_fraction)
    n_valid, n_test = round(n * valid_fraction), round(n * test_fraction)
    if n_valid + n_test >= n:
        raise ValueError(
            f"valid_fraction, test_fraction: {valid_fraction} and {test_fraction} leave none of {n} rows, wanted some"
        )
    if propensity_loss is not None and (len(propensity_loss) != 2 or min(propensity_loss) <= 0):
        raise ValueError(f"propensity_loss: found {propensity_loss}, wanted two positive numbers (A, B) or None")
    rng = np.random.default_rng(random_state)

    leaf = rng.permutation(L)  # place of each label among the tree's leaves
    ranks = rng.permutation(L) + 1.0
    weights = ranks**-zipf_exponent
    weights /= weights.sum()
    tree_parents, ancestors = _tree(leaf, L, tree_branching)
    prototypes = _prototypes(rng, ancestors, len(tree_parents), n_features, features_per_node)

    complete: list[csr_array] = []
    features: list[csr_array] = []
    for size in (n - n_valid - n_test, n_valid, n_test):
        Y = _labels(rng, size, weights, leaf, tree_branching, correlation, labels_per_instance)
        complete.append(Y)
        features.append(_features(rng, Y, prototypes, noise))
    propensities = np.ones(L)
    observed = complete
    if propensity_loss is not None:
        propensities = propensity_of_counts(
            np.bincount(complete[0].indices, minlength=L), complete[0].shape[0], *propensity_loss
        )
        observed = [_lose(rng, Y, propensities) for Y in complete]

    has_valid = n_valid > 0
    groups = [(f"group {group}",) for group in range(-(-L // tree_branching))]
    dataset = Dataset(
        name="synthetic",
        X_train=features[0],
        Y_train=observed[0],
        X_valid=features[1] if has_valid else None,
        Y_valid=observed[1] if has_valid else None,
        X_test=features[2],
        Y_test=observed[2],
        label_names=[f"label {label}" for label in range(L)],
        feature_names=[f"feature {feature}" for feature in range(n_features)],
        propensity_ab=propensity_loss or (0.55, 1.5),
        label_parents=[groups[group] for group in (leaf // tree_branching).tolist()],
        card=Card(
            title=f"Synthetic, {n:,} instances and {L:,} labels",
            source="Drawn by xmlwb.datasets.synthetic.make_synthetic; no real document behind it.",
            licence="None needed.",
            made=f"zipf_exponent={zipf_exponent}, labels_per_instance={labels_per_instance}, "
            f"tree_branching={tree_branching}, features_per_node={features_per_node}, correlation={correlation}, "
            f"noise={noise}, propensity_loss={propensity_loss}, random_state={random_state}. Reached in training: "
            f"mean number of true labels {complete[0].nnz / complete[0].shape[0]:.2f}, before any loss.",
            faults=("Features carry the labels' prototypes and nothing else: far easier than real text.",),
        ).with_figures(features[0], observed[0], observed[1] if has_valid else None, observed[2]),
    )
    if not return_truth:
        return dataset
    Y_valid = complete[1] if has_valid else None
    return dataset, SyntheticTruth(tree_parents, weights, prototypes, propensities, complete[0], Y_valid, complete[2])


def _check_count(**arguments: int) -> None:
    for name, value in arguments.items():
        if not isinstance(value, numbers.Integral) or value < 1:
            raise ValueError(f"{name}: found {value!r}, wanted a whole number of 1 or more")


def _check_range(low: float, high: float, **arguments: float) -> None:
    for name, value in arguments.items():
        if not low <= value <= high:
            raise ValueError(f"{name}: found {value!r}, wanted {low} to {high}")


def _tree(leaf: np.ndarray, L: int, branching: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """(parent of every node, [the labels themselves, their parents, ..., children of the root] as node numbers)."""
    parents = [np.empty(L, np.int64)]
    ancestors = [np.arange(L)]
    place, first, size = leaf, 0, L  # of the labels' ancestors at the level at hand
    while size > 1:
        above, next_first = -(-size // branching), first + size
        if first == 0:
            parents[0][:] = next_first + leaf // branching
        else:
            parents.append(next_first + np.arange(size) // branching)
        place, first, size = place // branching, next_first, above
        if size > 1:
            ancestors.append(first + place)
    if L == 1:
        return np.array([-1]), ancestors
    parents.append(np.array([-1]))
    return np.concatenate(parents), ancestors


def _prototypes(
    rng: np.random.Generator, ancestors: list[np.ndarray], n_nodes: int, n_features: int, per_node: int
) -> csr_array:
    owned = rng.integers(0, n_features, size=(n_nodes, per_node), dtype=np.int32)
    L, depth = len(ancestors[0]), len(ancestors)
    width = depth * per_node
    indices = np.empty((L, depth, per_node), np.int32)
    for level, nodes in enumerate(ancestors):
        indices[:, level] = owned[nodes]
    data = np.tile(np.repeat(np.float32(_DECAY) ** np.arange(depth, dtype=np.float32), per_node), L)
    index_type = np.int32 if L * width <= _INT32_MAX else np.int64
    indptr = np.arange(0, L * width + 1, width, dtype=index_type)
    prototypes = csr_array((data, indices.reshape(-1).astype(index_type), indptr), shape=(L, n_features))
    prototypes.sum_duplicates()
    return prototypes


def _labels(
    rng: np.random.Generator,
    n: int,
    weights: np.ndarray,
    leaf: np.ndarray,
    branching: int,
    correlation: float,
    mean: float,
) -> csr_array:
    from . import synthetic_kernel as kernel

    L = len(weights)
    wanted = np.minimum(1 + rng.poisson(mean - 1, size=n), L)
    label_at = np.empty(L, np.int64)
    label_at[leaf] = np.arange(L)
    room = int(wanted.sum())
    index_type = np.int32 if max(room, L) <= _INT32_MAX else np.int64
    indptr, indices = np.zeros(n + 1, index_type), np.empty(room, index_type)
    cumulative = np.cumsum(weights[label_at])
    count = kernel.draw_labels(rng, cumulative, label_at, branching, correlation, wanted, indptr, indices)
    indices.resize(count, refcheck=False)
    Y = csr_array((np.ones(count, np.float32), indices, indptr), shape=(n, L))
    Y.has_canonical_format = True
    return Y


def _features(rng: np.random.Generator, Y: csr_array, prototypes: csr_array, noise: float) -> csr_array:
    from . import synthetic_kernel as kernel

    n_features = prototypes.shape[1]
    room = int(np.diff(prototypes.indptr)[Y.indices].sum(dtype=np.int64))
    index_type = np.int32 if max(room, n_features) <= _INT32_MAX else np.int64
    indptr, indices = np.zeros(Y.shape[0] + 1, index_type), np.empty(room, index_type)
    data = np.empty(room, np.float32)
    source = (Y.indptr, Y.indices, prototypes.indptr, prototypes.indices, prototypes.data)
    count = kernel.draw_features(rng, *source, n_features, noise, indptr, indices, data)
    indices.resize(count, refcheck=False)
    data.resize(count, refcheck=False)
    X = csr_array((data, indices, indptr), shape=(Y.shape[0], n_features))
    X.has_canonical_format = True
    return X


def _lose(rng: np.random.Generator, Y: csr_array, propensities: np.ndarray) -> csr_array:
    kept = rng.random(Y.nnz) < propensities[Y.indices]
    before = np.concatenate([[0], np.cumsum(kept)])
    indptr = before[Y.indptr].astype(Y.indptr.dtype)
    Z = csr_array((Y.data[kept], Y.indices[kept], indptr), shape=Y.shape)
    Z.has_canonical_format = True
    return Z
