"""The build script on made-up lists, and the bundled sets' claims on the shipped file."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import lzma
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array

from xmlwb.datasets import Card, Dataset, TextFeatures, load
from xmlwb.datasets.debian import NAME_MARK, Packages, missing_groups, read_packages, tag_text

DATA = Path(__file__).resolve().parents[2] / "data"

PACKAGES = """\
Package: zoo
Version: 1
Depends: libzoo1 (>= 1.0), editor | nano, python3:any, gone
Pre-Depends: dpkg
Recommends: zoo, only-virtual, many-virtual
Description: the Zoo program
Description-md5: m-zoo
Tag: game::board, role::program,
 interface::TODO

Package: libzoo1
Source: zoo (1.2)
Version: 1
Depends: dpkg, nano, only-virtual, many-virtual
Description: library of zoo
Description-md5: m-lib
Tag: role::shared-lib

Package: nano
Version: 2
Provides: editor, only-virtual (= 2), many-virtual
Depends: libzoo1, python3
Description: small editor
Description-md5: m-nano
Tag: use::TODO

Package: dpkg
Version: 1
Provides: many-virtual
Description: package tool
Description-md5: m-dpkg

Package: python3
Version: 3
Depends: dpkg <!nocheck>
Description: snake
Description-md5: m-py

Package: nano
Version: 1
Description: an older version of the same name
Description-md5: m-old
"""

TRANSLATION = """\
Package: zoo
Description-md5: m-zoo
Description-en: the Zoo program
 ZOO shows animals in two
 lines; zoos and libzoo1 are other words\N{HORIZONTAL ELLIPSIS} see zoo-data.
 .
 Features:
  * many
    animals
 .
 The end.

Package: libzoo1
Description-md5: m-lib
Description-en: library of zoo
 Long text.

Package: other
Description-md5: m-nano
Description-en: small editor
 Text of another package with the same digest.
"""


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return _script("build_debian")


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "mirror_dists_bookworm_main_binary-amd64_Packages").write_text(PACKAGES)
    (folder / "mirror_dists_bookworm_main_i18n_Translation-en").write_text(TRANSLATION)
    (folder / "mirror_dists_bookworm-security_main_binary-amd64_Packages").write_text("Package: wrong\n")
    (folder / "mirror_dists_bookworm_InRelease").write_text("Origin: x\nVersion: 12.9\nDate: a day\n")
    return folder


def _rows(table) -> dict[str, dict]:
    names = table["package"].to_pylist()
    return {row["package"]: row | {"depends": {names[i] for i in row["depends"]}} for row in table.to_pylist()}


def _build(script: ModuleType, lists: Path, out: Path):
    script.main(["--lists", str(lists), "--out", str(out)])
    return pq.read_table(out)


def test_every_package_once_sorted_by_source(script, lists, tmp_path):
    table = _build(script, lists, tmp_path / "out" / "x.parquet")
    assert table["package"].to_pylist() == ["dpkg", "nano", "python3", "libzoo1", "zoo"]
    assert table["source"].to_pylist() == ["dpkg", "nano", "python3", "zoo", "zoo"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["x.parquet"]  # no temporary file is left behind


def test_text_is_unwrapped_and_has_no_name(script, lists, tmp_path):
    rows = _rows(_build(script, lists, tmp_path / "x.parquet"))
    mark = script.NAME_MARK
    assert rows["zoo"]["text"] == (
        f"the {mark} program\n{mark} shows animals in two lines; zoos and libzoo1 are other words... see {mark}-data.\n"
        "\nFeatures:\n * many\n   animals\n\nThe end."
    )
    assert rows["libzoo1"]["text"] == "library of zoo\nLong text."
    assert rows["nano"]["text"] == "small editor\nText of another package with the same digest."
    assert rows["python3"]["text"] == "snake"  # no translation: the short description alone


def test_tags_without_placeholders(script, lists, tmp_path):
    table = _build(script, lists, tmp_path / "x.parquet")
    names = script.json.loads(table.schema.metadata[b"xmlwb"])["tags"]
    assert names == ["game::board", "role::program", "role::shared-lib"]
    tags = {row["package"]: [names[i] for i in row["tags"]] for row in table.to_pylist()}
    assert tags == {
        "zoo": ["game::board", "role::program"], "libzoo1": ["role::shared-lib"], "nano": [], "dpkg": [], "python3": [],
    }  # fmt: skip


def test_dependencies(script, lists, tmp_path):
    rows = _rows(_build(script, lists, tmp_path / "x.parquet"))
    # "editor" and "only-virtual" have one provider, nano; "many-virtual" has two, "gone" none
    assert rows["zoo"]["depends"] == {"libzoo1", "nano", "python3", "dpkg"}
    assert rows["libzoo1"]["depends"] == {"dpkg", "nano"}
    assert rows["nano"]["depends"] == {"libzoo1", "python3"}
    assert rows["python3"]["depends"] == {"dpkg"}
    assert rows["dpkg"]["depends"] == set()


def test_a_dependency_of_one_positive_is_no_label(script):
    packages = {name: {"Package": name} for name in "abcd"}
    packages["a"]["Depends"], packages["b"]["Depends"] = "c, d", "c"
    assert script.dependencies(packages) == {"a": {"c"}, "b": {"c"}, "c": set(), "d": set()}


def test_same_lists_same_file_whatever_their_compression(script, lists, tmp_path):
    _build(script, lists, tmp_path / "plain.parquet")
    _build(script, lists, tmp_path / "again.parquet")
    packages, translation = sorted(p for p in lists.iterdir() if "bookworm_main" in p.name)
    packages.with_name(packages.name + ".gz").write_bytes(gzip.compress(packages.read_bytes()))
    translation.with_name(translation.name + ".xz").write_bytes(lzma.compress(translation.read_bytes()))
    packages.unlink()
    translation.unlink()
    _build(script, lists, tmp_path / "packed.parquet")
    digests = {hashlib.sha256(p.read_bytes()).hexdigest() for p in tmp_path.glob("*.parquet")}
    assert len(digests) == 1


@pytest.mark.skipif(shutil.which("lz4") is None, reason="needs the lz4 program")
def test_lz4_lists_are_read(script, lists, tmp_path):
    path = next(lists.glob("*bookworm_main_binary*"))
    subprocess.run(["lz4", "-q", str(path), str(path) + ".lz4"], check=True)
    assert script.read_list(path.with_name(path.name + ".lz4")) == PACKAGES


def test_missing_list_says_what_to_run(script, lists, tmp_path):
    next(lists.glob("*Translation-en")).unlink()
    with pytest.raises(SystemExit, match=r"Translation-en.*found none.*Acquire::Languages=en"):
        script.main(["--lists", str(lists), "--out", str(tmp_path / "x.parquet")])
    assert not (tmp_path / "x.parquet").exists()


def test_two_mirrors_are_told_apart(script, lists, tmp_path):
    (lists / "copy_dists_bookworm_main_i18n_Translation-en").write_text(TRANSLATION)
    with pytest.raises(SystemExit, match=r"wanted one file.*copy_dists.*mirror_dists"):
        script.main(["--lists", str(lists), "--out", str(tmp_path / "x.parquet")])


def test_split_shares(script):
    splits = np.bincount([script.split_of(f"source{i}") for i in range(20_000)]) / 20_000
    assert np.abs(splits - [0.7, 0.1, 0.2]).max() < 0.02


# The shipped file


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XMLWB_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def debtags(cache) -> Dataset:
    return load("debtags")


@pytest.fixture(scope="module")
def debdeps(cache) -> Dataset:
    return load("debdeps")


@pytest.fixture(scope="module")
def packages() -> Packages:
    return read_packages()


def _all(dataset: Dataset, field: str) -> list:
    return [item for split in ("train", "valid", "test") for item in getattr(dataset, f"{field}_{split}")]


def test_sizes_are_those_of_the_claims(debtags, debdeps):
    assert len(_all(debtags, "texts")) == 30_292
    assert debtags.n_labels == 571
    assert len(debtags.texts_unlabelled) > len(_all(debtags, "texts"))
    assert len(_all(debdeps, "texts")) == 55_787
    assert debdeps.n_labels == 21_705
    folder = Path(__file__).resolve().parents[2] / "xmlwb" / "datasets" / "bundled"
    assert sum(p.stat().st_size for p in folder.iterdir()) < 20e6


@pytest.mark.parametrize("name", ["debtags", "debdeps"])
def test_no_source_is_in_two_splits(name, packages, request):
    dataset = request.getfixturevalue(name)
    source = dict(zip(packages.names, packages.sources, strict=True))
    assert _all(dataset, "sources") == [source[i] for i in _all(dataset, "ids")]
    train, valid, test = (set(getattr(dataset, f"sources_{s}")) for s in ("train", "valid", "test"))
    assert not train & valid
    assert not train & test
    assert not valid & test
    assert min(map(len, (train, valid, test))) > 1000


def test_split_is_the_scripts_rule(script, packages):
    assert_array_equal(packages.split[::50], [script.split_of(source) for source in packages.sources[::50]])


@pytest.mark.parametrize("name", ["debtags", "debdeps"])
def test_name_is_not_in_the_text(name, request):
    dataset = request.getfixturevalue(name)
    for package, text in zip(_all(dataset, "ids"), _all(dataset, "texts"), strict=True):
        if package in text.lower():
            assert not re.search(rf"(?<![a-z0-9]){re.escape(package)}(?![a-z0-9])", text.lower())


@pytest.mark.parametrize("name", ["debtags", "debdeps"])
def test_every_label_has_positives_and_every_document_labels(name, request):
    dataset = request.getfixturevalue(name)
    positives = sum(np.bincount(Y.indices, minlength=dataset.n_labels) for Y in (_all_Y(dataset)))
    assert positives.min() >= (2 if name == "debdeps" else 1)
    assert all(np.diff(Y.indptr).min() >= 1 for Y in _all_Y(dataset))


def _all_Y(dataset: Dataset) -> tuple:
    return dataset.Y_train, dataset.Y_valid, dataset.Y_test


@pytest.mark.parametrize("name", ["debtags", "debdeps"])
def test_features_are_fitted_on_training_texts_only(name, request):
    dataset = request.getfixturevalue(name)
    features = TextFeatures()
    X = features.fit_transform(dataset.texts_train)
    assert features.feature_names == dataset.feature_names
    for expected, found in ((X, dataset.X_train), (features.transform(dataset.texts_test), dataset.X_test)):
        assert_array_equal(expected.indptr, found.indptr)
        assert_array_equal(expected.indices, found.indices)
        assert_array_equal(expected.data, found.data)
        assert found.dtype == np.float32
    held_by = np.bincount(dataset.X_train.indices, minlength=dataset.n_features)
    assert held_by.min() >= 2  # min_df, counted on the training rows


def test_second_load_is_the_same(debdeps):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = load("debdeps")
    for field in ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"):
        first, second = getattr(debdeps, field), getattr(again, field)
        assert_array_equal(first.indptr, second.indptr)
        assert_array_equal(first.indices, second.indices)
        assert_array_equal(first.data, second.data)
    assert again.feature_names == debdeps.feature_names
    assert again.card == debdeps.card


def test_cache_cut_short_is_made_again_with_a_warning(debtags, cache):
    path = next((cache / "arrays").glob("debtags-*.npz"))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.warns(UserWarning, match="damaged and will be made again"):
        again = load("debtags")
    assert_array_equal(again.X_test.data, debtags.X_test.data)
    assert path.read_bytes() == whole


def test_other_text_settings_have_a_cache_entry_of_their_own(debtags, cache):
    small = load("debtags", text_features=TextFeatures(max_features=500))
    assert small.n_features == 500
    assert len({p.name for p in cache.glob("arrays/debtags-*.npz")}) == 2
    assert_array_equal(small.Y_train.indices, debtags.Y_train.indices)


def test_debtags_labels(debtags):
    assert debtags.label_parents[debtags.label_names.index("devel::lang:perl")] == ("devel",)
    assert {len(parents) for parents in debtags.label_parents} == {1}
    assert not any(label.endswith("TODO") for label in debtags.label_names)
    assert len(set(debtags.label_texts)) == debtags.n_labels
    assert debtags.X_unlabelled.shape == (len(debtags.texts_unlabelled), debtags.n_features)


def test_debtags_of_a_known_package(debtags, packages):
    found = {s: getattr(debtags, f"ids_{s}") for s in ("train", "valid", "test")}
    split = next(s for s, ids in found.items() if "chromium" in ids)
    labels = debtags.labels_of(split, found[split].index("chromium"))
    assert {"web::browser", "uitoolkit::gtk"} <= set(labels)


def test_debdeps_label_text_is_the_packages_own_description(debdeps, packages):
    label = debdeps.label_names.index("libgtk-3-0")
    text = packages.texts[packages.names.index("libgtk-3-0")]
    assert debdeps.label_texts[label] == text.replace(NAME_MARK, "libgtk-3-0")
    assert "GTK" in debdeps.label_texts[label]
    assert not any(NAME_MARK in text for text in debdeps.label_texts)
    row = {name: i for i, name in enumerate(packages.names)}
    assert debdeps.label_names == sorted(set(debdeps.label_names), key=row.__getitem__)


def test_debdeps_has_no_unlabelled_documents_and_a_long_tail(debdeps):
    assert debdeps.texts_unlabelled is None
    assert debdeps.X_unlabelled is None
    quantity = debdeps.card.figures["quantity"]
    assert quantity["labels a document, all splits"] == pytest.approx(5.00, abs=0.01)
    assert quantity["share of labels with 5 positives or fewer, all splits"] == pytest.approx(0.704, abs=0.01)
    assert quantity["share of labels with 5 training positives or fewer"] == pytest.approx(0.787, abs=0.01)
    per_label = sum(np.bincount(Y.indices, minlength=debdeps.n_labels) for Y in _all_Y(debdeps))
    assert quantity["share of labels with 5 positives or fewer, all splits"] == (per_label <= 5).mean()
    for stated in ("exactly one", "each label must be a package", "70.4 %", "78.7 %", "5.00"):
        assert stated in debdeps.card.to_markdown()


def test_cards_say_what_a_random_split_flatters(debtags, debdeps):
    for dataset in (debtags, debdeps):
        card = dataset.card.to_markdown()
        assert "measure_split.py" in card
        assert re.search(r"cosine above 0.9 \| [\d.]+% by source package \(as shipped\), [\d.]+% at random", card)
        assert "515e692f2c4121c6" in card


def test_measure_of_a_split_counts_near_documents():
    measure = _script("measure_split")
    words = ["red green blue", "cat dog cow", "one two three", "red green blue", "north south", "cat dog eel"]
    features = TextFeatures(min_df=1)
    X = features.fit_transform(words[:3])
    Y = csr_array(np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 1]])
    split = Dataset(
        name="tiny", X_train=X, Y_train=Y[:3], X_valid=X[[0]], Y_valid=Y[[3]], X_test=features.transform(words[3:]),
        Y_test=Y[3:], label_names=list("abc"), feature_names=features.feature_names, propensity_ab=(0.55, 1.5),
        card=Card("tiny", "", "", ""), texts_train=words[:3], texts_valid=words[:1], texts_test=words[3:],
    )  # fmt: skip
    shipped = measure.Parts(split.X_train, split.Y_train, split.X_test, split.Y_test)
    assert measure.share_near(shipped) == pytest.approx(1 / 3)  # the fourth text is the first one again


def test_a_random_split_keeps_the_sizes_and_no_document_is_on_both_sides():
    measure = _script("measure_split")
    texts = [f"the word{i}" for i in range(7)]
    features = TextFeatures(min_df=1)
    X, Y = features.fit_transform(texts), csr_array(np.eye(7, dtype=np.float32))  # document i has label i alone
    split = Dataset(
        name="tiny", X_train=X[:3], Y_train=Y[:3], X_valid=X[3:4], Y_valid=Y[3:4], X_test=X[4:], Y_test=Y[4:],
        label_names=list("abcdefg"), feature_names=features.feature_names, propensity_ab=(0.55, 1.5),
        card=Card("tiny", "", "", ""), texts_train=texts[:3], texts_valid=texts[3:4], texts_test=texts[4:],
    )  # fmt: skip
    shipped = [{0, 1, 2}, {4, 5, 6}]
    drawn = [measure.random_parts(split, seed) for seed in range(3)]
    for parts in drawn:
        train, test = set(parts.Y_train.indices.tolist()), set(parts.Y_test.indices.tolist())
        assert (parts.X_train.shape[0], parts.X_test.shape[0]) == (len(train), len(test)) == (3, 3)
        assert not train & test
    assert any([set(parts.Y_train.indices.tolist()), set(parts.Y_test.indices.tolist())] != shipped for parts in drawn)


def test_missing_groups_counts_children_without_their_group(packages):
    made = packages.tags[:3]
    assert missing_groups(made[:0], packages.tag_names)[0] == 0
    tags = ["a::b", "a::b:c", "a::d:e"]
    Y = type(made)(np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], dtype=np.float32))
    assert missing_groups(Y, tags) == (1, 2)


def test_tag_text():
    assert tag_text("devel::lang:perl") == "software development: lang, perl"
    assert tag_text("made-of::data-set") == "made of: data set"


def test_text_features_transform_a_new_text(debtags):
    row = debtags.text_features.transform([debtags.texts_test[7]])
    assert_array_equal(row.indices, debtags.X_test[[7]].indices)
    assert_array_equal(row.data, debtags.X_test[[7]].data)


def test_unknown_names(cache):
    with pytest.raises(ValueError, match=r"'debtag'; did you mean debtags"):
        load("debtag")
    with pytest.raises(ValueError, match=r"wanted one of debtags, debdeps, synthetic, "):
        load("qqqqqqqqqq")
    with pytest.raises(ValueError, match="takes neither"):
        load("debtags", root="somewhere")
