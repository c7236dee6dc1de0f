"""Chapter 03's race: every decoder on the code of one real document, and OMP step by step on another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.recovery_study import DECODER_TITLES
from xmlwb.plots.recovery import pursuit_figure, race_figure
from xmlwb.solvers.measurement import Measurement, measurement_matrix
from xmlwb.solvers.sparse_recovery import DECODERS, recovery_trace


def documents_by_size(ds: Dataset, sizes: Sequence[int]) -> dict[str, int]:
    """The first test document with each number of labels, as a menu: "name (8 labels)" -> row of the test set."""
    counts = np.diff(ds.Y_test.indptr)
    menu = {}
    for size in sizes:
        rows = np.flatnonzero(counts == size)
        if len(rows):
            row = int(rows[0])
            name = ds.ids_test[row] if ds.ids_test else f"document {row}"
            menu[f"{name} ({size} label{'' if size == 1 else 's'})"] = row
    return menu


class DecoderRace:
    """All decoders on the code of one test document's labels.

    Parameters
    ----------
    ds : Dataset
    random_state : int
        Of the matrix and of the noise; the matrix of fewer measurements is the beginning of that of more, so that a
        slider of m adds and takes away measurements and leaves the others as they are.
    most : int
        The largest m.
    """

    def __init__(self, ds: Dataset, *, most: int = 250, random_state: int = 0) -> None:
        self.ds = ds
        self._whole = measurement_matrix("gaussian", most, ds.n_labels, random_state)
        self._noise = np.random.default_rng([random_state, 1]).standard_normal(most)

    def __call__(self, document: int = 0, m: int = 60, noise: float = 0.0) -> go.Figure:
        """The race for one document: m measurements, and noise of that share of the code's length."""
        y = csr_array(self.ds.Y_test[[document]])
        true = y.indices
        A = self._whole.prefix(m)
        z = A.encode(y)
        disturbed = z + noise * np.linalg.norm(z) * (self._noise[:m] / np.linalg.norm(self._noise[:m]))
        names = self.ds.label_names
        columns = {
            title: [names[label] for label in DECODERS[key](disturbed, A, len(true))[0][0] if label >= 0]
            for key, title in DECODER_TITLES.items()
        }
        name = self.ds.ids_test[document] if self.ds.ids_test else f"document {document}"
        title = f"<b>{name}</b>: {len(true)} labels, squeezed to {m} numbers, {noise:.0%} noise. Labels found:"
        return race_figure(columns, [names[label] for label in true], title=title)


class Pursuit:
    """OMP on one test document, step by step.

    Parameters
    ----------
    ds : Dataset
    document : int
        Row of the test set.
    matrix : Measurement
        The matrix of the largest m; that of a smaller one is its beginning.
    """

    def __init__(self, ds: Dataset, document: int, matrix: Measurement) -> None:
        self.ds = ds
        self._y = csr_array(ds.Y_test[[document]])
        self._whole = matrix

    @property
    def n_steps(self) -> int:
        """As many as the document has labels."""
        return len(self._y.indices)

    def __call__(self, step: int = 0, m: int = 60) -> go.Figure:
        """After ``step`` steps with m measurements: what the rest of the code correlates with most."""
        A = self._whole.prefix(m)
        z = A.encode(self._y)[0]
        chosen = np.zeros(0, dtype=np.int32)
        rest = z
        if step:
            at = recovery_trace("omp", z, A, self.n_steps)[:step][-1]
            chosen, rest = at.labels, z - A.columns(at.labels) @ at.values
        left = float(np.linalg.norm(rest) / np.linalg.norm(z))
        right = len(set(chosen.tolist()) & set(self._y.indices.tolist()))
        title = f"{len(chosen)} chosen, {right} of them right; {left:.0%} of the code is not explained yet"
        names = self.ds.label_names
        return pursuit_figure(names, A.correlate(rest[None, :])[0], chosen, self._y.indices, title=title)
