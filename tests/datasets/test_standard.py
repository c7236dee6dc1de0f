"""Standard sets from files on disk: every layout, every place, and what is said when something is missing."""

from __future__ import annotations

import gzip
import json
import shutil
import warnings

import numpy as np
import pytest
from scipy import sparse

from xmlwb.datasets import load
from xmlwb.datasets.readers import DataFileError, write_repository
from xmlwb.datasets.standard import SetNotFoundError, load_standard
from xmlwb.datasets.text import TextFeatures

pytestmark = pytest.mark.filterwarnings("ignore:.*are published:UserWarning")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("XMLWB_DATA", raising=False)


def pair(n, seed=0, d=6, L=4):
    rng = np.random.default_rng(seed)
    X = sparse.csr_array((rng.random((n, d)) < 0.5).astype(np.float32))
    Y = sparse.csr_array((rng.random((n, L)) < 0.4).astype(np.float32))
    return X, Y


def same(found, wanted):
    np.testing.assert_array_equal(found.toarray(), wanted.toarray())


def write_one_file(folder, name="Bibtex"):
    folder.mkdir(parents=True)
    X, Y = pair(5)
    write_repository(folder / f"{name}_data.txt", X, Y)
    (folder / f"{name}_trSplit.txt").write_text("1 5\n2 4\n3 3\n")
    (folder / f"{name}_tstSplit.txt").write_text("5 2\n4 1\n")
    return X, Y


def test_one_file_with_splits(tmp_path):
    X, Y = write_one_file(tmp_path / "bibtex")
    (tmp_path / "bibtex" / "label_names.txt").write_text("a\nb\nc\nd\n")
    data = load_standard("bibtex", root=tmp_path, unit_rows=False)
    same(data.X_train, X[[0, 1, 2]])
    same(data.Y_test, Y[[4, 3]])
    assert data.label_names == ["a", "b", "c", "d"]
    assert data.feature_names[:2] == ["feature 0", "feature 1"]
    assert data.propensity_ab == (0.55, 1.5)
    assert data.X_valid is None
    second = load_standard("bibtex", root=tmp_path, split=1)
    same(second.Y_train, Y[[4, 3, 2]])
    assert "Split 1 of 2" in second.card.made
    for split in (2, -1):
        with pytest.raises(ValueError, match=rf"split={split}, wanted 0\.\.1"):
            load_standard("bibtex", root=tmp_path, split=split)


def write_train_and_test(folder, names=("train.txt", "test.txt")):
    folder.mkdir(parents=True)
    parts = pair(5), pair(3, 1)
    for name, part in zip(names, parts, strict=True):
        write_repository(folder / name, *part)
    return parts


def write_folder_form(folder):
    folder.mkdir(parents=True)
    parts = pair(5), pair(3, 1)
    for name, part in zip(("trn", "tst"), parts, strict=True):
        for side, matrix in zip(("Xf", "Y"), part, strict=True):
            rows = [np.flatnonzero(row) for row in matrix.toarray()]
            lines = "".join(" ".join(f"{j}:1.0" for j in row) + "\n" for row in rows)
            (folder / f"{name}_X_{side}.txt").write_text(f"{matrix.shape[0]} {matrix.shape[1]}\n{lines}")
    (folder / "Y.txt").write_text("a\nb\nc\nd\n")
    return parts


def write_npz_form(folder):
    folder.mkdir(parents=True)
    parts = pair(5), pair(3, 1)
    for name, (X, Y) in zip(("trn", "tst"), parts, strict=True):
        sparse.save_npz(folder / f"X.{name}.npz", X)
        sparse.save_npz(folder / f"Y.{name}.npz", Y)
    return parts


def write_arff_form(folder):
    folder.mkdir(parents=True)
    parts = pair(5), pair(3, 1)
    head = "@relation r\n" + "".join(f"@attribute f{i} numeric\n" for i in range(6))
    head += "".join(f"@attribute l{i} {{0,1}}\n" for i in range(4)) + "@data\n"
    for name, (X, Y) in zip(("train", "test"), parts, strict=True):
        rows = np.hstack([X.toarray(), Y.toarray()]).astype(int).tolist()
        (folder / f"some-{name}.arff").write_text(head + "".join(",".join(map(str, row)) + "\n" for row in rows))
    (folder / "some.xml").write_text("<labels>" + "".join(f'<label name="l{i}"/>' for i in range(4)) + "</labels>")
    return parts


LAYOUTS = {
    "train and test files": write_train_and_test,
    "train and test files with the set's name": lambda f: write_train_and_test(f, ("w_train.txt", "w_test.txt")),
    "folder form": write_folder_form,
    "npz": write_npz_form,
    "arff": write_arff_form,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("below", ["Wiki10-31K", "wiki10", "wiki10-31k/Wiki10/deeper"])
def test_layouts_and_folder_names(tmp_path, layout, below):
    train, test = LAYOUTS[layout](tmp_path / below)
    data = load_standard("wiki10-31k", root=tmp_path, unit_rows=False)
    for found, wanted in zip((data.X_train, data.Y_train, data.X_test, data.Y_test), train + test, strict=True):
        same(found, wanted)
    with pytest.raises(ValueError, match=r"split=1, wanted 0\.\.0"):
        load_standard("wiki10-31k", root=tmp_path, split=1)


def test_rows_of_features_have_length_one_unless_told_otherwise(tmp_path):
    X, _ = write_one_file(tmp_path / "bibtex")
    X = X[[0, 1, 2]].toarray()
    data = load_standard("bibtex", root=tmp_path)
    np.testing.assert_allclose(data.X_train.toarray(), X / np.linalg.norm(X, axis=1, keepdims=True), rtol=1e-6)
    assert "divided by their length" in data.card.made


def test_parts_that_do_not_fit(tmp_path):
    write_train_and_test(tmp_path / "wiki10")
    write_repository(tmp_path / "wiki10" / "test.txt", *pair(3, d=7))
    with pytest.raises(DataFileError, match="wiki10: 7 features in the test part, wanted 6"):
        load_standard("wiki10-31k", root=tmp_path)
    write_folder_form(tmp_path / "f" / "wiki10")
    (tmp_path / "f" / "wiki10" / "tst_X_Y.txt").write_text("2 4\n\n\n")
    with pytest.raises(DataFileError, match="wiki10: 2 rows of labels in the test part, wanted 3"):
        load_standard("wiki10-31k", root=tmp_path / "f")


def test_root_may_be_the_folder_itself_whatever_its_name(tmp_path):
    write_one_file(tmp_path / "my files")
    assert load_standard("bibtex", root=tmp_path / "my files").n_train == 3


def test_another_set_is_not_taken_for_the_one_wanted(tmp_path, monkeypatch):
    write_one_file(tmp_path / "delicious", "Delicious")
    with pytest.raises(SetNotFoundError):
        load_standard("bibtex", root=tmp_path)
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path / "delicious"))
    with pytest.raises(SetNotFoundError):
        load_standard("bibtex")
    assert load_standard("delicious").n_train == 3


def test_the_variable_comes_before_what_was_fetched(tmp_path, monkeypatch):
    write_one_file(tmp_path / "cache" / "datasets" / "bibtex" / "inner")
    assert load("bibtex").n_train == 3
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path / "mine"))
    assert load("bibtex").n_train == 3  # nothing there
    write_one_file(tmp_path / "mine" / "BibTeX")
    (tmp_path / "mine" / "BibTeX" / "Bibtex_trSplit.txt").write_text("1\n")
    (tmp_path / "mine" / "BibTeX" / "Bibtex_tstSplit.txt").write_text("2\n")
    assert load("bibtex").n_train == 1


def test_not_found_says_where_what_and_how(tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_DATA", str(tmp_path / "mine"))
    with pytest.raises(SetNotFoundError) as caught:
        load_standard("eurlex-4k")
    message = str(caught.value)
    for part in (str(tmp_path / "mine"), str(tmp_path / "cache"), "trn_X_Xf.txt", "xmlwb data fetch eurlex-4k"):
        assert part in message


def test_other_sizes_than_published_are_told(tmp_path):
    write_one_file(tmp_path / "bibtex")
    with pytest.warns(UserWarning, match="the files hold 3 training instances, 4,880 are published") as caught:
        data = load_standard("bibtex", root=tmp_path)
    assert "the files hold 4 labels, 159 are published" in str(caught[0].message)
    assert any("4,880 are published" in fault for fault in data.card.faults)


def write_laws(folder, compress=True):
    """Three parts of JSON lines with EURLEX57K's files around them."""
    folder.mkdir(parents=True)
    parts = {
        "train": [("fish quota fish", ["1"]), ("trade quota", ["2", "1"]), ("trade fish law", [])],
        "dev": [("fish law", ["1"])],
        "test": [("quota trade unseen", ["2"]), ("law", ["3"])],
    }
    for part, documents in parts.items():
        records = [{"title": text, "main_body": ["x", "y"], "labels": labels} for text, labels in documents]
        raw = "\n".join(map(json.dumps, records)).encode()
        path = folder / f"{part}.jsonl{'.gz' if compress else ''}"
        path.write_bytes(gzip.compress(raw) if compress else raw)
    (folder / "labels.tsv").write_text("eurovoc_id\tname\tfreq\n2\ttrade\t1\n1\tfishing\t2\n3\tlaw\t0\n4\tlaw\t0\n")
    concepts = {
        "1": {"label": "fishing", "alt_labels": ["angling"], "parents": ["9", "2"]},
        "2": {"label": "trade", "alt_labels": [], "parents": []},
        "9": {"label": "sea", "alt_labels": [], "parents": []},
    }
    (folder / "eurovoc_en.json").write_text(json.dumps(concepts))


@pytest.mark.parametrize("compress", [True, False])
def test_texts_with_a_vocabulary_of_labels(tmp_path, compress):
    write_laws(tmp_path / "EURLEX57K", compress)
    data = load_standard("eurlex-4.3k", root=tmp_path)
    assert data.label_names == ["trade", "fishing", "law (3)", "law (4)"]
    assert data.label_texts == ["trade", "fishing; angling", "law (3)", "law (4)"]
    assert data.label_parents == [(), ("sea", "trade"), (), ()]
    assert data.Y_train.toarray().tolist() == [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert data.Y_valid.toarray().tolist() == [[0, 1, 0, 0]]
    assert data.Y_test.toarray().tolist() == [[1, 0, 0, 0], [0, 0, 1, 0]]
    assert data.texts_train[0] == "fish quota fish\nx\ny"
    assert "unseen" not in data.feature_names  # the vocabulary is the training part's
    assert any("2 labels" in fault for fault in data.card.faults)


def test_text_features_are_kept_until_texts_or_settings_change(tmp_path, monkeypatch):
    write_laws(tmp_path / "eurlex57k")
    fits = []
    original = TextFeatures.fit_transform
    monkeypatch.setattr(TextFeatures, "fit_transform", lambda self, texts: fits.append(1) or original(self, texts))

    def features(**options):
        return load_standard("eurlex-4.3k", root=tmp_path, **options).X_train

    first, again = features(), features()
    assert len(fits) == 1
    same(again, first)
    more = features(text_features=TextFeatures(min_df=1, ngram_max=2))
    assert len(fits) == 2
    assert more.shape[1] > first.shape[1]
    (tmp_path / "eurlex57k" / "dev.jsonl.gz").write_bytes(gzip.compress(b'{"title": "quota", "labels": []}'))
    features()
    assert len(fits) == 3


def test_the_text_features_given_are_left_as_they_were(tmp_path):
    write_laws(tmp_path / "eurlex57k")
    given = TextFeatures(min_df=1)
    for _ in range(2):
        data = load_standard("eurlex-4.3k", root=tmp_path, text_features=given)
        assert data.text_features.settings == given.settings
        assert data.text_features.transform(data.texts_train).shape == data.X_train.shape
        with pytest.raises(ValueError, match="nothing fitted yet"):
            given.transform(["law"])


def test_a_cache_entry_of_another_set_is_made_again(tmp_path):
    write_laws(tmp_path / "eurlex57k")
    first = load_standard("eurlex-4.3k", root=tmp_path)
    (entry,) = (tmp_path / "cache").rglob("eurlex-4.3k-*.npz")
    np.savez(entry, something=np.zeros(3))
    with pytest.warns(UserWarning, match="damaged and will be made again"):
        again = load_standard("eurlex-4.3k", root=tmp_path)
    same(again.X_test, first.X_test)


def test_text_features_belong_to_texts_only(tmp_path):
    write_one_file(tmp_path / "bibtex")
    with pytest.raises(ValueError, match="text_features: Bibtex has features of its own"):
        load_standard("bibtex", root=tmp_path, text_features=TextFeatures())


def test_real_sets_have_the_published_sizes(real_data):
    missing = [name for name in ("bibtex", "delicious") if not (real_data / name).is_dir()]
    if missing:
        pytest.skip(f"{missing} not found in {real_data}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bibtex = load("bibtex", root=real_data, split=9)
        delicious = load("delicious", root=real_data)
    assert (bibtex.n_train, bibtex.n_features, bibtex.n_labels) == (4880, 1836, 159)
    assert (delicious.n_train, delicious.n_features, delicious.n_labels) == (12920, 500, 983)
    assert bibtex.label_names[0] == "2005"


def test_real_laws(real_data, tmp_path):
    """The whole of EURLEX57K takes half a minute; its smallest part stands for all three here."""
    source = real_data / "eurlex57k"
    if not source.is_dir():
        pytest.skip(f"eurlex57k not found in {real_data}")
    folder = tmp_path / "eurlex57k"
    folder.mkdir()
    with gzip.open(source / "dev.jsonl.gz", "rb") as stream:
        some = gzip.compress(b"".join(line for line, _ in zip(stream, range(300), strict=False)), 1)
    for part in ("train", "dev", "test"):
        (folder / f"{part}.jsonl.gz").write_bytes(some)
    for name in ("labels.tsv", "eurovoc_en.json"):
        shutil.copy(source / name, folder / name)
    data = load_standard("eurlex-4.3k", root=tmp_path)
    assert data.Y_train.shape == (300, 4271)
    assert data.label_names[0] == "domestic trade"
    assert data.label_parents[0] == ("trade policy",)
    assert data.Y_train.nnz > 900
