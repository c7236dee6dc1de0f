"""Input validation for every model, in one place: each error names the argument, what was found, what was wanted."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_feature_names, column_or_1d


def validate_X(model: Any, X: Any, *, reset: bool, name: str = "X") -> sparse.csr_array:
    """Bring instances into the one form that all models compute with.

    Parameters
    ----------
    model : estimator
        With ``reset=True`` its ``n_features_in_`` (and ``feature_names_in_``) are set, else they are checked.
    X : sparse matrix or array of any format, or dense array-like, shape (n, d)
        Unsorted indices are sorted and duplicate entries are summed, in a copy.
    name : str
        The argument's name for the error messages.

    Returns
    -------
    csr_array, shape (n, d), float32, sorted indices, no duplicates

    Raises
    ------
    ValueError
        NaN or infinity (with row and column), no rows, no features, not two-dimensional, not numeric,
        or another width than in fit.
    """
    _check_feature_names(model, X, reset=reset)
    owner = type(model).__name__
    if sparse.issparse(X):
        if X.ndim != 2:
            raise ValueError(f"{name} has {X.ndim} dimension(s); wanted a sparse array of shape (n, d)")
        _refuse_complex(X.dtype, name)
        _require_places(X, name)
        A = _canonical(sparse.csr_array(X, dtype=np.float32))
    else:
        dense = np.asarray(X)
        _refuse_complex(dense.dtype, name)
        if dense.ndim != 2:
            raise ValueError(
                f"{name}: Expected 2D array, got {dense.ndim}D array of shape {dense.shape} instead. "
                "Reshape your data: one row for each instance, one column for each feature"
            )
        try:
            dense = dense.astype(np.float32, copy=False)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{name} has dtype {dense.dtype}; wanted numbers ({error})") from error
        _require_size(dense.shape, name, owner)
        A = sparse.csr_array(dense)
    _require_size(A.shape, name, owner)
    _require_finite(A, name)
    if reset:
        model.n_features_in_ = A.shape[1]
    elif A.shape[1] != model.n_features_in_:
        raise ValueError(
            f"{name} has {A.shape[1]} features, but {owner} is expecting {model.n_features_in_} features as input"
        )
    return A


def validate_Y(
    model: Any, Y: Any, n_rows: int, *, classes: np.ndarray | None = None
) -> tuple[sparse.csr_array, np.ndarray, str]:
    """Bring labels into the one form that all models compute with.

    Parameters
    ----------
    Y : sparse or dense 0/1 indicator, shape (n, L), or 1-D array of classes, shape (n,)
        A label that is listed twice in a row counts once. Rows and columns without a one are legal.
    n_rows : int
        Rows of X.
    classes : ndarray, shape (L,), optional
        The classes that a 1-D Y may hold, where a fit has set them; else they are read off Y.

    Returns
    -------
    Y : csr_array, shape (n, L), float32 ones, sorted indices, no duplicates, no stored zeros
    classes : ndarray, shape (L,)
        The classes of a 1-D Y, else 0..L-1.
    kind : {"sparse", "dense", "multiclass"}
        What ``predict`` has to give back.

    Raises
    ------
    ValueError
        Y is None, has another number of rows than X, no labels, or values other than 0 and 1.
    """
    owner = type(model).__name__
    if Y is None:
        raise ValueError(f"{owner} requires y to be passed, but the target y is None")
    if sparse.issparse(Y):
        if Y.ndim != 2:
            raise ValueError(f"Y has {Y.ndim} dimension(s); wanted a sparse array of shape (n, L)")
        _require_places(Y, "Y")
        kind, A = "sparse", Y if Y.format == "csr" else sparse.coo_array(Y)  # neither adds up duplicates
    else:
        dense = np.asarray(Y)
        if dense.ndim == 2 and dense.shape[1] == 1 and not _is_indicator(dense):
            warnings.warn(
                "A column-vector y was passed when a 1d array was expected. Please change the shape of y to "
                "(n_samples, ), for example using ravel().",
                DataConversionWarning,
                stacklevel=4,
            )
            dense = column_or_1d(dense)
        if dense.ndim == 1:
            return _one_hot(dense, n_rows, classes)
        if dense.ndim != 2:
            raise ValueError(f"Y has shape {dense.shape}; wanted (n, L) of 0/1, or (n,) classes")
        if dense.dtype.kind not in "biuf":
            raise ValueError(f"Y has dtype {dense.dtype}; wanted an indicator of 0 and 1")
        kind, A = "dense", sparse.coo_array(dense)
    _require_rows(A.shape[0], n_rows)
    if A.shape[1] == 0:
        raise ValueError(f"Y has 0 labels (shape={A.shape}); wanted at least 1")
    if not _is_indicator(A.data):
        raise ValueError(f"Y holds {_first_other(A.data)!r}; wanted only 0 and 1")
    values = A.data.astype(np.float32)  # not A.astype: scipy adds up duplicates in the caller's own array there
    parts = (values, A.indices.copy(), A.indptr.copy()) if A.format == "csr" else (values, A.coords)
    A = sparse.csr_array(parts, shape=A.shape)
    A.sum_duplicates()
    A.eliminate_zeros()
    A.data[:] = 1.0
    return A, np.arange(A.shape[1]), kind


def validate_more_Y(model: Any, Y: Any, n_rows: int | None = None) -> sparse.csr_array:
    """Labels for a fitted model, in the form of `validate_Y`: of as many labels and the same classes as in its fit.

    n_rows is that of X, if there is one. ValueError as in `validate_Y`, and for another number of labels.
    """
    Y, _, _ = validate_Y(model, Y, _n_rows(Y) if n_rows is None else n_rows, classes=model.classes_)
    if Y.shape[1] != model.n_labels_:
        raise ValueError(f"Y has {Y.shape[1]} labels; wanted {model.n_labels_} as in the fit")
    return Y


def read_classes(model: Any, Y: Any) -> np.ndarray:
    """The classes that a fit to Y would have: (L,)."""
    return validate_Y(model, Y, _n_rows(Y))[1]


def _n_rows(Y: Any) -> int:
    return Y.shape[0] if hasattr(Y, "shape") else len(Y)


def _require_places(A: Any, name: str) -> None:
    """ValueError if a compressed matrix holds an index out of range: scipy does not look, compiled kernels trust."""
    if A.format not in ("csr", "csc") or A.indices.size == 0:
        return
    width = A.shape[1] if A.format == "csr" else A.shape[0]
    low, high = A.indices.min(), A.indices.max()
    if low < 0 or high >= width:
        raise ValueError(f"{name} holds the index {low if low < 0 else high}; wanted 0..{width - 1}")


def validate_k(k: Any, n_labels: int) -> int:
    """Return k as an int; ValueError unless it is a whole number in 1..L."""
    if isinstance(k, bool) or not isinstance(k, numbers.Integral):
        raise ValueError(f"k is {k!r}; wanted a whole number in 1..{n_labels}")
    if not 1 <= int(k) <= n_labels:
        raise ValueError(f"k is {k}; wanted 1 <= k <= {n_labels} (the number of labels)")
    return int(k)


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} is {value!r}; wanted one of {', '.join(map(repr, choices))}")


def check_number(name: str, value: Any, *, low: float, strict: bool = False, integer: bool = False) -> None:
    """ValueError unless ``value`` is a finite number of at least (``strict``: above) ``low``."""
    kind = numbers.Integral if integer else numbers.Real
    wanted = f"a {'whole ' if integer else ''}number {'above' if strict else 'of at least'} {low:g}"
    if isinstance(value, bool) or not isinstance(value, kind) or not np.isfinite(float(value)):
        raise ValueError(f"{name} is {value!r}; wanted {wanted}")
    if value < low or (strict and value == low):
        raise ValueError(f"{name} is {value!r}; wanted {wanted}")


def check_seed(value: Any) -> None:
    """ValueError unless ``random_state`` is None or a whole number: what a saved model can hold."""
    if value is not None:
        check_number("random_state", value, low=0, integer=True)


def _canonical(A: sparse.csr_array) -> sparse.csr_array:
    """Sorted, without duplicates, contiguous; a copy if anything has to change: A may share the caller's arrays."""
    if not A.has_canonical_format:
        A = A.copy()
        A.sum_duplicates()
    parts = (A.data, A.indices, A.indptr)
    if all(part.flags.c_contiguous for part in parts):
        return A
    return sparse.csr_array(tuple(map(np.ascontiguousarray, parts)), shape=A.shape)


def _refuse_complex(dtype: np.dtype, name: str) -> None:
    if np.issubdtype(dtype, np.complexfloating):
        raise ValueError(f"Complex data not supported: {name} has dtype {dtype}; wanted real numbers")


def _require_size(shape: tuple[int, ...], name: str, owner: str) -> None:
    if shape[0] == 0:
        raise ValueError(
            f"{name}: found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required by {owner}"
        )
    if shape[1] == 0:
        raise ValueError(
            f"{name}: found array with 0 feature(s) (shape={shape}) while a minimum of 1 is required by {owner}"
        )


def _require_finite(A: sparse.csr_array, name: str) -> None:
    bad = np.flatnonzero(~np.isfinite(A.data))
    if len(bad) == 0:
        return
    what = "NaN" if np.isnan(A.data[bad[0]]) else "inf"
    row = int(np.searchsorted(A.indptr, bad[0], side="right")) - 1
    column = int(A.indices[bad[0]])
    raise ValueError(
        f"{name} contains {what}: {len(bad)} value(s) are not finite, the first in row {row}, column {column}; "
        "wanted finite numbers"
    )


def _require_rows(n_labels_rows: int, n_rows: int) -> None:
    if n_labels_rows != n_rows:
        raise ValueError(f"X has {n_rows} rows and Y has {n_labels_rows}; wanted the same number, one row an instance")


def _one_hot(y: np.ndarray, n_rows: int, classes: np.ndarray | None) -> tuple[sparse.csr_array, np.ndarray, str]:
    check_classification_targets(y)
    _require_rows(len(y), n_rows)
    if classes is None:
        classes = np.unique(y)
    strangers = y[~np.isin(y, classes)].tolist()
    if strangers:
        raise ValueError(f"Y holds the class {strangers[0]!r}; wanted one of the fit's {len(classes)}")
    codes = np.searchsorted(classes, y)
    ones = np.ones(len(y), dtype=np.float32)
    Y = sparse.csr_array((ones, codes.astype(np.int32), np.arange(len(y) + 1)), shape=(len(y), len(classes)))
    return Y, classes, "multiclass"


def _is_indicator(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf" and bool(np.all((values == 0) | (values == 1)))


def _first_other(values: np.ndarray) -> Any:
    flat = np.asarray(values).ravel()
    if flat.dtype.kind not in "biuf":
        return flat[0]
    return flat[(flat != 0) & (flat != 1)][0].item()
