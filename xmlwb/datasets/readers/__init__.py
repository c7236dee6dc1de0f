"""Readers of the formats that data sets of the field come in. All are strict: a fault is a `DataFileError`."""

from __future__ import annotations

from xmlwb.datasets.readers.arff import ArffData, read_arff
from xmlwb.datasets.readers.folders import FolderData, Part, read_folder
from xmlwb.datasets.readers.jsonl import Documents, label_matrix, read_jsonl
from xmlwb.datasets.readers.npz import read_npz, read_npz_matrix, write_npz
from xmlwb.datasets.readers.problems import DataFileError
from xmlwb.datasets.readers.repository import (
    Splits,
    read_label_matrix,
    read_matrix,
    read_names,
    read_repository,
    read_splits,
    write_repository,
)

__all__ = [
    "ArffData",
    "DataFileError",
    "Documents",
    "FolderData",
    "Part",
    "Splits",
    "label_matrix",
    "read_arff",
    "read_folder",
    "read_jsonl",
    "read_label_matrix",
    "read_matrix",
    "read_names",
    "read_npz",
    "read_npz_matrix",
    "read_repository",
    "read_splits",
    "write_npz",
    "write_repository",
]
