"""The text formats of the Extreme Classification Repository.

*One file*: a header `N D L`, then one instance a line, `label,label feature:value feature:value ...`, indices from
0; a line of an instance without labels begins with a blank (or at once with its first feature).

*Folder form*: features and labels apart (`trn_X_Xf.txt`, `trn_X_Y.txt`), each with a header `rows columns` and
lines `index:value index:value ...`.

*Split files* belong to the one-file form: one column per split, row numbers from 1.

The file is read twice in pieces of a few MB (count, then fill), so the arrays are allocated once at their final
size and nothing else grows with the file. A name that ends in `.gz` is decompressed on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal, NamedTuple, NoReturn

import numpy as np
from scipy.sparse import csr_array

from xmlwb.atomic import atomic_path
from xmlwb.datasets.readers import problems
from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError

Duplicates = Literal["error", "merge"]

_PIECE = 4 << 20
_INT32_MAX = int(np.iinfo(np.int32).max)


class Splits(NamedTuple):
    """Rows (int64, from 0) of each split's training and test part."""

    train: list[np.ndarray]
    test: list[np.ndarray]


def read_repository(path: str | Path, *, duplicates: Duplicates = "error") -> tuple[csr_array, csr_array]:
    """Read the one-file form.

    Parameters
    ----------
    path : file with header `N D L`; may be gzipped.
    duplicates : what to do with a feature or a label that stands twice in one line: refuse the file ("error"), or
        add the feature's values and count the label once ("merge").

    Returns
    -------
    X : csr_array of shape (N, D), float32, indices sorted, explicit zeros left out.
    Y : csr_array of shape (N, L), float32 ones, indices sorted.

    Raises
    ------
    DataFileError
        Names the file, the line, what was found and what was wanted.
    FileNotFoundError

    Notes
    -----
    Time is linear in the file's size; memory is that of the result plus one piece of 4 MB (or the longest line).
    """
    x, y = _read(Path(path), labelled=True, duplicates=duplicates)
    assert y is not None
    return x, y


def read_matrix(path: str | Path, *, duplicates: Duplicates = "error") -> csr_array:
    """Read one matrix of the folder form: a header `rows columns`, then `index:value` pairs. As `read_repository`."""
    return _read(Path(path), labelled=False, duplicates=duplicates)[0]


def read_label_matrix(path: str | Path, *, duplicates: Duplicates = "error") -> csr_array:
    """Read a label matrix of the folder form: as `read_matrix`, and every stored value must be 1.

    Raises
    ------
    DataFileError
        A value other than 0 or 1, with the line of the first one.
    """
    labels = read_matrix(path, duplicates=duplicates)
    wrong = np.flatnonzero(labels.data != 1.0)
    if wrong.size and duplicates == "error":
        row = int(np.searchsorted(labels.indptr, wrong[0], side="right")) - 1
        found = f"{labels.indices[wrong[0]]}:{labels.data[wrong[0]]:g}"
        raise DataFileError(path, row + 2, f"label value {found}, wanted 0 or 1")
    labels.data[:] = 1.0
    return labels


def read_splits(train_path: str | Path, test_path: str | Path, n_rows: int) -> Splits:
    """Read a pair of split files (one column per split, row numbers from 1) of a data file with `n_rows` rows.

    Raises
    ------
    DataFileError
        A row number out of 1..n_rows or twice in a column, a different number of columns in the two files, or a row
        both in the training and the test part of a split.
    """
    columns = [_read_split_columns(Path(path), n_rows) for path in (train_path, test_path)]
    if len(columns[0]) != len(columns[1]):
        raise DataFileError(
            test_path,
            None,
            f"{len(columns[1])} columns, wanted {len(columns[0])} as in {Path(train_path).name}",
        )
    for number, (train, test) in enumerate(zip(*columns, strict=True)):
        both = np.intersect1d(train, test)
        if both.size:
            raise DataFileError(
                test_path,
                None,
                f"column {number + 1} holds row {both[0] + 1}, which the training part has too; wanted disjoint parts",
            )
    return Splits(columns[0], columns[1])


def read_names(path: str | Path, expected: int | None = None) -> list[str]:
    """Names of features or labels, one a line (`Xf.txt`, `Yf.txt`, `feature_names.txt`), as UTF-8.

    Raises
    ------
    DataFileError
        Another number of lines than `expected`.
    """
    with open_bytes(Path(path)) as stream:
        text = stream.read().decode("utf-8", errors="replace")
    names = [line.rstrip("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    if expected is not None and len(names) != expected:
        raise DataFileError(path, None, f"{len(names)} names, wanted {expected}")
    return names


def write_repository(path: str | Path, X: csr_array, Y: csr_array) -> None:
    """Write the one-file form, whole or not at all. Values are written so that they read back to the same float32."""
    if X.shape[0] != Y.shape[0]:
        raise ValueError(f"X has {X.shape[0]} rows and Y has {Y.shape[0]}, wanted the same number")
    with atomic_path(path) as partial, open(partial, "w", encoding="ascii") as out:
        out.write(f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}\n")
        for row in range(X.shape[0]):
            labels = Y.indices[Y.indptr[row] : Y.indptr[row + 1]]
            here = slice(X.indptr[row], X.indptr[row + 1])
            pairs = zip(X.indices[here].tolist(), X.data[here].astype(np.float32), strict=True)
            # str() of a float32 is the shortest text that reads back to it.
            out.write(",".join(map(str, labels.tolist())))
            out.write("".join(f" {index}:{value!s}" for index, value in pairs))
            out.write("\n")


def _read(path: Path, *, labelled: bool, duplicates: Duplicates) -> tuple[csr_array, csr_array | None]:
    from xmlwb.datasets.readers import text_kernel as kernel

    if duplicates not in ("error", "merge"):
        raise ValueError(f"duplicates={duplicates!r}, wanted 'error' or 'merge'")
    with open_bytes(path) as stream:
        n_rows, n_features, n_labels = _header(path, stream, labelled)
        newlines = commas = colons = 0
        last = ord("\n")
        for piece in _whole_lines(stream):
            counts = kernel.count_separators(piece)
            newlines, commas, colons = newlines + counts[0], commas + counts[1], colons + counts[2]
            last = piece[-1]
    lines = newlines + (last != ord("\n"))
    if lines < n_rows:
        raise DataFileError(path, lines + 1, f"the file ends after {lines} rows, wanted {n_rows} (the header says so)")

    label_room = commas + n_rows if labelled else 0
    index_type = np.int32 if max(n_features, n_labels, colons, label_room) <= _INT32_MAX else np.int64
    x_indptr, y_indptr = np.zeros(n_rows + 1, index_type), np.zeros(n_rows + 1, index_type)
    x_indices, x_data = np.empty(colons, index_type), np.empty(colons, np.float32)
    y_indices = np.empty(label_room, index_type)
    state = np.zeros(kernel.STATE_SIZE, np.int64)
    arrays = (x_indptr, x_indices, x_data, y_indptr, y_indices)
    merge = duplicates == "merge"
    line = 2  # of the piece's beginning
    with open_bytes(path) as stream:
        _header(path, stream, labelled)
        for piece in _whole_lines(stream):
            kernel.fill_rows(piece, labelled, merge, n_rows, n_features, n_labels, state, *arrays)
            if state[kernel.PROBLEM]:
                _complain(path, line, piece, state, (n_rows, n_features, n_labels))
            line += kernel.count_separators(piece)[0]
    if state[kernel.ROW] != n_rows:
        raise DataFileError(path, None, f"the file changed while it was read; {state[kernel.ROW]} rows were left")
    x_count, y_count = int(state[kernel.X_COUNT]), int(state[kernel.Y_COUNT])
    # refcheck: `arrays` holds a second reference, and is not used again.
    x_indices.resize(x_count, refcheck=False)
    x_data.resize(x_count, refcheck=False)
    y_indices.resize(y_count, refcheck=False)
    x = csr_array((x_data, x_indices, x_indptr), shape=(n_rows, n_features))
    x.has_canonical_format = True
    if not labelled:
        return x, None
    y = csr_array((np.ones(y_count, np.float32), y_indices, y_indptr), shape=(n_rows, n_labels))
    y.has_canonical_format = True
    return x, y


def _header(path: Path, stream: IO[bytes], labelled: bool) -> tuple[int, int, int]:
    wanted = "three whole numbers 'N D L'" if labelled else "two whole numbers 'rows columns'"
    line = stream.readline(1000)
    fields = line.split()
    if len(fields) != (3 if labelled else 2) or not all(field.isdigit() for field in fields):
        found = line[:60].decode("utf-8", errors="replace").strip()
        raise DataFileError(path, 1, f"header {found!r}, wanted {wanted}")
    numbers = [int(field) for field in fields]
    if min(numbers) < 1 or max(numbers) > 10**15:
        raise DataFileError(path, 1, f"header {' '.join(map(str, numbers))!r}, wanted {wanted}, each 1 or more")
    return numbers[0], numbers[1], numbers[2] if labelled else 0


def _whole_lines(stream: IO[bytes]) -> Iterator[np.ndarray]:
    """The rest of a stream in uint8 pieces that end at a line's end; a piece is valid until the next is asked for."""
    buffer = bytearray(_PIECE)
    kept = 0
    while True:
        got = stream.readinto(memoryview(buffer)[kept:])  # type: ignore[attr-defined]
        filled = kept + got
        if got == 0:
            if kept:
                yield np.frombuffer(buffer, np.uint8, kept)
            return
        cut = buffer.rfind(b"\n", kept, filled) + 1
        if cut:
            yield np.frombuffer(buffer, np.uint8, cut)
            kept = filled - cut
            buffer[:kept] = buffer[cut:filled]
        else:
            kept = filled
            if kept == len(buffer):  # one line longer than the buffer
                larger = bytearray(2 * len(buffer))
                larger[:kept] = buffer
                buffer = larger


def _complain(path: Path, line: int, piece: np.ndarray, state: np.ndarray, sizes: tuple[int, int, int]) -> NoReturn:
    from xmlwb.datasets.readers import text_kernel as kernel

    n_rows, n_features, n_labels = sizes
    start, found = int(state[kernel.TOKEN]), int(state[kernel.FOUND])
    word = piece[start : start + 60].tobytes().decode("utf-8", errors="replace").split()
    token = repr(word[0][:40]) if word else "nothing"
    messages = {
        problems.BAD_LABEL: f"label {token}, wanted whole numbers with commas between them",
        problems.LABEL_RANGE: f"label index {found}, wanted 0..{n_labels - 1} (the header says {n_labels} labels)",
        problems.DUPLICATE_LABEL: f"label {found} twice, wanted each label once (or duplicates='merge')",
        problems.BAD_FEATURE: f"{token}, wanted index:value",
        problems.NO_COLON: f"{token} without a colon, wanted index:value",
        problems.FEATURE_RANGE: f"feature index {found}, wanted 0..{n_features - 1} "
        f"(the header says {n_features} features)",
        problems.DUPLICATE_FEATURE: f"feature {found} twice, wanted each feature once (or duplicates='merge')",
        problems.BAD_VALUE: f"{token}, wanted a finite decimal number after the colon",
        problems.NOT_FINITE: f"{token}, wanted a value that a 32-bit float can hold",
        problems.TOO_MANY_ROWS: f"another row {token}, wanted {n_rows} rows (the header says so)",
        problems.FILE_CHANGED: "the file changed while it was read",
    }
    line += piece[:start].tobytes().count(b"\n")
    raise DataFileError(path, line, messages[int(state[kernel.PROBLEM])])


def _read_split_columns(path: Path, n_rows: int) -> list[np.ndarray]:
    try:
        table = np.loadtxt(path, dtype=np.int64, ndmin=2)
    except ValueError as problem:
        raise DataFileError(path, None, f"{problem}; wanted whole numbers, as many in each line") from None
    if table.size == 0:
        raise DataFileError(path, None, "no row numbers, wanted one column for each split")
    wrong = np.argwhere((table < 1) | (table > n_rows))
    if wrong.size:
        line, column = wrong[0]
        raise DataFileError(
            path, int(line) + 1, f"row number {table[line, column]}, wanted 1..{n_rows} (rows count from 1)"
        )
    for number, column in enumerate(table.T):
        values, counts = np.unique(column, return_counts=True)
        if (counts > 1).any():
            raise DataFileError(
                path, None, f"column {number + 1} holds row {values[counts > 1][0]} twice, wanted each row once"
            )
    return [column - 1 for column in table.T]
