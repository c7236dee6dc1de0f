from __future__ import annotations

from urllib.parse import urlparse

import pytest

from xmlwb.datasets.registry import STANDARD, normal_name, set_info

WANTED = [
    "Bibtex", "Delicious", "Mediamill", "EURLex-4K", "EURLex-4.3K", "Wiki10-31K", "AmazonCat-13K", "Delicious-200K",
    "WikiLSHTC-325K", "WikiSeeAlsoTitles-350K", "AmazonTitles-670K", "Amazon-670K", "Wikipedia-500K",
]  # fmt: skip


def test_all_sets_are_there_under_their_lower_case_titles():
    assert [info.title for info in STANDARD.values()] == WANTED
    assert list(STANDARD) == [title.lower() for title in WANTED]
    assert all(info.key == key for key, info in STANDARD.items())


@pytest.mark.parametrize("key", STANDARD)
def test_the_facts_agree_with_each_other(key):
    info = STANDARD[key]
    assert info.propensity_ab in {(0.55, 1.5), (0.5, 0.4), (0.6, 2.6)}
    assert normal_name(info.key) in map(normal_name, info.folders)
    assert info.sources
    for source in info.sources:
        if source.kind == "drive":
            assert 20 < len(source.address) < 40
            assert source.address.replace("-", "").replace("_", "").isalnum()
        else:
            assert urlparse(source.address).scheme == "https"
        assert source.archive.endswith((".zip", ".tar.gz"))
    if info.points_per_label is not None and info.n_train is not None and info.n_test is not None:
        # The published means count labels and points of one and the same set. Some papers take both parts, some the
        # training part, and labels without a point may be left out; so the bounds are wide, and catch swapped digits.
        implied = info.labels_per_point * (info.n_train + info.n_test) / info.n_labels
        assert 0.6 < info.points_per_label / implied < 1.3


def test_no_two_sets_share_a_source_or_a_folder():
    addresses = [source.address for info in STANDARD.values() for source in info.sources]
    archives = [source.archive for info in STANDARD.values() for source in info.sources]
    folders = [normal_name(folder) for info in STANDARD.values() for folder in info.folders]
    for names in (addresses, archives, folders):
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["EURLex-4.3K", "eurlex4.3k", "EURLEX57K", "eurlex_4.3k"])
def test_names_are_read_generously(name):
    assert set_info(name).key == "eurlex-4.3k"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"name='imagenet' is no standard set, wanted one of bibtex, delicious"):
        set_info("imagenet")
