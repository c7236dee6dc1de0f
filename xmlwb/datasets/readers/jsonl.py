"""JSON lines: one document a line, with its text in one or more fields and its labels in another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError


@dataclass(frozen=True)
class Documents:
    """Texts of a JSON-lines file, each with the names of its labels (maybe none) and its line in the file, from 1."""

    texts: list[str]
    labels: list[list[str]]
    lines: list[int]

    def label_names(self) -> list[str]:
        """All label names that occur, sorted."""
        return sorted({label for row in self.labels for label in row})


def read_jsonl(
    path: str | Path, *, text_fields: str | Sequence[str] = "text", label_field: str = "labels"
) -> Documents:
    """Read a JSON-lines file (`.gz` too).

    Parameters
    ----------
    path : file of one JSON object a line, UTF-8; blank lines are skipped.
    text_fields : field or fields that make up the text, joined by line breaks in this order. A document may lack
        some of them, not all; each holds a string or a list of strings.
    label_field : field with the list of labels (strings or whole numbers); an empty list is an instance without
        labels.

    Raises
    ------
    DataFileError
        Names the file, the line, what was found and what was wanted.
    """
    path = Path(path)
    fields = (text_fields,) if isinstance(text_fields, str) else tuple(text_fields)
    texts: list[str] = []
    labels: list[list[str]] = []
    lines: list[int] = []
    with open_bytes(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except ValueError as problem:  # a UnicodeDecodeError is one too
                raise DataFileError(path, number, f"{problem}; wanted one JSON object a line, in UTF-8") from None
            if not isinstance(record, dict):
                raise DataFileError(path, number, f"a JSON {type(record).__name__}, wanted an object")
            texts.append(_text(path, number, record, fields))
            labels.append(_labels(path, number, record, label_field))
            lines.append(number)
    return Documents(texts, labels, lines)


def label_matrix(labels: Sequence[Sequence[str]], names: Sequence[str]) -> csr_array:
    """The 0/1 matrix (n, L) float32 of documents' labels, columns in the order of `names`.

    Raises
    ------
    ValueError
        A label that is not in `names`, with the number of its document, or a name twice.

    Examples
    --------
    >>> label_matrix([["b"], [], ["b", "a"]], ["a", "b"]).toarray()
    array([[0., 1.],
           [0., 0.],
           [1., 1.]], dtype=float32)
    """
    column: Mapping[str, int] = {name: index for index, name in enumerate(names)}
    if len(column) != len(names):
        raise ValueError(f"names hold {len(names) - len(column)} names twice, wanted each once")
    indptr = np.zeros(len(labels) + 1, np.int64)
    indices: list[int] = []
    for row, its_labels in enumerate(labels):
        try:
            indices.extend(sorted({column[label] for label in its_labels}))
        except KeyError as problem:
            raise ValueError(f"document {row} has the label {problem}, which is not among the names") from None
        indptr[row + 1] = len(indices)
    arrays = (np.ones(len(indices), np.float32), np.asarray(indices, np.int32), indptr.astype(np.int32))
    matrix = csr_array(arrays, shape=(len(labels), len(names)))
    matrix.has_canonical_format = True
    return matrix


def _text(path: Path, number: int, record: dict[str, Any], fields: tuple[str, ...]) -> str:
    present = [record[field] for field in fields if record.get(field) is not None]
    if not present:
        wanted = ", ".join(map(repr, fields))
        raise DataFileError(path, number, f"fields {', '.join(sorted(record))}, wanted a text in {wanted}")
    parts: list[str] = []
    for value in present:
        pieces = value if isinstance(value, list) else [value]
        if not all(isinstance(piece, str) for piece in pieces):
            raise DataFileError(
                path, number, f"text of type {type(value).__name__}, wanted a string or a list of strings"
            )
        parts.extend(pieces)
    return "\n".join(parts)


def _labels(path: Path, number: int, record: dict[str, Any], field: str) -> list[str]:
    if field not in record:
        raise DataFileError(path, number, f"fields {', '.join(sorted(record))}, wanted the labels in {field!r}")
    value = record[field]
    # bool is a kind of int in Python, and never a label.
    if not isinstance(value, list) or any(not isinstance(v, str | int) or isinstance(v, bool) for v in value):
        raise DataFileError(path, number, f"labels {str(value)[:60]}, wanted a list of strings or whole numbers")
    return [str(label) for label in value]
