"""Figures that only the chapters need: pure functions from arrays or tables to plotly figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten, wrap

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots
from scipy.sparse import csr_array

from xmlwb.datasets import Dataset
from xmlwb.lessons.growth import LogFit
from xmlwb.metrics import top_k_hits
from xmlwb.plots.theme import BLUE, GREEN, GREY, ORANGE, VERMILION, model_styles


class DocumentBrowser:
    """The k best labels of several predictions for one test document at a time, right ones marked.

    Parameters
    ----------
    ds : Dataset
        With texts of its test documents.
    predictions : mapping of str to csr_array, shape (n_test, L)
        Predictions for all test documents, by the model's name.
    k : int
        Labels shown of each.
    """

    def __init__(self, ds: Dataset, predictions: Mapping[str, csr_array], k: int = 5) -> None:
        self.ds = ds
        self.k = k
        self.top = {name: top_k_hits(ds.Y_test, S, k) for name, S in predictions.items()}

    def __call__(self, document: int = 0) -> go.Figure:
        """A grid: one column a model, one row a rank. ``document`` is the row of the test set."""
        marks = np.column_stack([hits[document] for _, hits in self.top.values()]).astype(float)
        text = [
            [self._cell(labels[document, rank], hits[document, rank]) for labels, hits in self.top.values()]
            for rank in range(self.k)
        ]
        figure = go.Figure(
            go.Heatmap(
                z=marks,
                x=list(self.top),
                y=[f"rank {rank + 1}" for rank in range(self.k)],
                text=text,
                texttemplate="%{text}",
                textfont={"size": 15, "color": "black"},
                colorscale=[[0, "#EEEEEE"], [1, "#9ADBC5"]],
                zmin=0,
                zmax=1,
                showscale=False,
                xgap=4,
                ygap=4,
                hoverinfo="skip",
            )
        )
        truth = ", ".join(self.ds.labels_of("test", document))
        lines = wrap(f"its tags: {truth}", 110)
        figure.update_layout(
            title={
                "text": "<br>".join([f"<b>{self._caption(document)}</b>", *lines]),
                "font": {"size": 15},
                "y": 0.97,
                "yanchor": "top",
            },
            margin={"t": 70 + 20 * len(lines), "b": 20},
            height=320 + 20 * len(lines),
        )
        figure.update_yaxes(autorange="reversed", showgrid=False, ticks="")
        figure.update_xaxes(side="top", showgrid=False, ticks="")
        return figure

    def _cell(self, label: int, hit: bool) -> str:
        return "" if label < 0 else f"{'✓ ' if hit else ''}{shorten_tag(self.ds.label_names[label])}"

    def _caption(self, document: int) -> str:
        texts, ids = self.ds.texts_test, self.ds.ids_test
        name = ids[document] if ids else f"document {document}"
        return shorten(f"{name}: {texts[document].splitlines()[0]}" if texts else name, 110)


def shorten_tag(name: str, most: int = 30) -> str:
    """Cut a long label name in its middle.

    >>> shorten_tag("works-with-format::javascript", 20)
    'works-with…avascript'
    """
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"


def cut_figure(counts: Mapping[str, np.ndarray], m: int = 5) -> go.Figure:
    """Labels by rank with those of at most ``m`` positives marked; the title tells their shares.

    Parameters
    ----------
    counts : mapping of str to ndarray
        Training positives of each label, by the data set's name; zeros are left out.
    m : int
        The cut.
    """
    occurring = {name: np.sort(c[c > 0])[::-1] for name, c in counts.items()}
    titles = [
        f"<b>{name}</b>: {(c <= m).mean():.0%} of the labels,<br>{c[c <= m].sum() / c.sum():.1%} of all 1s in Y"
        for name, c in occurring.items()
    ]
    figure = make_subplots(cols=len(counts), subplot_titles=titles, horizontal_spacing=0.12)
    for column, ordered in enumerate(occurring.values(), start=1):
        rank = np.unique(np.geomspace(1, len(ordered), 400).astype(int))
        positives = ordered[rank - 1]
        for part, colour, dash, inside in (
            (f"more than {m}", BLUE, "solid", positives > m),
            (f"at most {m}", ORANGE, "dot", positives <= m),
        ):
            figure.add_scatter(
                x=rank[inside],
                y=positives[inside],
                mode="lines",
                line={"color": colour, "width": 6, "dash": dash},
                name=f"{part} positives",
                legendgroup=part,
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="rank of the label (1 = most frequent)", dtick=1)
    figure.update_yaxes(type="log", title="training positives", dtick=1)
    figure.update_layout(legend={"orientation": "h", "y": -0.25}, height=430, margin={"t": 70})
    return figure


def growth_figure(tables: Mapping[str, pd.DataFrame]) -> go.Figure:
    """Labels met (left) and labels a document (right) against documents, from `growth.growth_table`."""
    figure = make_subplots(cols=2, horizontal_spacing=0.12)
    looks = zip((BLUE, ORANGE, GREEN, VERMILION), ("circle", "diamond", "square", "x"), strict=True)
    for (name, table), (colour, symbol) in zip(tables.items(), looks, strict=False):
        for column, y in enumerate(("labels met", "labels a document"), start=1):
            figure.add_scatter(
                x=table["documents"],
                y=table[y],
                mode="lines+markers",
                name=name,
                legendgroup=name,
                line={"color": colour},
                marker={"symbol": symbol, "size": 9},
                showlegend=column == 1,
                row=1,
                col=column,
            )
    figure.update_xaxes(type="log", title="documents, in random order", dtick=1)
    figure.update_yaxes(type="log", title="labels met", col=1, dtick=1)
    figure.update_yaxes(title="labels a document (mean)", rangemode="tozero", col=2)
    figure.update_layout(legend={"orientation": "h", "y": -0.25}, height=400, margin={"t": 30})
    return figure


def labels_a_document_figure(sizes: pd.DataFrame, fit: LogFit) -> go.Figure:
    """Mean labels a document of data sets in the order of their number of labels, with the logarithmic fit.

    One row a data set rather than a scatter plot: the names of sets of about the same size would hide each other.
    """
    known = sizes.dropna(subset=["labels a document"]).sort_values("labels", kind="stable")
    names = [f"{name} (L = {labels:,})" for name, labels in known["labels"].items()]
    figure = go.Figure()
    for at_hand, colour, symbol in ((True, ORANGE, "diamond"), (False, BLUE, "circle")):
        inside = (known["at hand"] == at_hand).to_numpy()
        figure.add_scatter(
            x=known["labels a document"][inside],
            y=[name for name, kept in zip(names, inside, strict=True) if kept],
            mode="markers",
            marker={"size": 13, "color": colour, "symbol": symbol},
            name="at hand" if at_hand else "as published",
        )
    figure.add_scatter(
        x=fit(known["labels"].to_numpy(dtype=float)),
        y=names,
        mode="lines",
        line={"color": GREY, "dash": "dash"},
        name=f"a + b ln L, R² = {fit.r_squared:.2f}",
    )
    figure.update_xaxes(title="labels a document (mean)", rangemode="tozero")
    figure.update_yaxes(categoryorder="array", categoryarray=names, automargin=True)
    figure.update_layout(height=130 + 27 * len(names), margin={"t": 30}, legend={"orientation": "h", "y": -0.18})
    return figure


def propensity_figure(
    counts: np.ndarray, inverse: np.ndarray, scores: pd.DataFrame, baseline: str | None = None
) -> go.Figure:
    """Left: what a hit on a label is worth, by its frequency. Right: two metrics of each model, best on top.

    Parameters
    ----------
    counts : ndarray, shape (L,)
        Training positives of each label.
    inverse : ndarray, shape (L,)
        Inverse propensities.
    scores : DataFrame
        One row a model, one column a metric, from `reweighting.under_propensities`.
    baseline : str, optional
        Model whose bars are outlined, so that the eye can follow it.
    """
    metrics: Sequence[str] = list(scores.columns)
    titles = ["worth of one hit", *(f"{metric}: {' > '.join(_order(scores, metric)[:2])}" for metric in metrics)]
    figure = make_subplots(cols=1 + len(metrics), subplot_titles=titles, horizontal_spacing=0.13)
    seen = np.unique(counts[counts > 0], return_index=True)[1]
    occurring = np.flatnonzero(counts > 0)[seen]
    figure.add_scatter(
        x=counts[occurring], y=inverse[occurring], mode="lines", line={"color": GREY, "width": 4}, row=1, col=1
    )
    styles = model_styles(scores.index)
    for column, metric in enumerate(metrics, start=2):
        order = _order(scores, metric)
        figure.add_bar(
            x=scores.loc[order, metric],
            y=order,
            orientation="h",
            marker={
                "color": [styles[name].colour for name in order],
                "line": {"width": [3 if name == baseline else 0 for name in order], "color": "black"},
            },
            text=[f"{value:.3f}" for value in scores.loc[order, metric]],
            textposition="inside",
            insidetextanchor="start",
            textangle=0,
            constraintext="none",
            row=1,
            col=column,
        )
        figure.update_xaxes(range=[0, 1], title=metric, row=1, col=column)
        figure.update_yaxes(autorange="reversed", row=1, col=column)
    figure.update_xaxes(type="log", title="training positives N<sub>l</sub>", dtick=1, row=1, col=1)
    figure.update_yaxes(title="1 / p<sub>l</sub>", rangemode="tozero", row=1, col=1)
    figure.update_layout(showlegend=False, height=400, margin={"t": 60})
    return figure


def _order(scores: pd.DataFrame, metric: str) -> list[str]:
    return list(scores.sort_values(metric, ascending=False, kind="stable").index)
