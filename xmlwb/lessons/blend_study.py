"""Chapter 08: classifier and shortlist apart and blended: figure 2 of the paper, from one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from ipywidgets import IntSlider, SelectionSlider
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.cycle import phase_of, sigmoid
from xmlwb.lessons.label_directions import recall_by_bin
from xmlwb.metrics import precision_at_k, propensities, psp_at_k
from xmlwb.models.callbacks import Callback, Event
from xmlwb.plots.blend_curves import blend_figure
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE

BETAS = tuple(round(0.1 * tenth, 1) for tenth in range(11))


@dataclass(frozen=True)
class Parts:
    """The two parts of a prediction, for the labels of each row's shortlist.

    Attributes
    ----------
    labels : ndarray, shape (n, k), int32
        -1 in empty places.
    classifier, near : ndarrays, shape (n, k), float32
        The sigmoids of the classifier's scores and of the cosines.
    """

    labels: NDArray[np.int32]
    classifier: NDArray[np.float32]
    near: NDArray[np.float32]

    def topk(self, beta: float, k: int, n_labels: int) -> csr_array:
        """The k best labels of each row by the blend; equal ones by their place in the shortlist."""
        mixed = np.where(self.labels >= 0, beta * self.classifier + (1 - beta) * self.near, -np.inf)
        best = np.argsort(-mixed, axis=1, kind="stable")[:, :k]
        values = np.take_along_axis(mixed, best, axis=1)
        labels = np.take_along_axis(self.labels, best, axis=1)
        kept = labels >= 0
        rows = np.nonzero(kept)[0]
        return csr_array((values[kept], (rows, labels[kept])), shape=(len(labels), n_labels), dtype=np.float32)

    def dense(self, n_labels: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both parts for all labels, 0 outside the shortlist: arrays (n, L), for small sets only."""
        both = []
        for part in (self.classifier, self.near):
            whole = np.zeros((len(self.labels), n_labels + 1), dtype=np.float32)  # the last column takes the -1
            np.put_along_axis(whole, np.where(self.labels < 0, n_labels, self.labels), part, axis=1)
            both.append(whole[:, :n_labels])
        return both[0], both[1]


def parts_of(model: Any, X: csr_array) -> Parts:
    """Classifier and shortlist of some rows, as a fitted LightDXML has them."""
    labels, cosines = model.shortlist(X)
    features = model.embed(X)
    scores = np.empty(labels.shape, dtype=np.float32)
    for begin in range(0, len(labels), 256):  # 256 x k x D numbers at a time
        batch = slice(begin, begin + 256)
        scores[batch] = np.einsum("nd,nkd->nk", features[batch], model.W_[labels[batch]]) + model.b_[labels[batch]]
    return Parts(labels, sigmoid(scores).astype(np.float32), sigmoid(cosines).astype(np.float32))


class BlendStudy:
    """The parts of the validation rows' predictions after each epoch of the classifier.

    Parameters
    ----------
    ds : Dataset
    """

    def __init__(self, ds: Dataset) -> None:
        self.ds = ds
        self.parts: list[Parts] = []
        self._table: pd.DataFrame | None = None

    def recorder(self, model: Any) -> Callback:
        """The callback that keeps the parts while a model is fitted."""

        def watch(event: Event) -> None:
            if phase_of(event) == "classifier":
                self.parts.append(parts_of(model, self.ds.X_valid))
                self._table = None

        return watch

    def table(self, betas: Sequence[float] = BETAS) -> pd.DataFrame:
        """A row for each epoch and beta: "P@1", "PSP@1", and the recall of "head", "torso" and "tail" among five."""
        if self._table is None:
            ds, rows = self.ds, []
            propensity = propensities(ds.Y_train, *ds.propensity_ab)
            for epoch, parts in enumerate(self.parts, start=1):
                for beta in betas:
                    S = parts.topk(beta, 5, ds.n_labels)
                    row = {"epoch": epoch, "beta": beta, "P@1": precision_at_k(ds.Y_valid, S, 1)[0]}
                    row["PSP@1"] = psp_at_k(ds.Y_valid, S, propensity, 1)[0]
                    rows.append(row | recall_by_bin(ds.Y_train, ds.Y_valid, S, 5))
            self._table = pd.DataFrame(rows)
        return self._table

    def explorer(self) -> SliderFigure:
        """Sliders for the epoch and for beta above figure 2."""
        table = self.table()

        def shown(epoch: int = len(self.parts), beta: float = 0.7) -> go.Figure:
            return blend_figure(table, epoch, beta)

        wide = {"width": "min(420px, 95%)"}
        return slider_figure(
            shown,
            epoch=IntSlider(len(self.parts), 1, len(self.parts), style=STYLE, layout=wide, description="epoch"),
            beta=SelectionSlider(
                options=sorted(set(table["beta"])), value=0.7, description="β", style=STYLE, layout=wide
            ),
            alt="Precision by beta and by the epochs of the classifier, for all labels and by label frequency",
        )
