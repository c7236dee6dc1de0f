"""The Repository's text formats: what is read, and what every fault is called."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from xmlwb.datasets.readers import (
    DataFileError,
    read_label_matrix,
    read_matrix,
    read_names,
    read_repository,
    read_splits,
    repository,
    write_repository,
)


def written(tmp_path, text, name="data.txt"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_reads_features_and_labels(tmp_path):
    X, Y = read_repository(written(tmp_path, "3 4 5\n0,3 1:0.5 3:2\n4 0:1\n1,2 2:-1e-2\n"))
    assert isinstance(X, sparse.csr_array)
    assert isinstance(Y, sparse.csr_array)
    assert (X.dtype, Y.dtype) == (np.float32, np.float32)
    np.testing.assert_allclose(X.toarray(), [[0, 0.5, 0, 2], [1, 0, 0, 0], [0, 0, -0.01, 0]], rtol=1e-7)
    np.testing.assert_array_equal(Y.toarray(), [[1, 0, 0, 1, 0], [0, 0, 0, 0, 1], [0, 1, 1, 0, 0]])


@pytest.mark.parametrize("line", [" 1:2", "1:2", "\t1:2", " 1:2 ", "  1:2\t"])
def test_an_instance_without_labels_survives(tmp_path, line):
    X, Y = read_repository(written(tmp_path, f"2 3 2\n{line}\n1 0:1\n"))
    assert np.diff(Y.indptr).tolist() == [0, 1]
    assert X.toarray()[0].tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    "text", ["3 2 2\n\n1\n0 1:1\n", "3 2 2\r\n\r\n1\r\n0 1:1\r\n", "3 2 2\n\n1 \n0 1:1", "3 2 2\n \n1\n0 1:1\n\n \n"]
)
def test_empty_rows_line_ends_and_a_missing_last_newline(tmp_path, text):
    X, Y = read_repository(written(tmp_path, text))
    assert X.toarray().tolist() == [[0, 0], [0, 0], [0, 1]]
    assert Y.toarray().tolist() == [[0, 0], [0, 1], [1, 0]]


def test_unsorted_indices_are_sorted_and_zeros_left_out(tmp_path):
    X, Y = read_repository(written(tmp_path, "1 9 9\n7,2,5 8:1 3:2 5:0 0:4\n"))
    assert (X.indices.tolist(), X.data.tolist()) == ([0, 3, 8], [4, 2, 1])
    assert Y.indices.tolist() == [2, 5, 7]
    assert X.has_sorted_indices


def test_merge_adds_features_and_counts_a_label_once(tmp_path):
    path = written(tmp_path, "2 4 4\n2,1,2 3:1 1:2 3:0.5\n0 0:1\n")
    X, Y = read_repository(path, duplicates="merge")
    assert X.toarray().tolist() == [[0, 2, 0, 1.5], [1, 0, 0, 0]]
    assert Y.toarray().tolist() == [[0, 1, 1, 0], [1, 0, 0, 0]]


FAULTS = {
    "empty file": ("", 1, "header ''", "three whole numbers"),
    "header of words": ("a b c\n", 1, "header 'a b c'", "three whole numbers"),
    "header of two": ("2 3\n", 1, "header '2 3'", "three whole numbers"),
    "header of zeros": ("0 3 2\n", 1, "header '0 3 2'", "1 or more"),
    "feature too large": ("1 1836 2\n0 1836:1\n", 2, "feature index 1836", "wanted 0..1835 (the header says 1836"),
    "label too large": ("2 3 2\n1 0:1\n0,2 0:1\n", 3, "label index 2", "wanted 0..1 (the header says 2 labels)"),
    "huge index": ("1 3 2\n0 99999999999999999999999999:1\n", 2, "feature index", "wanted 0..2"),
    "label is a word": ("1 3 2\nx 0:1\n", 2, "label 'x'", "whole numbers"),
    "label is negative": ("1 3 2\n-1 0:1\n", 2, "label '-1'", "whole numbers"),
    "label is decimal": ("1 3 2\n1.0 0:1\n", 2, "label '1.0'", "whole numbers"),
    "label missing": ("1 3 2\n0,,1 0:1\n", 2, "label ',1'", "whole numbers"),
    "label with value": ("1 3 2\n0,1:1\n", 2, "label '1:1'", "whole numbers"),
    "label twice": ("1 3 2\n1,0,1 0:1\n", 2, "label 1 twice", "once"),
    "feature twice": ("1 3 2\n1 2:1 0:1 2:2\n", 2, "feature 2 twice", "once"),
    "colon missing": ("1 3 2\n1 2:1 1\n", 2, "'1' without a colon", "index:value"),
    "feature is a word": ("1 3 2\n1 two:1\n", 2, "'two:1'", "index:value"),
    "feature is negative": ("1 3 2\n1 -2:1\n", 2, "'-2:1'", "index:value"),
    "no index": ("1 3 2\n1 :1\n", 2, "':1'", "index:value"),
    "no value": ("1 3 2\n1 2: 1:1\n", 2, "'2:'", "finite decimal number"),
    "value is a word": ("1 3 2\n1 2:a\n", 2, "'2:a'", "finite decimal number"),
    "value is nan": ("1 3 2\n1 2:nan\n", 2, "'2:nan'", "finite decimal number"),
    "value is inf": ("1 3 2\n1 2:-inf\n", 2, "'2:-inf'", "finite decimal number"),
    "value with a tail": ("1 3 2\n1 2:1.5x\n", 2, "'2:1.5x'", "finite decimal number"),
    "two points": ("1 3 2\n1 2:1.5.1\n", 2, "'2:1.5.1'", "finite decimal number"),
    "empty exponent": ("1 3 2\n1 2:1e+\n", 2, "'2:1e+'", "finite decimal number"),
    "value too large": ("1 3 2\n1 2:3.5e38\n", 2, "'2:3.5e38'", "32-bit float"),
    "too few rows": ("3 3 2\n0 0:1\n1 0:1\n", 3, "ends after 2 rows", "wanted 3"),
    "too many rows": ("2 3 2\n0 0:1\n1 0:1\n\n1 2:2\n", 5, "another row '1'", "wanted 2 rows"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("piece", [8, 4 << 20])
def test_a_fault_names_file_line_found_and_wanted(tmp_path, monkeypatch, fault, piece):
    monkeypatch.setattr(repository, "_PIECE", piece)  # the line is right wherever the pieces end
    text, line, found, wanted = FAULTS[fault]
    with pytest.raises(DataFileError) as caught:
        read_repository(written(tmp_path, text, "bib.txt"))
    message = str(caught.value)
    assert message.startswith(f"bib.txt, line {line}: ")
    assert found in message
    assert wanted in message
    assert caught.value.line == line


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["r", ".9e", ".17g", ".60f", "E"]))
@settings(max_examples=300, deadline=None)
def test_numbers_are_within_one_ulp(tmp_path_factory, value, form):
    text = repr(value) if form == "r" else format(value, form)
    path = written(tmp_path_factory.mktemp("n"), f"1 2 1\n 0:{text} 1:1\n")
    found = read_repository(path)[0][[0], [0]].item()
    right = np.float32(float(text))
    with np.errstate(over="ignore"):  # above the largest number comes infinity
        below, above = np.nextafter(right, np.float32(-np.inf)), np.nextafter(right, np.float32(np.inf))
    assert below <= found <= above


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("+1.5", 1.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E2", 100.0),
        ("1e-50", 0.0),
        ("0.000000000000000000000000125e25", 1.25),
        ("12345678901234567890123", 1.2345679e22),
        ("-0", 0.0),
        ("0e999999999999", 0.0),
        ("340282346638528859811704183484516925440", 3.4028235e38),
        ("3.4028234663852886e+38", 3.4028235e38),
    ],
)
def test_number_forms(tmp_path, text, value):
    X, _ = read_repository(written(tmp_path, f"1 1 1\n0 0:{text}\n"))
    assert X.toarray()[0, 0] == np.float32(value)


def random_pair(n=300, d=50, L=20):
    rng = np.random.default_rng(3)
    X = sparse.random_array((n, d), density=0.1, format="csr", dtype=np.float32, rng=rng)
    Y = sparse.random_array((n, L), density=0.1, format="csr", dtype=np.float32, rng=rng)
    Y.data[:] = 1
    return X, Y


@pytest.mark.parametrize("name", ["pair.txt", "pair.txt.gz"])
@pytest.mark.parametrize("piece", [64, 1000, 4 << 20])
def test_written_and_read_again_is_the_same(tmp_path, monkeypatch, name, piece):
    monkeypatch.setattr(repository, "_PIECE", piece)
    X, Y = random_pair()
    path = tmp_path / name
    write_repository(tmp_path / "pair.txt", X, Y)
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress((tmp_path / "pair.txt").read_bytes()))
    X2, Y2 = read_repository(path)
    for a, b in ((X, X2), (Y, Y2)):
        np.testing.assert_array_equal(a.indptr, b.indptr)
        np.testing.assert_array_equal(a.toarray(), b.toarray())


@pytest.mark.parametrize("damage", [lambda raw: raw[:-20], lambda raw: b"1 1 1\n0\n", lambda raw: raw[:40] + b"!" * 40])
def test_a_damaged_gzip_file(tmp_path, damage):
    raw = gzip.compress(b"300 2 2\n" + b"0 1:1\n1 0:1 1:2\n 1:3\n" * 100)
    path = written(tmp_path, damage(raw), "d.txt.gz")
    with pytest.raises(DataFileError, match=r"d\.txt\.gz: .*wanted a whole gzip file"):
        read_repository(path)


def test_a_failed_write_leaves_nothing(tmp_path):
    X, Y = random_pair(5)
    X.data = X.data.astype(object)
    X.data[0] = "no number"
    with pytest.raises(ValueError, match="no number"):
        write_repository(tmp_path / "out.txt", X, Y)
    assert list(tmp_path.iterdir()) == []


def test_unknown_duplicates_is_refused(tmp_path):
    with pytest.raises(ValueError, match="duplicates='sum', wanted 'error' or 'merge'"):
        read_repository(written(tmp_path, "1 1 1\n0\n"), duplicates="sum")


def test_matrices_of_the_folder_form(tmp_path):
    X = read_matrix(written(tmp_path, "3 4\n0:0.5 3:1\n\n2:2\n"))
    assert X.toarray().tolist() == [[0.5, 0, 0, 1], [0, 0, 0, 0], [0, 0, 2, 0]]
    Y = read_label_matrix(written(tmp_path, "2 4\n0:1.0 3:1\n\n"))
    assert Y.toarray().tolist() == [[1, 0, 0, 1], [0, 0, 0, 0]]
    with pytest.raises(DataFileError, match=r"y.txt, line 3: label value 3:0.5, wanted 0 or 1"):
        read_label_matrix(written(tmp_path, "2 4\n0:1\n1:1 3:0.5\n", "y.txt"))
    with pytest.raises(DataFileError, match=r"x.txt, line 1: header '2 4 3', wanted two whole numbers"):
        read_matrix(written(tmp_path, "2 4 3\n\n\n", "x.txt"))
    with pytest.raises(DataFileError, match=r"x.txt, line 2: '0,1:2', wanted index:value"):
        read_matrix(written(tmp_path, "1 4\n0,1:2\n", "x.txt"))


def test_splits_count_from_one(tmp_path):
    splits = read_splits(written(tmp_path, "1 4\n3 2\n", "tr"), written(tmp_path, "2 1\n", "ts"), 4)
    assert [rows.tolist() for rows in splits.train] == [[0, 2], [3, 1]]
    assert [rows.tolist() for rows in splits.test] == [[1], [0]]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        ("1\n5\n", "2\n", r"tr, line 2: row number 5, wanted 1\.\.4"),
        ("0\n", "2\n", r"tr, line 1: row number 0, wanted 1\.\.4"),
        ("1 2\n", "2\n", r"ts: 1 columns, wanted 2 as in tr"),
        ("1\n2\n", "2\n", r"ts: column 1 holds row 2, which the training part has too"),
        ("1\n1\n", "2\n", r"tr: column 1 holds row 1 twice"),
        ("1 2\n3\n", "2\n", r"tr: .*columns.*wanted whole numbers"),
        ("one\n", "2\n", r"tr: .*wanted whole numbers"),
    ],
)
def test_faulty_splits(tmp_path, train, test, message):
    with pytest.raises(DataFileError, match=message):
        read_splits(written(tmp_path, train, "tr"), written(tmp_path, test, "ts"), 4)


def test_names(tmp_path):
    assert read_names(written(tmp_path, "a\r\nb c\n\n"), 3) == ["a", "b c", ""]
    with pytest.raises(DataFileError, match=r"names\.txt: 2 names, wanted 3"):
        read_names(written(tmp_path, "a\nb", "names.txt"), 3)


def test_real_sets(real_data):
    for folder, name, shape, labels, without in (
        ("bibtex", "Bibtex", (7395, 1836, 159), 17762, 0),
        ("delicious", "Delicious", (16105, 500, 983), 306317, 14),
    ):
        if not (real_data / folder).is_dir():
            pytest.skip(f"{folder} not found in {real_data}")
        X, Y = read_repository(real_data / folder / f"{name}_data.txt")
        assert (X.shape[0], X.shape[1], Y.shape[1]) == shape
        assert Y.nnz == labels
        assert (np.diff(Y.indptr) == 0).sum() == without
