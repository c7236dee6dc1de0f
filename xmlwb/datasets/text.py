"""TF-IDF features of texts, with the vocabulary kept for interpretation."""

from __future__ import annotations

import json
import numbers
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.sparse import csr_array, sparray, spmatrix

from .cache import read_arrays, write_arrays

if TYPE_CHECKING:
    from sklearn.feature_extraction.text import TfidfVectorizer

TOKEN = r"[^\W_][\w+#]*"  # a letter or digit first, then also + and #, so that "c", "c++" and "c#" are terms


@dataclass(frozen=True)
class TextSettings:
    """What :class:`TextFeatures` was made with; see there. Raises ValueError for a value that cannot be meant."""

    min_df: int = 2
    max_df: float = 1.0
    ngram_max: int = 1
    sublinear_tf: bool = True
    max_features: int | None = None
    token_pattern: str = TOKEN

    def __post_init__(self) -> None:
        counts = {"min_df": self.min_df, "ngram_max": self.ngram_max}
        if self.max_features is not None:
            counts["max_features"] = self.max_features
        for name, value in counts.items():
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(f"{name}: found {value!r}, wanted a whole number of 1 or more")
        if not 0 < self.max_df <= 1:
            raise ValueError(f"max_df: found {self.max_df!r}, wanted a share of the texts, above 0 and up to 1")
        try:
            groups = re.compile(self.token_pattern).groups
        except re.error as error:
            raise ValueError(f"token_pattern: found {self.token_pattern!r}, wanted a pattern ({error})") from error
        if groups > 1:
            raise ValueError(f"token_pattern: found {self.token_pattern!r}, wanted at most one group, not {groups}")


class TextFeatures:
    """TF-IDF of lower-cased words: texts in, l2-normalised sparse rows out.

    The weight of term t in document i is ``(1 + ln tf) (1 + ln((1 + n) / (1 + df)))``, with tf the term's count in
    the document, df the number of the n fitted documents that hold it; each row is then divided by its length.
    The work is done by scikit-learn's TfidfVectorizer; what is added are defaults for extreme classification,
    float32 ``csr_array`` output, clear errors, and files without pickle.

    Parameters
    ----------
    min_df : int, default 2
        A term is kept if at least so many of the fitted documents hold it. A term of one document cannot be
        shared by two, so it says nothing of any other document; it is half of the vocabulary.
    max_df : float, default 1.0
        A term is left out if more than this share of the documents hold it. 1.0 keeps all: idf already weighs
        common words down, so no list of stop words is needed.
    ngram_max : int, default 1
        Longest run of words that makes a term.
    sublinear_tf : bool, default True
        ``1 + ln tf`` in place of tf.
    max_features : int, optional
        Keep only so many terms, the most frequent ones.
    token_pattern : str
        What a word is. The default starts with a letter or digit and may go on with + and #: "c", "c++", "mp3".

    Raises
    ------
    ValueError
        For a setting out of its range; it is named.

    Attributes
    ----------
    feature_names : list of str, length d
        The vocabulary in column order (alphabetical).
    idf : ndarray (d,), float64

    Examples
    --------
    >>> features = TextFeatures(min_df=1)
    >>> X = features.fit_transform(["a C++ library", "a game"])
    >>> X.shape, features.feature_names
    ((2, 4), ['a', 'c++', 'game', 'library'])
    """

    def __init__(
        self,
        *,
        min_df: int = 2,
        max_df: float = 1.0,
        ngram_max: int = 1,
        sublinear_tf: bool = True,
        max_features: int | None = None,
        token_pattern: str = TOKEN,
    ) -> None:
        self.settings = TextSettings(min_df, max_df, ngram_max, sublinear_tf, max_features, token_pattern)
        self._names: list[str] | None = None
        self._idf: np.ndarray | None = None
        self._fitted: TfidfVectorizer | None = None

    @classmethod
    def from_arrays(cls, settings: TextSettings, feature_names: Sequence[str], idf: np.ndarray) -> Self:
        """Fitted features from their vocabulary (in column order) and idf, float64 (d,)."""
        if len(feature_names) != len(idf):
            raise ValueError(f"idf: wanted {len(feature_names)} values, one a feature name, found {len(idf)}")
        made = cls(**asdict(settings))
        made._names, made._idf = list(feature_names), np.asarray(idf, dtype=np.float64)
        return made

    def __repr__(self) -> str:
        state = "not fitted" if self._names is None else f"{len(self._names):,} features"
        return f"TextFeatures({state}, min_df={self.settings.min_df}, ngram_max={self.settings.ngram_max})"

    @property
    def feature_names(self) -> list[str]:
        """The vocabulary in column order. Raises ValueError before a fit."""
        if self._names is None:
            raise ValueError("TextFeatures: nothing fitted yet, call fit_transform(texts) first")
        return self._names

    @property
    def idf(self) -> np.ndarray:
        """Inverse document frequency of each column, float64 (d,). Raises ValueError before a fit."""
        if self._idf is None:
            raise ValueError("TextFeatures: nothing fitted yet, call fit_transform(texts) first")
        return self._idf

    def fit_transform(self, texts: Iterable[str]) -> csr_array:
        """Learn the vocabulary and idf of ``texts``; their features, csr_array (n, d) float32.

        Raises ValueError for an empty list and if no term is left, TypeError for anything but strings.
        """
        texts = checked_texts(texts)
        if not texts:
            raise ValueError("texts: wanted at least one text to learn the vocabulary from, found none")
        vectorizer = self._vectorizer(len(texts))
        try:
            X = vectorizer.fit_transform(texts)
        except ValueError as error:
            raise ValueError(
                f"texts: no term is left of {len(texts)} texts with min_df={self.settings.min_df} and "
                f"max_df={self.settings.max_df}: lower min_df or raise max_df ({error})"
            ) from error
        self._names = vectorizer.get_feature_names_out().tolist()
        self._idf = vectorizer.idf_.astype(np.float64)
        self._fitted = vectorizer
        return _canonical(X)

    def transform(self, texts: Iterable[str]) -> csr_array:
        """Features of other texts, csr_array (n, d) float32; terms outside the vocabulary are left out."""
        names, texts = self.feature_names, checked_texts(texts)
        if not texts:
            return csr_array((0, len(names)), dtype=np.float32)
        if self._fitted is None:
            self._fitted = self._vectorizer(1, vocabulary={name: column for column, name in enumerate(names)})
            self._fitted.idf_ = self.idf
        return _canonical(self._fitted.transform(texts))

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Settings, vocabulary and idf as plain arrays, for :meth:`from_stored`."""
        return {
            "text_settings": _as_bytes(json.dumps(asdict(self.settings))),
            "text_names": _as_bytes(json.dumps(self.feature_names)),
            "text_idf": self.idf,
        }

    @classmethod
    def from_stored(cls, arrays: dict[str, np.ndarray]) -> Self:
        """The features that :meth:`to_arrays` described. Raises KeyError or ValueError if the arrays are others."""
        settings = TextSettings(**json.loads(arrays["text_settings"].tobytes()))
        return cls.from_arrays(settings, json.loads(arrays["text_names"].tobytes()), arrays["text_idf"])

    def save(self, path: str | Path) -> None:
        """Write the fitted features to ``path``: npz of plain arrays and JSON, no pickle; atomically."""
        write_arrays(Path(path), self.to_arrays())

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what :meth:`save` wrote. Raises ValueError if the file is damaged or is another kind of file."""
        try:
            return cls.from_stored(read_arrays(Path(path)))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path}: wanted saved TextFeatures, found another kind of npz file ({error})") from error

    def _vectorizer(self, n_texts: int, vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
        from sklearn.feature_extraction.text import TfidfVectorizer  # slow to import, not needed with a warm cache

        settings = self.settings
        return TfidfVectorizer(
            # one text alone would lose every term to min_df=2
            min_df=min(settings.min_df, n_texts),
            max_df=float(settings.max_df),  # a whole 1 would mean one text
            ngram_range=(1, settings.ngram_max),
            sublinear_tf=settings.sublinear_tf,
            max_features=settings.max_features,
            token_pattern=settings.token_pattern,
            vocabulary=vocabulary,
            dtype=np.float32,
        )


def checked_texts(texts: Iterable[str]) -> list[str]:
    """``texts`` as a list of str; TypeError naming the first item that is none."""
    if isinstance(texts, str):
        raise TypeError("texts: wanted a list of str, found one str; put it in a list")
    texts = list(texts)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"texts: wanted a list of str, found {type(text).__name__} at position {i}")
    return texts


def _canonical(X: sparray | spmatrix) -> csr_array:
    rows = csr_array(X, dtype=np.float32)
    rows.sort_indices()
    return rows


def _as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-8"), dtype=np.uint8)
