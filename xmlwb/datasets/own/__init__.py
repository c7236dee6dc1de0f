"""Somebody's own data: a folder in any of the formats, everything that is wrong with it, and the data set it makes.

>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     _ = Path(folder, "train.txt").write_text("3 2 2\\n0 0:1\\n1 1:x\\n5 1:1\\n")
...     for fault in check_folder(folder).errors:
...         print(fault)
error: train.txt, line 3: '1:x', wanted a finite decimal number after the colon
error: train.txt, line 4: label index 5, wanted 0..1 (the header says 2 labels)
error: train.txt: 1 sound rows, too few for a training and a test part
"""

from __future__ import annotations

from xmlwb.datasets.own.faults import Fault, faults_table
from xmlwb.datasets.own.folder_check import FolderCheck, check_folder
from xmlwb.datasets.own.forms import FORMS, Form

__all__ = ["FORMS", "Fault", "FolderCheck", "Form", "check_folder", "faults_table"]
