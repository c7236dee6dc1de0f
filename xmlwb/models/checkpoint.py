"""The state of a training run on disk, from which the next run goes on as if nothing had happened."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy import sparse

from xmlwb.atomic import atomic_path


class Checkpoint:
    """One file in a folder: the arrays of a run after its last finished epoch.

    It is replaced whole: a run that is killed while it writes leaves the epoch before. Nothing in it is executed.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    run : dict
        What the run is: method, arguments, `fingerprint` of the data; JSON values or numpy's numbers. A checkpoint of
        another run is refused.

    Raises
    ------
    ValueError
        By `read`: the folder holds a checkpoint of another run, or a file that is no checkpoint.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Checkpoint(folder, {"seed": 0}).write(3, {"W": np.zeros(2)})
    ...     Checkpoint(folder, {"seed": 0}).read()
    (3, {'W': array([0., 0.])})
    """

    def __init__(self, folder: str | os.PathLike, run: dict[str, Any]) -> None:
        self.path = Path(folder) / "checkpoint.safetensors"
        self.run = json.loads(json.dumps(run, default=_plain))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        for left_over in self.path.parent.glob(f".{self.path.name}.*"):  # of a run that was killed while it wrote
            left_over.unlink(missing_ok=True)

    def write(self, epoch: int, arrays: dict[str, np.ndarray]) -> None:
        """Keep the arrays as they are after `epoch` epochs, in place of what was there."""
        document = json.dumps({"epoch": epoch, "run": self.run})
        blob = save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, metadata={"checkpoint": document})
        with atomic_path(self.path) as partial:
            partial.write_bytes(blob)

    def read(self) -> tuple[int, dict[str, np.ndarray]]:
        """The epochs finished and the arrays; 0 and nothing if there is no checkpoint yet."""
        if not self.path.exists():
            return 0, {}
        try:
            with safe_open(self.path, framework="numpy") as file:
                document = json.loads((file.metadata() or {})["checkpoint"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, LookupError, ValueError) as error:
            raise ValueError(f"checkpoint_dir holds {self.path.name}, which is no checkpoint ({error})") from error
        other = document["run"]
        for name in sorted(self.run.keys() | other.keys()):
            if self.run.get(name) != other.get(name):
                raise ValueError(
                    f"checkpoint_dir is {str(self.path.parent)!r}, which holds a run whose {name} is "
                    f"{other.get(name)!r}; wanted {self.run.get(name)!r}, or an empty folder"
                )
        return int(document["epoch"]), arrays


def _plain(value: Any) -> Any:
    """A numpy number as Python's, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"a checkpoint's run holds {value!r}; wanted numbers, text, booleans or None")


def fingerprint(*matrices: sparse.csr_array | np.ndarray | None) -> str:
    """A hash of the shapes and contents of some matrices: O(bytes)."""
    digest = hashlib.sha256()
    for matrix in matrices:
        if matrix is None:
            digest.update(b"none")
            continue
        parts = (matrix,) if isinstance(matrix, np.ndarray) else (matrix.indptr, matrix.indices, matrix.data)
        digest.update(repr((matrix.shape, [part.dtype.str for part in parts])).encode())
        for part in parts:
            digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()[:32]
