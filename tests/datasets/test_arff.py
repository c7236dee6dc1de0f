from __future__ import annotations

import gzip

import numpy as np
import pytest

from xmlwb.datasets.readers import DataFileError, read_arff
from xmlwb.datasets.readers.arff import read_mulan_labels

HEADER = """% a comment
@relation 'toy: -C 2'

@attribute a {0,1}
@attribute 'b c' {0,1}
@ATTRIBUTE x numeric
@attribute n INTEGER
@attribute colour {red,'dark green',blue}
@data
"""
DENSE = HEADER + "1,0,0.5,3,red\n% comment\n\n0,1,-1e2,2.5,'dark green'\n0,0,0,0,blue\n"
SPARSE = HEADER + "{0 1,2 0.5, 3 3}\n{1 1, 2 -1e2,3 2.5,4 'dark green'}\n{4 blue}\n"


@pytest.fixture
def written(tmp_path):
    def write(text, name="toy.arff"):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


@pytest.mark.parametrize("text", [DENSE, SPARSE], ids=["dense", "sparse"])
def test_dense_and_sparse_rows_give_the_same(written, text):
    data = read_arff(written(text), labels=2)
    assert data.label_names == ["a", "b c"]
    assert data.feature_names == ["x", "n", "colour=dark green", "colour=blue"]
    np.testing.assert_array_equal(data.X.toarray(), [[0.5, 3, 0, 0], [-100, 2.5, 1, 0], [0, 0, 0, 1]])
    np.testing.assert_array_equal(data.Y.toarray(), [[1, 0], [0, 1], [0, 0]])
    assert (data.X.dtype, data.Y.dtype, data.Y.nnz) == (np.float32, np.float32, 2)


def test_labels_last_by_meka_or_by_mulan(written):
    swapped = "@relation r\n@attribute x numeric\n@attribute a {1,0}\n@attribute b {0,1}\n@data\n2,1,0\n3,0,1\n"
    last = read_arff(written(swapped), labels=-2)
    assert last.label_names == ["a", "b"]
    assert last.Y.toarray().tolist() == [[1, 0], [0, 1]]
    assert read_arff(written(DENSE)).label_names == ["a", "b c"]
    assert read_arff(written(swapped.replace("relation r", "relation 'r: -C -2'"))).label_names == ["a", "b"]
    nested = '<label name="b"><label name="x"/></label>'
    xml = f'<?xml version="1.0"?><labels xmlns="http://mulan.sourceforge.net/labels">{nested}</labels>'
    path = written(xml, "toy.xml")
    assert read_mulan_labels(path) == ["b", "x"]
    by_xml = read_arff(written(swapped.replace("2,1,0\n3,0,1", "0,1,0\n1,0,1")), labels=path)
    assert (by_xml.label_names, by_xml.feature_names) == (["x", "b"], ["a"])
    assert by_xml.Y.toarray().tolist() == [[0, 0], [1, 1]]


FAULTS = {
    "word for a number": ("1,0,z,3,red\n", 10, "BadNumericalValue at '1,0,z,3,red'"),
    "unknown nominal": ("1,0,1,3,pink\n", 10, "BadNominalValue"),
    "label of 2": ("1,2,1,3,red\n", 10, "BadNominalValue"),
    "too few values": ("1,0,1,3,red\n1,0\n", 11, "BadDataFormat at '1,0'"),
    "index too large": ("{0 1}\n{9 1}\n", 11, "BadDataFormat"),
    "index twice": ("{2 1, 2 3}\n", 10, "an attribute index twice"),
    "missing value": ("1,0,?,3,red\n", 10, "a missing value"),
    "infinite": ("1,0,inf,3,red\n", 10, "value inf, wanted a finite"),
    "nan": ("1,0,1,3,red\n1,0,nan,3,red\n", 11, "value nan, wanted a finite"),
    "sparse among dense": ("{0 1}\n1,0,1,3,red\n", 11, "BadLayout"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_names_file_line_and_what_was_found(written, fault):
    rows, line, message = FAULTS[fault]
    with pytest.raises(DataFileError) as caught:
        read_arff(written(HEADER + rows), labels=2)
    assert str(caught.value).startswith(f"toy.arff, line {line}: {message}")


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        ("no arff\n", 1, "BadLayout"),
        (HEADER.replace("x numeric", "x date"), 2, "line 6: BadAttributeType"),
        (HEADER.replace("x numeric", "x string") + "1,0,a,1,red\n", 2, "attribute 'x' is a string"),
        (HEADER.replace("-C 2", "") + "1,0,1,1,red\n", None, "no '-C number'"),
        (HEADER + "1,0,1,1,red\n", -1, "label 'colour' with the values"),
        (
            "@relation r\n@attribute a numeric\n@attribute x numeric\n@data\n0.5,1\n",
            1,
            "label value 0.5, wanted 0 or 1",
        ),
        ("@relation r\n@attribute a {0,1}\n@attribute x {2,3}\n@data\n{0 1}\n", 1, "no value for 'x'"),
    ],
)
def test_faulty_declarations(written, text, labels, message):
    with pytest.raises(DataFileError, match=message):
        read_arff(written(text), labels=labels)


def test_wrong_arguments(written):
    with pytest.raises(ValueError, match=r"labels=6, wanted 1\.\.5"):
        read_arff(written(DENSE), labels=6)
    path = written('<labels><label name="gone"/></labels>', "l.xml")
    with pytest.raises(DataFileError, match=r"no attribute 'gone', wanted every label of l\.xml"):
        read_arff(written(DENSE), labels=path)
    with pytest.raises(DataFileError, match=r"l\.xml, line 1: .*wanted MULAN's XML"):
        read_arff(written(DENSE), labels=written("<labels", "l.xml"))


def test_gzipped(written, tmp_path):
    (tmp_path / "toy.arff.gz").write_bytes(gzip.compress(SPARSE.encode()))
    plain, packed = read_arff(written(SPARSE), labels=2), read_arff(tmp_path / "toy.arff.gz", labels=2)
    assert (plain.X != packed.X).nnz == 0
