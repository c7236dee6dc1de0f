"""Text features: weights against the formula, errors, files."""

from __future__ import annotations

import math
import os
import re
import zlib

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from xmlwb.datasets import TextFeatures
from xmlwb.datasets.cache import cached_arrays, read_arrays, write_arrays
from xmlwb.datasets.text import TextSettings
from xmlwb.datasets.text_cache import cached_features

TEXTS = ["A C++ library, a library", "a game in C", "the game: a board game"]


def test_weights_are_those_of_the_formula():
    features = TextFeatures(min_df=1)
    X = features.fit_transform(TEXTS)
    assert features.feature_names == ["a", "board", "c", "c++", "game", "in", "library", "the"]
    df = np.array([3, 1, 1, 1, 2, 1, 1, 1])
    idf = 1 + np.log((1 + 3) / (1 + df))
    assert_allclose(features.idf, idf, rtol=1e-6)
    counts = np.array([2, 0, 0, 1, 0, 0, 2, 0])
    row = np.where(counts > 0, (1 + np.log(np.maximum(counts, 1))) * idf, 0)
    assert_allclose(X[[0]].toarray()[0], row / math.sqrt((row**2).sum()), rtol=1e-5)
    assert X.dtype == np.float32


def test_min_df_and_unknown_words():
    features = TextFeatures()
    X = features.fit_transform(TEXTS)
    assert features.feature_names == ["a", "game"]
    other = features.transform(["nothing known", "GAME"])
    assert_array_equal(other.toarray(), [[0, 0], [0, 1]])
    assert X.shape == (3, 2)
    assert features.transform([]).shape == (0, 2)


def test_one_text_alone_keeps_its_terms():
    assert TextFeatures().fit_transform(["one text"]).nnz == 2


def test_accents_and_other_scripts_are_words():
    features = TextFeatures(min_df=1)
    features.fit_transform(["Äpfel 東京 _name_ x"])
    assert features.feature_names == ["name_", "x", "äpfel", "東京"]


@pytest.mark.parametrize("change", [{"ngram_max": 2}, {"max_features": 3}, {"sublinear_tf": False}, {"max_df": 0.7}])
def test_file_gives_the_same_features(change, tmp_path):
    features = TextFeatures(min_df=1, **change)
    X = features.fit_transform(TEXTS)
    features.save(tmp_path / "f.npz")
    again = TextFeatures.load(tmp_path / "f.npz")
    assert again.settings == features.settings
    assert again.feature_names == features.feature_names
    assert_array_equal(again.transform(TEXTS).toarray(), X.toarray())
    assert [p.name for p in tmp_path.iterdir()] == ["f.npz"]


@pytest.mark.parametrize("use", [lambda f, p: f.transform(["x"]), lambda f, p: f.feature_names, lambda f, p: f.save(p)])
def test_nothing_fitted(use, tmp_path):
    with pytest.raises(ValueError, match="nothing fitted yet"):
        use(TextFeatures(), tmp_path / "f.npz")
    assert not list(tmp_path.iterdir())


def test_bad_texts():
    features = TextFeatures()
    with pytest.raises(TypeError, match="found one str"):
        features.fit_transform("a text")
    with pytest.raises(TypeError, match="found int at position 1"):
        features.fit_transform(["a", 3])
    with pytest.raises(ValueError, match="found none"):
        features.fit_transform([])
    with pytest.raises(ValueError, match="no term is left of 2 texts with min_df=2"):
        features.fit_transform(["a b", "c d"])
    assert "not fitted" in repr(features)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("min_df", 0),
        ("min_df", 0.5),
        ("max_df", 2.0),
        ("max_df", 0.0),
        ("max_df", float("nan")),
        ("ngram_max", 0),
        ("max_features", 0),
        ("token_pattern", "(a"),
        ("token_pattern", "(a)(b)"),
    ],
)
def test_a_bad_setting_is_named(setting, value):
    with pytest.raises(ValueError, match=rf"^{setting}: found {re.escape(repr(value))}, wanted"):
        TextFeatures(**{setting: value})


def test_max_df_is_a_share_as_a_whole_number_too():
    assert TextFeatures(min_df=1, max_df=1).fit_transform(TEXTS).nnz == TextFeatures(min_df=1).fit_transform(TEXTS).nnz


def test_bad_files(tmp_path):
    path = tmp_path / "f.npz"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"f\.npz: wanted an npz file of plain arrays"):
        TextFeatures.load(path)
    write_arrays(path, {"a": np.zeros(2)})
    with pytest.raises(ValueError, match="another kind of npz file"):
        TextFeatures.load(path)
    with pytest.raises(ValueError, match="idf: wanted 1 values"):
        TextFeatures.from_arrays(TextFeatures().settings, ["a"], np.zeros(2))


def test_no_pickle_is_written_or_read(tmp_path):
    with pytest.raises(ValueError, match=r"[Oo]bject arrays"):
        write_arrays(tmp_path / "a.npz", {"a": np.array([{}], dtype=object)})
    assert not list(tmp_path.iterdir())
    np.savez(tmp_path / "b.npz", a=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match=r"b\.npz: wanted an npz file of plain arrays"):
        read_arrays(tmp_path / "b.npz")


def test_files_can_be_read_by_whoever_the_umask_lets(tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    before = os.umask(0o022)
    try:
        cached_arrays("x", lambda: {"a": np.arange(3)})
    finally:
        os.umask(before)
    assert (tmp_path / "arrays" / "x.npz").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [zlib.error("invalid block type"), EOFError()])
def test_a_member_that_does_not_unpack_is_damage(error, tmp_path, monkeypatch):
    write_arrays(tmp_path / "a.npz", {"a": np.arange(3)})

    def broken(*args):
        raise error

    monkeypatch.setattr("numpy.lib.npyio.NpzFile.__getitem__", broken)
    with pytest.raises(ValueError, match="found a damaged one"):
        read_arrays(tmp_path / "a.npz")


def test_features_kept_are_those_of_the_texts_the_settings_and_the_version(tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))
    texts = {"train": TEXTS, "test": ["a game"]}

    def kept():
        return len(list(tmp_path.rglob("set-*.npz")))

    X, fitted = cached_features("set", texts)
    again, _ = cached_features("set", texts)
    assert kept() == 1
    assert_array_equal(again["test"].toarray(), X["test"].toarray())
    assert_array_equal(fitted.transform(texts["test"]).toarray(), X["test"].toarray())
    assert fitted.feature_names == ["a", "game"]  # of the training texts
    cached_features("set", texts | {"test": ["a game!"]})
    assert kept() == 2
    cached_features("set", {"train": [*TEXTS, "a game"], "test": []})
    assert kept() == 3
    cached_features("set", texts, TextSettings(min_df=1))
    assert kept() == 4
    monkeypatch.setattr("xmlwb.datasets.text_cache.version", lambda package: "0.0")
    cached_features("set", texts)
    assert kept() == 5
    monkeypatch.setattr("xmlwb.datasets.text_cache.FEATURE_CODE", -1)
    cached_features("set", texts)
    assert kept() == 6


def test_cache_makes_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path / "new"))
    made = []

    def make():
        made.append(1)
        return {"a": np.arange(3)}

    for _ in range(3):
        assert_array_equal(cached_arrays("x", make)["a"], [0, 1, 2])
    assert len(made) == 1


@pytest.mark.parametrize("damage", ["cut", "text", "other arrays", "empty"])
def test_damaged_cache_is_made_again_with_a_warning(damage, tmp_path, monkeypatch):
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path))

    def check(arrays):
        if arrays["a"].shape != (3,):
            raise ValueError("wanted three")

    def make():
        return {"a": np.arange(3)}

    cached_arrays("x", make, check)
    path = tmp_path / "arrays" / "x.npz"
    whole = path.read_bytes()
    if damage == "other arrays":
        np.savez(path, b=np.zeros(3))
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "text": b"<html>not found</html>", "empty": b""}[damage])
    with pytest.warns(UserWarning, match="damaged and will be made again"):
        assert_array_equal(cached_arrays("x", make, check)["a"], [0, 1, 2])
    assert_array_equal(read_arrays(path)["a"], [0, 1, 2])


def test_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XMLWB_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="nothing could be kept in the cache"):
        assert_array_equal(cached_arrays("x", lambda: {"a": np.arange(3)})["a"], [0, 1, 2])
