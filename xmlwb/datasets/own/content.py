"""Checks across the parts of a data set: leaks, labels that cannot be learned, instances with nothing."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np

from xmlwb.datasets.own.faults import FaultLog
from xmlwb.datasets.own.parts import OwnFiles, OwnPart

_SHOWN_NAMES = 5


def check_content(files: OwnFiles, log: FaultLog, *, counted: bool) -> None:
    """Note what is wrong with the data as a whole, in O(nnz); ``counted``: somebody wrote the indices by hand."""
    train = files.parts["train"]
    if train.n == 0 or train.Y.nnz == 0 or (train.X is not None and train.X.nnz == 0):
        what = "no sound rows" if train.n == 0 else "no labels at all" if train.Y.nnz == 0 else "no features at all"
        log.add("nothing to learn", f"{what} in the training part", train.file)
        return
    if "test" in files.parts and files.parts["test"].n == 0:
        log.add("nothing to learn", "no sound rows in the test part", files.parts["test"].file)
    _check_copies(files, log)
    _check_labels(files, log)
    for name, part in files.parts.items():
        _check_rows(name, part, log)
    for what, names in (("label", files.label_names), ("feature", files.feature_names)):
        if names is not None and len(set(names)) < len(names):
            seen: set[str] = set()
            twice = [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
            log.add("names twice", f"{len(twice)} {what} names occur more than once, first {twice[0]!r}")
    if counted:
        _check_first_column(files, log)


def row_marks(part: OwnPart) -> list[bytes | None]:
    """A mark of each instance that equal instances share: a hash of its features, or of its text without case and
    white space; None for an instance with nothing."""
    if part.texts is not None:
        return [_mark(" ".join(text.lower().split()).encode("utf-8", "surrogatepass")) for text in part.texts]
    X = part.X
    assert X is not None
    indices, data = X.indices.astype(np.int64), X.data.astype(np.float32)
    starts = X.indptr.tolist()
    return [_mark(indices[a:b].tobytes() + data[a:b].tobytes()) for a, b in pairwise(starts)]


def _mark(content: bytes) -> bytes | None:
    return hashlib.blake2b(content, digest_size=16).digest() if content else None


def _check_copies(files: OwnFiles, log: FaultLog) -> None:
    train = files.parts["train"]
    first: dict[bytes, int] = {}
    for i, mark in enumerate(row_marks(train)):
        if mark is None:
            continue
        if mark in first:
            labels = "the same labels" if _labels_of(train, i) == _labels_of(train, first[mark]) else "other labels"
            message = f"the same {_content(train)} as {train.at(first[mark])}, with {labels}"
            log.add("training rows twice", message, train.file, **train.place(i))
        else:
            first[mark] = i
    for name in ("valid", "test"):
        part = files.parts.get(name)
        for i, mark in enumerate(row_marks(part)) if part is not None else ():
            if part is not None and mark is not None and mark in first:
                same = _labels_of(part, i) == _labels_of(train, first[mark])
                message = f"the same {_content(part)} as {train.at(first[mark])}, with " + (
                    "the same labels" if same else "other labels"
                )
                log.add("leak", message, part.file, **part.place(i), apart=name)


def _content(part: OwnPart) -> str:
    return "features" if part.texts is None else "text"


def _labels_of(part: OwnPart, i: int) -> list[int]:
    return sorted(part.Y.indices[part.Y.indptr[i] : part.Y.indptr[i + 1]].tolist())


def _check_labels(files: OwnFiles, log: FaultLog) -> None:
    L = files.parts["train"].Y.shape[1]
    per = {name: np.bincount(part.Y.indices, minlength=L) for name, part in files.parts.items()}
    elsewhere = np.sum([counts for name, counts in per.items() if name != "train"] or [np.zeros(L, np.int64)], axis=0)
    never = np.flatnonzero((per["train"] == 0) & (elsewhere > 0))
    unused = np.flatnonzero((per["train"] == 0) & (elsewhere == 0))
    if never.size:
        theirs, all_positives = int(elsewhere[never].sum()), int(elsewhere.sum())
        message = (
            f"{never.size:,} of {L:,} labels have no training positive, but {theirs:,} of {all_positives:,} positives "
            f"of the other parts: {_named(never, files.label_names)}"
        )
        log.add("labels never trained", message)
    if unused.size:
        message = f"{unused.size:,} of {L:,} labels occur nowhere: {_named(unused, files.label_names)}"
        log.add("labels unused", message)


def _named(labels: np.ndarray, names: list[str] | None) -> str:
    shown = [repr(names[i]) if names is not None else f"label {i}" for i in labels[:_SHOWN_NAMES].tolist()]
    return ", ".join(shown) + (" ..." if labels.size > _SHOWN_NAMES else "")


def _check_rows(name: str, part: OwnPart, log: FaultLog) -> None:
    for row in np.flatnonzero(np.diff(part.Y.indptr) == 0).tolist():
        log.add("no labels", f"no labels ({name} part)", part.file, **part.place(row), apart=name)
    if part.texts is not None:
        empty = np.array([not text.strip() for text in part.texts], bool)
    else:
        assert part.X is not None
        empty = np.diff(part.X.indptr) == 0
    for row in np.flatnonzero(empty).tolist():
        message = f"no {'text' if part.texts is not None else 'features'} ({name} part)"
        log.add("no features", message, part.file, **part.place(row), apart=name)


def _check_first_column(files: OwnFiles, log: FaultLog) -> None:
    """Indices from 1 leave column 0 empty; a label or feature that happens to be empty does so too, hence a warning
    only where both column 0 are."""
    zero = [
        (part.X is not None and bool((part.X.indices == 0).any())) or bool((part.Y.indices == 0).any())
        for part in files.parts.values()
    ]
    if not any(zero):
        log.add("numbered from 1", "neither feature 0 nor label 0 occurs in any part")
