"""Chapter 08: LightDXML's cycle, recorded step by step while it trains, to be scrubbed through afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from ipywidgets import IntSlider
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.preprocessing import normalize

from xmlwb.datasets import Dataset
from xmlwb.models.callbacks import Callback, Event
from xmlwb.plots.cycle import cycle_figure, shortlists_figure
from xmlwb.widgets import SliderFigure, slider_figure
from xmlwb.widgets.controls import STYLE

_SHOWN = 24  # labels of a shortlist that are drawn


def sigmoid(x: NDArray[np.floating]) -> NDArray[np.floating]:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class Moment:
    """The model after one step, as the watched documents see it.

    Attributes
    ----------
    phase : str
        "label", "shortlist" or "classifier".
    cosines : ndarray, shape (n, L), float16
        Of the documents' features with the label embeddings.
    scores : ndarray, shape (n, L), float16
        s, the classifier's.
    shortlists : ndarray, shape (n, k), int32
        The lists that the last rebuild made, nearest first, -1 in empty places; k is 0 before the first one.
    """

    phase: str
    cosines: NDArray[np.float16]
    scores: NDArray[np.float16]
    shortlists: NDArray[np.int32]


@dataclass
class CycleRecord:
    """What a run did, step by step.

    Attributes
    ----------
    events : DataFrame
        A row for each step: "phase" and the event's figures.
    moments : list of Moment
        One for each step.
    Y : csr_array, shape (n, L)
        The watched documents' labels.
    texts, names : lists of str
        Of the documents and of the labels.
    """

    Y: csr_array
    texts: list[str]
    names: list[str]
    events: pd.DataFrame = field(default_factory=pd.DataFrame)
    moments: list[Moment] = field(default_factory=list)

    # -- the moving picture ----------------------------------------------------------------------------------------

    def picture(self, document: int, step: int) -> go.Figure:
        """The labels of one watched document and the run, after a step; steps from 1."""
        moment = self.moments[step - 1]
        own = self._own(document)
        listed = set(moment.shortlists[document].tolist())
        kind = ["its labels" if j in own else "in the shortlist" if j in listed else "others"
                for j in range(len(self.names))]  # fmt: skip
        labels = pd.DataFrame(
            {
                "name": self.names,
                "cosine": moment.cosines[document].astype(float),
                "probability": sigmoid(moment.scores[document].astype(float)),
                "kind": kind,
            }
        )
        found = f"{len(own & listed)} of its {len(own)} labels in the shortlist"
        return cycle_figure(
            self.events, step - 1, labels, document=self.texts[document],
            own_found=found if moment.shortlists.shape[1] else "no shortlist yet",
        )  # fmt: skip

    def player(self) -> SliderFigure:
        """A slider through the steps, and a menu of the documents."""

        def shown(document: int = 0, step: int = 1) -> go.Figure:
            return self.picture(document, step)

        return slider_figure(
            shown,
            document=self._menu(),
            step=IntSlider(
                1, 1, len(self.moments), style=STYLE, layout={"width": "min(560px, 95%)"}, description="step"
            ),
            alt="The labels of a document by cosine and by the classifier, and losses, shares and seconds step by step",
        )

    # -- what a hard negative is -----------------------------------------------------------------------------------

    @property
    def rebuilds(self) -> list[int]:
        """The rows of the events at which the shortlists were made anew."""
        return [place for place, moment in enumerate(self.moments) if moment.phase == "shortlist"]

    def lists(self, document: int, rebuild: int) -> go.Figure:
        """A document's shortlist before and after a rebuild; 0 is the first list, before which there is none."""
        at = self.rebuilds[rebuild]
        moment = self.moments[at]
        old = self.moments[at - 1].shortlists[document][:_SHOWN] if at else np.empty(0, dtype=np.int32)
        new = moment.shortlists[document][:_SHOWN]
        probability = sigmoid(moment.scores[document].astype(float))
        own = self._own(document)

        def table(labels: NDArray[np.int32], others: NDArray[np.int32]) -> pd.DataFrame:
            kept = labels[labels >= 0].tolist()
            return pd.DataFrame(
                {
                    "name": [self.names[j] for j in kept],
                    "probability": probability[kept],
                    "own": [j in own for j in kept],
                    "stays": np.isin(kept, others),
                }
            )

        which = "First list" if rebuild == 0 else f"Rebuild {rebuild} of {len(self.rebuilds) - 1}"
        return shortlists_figure(table(old, new), table(new, old), document=self.texts[document], rebuild=which)

    def list_explorer(self) -> SliderFigure:
        """A menu of the documents and a slider through the rebuilds."""
        last = len(self.rebuilds) - 1

        def shown(document: int = 0, rebuild: int = min(1, last)) -> go.Figure:
            return self.lists(document, rebuild)

        return slider_figure(
            shown,
            document=self._menu(),
            rebuild=IntSlider(min(1, last), 0, last, style=STYLE, description="rebuild"),
            alt="A document's shortlist before and after a rebuild, with the classifier's probability of each label",
        )

    def _own(self, document: int) -> set[int]:
        return set(self.Y.indices[self.Y.indptr[document] : self.Y.indptr[document + 1]].tolist())

    def _menu(self) -> dict[str, int]:
        return {f"{place + 1}: {text[:70]}": place for place, text in enumerate(self.texts)}


def telling_documents(Y: csr_array, texts: Sequence[str], n: int = 6, *, random_state: int = 0) -> list[int]:
    """Some documents with four to eight labels and a text to read, in order."""
    number = np.diff(Y.indptr)
    good = [row for row in np.flatnonzero((number >= 4) & (number <= 8)).tolist() if len(texts[row]) >= 60]
    rng = np.random.default_rng(random_state)
    return sorted(rng.choice(good, size=min(n, len(good)), replace=False).tolist())


def recorder(model: Any, ds: Dataset, rows: Sequence[int]) -> tuple[CycleRecord, Callback]:
    """A record to be filled, and the callback that fills it while the model learns.

    Parameters
    ----------
    model : LightDXML
        To be fitted with the callback.
    ds : Dataset
        With texts.
    rows : sequence of int
        Validation documents to watch; the record holds n x L numbers a step, so let them be few.

    Raises
    ------
    ValueError
        If the data set has no validation rows, or no texts.
    """
    if ds.X_valid is None or ds.Y_valid is None or ds.texts_valid is None:
        raise ValueError(f"{ds.name} has no validation rows with texts; wanted some to watch")
    watched = list(rows)
    X = ds.X_valid[watched]
    record = CycleRecord(
        ds.Y_valid[watched], [" ".join(ds.texts_valid[row].split()) for row in watched], list(ds.label_names)
    )
    told: list[dict[str, Any]] = []

    def watch(event: Event) -> None:
        phase = phase_of(event)
        told.append({"phase": phase, **event.figures})
        record.events = pd.DataFrame(told)
        features = model.embed(X)
        lists = record.moments[-1].shortlists if record.moments else np.empty((len(watched), 0), dtype=np.int32)
        if phase == "shortlist":
            lists = model.shortlist(X)[0]
        record.moments.append(
            Moment(
                phase,
                (normalize(features) @ normalize(model.label_embeddings_).T).astype(np.float16),
                (features @ model.W_.T + model.b_).astype(np.float16),
                lists,
            )
        )

    return record, watch


def phase_of(event: Event) -> str:
    """Which of the three phases a step was of."""
    return event.stage
