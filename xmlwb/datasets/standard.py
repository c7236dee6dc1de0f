"""A standard set of the registry from files on disk."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from .card import Card
from .dataset import Dataset
from .fetch import fetched_dir
from .readers.folders import LAYOUTS_WANTED, FolderData, read_folder, with_subfolders
from .registry import REPOSITORY_HOME, SetInfo, normal_name, set_info
from .text import TextFeatures
from .text_cache import cached_features

DATA_VARIABLE = "XMLWB_DATA"


class SetNotFoundError(FileNotFoundError):
    """The files of a standard set were not found; the message says where they were looked for and how to get them."""


def load_standard(
    name: str,
    *,
    root: str | Path | None = None,
    split: int | None = None,
    text_features: TextFeatures | None = None,
    unit_rows: bool = True,
) -> Dataset:
    """Load a standard set (`registry.STANDARD`) from files that are on disk already.

    Parameters
    ----------
    name : the set's key or title; case and punctuation do not matter.
    root : the set's folder, or a folder that holds it. Without it the set is looked for in the folder that the
        variable XMLWB_DATA names, then where `fetch` puts it.
    split : which of the set's splits, from 0, where the files hold several; None takes the first.
    text_features : for a set of raw texts: other settings than the defaults of `TextFeatures`. Only they are taken
        from it: the features fitted on the training texts are the data set's, the object given is left as it was.
    unit_rows : divide each row of features by its length, as nearly all published results on these sets do
        (raw counts need another C in every linear method); False keeps the files' values. TF-IDF rows have length 1.

    Returns
    -------
    Dataset
        Names of features and labels are taken from the files, or are "feature 0", ..., "label 0", ... .

    Raises
    ------
    ValueError
        Unknown name, or a split that the files do not have.
    SetNotFoundError
        No files found.
    readers.DataFileError
        A damaged file.

    Warns
    -----
    UserWarning
        Sizes other than the published ones.
    """
    info = set_info(name)
    folder, data = _find(info, None if root is None else Path(root), split)
    deviations = size_deviations(info, data)
    if deviations:
        warnings.warn(f"{info.title} in {folder}: {'; '.join(deviations)}", stacklevel=2)
    X_train, X_valid, X_test, feature_names, fitted = _features(info, data, text_features, unit_rows)
    Y_valid = None if data.valid is None else data.valid.Y
    n_labels = data.train.Y.shape[1]
    return Dataset(
        name=info.key,
        X_train=X_train,
        Y_train=data.train.Y,
        X_valid=X_valid,
        Y_valid=Y_valid,
        X_test=X_test,
        Y_test=data.test.Y,
        label_names=data.label_names or [f"label {label}" for label in range(n_labels)],
        feature_names=feature_names,
        propensity_ab=info.propensity_ab,
        card=_card(info, data, deviations, split, unit_rows).with_figures(X_train, data.train.Y, Y_valid, data.test.Y),
        texts_train=data.train.texts,
        texts_valid=None if data.valid is None else data.valid.texts,
        texts_test=data.test.texts,
        label_texts=data.label_texts,
        label_parents=data.label_parents,
        text_features=fitted,
    )


def size_deviations(info: SetInfo, data: FolderData) -> list[str]:
    """What differs between the files and the published sizes, one sentence each."""
    features = None if data.train.X is None else data.train.X.shape[1]
    found = {
        "training instances": (data.train.Y.shape[0], info.n_train),
        "test instances": (data.test.Y.shape[0], info.n_test),
        "labels": (data.train.Y.shape[1], info.n_labels),
        "features": (features, info.n_features),
    }
    return [
        f"the files hold {here:,} {what}, {published:,} are published"
        for what, (here, published) in found.items()
        if here is not None and published is not None and here != published
    ]


def _find(info: SetInfo, root: Path | None, split: int | None) -> tuple[Path, FolderData]:
    looked_at: list[Path] = []
    for place in _places(info, root):
        looked_at.append(place)
        for folder in _candidates(info, place, whatever_its_name=root is not None):
            looked_at.append(folder)
            data = read_folder(folder, split=split)
            if data is not None:
                return folder, data
    raise SetNotFoundError(_not_found(info, looked_at))


def _places(info: SetInfo, root: Path | None) -> list[Path]:
    if root is not None:
        return [root.expanduser()]
    variable = os.environ.get(DATA_VARIABLE)
    return [*([Path(variable).expanduser()] if variable else []), fetched_dir(info)]


def _candidates(info: SetInfo, place: Path, *, whatever_its_name: bool) -> Iterator[Path]:
    """Folders in or at `place` that may hold the set's files, the likeliest first."""
    if not place.is_dir():
        return
    named = {normal_name(folder) for folder in info.folders}
    for child in sorted(place.iterdir()):
        if child.is_dir() and normal_name(child.name) in named:
            yield from with_subfolders(child)
    if normal_name(place.name) in named:
        yield from with_subfolders(place)
    elif whatever_its_name:  # but not its subfolders, which may be other sets
        yield place


def _not_found(info: SetInfo, looked_at: list[Path]) -> str:
    places = "".join(f"\n  {place}" for place in dict.fromkeys(looked_at))
    layouts = "".join(f"\n  {layout}" for layout in LAYOUTS_WANTED)
    return (
        f"no files of {info.title} found. Looked in:{places}\nWanted a folder {' or '.join(info.folders)} (case does "
        f"not matter) with one of these sets of files:{layouts}\nGet them with `xmlwb data fetch {info.key}` or from "
        f"{REPOSITORY_HOME}, or name your folder with root= or the variable {DATA_VARIABLE}."
    )


def _features(
    info: SetInfo, data: FolderData, text_features: TextFeatures | None, unit_rows: bool
) -> tuple[csr_array, csr_array | None, csr_array, list[str], TextFeatures | None]:
    """(X_train, X_valid, X_test, feature names, fitted text features): as read, or TF-IDF of the texts."""
    if data.train.X is not None and data.test.X is not None:
        if text_features is not None:
            raise ValueError(f"text_features: {info.title} has features of its own, wanted None")
        names = data.feature_names or [f"feature {feature}" for feature in range(data.train.X.shape[1])]
        X_valid = None if data.valid is None else data.valid.X
        if not unit_rows:
            return data.train.X, X_valid, data.test.X, names, None
        X_valid = None if X_valid is None else csr_array(normalize(X_valid))
        return csr_array(normalize(data.train.X)), X_valid, csr_array(normalize(data.test.X)), names, None
    parts = {"train": data.train, "valid": data.valid, "test": data.test}
    texts = {name: part.texts for name, part in parts.items() if part is not None and part.texts is not None}
    X, fitted = cached_features(info.key, texts, None if text_features is None else text_features.settings)
    return X["train"], X.get("valid"), X["test"], fitted.feature_names, fitted


def _card(info: SetInfo, data: FolderData, deviations: list[str], split: int | None, unit_rows: bool) -> Card:
    made = [f"Read from files on disk, layout: {data.layout}."]
    if data.n_splits > 1:
        made.append(f"Split {split or 0} of {data.n_splits}, counted from 0.")
    if data.train.X is None:
        made.append("Features: TF-IDF of the texts, vocabulary and document frequencies from the training part only.")
    elif unit_rows:
        made.append("Rows of features divided by their length.")
    if info.note:
        made.append(info.note)
    return Card(
        title=info.title,
        source=info.origin,
        licence=info.licence,
        made=" ".join(made),
        faults=(*info.faults, *data.notes, *(f"Sizes: {deviation}." for deviation in deviations)),
    )
