"""The contract that every method keeps: fit, predict_topk, save, load, memory_estimate.

A method subclasses `XMCModel`, stores its arguments in ``__init__``, and writes two functions, ``_fit`` and
``_predict_topk``; what they receive has been validated, what they return is turned into the common form here.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted

from xmlwb.metrics import precision_at_k
from xmlwb.models.callbacks import Callback, Reporter
from xmlwb.models.persistence import UNFIT, ModelFileError, read_model, write_model
from xmlwb.models.validation import validate_k, validate_X, validate_Y

EvalSet = tuple[Any, Any]


class XMCModel(ClassifierMixin, BaseEstimator):
    """Base of all methods.

    Attributes
    ----------
    n_features_in_ : int
        d, the width of X in fit.
    n_labels_ : int
        L, the number of columns of Y in fit.
    label_counts_ : ndarray, shape (L,), int64
        N_l, the training positives of each label.
    classes_ : ndarray, shape (L,)
        0..L-1, or the classes of a 1-D y.

    Notes
    -----
    `predict_topk` stores at most k scores a row: a label without a training positive, or one that a stopped fit had not
    reached, is never among them, so it can never stand before a label that was learned.
    """

    #: What one Event of this method's fit stands for.
    stage: ClassVar[str] = "step"
    #: Scores above this make a label part of ``predict``'s answer.
    decision_threshold: ClassVar[float] = 0.0
    #: Arguments that only prediction reads: a fitted model answers at once when they are changed.
    prediction_params: ClassVar[frozenset[str]] = frozenset()

    def fit(self, X: Any, Y: Any, *, eval_set: EvalSet | None = None, callback: Callback | None = None) -> Self:
        """Learn from instances and their labels.

        Parameters
        ----------
        X : sparse or dense, shape (n, d)
        Y : sparse or dense 0/1, shape (n, L), or 1-D classes, shape (n,)
        eval_set : (X_valid, Y_valid), optional
            Validation data; its figures go into the callback's events. Never test data.
        callback : callable, optional
            ``callback(Event) -> None | STOP`` after each step; STOP ends the fit with a usable model.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            NaN or inf in X, row counts that differ, no rows, Y not 0/1, or a parameter out of range.
        """
        self._check_params()
        for name in self._state():  # a fit that fails must not leave half of an older model behind
            delattr(self, name)
        self._fitted = False
        X = validate_X(self, X, reset=True)
        Y, self.classes_, self.target_kind_ = validate_Y(self, Y, X.shape[0])
        self.n_labels_ = Y.shape[1]
        self.label_counts_ = np.bincount(Y.indices, minlength=Y.shape[1]).astype(np.int64)
        if eval_set is not None:
            eval_set = self._validate_eval_set(eval_set)
        self._fit(X, Y, eval_set, Reporter(callback, self.stage, total=1))
        self._fitted = True
        return self

    def predict_topk(self, X: Any, k: int = 5) -> sparse.csr_array:
        """Rank the labels of each instance.

        Parameters
        ----------
        X : sparse or dense, shape (n, d)
        k : int
            1 <= k <= L.

        Returns
        -------
        csr_array, shape (n, L), float32
            At most k stored scores a row, column indices ascending; scores compare within a row. A stored zero or
            negative score is a prediction too.

        Raises
        ------
        ValueError
            NaN or inf in X, another width than in fit, no rows, k out of range.
        sklearn.exceptions.NotFittedError
        """
        check_is_fitted(self)
        self._check_params()  # some may be changed after the fit
        X = validate_X(self, X, reset=False)
        labels, scores = self._predict_topk(X, validate_k(k, self.n_labels_))
        return topk_to_csr(labels, scores, self.n_labels_)

    def predict(self, X: Any) -> Any:
        """Classes (1-D y in fit), or the 0/1 indicator of labels scored above the method's threshold.

        At most 100 labels an instance; for ranking use `predict_topk`. Dense if the fit's Y was dense, else csr_array.
        """
        check_is_fitted(self)
        if self.target_kind_ == "multiclass":
            S = self.predict_topk(X, k=1)
            best = np.full(S.shape[0], int(np.argmax(self.label_counts_)))
            found = np.diff(S.indptr) > 0
            best[found] = S.indices
            return self.classes_[best]
        S = self.predict_topk(X, k=min(100, self.n_labels_))
        P = sparse.csr_array(((S.data > self.decision_threshold).astype(np.int64), S.indices, S.indptr), shape=S.shape)
        P.eliminate_zeros()
        return P.toarray() if self.target_kind_ == "dense" else P

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model to one file (safetensors + JSON), atomically."""
        check_is_fitted(self)
        self._check_params()  # `load` will
        write_model(path, type(self).__name__, self.get_params(deep=False), self._state())

    @classmethod
    def load(cls, path: str | os.PathLike, *, memory_map: bool = True) -> Self:
        """Read a model that `save` wrote; nothing in the file is executed.

        Parameters
        ----------
        memory_map : bool, default True
            Whether the arrays are the file's own pages, which are read when a prediction first uses them; else they
            are copied into memory at once, as suits a network drive. Changing a loaded array never changes the file.
            While a model is mapped, `save` may replace its file (not on Windows, which refuses), since it writes a new
            one and renames it; other programs must not change the file where it lies.

        Raises
        ------
        FileNotFoundError
        ModelFileError
            The file is no model, is damaged, or holds another method.
        """
        method, params, state = read_model(path, memory_map=memory_map)
        if method != cls.__name__:
            raise ModelFileError(f"{path} holds a {method}; wanted a {cls.__name__} (xmlwb.models.load takes any)")
        return cls.from_file_content(path, params, state)

    @classmethod
    def from_file_content(cls, path: str | os.PathLike, params: dict[str, Any], state: dict[str, Any]) -> Self:
        """The model of what `read_model` found at path; ModelFileError if it does not fit this version's method."""
        try:
            return cls._restore(params, state)
        except UNFIT as error:
            raise ModelFileError(f"{path} does not hold a whole {cls.__name__}: {error}") from error

    @classmethod
    def _restore(cls, params: dict[str, Any], state: dict[str, Any]) -> Self:
        """The model of a file's content; ValueError or TypeError if the parts do not fit together."""
        model = cls(**{name: _unpack_parameter(value) for name, value in params.items()})
        model._check_params()
        for name, value in state.items():
            setattr(model, name, value)
        model._check_state()
        model._fitted = True
        return model

    def _check_state(self) -> None:
        """Raise ValueError unless the fitted arrays fit together; the compiled kernels trust their shapes.

        Methods extend it by `_require_shapes` of their own arrays.
        """
        self._require_shapes(label_counts_=(self.n_labels_,), classes_=(self.n_labels_,))

    def _require_shapes(self, **shapes: tuple[int, ...]) -> None:
        for name, wanted in shapes.items():
            found = getattr(self, name).shape
            if found != wanted:
                raise ValueError(f"{name} has shape {found}; wanted {wanted}")

    @property
    def size_bytes_(self) -> int:
        """Bytes of the fitted arrays in memory: what the model costs to keep, without its bookkeeping."""
        check_is_fitted(self)
        return sum(_n_bytes(value) for value in self._state().values())

    @abstractmethod
    def memory_estimate(self, n: int, d: int, L: int, nnz: int) -> int:
        """Bytes that `fit` will need at its peak, besides the data itself.

        Parameters
        ----------
        n, d, L : int
            Instances, features, labels.
        nnz : int
            Stored entries of X.
        """

    @abstractmethod
    def _fit(self, X: sparse.csr_array, Y: sparse.csr_array, eval_set: EvalSet | None, report: Reporter) -> None:
        """Learn; set ``report.total``, call ``report(figures)`` after each step, end when it answers True."""

    @abstractmethod
    def _predict_topk(self, X: sparse.csr_array, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Labels (n, k) int, -1 where there is none, and scores (n, k) float32, in any order within a row."""

    def _check_params(self) -> None:
        """Raise ValueError if a constructor argument is out of range."""

    def _validate_eval_set(self, eval_set: EvalSet) -> EvalSet:
        if not isinstance(eval_set, tuple) or len(eval_set) != 2:
            raise ValueError(f"eval_set is of type {type(eval_set).__name__}; wanted the pair (X_valid, Y_valid)")
        X = validate_X(self, eval_set[0], reset=False, name="X of eval_set")
        Y, _, _ = validate_Y(self, eval_set[1], X.shape[0], classes=self.classes_)
        if Y.shape[1] != self.n_labels_:
            raise ValueError(f"Y of eval_set has {Y.shape[1]} labels; wanted {self.n_labels_} as in Y")
        return X, Y

    def _valid_figures(self, eval_set: EvalSet | None) -> dict[str, float]:
        """P@1 and P@5 on validation data, for the event of a method that learns in one step."""
        if eval_set is None:
            return {}
        X, Y = eval_set
        k = min(5, self.n_labels_)
        P = precision_at_k(Y, topk_to_csr(*self._predict_topk(X, k), self.n_labels_), k=k)
        return {f"valid P@{rank}": float(P[rank - 1]) for rank in (1, 5) if rank <= k}

    def __sklearn_is_fitted__(self) -> bool:
        return getattr(self, "_fitted", False)

    def _state(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name.endswith("_") and name[0] != "_"}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.classifier_tags.multi_label = True
        return tags


def model_class(name: str) -> type[XMCModel]:
    """The method of that class name; ValueError if this version has none."""
    found: list[type[XMCModel]] = XMCModel.__subclasses__()
    for cls in found:  # it grows on the way
        if cls.__name__ == name:
            return cls
        found += cls.__subclasses__()
    raise ValueError(f"there is no model {name!r} in this version")


def _unpack_parameter(value: Any) -> Any:
    """A parameter as a file has it: an unfitted model is written down by its class's name and its own parameters."""
    if not isinstance(value, dict):
        return value
    return model_class(value["model"])(**{name: _unpack_parameter(part) for name, part in value["params"].items()})


def topk_to_csr(labels: np.ndarray, scores: np.ndarray, n_labels: int) -> sparse.csr_array:
    """Turn (n, k) labels and scores into the CSR form of a prediction; a label of -1 is an empty place.

    >>> import numpy as np
    >>> topk_to_csr(np.array([[2, 0], [1, -1]]), np.array([[0.5, 0.25], [1.0, 0.0]]), 3).toarray()
    array([[0.25, 0.  , 0.5 ],
           [0.  , 1.  , 0.  ]], dtype=float32)
    """
    kept = labels >= 0
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    S = sparse.csr_array(
        (scores[kept].astype(np.float32), labels[kept].astype(np.int32), indptr), shape=(len(labels), n_labels)
    )
    S.sort_indices()
    return S


def _n_bytes(value: Any) -> int:
    if sparse.issparse(value):
        return value.data.nbytes + value.indices.nbytes + value.indptr.nbytes
    return value.nbytes if isinstance(value, np.ndarray) else 0
