"""Check a folder of data: everything that is wrong with it, its card, and the data set that is left."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from xmlwb.datasets.card import Card
from xmlwb.datasets.dataset import Dataset
from xmlwb.datasets.own.content import check_content, row_marks
from xmlwb.datasets.own.faults import SEVERITIES, Fault, FaultLog, faults_table
from xmlwb.datasets.own.forms import FORMS, recognise
from xmlwb.datasets.own.parts import OwnFiles, read_files
from xmlwb.datasets.text import TextFeatures

_PROPENSITY = (0.55, 1.5)  # A and B of Jain et al. (2016) for sets that are neither Wikipedia's nor Amazon's
_SEED = 0  # of the draw of a test part


@dataclass(frozen=True)
class FolderCheck:
    """What `check_folder` found.

    Attributes
    ----------
    folder : Path
        The folder that holds the files, or the file.
    form : str or None
        Key of `FORMS`; None where no format fits.
    faults : list of Fault
        Errors first.
    dataset : Dataset or None
        Of the rows that could be read; None where nothing can be learned from them.
    used : dict
        The options that were taken, also those that were guessed.
    n_splits : int
        How many splits there are to choose from.
    """

    folder: Path
    form: str | None
    faults: list[Fault]
    dataset: Dataset | None
    used: Mapping[str, Any]
    n_splits: int = 1

    @property
    def errors(self) -> list[Fault]:
        """The faults that must be mended."""
        return [fault for fault in self.faults if fault.severity == "error"]

    @property
    def warnings(self) -> list[Fault]:
        """The faults to look at."""
        return [fault for fault in self.faults if fault.severity == "warning"]

    @property
    def summary(self) -> str:
        """One line: the format, and how many faults of each severity."""
        counts = [sum(fault.severity == severity for fault in self.faults) for severity in SEVERITIES]
        said = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in zip(counts, SEVERITIES, strict=True))
        return f"{self.folder.name}: {FORMS[self.form].title if self.form else 'no format recognised'}; {said}"

    def to_text(self, width: int = 100) -> str:
        """For a terminal: the summary, each fault with what to do, and the card."""
        import textwrap

        lines = [self.summary]
        for fault in self.faults:
            lines.append(textwrap.fill(str(fault), width, initial_indent="- ", subsequent_indent="  "))
            lines.append(textwrap.fill(fault.to_do, width, initial_indent="  do: ", subsequent_indent="      "))
        if self.dataset is not None:
            lines += ["", self.dataset.card.to_text(width)]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p><b>{escape(self.summary)}</b></p>{faults_table(self.faults)}"

    def __repr__(self) -> str:
        return f"FolderCheck({self.summary})"


def check_folder(
    path: str | Path,
    *,
    form: str | None = None,
    text_fields: Sequence[str] | None = None,
    label_field: str | None = None,
    arff_labels: int | str | Path | None = None,
    split: int | None = None,
    test_share: float = 0.2,
    unit_rows: bool = True,
) -> FolderCheck:
    """Look for everything that is wrong with a folder in one of the `FORMS`, and make a data set of what can be read.

    Parameters
    ----------
    path : folder, one that holds it, or a single file.
    form : key of `FORMS`; None finds it by the files' names.
    text_fields, label_field : JSON lines: fields with the text (joined in this order) and with the list of labels;
        None guesses them from the first lines.
    arff_labels : ARFF: which attributes are labels, as in `read_arff`; a number may be text.
    split : one file with splits: which one, from 0.
    test_share : where there is no test part: the share of the instances that is drawn for it (seed 0; equal instances
        stay on one side).
    unit_rows : divide each row of features by its length, as `load` does; TF-IDF rows have length 1.

    Raises
    ------
    FileNotFoundError
        There is no such folder or file.
    ValueError
        An unknown form, or a share that is none.

    Notes
    -----
    What can be wrong with the data is in the result and raises nothing. Rows that cannot be read are left out of the
    data set. Time is that of reading, and O(nnz) for the checks.
    """
    path = Path(path).expanduser()
    if form is not None and form not in FORMS:
        raise ValueError(f"form: found {form!r}, wanted one of {', '.join(FORMS)}")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share: found {test_share}, wanted a share between 0 and 1")
    if not path.exists():
        raise FileNotFoundError(f"{path} not found; wanted a folder with data, or a file")
    if isinstance(arff_labels, str) and re.fullmatch(r"[+-]?\d+", arff_labels.strip()):
        arff_labels = int(arff_labels)
    log = FaultLog()
    found = recognise(path, log, form)
    if found is None:
        return FolderCheck(path, form, log.faults(), None, {})
    options = {"text_fields": text_fields, "label_field": label_field, "arff_labels": arff_labels, "split": split}
    files = read_files(found, log, options)
    if files is None:
        if not log.faults():
            log.add("files", f"no training part; wanted {found.form.wanted}")
        return FolderCheck(path, found.key, log.faults(), None, {})
    check_content(files, log, counted=found.key in ("splits", "repository", "matrices"))
    used = dict(files.used)
    if "test" not in files.parts:
        files = _with_test_part(files, test_share, log)
        used["test_share"] = test_share
    dataset = None
    if not any(fault.kind == "nothing to learn" for fault in log.faults()):
        made = f"Read from files on disk, format: {found.form.title}{_said(used)}."
        card = Card(title=path.resolve().name, source=str(path), licence="Yours to say.", made=made)
        dataset = _dataset(files, card, unit_rows, log)
    faults = log.faults()
    if dataset is not None:
        noted = tuple(f"{str(fault)[0].upper()}{str(fault)[1:]}." for fault in faults)
        dataset = replace(dataset, card=replace(dataset.card, faults=noted))
    return FolderCheck(path, found.key, faults, dataset, used, files.n_splits)


def _said(used: Mapping[str, Any]) -> str:
    said = {name: ", ".join(value) if isinstance(value, list) else value for name, value in used.items()}
    return "".join(f"; {name.replace('_', ' ')}: {value}" for name, value in said.items())


def _with_test_part(files: OwnFiles, share: float, log: FaultLog) -> OwnFiles:
    """With a test part drawn off the training part, instances that are equal on one side."""
    train = files.parts["train"]
    marks = row_marks(train)
    groups = np.unique([f"{i}" if mark is None else mark.hex() for i, mark in enumerate(marks)], return_inverse=True)[1]
    n_groups = int(groups.max(initial=-1)) + 1
    drawn = np.random.default_rng(_SEED).permutation(n_groups)[: round(share * n_groups)]
    test = np.isin(groups, drawn)
    if not test.any() or test.all():
        log.add("nothing to learn", f"{train.n} sound rows, too few for a training and a test part", train.file)
        return files
    log.add("no test part", f"no test part; {test.sum():,} of {train.n:,} instances are drawn for it", train.file)
    return replace(files, parts=files.parts | {"train": train.rows(~test), "test": train.rows(test)})


def _dataset(files: OwnFiles, card: Card, unit_rows: bool, log: FaultLog) -> Dataset | None:
    parts = files.parts
    fitted = None
    if parts["train"].texts is not None:
        fitted = TextFeatures()
        try:
            X = {"train": fitted.fit_transform(parts["train"].texts)}
        except ValueError as problem:
            log.add("nothing to learn", str(problem), parts["train"].file)
            return None
        X |= {name: fitted.transform(part.texts or []) for name, part in parts.items() if name != "train"}
        feature_names = fitted.feature_names
    else:
        X = {name: csr_array(normalize(part.X)) if unit_rows else part.X for name, part in parts.items()}
        d = X["train"].shape[1]
        feature_names = files.feature_names or [f"feature {i}" for i in range(d)]
    Y = {name: part.Y for name, part in parts.items()}
    for matrix in (*X.values(), *Y.values()):
        matrix.sum_duplicates()
    L = Y["train"].shape[1]
    given = {
        f"{side}_{name}": (X if side == "X" else Y).get(name) for side in "XY" for name in ("train", "valid", "test")
    }
    return Dataset(
        name=card.title,
        **given,
        label_names=files.label_names or [f"label {i}" for i in range(L)],
        feature_names=feature_names,
        propensity_ab=_PROPENSITY,
        card=card.with_figures(given["X_train"], given["Y_train"], given["Y_valid"], given["Y_test"]),
        label_texts=files.label_texts,
        label_parents=files.label_parents,
        text_features=fitted,
        **{f"texts_{name}": part.texts for name, part in parts.items()},
    )
