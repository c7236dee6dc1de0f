"""A data set in memory: sparse features and labels of three splits, with names, texts and a card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array

from .card import Card
from .text import TextFeatures

SplitName = Literal["train", "valid", "test"]


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A multi-label data set. Every X is csr_array (n, d) float32, every Y csr_array (n, L) float32 of zeros and ones.

    Attributes
    ----------
    name : str
    X_train, Y_train, X_test, Y_test : csr_array
    X_valid, Y_valid : csr_array or None
        Both or neither; :meth:`with_valid` holds out training rows where there are none.
    label_names : list of str, length L
    feature_names : list of str, length d
    propensity_ab : (float, float)
        A and B of the propensity model of Jain et al. (2016) for this data set.
    card : Card
        Source, licence, figures and known faults.
    texts_train, texts_valid, texts_test : list of str or None
    ids_train, ids_valid, ids_test : list of str or None
        What each document is called at its source (debtags and debdeps: the package's name).
    sources_train, sources_valid, sources_test : list of str or None
        What each document comes from (debtags and debdeps: its source package). Documents of one source share their
        text, so they are no independent observations: `groups` of `xmlwb.significance`.
    label_texts : list of str or None, length L
        A text that describes each label.
    label_parents : list of tuples of str or None, length L
        Names of each label's parents in a given hierarchy.
    texts_unlabelled, ids_unlabelled, X_unlabelled
        Documents that nobody has labelled, where the data set has such.
    text_features : TextFeatures or None
        The fitted features that made X of the texts; ``text_features.transform([...])`` does it for a new text.

    Raises
    ------
    ValueError, TypeError
        On construction, if shapes or lengths do not fit each other; the error names the field.
    """

    name: str
    X_train: csr_array
    Y_train: csr_array
    X_valid: csr_array | None
    Y_valid: csr_array | None
    X_test: csr_array
    Y_test: csr_array
    label_names: list[str]
    feature_names: list[str]
    propensity_ab: tuple[float, float]
    card: Card
    texts_train: list[str] | None = None
    texts_valid: list[str] | None = None
    texts_test: list[str] | None = None
    label_texts: list[str] | None = None
    label_parents: list[tuple[str, ...]] | None = None
    texts_unlabelled: list[str] | None = None
    X_unlabelled: csr_array | None = None
    ids_train: list[str] | None = None
    ids_valid: list[str] | None = None
    ids_test: list[str] | None = None
    ids_unlabelled: list[str] | None = None
    sources_train: list[str] | None = None
    sources_valid: list[str] | None = None
    sources_test: list[str] | None = None
    text_features: TextFeatures | None = None

    def __post_init__(self) -> None:
        d, L = len(self.feature_names), len(self.label_names)
        if (self.X_valid is None) != (self.Y_valid is None):
            raise ValueError("X_valid, Y_valid: wanted both or neither, found one of them")
        for split in ("train", "valid", "test"):
            X, Y = getattr(self, f"X_{split}"), getattr(self, f"Y_{split}")
            if X is None and split == "valid":
                continue
            _check_matrix(f"X_{split}", X, d, "feature names")
            _check_matrix(f"Y_{split}", Y, L, "label names")
            if X.shape[0] != Y.shape[0]:
                raise ValueError(f"Y_{split}: wanted {X.shape[0]} rows, as many as X_{split}, found {Y.shape[0]}")
            if Y.nnz and not (Y.data == 1).all():
                raise ValueError(f"Y_{split}: wanted zeros and ones, found {Y.data[Y.data != 1][0]}")
            for field in (f"texts_{split}", f"ids_{split}", f"sources_{split}"):
                _check_length(field, getattr(self, field), X.shape[0], f"one a row of X_{split}")
        for field in ("label_texts", "label_parents"):
            _check_length(field, getattr(self, field), L, "one a label name")
        if self.X_unlabelled is not None:
            _check_matrix("X_unlabelled", self.X_unlabelled, d, "feature names")
            for field in ("texts_unlabelled", "ids_unlabelled"):
                _check_length(field, getattr(self, field), self.X_unlabelled.shape[0], "one a row of X_unlabelled")
        A, B = self.propensity_ab
        if not (A > 0 and B > 0):
            raise ValueError(f"propensity_ab: wanted two positive numbers, found {self.propensity_ab}")

    @property
    def n_train(self) -> int:
        """Number of training documents."""
        return int(self.X_train.shape[0])

    @property
    def n_features(self) -> int:
        """d, the number of features."""
        return len(self.feature_names)

    @property
    def n_labels(self) -> int:
        """L, the number of labels."""
        return len(self.label_names)

    def __repr__(self) -> str:
        n_valid = 0 if self.X_valid is None else self.X_valid.shape[0]
        return (
            f"Dataset({self.name!r}: {self.n_train:,} train + {n_valid:,} valid + {self.X_test.shape[0]:,} test "
            f"documents, {self.n_features:,} features, {self.n_labels:,} labels)"
        )

    def labels_of(self, split: SplitName, i: int) -> list[str]:
        """Names of the labels of document ``i`` of a split, in label order."""
        Y = self._rows("Y", split, i)
        return [self.label_names[label] for label in np.sort(Y.indices[Y.indptr[i] : Y.indptr[i + 1]])]

    def terms_of(self, split: SplitName, i: int, top: int = 10) -> list[tuple[str, float]]:
        """The ``top`` features of document ``i`` of a split by weight, heaviest first: (name, weight) pairs."""
        X = self._rows("X", split, i)
        columns, weights = X.indices[X.indptr[i] : X.indptr[i + 1]], X.data[X.indptr[i] : X.indptr[i + 1]]
        order = np.lexsort((columns, -weights))[:top]
        return [(self.feature_names[columns[j]], float(weights[j])) for j in order]

    def with_valid(self, fraction: float = 0.1, random_state: int | np.random.Generator | None = 0) -> Dataset:
        """A data set whose validation rows are a random ``fraction`` of this one's training rows.

        Raises
        ------
        ValueError
            If there are validation rows already, or if ``fraction`` leaves no row on one side.
        """
        if self.X_valid is not None:
            raise ValueError(f"{self.name} has {self.X_valid.shape[0]} validation documents already")
        n = self.n_train
        n_valid = round(n * fraction) if 0 < fraction < 1 else 0
        if not 0 < n_valid < n:
            raise ValueError(f"fraction: wanted a share of {n} rows that leaves both parts some, found {fraction}")
        order = np.random.default_rng(random_state).permutation(n)
        valid, train = np.sort(order[:n_valid]), np.sort(order[n_valid:])
        changed: dict[str, Any] = {}
        for field in ("X", "Y", "texts", "ids", "sources"):
            whole = getattr(self, f"{field}_train")
            for split, rows in (("train", train), ("valid", valid)):
                kept = [whole[i] for i in rows] if isinstance(whole, list) else whole
                changed[f"{field}_{split}"] = whole[rows] if isinstance(whole, csr_array) else kept
        card = self.card.with_figures(changed["X_train"], changed["Y_train"], changed["Y_valid"], self.Y_test)
        return replace(self, card=card, **changed)

    def _rows(self, kind: str, split: str, i: int) -> csr_array:
        matrix = getattr(self, f"{kind}_{split}", None) if split in ("train", "valid", "test") else None
        if matrix is None:
            raise ValueError(f"split: wanted one that {self.name} has of train, valid, test, found {split!r}")
        if not 0 <= i < matrix.shape[0]:
            raise IndexError(f"i: wanted 0 to {matrix.shape[0] - 1}, found {i}")
        return matrix


def _check_matrix(field: str, matrix: object, width: int, names: str) -> None:
    if not isinstance(matrix, csr_array):
        raise TypeError(f"{field}: wanted a scipy.sparse.csr_array, found {type(matrix).__name__}")
    if matrix.shape[1] != width:
        raise ValueError(f"{field}: wanted {width} columns, one for each of the {names}, found {matrix.shape[1]}")
    if matrix.dtype != np.float32:
        raise TypeError(f"{field}: wanted float32, found {matrix.dtype}")
    if not matrix.has_canonical_format:
        raise ValueError(f"{field}: wanted sorted rows without duplicates; {field}.sum_duplicates() makes them so")


def _check_length(field: str, items: list | None, wanted: int, why: str) -> None:
    if items is not None and len(items) != wanted:
        raise ValueError(f"{field}: wanted {wanted} items, {why}, found {len(items)}")
