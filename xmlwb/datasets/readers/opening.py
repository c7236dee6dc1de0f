"""Open a data file, gzipped or not."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from xmlwb.datasets.readers.problems import DataFileError


@contextmanager
def open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """The bytes of a file, decompressed where its name ends in `.gz`.

    Raises
    ------
    DataFileError
        From the block: a gzip file that is damaged or cut short.
    """
    if path.suffix != ".gz":
        with open(path, "rb") as stream:
            yield stream
        return
    try:
        with gzip.open(path, "rb") as unpacked:
            yield unpacked  # type: ignore[misc]
    except (EOFError, gzip.BadGzipFile, zlib.error) as problem:
        raise DataFileError(path, None, f"{problem}; wanted a whole gzip file") from None
