"""A fitted model as one file: safetensors for the arrays, JSON for the rest.

No pickle: loading reads numbers and text and executes nothing. The format is a plain safetensors file whose
``__metadata__`` holds one JSON document under the key ``xmlwb``: format version, class, parameters, and how the
attributes are put together from the tensors. A sparse attribute ``W_`` is stored as ``W_.data``, ``W_.indices`` and
``W_.indptr``.

Loading maps the file: the arrays lie in its pages, which the system reads when they are first used, shares between the
processes that load the same file, and takes back when memory is short.
"""

from __future__ import annotations

import json
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors_save
from scipy import sparse

import xmlwb
from xmlwb.atomic import atomic_path

FORMAT = 1

#: Names of the types in a safetensors header; numbers are stored with the lowest byte first.
_DTYPES = {
    "BOOL": "?", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8", "U8": "u1", "U16": "<u2", "U32": "<u4",
    "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip


#: What a file whose parts do not fit together may raise on its way to a model.
UNFIT = (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)


class ModelFileError(ValueError):
    """The file is not a model of xmlwb, is damaged, or holds another method's model."""


def write_model(path: str | os.PathLike, method: str, params: dict[str, Any], state: dict[str, Any]) -> None:
    """Write a model atomically: the file appears whole or not at all.

    Parameters
    ----------
    method : str
        The class name.
    params : dict
        Constructor arguments: JSON values, or models, of which only the class and the arguments are kept.
    state : dict
        Fitted attributes: arrays of numbers, csr_array, str, int, float, bool, None or lists of str.

    Raises
    ------
    TypeError
        A parameter or an attribute has a type that the format cannot hold; it is named.
    """
    tensors: dict[str, np.ndarray] = {}
    attributes = {name: _pack(name, value, tensors) for name, value in state.items()}
    params = _pack_params(params)
    document = {
        "format": FORMAT,
        "xmlwb": xmlwb.__version__,
        "method": method,
        "params": params,
        "attributes": attributes,
    }
    blob = safetensors_save(tensors, metadata={"xmlwb": json.dumps(document)})
    with atomic_path(path) as partial:
        partial.write_bytes(blob)


def read_model(path: str | os.PathLike, *, memory_map: bool = True) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Read what `write_model` wrote: (method, params, state).

    Parameters
    ----------
    memory_map : bool, default True
        Whether the arrays are the file's own pages, read when they are used, or copies in memory. Either way they can
        be written to, which never changes the file. While a model is mapped, `write_model` may put another file in
        its place (the old one lives on until the last model that uses it is gone; Windows refuses instead), but no
        program may change or shorten the file where it lies. Copy a file that lies on a network drive.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        Not a safetensors file, truncated, without the ``xmlwb`` document, or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted a model file")
    try:
        with safe_open(path, framework="numpy"):  # it tests the header, each tensor's place, and the file's length
            pass
    except SafetensorError as error:
        raise ModelFileError(f"{path} is not a whole model file ({error})") from error
    try:
        metadata, tensors = _read_tensors(path, memory_map)
        if "xmlwb" not in metadata:
            raise ModelFileError(f"{path} is a safetensors file without xmlwb's document; wanted one that save() wrote")
        document = json.loads(metadata["xmlwb"])
        if document["format"] > FORMAT:
            raise ModelFileError(f"{path} has format {document['format']}; this version reads up to {FORMAT}")
        state = {name: _unpack(name, kind, tensors) for name, kind in document["attributes"].items()}
        return document["method"], document["params"], state
    except ModelFileError:
        raise
    except UNFIT as error:
        raise ModelFileError(f"{path} is damaged: {error!r}") from error


def _read_tensors(path: Path, memory_map: bool) -> tuple[dict[str, str], dict[str, np.ndarray]]:
    """The metadata and the tensors of a safetensors file: 8 bytes of length, a JSON header, the tensors' bytes.

    No ``np.memmap``: joblib would send its workers only the file's name, and they would read whatever has that name by
    then. Each tensor is a view of an array of its own size: of a view of more than that scipy makes a copy.
    """
    with path.open("rb") as file:
        # ACCESS_COPY: a page that is written to becomes a copy of its own, and no array is read-only, which would make
        # numba compile every kernel a second time.
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY) if memory_map else bytearray(file.read())
    begin = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:begin])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        dtype, (first, last) = np.dtype(_DTYPES[entry["dtype"]]), entry["data_offsets"]
        if first == last:
            tensor = np.empty(0, dtype=dtype)
        else:
            tensor = np.frombuffer(content, dtype, count=(last - first) // dtype.itemsize, offset=begin + first)
        if not tensor.flags.aligned:  # save() pads the header to 8 bytes and puts wide types first, others may not
            tensor = tensor.copy()
        tensors[name] = tensor.reshape(entry["shape"])
    return metadata, tensors


def _pack_params(params: dict[str, Any]) -> dict[str, Any]:
    packed = {}
    for name, value in params.items():
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, type) and hasattr(value, "get_params"):
            value = {"model": type(value).__name__, "params": _pack_params(value.get_params(deep=False))}
        elif not (value is None or isinstance(value, (bool, int, float, str))):
            raise TypeError(
                f"parameter {name} is {value!r}; only numbers, text, booleans, None and models can be saved"
            )
        packed[name] = value
    return packed


def _pack(name: str, value: Any, tensors: dict[str, np.ndarray]) -> dict[str, Any]:
    if sparse.issparse(value):
        csr = sparse.csr_array(value)
        tensors |= {f"{name}.data": csr.data, f"{name}.indices": csr.indices, f"{name}.indptr": csr.indptr}
        return {"kind": "csr", "shape": list(csr.shape)}
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        tensors[name] = np.asarray(value, order="C")  # ascontiguousarray makes a scalar a row
        return {"kind": "array"}
    if isinstance(value, np.ndarray) and value.ndim == 1:  # names: feature_names_in_, classes_ of a 1-D y
        items = value.tolist()
        if all(isinstance(item, str) for item in items):
            return {"kind": "names", "value": items, "object": value.dtype == object}
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return {"kind": "plain", "value": value}
    raise TypeError(f"attribute {name} is of type {type(value).__name__}, which cannot be saved")


def _unpack(name: str, packed: dict[str, Any], tensors: dict[str, np.ndarray]) -> Any:
    if packed["kind"] == "csr":
        data, indices, indptr = (tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr"))
        _check_csr(name, data, indices, indptr, *packed["shape"])
        return sparse.csr_array((data, indices, indptr), shape=tuple(packed["shape"]))
    if packed["kind"] == "array":
        return tensors[name]
    if packed["kind"] == "names":
        return np.array(packed["value"], dtype=object if packed["object"] else None)
    return packed["value"]


def _check_csr(name: str, data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, n: int, width: int) -> None:
    """ValueError unless the parts are a matrix: compiled kernels trust them, and scipy's own full check does not see
    differences that wrap around, nor anything where ``indptr`` ends in 0."""
    if any(part.ndim != 1 for part in (data, indices, indptr)) or len(data) != len(indices) or len(indptr) != n + 1:
        raise ValueError(f"{name} has parts of shapes {data.shape}, {indices.shape}, {indptr.shape} for {n} rows")
    if indices.dtype.name not in ("int32", "int64") or indptr.dtype.name not in ("int32", "int64"):
        raise ValueError(f"{name} has indices of {indices.dtype} and {indptr.dtype}; wanted int32 or int64")
    if indptr[0] != 0 or indptr[-1] != len(indices) or (indptr[1:] < indptr[:-1]).any():
        raise ValueError(f"{name} has row pointers that do not rise from 0 to {len(indices)}")
    if len(indices) and (indices.min() < 0 or indices.max() >= width):
        raise ValueError(f"{name} has an index outside 0..{width - 1}")
