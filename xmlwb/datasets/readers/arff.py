"""Multi-label ARFF files, as MULAN and MEKA distribute them: dense or sparse, labels among the attributes.

liac-arff parses them; what is added are the labels, sparse arrays, and errors that name the line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

import numpy as np
from scipy.sparse import csr_array

from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError


@dataclass(frozen=True)
class ArffData:
    """Features (n, d) float32, labels (n, L) float32 of ones, and the names of their columns."""

    X: csr_array
    Y: csr_array
    feature_names: list[str]
    label_names: list[str]


def read_arff(path: str | Path, *, labels: int | str | Path | None = None, left_out: Collection[int] = ()) -> ArffData:
    """Read a multi-label ARFF file (`.gz` too).

    Parameters
    ----------
    path : the file; its rows are all dense (`0,1.5,1`) or all sparse (`{1 1.5, 2 1}`).
    labels : which attributes are labels: a number q > 0 for the first q, q < 0 for the last -q, the path of MULAN's
        XML file of label names, or None for the number that MEKA writes into the relation (`-C 6`).
    left_out : lines of the file, from 1, that are passed over like comments.

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
    Memory follows the stored entries; liac-arff takes about a second for 10 MB.
    """
    import arff  # slow to import

    path = Path(path)
    with open_bytes(path) as stream:
        lines = _Lines(stream, left_out)
        try:
            form = arff.LOD_GEN if _is_sparse(path) else arff.DENSE_GEN
            document = arff.ArffDecoder().decode(lines, encode_nominal=True, return_type=form)
            table = _Table(path, document["attributes"], _label_mask(path, document, labels))
            for row in document["data"]:
                table.add(lines.number, lines.text, row)
        except (arff.ArffException, IndexError, ValueError) as problem:
            if isinstance(problem, DataFileError | _ArgumentError):
                raise
            # Only the class of a liac-arff error says what it means: its text repeats the line's number.
            what = type(problem).__name__ if isinstance(problem, arff.ArffException) else str(problem)
            raise DataFileError(path, lines.number, f"{what} at {lines.text[:60]!r}, wanted ARFF") from None
    return table.finish()


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


class _ArgumentError(ValueError):
    """A wrong argument, not a fault of the file."""


class _Lines:
    """The lines of a file, remembering the latest and its number.

    Integer attributes are declared REAL, for liac-arff cuts the decimals off their values without a word.
    """

    def __init__(self, stream: IO[bytes], left_out: Collection[int]) -> None:
        self.stream = stream
        self.left_out = left_out
        self.number = 0
        self.text = ""

    def __iter__(self) -> Iterator[str]:
        for raw in self.stream:
            line = raw.decode("utf-8", errors="replace")
            self.number += 1
            if self.number in self.left_out:
                continue
            self.text = line.strip()
            if self.text[:10].upper() == "@ATTRIBUTE":
                line = re.sub(r"\sinteger\s*$", " REAL", line, flags=re.IGNORECASE)
                # liac-arff knows one blank after the keyword, and no tab.
                line = re.sub(r"^\s*@attribute\s+", "@ATTRIBUTE ", line, flags=re.IGNORECASE)
            yield line


def _is_sparse(path: Path) -> bool:
    """Whether the first row is a sparse one."""
    in_data = False
    with open_bytes(path) as stream:
        for raw in stream:
            text = raw.decode("utf-8", errors="replace").strip()
            if in_data and text and not text.startswith("%"):
                return text.startswith("{")
            in_data = in_data or text.upper().startswith("@DATA")
    return False


def _label_mask(path: Path, document: dict[str, Any], labels: int | str | Path | None) -> np.ndarray:
    names = [name for name, _ in document["attributes"]]
    if labels is None:
        option = re.search(r"-C\s+(-?\d+)", document["relation"])
        if option is None:
            raise DataFileError(path, None, "no '-C number' in the relation, wanted labels= as a number or an XML file")
        labels = int(option[1])
    mask = np.zeros(len(names), bool)
    if isinstance(labels, int):
        if not 0 < abs(labels) <= len(names):
            raise _ArgumentError(f"labels={labels}, wanted 1..{len(names)} or -{len(names)}..-1 ({path.name})")
        mask[slice(None, labels) if labels > 0 else slice(labels, None)] = True
        return mask
    wanted = read_mulan_labels(labels)
    missing = sorted(set(wanted) - set(names))
    if missing:
        raise DataFileError(path, None, f"no attribute {missing[0]!r}, wanted every label of {Path(labels).name}")
    mask[[names.index(name) for name in wanted]] = True
    return mask


class _Table:
    """Collects rows of attribute values as the entries of X and Y."""

    def __init__(self, path: Path, attributes: list[tuple[str, str | list[str]]], is_label: np.ndarray) -> None:
        self.path = path
        self.attributes = attributes
        self.is_label = is_label
        n = len(attributes)
        self.column = np.zeros(n, np.int64)  # first column in X or Y
        self.one_hot = np.zeros(n, bool)
        self.numbers: dict[int, np.ndarray] = {}  # of a nominal attribute's values, where they are numbers
        self.feature_names: list[str] = []
        self.label_names: list[str] = []
        for i, (name, kind) in enumerate(attributes):
            self._declare(i, name, kind)
        # Nominal attributes whose first value, which a sparse row may leave out, is not 0.
        self.never_left_out = [i for i, numbers in self.numbers.items() if numbers[0] != 0]
        self.recoded = [i for i, numbers in self.numbers.items() if (numbers != np.arange(numbers.size)).any()]
        self.parts: list[tuple[np.ndarray, np.ndarray]] = []

    def _declare(self, i: int, name: str, kind: str | list[str]) -> None:
        if kind == "STRING":
            raise DataFileError(self.path, None, f"attribute {name!r} is a string, wanted numeric or nominal ones")
        values = None if isinstance(kind, str) else [_as_number(value) for value in kind]
        if values is not None and None not in values:
            self.numbers[i] = np.array(values, np.float64)
        self.one_hot[i] = values is not None and None in values
        names = self.label_names if self.is_label[i] else self.feature_names
        self.column[i] = len(names)
        if self.is_label[i] and values is not None and not set(values) <= {0.0, 1.0}:
            raise DataFileError(self.path, None, f"label {name!r} with the values {kind}, wanted 0 and 1")
        names.extend([f"{name}={value}" for value in kind[1:]] if self.one_hot[i] else [name])

    def add(self, line: int, text: str, row: list[Any] | dict[int, Any]) -> None:
        sparse_row = isinstance(row, dict)
        given = list(row.values()) if isinstance(row, dict) else row
        if None in given:
            raise DataFileError(self.path, line, "a missing value, wanted a number for every attribute")
        indices = np.fromiter(row, np.int64, len(row)) if sparse_row else np.arange(len(given))
        values = np.array(given, np.float64)
        if sparse_row:
            if "'" not in text and '"' not in text and text.count(",") + 1 > max(1, len(given)):
                raise DataFileError(self.path, line, "an attribute index twice, wanted each once")
            left_out = set(self.never_left_out).difference(row)
            if left_out:
                name, kind = self.attributes[min(left_out)]
                raise DataFileError(self.path, line, f"no value for {name!r}, wanted one: {kind[0]!r} is not 0")
        place = {attribute: at for at, attribute in enumerate(indices)} if sparse_row else None
        for i in self.recoded:
            at = i if place is None else place.get(i)
            if at is not None:
                values[at] = self.numbers[i][int(values[at])]
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
        if not np.isfinite(values).all():
            wrong = given[int(np.flatnonzero(~np.isfinite(values))[0])]
            raise DataFileError(self.path, line, f"value {wrong}, wanted a finite 32-bit float")
        labels = values[self.is_label[indices]]
        if ((labels != 0) & (labels != 1)).any():
            wrong = labels[(labels != 0) & (labels != 1)][0]
            raise DataFileError(self.path, line, f"label value {wrong:g}, wanted 0 or 1")
        stored = np.flatnonzero(values)
        self.parts.append((indices[stored], values[stored]))

    def finish(self) -> ArffData:
        indices = np.concatenate([part[0] for part in self.parts] or [np.empty(0, np.int64)])
        values = np.concatenate([part[1] for part in self.parts] or [np.empty(0, np.float32)])
        rows = np.repeat(np.arange(len(self.parts)), [len(part[0]) for part in self.parts])
        one_hot = self.one_hot[indices]
        # The code of a named value is its place in the declaration, and the first has no column.
        columns = self.column[indices] + np.where(one_hot, values.astype(np.int64) - 1, 0)
        values[one_hot] = 1.0
        label = self.is_label[indices]
        matrices = []
        for chosen, names in ((~label, self.feature_names), (label, self.label_names)):
            entries = (values[chosen], (rows[chosen], columns[chosen]))
            matrices.append(csr_array(entries, shape=(len(self.parts), len(names))))
            matrices[-1].sum_duplicates()  # of which there are none: sorts
        return ArffData(matrices[0], matrices[1], self.feature_names, self.label_names)


def _as_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
