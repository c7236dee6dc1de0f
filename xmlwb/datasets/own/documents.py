"""Read JSON lines without stopping at the first fault, and guess which fields hold the text and the labels."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xmlwb.datasets.own.faults import FaultLog, after_name
from xmlwb.datasets.readers.jsonl import Documents, _labels, _text
from xmlwb.datasets.readers.opening import open_bytes
from xmlwb.datasets.readers.problems import DataFileError

_LOOKED_AT = 200  # lines
_LABEL_FIELDS = ("labels", "label", "tags", "concepts", "categories", "topics", "keywords", "targets")
_TEXT_FIELDS = ("title", "header", "recitals", "main_body", "text", "abstract", "description", "body", "content")
_IDENTITIES = ("id", "uid", "_id", "url", "celex_id", "key", "source", "type")


def read_documents(
    path: Path, log: FaultLog, *, text_fields: Sequence[str], label_field: str, known: set[str] | None = None
) -> Documents:
    """As `read_jsonl`, but faults go into the log and their documents are left out.

    Parameters
    ----------
    known : set of str, optional
        The labels that there are; others are faults.
    """
    texts: list[str] = []
    labels: list[list[str]] = []
    lines: list[int] = []
    try:
        with open_bytes(path) as stream:
            for number, line in enumerate(stream, 1):
                if not line.strip():
                    continue
                found = _document(path, log, number, line, tuple(text_fields), label_field)
                if found is None:
                    continue
                unknown = [label for label in found[1] if known is not None and label not in known]
                if unknown:
                    message = f"label {unknown[0]!r}, wanted one of the {len(known or ()):,} of the table of labels"
                    log.add("index out of range", message, path, line=number)
                    continue
                texts.append(found[0])
                labels.append(found[1])
                lines.append(number)
    except (DataFileError, OSError) as problem:
        log.add("unreadable", after_name(path, problem), path)
    return Documents(texts, labels, lines)


def _document(
    path: Path, log: FaultLog, number: int, line: bytes, text_fields: tuple[str, ...], label_field: str
) -> tuple[str, list[str]] | None:
    try:
        record = json.loads(line)
    except ValueError as problem:
        kind, said = "encoding", str(problem)
        if isinstance(problem, json.JSONDecodeError):
            kind, said = "JSON", f"{problem.msg.removesuffix(' at')} at column {problem.colno}"
        log.add("malformed line", f"{said}; wanted one JSON object a line, in UTF-8", path, line=number, apart=kind)
        return None
    if not isinstance(record, dict):
        message = f"a JSON {type(record).__name__}, wanted an object"
        log.add("malformed line", message, path, line=number, apart="object")
        return None
    try:
        text = _text(path, number, record, text_fields)
    except DataFileError as problem:
        log.add("malformed line", after_name(path, problem), path, line=number, apart="text")
        return None
    try:
        return text, _labels(path, number, record, label_field)
    except DataFileError as problem:
        log.add("malformed line", after_name(path, problem), path, line=number, apart="labels")
        return None


def guess_fields(path: Path) -> tuple[list[str], str | None]:
    """The fields that seem to hold the text and the labels, from the first lines; ([], None) where nothing fits.

    A label field holds lists of strings or whole numbers in most documents, a text field strings of more than a word.
    Fields with the usual names come first.
    """
    records = _first_records(path)
    lists: Counter[str] = Counter()
    words: Counter[str] = Counter()
    for record in records:
        for field, value in record.items():
            if isinstance(value, list) and all(isinstance(v, str | int) and not isinstance(v, bool) for v in value):
                lists[field] += 1
            if isinstance(value, str):
                words[field] += len(value.split())
    known = [field for field in _TEXT_FIELDS if any(_is_text(record.get(field)) for record in records)]
    common = [field for field, count in lists.most_common() if 2 * count >= len(records) and field not in known]
    label = next((field for field in _LABEL_FIELDS if field in common), common[0] if common else None)
    long = [field for field, count in words.most_common() if count >= 2 * len(records) and field not in _IDENTITIES]
    return [field for field in known if field != label] or long[:1], label


def _first_records(path: Path) -> list[dict[str, Any]]:
    records = []
    try:
        with open_bytes(path) as stream:
            for number, line in enumerate(stream):
                if number >= _LOOKED_AT:
                    break
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if isinstance(record, dict):
                    records.append(record)
    except (DataFileError, OSError):
        pass
    return records


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(isinstance(v, str) for v in value)
    )
