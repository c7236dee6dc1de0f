from __future__ import annotations

import json
import os

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy import sparse

import xmlwb.models
from xmlwb.models import ModelFileError
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


def test_indices_out_of_range_are_refused(tmp_path) -> None:
    coef = sparse.csr_array(np.eye(3, dtype=np.float32))
    coef.indices[1] = 2_000_000_000
    write_model(tmp_path / "m", "OneVsAll", {}, {"coef_": coef})
    with pytest.raises(ModelFileError, match=r"is damaged.*indices"):
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
