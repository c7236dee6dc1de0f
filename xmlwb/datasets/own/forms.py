"""The formats of a folder: which files each wants, and which of them a folder has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from xmlwb.datasets.own.faults import FaultLog
from xmlwb.datasets.readers.folders import _files, with_subfolders

_GZ = r"(\.gz)?"
_PECOS = "(tfidf-attnxml/)?"


@dataclass(frozen=True)
class Form:
    """One format of a folder.

    Attributes
    ----------
    title : str
        For a menu.
    wanted : str
        Names of its files, for messages.
    needed, further : mapping of role to pattern of a file's whole name
        Files that must be there, and those that may be.
    options : tuple of str
        Arguments of `check_folder` that it takes.
    """

    title: str
    wanted: str
    needed: Mapping[str, str]
    further: Mapping[str, str]
    options: tuple[str, ...] = ()


_DRAWN = ("test_share",)
_NAMES = {
    "feature names": rf"(feature_names|Xf)\.txt{_GZ}",
    "label names": rf"(label_names|Yf|Y)\.txt{_GZ}",
}

FORMS: dict[str, Form] = {
    "splits": Form(
        "Repository: one file with splits",
        "NAME_data.txt + NAME_trSplit.txt + NAME_tstSplit.txt",
        {
            "train": rf".*_data\.txt{_GZ}",
            "train split": r".*_(tr|trn|train)_?split\.txt",
            "test split": r".*_(tst|test)_?split\.txt",
        },
        _NAMES,
        ("split", "unit_rows"),
    ),
    "matrices": Form(
        "Repository: features and labels apart",
        "trn_X_Xf.txt + trn_X_Y.txt (+ tst_X_Xf.txt + tst_X_Y.txt)",
        {"train": rf"trn_X_Xf\.txt{_GZ}", "train labels": rf"trn_X_Y\.txt{_GZ}"},
        {"test": rf"tst_X_Xf\.txt{_GZ}", "test labels": rf"tst_X_Y\.txt{_GZ}", **_NAMES},
        (*_DRAWN, "unit_rows"),
    ),
    "repository": Form(
        "Repository: train and test files",
        "train.txt (+ test.txt), or NAME_train.txt (+ NAME_test.txt)",
        {"train": rf"(.*_)?(train|data)\.txt{_GZ}"},
        {"test": rf"(.*_)?test\.txt{_GZ}", **_NAMES},
        (*_DRAWN, "unit_rows"),
    ),
    "jsonl": Form(
        "JSON lines: texts and labels",
        "train.jsonl (+ test.jsonl, dev.jsonl, labels.tsv)",
        {"train": rf"(train|data|documents)\.jsonl{_GZ}"},
        {
            "test": rf"test\.jsonl{_GZ}",
            "valid": rf"(dev|valid|validation)\.jsonl{_GZ}",
            "label table": r"labels\.tsv",
            "concepts": r"eurovoc_en\.json",
        },
        ("text_fields", "label_field", *_DRAWN),
    ),
    "npz": Form(
        "npz matrices of SciPy",
        "X.trn.npz + Y.trn.npz (+ X.tst.npz + Y.tst.npz), or X.npz + Y.npz",
        {"train": rf"{_PECOS}X(\.trn)?\.npz", "train labels": r"Y(\.trn)?\.npz"},
        {"test": rf"{_PECOS}X\.tst\.npz", "test labels": r"Y\.tst\.npz", **_NAMES},
        (*_DRAWN, "unit_rows"),
    ),
    "arff": Form(
        "ARFF of MULAN and MEKA",
        "NAME-train.arff (+ NAME-test.arff) + NAME.xml, or labels given as a number",
        {"train": rf"(.*train|data)\.arff{_GZ}"},
        {"test": rf".*test\.arff{_GZ}", "label list": r".*\.xml"},
        ("arff_labels", *_DRAWN, "unit_rows"),
    ),
}
"""Every format by its key."""

# A folder with one file of this kind alone needs no special name.
_ALONE = {
    "repository": re.compile(rf".*\.txt{_GZ}", re.I),
    "jsonl": re.compile(rf".*\.jsonl{_GZ}", re.I),
    "arff": re.compile(rf".*\.arff{_GZ}", re.I),
}


@dataclass(frozen=True)
class Recognised:
    """A format and the files of the folder that play its roles."""

    key: str
    folder: Path
    files: Mapping[str, Path]

    @property
    def form(self) -> Form:
        return FORMS[self.key]


def recognise(path: Path, log: FaultLog, form: str | None = None) -> Recognised | None:
    """The format of a folder, of one of those right below it, or of a single file; None with a fault where none fits.

    Parameters
    ----------
    form : str, optional
        Key of `FORMS`: this one, or a fault that says which of its files are missing.
    """
    keys = list(FORMS) if form is None else [form]
    places = list(with_subfolders(path)) if path.is_dir() else [path]
    best: Recognised | None = None
    for place in places:
        files = _files(place) if place.is_dir() else {place.name: place}
        for key in keys:
            found = Recognised(key, place if place.is_dir() else place.parent, _roles(key, files))
            if not _missing(found):
                return found
            if found.files and (best is None or len(_missing(found)) < len(_missing(best))):
                best = found
    if best is not None and set(best.files) - {"feature names", "label names", "label list"}:
        have = ", ".join(sorted(file.name for file in best.files.values()))
        log.add("files", f"{have}: looks like '{best.form.title}', of which these are missing: "
                f"{', '.join(_missing(best))}; wanted {best.form.wanted}")  # fmt: skip
        return None
    names = sorted(_files(path)) if path.is_dir() else [path.name]
    here = f"{', '.join(names[:8])}{' ...' if len(names) > 8 else ''}" if names else "no files"
    wanted = "; or ".join(FORMS[key].wanted for key in keys)
    log.add("files", f"{here}: none of the formats; wanted {wanted}")
    return None


def _roles(key: str, files: Mapping[str, Path]) -> dict[str, Path]:
    form = FORMS[key]
    found: dict[str, Path] = {}
    for role, pattern in {**form.needed, **form.further}.items():
        names = [name for name in files if re.fullmatch(pattern, name, re.IGNORECASE)]
        if names:
            found[role] = files[min(names, key=len)]
    if "train" not in found and "test" not in found and key in _ALONE:
        taken = set(found.values())
        left = [path for name, path in files.items() if _ALONE[key].fullmatch(name) and path not in taken]
        if len(left) == 1 and (key != "repository" or _begins_like_rows(left[0])):
            found["train"] = left[0]
    return found


def _begins_like_rows(path: Path) -> bool:
    """Whether a .txt file begins with a header of whole numbers or with index:value; others are README files."""
    from xmlwb.datasets.readers.opening import open_bytes
    from xmlwb.datasets.readers.problems import DataFileError

    try:
        with open_bytes(path) as stream:
            start = stream.readline(1000)
    except (OSError, DataFileError):
        return False
    return re.match(rb"\s*\d+\s+\d+\s+\d+\s*$|\s*(\d+(,\d+)*)?\s*\d+:", start) is not None


def _missing(found: Recognised) -> list[str]:
    return [role for role in found.form.needed if role not in found.files]
