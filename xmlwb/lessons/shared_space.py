"""Chapter 06: documents move towards their labels, in the labels' own space, while the network trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ipywidgets as widgets
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.models.callbacks import Event
from xmlwb.models.dxml import DXML
from xmlwb.plots.shared_space import shared_space_figure
from xmlwb.widgets.controls import STYLE
from xmlwb.widgets.live_fit import LiveFit

#: One label each: documents that carry one of them, and no other of them, are shown.
THEMES = ("use::gameplaying", "devel::lang:perl", "made-of::font", "field::biology", "protocol::http")
#: Settings for a few hundred documents. With the paper's rates the output grows to many times unit length in the first
#: steps, before it tells documents apart; all of them then wait at the mean of all labels until weight decay has shrunk
#: it again, which takes longer than anyone watches. Label embeddings are as DeepWalk leaves them: whitened ones differ
#: equally in all directions, of which a plane shows but two.
FEW_DOCUMENTS: dict[str, Any] = {
    "n_components": 16, "n_hidden": 64, "n_epochs": 30, "batch_size": 4, "learning_rate": 0.003, "weight_decay": 0.02,
    "n_neighbors": 10, "weighted": False, "whiten": False,
}  # fmt: skip


@dataclass(frozen=True)
class ThemedDocuments:
    """Documents of a few themes with all their labels, and which theme each is of.

    Attributes
    ----------
    X, Y, theme : training documents, shapes (n, d'), (n, L'), (n,)
        Words that one training document has alone are left out.
    X_valid, Y_valid, theme_valid : the same of validation documents.
    label_names : list of str, length L'
        The labels that at least ``fewest`` of the training documents carry.
    """

    X: csr_array
    Y: csr_array
    theme: NDArray[np.int64]
    X_valid: csr_array
    Y_valid: csr_array
    theme_valid: NDArray[np.int64]
    label_names: list[str]


def themed_documents(
    ds: Dataset, themes: Sequence[str] = THEMES, *, most: int = 120, fewest: int = 3, random_state: int = 0
) -> ThemedDocuments:
    """Documents that carry just one of the themes, at most ``most`` of each; a quarter as many for validation.

    Raises
    ------
    ValueError
        If a theme is no label, or the data set has no validation rows.
    """
    unknown = [theme for theme in themes if theme not in ds.label_names]
    if unknown:
        raise ValueError(f"themes: there is no label {unknown[0]!r} in {ds.name}")
    if ds.X_valid is None or ds.Y_valid is None:
        raise ValueError(f"{ds.name} has no validation rows; wanted some")
    columns = [ds.label_names.index(theme) for theme in themes]
    rng = np.random.default_rng(random_state)
    rows, theme = _rows_of(ds.Y_train, columns, most, rng)
    rows_valid, theme_valid = _rows_of(ds.Y_valid, columns, max(1, most // 4), rng)
    counts = np.bincount(ds.Y_train[rows].indices, minlength=ds.n_labels)
    kept = np.flatnonzero(counts >= fewest)
    documents_of_word = np.bincount(ds.X_train[rows].indices, minlength=ds.n_features)
    words = np.flatnonzero(documents_of_word >= 2)
    return ThemedDocuments(
        X=csr_array(ds.X_train[rows][:, words]),
        Y=csr_array(ds.Y_train[rows][:, kept]),
        theme=theme,
        X_valid=csr_array(ds.X_valid[rows_valid][:, words]),
        Y_valid=csr_array(ds.Y_valid[rows_valid][:, kept]),
        theme_valid=theme_valid,
        label_names=[ds.label_names[label] for label in kept],
    )


def _rows_of(
    Y: csr_array, columns: list[int], most: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows with just one of the columns, and its place among them; at most ``most`` rows a column, in their order."""
    has = Y[:, columns].toarray() > 0
    alone = has.sum(axis=1) == 1
    chosen = [np.flatnonzero(alone & has[:, c]) for c in range(len(columns))]
    chosen = [np.sort(rng.choice(rows, min(most, len(rows)), replace=False)) for rows in chosen]
    theme = np.repeat(np.arange(len(columns)), [len(rows) for rows in chosen])
    return np.concatenate(chosen), theme


class Plane:
    """The plane of the two leading directions of the label embeddings: it stays while documents move.

    Parameters
    ----------
    V : ndarray, shape (L, l)
        Scaled to unit rows, as documents are.
    counts : ndarray, shape (L,)
        Documents of each label: what it weighs in the choice of the directions.
    """

    def __init__(self, V: np.ndarray, counts: np.ndarray) -> None:
        unit = V / np.maximum(np.linalg.norm(V, axis=1, keepdims=True), 1e-12)
        weights = counts / counts.sum()
        self._mean = weights @ unit
        _, s, directions = np.linalg.svd(np.sqrt(weights)[:, None] * (unit - self._mean), full_matrices=False)
        self._directions = directions[:2]
        self.labels = self(unit)
        #: Part of the labels' squared spread that the plane shows.
        self.share = float((s[:2] ** 2).sum() / max((s**2).sum(), 1e-12))
        low, high = self.labels.min(axis=0), self.labels.max(axis=0)
        self.window = (low - 0.12 * (high - low), high + 0.12 * (high - low))

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Places (r, 2) of vectors (r, l)."""
        return (vectors - self._mean) @ self._directions.T


class SharedSpace(LiveFit):
    """A DXML that trains beside the reader, its documents drawn among the labels after each epoch.

    Parameters
    ----------
    documents : ThemedDocuments
    themes : sequence of str
        Their themes; names of labels.
    model : DXML, or callable without arguments that returns one
    start : bool
        Begin at once.

    Attributes
    ----------
    snapshots : list of (ndarray (n, 2), ndarray (n_valid, 2), float, float)
        After each epoch: places of training and validation documents, and the mean cosine of both to f_y.
    epoch : IntSlider
        The epoch shown; it follows the training, and can be moved or played back afterwards.
    """

    def __init__(self, documents: ThemedDocuments, themes: Sequence[str], model: Any, *, start: bool = False) -> None:
        self._documents, self._themes = documents, list(themes)
        self.plane: Plane | None = None
        self.snapshots: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self.epoch = widgets.IntSlider(
            value=0, min=0, max=0, description="epoch", style=STYLE, layout={"width": "min(420px, 90%)"}
        )
        self._play = widgets.Play(value=0, min=0, max=0, interval=250, description="play again")
        eval_set = (documents.X_valid, documents.Y_valid)
        super().__init__(model, documents.X, documents.Y, eval_set=eval_set)
        widgets.jslink((self._play, "value"), (self.epoch, "value"))
        self._follows = True
        self.epoch.observe(self._look_back, names="value")
        children: tuple[Any, ...] = (*self.children, widgets.HBox([self._play, self.epoch]))
        self.children = children
        self.view.alt = "Documents and labels in a plane, and loss and precision by epoch"
        if start:
            self.start()

    # -- what the thread does --------------------------------------------------------------------------------------

    def _before_start(self) -> None:
        super()._before_start()
        self.snapshots, self.plane = [], None
        self._follows = True

    def _work(self) -> bool:
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)  # steps of a few documents: two threads would wait for each other
        try:
            return super()._work()
        finally:
            torch.set_num_threads(before)

    def _on_event(self, event: Event) -> Any:
        documents, model = self._documents, self.model
        if self.plane is None:
            self.plane = Plane(model.label_embeddings_, model.label_counts_)
            self._targets = [model.embed_labels(Y) for Y in (documents.Y, documents.Y_valid)]
        found = [model.embed(X) for X in (documents.X, documents.X_valid)]
        near = [float(np.mean(np.sum(f * t, axis=1))) for f, t in zip(found, self._targets, strict=True)]
        with self._lock:
            self.snapshots.append((self.plane(found[0]), self.plane(found[1]), near[0], near[1]))
        return super()._on_event(event)

    def _draw(self) -> None:
        if not self.snapshots:
            return
        begin = time.perf_counter()
        self._follows = True
        self._play.max = self.epoch.max = len(self.snapshots)
        self._play.min = self.epoch.min = 1
        self.epoch.value = len(self.snapshots)
        self._draw_epoch(len(self.snapshots))
        self._follows = False
        self._last_draw = time.perf_counter()
        self._draw_cost = self._last_draw - begin

    # -- what the page shows ---------------------------------------------------------------------------------------

    def _look_back(self, change: dict) -> None:
        if not self._follows and not self.running and 1 <= change["new"] <= len(self.snapshots):
            self._draw_epoch(change["new"])

    def _draw_epoch(self, epoch: int) -> None:
        plane, documents = self.plane, self._documents
        assert plane is not None
        train, valid, near, near_valid = self.snapshots[epoch - 1]
        events = self.events
        curves = {
            name: ([e.step for e in events], [e.figures[key] for e in events])
            for name, key in (("loss", "loss"), ("validation P@1", "valid P@1"))
            if events and all(key in e.figures for e in events)
        }
        themes = {theme: number for number, theme in enumerate(self._themes)}
        figure = shared_space_figure(
            {"training": (train, documents.theme), "validation": (valid, documents.theme_valid)},
            self._themes,
            (plane.labels, documents.label_names, [themes.get(name, -1) for name in documents.label_names]),
            curves,
            epoch=epoch,
            total=events[-1].total if events else epoch,
            window=plane.window,
            remark=(
                f"cosine to the mean of its own labels: training {near:.2f}, validation {near_valid:.2f}; "
                f"the plane shows {plane.share:.0%} of the labels' spread"
            ),
        )
        self.view.show(figure)


def shared_space(
    ds: Dataset, themes: Sequence[str] = THEMES, *, most: int = 120, start: bool = False, **settings: Any
) -> SharedSpace:
    """Start and Stop buttons above the space that documents and labels share.

    Parameters
    ----------
    ds : Dataset
        With validation rows.
    themes : sequence of str
        Labels; one colour each.
    most : int
        Training documents of a theme.
    start : bool
        Begin at once.
    **settings
        Of `DXML`, where they shall differ from `FEW_DOCUMENTS`.

    Raises
    ------
    ValueError
        As `themed_documents` does.
    """
    documents = themed_documents(ds, themes, most=most)
    chosen = {**FEW_DOCUMENTS, "device": "cpu", **settings}
    return SharedSpace(documents, themes, lambda: DXML(**chosen), start=start)
