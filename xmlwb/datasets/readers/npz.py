"""Sparse matrices and whole data sets in NumPy's npz form. Nothing in a file is ever executed (no pickles)."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array

from xmlwb.atomic import atomic_path
from xmlwb.datasets.readers.problems import DataFileError

_FORMAT = "xmlwb-npz-1"
_MATRIX_KEYS = {"data", "indices", "indptr", "shape"}

# What NumPy, SciPy and zipfile raise on damaged files; pickled content is a ValueError, an unknown or encrypted kind of
# zip member a RuntimeError.
_DAMAGE = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    zlib.error,
)


def read_npz_matrix(path: str | Path) -> csr_array:
    """Read a matrix that `scipy.sparse.save_npz` wrote from CSR, CSC or COO, as sorted CSR float32.

    Raises
    ------
    DataFileError
        Not an npz file, pickled content, no sparse matrix or one in another form, broken indices, or a value that is
        NaN or infinite.
    """
    path = Path(path)
    _check_zip(path)
    try:
        matrix = sparse.load_npz(path)
    except _DAMAGE as problem:
        raise DataFileError(path, None, f"{_said(problem)}; wanted what scipy.sparse.save_npz writes") from None
    if matrix.ndim != 2:
        raise DataFileError(path, None, f"an array of {matrix.ndim} dimensions, wanted 2")
    if matrix.format not in ("csr", "csc", "coo"):
        raise DataFileError(path, None, f"a matrix in the form {matrix.format}, wanted csr, csc or coo")
    _check_indices(path, "matrix", matrix)  # converting a CSC matrix with bad indices writes outside its arrays
    return _clean(path, "matrix", csr_array(matrix))


def read_npz(path: str | Path) -> tuple[csr_array, csr_array]:
    """Read features and labels from the single-file form that `write_npz` writes.

    Returns
    -------
    X : csr_array (n, d) float32.
    Y : csr_array (n, L) float32 of ones.

    Raises
    ------
    DataFileError
        As `read_npz_matrix`; also different numbers of rows, or a label value other than 0 or 1.
    """
    path = Path(path)
    _check_zip(path)
    sides: dict[str, csr_array] = {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if str(arrays.get("format", "")) != _FORMAT:
                raise DataFileError(path, None, f"arrays {', '.join(arrays)}, wanted format {_FORMAT!r} with X and Y")
            for side in ("X", "Y"):
                missing = sorted(key for key in _MATRIX_KEYS if f"{side}_{key}" not in arrays)
                if missing:
                    raise DataFileError(path, None, f"no array {side}_{missing[0]}, wanted all of {side}'s")
                data, indices, indptr, shape = (arrays[f"{side}_{k}"] for k in ("data", "indices", "indptr", "shape"))
                if shape.shape != (2,) or shape.dtype.kind not in "iu":
                    raise DataFileError(path, None, f"{side}_shape is {shape!r}, wanted two whole numbers")
                matrix = csr_array((data, indices, indptr), shape=tuple(int(size) for size in shape))
                _check_indices(path, side, matrix)
                sides[side] = _clean(path, side, matrix)
    except DataFileError:
        raise
    except _DAMAGE as problem:
        raise DataFileError(path, None, f"{_said(problem)}; wanted what write_npz writes") from None
    X, Y = sides["X"], sides["Y"]
    if X.shape[0] != Y.shape[0]:
        raise DataFileError(path, None, f"{X.shape[0]} rows in X and {Y.shape[0]} in Y, wanted as many in both")
    if (Y.data != 1).any():
        raise DataFileError(path, None, f"label value {Y.data[Y.data != 1][0]:g} in Y, wanted 0 or 1")
    return X, Y


def write_npz(path: str | Path, X: csr_array, Y: csr_array, *, compressed: bool = True) -> None:
    """Write features and labels into one file, whole or not at all; `read_npz` reads it."""
    if X.shape[0] != Y.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows and Y has {Y.shape[0]}, wanted the same number")
    arrays: dict[str, np.ndarray] = {"format": np.array(_FORMAT)}
    for side, matrix in (("X", csr_array(X)), ("Y", csr_array(Y))):
        arrays[f"{side}_data"] = matrix.data.astype(np.float32)
        arrays[f"{side}_indices"], arrays[f"{side}_indptr"] = matrix.indices, matrix.indptr
        arrays[f"{side}_shape"] = np.asarray(matrix.shape, np.int64)
    save = np.savez_compressed if compressed else np.savez
    with atomic_path(path) as partial, open(partial, "wb") as out:
        save(out, **arrays)  # type: ignore[arg-type]


def _check_zip(path: Path) -> None:
    with open(path, "rb") as stream:
        start = stream.read(4)
    if start != b"PK\x03\x04":
        raise DataFileError(path, None, f"a file that begins with {start!r}, wanted an npz archive")


def _said(problem: Exception) -> str:
    return str(problem) or type(problem).__name__  # an EOFError says nothing


def _check_indices(path: Path, name: str, matrix: sparse.sparray | sparse.spmatrix) -> None:
    """Refuse indices out of range; COO matrices were checked as they were made."""
    if matrix.format == "coo":
        return
    try:
        matrix.check_format(full_check=True)
    except ValueError as problem:
        raise DataFileError(path, None, f"{name}: {problem}") from None


def _clean(path: Path, name: str, matrix: csr_array) -> csr_array:
    """The matrix as float32, sorted and without explicit zeros; its indices must be sound."""
    if matrix.dtype.kind not in "fiub":
        raise DataFileError(path, None, f"{name} of type {matrix.dtype}, wanted numbers")
    if not np.isfinite(matrix.data).all():
        raise DataFileError(path, None, f"{name} holds NaN or infinite values, wanted finite ones")
    matrix = matrix.astype(np.float32)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    return matrix
