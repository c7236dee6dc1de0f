"""Starting vectors of words: a fastText file of the user's, trained on the corpus at hand, or random.

All three return one vector for each feature name, and a line of text that says where they come from. The vectors are
scaled by one number, so that the mean of their squared lengths is 1 and a method can take any of them with the same
learning rate; their directions and relative lengths stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .readers.problems import DataFileError
from .text import TOKEN, checked_texts

#: What gensim raises on a file that is cut short, or none of fastText's.
_BROKEN = (ArithmeticError, AssertionError, EOFError, LookupError, MemoryError, NotImplementedError, OSError,
           TypeError, ValueError)  # fmt: skip


def random_word_vectors(n: int, n_components: int, random_state: int | None = 0) -> tuple[np.ndarray, str]:
    """Normal random vectors, of length about 1.

    Parameters
    ----------
    n : int
        Words.
    n_components : int
    random_state : int or None

    Returns
    -------
    vectors : ndarray, shape (n, n_components), float32
    line : str

    Examples
    --------
    >>> vectors, line = random_word_vectors(1000, 64)
    >>> line
    'random: 1,000 words, 64 dimensions'
    """
    rng = np.random.default_rng(random_state)
    vectors = rng.standard_normal((n, n_components), dtype=np.float32)
    vectors *= np.float32(n_components**-0.5)
    return vectors, f"random: {n:,} words, {n_components} dimensions"


def read_word_vectors(
    path: str | Path, names: Sequence[str], n_components: int | None = None
) -> tuple[np.ndarray, str]:
    """The vectors of some words from fastText's files.

    Parameters
    ----------
    path : path
        ``.vec``: text, a line ``words dimensions`` and then one word a line with its numbers. ``.bin``: fastText's
        whole model, through gensim; it has a vector for every word, of its parts if the word is not in it.
    names : sequence of str
        The words, in the order of the features.
    n_components : int, optional
        As many dimensions as the result is to have: the file's, or fewer, which are then the ones in which the vectors
        are longest (a projection on their first singular directions).

    Returns
    -------
    vectors : ndarray, shape (len(names), n_components), float32
        0 for a word that the file does not have.
    line : str
        How many words were found where.

    Raises
    ------
    FileNotFoundError
    xmlwb.datasets.readers.DataFileError
        The file is cut short, no text of this form, has NaN or none of the words; a `ValueError`.
    ImportError
        A ``.bin`` file without gensim.

    Notes
    -----
    Of a ``.vec`` file only the wanted words are kept in memory; a ``.bin`` file's vectors are there as a whole. What
    follows them in a ``.bin`` file, weights of its training that no vector needs, is not looked at.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted a .vec or .bin file of fastText")
    names = checked_texts(names)
    binary = path.suffix == ".bin"
    vectors, whole = _of_binary_file(path, names) if binary else _of_text_file(path, names)
    if not np.isfinite(vectors).all():
        raise DataFileError(path, None, "holds NaN or inf; wanted finite numbers")
    n_found = int(np.count_nonzero(vectors.any(axis=1)))
    if not n_found:
        raise DataFileError(path, None, f"has none of the {len(names):,} words; wanted vectors of these words")
    width = vectors.shape[1]
    if n_components is not None and n_components != width:
        if n_components > width:
            raise DataFileError(path, None, f"has {width} dimensions; wanted at least n_components={n_components}")
        vectors = _longest_directions(vectors, n_components)
    line = f"{path.name}: {n_found:,} of {len(names):,} words found, {vectors.shape[1]} dimensions"
    if n_components is not None and n_components < width:
        line += f" of {width}"
    if binary:
        line += f"; {whole:,} as whole words, the others by their parts"
    return _scaled(vectors), line


def train_word_vectors(
    texts: Iterable[str],
    names: Sequence[str],
    n_components: int,
    random_state: int = 0,
    *,
    n_epochs: int = 5,
    max_words: int | None = 5_000_000,
    n_buckets: int = 100_000,
) -> tuple[np.ndarray, str]:
    """Vectors of words trained on the texts themselves, with gensim's FastText (continuous bag of words).

    Parameters
    ----------
    texts : iterable of str
        Training texts; never those of validation or test rows.
    names : sequence of str
        The words, in the order of the features.
    n_components : int
    random_state : int, default 0
        With one worker, as here, the same seed gives the same vectors.
    n_epochs : int, default 5
        gensim's.
    max_words : int or None, default 5,000,000
        Each text gives its first words only, the same number of all, so that about as many are read in an epoch. None:
        all words.
    n_buckets : int, default 100,000
        Vectors that the parts of words share by hashing (fastText: 2,000,000, which are 2.4 GB at 300 dimensions).

    Returns
    -------
    vectors : ndarray, shape (len(names), n_components), float32
    line : str

    Raises
    ------
    ImportError
        gensim is not installed.
    ValueError
        The texts hold none of the words.

    Notes
    -----
    Memory 8 n_components (words + n_buckets) bytes.
    """
    _gensim()
    from gensim.models import FastText

    names, texts = checked_texts(names), checked_texts(texts)
    word = re.compile(TOKEN)
    sentences = [word.findall(text.lower()) for text in texts]
    n_words = sum(map(len, sentences))
    longest = max(map(len, sentences), default=0)
    if max_words is not None and n_words > max_words:
        lengths = np.sort([len(sentence) for sentence in sentences])
        longest = _common_length(lengths, max_words)
        sentences = [sentence[:longest] for sentence in sentences]
    known = set(names)
    if not any(known.intersection(sentence) for sentence in sentences):
        raise ValueError(f"texts hold none of the {len(names):,} words in names; wanted the texts that they come from")
    model = FastText(
        vector_size=n_components, window=5, min_count=2 if len(sentences) > 1 else 1, sg=0, workers=1,
        seed=0 if random_state is None else random_state, bucket=n_buckets, epochs=n_epochs,
    )  # fmt: skip
    try:
        model.build_vocab(sentences)
        model.train(sentences, total_examples=len(sentences), epochs=n_epochs)
    except RuntimeError as error:  # "you must first build vocabulary": no word occurs often enough
        raise ValueError(f"texts: no word occurs twice in {len(sentences):,} texts ({error})") from error
    vectors, whole = _from_gensim(model.wv, names)
    read = sum(map(len, sentences))
    line = f"trained on {len(sentences):,} texts, {read:,} words of {n_words:,}, {n_epochs} epochs: "
    line += f"{whole:,} of {len(names):,} words occur, the others by their parts, {n_components} dimensions"
    return _scaled(vectors), line


def _common_length(lengths: np.ndarray, max_words: int) -> int:
    """To how many words each text, of these lengths in ascending order, is cut for about `max_words` in all."""
    before = np.concatenate([[0], np.cumsum(lengths)])[:-1]
    total = before + lengths * np.arange(len(lengths), 0, -1)  # cut to the length of each text in turn
    return max(1, int(lengths[max(0, int(np.searchsorted(total, max_words, side="right")) - 1)]))


def _of_text_file(path: Path, names: list[str]) -> tuple[np.ndarray, int]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(names):
        rows.setdefault(name, []).append(row)
    lines = _lines(path)
    number, header = next(lines, (1, ""))
    parts = header.split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts) or int(parts[1]) < 1:
        raise DataFileError(path, 1, f"found {header[:60]!r}; wanted two whole numbers: words and dimensions")
    n_words, width = int(parts[0]), int(parts[1])
    vectors = np.zeros((len(names), width), dtype=np.float32)
    found = np.zeros(len(names), dtype=bool)
    for number, line in lines:
        if number > n_words + 1:
            raise DataFileError(path, number, f"found another word; wanted {n_words:,}, as line 1 says")
        word, _, numbers = line.partition(" ")
        if numbers.count(" ") + 1 != width:
            raise DataFileError(path, number, f"found {len(numbers.split())} numbers; wanted {width}, as line 1 says")
        for row in rows.get(word, ()):
            if not found[row]:  # the first of two lines of the same word
                vectors[row] = _numbers(path, number, numbers)
                found[row] = True
    if number != n_words + 1:
        raise DataFileError(path, None, f"breaks off after {number - 1:,} words; wanted {n_words:,}, as line 1 says")
    return vectors, int(found.sum())


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered from 1, without what ends them; only a line feed ends a line, since a word may hold other breaks."""
    with path.open(encoding="utf-8", newline="\n") as file:
        try:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\r\n").rstrip(" ")
        except UnicodeDecodeError as error:
            raise DataFileError(path, None, f"is no text in UTF-8 ({error}); wanted a .vec file") from error


def _numbers(path: Path, line: int, text: str) -> np.ndarray:
    try:
        return np.array(text.split(" "), dtype=np.float32)
    except ValueError as error:
        raise DataFileError(path, line, f"{error}; wanted numbers after the word") from error


def _of_binary_file(path: Path, names: list[str]) -> tuple[np.ndarray, int]:
    _gensim()
    from gensim.models.fasttext import load_facebook_vectors

    try:
        wv = load_facebook_vectors(str(path))
    except _BROKEN as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise DataFileError(path, None, f"is no whole fastText model, or one of labels ({reason})") from error
    except Exception as error:  # struct.error, which gensim lets through where a number is cut short
        raise DataFileError(path, None, f"is no whole fastText model ({error})") from error
    return _from_gensim(wv, names)


def _from_gensim(wv: Any, names: list[str]) -> tuple[np.ndarray, int]:
    """A vector for each name, and how many of them are in the vocabulary."""
    whole = np.array([name in wv.key_to_index for name in names], dtype=bool)
    vectors = np.zeros((len(names), wv.vector_size), dtype=np.float32)
    for row, name in enumerate(names):
        if whole[row] or (name and wv.bucket):
            vectors[row] = wv.get_vector(name)
    return vectors, int(whole.sum())


def _longest_directions(vectors: np.ndarray, n_components: int) -> np.ndarray:
    squares = vectors.T.astype(np.float64) @ vectors
    _, directions = np.linalg.eigh(squares)
    kept = directions[:, ::-1][:, :n_components]
    kept *= np.where(kept[np.abs(kept).argmax(axis=0), np.arange(n_components)] < 0, -1, 1)  # signs do not wander
    return (vectors @ kept).astype(np.float32)


def _scaled(vectors: np.ndarray) -> np.ndarray:
    """So that the mean of the squared lengths of the rows that are not 0 is 1."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    mean = squares.sum() / max(1, np.count_nonzero(squares))
    return vectors * np.float32(mean**-0.5) if mean > 0 else vectors


def _gensim() -> None:
    try:
        import gensim  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "word vectors of a .bin file, and their training, need the package gensim (pip install 'xmlwb[words]'); "
            ".vec files and random vectors need nothing"
        ) from error
