"""The standard data sets of the field: what they hold, how they are laid out, where they may be had.

Sizes are those that the papers on these sets print; a size that no source at hand states is None. The download ids
were published by public loaders and carry no checksum: each may be dead, and `fetch` treats them so.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

REPOSITORY_HOME = "http://manikvarma.org/downloads/XC/XMLRepository.html"

Layout = Literal["one file with splits", "train and test files", "folder form", "JSON lines"]


@dataclass(frozen=True)
class Source:
    """One place a set may be had from.

    Attributes
    ----------
    kind : "drive" (a Google Drive file, `address` is its id) or "url" (an address to download).
    address : the id or the address.
    archive : name that the download is stored under.
    note : what is known about it.
    """

    kind: Literal["drive", "url"]
    address: str
    archive: str
    note: str = ""


@dataclass(frozen=True)
class SetInfo:
    """Facts about a standard set, as published.

    Attributes
    ----------
    key, title : the name in `load(key)`, the name in the papers.
    n_train, n_test : instances; None where no source at hand says it.
    n_features, n_labels : columns of X and Y; `n_features` is None for raw text.
    points_per_label, labels_per_point : the published means.
    propensity_ab : the constants A and B of the propensity model.
    layout : how its files are usually laid out (others are recognised too).
    folders : names of folders it is looked for in; case and punctuation do not matter.
    sources : where `fetch` tries to get it, in this order.
    note : anything else to know.
    origin, licence, faults : for the data card: where the documents come from, their licence, known faults.
    """

    key: str
    title: str
    n_train: int | None
    n_test: int | None
    n_features: int | None
    n_labels: int
    points_per_label: float | None
    labels_per_point: float | None
    propensity_ab: tuple[float, float]
    layout: Layout
    folders: tuple[str, ...]
    sources: tuple[Source, ...]
    note: str = ""
    origin: str = f"The Extreme Classification Repository, {REPOSITORY_HOME}"
    licence: str = "Not stated with the files; ask the set's authors before you pass it on."
    faults: tuple[str, ...] = ()


def _drive(address: str, archive: str, note: str = "") -> Source:
    return Source("drive", address, archive, note)


def _pecos(name: str) -> Source:
    address = f"https://archive.org/download/pecos-dataset/xmc-base/{name}.tar.gz"
    return Source("url", address, f"{name}.tar.gz", "mirror in the layout of PECOS; its features may differ")


_USUAL, _WIKI, _AMAZON = (0.55, 1.5), (0.5, 0.4), (0.6, 2.6)
_OLD = "an id from the first years of the Repository"

_SETS = (
    SetInfo(
        "bibtex", "Bibtex", 4_880, 2_515, 1_836, 159, 111.71, 2.40, _USUAL, "one file with splits",
        ("bibtex",), (_drive("0B3lPMIHmG6vGcy1xM2pJZ09MMGM", "Bibtex.zip", _OLD),),
        "Ten random splits; the papers average over them.",
        "BibSonomy entries and their tags, Katakis et al. 2008, through MULAN and the Extreme Classification "
        f"Repository, {REPOSITORY_HOME}",
    ),
    SetInfo(
        "delicious", "Delicious", 12_920, 3_185, 500, 983, 311.61, 19.03, _USUAL, "one file with splits",
        ("delicious",), (_drive("0B3lPMIHmG6vGdG1jZ19VS2NWRVU", "Delicious.zip", _OLD),),
        "Ten random splits; the papers average over them.",
        "Web pages and their del.icio.us tags, Tsoumakas et al. 2008, through MULAN and the Extreme Classification "
        f"Repository, {REPOSITORY_HOME}",
    ),
    SetInfo(
        "mediamill", "Mediamill", 30_993, 12_914, 120, 101, 1902.15, 4.38, _USUAL, "one file with splits",
        ("mediamill",), (_drive("1YDlU9GTYSoydU1UYTNT8BpPkRw1BCnFw", "Mediamill.zip"),),
        "Dense features of video shots.",
    ),
    SetInfo(
        "eurlex-4k", "EURLex-4K", 15_539, 3_809, 5_000, 3_993, 25.73, 5.31, _USUAL, "train and test files",
        ("eurlex-4k", "eurlex"),
        (_drive("1xWW1UykQBTD2IorVn7V8XubJatQDScol", "EURLex-4K.zip"), _pecos("eurlex-4k")),
        "Table 5 of the GLaS paper prints Delicious's numbers of instances for it by mistake.",
    ),
    SetInfo(
        "eurlex-4.3k", "EURLex-4.3K", 45_000, 6_000, None, 4_271, None, 5.07, _USUAL, "JSON lines",
        ("eurlex-4.3k", "eurlex57k"), (_drive("1UZ5joZdU1axWdCVSECakmEA8XQJ2gVuQ", "EURLex-4.3K.zip"),),
        "The official split: another 6,000 documents are its development part, here the validation part.",
        "EURLEX57K, Chalkidis et al. 2019: EU laws in English and their EuroVoc concepts.",
        "CC BY-SA 4.0",
        ("At least 121 training documents were decoded wrongly at the source: Eugène reads EugĂ¨ne.",),
    ),
    SetInfo(
        "wiki10-31k", "Wiki10-31K", 14_146, 6_616, 101_938, 30_938, 8.52, 18.64, _USUAL, "train and test files",
        ("wiki10-31k", "wiki10"),
        (_drive("1uV-p682ggXQQTiKZyK5M6B0xJJk8_lJx", "Wiki10-31K.zip"), _pecos("wiki10-31k")),
    ),
    SetInfo(
        "amazoncat-13k", "AmazonCat-13K", 1_186_239, 306_782, 203_882, 13_330, 448.57, 5.04, _USUAL,
        "train and test files", ("amazoncat-13k", "amazoncat"),
        (_drive("1WvBWF9hH5ZlFcpCRhp8wLVGwdeGZXKD2", "AmazonCat-13K.zip"), _pecos("amazoncat-13k")),
    ),
    SetInfo(
        "delicious-200k", "Delicious-200K", 196_606, 100_095, 782_585, 205_443, 72.29, 75.54, _USUAL,
        "train and test files", ("delicious-200k", "deliciouslarge"),
        (_drive("18Tb595TuGyFW--nEYGfduwS5WvSbX-sX", "Delicious-200K.zip"),),
    ),
    SetInfo(
        "wikilshtc-325k", "WikiLSHTC-325K", 1_778_351, 587_084, 1_617_899, 325_056, 17.46, 3.19, _WIKI,
        "train and test files", ("wikilshtc-325k", "wikilshtc"),
        (_drive("1Y5xEJu-j3M7voyFV5Ouq9Wl3vyd9fus2", "WikiLSHTC-325K.zip"),),
    ),
    SetInfo(
        "wikiseealsotitles-350k", "WikiSeeAlsoTitles-350K", 629_418, None, 91_414, 352_072, None, None, _USUAL,
        "folder form", ("wikiseealsotitles-350k",),
        (_drive("1icZIEU2TA5k86mTweciSa3mBLFD3fbIP", "WikiSeeAlsoTitles-350K.zip"),),
    ),
    SetInfo(
        "amazontitles-670k", "AmazonTitles-670K", 485_176, None, 66_666, 670_091, None, None, _AMAZON,
        "folder form", ("amazontitles-670k",),
        (_drive("1TWF2_tPGdezuljGEHbp63pe7eQUq7wK6", "AmazonTitles-670K.zip"),),
    ),
    SetInfo(
        "amazon-670k", "Amazon-670K", 490_449, 153_025, 135_909, 670_091, 3.99, 5.45, _AMAZON,
        "train and test files", ("amazon-670k",),
        (_drive("1PV-wbKVv6Ng1K1XM1USqNxFhaQo2qfk6", "Amazon-670K.zip"), _pecos("amazon-670k")),
    ),
    SetInfo(
        "wikipedia-500k", "Wikipedia-500K", 1_813_391, 783_743, 2_381_304, 501_070, 24.75, 4.77, _WIKI,
        "train and test files", ("wikipedia-500k",),
        (_drive("1LkGdINF5coOfkm6J2xys3V1NMW7zz8U1", "Wikipedia-500K.zip"),),
        "The propensity constants .5 and .4 are those of most published code; no paper at hand states them.",
    ),
)  # fmt: skip

STANDARD: dict[str, SetInfo] = {info.key: info for info in _SETS}
"""Every standard set by its key."""


def normal_name(name: str) -> str:
    """A name without case and punctuation: "EURLex-4.3K" and "eurlex_43k" are the same set.

    >>> normal_name("EURLex-4.3K")
    'eurlex43k'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def set_info(name: str) -> SetInfo:
    """The facts about a set; case and punctuation of the name do not matter.

    Raises
    ------
    ValueError
        No such set; the message lists all keys.
    """
    wanted = normal_name(name)
    for info in _SETS:
        if wanted == normal_name(info.key) or wanted in map(normal_name, info.folders):
            return info
    raise ValueError(f"name={name!r} is no standard set, wanted one of {', '.join(STANDARD)}")
