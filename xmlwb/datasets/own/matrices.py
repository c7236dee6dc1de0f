"""Read npz matrices and ARFF tables without stopping at the first fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse import csr_array

from xmlwb.datasets.own.faults import FaultLog, after_name
from xmlwb.datasets.readers.arff import ArffData, read_arff
from xmlwb.datasets.readers.npz import read_npz_matrix
from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError

_ARFF_PASSES = 20  # the parser stops at a fault, and each fault costs another pass


def npz_rows(path: Path, log: FaultLog, *, labels: bool = False) -> tuple[csr_array, np.ndarray] | None:
    """A matrix (n, columns) float32 and which of its rows are broken; None where nothing can be read.

    Rows with values that are not finite are faults, and for ``labels`` those with values other than 0 and 1.
    """
    try:
        matrix = read_npz_matrix(path)
    except (DataFileError, OSError) as problem:
        found = _with_values_not_finite(path) if "finite" in str(problem) else None
        if found is None:
            log.add("unreadable", after_name(path, problem), path)
            return None
        matrix = found
    broken = np.zeros(matrix.shape[0], bool)
    of_entry = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    not_finite = ~np.isfinite(matrix.data)
    for row in np.unique(of_entry[not_finite]):
        log.add("value not finite", "NaN or infinite values, wanted finite ones", path, row=int(row))
        broken[row] = True
    if labels:
        for place in np.flatnonzero((matrix.data != 1) & ~not_finite):
            row = int(of_entry[place])
            log.add("label value", f"label value {matrix.data[place]:g}, wanted 0 or 1", path, row=row)
            broken[row] = True
        matrix.data[:] = 1
    matrix.data[not_finite] = 0
    return matrix, broken


def arff_table(path: Path, log: FaultLog, labels: int | Path | None) -> tuple[ArffData, np.ndarray] | None:
    """The table without the rows that cannot be read, and each row's line, from 1; None where nothing can be read.

    The whole table is parsed again after each fault, twenty times at most.
    """
    left_out: list[int] = []
    try:
        places = _data_lines(path)
        while True:
            try:
                table = read_arff(path, labels=labels, left_out=left_out)
            except DataFileError as problem:
                if problem.line not in places:
                    log.add("unreadable", after_name(path, problem), path, line=problem.line)
                    return None
                message = after_name(path, problem)
                kind = "label value" if "label value" in message else "malformed line"
                log.add("value not finite" if "finite" in message else kind, message, path, line=problem.line)
                left_out.append(problem.line)
                places.remove(problem.line)
                if len(left_out) >= _ARFF_PASSES:
                    log.add("unreadable", f"{len(left_out)} broken lines; those after them were not looked at", path)
                    return None
            else:
                return table, np.array(places, np.int64)
    except DataFileError as problem:
        log.add("unreadable", after_name(path, problem), path)
    except (ValueError, OSError) as problem:
        log.add("option", str(problem), path)
    return None


def _data_lines(path: Path) -> list[int]:
    """The lines of an ARFF file that hold rows."""
    lines, in_data = [], False
    with open_bytes(path) as stream:
        for number, raw in enumerate(stream, 1):
            text = raw.strip()
            if in_data and text and not text.startswith(b"%"):
                lines.append(number)
            in_data = in_data or text.upper().startswith(b"@DATA")
    return lines


def _with_values_not_finite(path: Path) -> csr_array | None:
    """A sound matrix but for its values; None where there is more that is wrong with it."""
    try:
        matrix = csr_array(sparse.load_npz(path)).astype(np.float32)
    except Exception:  # the strict reader has said already what is wrong with the file
        return None
    matrix.sum_duplicates()
    return matrix
