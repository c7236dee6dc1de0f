from __future__ import annotations

import gzip
import json

import numpy as np
import pytest

from xmlwb.datasets.readers import DataFileError, label_matrix, read_jsonl

RECORDS = [
    {"title": "one", "body": ["two", "three"], "tags": ["b", 7]},
    {"body": "four", "tags": []},
]


@pytest.mark.parametrize("name", ["d.jsonl", "d.jsonl.gz"])
def test_fields_are_joined_and_labels_are_text(tmp_path, name):
    raw = "\n\n".join(json.dumps(record) for record in RECORDS).encode()
    (tmp_path / name).write_bytes(gzip.compress(raw) if name.endswith("gz") else raw)
    documents = read_jsonl(tmp_path / name, text_fields=("title", "body"), label_field="tags")
    assert documents.texts == ["one\ntwo\nthree", "four"]
    assert documents.labels == [["b", "7"], []]
    assert documents.label_names() == ["7", "b"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "wanted one JSON object a line"),
        ('["a"]', "a JSON list, wanted an object"),
        ('{"labels": ["a"]}', "fields labels, wanted a text in 'text'"),
        ('{"text": 5, "labels": []}', "text of type int, wanted a string"),
        ('{"text": "a"}', "fields text, wanted the labels in 'labels'"),
        ('{"text": "a", "labels": "x"}', "labels x, wanted a list"),
        ('{"text": "a", "labels": [true]}', r"labels \[True\], wanted a list"),
        ('{"text": "a", "labels": [1.5]}', r"labels \[1.5\], wanted a list"),
        (b'{"text": "\xff", "labels": []}', "in UTF-8"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path, line, message):
    good = b'{"text": "a", "labels": ["b"]}\n'
    (tmp_path / "d.jsonl").write_bytes(good + (line if isinstance(line, bytes) else line.encode()) + b"\n" + good)
    with pytest.raises(DataFileError, match=rf"^d\.jsonl, line 2: .*{message}"):
        read_jsonl(tmp_path / "d.jsonl")


def test_label_matrix_counts_a_label_once_and_refuses_unknown_ones():
    Y = label_matrix([["c", "a", "c"], [], ["b"]], ["a", "b", "c"])
    assert Y.toarray().tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
    assert Y.dtype == np.float32
    with pytest.raises(ValueError, match="document 1 has the label 'x'"):
        label_matrix([["a"], ["x"]], ["a"])
    with pytest.raises(ValueError, match="1 names twice"):
        label_matrix([["a"]], ["a", "a"])


def test_a_cut_gzip_file(tmp_path):
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a", "labels": []}\n' * 100)[:-9])
    with pytest.raises(DataFileError, match=r"d\.jsonl\.gz: .*wanted a whole gzip file"):
        read_jsonl(tmp_path / "d.jsonl.gz")
