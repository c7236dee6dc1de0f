"""Layouts of folders that `test_standard` does not reach: PECOS's tree, and faults in the files around JSON lines."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.readers import DataFileError, read_folder
from xmlwb.datasets.readers.folders import recognised_below
from xmlwb.datasets.standard import load_standard


def write_pecos(folder):
    """The tree of PECOS's archives: labels and texts, and the features in a folder of their own."""
    (folder / "tfidf-attnxml").mkdir(parents=True)
    rng = np.random.default_rng(0)
    parts = {}
    for part, n in (("trn", 5), ("tst", 3)):
        X = sparse.csr_matrix((rng.random((n, 6)) * (rng.random((n, 6)) < 0.5)).astype(np.float32))
        Y = sparse.csr_matrix((rng.random((n, 4)) < 0.4).astype(np.float32))
        sparse.save_npz(folder / "tfidf-attnxml" / f"X.{part}.npz", X)
        sparse.save_npz(folder / f"Y.{part}.npz", Y)
        (folder / f"X.{part}.txt").write_text("a text\n" * n)
        parts[part] = X, Y
    (folder / "output-items.txt").write_text("a\nb\nc\nd\n")
    return parts


@pytest.mark.filterwarnings("ignore:.*are published:UserWarning")
def test_the_tree_of_pecos(tmp_path):
    parts = write_pecos(tmp_path / "eurlex-4k" / "xmc-base" / "eurlex-4k")
    data = load_standard("eurlex-4k", root=tmp_path, unit_rows=False)
    found = ((data.X_train, data.Y_train), (data.X_test, data.Y_test))
    for (X, Y), (wanted_X, wanted_Y) in zip(found, parts.values(), strict=True):
        np.testing.assert_array_equal(X.toarray(), wanted_X.toarray())
        np.testing.assert_array_equal(Y.toarray(), wanted_Y.toarray())


def test_features_beside_the_labels_come_before_those_of_pecos(tmp_path):
    write_pecos(tmp_path)
    for part, n in (("trn", 5), ("tst", 3)):
        sparse.save_npz(tmp_path / f"X.{part}.npz", sparse.csr_array(np.eye(n, 9, dtype=np.float32)))
    assert read_folder(tmp_path).train.X.shape == (5, 9)


def test_layouts_are_recognised_by_their_names(tmp_path):
    assert not recognised_below(tmp_path)
    write_pecos(tmp_path / "xmc-base" / "eurlex-4k")
    assert recognised_below(tmp_path)
    (tmp_path / "xmc-base" / "eurlex-4k" / "tfidf-attnxml" / "X.tst.npz").unlink()
    assert not recognised_below(tmp_path)
    assert read_folder(tmp_path / "xmc-base" / "eurlex-4k") is None
    assert not recognised_below(tmp_path / "nothing")


LABELS = "id\tname\n\n1\tfishing\n2\ttrade\n"
CONCEPTS = {"1": {"label": "fishing", "alt_labels": ["angling"], "parents": ["2", "9"]}, "2": {"label": "trade"}}


def write_documents(folder, train='{"text": "a", "labels": ["1"]}\n', labels=LABELS, concepts=None):
    (folder / "train.jsonl").write_text(train)
    (folder / "test.jsonl").write_text('{"text": "b", "labels": ["2"]}\n')
    (folder / "labels.tsv").write_bytes(labels if isinstance(labels, bytes) else labels.encode())
    (folder / "eurovoc_en.json").write_text(json.dumps(CONCEPTS) if concepts is None else concepts)


def test_documents_with_names_and_concepts(tmp_path):
    write_documents(tmp_path)
    data = read_folder(tmp_path)
    assert data.label_names == ["fishing", "trade"]
    assert data.label_texts == ["fishing; angling", "trade"]
    assert data.label_parents == [("trade", "9"), ()]


TEXT = '{"text": "a", "labels": ["1"]}\n'
FAULTS = {
    "label not in the table": (
        {"train": TEXT + '\n{"text": "b", "labels": ["2", "7"]}\n'},
        "train.jsonl", 3, "label '7', wanted one of the 2 in labels.tsv",
    ),
    "no name": ({"labels": "id\tname\n\n\n1\tfishing\n2\n"}, "labels.tsv", 5, "one column, wanted"),
    "id twice": ({"labels": "id\tname\n1\ta\n\n2\tb\n1\tc\n"}, "labels.tsv", 5, "label '1' a second time"),
    "not UTF-8": ({"labels": b"id\tname\n1\tfish\xff\n"}, "labels.tsv", 2, "UTF-8"),
    "broken JSON": ({"concepts": '{"1":\n {"label"\n'}, "eurovoc_en.json", 3, "wanted JSON in UTF-8"),
    "no object": ({"concepts": "[1]"}, "eurovoc_en.json", None, "a JSON list, wanted an object"),
    "a concept that is none": ({"concepts": '{"1": 5}'}, "eurovoc_en.json", None, "entry '1'"),
    "a concept without a label": ({"concepts": '{"9": {"parents": []}}'}, "eurovoc_en.json", None, "entry '9'"),
    "parents that are no list": (
        {"concepts": '{"1": {"label": "x", "parents": 5}}'}, "eurovoc_en.json", None, "entry '1'",
    ),
    "alternatives that are no strings": (
        {"concepts": '{"1": {"label": "x", "alt_labels": [5]}}'}, "eurovoc_en.json", None, "entry '1'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_around_json_lines_are_named(tmp_path, fault):
    files, name, line, message = FAULTS[fault]
    write_documents(tmp_path, **files)
    with pytest.raises(DataFileError) as caught:
        read_folder(tmp_path)
    assert caught.value.path == tmp_path / name
    assert caught.value.line == line
    assert message in str(caught.value)


def test_many_labels_of_one_name_are_told_apart_quickly(tmp_path):
    n = 30_000  # every name twice; comparing all pairs of names would take minutes
    write_documents(tmp_path, labels="id\tname\n" + "".join(f"{i}\tname {i // 2}\n" for i in range(n)))
    names = read_folder(tmp_path).label_names
    assert names[:3] == ["name 0 (0)", "name 0 (1)", "name 1 (2)"]
    assert len(set(names)) == n
