"""A folder for what is costly to make and can be made again, and arrays kept in it."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from xmlwb.atomic import atomic_path

Arrays = dict[str, np.ndarray]


def cache_dir() -> Path:
    """The cache folder: ``$XMLWB_CACHE`` where set, else the user's cache folder. It need not exist yet."""
    chosen = os.environ.get("XMLWB_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    import pooch  # only here: with the variable set nothing of it is needed

    return Path(pooch.os_cache("xmlwb"))


def digest(*parts: object) -> str:
    """A hash of JSON-serialisable ``parts``: 16 hexadecimal digits, the same on every machine."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write ``arrays`` to ``path`` as npz through a temporary file in the same folder, so never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as partial, open(partial, "wb") as out:
        np.savez(out, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> Arrays:
    """The arrays of an npz file; pickled objects are refused.

    Raises
    ------
    ValueError
        If the file is no npz file, is cut short or holds anything but plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            return {key: file[key] for key in file.files}
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: wanted an npz file of plain arrays, found a damaged one ({error})") from error


def cached_arrays(name: str, make: Callable[[], Arrays], check: Callable[[Arrays], object] | None = None) -> Arrays:
    """The arrays kept under ``name`` in the cache folder, made by ``make`` and kept when they are not there.

    Parameters
    ----------
    name : str
        File name without its ending. It must contain a digest of everything that the arrays depend on.
    make : callable
        Returns the arrays; called only when the cache does not hold them.
    check : callable, optional
        Called with arrays read from the cache; raises ValueError or KeyError if they cannot be right.

    Notes
    -----
    A damaged file is made again, with a warning; where the folder cannot be written, there is a warning and the
    arrays are made on every call.
    """
    path = cache_dir() / "arrays" / f"{name}.npz"
    if path.exists():
        try:
            arrays = read_arrays(path)
            if check is not None:
                check(arrays)
            return arrays
        except (ValueError, KeyError, OSError) as error:
            warnings.warn(f"the cache file {path} is damaged and will be made again: {error}", stacklevel=2)
    arrays = make()
    try:
        write_arrays(path, arrays)
    except OSError as error:
        warnings.warn(f"nothing could be kept in the cache, it will be made again next time: {error}", stacklevel=2)
    return arrays
