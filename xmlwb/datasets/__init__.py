"""Data sets: ``load("debtags")`` gives real text, features and labels with nothing to download."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from .card import Card
from .dataset import Dataset
from .debian import BUNDLED, load_bundled
from .text import TextFeatures

__all__ = ["Card", "Dataset", "TextFeatures", "available", "load"]


def available() -> list[str]:
    """Names that :func:`load` knows: the bundled sets, the synthetic one, then the standard sets."""
    from .registry import STANDARD

    return [*BUNDLED, "synthetic", *STANDARD]


def load(name: str, *, root: str | Path | None = None, split: int | None = None, **options: Any) -> Dataset:
    """A data set by its name.

    Parameters
    ----------
    name : str
        One of :func:`available`, case and punctuation do not matter: a bundled set (``debtags``, ``debdeps``),
        ``synthetic``, or a standard set of the Repository, such as ``bibtex``, whose files must be on disk.
    root : path, optional
        Standard sets only: the folder that holds the files (default: ``$XMLWB_DATA``, then the cache folder).
    split : int, optional
        Standard sets only: which of the set's given splits, where it has several.
    **options
        Sets with texts: ``text_features``, an unfitted :class:`TextFeatures` for other settings than the default.
        Standard sets: ``unit_rows=False`` keeps the files' feature values, else each row is divided by its length.
        ``synthetic``: the parameters of ``make_synthetic``.

    Raises
    ------
    ValueError
        For a name that is not known; the error lists those near it.
    """
    from .registry import normal_name, set_info

    key = normal_name(name)
    if key not in BUNDLED and key != "synthetic":
        try:
            info = set_info(name)
        except ValueError:
            raise ValueError(f"name: no data set is called {name!r}; {_near(name)}") from None
        from .standard import load_standard

        return load_standard(info.key, root=root, split=split, **options)
    if root is not None or split is not None:
        raise ValueError(f"root, split: {key} takes neither, it needs no files and has one split")
    if key in BUNDLED:
        return load_bundled(key, **options)
    from .synthetic import make_synthetic

    return make_synthetic(**options)


def _near(name: str) -> str:
    names = available()
    near = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"wanted one of {', '.join(names)}"
