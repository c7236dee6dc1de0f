"""The bundled data sets, debtags and debdeps, read from the one Parquet file that data/build_debian.py made."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .card import Card
from .dataset import Dataset
from .text import TextFeatures
from .text_cache import cached_features

BUNDLED = ("debtags", "debdeps")
SPLITS = ("train", "valid", "test")
FORMAT = 1
NAME_MARK = "\N{HORIZONTAL ELLIPSIS}"  # data/build_debian.py put it where the package's own name stood

FACETS = {
    "admin": "system administration",
    "devel": "software development",
    "field": "field of science or work",
    "iso15924": "script, ISO 15924",
    "junior": "for children",
    "system": "kind of system",
    "uitoolkit": "user interface toolkit",
    "use": "used for",
    "works-with-format": "works with the format",
    "x11": "X Window System",
}


@dataclass(frozen=True)
class Packages:
    """The rows of the Parquet file, one a package, sorted by (source, package)."""

    names: list[str]
    sources: list[str]
    split: np.ndarray  # (N,) int8: 0 train, 1 valid, 2 test
    texts: list[str]
    tags: csr_array  # (N, number of tags)
    depends: csr_array  # (N, N): column = row of the other package
    tag_names: list[str]
    about: dict[str, Any]

    @property
    def origin(self) -> str:
        """Suite, component and architecture in words, with the release's version and date where known."""
        origin = self.about["origin"]
        dated = f", release {origin['version']} of {origin['date']}" if "version" in origin else ""
        return f"Debian {origin['suite']}, {origin['component']}, {origin['arch']}{dated}"


def read_packages() -> Packages:
    """Read the bundled Parquet file whole: 63,436 packages, in about a third of a second."""
    import pyarrow.parquet as pq  # slow to import; the other data sets do without

    with files(__package__).joinpath("bundled/debian.parquet").open("rb") as file:
        table = pq.read_table(file, use_threads=False)
    about = json.loads(table.schema.metadata[b"xmlwb"])
    if about["format"] != FORMAT:
        raise ValueError(f"debian.parquet: wanted format {FORMAT}, found {about['format']}: build it again")

    def matrix(column: str, width: int) -> csr_array:
        lists = table[column].combine_chunks()
        indices = lists.values.to_numpy(zero_copy_only=False).astype(np.int32)
        ones = np.ones(len(indices), dtype=np.float32)
        return csr_array((ones, indices, lists.offsets.to_numpy().astype(np.int32)), shape=(len(table), width))

    return Packages(
        names=table["package"].to_pylist(),
        sources=table["source"].to_pylist(),
        split=table["split"].to_numpy(),
        texts=table["text"].to_pylist(),
        tags=matrix("tags", len(about["tags"])),
        depends=matrix("depends", len(table)),
        tag_names=about["tags"],
        about=about,
    )


def tag_parents(tag: str) -> tuple[str, ...]:
    """The facet of a debtag, what stands before the two colons.

    >>> tag_parents("devel::lang:perl")
    ('devel',)
    """
    return (tag.partition("::")[0],)


def tag_text(tag: str) -> str:
    """A debtag in words.

    >>> tag_text("works-with::image:raster")
    'works with: image, raster'
    """
    facet, _, rest = tag.partition("::")
    words = rest.replace(":", ", ").replace("-", " ")
    return f"{FACETS.get(facet, facet.replace('-', ' '))}: {words}"


def load_bundled(name: str, *, text_features: TextFeatures | None = None) -> Dataset:
    """``debtags`` or ``debdeps`` with TF-IDF features, made once and then kept in the cache folder.

    Parameters
    ----------
    name : {"debtags", "debdeps"}
    text_features : TextFeatures, optional
        Other settings than the defaults. Only they are taken from it: the features fitted on the training texts are
        the data set's `text_features`, and the object given is left as it was.
    """
    packages = read_packages()
    if name == "debtags":
        Y, label_names = packages.tags, packages.tag_names
        label_texts: list[str] = [tag_text(tag) for tag in label_names]
        parents = [tag_parents(tag) for tag in label_names]
    elif name == "debdeps":
        rows = np.unique(packages.depends.indices)
        Y = _columns(packages.depends, rows)
        label_names = [packages.names[row] for row in rows]
        label_texts = [packages.texts[row].replace(NAME_MARK, packages.names[row]) for row in rows]
        parents = None
    else:
        raise ValueError(f"name: wanted one of {', '.join(BUNDLED)}, found {name!r}")

    labelled = np.diff(Y.indptr) > 0
    members = {split: np.flatnonzero(labelled & (packages.split == i)) for i, split in enumerate(SPLITS)}
    if name == "debtags":  # a package without tags is one nobody has tagged; one without dependencies needs none
        members["unlabelled"] = np.flatnonzero(~labelled)
    texts = {split: [packages.texts[row] for row in rows] for split, rows in members.items()}
    ids = {split: [packages.names[row] for row in rows] for split, rows in members.items()}
    sources = {split: [packages.sources[row] for row in members[split]] for split in SPLITS}

    X, fitted = cached_features(name, texts, None if text_features is None else text_features.settings)
    Ys = {split: Y[members[split]] for split in SPLITS}
    card = _card(name, packages).with_figures(
        X["train"], Ys["train"], Ys["valid"], Ys["test"], len(members.get("unlabelled", ()))
    )
    return Dataset(
        name=name,
        X_train=X["train"], Y_train=Ys["train"], X_valid=X["valid"], Y_valid=Ys["valid"],
        X_test=X["test"], Y_test=Ys["test"],
        label_names=label_names, feature_names=fitted.feature_names, propensity_ab=(0.55, 1.5), card=card,
        texts_train=texts["train"], texts_valid=texts["valid"], texts_test=texts["test"],
        ids_train=ids["train"], ids_valid=ids["valid"], ids_test=ids["test"],
        sources_train=sources["train"], sources_valid=sources["valid"], sources_test=sources["test"],
        label_texts=label_texts, label_parents=parents,
        texts_unlabelled=texts.get("unlabelled"), ids_unlabelled=ids.get("unlabelled"),
        X_unlabelled=X.get("unlabelled"), text_features=fitted,
    )  # fmt: skip


def _columns(Y: csr_array, columns: np.ndarray) -> csr_array:
    """``Y`` with only these columns (sorted, and all that are in use), renumbered."""
    indices = np.searchsorted(columns, Y.indices).astype(np.int32)
    return csr_array((Y.data, indices, Y.indptr), shape=(Y.shape[0], len(columns)))


def missing_groups(tags: csr_array, tag_names: list[str]) -> tuple[int, int]:
    """How often a tag of a further level (``game::board:chess``) stands without its group's tag (``game::board``).

    Returns the number of such positives and the number of all positives of tags whose group is a tag too. What
    is missing there is certain: whoever plays chess plays a board game. (Debtags itself knows facets and tags only;
    that the part before a further colon is implied is this project's reading of the names.)
    """
    column = {tag: i for i, tag in enumerate(tag_names)}
    by_tag = tags.tocsc()
    missing = total = 0
    for tag, i in column.items():
        group = tag.rpartition(":")[0]
        if group in column:
            packages, has_group = (by_tag.indices[slice(*by_tag.indptr[j : j + 2])] for j in (i, column[group]))
            total += len(packages)
            missing += len(np.setdiff1d(packages, has_group))
    return missing, total


def _measured(name: str, packages: Packages) -> dict[str, str]:
    """What data/measure_split.py measured on the shipped file, and for debtags the labels surely missing."""
    path = files(__package__).joinpath("bundled/measured.json")
    measured = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    result = dict(measured.get(name, {}))
    if name == "debtags":
        missing, total = missing_groups(packages.tags, packages.tag_names)
        result["labels that are surely missing"] = (
            f"{missing:,} of {total:,} positives ({missing / max(1, total):.1%}) of tags of a further level "
            "(game::board:chess) stand without their group's tag (game::board)"
        )
    return result


LABELS_MADE = {
    "debtags": (
        "The labels are the package's debtags. The placeholders facet::TODO are left out, every other tag is kept, "
        "so that a few have a single positive. A label's parent is its facet, what stands before the two colons. "
        "Packages without any tag are kept aside (texts_unlabelled, X_unlabelled)."
    ),
    "debdeps": (
        "The labels are the packages that it depends on or recommends (Pre-Depends, Depends, Recommends): "
        "alternatives split, versions and architectures stripped, the package itself left out. A virtual package "
        "with exactly one provider counts as that provider, any other is dropped, because each label must be a package "
        "with a description of its own, which is the label's text. Labels of fewer than 2 positives are dropped, "
        "and then documents without a label."
    ),
}
FAULTS = {
    "debtags": (
        "Tags are given by volunteers and by rules, package by package: more than half of all packages have none, "
        "and a tagged package may lack tags that apply. A missing tag is no negative.",
        "Packages were not tagged with equal care: some carry a dozen tags, many the tag of one facet alone.",
    ),
    "debdeps": (
        "Many dependencies are added by tools from the linked binaries (libc6), not chosen by a person, and follow "
        "the language more than the purpose.",
        "Alternatives count as if all were wanted, though one of them is enough.",
        "A label's description may be the text of a document of any split: each label is itself a package.",
    ),
}
COMMON_FAULTS = (
    "Only the package's exact name is taken out of its text (a mark stands in its place); parts of it and the "
    "project's name remain.",
    "The split keeps the packages of one source together, but sources that follow each other (gcc-11, gcc-12) are "
    "different sources with nearly the same text.",
    "One release, one architecture, English only.",
)


def _card(name: str, packages: Packages) -> Card:
    about = packages.about
    return Card(
        title=name,
        source=(
            f"Package metadata of {packages.origin}: apt's lists Packages (sha256 {about['sha256_packages'][:16]}...) "
            f"and Translation-en (sha256 {about['sha256_translation'][:16]}...), digests of the uncompressed lists. "
            "Rebuilt by data/build_debian.py."
        ),
        licence=(
            "Debian's main section holds free software only, by the Debian Free Software Guidelines. A description "
            "is part of its source package and is taken to be under that package's own free licence, which stands "
            "in its copyright file; the tags are facts given by Debian's volunteers. We know of no licence stated "
            "for the lists as a collection."
        ),
        made=(
            "A document is a package's short and long description, paragraphs unwrapped, the package's own name "
            f"taken out. {LABELS_MADE[name]} Train, validation and test (70, 10, 20 % of all source packages) by a "
            "hash of the source package's name, so that packages of one source, which share their text, stay on "
            "one side. Features: TF-IDF of words, vocabulary and idf from the training documents only."
        ),
        faults=FAULTS[name] + COMMON_FAULTS,
        measured=_measured(name, packages),
    )
