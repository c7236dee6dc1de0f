from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets.readers import DataFileError, read_npz, read_npz_matrix, write_npz

X = sparse.csr_array(np.array([[0, 0.5, 0], [1, 0, 2], [0, 0, 0]], np.float32))
Y = sparse.csr_array(np.array([[0, 1], [1, 1], [0, 0]], np.float32))


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
def test_reads_what_scipy_wrote(tmp_path, form, kind):
    sparse.save_npz(tmp_path / "m.npz", kind(X).asformat(form).astype(np.float64))
    found = read_npz_matrix(tmp_path / "m.npz")
    assert isinstance(found, sparse.csr_array)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.toarray(), X.toarray())


@pytest.mark.parametrize("compressed", [True, False])
def test_both_in_one_file(tmp_path, compressed):
    write_npz(tmp_path / "d.npz", X, Y, compressed=compressed)
    X2, Y2 = read_npz(tmp_path / "d.npz")
    np.testing.assert_array_equal(X2.toarray(), X.toarray())
    np.testing.assert_array_equal(Y2.toarray(), Y.toarray())
    assert [path.name for path in tmp_path.iterdir()] == ["d.npz"]


def arrays_of(X, Y):
    arrays = {"format": np.array("xmlwb-npz-1")}
    for side, m in (("X", X), ("Y", Y)):
        parts = {"data": m.data, "indices": m.indices, "indptr": m.indptr, "shape": np.array(m.shape)}
        arrays |= {f"{side}_{key}": value.copy() for key, value in parts.items()}
    return arrays


def break_one(key, index, value):
    def change(arrays):
        arrays[key][index] = value

    return change


FAULTS = {
    "nan": (break_one("X_data", 0, np.nan), "X holds NaN"),
    "index out of range": (break_one("X_indices", 0, 3), "X: .*indices"),
    "negative index": (break_one("X_indices", 0, -1), "X: .*indices"),
    "broken indptr": (break_one("X_indptr", 1, 99), "d.npz: "),
    "label value": (break_one("Y_data", 0, 0.5), "label value 0.5 in Y"),
    "no array": (lambda arrays: arrays.pop("Y_indices"), "no array Y_indices"),
    "no format": (lambda arrays: arrays.pop("format"), "wanted format 'xmlwb-npz-1'"),
    "other rows": (lambda arrays: arrays.update(arrays_of(X, Y[:2])), "3 rows in X and 2 in Y"),
    "words": (lambda arrays: arrays.update(X_data=np.array(["a", "b", "c"])), "d.npz: "),
    "pickle": (lambda arrays: arrays.update(X_data=np.array([1, None, 2], object)), "allow_pickle"),
    "shape": (lambda arrays: arrays.update(X_shape=np.array([3.0, 3.0])), "X_shape is"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_refused(tmp_path, fault):
    change, message = FAULTS[fault]
    arrays = arrays_of(X, Y)
    change(arrays)
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(DataFileError, match=message):
        read_npz(tmp_path / "d.npz")


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "m.npz"
    path.write_text("no zip")
    for read in (read_npz, read_npz_matrix):
        with pytest.raises(DataFileError, match=r"m\.npz: a file that begins with b'no z', wanted an npz archive"):
            read(path)
    np.savez(path, a=np.arange(3))
    with pytest.raises(DataFileError, match=r"wanted what scipy\.sparse\.save_npz writes"):
        read_npz_matrix(path)
    sparse.save_npz(path, X)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataFileError):
        read_npz_matrix(path)


@pytest.mark.parametrize("form", ["csr", "csc", "coo"])
def test_indices_beyond_the_shape_are_refused(tmp_path, form):
    matrix = X.asformat(form)
    parts = {"row": matrix.row, "col": matrix.col} if form == "coo" else {"indices": matrix.indices}
    parts = {name: np.array([0, 50_000_000, 1], np.int32) if name != "row" else part for name, part in parts.items()}
    if form != "coo":
        parts["indptr"] = matrix.indptr
    np.savez(tmp_path / "m.npz", format=np.array(form), shape=np.array(X.shape), data=matrix.data, **parts)
    with pytest.raises(DataFileError, match=r"m\.npz: .*ind"):
        read_npz_matrix(tmp_path / "m.npz")


@pytest.mark.parametrize("form", ["bsr", "dia"])
def test_forms_that_scipy_does_not_check_are_refused(tmp_path, form):
    sparse.save_npz(tmp_path / "m.npz", X.asformat(form))
    with pytest.raises(DataFileError, match=f"form {form}, wanted csr, csc or coo"):
        read_npz_matrix(tmp_path / "m.npz")


@pytest.mark.parametrize("kind", ["matrix", "both"])
def test_a_flipped_byte_gives_the_same_arrays_or_a_clear_error(tmp_path, kind):
    path = tmp_path / "m.npz"
    if kind == "matrix":
        sparse.save_npz(path, X)
    else:
        write_npz(path, X, Y)
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 5):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            found = read_npz_matrix(path) if kind == "matrix" else read_npz(path)[0]
        except DataFileError:
            refused += 1
        else:
            np.testing.assert_array_equal(found.toarray(), X.toarray())
    assert refused > 100


def test_a_failed_write_keeps_the_old_file(tmp_path):
    write_npz(tmp_path / "d.npz", X, Y)
    before = (tmp_path / "d.npz").read_bytes()
    with pytest.raises(ValueError, match="3 rows and Y has 2"):
        write_npz(tmp_path / "d.npz", X, Y[:2])

    class Full(OSError):
        pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "savez_compressed", lambda *_, **__: (_ for _ in ()).throw(Full("disk full")))
        with pytest.raises(Full):
            write_npz(tmp_path / "d.npz", X, Y)
    assert [path.name for path in tmp_path.iterdir()] == ["d.npz"]
    assert (tmp_path / "d.npz").read_bytes() == before
