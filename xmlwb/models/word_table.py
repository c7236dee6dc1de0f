"""What the methods share whose first layer is a table of word vectors: where the vectors start, what a fit cost."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from xmlwb.datasets.word_vectors import random_word_vectors, read_word_vectors
from xmlwb.models.neural import NeuralModel


class WordTableModel(NeuralModel):
    """Base of a method with the arguments `n_components`, `word_vectors` and `feature_names`.

    A file of such a model has the fitted table, and not what training started with: the two latter are None there.

    Attributes
    ----------
    profile_text_ : str
        What `profile_` reads.
    """

    #: The starting vectors go into the fingerprint of the data.
    free_on_resume: ClassVar[frozenset[str]] = (NeuralModel.free_on_resume - {"n_epochs"}) | {
        "word_vectors",
        "feature_names",
    }

    n_components: int
    word_vectors: np.ndarray | str | os.PathLike | None
    feature_names: Sequence[str] | None
    profile_text_: str

    @property
    def profile_(self) -> dict[str, Any]:
        """Cost of the fit: seconds and bytes of each module, the process's peak memory, the starting vectors."""
        check_is_fitted(self)
        return json.loads(self.profile_text_)

    def save(self, path: str | os.PathLike) -> None:
        """Write the fitted model to one file, atomically; `word_vectors` and `feature_names` are written as None."""
        without = copy.copy(self)
        without.word_vectors = without.feature_names = None
        super(WordTableModel, without).save(path)

    def _check_word_vectors(self) -> None:
        given = self.word_vectors
        if isinstance(given, (str, os.PathLike)) and self.feature_names is None:
            raise ValueError(
                f"word_vectors is {str(given)!r} and feature_names is None; wanted the word of each feature, such as "
                "dataset.feature_names"
            )
        if given is not None and not isinstance(given, (str, os.PathLike, np.ndarray)):
            raise ValueError(f"word_vectors is of type {type(given).__name__}; wanted an array, a path or None")

    def _starting_vectors(self, d: int) -> tuple[np.ndarray, str]:
        """The table that training starts with, (d, n_components) float32, and a line that says which it is."""
        given, width = self.word_vectors, self.n_components
        if given is None:
            return random_word_vectors(d, width, self.random_state)
        if isinstance(given, np.ndarray):
            if given.shape != (d, width) or given.dtype.kind != "f" or not np.isfinite(given).all():
                raise ValueError(
                    f"word_vectors has shape {given.shape} and dtype {given.dtype}; wanted finite numbers, one row of "
                    f"n_components={width} for each of the {d} features"
                )
            return np.ascontiguousarray(given, dtype=np.float32), f"given as an array: {d:,} words, {width} dimensions"
        names = list(self.feature_names or ())
        if len(names) != d:
            raise ValueError(f"feature_names has {len(names)} names; wanted one for each of the {d} features")
        return read_word_vectors(Path(given), names, width)
