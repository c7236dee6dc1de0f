"""What can be wrong with a data file, and the error that says so."""

from __future__ import annotations

from pathlib import Path

# Codes that the compiled loops of the text reader hand back; 0 means that all is well.
BAD_LABEL, LABEL_RANGE, DUPLICATE_LABEL = 1, 2, 3
BAD_FEATURE, NO_COLON, FEATURE_RANGE, DUPLICATE_FEATURE = 4, 5, 6, 7
BAD_VALUE, NOT_FINITE, TOO_MANY_ROWS, FILE_CHANGED = 8, 9, 10, 11


class DataFileError(ValueError):
    """A data file that does not hold what its format promises.

    The message names the file, the line (from 1), what was found and what was wanted; the attributes `path` and
    `line` (None where the problem belongs to no single line) hold the first two.
    """

    def __init__(self, path: str | Path, line: int | None, problem: str) -> None:
        where = Path(path).name if line is None else f"{Path(path).name}, line {line}"
        super().__init__(f"{where}: {problem}")
        self.path = Path(path)
        self.line = line
