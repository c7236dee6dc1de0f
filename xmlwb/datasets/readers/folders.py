"""Recognise how a folder lays out a data set, and read it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
    "X.trn.npz + Y.trn.npz + X.tst.npz + Y.tst.npz (X also in a folder tfidf-attnxml)",
    "NAME-train.arff + NAME-test.arff + NAME.xml",
)
"""The file names that `read_folder` knows, for messages."""

_DEPTH = 2  # archives nest their files in one or two folders
_PECOS_FEATURES = "tfidf-attnxml"  # the folder that PECOS keeps its features in, beside the labels


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
    files = _files(Path(folder))
    for patterns, reader in _READERS:
        paths = _pick_all(files, patterns)
        if paths is not None:
            data = reader(paths, files, split or 0)
            if not 0 <= (split or 0) < data.n_splits:
                raise _no_such_split(split, data.n_splits)
            return data
    return None


def with_subfolders(folder: Path, depth: int = _DEPTH) -> Iterator[Path]:
    """A folder and those below it, as deep as archives nest their files."""
    yield folder
    if depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir():
                yield from with_subfolders(child, depth - 1)


def recognised_below(folder: Path) -> bool:
    """Whether `folder`, or one of those below it, has the file names of a known layout. Reads no file."""
    return folder.is_dir() and any(
        _pick_all(_files(place), patterns) is not None for place in with_subfolders(folder) for patterns, _ in _READERS
    )


def _files(folder: Path) -> dict[str, Path]:
    """The files in a folder by name; PECOS's features by their path from here."""
    files = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
    features = sorted((folder / _PECOS_FEATURES).glob("X.*.npz"))
    return files | {f"{_PECOS_FEATURES}/{path.name}": path for path in features}


def _no_such_split(split: int | None, n_splits: int) -> ValueError:
    return ValueError(f"split={split}, wanted 0..{n_splits - 1} (the files hold {n_splits})")


def _pick(files: dict[str, Path], pattern: str) -> Path | None:
    """The one file whose whole name matches, the shortest name if several do."""
    names = [name for name in files if re.fullmatch(pattern, name, re.IGNORECASE)]
    return files[min(names, key=len)] if names else None


def _pick_all(files: dict[str, Path], patterns: tuple[str, ...]) -> list[Path] | None:
    """A file for each pattern; None where one is missing."""
    paths = [_pick(files, pattern) for pattern in patterns]
    found = [path for path in paths if path is not None]
    return found if len(found) == len(paths) else None


def _names(files: dict[str, Path], pattern: str, expected: int) -> list[str] | None:
    path = _pick(files, pattern)
    return None if path is None else read_names(path, expected)


_FEATURE_NAMES = r"(feature_names|Xf)\.txt(\.gz)?"
_LABEL_NAMES = r"(label_names|Yf|Y)\.txt(\.gz)?"


def _one_file(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    data, train, test = paths
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


def _train_and_test(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    train, test = paths
    return _pair("train and test files", files, Part(*read_repository(train)[::-1]), Part(*read_repository(test)[::-1]))


def _folder_form(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    train_y, train_x, test_y, test_x = paths
    return _pair(
        "folder form",
        files,
        Part(read_label_matrix(train_y), read_matrix(train_x)),
        Part(read_label_matrix(test_y), read_matrix(test_x)),
    )


def _npz(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    from xmlwb.datasets.readers.npz import read_npz_matrix

    train_y, train_x, test_y, test_x = map(read_npz_matrix, paths)
    return _pair("npz matrices", files, Part(train_y, train_x), Part(test_y, test_x))


def _arff(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    from xmlwb.datasets.readers.arff import read_arff

    train, test, labels = paths
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


_TEXT_FIELDS = ("title", "header", "recitals", "main_body", "text")  # EURLEX57K's, or a plain text


def _json_lines(paths: list[Path], files: dict[str, Path], split: int) -> FolderData:
    valid_path = _pick(files, r"(dev|valid|validation)\.jsonl(\.gz)?")
    documents = {path: read_jsonl(path, text_fields=_TEXT_FIELDS) for path in [*paths, valid_path] if path is not None}
    ids = names = sorted({label for part in documents.values() for label in part.label_names()})
    table, concepts = _pick(files, r"labels\.tsv"), _pick(files, r"eurovoc_en\.json")
    if table is not None:
        ids, names = _label_table(table)
        for path, part in documents.items():
            _check_labels(path, part, set(ids), table)
    train, test, *valid = (Part(label_matrix(part.labels, ids), texts=part.texts) for part in documents.values())
    texts, parents, notes = (None, None, ()) if concepts is None else _concepts(concepts, ids, names)
    return FolderData(
        "JSON lines",
        train,
        test,
        valid[0] if valid else None,
        label_names=names,
        label_texts=texts,
        label_parents=parents,
        notes=notes,
    )


def _label_table(path: Path) -> tuple[list[str], list[str]]:
    """Ids and names of the labels from a table with a head line; names that occur twice get their id added."""
    ids_names: dict[str, str] = {}
    with open(path, "rb") as stream:
        lines = [(number, line) for number, line in enumerate(stream, 1) if line.strip()][1:]
    for number, line in lines:
        try:
            columns = line.decode("utf-8").rstrip("\r\n").split("\t")
        except UnicodeDecodeError as problem:
            raise DataFileError(path, number, f"{problem}; wanted UTF-8") from None
        if len(columns) < 2:
            raise DataFileError(path, number, "one column, wanted a label's id and its name")
        if columns[0] in ids_names:
            raise DataFileError(path, number, f"label {columns[0]!r} a second time, wanted each once")
        ids_names[columns[0]] = columns[1]
    times = Counter(ids_names.values())
    names = [f"{name} ({key})" if times[name] > 1 else name for key, name in ids_names.items()]
    return list(ids_names), names


def _check_labels(path: Path, documents: Documents, known: set[str], table: Path) -> None:
    for line, labels in zip(documents.lines, documents.labels, strict=True):
        for label in labels:
            if label not in known:
                raise DataFileError(path, line, f"label {label!r}, wanted one of the {len(known):,} in {table.name}")


def _concepts(path: Path, ids: list[str], names: list[str]) -> tuple[list[str], list[tuple[str, ...]], tuple[str, ...]]:
    """(texts, parents' names, notes) of the labels from EuroVoc's concepts."""
    try:
        concepts = json.loads(path.read_bytes())
    except ValueError as problem:  # a UnicodeDecodeError is one too
        line = problem.lineno if isinstance(problem, json.JSONDecodeError) else None
        raise DataFileError(path, line, f"{problem}; wanted JSON in UTF-8") from None
    if not isinstance(concepts, dict):
        raise DataFileError(path, None, f"a JSON {type(concepts).__name__}, wanted an object")
    for key, concept in concepts.items():
        if not _is_concept(concept):
            raise DataFileError(
                path, None, f"entry {key!r} is {str(concept)[:60]}, wanted a label, and lists of alt_labels and parents"
            )
    texts, parents = [], []
    for key, name in zip(ids, names, strict=True):
        concept = concepts.get(key, {})
        texts.append("; ".join([concept.get("label", name), *concept.get("alt_labels", [])]))
        parents.append(tuple(concepts[p]["label"] if p in concepts else p for p in concept.get("parents", [])))
    unknown = sum(key not in concepts for key in ids)
    note = f"{unknown} labels stand in no entry of {path.name}: no parents, the name as text."
    return texts, parents, (note,) if unknown else ()


def _is_concept(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("label"), str):
        return False
    lists = [found.get(field, []) for field in ("alt_labels", "parents")]
    return all(isinstance(entries, list) and all(isinstance(entry, str) for entry in entries) for entries in lists)


_Reader = Callable[[list[Path], dict[str, Path], int], FolderData]
_READERS: tuple[tuple[tuple[str, ...], _Reader], ...] = (
    ((r".*_data\.txt(\.gz)?", r".*_(tr|trn|train)_?split\.txt", r".*_(tst|test)_?split\.txt"), _one_file),
    (tuple(rf"{part}_X_{side}\.txt(\.gz)?" for part in ("trn", "tst") for side in ("Y", "Xf")), _folder_form),
    ((r"(.*_)?train\.txt(\.gz)?", r"(.*_)?test\.txt(\.gz)?"), _train_and_test),
    ((r"train\.jsonl(\.gz)?", r"test\.jsonl(\.gz)?"), _json_lines),
    (
        tuple(rf"{side}\.{part}\.npz" for part in ("trn", "tst") for side in ("Y", rf"({_PECOS_FEATURES}/)?X")),
        _npz,
    ),
    ((r".*train\.arff(\.gz)?", r".*test\.arff(\.gz)?", r".*\.xml"), _arff),
)
"""The files that each layout must have, in the order that its reader takes them."""
