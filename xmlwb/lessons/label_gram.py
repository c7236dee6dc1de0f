"""Chapter 07: where regularisers put labels that belong together, and what GLaS is pulled to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.theory import smallest_eigenvalue
from xmlwb.models.glas import EmbeddingClassifier
from xmlwb.plots.label_gram import gram_figure, pull_figure
from xmlwb.solvers.label_affinity import affinity, submatrix
from xmlwb.widgets import SliderFigure, slider_figure

#: Labels of debtags to look at: three of each of four themes, and two themes with what surrounds them.
GROUPS: dict[str, tuple[str, ...]] = {
    "four themes, three tags each": (
        "interface::graphical", "interface::x11", "x11::application",
        "implemented-in::perl", "devel::lang:perl", "devel::library",
        "works-with::mail", "protocol::smtp", "mail::filters",
        "works-with::audio", "use::playing", "sound::player",
    ),
    "mail": (
        "role::program", "works-with::mail", "mail::filters", "mail::user-agent", "mail::smtp", "mail::imap",
        "mail::pop", "protocol::smtp", "protocol::imap", "protocol::pop3",
    ),
    "a hub and its strangers": (
        "role::program", "game::board", "web::browser", "works-with::mail", "sound::player", "field::biology",
        "uitoolkit::gtk", "protocol::http",
    ),
}  # fmt: skip
#: What the chapter compares, with one weight lambda and no input dropout: by name.
COMPARED: dict[str, str | None] = {
    "none": None, "spread-out": "spread-out", "graph Laplacian": "laplacian", "GLaS": "glas",
}  # fmt: skip
#: Upper ends of the groups of pairs.
_ENDS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


class LabelGram:
    """Label vectors under several regularisers, all else being the same.

    Parameters
    ----------
    Y : csr_array, shape (n, K)
        Training labels: the affinities are theirs.
    embeddings : mapping of name to ndarray, shape (K, d)
        Unit rows; rows of labels that do not occur do not matter.
    label_names : sequence of str, length K
    groups : mapping of name to sequence of label names
        Names that are no label, or whose label does not occur, are left out.
    """

    def __init__(
        self,
        Y: csr_array,
        embeddings: Mapping[str, np.ndarray],
        label_names: Sequence[str],
        groups: Mapping[str, Sequence[str]] = GROUPS,
    ) -> None:
        self.U = affinity(Y)
        self.embeddings = dict(embeddings)
        self._names = list(label_names)
        occurs = np.bincount(Y.indices, minlength=Y.shape[1]) > 0
        self._used = np.flatnonzero(occurs)
        place = {name: number for number, name in enumerate(self._names)}
        self._groups = {
            name: [place[label] for label in labels if label in place and occurs[place[label]]]
            for name, labels in groups.items()
        }

    def gram(self, regularizer: str, labels: Sequence[int] | NDArray[np.integer]) -> NDArray[np.floating]:
        """Inner products of these labels' vectors."""
        V = self.embeddings[regularizer][np.asarray(labels)]
        return V @ V.T

    def distance(self, regularizer: str) -> float:
        """The GLaS loss of those vectors: the mean over all pairs of labels that occur of (v . v' - u)^2."""
        U = submatrix(self.U, self._used)
        return float(np.mean((self.gram(regularizer, self._used) - U) ** 2))

    def out_of_reach(self) -> tuple[float, float]:
        """The smallest eigenvalue of U, and the least GLaS loss that vectors of any length and dimension can have."""
        U = submatrix(self.U, self._used).astype(np.float64)
        values = np.linalg.eigvalsh(U)
        return smallest_eigenvalue(U), float(np.sum(np.minimum(values, 0) ** 2) / len(self._used) ** 2)

    def pairs(self) -> pd.DataFrame:
        """Inner products of all pairs of labels that occur, by affinity; as `pull_figure` takes them."""
        one, other = np.triu_indices(len(self._used), 1)
        u = submatrix(self.U, self._used)[one, other]
        group = np.searchsorted(np.array(_ENDS) + 1e-6, u)
        rows = []
        for name in self.embeddings:
            inner = self.gram(name, self._used)[one, other]
            for number in np.unique(group):
                inside = group == number
                low, high = np.quantile(inner[inside], [0.1, 0.9])
                rows.append((name, u[inside].mean(), inner[inside].mean(), low, high, int(inside.sum())))
        return pd.DataFrame(rows, columns=["regulariser", "affinity", "inner product", "low", "high", "pairs"])

    def pull(self, strong: float = 0.5) -> go.Figure:
        """All pairs at a glance."""
        one, other = np.triu_indices(len(self._used), 1)
        often = submatrix(self.U, self._used)[one, other] >= strong
        means = {name: self.gram(name, self._used)[one, other][often].mean() for name in self.embeddings}
        told = ", ".join(f"{name} <b>{value:.2f}</b>" for name, value in means.items())
        return pull_figure(
            self.pairs(),
            title=f"Pairs with an affinity of {strong:g} or more: {told}",
            subtitle="points: means; bars: from the tenth to the ninetieth of a hundred pairs",
        )

    def figure(self, group: str, regularizer: str) -> go.Figure:
        """The chosen labels: their affinities, and their vectors' inner products."""
        labels = self._groups[group]
        U = submatrix(self.U, np.array(labels))
        gram = self.gram(regularizer, labels)
        off = ~np.eye(len(labels), dtype=bool)
        return gram_figure(
            {"U, what the labels' documents say": U, f"inner products, {regularizer}": gram},
            [self._names[label] for label in labels],
            title=f"{regularizer}: mean inner product of these pairs <b>{gram[off].mean():.2f}</b>, "
            f"mean affinity {U[off].mean():.2f}",
            subtitle=f"mean squared difference of these pairs {np.mean((gram - U)[off] ** 2):.3f}",
        )

    def sliders(self) -> SliderFigure:
        """Menus for the labels and the regulariser above `figure`."""
        groups, names = list(self._groups), list(self.embeddings)

        def shown(group: str = groups[0], regularizer: str = names[0]) -> go.Figure:
            return self.figure(group, regularizer)

        return slider_figure(
            shown,
            group=groups,
            regularizer=names,
            labels={"group": "labels", "regularizer": "regulariser"},
            alt="Affinities of some labels beside the inner products of their vectors",
        )


def label_gram(
    ds: Dataset,
    compared: Mapping[str, str | None] = COMPARED,
    *,
    groups: Mapping[str, Sequence[str]] = GROUPS,
    progress: Callable[[str], Any] | None = None,
    **settings: Any,
) -> LabelGram:
    """Train one network for each regulariser, and keep the label vectors.

    Parameters
    ----------
    ds : Dataset
    compared : mapping of name to regulariser
    groups : mapping
        As `LabelGram` takes them.
    progress : callable, optional
        Told the name before each fit.
    **settings
        Of `EmbeddingClassifier`.
    """
    embeddings = {}
    for name, regularizer in compared.items():
        if progress is not None:
            progress(name)
        model = EmbeddingClassifier(regularizer=regularizer, **settings).fit(ds.X_train, ds.Y_train)
        embeddings[name] = model.label_embeddings_
    return LabelGram(ds.Y_train, embeddings, ds.label_names, groups)
