"""Recognise how a folder lays out a data set, and read it."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from scipy.sparse import csr_array

from xmlwb.datasets.readers.jsonl import Documents, label_matrix, read_jsonl
from xmlwb.datasets.readers.problems import DataFileError
from xmlwb.datasets.readers.repository import (
    read_label_matrix,
    read_matrix,
    read_names,
    read_repository,
    read_splits,
)

LAYOUTS_WANTED = (
    "NAME_data.txt + NAME_trSplit.txt + NAME_tstSplit.txt",
    "train.txt + test.txt (or NAME_train.txt + NAME_test.txt)",
    "trn_X_Xf.txt + trn_X_Y.txt + tst_X_Xf.txt + tst_X_Y.txt",
    "train.jsonl + test.jsonl (and dev.jsonl; .gz too)",
    "X.trn.npz + Y.trn.npz + X.tst.npz + Y.tst.npz",
    "NAME-train.arff + NAME-test.arff + NAME.xml",
)
"""The file names that `read_folder` knows, for messages."""


@dataclass(frozen=True)
class Part:
    """Instances of one part of a set: labels, and features or texts."""

    Y: csr_array
    X: csr_array | None = None
    texts: list[str] | None = None


@dataclass(frozen=True)
class FolderData:
    """What a folder held; None where it says nothing about a thing.

    `layout` names the form that was recognised, `n_splits` how many splits there are to choose from.
    """

    layout: str
    train: Part
    test: Part
    valid: Part | None = None
    n_splits: int = 1
    feature_names: list[str] | None = None
    label_names: list[str] | None = None
    label_texts: list[str] | None = None
    label_parents: list[tuple[str, ...]] | None = None
    notes: tuple[str, ...] = field(default=())


def read_folder(folder: str | Path, *, split: int | None = None) -> FolderData | None:
    """Read the data set that lies directly in `folder`; None where no known layout is found.

    Parameters
    ----------
    folder : a folder whose files follow one of `LAYOUTS_WANTED`; case does not matter.
    split : which of several splits, from 0; None takes the first.

    Raises
    ------
    ValueError
        A split that the folder does not have.
    DataFileError
        A file that does not hold what its format promises.
    """
    files = {path.name: path for path in sorted(Path(folder).iterdir()) if path.is_file()}
    for reader in _READERS:
        data = reader(files, split or 0)
        if data is not None:
            if not 0 <= (split or 0) < data.n_splits:
                raise _no_such_split(split, data.n_splits)
            return data
    return None


def _no_such_split(split: int | None, n_splits: int) -> ValueError:
    return ValueError(f"split={split}, wanted 0..{n_splits - 1} (the files hold {n_splits})")


def _pick(files: dict[str, Path], pattern: str) -> Path | None:
    """The one file whose whole name matches, the shortest name if several do."""
    names = [name for name in files if re.fullmatch(pattern, name, re.IGNORECASE)]
    return files[min(names, key=len)] if names else None


def _names(files: dict[str, Path], pattern: str, expected: int) -> list[str] | None:
    path = _pick(files, pattern)
    return None if path is None else read_names(path, expected)


_FEATURE_NAMES = r"(feature_names|Xf)\.txt(\.gz)?"
_LABEL_NAMES = r"(label_names|Yf|Y)\.txt(\.gz)?"


def _one_file(files: dict[str, Path], split: int) -> FolderData | None:
    data = _pick(files, r".*_data\.txt(\.gz)?")
    train = _pick(files, r".*_(tr|trn|train)_?split\.txt")
    test = _pick(files, r".*_(tst|test)_?split\.txt")
    if data is None or train is None or test is None:
        return None
    X, Y = read_repository(data)
    splits = read_splits(train, test, X.shape[0])
    if not 0 <= split < len(splits.train):
        raise _no_such_split(split, len(splits.train))
    rows, test_rows = splits.train[split], splits.test[split]
    return FolderData(
        "one file with splits",
        Part(Y[rows], X[rows]),
        Part(Y[test_rows], X[test_rows]),
        n_splits=len(splits.train),
        feature_names=_names(files, _FEATURE_NAMES, X.shape[1]),
        label_names=_names(files, _LABEL_NAMES, Y.shape[1]),
    )


def _train_and_test(files: dict[str, Path], split: int) -> FolderData | None:
    train = _pick(files, r"(.*_)?train\.txt(\.gz)?")
    test = _pick(files, r"(.*_)?test\.txt(\.gz)?")
    if train is None or test is None:
        return None
    return _pair("train and test files", files, Part(*read_repository(train)[::-1]), Part(*read_repository(test)[::-1]))


def _folder_form(files: dict[str, Path], split: int) -> FolderData | None:
    paths = [_pick(files, rf"{part}_X_{side}\.txt(\.gz)?") for part in ("trn", "tst") for side in ("Y", "Xf")]
    if any(path is None for path in paths):
        return None
    train_y, train_x, test_y, test_x = (path for path in paths if path is not None)
    return _pair(
        "folder form",
        files,
        Part(read_label_matrix(train_y), read_matrix(train_x)),
        Part(read_label_matrix(test_y), read_matrix(test_x)),
    )


def _npz(files: dict[str, Path], split: int) -> FolderData | None:
    from xmlwb.datasets.readers.npz import read_npz_matrix

    paths = [_pick(files, rf"{side}\.{part}\.npz") for part in ("trn", "tst") for side in ("Y", "X")]
    if any(path is None for path in paths):
        return None
    train_y, train_x, test_y, test_x = (read_npz_matrix(path) for path in paths if path is not None)
    return _pair("npz matrices", files, Part(train_y, train_x), Part(test_y, test_x))


def _arff(files: dict[str, Path], split: int) -> FolderData | None:
    from xmlwb.datasets.readers.arff import read_arff

    train, test = _pick(files, r".*train\.arff(\.gz)?"), _pick(files, r".*test\.arff(\.gz)?")
    labels = _pick(files, r".*\.xml")
    if train is None or test is None or labels is None:
        return None
    a, b = read_arff(train, labels=labels), read_arff(test, labels=labels)
    if (a.feature_names, a.label_names) != (b.feature_names, b.label_names):
        raise DataFileError(test, None, f"other attributes than {train.name}, wanted the same in the same order")
    parts = Part(a.Y, a.X), Part(b.Y, b.X)
    return FolderData("MULAN ARFF", *parts, feature_names=a.feature_names, label_names=a.label_names)


def _pair(layout: str, files: dict[str, Path], train: Part, test: Part) -> FolderData:
    """A train and a test part that lie in files of their own and must have the same columns."""
    assert train.X is not None
    assert test.X is not None
    folder = next(iter(files.values())).parent
    for what, a, b in (("features", train.X, test.X), ("labels", train.Y, test.Y)):
        if a.shape[1] != b.shape[1]:
            raise DataFileError(
                folder, None, f"{b.shape[1]} {what} in the test part, wanted {a.shape[1]} as in training"
            )
    for name, part in (("training", train), ("test", test)):
        rows, wanted = part.Y.shape[0], part.X.shape[0]  # type: ignore[union-attr]
        if rows != wanted:
            raise DataFileError(
                folder, None, f"{rows} rows of labels in the {name} part, wanted {wanted} as of features"
            )
    return FolderData(
        layout,
        train,
        test,
        feature_names=_names(files, _FEATURE_NAMES, train.X.shape[1]),
        label_names=_names(files, _LABEL_NAMES, train.Y.shape[1]),
    )


_TEXT_FIELDS = ("title", "header", "recitals", "main_body")


def _json_lines(files: dict[str, Path], split: int) -> FolderData | None:
    train = _pick(files, r"train\.jsonl(\.gz)?")
    test = _pick(files, r"test\.jsonl(\.gz)?")
    valid = _pick(files, r"(dev|valid|validation)\.jsonl(\.gz)?")
    if train is None or test is None:
        return None
    documents = [_documents(path) if path is not None else None for path in (train, test, valid)]
    present = [part for part in documents if part is not None]
    ids = sorted({label for part in present for label in part.label_names()})
    names, label_texts, parents, notes = _vocabulary(files, ids)
    ids = names[0]
    parts = [None if d is None else Part(label_matrix(d.labels, ids), texts=d.texts) for d in documents]
    assert parts[0] is not None
    assert parts[1] is not None
    return FolderData(
        "JSON lines",
        parts[0],
        parts[1],
        parts[2],
        label_names=names[1],
        label_texts=label_texts,
        label_parents=parents,
        notes=notes,
    )


def _documents(path: Path) -> Documents:
    """A JSON-lines file of texts: EURLEX57K's fields, or a plain `text`."""
    return read_jsonl(path, text_fields=(*_TEXT_FIELDS, "text"))


def _vocabulary(
    files: dict[str, Path], occurring: list[str]
) -> tuple[tuple[list[str], list[str]], list[str] | None, list[tuple[str, ...]] | None, tuple[str, ...]]:
    """((ids, names), texts, parents' names, notes) of the labels, from labels.tsv and eurovoc_en.json if there."""
    table, concepts = _pick(files, r"labels\.tsv"), _pick(files, r"eurovoc_en\.json")
    ids, names = occurring, occurring
    if table is not None:
        with open(table, encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row][1:]
        short = next((number for number, row in enumerate(rows, 2) if len(row) < 2), None)
        if short is not None:
            raise DataFileError(table, short, "one column, wanted a label's id and its name")
        ids, names = [row[0] for row in rows], [row[1] for row in rows]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    names = [f"{name} ({key})" if name in twice else name for key, name in zip(ids, names, strict=True)]
    if concepts is None:
        return (ids, names), None, None, ()
    with open(concepts, encoding="utf-8") as stream:
        facts = json.load(stream)
    texts, parents = [], []
    for key, name in zip(ids, names, strict=True):
        fact = facts.get(key, {})
        texts.append("; ".join([fact.get("label", name), *fact.get("alt_labels", [])]))
        parents.append(tuple(facts[p]["label"] if p in facts else p for p in fact.get("parents", [])))
    unknown = sum(key not in facts for key in ids)
    note = f"{unknown} labels stand in no entry of {concepts.name}: no parents, the name as text."
    return (ids, names), texts, parents, (note,) if unknown else ()


_READERS: tuple[Callable[[dict[str, Path], int], FolderData | None], ...] = (
    _one_file,
    _folder_form,
    _train_and_test,
    _json_lines,
    _npz,
    _arff,
)
