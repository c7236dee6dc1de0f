from __future__ import annotations

import numpy as np
import pytest

from xmlwb.datasets import word_vectors as module
from xmlwb.datasets.readers import DataFileError
from xmlwb.datasets.word_vectors import random_word_vectors, read_word_vectors, train_word_vectors

WORDS = {"cat": [3.0, 0.0, 0.0], "dog": [0.0, 4.0, 0.0], "c++": [1.0, 1.0, -1.0], "a\u00a0b": [0.0, 0.0, 5.0]}
TEXTS = ["the cat sat on the mat", "a dog sat by the cat", "the dog and the cat play", "c++ and c"] * 20


def write_vec(path, words=WORDS, *, header=None, end=" \n"):
    lines = [f"{len(words)} 3" if header is None else header]
    lines += [" ".join([word, *map(str, values)]) for word, values in words.items()]
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="\n")
    return path


@pytest.mark.parametrize("end", [" \n", "\n", "\r\n"])
def test_vectors_of_the_wanted_words_in_their_order(tmp_path, end):
    path = write_vec(tmp_path / "w.vec", end=end)
    vectors, line = read_word_vectors(path, ["dog", "unknown", "c++", "dog", "a\u00a0b"])
    assert vectors.dtype == np.float32
    expected = np.array([[0, 4, 0], [0, 0, 0], [1, 1, -1], [0, 4, 0], [0, 0, 5]])
    np.testing.assert_allclose(vectors / np.linalg.norm(vectors), expected / np.linalg.norm(expected), atol=1e-6)
    assert np.mean(np.sum(vectors[[0, 2, 3, 4]] ** 2, axis=1)) == pytest.approx(1)
    assert line == "w.vec: 4 of 5 words found, 3 dimensions"


def test_the_first_of_two_lines_of_a_word_counts(tmp_path):
    path = tmp_path / "w.vec"
    path.write_text("2 2\nx 1 0\nx 0 1\n")
    assert read_word_vectors(path, ["x"])[0].tolist() == [[1, 0]]


def test_fewer_dimensions_keep_as_much_of_the_lengths_as_they_can(tmp_path):
    rng = np.random.default_rng(0)
    table = rng.standard_normal((50, 8)) * [9, 8, 1, 1, 1, 1, 0.5, 0.5]
    path = tmp_path / "w.vec"
    np_lines = [f"w{i} " + " ".join(map(repr, map(float, row))) for i, row in enumerate(table)]
    path.write_text("\n".join(["50 8", *np_lines]) + "\n")
    vectors, line = read_word_vectors(path, [f"w{i}" for i in range(50)], n_components=3)
    assert vectors.shape == (50, 3)
    assert line.endswith("3 dimensions of 8")
    singular = np.linalg.svd(table, compute_uv=False)[:3]
    ours = np.linalg.svd(vectors, compute_uv=False)
    np.testing.assert_allclose(ours / ours[0], singular / singular[0], rtol=1e-4)
    again, _ = read_word_vectors(path, [f"w{i}" for i in range(50)], n_components=3)
    np.testing.assert_array_equal(again, vectors)


def test_more_dimensions_than_the_file_has_are_refused(tmp_path):
    with pytest.raises(DataFileError, match=r"w\.vec: has 3 dimensions; wanted at least n_components=4"):
        read_word_vectors(write_vec(tmp_path / "w.vec"), ["cat"], n_components=4)


BROKEN = {
    "no header": ("cat 1 2 3\n", "line 1: found 'cat 1 2 3'; wanted two whole numbers"),
    "empty": ("", "line 1: found ''"),
    "no dimensions": ("2 0\ncat\ndog\n", "line 1"),
    "cut short": ("3 2\ncat 1 2\ndog 1 2\n", "breaks off after 2 words; wanted 3"),
    "a line cut short": ("2 2\ncat 1 2\ndog 1", "line 3: found 1 numbers; wanted 2"),
    "more lines": ("1 2\ncat 1 2\ndog 1 2\n", "line 3: found another word; wanted 1"),
    "not a number": ("1 2\ncat 1 x\n", "line 2: .*'x'.*wanted numbers"),
    "NaN": ("1 2\ncat 1 nan\n", "holds NaN or inf"),
    "other words": ("1 2\nhorse 1 2\n", "has none of the 1 words"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_text_files(tmp_path, case):
    content, message = BROKEN[case]
    (tmp_path / "w.vec").write_text(content)
    with pytest.raises(DataFileError, match=rf"^w\.vec.*{message}"):
        read_word_vectors(tmp_path / "w.vec", ["cat"])


def test_a_compressed_file_is_no_text(tmp_path):
    (tmp_path / "w.vec").write_bytes(b"\x1f\x8b\x08\xff\xfe" * 10)
    with pytest.raises(DataFileError, match="no text in UTF-8"):
        read_word_vectors(tmp_path / "w.vec", ["cat"])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.vec"):
        read_word_vectors(tmp_path / "nowhere.vec", ["cat"])


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    fasttext = pytest.importorskip("gensim.models.fasttext", reason="gensim is not installed")
    model = fasttext.FastText(vector_size=6, min_count=2, bucket=200, workers=1, seed=1)
    sentences = [text.split() for text in TEXTS]
    model.build_vocab(sentences)
    model.train(sentences, total_examples=len(sentences), epochs=2)
    path = tmp_path_factory.mktemp("words") / "w.bin"
    fasttext.save_facebook_model(model, str(path))
    return path, model


def test_a_binary_model_has_a_vector_of_every_word(binary):
    path, model = binary
    vectors, line = read_word_vectors(path, ["cat", "cats", "dog"])
    expected = np.stack([model.wv.get_vector(word) for word in ("cat", "cats", "dog")])
    np.testing.assert_allclose(vectors / np.linalg.norm(vectors), expected / np.linalg.norm(expected), atol=1e-6)
    assert line == "w.bin: 3 of 3 words found, 6 dimensions; 2 as whole words, the others by their parts"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_broken_binary_files(binary, tmp_path, share):
    content = binary[0].read_bytes()
    (tmp_path / "w.bin").write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataFileError, match=r"^w\.bin: is no whole fastText model"):
        read_word_vectors(tmp_path / "w.bin", ["cat"])


def test_another_binary_file_is_refused(tmp_path):
    pytest.importorskip("gensim", reason="gensim is not installed")
    (tmp_path / "w.bin").write_bytes(b"no model at all" * 100)
    with pytest.raises(DataFileError, match=r"^w\.bin: is no whole fastText model"):
        read_word_vectors(tmp_path / "w.bin", ["cat"])


def test_training_gives_the_same_vectors_for_the_same_seed():
    pytest.importorskip("gensim", reason="gensim is not installed")
    names = ["cat", "dog", "c++", "elephant"]
    vectors, line = train_word_vectors(TEXTS, names, 8, 3, n_buckets=500)
    assert vectors.shape == (4, 8)
    assert np.mean(np.sum(vectors**2, axis=1)) == pytest.approx(1)
    assert line.startswith("trained on 80 texts, 420 words of 420, 5 epochs: 3 of 4 words occur")
    np.testing.assert_array_equal(train_word_vectors(TEXTS, names, 8, 3, n_buckets=500)[0], vectors)
    assert not np.array_equal(train_word_vectors(TEXTS, names, 8, 4, n_buckets=500)[0], vectors)


def test_training_reads_as_many_words_as_it_may():
    pytest.importorskip("gensim", reason="gensim is not installed")
    texts = ["cat dog", "cat dog fish", "cat dog fish cow " * 100]
    _, line = train_word_vectors(texts, ["cat"], 4, max_words=9, n_buckets=100)
    assert ", 8 words of 405," in line


def test_words_that_occur_in_the_same_places_are_near_each_other():
    pytest.importorskip("gensim", reason="gensim is not installed")
    rng = np.random.default_rng(0)
    groups = [["apple", "pear", "plum", "grape"], ["steel", "zinc", "gold", "tin"]]
    texts = [" ".join(rng.choice(groups[i % 2], size=12)) for i in range(600)]
    vectors, _ = train_word_vectors(texts, [*groups[0], *groups[1]], 16, n_buckets=300, n_epochs=10)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    C = unit @ unit.T
    assert C[:4, :4].mean() > C[:4, 4:].mean() + 0.2


def test_texts_without_the_words_are_refused():
    pytest.importorskip("gensim", reason="gensim is not installed")
    with pytest.raises(ValueError, match="texts hold none of the 1 words"):
        train_word_vectors(TEXTS, ["xylophone"], 4)
    with pytest.raises(ValueError, match="no word occurs twice"):
        train_word_vectors(["cat", "dog"], ["cat"], 4)


def test_gensim_is_asked_for_by_name(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gensim", None)
    (tmp_path / "w.bin").write_bytes(b"x")
    with pytest.raises(ImportError, match=r"pip install 'xmlwb\[words\]'"):
        read_word_vectors(tmp_path / "w.bin", ["cat"])


def test_random_vectors():
    vectors, line = random_word_vectors(2000, 50, 7)
    assert (vectors.shape, vectors.dtype) == ((2000, 50), np.float32)
    assert np.mean(np.sum(vectors**2, axis=1)) == pytest.approx(1, rel=0.05)
    np.testing.assert_array_equal(random_word_vectors(2000, 50, 7)[0], vectors)
    assert line == "random: 2,000 words, 50 dimensions"


def test_common_length_is_the_longest_that_fits():
    lengths = np.array([1, 2, 5, 9])
    for wanted in (4, 7, 10, 13, 17, 100):
        cut = module._common_length(lengths, wanted)
        assert np.minimum(lengths, cut).sum() <= wanted
