"""Read the Repository's text formats without stopping at the first fault: broken lines become empty rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

from xmlwb.datasets.own.faults import FaultLog, after_name
from xmlwb.datasets.readers import problems
from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError
from xmlwb.datasets.readers.repository import _complain, _header, _whole_lines

_KIND_OF = {
    problems.LABEL_RANGE: "index out of range",
    problems.FEATURE_RANGE: "index out of range",
    problems.DUPLICATE_LABEL: "index twice",
    problems.DUPLICATE_FEATURE: "index twice",
    problems.NOT_FINITE: "value not finite",
}
_NOT_A_NUMBER = re.compile(rb"\d+:[+-]?(nan|inf(inity)?)\s*$", re.IGNORECASE)
_UNKNOWN = 10**9  # sizes where no header says them


@dataclass(frozen=True)
class TextRows:
    """What a text file holds.

    Attributes
    ----------
    X : csr_array (n, d) float32
    Y : csr_array (n, L) float32 of ones, or None for a file without labels
    lines : int64 (n,)
        Each row's line in the file, from 1.
    broken : bool (n,)
        Rows that could not be read, and are empty here.
    """

    X: csr_array
    Y: csr_array | None
    lines: np.ndarray
    broken: np.ndarray


@dataclass(frozen=True)
class _Sizes:
    """The header's sizes, if there is a sound one, and upper bounds of what the arrays must hold."""

    header: tuple[int, int, int] | None
    first_line: int
    n_rows: int
    colons: int
    commas: int


def read_text_rows(path: Path, log: FaultLog, *, labelled: bool) -> TextRows | None:
    """As `read_repository` (``labelled``) or `read_matrix`, but faults go into the log; None where nothing is left.

    Two passes over the file; a broken line costs some microseconds more than a sound one.
    """
    from xmlwb.datasets.readers import text_kernel as kernel

    try:
        sizes = _sizes(path, log, labelled)
        if sizes.n_rows == 0:
            log.add("nothing to learn", "no rows below the header", path)
            return None
        n = sizes.n_rows
        d, L = (_UNKNOWN, _UNKNOWN) if sizes.header is None else sizes.header[1:]
        room = sizes.commas + n if labelled else 0
        index_type = np.int32 if max(d, L, sizes.colons, room) <= np.iinfo(np.int32).max else np.int64
        x_indptr, y_indptr = np.zeros(n + 1, index_type), np.zeros(n + 1, index_type)
        x_indices, x_data = np.empty(sizes.colons, index_type), np.empty(sizes.colons, np.float32)
        y_indices = np.empty(room, index_type)
        arrays = (x_indptr, x_indices, x_data, y_indptr, y_indices)
        state, broken = np.zeros(kernel.STATE_SIZE, np.int64), np.zeros(n, bool)
        with open_bytes(path) as stream:
            if sizes.first_line == 2:
                stream.readline()
            for piece in _whole_lines(stream):
                at, line_ends = 0, None
                while at < piece.size:
                    kernel.fill_rows(piece[at:], labelled, False, n, d, L, state, *arrays)
                    if not state[kernel.PROBLEM]:
                        break
                    token = at + int(state[kernel.TOKEN])
                    if line_ends is None:
                        line_ends = np.append(np.flatnonzero(piece == ord("\n")), piece.size)
                    end = int(line_ends[np.searchsorted(line_ends, token)])
                    row = int(state[kernel.ROW])
                    _note(path, log, row + sizes.first_line, piece[token:end], state, (n, d, L))
                    broken[row] = True
                    x_indptr[row + 1] = state[kernel.X_COUNT] = x_indptr[row]
                    y_indptr[row + 1] = state[kernel.Y_COUNT] = y_indptr[row]
                    state[kernel.ROW], state[kernel.PROBLEM] = row + 1, 0
                    at = end + 1
    except (DataFileError, OSError) as problem:
        log.add("unreadable", after_name(path, problem), path)
        return None
    nx, ny = int(state[kernel.X_COUNT]), int(state[kernel.Y_COUNT])
    if sizes.header is None:
        d, L = int(x_indices[:nx].max(initial=-1)) + 1, int(y_indices[:ny].max(initial=-1)) + 1
    X = csr_array((x_data[:nx].copy(), x_indices[:nx].copy(), x_indptr), shape=(n, max(d, 1)))
    X.has_canonical_format = True
    Y = None
    if labelled:
        Y = csr_array((np.ones(ny, np.float32), y_indices[:ny].copy(), y_indptr), shape=(n, max(L, 1)))
        Y.has_canonical_format = True
    if sizes.header is None:
        held = f"{n} {d} {L}" if labelled else f"{n} {d}"
        log.add("header", f"no header; the rows hold '{held}', write that as the first line", path)
    return TextRows(X, Y, np.arange(n, dtype=np.int64) + sizes.first_line, broken)


def label_rows(path: Path, log: FaultLog) -> TextRows | None:
    """A label matrix of the folder form as a `TextRows` whose X is the labels; values other than 1 are faults."""
    rows = read_text_rows(path, log, labelled=False)
    if rows is None:
        return None
    wrong = np.flatnonzero(rows.X.data != 1)
    of_row = np.searchsorted(rows.X.indptr, wrong, side="right") - 1
    for place, row in zip(wrong, of_row, strict=True):
        found = f"{rows.X.indices[place]}:{rows.X.data[place]:g}"
        log.add("label value", f"label value {found}, wanted 0 or 1", path, line=int(rows.lines[row]))
    rows.broken[of_row] = True
    rows.X.data[:] = 1
    return rows


def _sizes(path: Path, log: FaultLog, labelled: bool) -> _Sizes:
    """The header, and how many rows there are; differences between the two are noted."""
    from xmlwb.datasets.readers import text_kernel as kernel

    header: tuple[int, int, int] | None = None
    first_line = 2
    with open_bytes(path) as stream:
        try:
            header = _header(path, stream, labelled)
        except DataFileError as problem:
            with open_bytes(path) as again:
                start = again.readline(10_000)
            if b":" in start:  # a row, so there is no header at all
                first_line = 1
            else:
                log.add("header", after_name(path, problem), path, line=1)
    lines = through_last = colons = commas = 0
    with open_bytes(path) as stream:
        if first_line == 2:
            stream.readline()
        for piece in _whole_lines(stream):
            counts = kernel.count_separators(piece)
            solid = piece.tobytes().rstrip()
            if solid:
                through_last = lines + solid.count(b"\n") + 1
            lines += counts[0] + (piece[-1] != 10)
            commas, colons = commas + counts[1], colons + counts[2]
    if header is None:
        return _Sizes(None, first_line, through_last, colons, commas)
    # Blank lines at the end may be instances with nothing; the header says how many.
    n_rows = max(through_last, min(header[0], lines))
    if n_rows != header[0]:
        log.add("number of rows", f"{n_rows} rows, wanted {header[0]} (the header says so)", path)
    return _Sizes(header, first_line, n_rows, colons, commas)


def _note(
    path: Path, log: FaultLog, line: int, rest: np.ndarray, state: np.ndarray, sizes: tuple[int, int, int]
) -> None:
    from xmlwb.datasets.readers import text_kernel as kernel

    code, here = int(state[kernel.PROBLEM]), state.copy()
    here[kernel.TOKEN] = 0
    word = rest[:60].tobytes().split()
    kind = _KIND_OF.get(code, "malformed line")
    if code == problems.BAD_VALUE and word and _NOT_A_NUMBER.match(word[0]):
        kind = "value not finite"
    apart = "labels" if code in (problems.LABEL_RANGE, problems.DUPLICATE_LABEL) else ""
    try:
        _complain(path, line, rest, here, sizes)
    except DataFileError as problem:
        message = after_name(path, problem).removesuffix(" (or duplicates='merge')")
        log.add(kind, message, path, line=line, apart=apart)
