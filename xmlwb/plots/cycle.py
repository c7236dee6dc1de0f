"""LightDXML's cycle: the three phases in turn, what each does to the labels of one document, and its shortlists."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.label_graph import short
from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREEN, GREY, INK, ORANGE, SKY, VERMILION

#: The phases in the order in which they come, with the colours of their bands and bars.
PHASES = {"label": ORANGE, "shortlist": GREEN, "classifier": BLUE}
_TITLES = {"label": "label embeddings", "shortlist": "shortlist rebuilt", "classifier": "classifier and features"}
#: What the second panel shows, each a fraction, with its look.
_SHARES = {
    "shortlist recall": (GREEN, "square", "dash", "true labels in the shortlist"),
    "valid P@1": (BLACK, "circle", "solid", "P@1, validation"),
    "negative hardness": (VERMILION, "diamond", "dot", "hardness of the negatives"),
}
#: Kinds of labels of a document: colour, symbol, size.
KINDS = {
    "others": (GREY, "circle", 5),
    "in the shortlist": (BLUE, "circle", 9),
    "its labels": (GREEN, "star", 15),
}


def cycle_figure(
    events: pd.DataFrame, at: int, labels: pd.DataFrame, *, document: str, own_found: str, height: int = 760
) -> go.Figure:
    """One moment of a run. Left: the labels of one document. Right: the run up to now, step by step.

    Parameters
    ----------
    events : DataFrame
        A row for each step: "phase", "loss", "seconds", and the shares of the second panel as far as they are known.
    at : int
        The row of the moment.
    labels : DataFrame
        A row for each label at that moment: "name", "cosine" to the document, "probability" by the classifier and
        "kind", one of `KINDS`.
    document : str
        Its text.
    own_found : str
        How many of its labels are in the shortlist, in words.
    height : int
        Pixels.
    """
    figure = make_subplots(
        rows=4, cols=2, specs=[[{"rowspan": 4}, {}], [None, {}], [None, {}], [None, {}]],
        column_widths=[0.47, 0.53], row_heights=[0.22, 0.22, 0.34, 0.22], horizontal_spacing=0.09,
        vertical_spacing=0.07,
    )  # fmt: skip
    _add_labels(figure, labels)
    _add_run(figure, events, at)
    phase, step = events["phase"].iloc[at], at + 1
    spent = events["seconds"].iloc[:step].groupby(events["phase"].iloc[:step]).sum()
    told = ", ".join(f"{_TITLES[name]} {spent[name]:.1f} s" for name in PHASES if name in spent)
    return figure.update_layout(
        title={
            "text": f"Step {step} of {len(events)}: <b>{_TITLES[phase]}</b>; {own_found}",
            "subtitle": {"text": f"so far {told}<br>{escape(short(document, 110), quote=False)}"},
        },
        height=height,
        margin={"t": 120, "b": 110},
        barmode="overlay",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )


def _add_labels(figure: go.Figure, labels: pd.DataFrame) -> None:
    for kind, (colour, symbol, size) in KINDS.items():
        rows = labels[labels["kind"] == kind]
        figure.add_scatter(
            x=rows["cosine"], y=rows["probability"], mode="markers", name=kind, text=rows["name"],
            marker={"color": colour, "symbol": symbol, "size": size, "opacity": 1 if kind == "its labels" else 0.6},
            hovertemplate="%{text}<br>cosine %{x:.2f}, classifier %{y:.3f}<extra></extra>", row=1, col=1,
        )  # fmt: skip
    for _, row in _to_name(labels).iterrows():
        figure.add_annotation(
            x=row["cosine"], y=row["probability"], text=escape(short(row["name"], 26), quote=False), showarrow=False,
            yshift=13, font={"size": FONT_SIZE - 3, "color": KINDS[row["kind"]][0]}, row=1, col=1,
        )  # fmt: skip
    figure.update_xaxes(title="cosine with the document: the shortlist's view", range=[-0.45, 1.08], row=1, col=1)
    figure.update_yaxes(title="σ(s): the classifier's view", range=[-0.04, 1.09], row=1, col=1)


def _to_name(labels: pd.DataFrame, most: int = 9) -> pd.DataFrame:
    """Its labels, and the negatives of highest probability; a name that would cover another one is left out."""
    own = labels[labels["kind"] == "its labels"].sort_values("probability", ascending=False)
    hard = labels[labels["kind"] == "in the shortlist"].sort_values("probability", ascending=False).head(3)
    kept: list[int] = []
    for place, row in pd.concat([own, hard]).iterrows():
        apart = all(
            abs(row["cosine"] - labels["cosine"][other]) > 0.38
            or abs(row["probability"] - labels["probability"][other]) > 0.04
            for other in kept
        )
        if apart and len(kept) < most:
            kept.append(place)  # type: ignore[arg-type]
    return labels.loc[kept]


def _add_run(figure: go.Figure, events: pd.DataFrame, at: int) -> None:
    """Loss of the labels, loss of the classifier, shares, seconds; what is still to come is pale."""
    x = np.arange(1, len(events) + 1)
    here = at + 1
    for row, phase in ((1, "label"), (2, "classifier")):
        inside = (events["phase"] == phase).to_numpy()
        _add_line(
            figure, x, events["loss"].where(inside).to_numpy(), at, PHASES[phase], "circle", "solid", row=row, name=None
        )
        figure.update_yaxes(title=f"{phase}<br>loss", nticks=4, row=row, col=2)
    for name, (colour, symbol, dash, title) in _SHARES.items():
        if name in events and events[name].notna().any():
            _add_line(figure, x, events[name].to_numpy(dtype=float), at, colour, symbol, dash, row=3, name=title)
    figure.update_yaxes(title="share", range=[-0.03, 1.05], row=3, col=2)
    for phase, colour in PHASES.items():
        inside = (events["phase"] == phase).to_numpy()
        if inside.any():
            figure.add_bar(
                x=x[inside], y=events["seconds"][inside], marker={"color": colour}, name=_TITLES[phase], width=0.9,
                opacity=0.85, hovertemplate="step %{x}: %{y:.2f} s<extra></extra>", row=4, col=2,
            )  # fmt: skip
    figure.update_yaxes(title="seconds", nticks=4, rangemode="tozero", row=4, col=2)
    figure.update_xaxes(title="step", row=4, col=2)
    shapes: list[dict] = []
    for row in range(1, 5):
        figure.update_xaxes(range=[0.3, len(events) + 0.7], showticklabels=row == 4, row=row, col=2)
        shapes += _bands(events["phase"].tolist(), here, f"x{row + 1}", f"y{row + 1} domain")
    figure.update_layout(shapes=shapes)  # at once: add_vrect takes its time for each


def _add_line(
    figure: go.Figure, x: np.ndarray, y: np.ndarray, at: int, colour: str, symbol: str, dash: str, *, row: int,
    name: str | None,
) -> None:  # fmt: skip
    """What is known of a quantity up to the moment, and as pale points what comes later."""
    past = np.arange(len(x)) <= at
    for values, mode, opacity, shown in (
        (np.where(past, np.nan, y), "markers", 0.3, False),
        (np.where(past, y, np.nan), "lines+markers", 1.0, name is not None),
    ):
        figure.add_scatter(
            x=x, y=values, mode=mode, opacity=opacity, line={"color": colour, "dash": dash, "width": 2},
            marker={"color": colour, "symbol": symbol, "size": 7}, name=name, showlegend=shown,
            connectgaps=name is not None, hovertemplate="step %{x}: %{y:.3f}<extra></extra>", row=row, col=2,
        )  # fmt: skip


def _bands(phases: Sequence[str], here: int, x: str, y: str) -> list[dict]:
    """What lies behind a panel: a band for each stretch of a phase, and a line at the moment."""
    bands = [
        {"type": "rect", "xref": x, "yref": y, "x0": begin + 0.5, "x1": end + 0.5, "y0": 0, "y1": 1, "layer": "below",
         "fillcolor": PHASES[phase], "opacity": 0.1, "line": {"width": 0}}
        for begin, end, phase in _stretches(phases)
    ]  # fmt: skip
    line = {"type": "line", "xref": x, "yref": y, "x0": here, "x1": here, "y0": 0, "y1": 1}
    return [*bands, line | {"line": {"color": INK, "width": 2}}]


def _stretches(phases: Sequence[str]) -> list[tuple[int, int, str]]:
    """Runs of equal phases: (first step, one past the last step, phase), steps from 0.

    >>> _stretches(["label", "label", "shortlist"])
    [(0, 2, 'label'), (2, 3, 'shortlist')]
    """
    begins = [place for place, phase in enumerate(phases) if not place or phases[place - 1] != phase]
    return [(a, b, phases[a]) for a, b in zip(begins, [*begins[1:], len(phases)], strict=True)]


def shortlists_figure(
    before: pd.DataFrame, after: pd.DataFrame, *, document: str, rebuild: str, height: int = 760
) -> go.Figure:
    """The negatives of a document before and after a rebuild of the shortlist, by what the classifier thinks of them.

    Parameters
    ----------
    before, after : DataFrames
        A row for each label of the list, nearest first: "name", "probability" by the classifier at the rebuild, "own",
        and "stays": whether it is in the other list, too.
    document : str
    rebuild : str
        Which one, in words.
    height : int
        Pixels.
    """
    figure = make_subplots(cols=2, horizontal_spacing=0.2)
    hard = [_hardness(table) for table in (before, after)]
    for column, (table, title) in enumerate(((before, "before"), (after, "after")), start=1):
        looks = [
            GREEN if own else (SKY if stays else VERMILION if column == 2 else GREY)
            for own, stays in zip(table["own"], table["stays"], strict=True)
        ]
        marks = [
            " ✓" if own else "" if stays else " (new)" if column == 2 else " (goes)"
            for own, stays in zip(table["own"], table["stays"], strict=True)
        ]
        names = [
            f"{escape(short(name, 30), quote=False)}{mark}" for name, mark in zip(table["name"], marks, strict=True)
        ]
        figure.add_bar(
            x=100 * table["probability"], y=list(range(len(table))), orientation="h", marker={"color": looks},
            text=[f"{100 * value:.1f}" for value in table["probability"]], textposition="outside", cliponaxis=False,
            hovertemplate="%{y}: %{x:.2f} %<extra></extra>", showlegend=False, row=1, col=column,
        )  # fmt: skip
        figure.update_yaxes(
            autorange="reversed", tickvals=list(range(len(table))), ticktext=names, tickfont={"size": FONT_SIZE - 2},
            showgrid=False, row=1, col=column,
        )  # fmt: skip
        figure.update_xaxes(title=f"{title} the rebuild: σ(s), per cent", range=[0, 116], row=1, col=column)
    changed = int((~after["stays"]).sum())
    return figure.update_layout(
        title={
            "text": f"{rebuild}: hardness of the shown negatives {f'{hard[0]} → ' if len(before) else ''}"
            f"<b>{hard[1]}</b>, {changed} of {len(after)} new",
            "subtitle": {"text": escape(short(document, 120), quote=False)},
        },
        height=height,
        margin={"t": 90, "b": 70},
    )


def _hardness(table: pd.DataFrame) -> str:
    """The mean probability of the negatives, in per cent."""
    negatives = table["probability"][~table["own"].astype(bool)]
    return f"{100 * negatives.mean():.1f} %" if len(negatives) else "none"
