"""TF-IDF features of a data set's parts, made once and then kept in the cache folder."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version

from scipy.sparse import csr_array

from .cache import Arrays, cached_arrays, digest
from .text import TextFeatures, TextSettings

FEATURE_CODE = 1  # to be raised whenever the same texts and settings begin to give other features

Texts = Mapping[str, Sequence[str]]


def cached_features(
    name: str, texts: Texts, settings: TextSettings | None = None
) -> tuple[dict[str, csr_array], TextFeatures]:
    """X of every part, and the features fitted on the part "train" alone; from the cache where it has them.

    Parameters
    ----------
    name : the data set's, the beginning of the cache file's name.
    texts : part ("train", "valid", ...) to its texts.
    settings : None takes the defaults of `TextFeatures`.

    Notes
    -----
    The cache's key hashes the texts themselves, the settings, scikit-learn's version and `FEATURE_CODE`, so that
    changed texts never meet features of others.
    """
    settings = TextSettings() if settings is None else settings
    key = digest(text_digest(texts), asdict(settings), version("scikit-learn"), FEATURE_CODE)
    sizes = {part: len(items) for part, items in texts.items()}
    arrays = cached_arrays(f"{name}-{key}", partial(_make, texts, settings), partial(_unpack, sizes=sizes))
    return _unpack(arrays, sizes)


def text_digest(texts: Texts) -> str:
    """A hash of all texts and of the parts that they are in."""
    total = hashlib.sha256()
    for part, items in sorted(texts.items()):
        total.update(f"\0{part}\0{len(items)}\0".encode())
        for text in items:
            total.update(text.encode("utf-8", errors="surrogatepass") + b"\0")
    return total.hexdigest()


def _make(texts: Texts, settings: TextSettings) -> Arrays:
    features = TextFeatures(**asdict(settings))
    X = {"train": features.fit_transform(texts["train"])}
    X |= {part: features.transform(items) for part, items in texts.items() if part != "train"}
    arrays = features.to_arrays()
    for part, rows in X.items():
        arrays |= {f"{part}_data": rows.data, f"{part}_indices": rows.indices, f"{part}_indptr": rows.indptr}
    return arrays


def _unpack(arrays: Arrays, sizes: Mapping[str, int]) -> tuple[dict[str, csr_array], TextFeatures]:
    """What `_make` packed; KeyError or ValueError where the arrays cannot be those of parts of these sizes."""
    fitted = TextFeatures.from_stored(arrays)
    X = {}
    for part, n in sizes.items():
        stored = (arrays[f"{part}_data"], arrays[f"{part}_indices"], arrays[f"{part}_indptr"])
        X[part] = csr_array(stored, shape=(n, len(fitted.idf)))
        X[part].has_canonical_format = True  # sorted before it was stored; scipy would look at every entry
    return X, fitted
