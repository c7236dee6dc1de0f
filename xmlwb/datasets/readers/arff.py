"""Multi-label ARFF files, as MULAN and MEKA distribute them: dense or sparse, labels among the attributes.

liac-arff parses the declarations and any row with quotes or names in it; plain numeric rows, which is nearly all of
every published set, are taken apart here, because liac-arff needs about a minute for 10 MB of them.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import arff
import numpy as np
from scipy.sparse import coo_array, csr_array

from xmlwb.datasets.readers.problems import DataFileError

_PLAIN = re.compile(r"[-+0-9.eE,\s]*")
_PLAIN_SPARSE = re.compile(r"\{[-+0-9.eE,\s]*\}")


@dataclass(frozen=True)
class ArffData:
    """Features (n, d) float32, labels (n, L) float32 of ones, and the names of their columns."""

    X: csr_array
    Y: csr_array
    feature_names: list[str]
    label_names: list[str]


def read_arff(path: str | Path, *, labels: int | str | Path | None = None) -> ArffData:
    """Read a multi-label ARFF file (`.gz` too).

    Parameters
    ----------
    path : the file; dense rows (`0,1.5,1`) and sparse ones (`{1 1.5, 2 1}`) may be mixed.
    labels : which attributes are labels: a number q > 0 for the first q, q < 0 for the last -q, the path of MULAN's
        XML file of label names, or None for the number that MEKA writes into the relation (`-C 6`).

    Returns
    -------
    ArffData
        A numeric attribute, or a nominal one whose values are numbers, is one feature. A nominal attribute with
        other values gives one 0/1 feature `name=value` for each value but the first (the one that a sparse row
        leaves out).

    Raises
    ------
    DataFileError
        Names the file, the line, what was found and what was wanted.

    Notes
    -----
    Memory follows the stored entries; time is that of Python's own splitting, some 10 to 40 MB/s.
    """
    path = Path(path)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as stream:
        header, first = _read_header(path, stream)
        is_label = _label_mask(path, header, labels)
        columns = _Columns(path, header["attributes"], is_label)
        for number, line in enumerate(stream, first):
            text = line.strip()
            if text and not text.startswith("%"):
                columns.add(number, text)
    return columns.finish()


def read_mulan_labels(path: str | Path) -> list[str]:
    """Names of the labels in MULAN's XML file, outer before inner ones where they are nested.

    Raises
    ------
    DataFileError
        No XML, or no label in it.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as problem:
        raise DataFileError(path, problem.position[0], f"{problem}; wanted MULAN's XML of labels") from None
    names = [element.get("name", "") for element in root.iter() if element.tag.rpartition("}")[2] == "label"]
    if not names or not all(names):
        raise DataFileError(path, None, f"{len(names)} label elements with names, wanted at least one")
    return names


def _read_header(path: Path, stream: Iterable[str]) -> tuple[dict, int]:
    """liac-arff's view of everything up to @data, and the number of the line after it."""
    lines: list[str] = []
    for line in stream:
        lines.append(line)
        if line.strip().upper().startswith("@DATA"):
            break
    else:
        raise DataFileError(path, len(lines), "the file ends without @data, wanted an ARFF file")
    try:
        return arff.loads("".join(lines)), len(lines) + 1
    except arff.ArffException as problem:
        raise DataFileError(path, getattr(problem, "line", None), f"{problem} Wanted ARFF declarations") from None


def _label_mask(path: Path, header: dict, labels: int | str | Path | None) -> np.ndarray:
    names = [name for name, _ in header["attributes"]]
    if labels is None:
        option = re.search(r"-C\s+(-?\d+)", header["relation"])
        if option is None:
            raise DataFileError(path, None, "no '-C number' in the relation, wanted labels= as a number or an XML file")
        labels = int(option[1])
    mask = np.zeros(len(names), bool)
    if isinstance(labels, int):
        if not 0 < abs(labels) <= len(names):
            raise ValueError(f"labels={labels}, wanted 1..{len(names)} or -{len(names)}..-1 ({path.name})")
        mask[slice(None, labels) if labels > 0 else slice(labels, None)] = True
        return mask
    wanted = read_mulan_labels(labels)
    missing = sorted(set(wanted) - set(names))
    if missing:
        raise DataFileError(path, None, f"no attribute {missing[0]!r}, wanted every label of {Path(labels).name}")
    mask[[names.index(name) for name in wanted]] = True
    return mask


class _Columns:
    """Collects the entries of rows under the columns of X and Y."""

    def __init__(self, path: Path, attributes: list[tuple[str, str | list[str]]], is_label: np.ndarray) -> None:
        self.path = path
        self.attributes = attributes
        self.is_label = is_label
        self.rows, self.columns, self.values = [], [], []  # type: list[np.ndarray], list[np.ndarray], list[np.ndarray]
        self.feature_names: list[str] = []
        self.label_names = [name for (name, _), label in zip(attributes, is_label, strict=True) if label]
        # First column of each attribute; X's columns are counted from 0, Y's from 0 too.
        self.first = np.zeros(len(attributes), np.int64)
        self.named = np.zeros(len(attributes), bool)  # nominal, its values no numbers
        self.odd_zero = np.zeros(len(attributes), bool)  # nominal, and what a sparse row leaves out is not 0
        n_labels = 0
        for i, (name, kind) in enumerate(attributes):
            nominal = isinstance(kind, list)
            numbers = [_as_number(value) for value in kind] if nominal else []
            self.named[i] = None in numbers
            self.odd_zero[i] = nominal and not self.named[i] and numbers[0] != 0.0
            if is_label[i]:
                self.first[i] = n_labels
                n_labels += 1
                if self.named[i] or not set(numbers) <= {0.0, 1.0}:
                    raise DataFileError(path, None, f"label {name!r} with the values {kind}, wanted 0 and 1")
            elif kind == "STRING":
                raise DataFileError(path, None, f"attribute {name!r} is a string, wanted numbers or nominal values")
            else:
                self.first[i] = len(self.feature_names)
                self.feature_names += [f"{name}={v}" for v in kind[1:]] if self.named[i] else [name]
        self.n_rows = 0

    def add(self, number: int, text: str) -> None:
        sparse_row = text.startswith("{")
        plain = (_PLAIN_SPARSE if sparse_row else _PLAIN).fullmatch(text) is not None
        try:
            indices, raw = self._split(text, sparse_row, plain)
        except (ValueError, arff.ArffException) as problem:
            raise DataFileError(self.path, number, f"{text[:60]!r}: {problem}; wanted an ARFF row") from None
        n = len(self.attributes)
        if not sparse_row and len(raw) != n:
            raise DataFileError(self.path, number, f"{len(raw)} values, wanted {n} (one for each attribute)")
        if indices.size and (indices.min() < 0 or indices.max() >= n):
            raise DataFileError(self.path, number, f"attribute index {indices.max()}, wanted 0..{n - 1}")
        if np.unique(indices).size < indices.size:
            raise DataFileError(self.path, number, "an attribute index twice, wanted each once")
        if sparse_row and self.odd_zero.any():
            left_out = np.setdiff1d(np.flatnonzero(self.odd_zero), indices)
            if left_out.size:
                name = self.attributes[left_out[0]][0]
                raise DataFileError(
                    self.path, number, f"no value for {name!r}, whose first nominal value is not 0; wanted it written out"
                )
        values = self._numbers(number, indices, raw)
        kept = np.flatnonzero(values)
        self.rows.append(np.full(kept.size, self.n_rows))
        self.columns.append(indices[kept])
        self.values.append(values[kept])
        self.n_rows += 1

    @staticmethod
    def _split(text: str, sparse_row: bool, plain: bool) -> tuple[np.ndarray, list[str]]:
        """(attribute indices, values as text) of a row."""
        if not plain:
            parsed = next(_parse_with_library(text))
            pairs = parsed if isinstance(parsed, dict) else dict(enumerate(parsed))
            return np.fromiter(pairs, np.int64, len(pairs)), list(pairs.values())
        if not sparse_row:
            values = text.split(",")
            return np.arange(len(values)), values
        fields = [entry.split() for entry in text[1:-1].split(",") if not entry.isspace() and entry]
        if any(len(entry) != 2 for entry in fields):
            raise ValueError("an entry that is not 'index value'")
        return np.array([int(entry[0]) for entry in fields], np.int64), [entry[1] for entry in fields]

    def _numbers(self, number: int, indices: np.ndarray, raw: list[str]) -> np.ndarray:
        """Values as float32; a nominal value that is no number becomes its place in the declaration."""
        if self.named.any():
            raw = [self._place(number, i, text) if self.named[i] else text for i, text in zip(indices, raw, strict=True)]
        try:
            with np.errstate(over="ignore"):
                values = np.array(raw, np.float64).astype(np.float32)
        except (ValueError, TypeError):
            bad = next(text for text in raw if text is None or _as_number(text) is None)
            raise DataFileError(self.path, number, f"value {'?' if bad is None else bad!r}, wanted a number") from None
        if not np.isfinite(values).all():
            bad_value = raw[int(np.flatnonzero(~np.isfinite(values))[0])]
            raise DataFileError(self.path, number, f"value {bad_value!r}, wanted a finite 32-bit float")
        labels = values[self.is_label[indices]]
        wrong = (labels != 0) & (labels != 1)
        if wrong.any():
            raise DataFileError(self.path, number, f"label value {labels[wrong][0]:g}, wanted 0 or 1")
        return values

    def _place(self, number: int, attribute: int, text: str) -> str:
        name, values = self.attributes[attribute]
        if text not in values:
            raise DataFileError(self.path, number, f"value {text!r} of {name!r}, wanted one of {values}")
        return str(list(values).index(text))

    def finish(self) -> ArffData:
        rows, columns, values = (
            np.concatenate(parts) if parts else np.empty(0, np.int64)
            for parts in (self.rows, self.columns, self.values)
        )
        labels = self.is_label[columns]
        named = self.named[columns]
        target = self.first[columns] + np.where(named, values.astype(np.int64) - 1, 0)
        values = np.where(named, 1.0, values).astype(np.float32)
        x_shape, y_shape = (self.n_rows, len(self.feature_names)), (self.n_rows, len(self.label_names))
        X = csr_array(coo_array((values[~labels], (rows[~labels], target[~labels])), shape=x_shape))
        Y = csr_array(coo_array((values[labels], (rows[labels], target[labels])), shape=y_shape))
        X.sort_indices()
        Y.sort_indices()
        return ArffData(X, Y, self.feature_names, self.label_names)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _parse_with_library(text: str) -> Iterator[dict[int, str] | list[str]]:
    """A row with quotes or names, through liac-arff, every attribute taken as text."""
    # The library exposes rows only through a whole document: declare as many text attributes as the row may need.
    count = text.count(",") + 1
    if text.startswith("{"):
        count = max((int(i) for i in re.findall(r"(?:[{,])\s*(\d+)\s", text)), default=0) + 1
    attributes = "\n".join(f"@ATTRIBUTE a{i} STRING" for i in range(count))
    kind = arff.LOD if text.startswith("{") else arff.DENSE
    yield from _rows(f"@RELATION r\n{attributes}\n@DATA\n{text}\n", kind)


def _rows(document: str, kind: int) -> Iterator[dict[int, str] | list[str]]:
    yield from arff.loads(document, return_type=kind)["data"]
