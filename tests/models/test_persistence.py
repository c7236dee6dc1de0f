from __future__ import annotations

import json
import mmap
import os
import sys
from typing import Any

import joblib
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file
from scipy import sparse

import xmlwb.models
from xmlwb.datasets.synthetic import make_synthetic
from xmlwb.models import ModelFileError, OneVsAll
from xmlwb.models.persistence import read_model, write_model


def test_every_kind_of_attribute_comes_back(tmp_path) -> None:
    state = {
        "array_": np.arange(6, dtype=np.int64).reshape(2, 3),
        "sparse_": sparse.csr_array(np.eye(3, dtype=np.float32)),
        "names_": np.array(["a", "b"]),
        "text_": "ä",
        "number_": np.float64(0.5),
        "nothing_": None,
    }
    write_model(tmp_path / "m", "Popular", {"k": 1}, state)
    method, params, read = read_model(tmp_path / "m")
    assert (method, params) == ("Popular", {"k": 1})
    np.testing.assert_array_equal(read["array_"], state["array_"])
    assert (read["sparse_"] != state["sparse_"]).nnz == 0
    assert read["names_"].tolist() == ["a", "b"]
    assert (read["text_"], read["number_"], read["nothing_"]) == ("ä", 0.5, None)


@pytest.mark.parametrize(
    ("params", "state", "message"),
    [({"C": object()}, {}, "parameter C"), ({}, {"tree_": object()}, "attribute tree_ is of type object")],
)
def test_what_cannot_be_saved_leaves_no_file(tmp_path, params, state, message) -> None:
    (tmp_path / "m").write_text("an older model")
    with pytest.raises(TypeError, match=message):
        write_model(tmp_path / "m", "Popular", params, state)
    assert (tmp_path / "m").read_text() == "an older model"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_interrupted_write_keeps_the_old_file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path / "m", "Popular", {}, {"n_": 1})

    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("xmlwb.models.persistence.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_model(tmp_path / "m", "Popular", {}, {"n_": 2})
    assert read_model(tmp_path / "m")[2] == {"n_": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    "indptr",
    [
        np.array([0, 2**30, 2**30, 0], dtype=np.int32),  # ends in 0: scipy looks no further
        np.array([0, 2**31 - 1, -(2**31), 3], dtype=np.int32),  # differences wrap around
        np.array([0, 2**63 - 1, -(2**63), 3], dtype=np.int64),
        np.array([0, 1, 2, 3, 3], dtype=np.int32),
    ],
    ids=["ends in 0", "wraps", "wraps at 64 bits", "a row too many"],
)
def test_row_pointers_that_do_not_rise_are_refused(tmp_path, indptr) -> None:
    write_model(tmp_path / "good", "OneVsAll", {}, {"coef_": sparse.csr_array(np.eye(3, dtype=np.float32))})
    with safe_open(tmp_path / "good", framework="numpy") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    stored = indptr[-1] if len(indptr) == 4 else 3
    tensors |= {f"coef_.{part}": tensors[f"coef_.{part}"][:stored] for part in ("data", "indices")}
    save_file(tensors | {"coef_.indptr": indptr}, tmp_path / "m", metadata)
    with pytest.raises(ModelFileError, match=r"is damaged.*coef_ has"):
        read_model(tmp_path / "m")


def test_indices_out_of_range_are_refused(tmp_path) -> None:
    coef = sparse.csr_array(np.eye(3, dtype=np.float32))
    coef.indices[1] = 2_000_000_000
    write_model(tmp_path / "m", "OneVsAll", {}, {"coef_": coef})
    with pytest.raises(ModelFileError, match=r"is damaged.*coef_ has an index outside 0..2"):
        xmlwb.models.load(tmp_path / "m")


def test_parameters_of_another_version_are_refused(tmp_path) -> None:
    write_model(tmp_path / "m", "Popular", {"flavour": 1}, {})
    with pytest.raises(ModelFileError, match=r"does not hold a whole Popular"):
        xmlwb.models.load(tmp_path / "m")


def test_files_that_are_no_models(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="wanted a model file"):
        xmlwb.models.load(tmp_path / "absent")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ModelFileError, match="not a whole model file"):
        xmlwb.models.load(tmp_path / "text")
    save_file({"a": np.zeros(1)}, tmp_path / "foreign")
    with pytest.raises(ModelFileError, match="without xmlwb's document"):
        xmlwb.models.load(tmp_path / "foreign")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"format": 99}, "has format 99"),
        ({"format": 1}, "is damaged: KeyError"),
        ({"format": 1, "method": "Popular", "params": {}, "attributes": {"W_": {"kind": "array"}}}, "is damaged"),
        ({"format": 1, "method": "Later", "params": {}, "attributes": {}}, "holds a Later; this version has"),
    ],
)
def test_documents_that_cannot_be_read(tmp_path, document: dict, message: str) -> None:
    save_file({"a": np.zeros(1)}, tmp_path / "m", metadata={"xmlwb": json.dumps(document)})
    with pytest.raises(ModelFileError, match=message):
        xmlwb.models.load(tmp_path / "m")


def test_the_file_can_be_read_by_whoever_the_umask_lets(tmp_path) -> None:
    before = os.umask(0o022)
    try:
        write_model(tmp_path / "m", "Popular", {}, {})
    finally:
        os.umask(before)
    assert (tmp_path / "m").stat().st_mode & 0o777 == 0o644


def buffer_of(array: np.ndarray) -> Any:
    """What the array's numbers lie in, in the end: the pages of a file, or None for memory of its own."""
    owner = array
    while isinstance(owner, np.ndarray | memoryview):
        owner = owner.base if isinstance(owner, np.ndarray) else owner.obj
    return owner


@pytest.fixture(scope="module")
def problem():
    return make_synthetic(200, 20, n_features=100, random_state=1)


@pytest.fixture
def saved(problem, tmp_path):
    model = OneVsAll().fit(problem.X_train, problem.Y_train)
    model.save(tmp_path / "m")
    return model, tmp_path / "m"


KINDS = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


@pytest.mark.parametrize("memory_map", [True, False])
def test_every_dtype_and_shape_comes_back(tmp_path, memory_map: bool) -> None:
    shapes = {"plain": (5,), "empty": (0,), "no_rows": (0, 3), "scalar": (), "box": (2, 3, 4)}
    state = {
        f"{shape_name}_{dtype.replace('?', 'b1')}_": np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        for shape_name, shape in shapes.items()
        for dtype in KINDS
    }
    state["nothing_kept_"] = sparse.csr_array((3, 4), dtype=np.float32)
    write_model(tmp_path / "m", "Popular", {}, state)
    read = read_model(tmp_path / "m", memory_map=memory_map)[2]
    assert read.keys() == state.keys()
    assert read.pop("nothing_kept_").shape == state.pop("nothing_kept_").shape
    for name, expected in state.items():
        np.testing.assert_array_equal(read[name], expected, strict=True, err_msg=name)
        assert type(read[name]) is np.ndarray
        assert read[name].flags.aligned
        assert read[name].flags.writeable, "numba would compile its kernels again for read-only arrays"


def test_a_loaded_model_lies_in_the_pages_of_its_file(saved, problem) -> None:
    model, path = saved
    for loaded in (OneVsAll.load(path), xmlwb.models.load(path)):
        for array in (loaded.coef_.data, loaded.coef_.indices, loaded.coef_.indptr, loaded.intercept_):
            assert isinstance(buffer_of(array), mmap.mmap)
        assert (loaded.predict_topk(problem.X_test) != model.predict_topk(problem.X_test)).nnz == 0


def test_a_model_can_be_copied_into_memory(saved, problem) -> None:
    model, path = saved
    for loaded in (OneVsAll.load(path, memory_map=False), xmlwb.models.load(path, memory_map=False)):
        assert not isinstance(buffer_of(loaded.coef_.data), mmap.mmap)
        assert (loaded.predict_topk(problem.X_test) != model.predict_topk(problem.X_test)).nnz == 0


def test_changing_a_loaded_array_changes_nothing_in_the_file(saved) -> None:
    model, path = saved
    before = path.read_bytes()
    loaded = OneVsAll.load(path)
    loaded.coef_.data[:] = 7
    loaded.intercept_ += 1
    assert path.read_bytes() == before
    np.testing.assert_array_equal(OneVsAll.load(path).coef_.data, model.coef_.data)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not replace a file that is mapped")
def test_saving_over_a_model_that_is_open_leaves_it_as_it_was(saved, problem) -> None:
    model, path = saved
    opened = OneVsAll.load(path)  # nothing of its weights has been read when the file is replaced
    OneVsAll(C=0.01).fit(problem.X_train, problem.Y_train).save(path)
    assert (opened.predict_topk(problem.X_test) != model.predict_topk(problem.X_test)).nnz == 0
    assert OneVsAll.load(path).C == 0.01
    opened.save(path)
    np.testing.assert_array_equal(OneVsAll.load(path).coef_.data, model.coef_.data)


def first_of(array: np.ndarray) -> float:
    return float(array[0])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not replace a file that is mapped")
def test_workers_get_the_model_that_was_loaded_not_the_file_that_has_its_name_now(tmp_path) -> None:
    many = np.ones(500_000, dtype=np.float32)  # so many that joblib would rather send a file's name
    write_model(tmp_path / "m", "Popular", {}, {"many_": many})
    loaded = read_model(tmp_path / "m")[2]["many_"]
    write_model(tmp_path / "m", "Popular", {}, {"many_": 2 * many})
    with joblib.parallel_config("loky"):
        assert joblib.Parallel(n_jobs=2)(joblib.delayed(first_of)(loaded) for _ in range(2)) == [1.0, 1.0]


@pytest.mark.parametrize("memory_map", [True, False])
@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_half_a_file_is_refused(saved, kept: int, memory_map: bool) -> None:
    path = saved[1]
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ModelFileError, match="not a whole model file"):
        OneVsAll.load(path, memory_map=memory_map)


def test_a_tensor_that_is_not_aligned_is_copied(tmp_path) -> None:
    document = {"format": 1, "method": "M", "params": {}, "attributes": {"a_": {"kind": "array"}}}
    numbers = np.arange(3, dtype=np.float32)
    entry = {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}
    header = json.dumps({"__metadata__": {"xmlwb": json.dumps(document)}, "a_": entry}).encode()
    header += b" " * (-len(header) % 8 + 3)  # other writers need not pad
    (tmp_path / "m").write_bytes(len(header).to_bytes(8, "little") + header + numbers.tobytes())
    a = read_model(tmp_path / "m")[2]["a_"]
    np.testing.assert_array_equal(a, numbers, strict=True)
    assert a.flags.aligned
    assert buffer_of(a) is None
