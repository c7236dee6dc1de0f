"""The parts of a folder, read as far as they can be: each format's files to features or texts, and labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from xmlwb.datasets.own.documents import guess_fields, read_documents
from xmlwb.datasets.own.faults import FaultLog, after_name
from xmlwb.datasets.own.forms import Recognised
from xmlwb.datasets.own.matrices import arff_table, npz_rows
from xmlwb.datasets.own.text_rows import label_rows, read_text_rows
from xmlwb.datasets.readers.folders import _concepts, _label_table
from xmlwb.datasets.readers.jsonl import Documents, label_matrix
from xmlwb.datasets.readers.problems import DataFileError
from xmlwb.datasets.readers.repository import read_names, read_splits

Options = Mapping[str, Any]


@dataclass(frozen=True)
class OwnPart:
    """Sound instances of one part, and where they stand.

    Attributes
    ----------
    Y : csr_array (n, L) float32 of ones
    X : csr_array (n, d) float32, or None where there are texts
    texts : list of str, or None
    file : str
        Name of the file that the instances stand in.
    places : int64 (n,)
        Each instance's line in the file, from 1, or its row, from 0.
    unit : "line" or "row"
    """

    Y: csr_array
    X: csr_array | None
    texts: list[str] | None
    file: str
    places: np.ndarray
    unit: str = "line"

    @property
    def n(self) -> int:
        """How many instances."""
        return int(self.Y.shape[0])

    def at(self, i: int) -> str:
        """ "line 12 of train.txt"."""
        return f"{self.unit} {self.places[i]:,} of {self.file}"

    def place(self, i: int) -> dict[str, Any]:
        """The same as an argument of `FaultLog.add`."""
        return {self.unit: int(self.places[i])}

    def rows(self, chosen: np.ndarray) -> OwnPart:
        """The chosen instances (indices or mask)."""
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen
        return replace(
            self,
            Y=self.Y[chosen],
            X=None if self.X is None else self.X[chosen],
            texts=None if self.texts is None else [self.texts[i] for i in chosen],
            places=self.places[chosen],
        )


@dataclass(frozen=True)
class OwnFiles:
    """What a folder's files hold: parts "train", and maybe "valid" and "test", and names."""

    parts: dict[str, OwnPart]
    feature_names: list[str] | None = None
    label_names: list[str] | None = None
    label_texts: list[str] | None = None
    label_parents: list[tuple[str, ...]] | None = None
    n_splits: int = 1
    used: dict[str, Any] = field(default_factory=dict)


def read_files(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    """Read what the folder holds, all parts with the same columns; None where not even a training part can be read."""
    files = _READERS[found.key](found, log, options)
    if files is None or "train" not in files.parts:
        return None
    return _with_names(found, log, _same_width(files, log))


def _splits(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    path = found.files["train"]
    rows = read_text_rows(path, log, labelled=True)
    if rows is None or rows.Y is None:
        return None
    whole = OwnPart(rows.Y, rows.X, None, path.name, rows.lines)
    try:
        splits = read_splits(found.files["train split"], found.files["test split"], whole.n)
    except (DataFileError, OSError) as problem:
        file, line = (problem.path, problem.line) if isinstance(problem, DataFileError) else (None, None)
        log.add("split", after_name(file, problem) if file else str(problem), file or "", line=line)
        return OwnFiles({"train": whole.rows(~rows.broken)})
    chosen, n_splits = options.get("split") or 0, len(splits.train)
    if not 0 <= chosen < n_splits:
        log.add("option", f"split={chosen}, wanted 0..{n_splits - 1} (the files hold {n_splits})")
        chosen = 0
    parts = {
        part: whole.rows(np.array([row for row in of[chosen] if not rows.broken[row]], np.int64))
        for part, of in (("train", splits.train), ("test", splits.test))
    }
    return OwnFiles(parts, n_splits=n_splits, used={"split": chosen})


def _repository(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    parts = {}
    for part in ("train", "test"):
        path = found.files.get(part)
        rows = None if path is None else read_text_rows(path, log, labelled=True)
        if path is not None and rows is not None and rows.Y is not None:
            parts[part] = OwnPart(rows.Y, rows.X, None, path.name, rows.lines).rows(~rows.broken)
    return OwnFiles(parts)


def _matrices(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    parts = {}
    for part, (path, label_path) in _pairs(found, log).items():
        rows, labels = read_text_rows(path, log, labelled=False), label_rows(label_path, log)
        if rows is not None and labels is not None:
            n = _common_rows(path, rows.X, label_path, labels.X, log)
            whole = OwnPart(labels.X[:n], rows.X[:n], None, path.name, rows.lines[:n])
            parts[part] = whole.rows(~(rows.broken[:n] | labels.broken[:n]))
    return OwnFiles(parts)


def _npz(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    parts = {}
    for part, (path, label_path) in _pairs(found, log).items():
        rows, labels = npz_rows(path, log), npz_rows(label_path, log, labels=True)
        if rows is not None and labels is not None:
            n = _common_rows(path, rows[0], label_path, labels[0], log)
            whole = OwnPart(labels[0][:n], rows[0][:n], None, path.name, np.arange(n, dtype=np.int64), "row")
            parts[part] = whole.rows(~(rows[1][:n] | labels[1][:n]))
    return OwnFiles(parts)


def _arff(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    labels = options.get("arff_labels")
    labels = found.files.get("label list") if labels is None else labels
    parts, names = {}, []
    for part in ("train", "test"):
        path = found.files.get(part)
        read = None if path is None else arff_table(path, log, labels)
        if path is not None and read is not None:
            table, lines = read
            parts[part] = OwnPart(table.Y, table.X, None, path.name, lines)
            names.append((table.feature_names, table.label_names))
    if len(names) == 2 and names[0] != names[1]:
        log.add("widths differ", f"other attributes than {parts['train'].file}, wanted the same in the same order",
                parts.pop("test").file)  # fmt: skip
    return OwnFiles(parts, *names[0]) if names else None


def _json_lines(found: Recognised, log: FaultLog, options: Options) -> OwnFiles | None:
    guessed, label = guess_fields(found.files["train"])
    text_fields = list(options.get("text_fields") or guessed or ["text"])
    label_field = options.get("label_field") or label or "labels"
    ids = names = None
    texts, parents = None, None
    try:
        if "label table" in found.files:
            ids, names = _label_table(found.files["label table"])
            if "concepts" in found.files:
                texts, parents, _ = _concepts(found.files["concepts"], ids, names)
    except DataFileError as problem:
        log.add("names", after_name(problem.path, problem), problem.path, line=problem.line)
        ids = names = None
    known = None if ids is None else set(ids)
    documents: dict[str, tuple[Path, Documents]] = {}
    for part in ("train", "valid", "test"):
        path = found.files.get(part)
        if path is not None:
            fields: dict[str, Any] = {"text_fields": text_fields, "label_field": label_field}
            documents[part] = path, read_documents(path, log, **fields, known=known)
    columns = ids or sorted({label for _, read in documents.values() for label in read.label_names()})
    parts = {
        part: OwnPart(label_matrix(read.labels, columns), None, read.texts, path.name, np.array(read.lines, np.int64))
        for part, (path, read) in documents.items()
    }
    used = {"text_fields": text_fields, "label_field": label_field}
    return OwnFiles(parts, None, names or columns, texts, parents, used=used)


def _pairs(found: Recognised, log: FaultLog) -> dict[str, tuple[Path, Path]]:
    """The files of features and labels of each part."""
    pairs = {}
    for part in ("train", "test"):
        both = [found.files.get(part), found.files.get(f"{part} labels")]
        here = [path for path in both if path is not None]
        if len(here) == 2:
            pairs[part] = (here[0], here[1])
        elif here:
            log.add("files", f"{here[0].name} stands alone in the {part} part; wanted {found.form.wanted}")
    return pairs


def _common_rows(path: Path, X: csr_array, label_path: Path, Y: csr_array, log: FaultLog) -> int:
    if X.shape[0] != Y.shape[0]:
        log.add("rows differ", f"{Y.shape[0]} rows of labels, wanted {X.shape[0]} as in {path.name}", label_path)
    return int(min(X.shape[0], Y.shape[0]))


def _same_width(files: OwnFiles, log: FaultLog) -> OwnFiles:
    """All parts as wide as the widest; a difference is a fault."""
    parts = dict(files.parts)
    for side, what in (("X", "features"), ("Y", "labels")):
        widths = {part: getattr(rows, side).shape[1] for part, rows in parts.items() if getattr(rows, side) is not None}
        if len(set(widths.values())) > 1:
            for part, width in widths.items():
                if width != widths["train"]:
                    train = f"{widths['train']} as in {parts['train'].file}"
                    log.add("widths differ", f"{width} {what}, wanted {train}", parts[part].file)
            for part, rows in parts.items():
                matrix = getattr(rows, side).copy()
                matrix.resize((matrix.shape[0], max(widths.values())))
                parts[part] = replace(rows, **{side: matrix})
    return replace(files, parts=parts)


def _with_names(found: Recognised, log: FaultLog, files: OwnFiles) -> OwnFiles:
    """With the names of features and labels that lie in files of their own."""
    train = files.parts["train"]
    changed: dict[str, list[str] | None] = {}
    for role, matrix in (("feature names", train.X), ("label names", train.Y)):
        path, key = found.files.get(role), role.replace(" ", "_")
        if path is None or matrix is None:
            continue
        try:
            names = read_names(path)
        except (DataFileError, OSError) as problem:
            log.add("unreadable", after_name(path, problem), path)
            continue
        if len(names) == matrix.shape[1]:
            changed[key] = names
        else:
            log.add("names", f"{len(names)} names, wanted {matrix.shape[1]}, one a column", path)
    return replace(files, **changed)  # type: ignore[arg-type]


_READERS: dict[str, Callable[[Recognised, FaultLog, Options], OwnFiles | None]] = {
    "splits": _splits,
    "matrices": _matrices,
    "repository": _repository,
    "jsonl": _json_lines,
    "npz": _npz,
    "arff": _arff,
}
