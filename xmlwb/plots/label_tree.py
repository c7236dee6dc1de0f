"""A label tree of real labels as a zoomable sunburst or treemap."""

from __future__ import annotations

from html import escape
from typing import Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.theme import BLUE, FONT_SIZE, PALETTE

_SCALE = [[0.0, "#F2F2F2"], [0.35, "#A6CEE3"], [0.7, "#4A97C9"], [1.0, BLUE]]
_OTHERS = "#C8C8C8"


def label_tree_figure(
    nodes: pd.DataFrame,
    *,
    colour: Literal["frequency", "purity", "facet"] = "frequency",
    kind: Literal["sunburst", "treemap"] = "sunburst",
    maxdepth: int = 4,
    labels_a_node: int = 10,
    height: int = 720,
) -> go.Figure:
    """The tree with names; a click on a node makes it the centre, a click on the centre goes back up.

    Parameters
    ----------
    nodes : DataFrame
        From `xmlwb.lessons.label_tree_names.node_table`.
    colour : str
        "frequency": training positives of a label, the mean of those under a node, on a log scale. "purity": the share
        of a node's labels that are of its most common facet. "facet": that facet, where it holds half of the labels.
    kind : str
        "sunburst" or "treemap".
    maxdepth : int
        Levels that are shown at once.
    labels_a_node : int
        Most frequent labels of a node that are drawn one by one; the others become one sector, so that trees of
        20,000 labels stay light.
    """
    drawn = _thinned(nodes, labels_a_node)
    trace = go.Sunburst if kind == "sunburst" else go.Treemap
    colours, marker = _colours(drawn, nodes, colour)
    own = (drawn["labels"] == 1).to_numpy()
    texts = [
        f"<b>{escape(name)}</b><br>"
        + ("" if single else f"{labels:,} labels: {escape(strongest)}<br>")
        + f"{positives:,} training positives"
        + ("" if single else f", {positives / labels:,.0f} a label")
        + f"<br>{said}"
        for name, single, labels, positives, strongest, said in zip(
            drawn["name"], own, drawn["labels"], drawn["positives"], drawn["strongest"], colours, strict=True
        )
    ]
    shown = [escape(name).replace("::", "::<br>") if single else escape(name).replace(", ", "<br>")
             for name, single in zip(drawn["name"], own, strict=True)]  # fmt: skip
    figure = go.Figure(
        trace(
            ids=drawn["id"],
            parents=drawn["above"],
            labels=shown,
            values=drawn["positives"],
            branchvalues="total",
            maxdepth=maxdepth,
            marker=marker,
            hovertext=texts,
            hoverinfo="text",
            insidetextfont={"size": FONT_SIZE},
            **({"insidetextorientation": "auto"} if kind == "sunburst" else {"tiling": {"pad": 2}}),
        )
    )
    return figure.update_layout(
        height=height,
        margin={"t": 30, "b": 10, "l": 10, "r": 10},
        uniformtext={"minsize": FONT_SIZE - 3, "mode": "hide"},
    )


def _thinned(nodes: pd.DataFrame, labels_a_node: int) -> pd.DataFrame:
    """Inner nodes, each one's most frequent labels, and one row for the rest of its labels."""
    held = nodes[nodes["positives"] > 0]
    inner, leaves = held[held["label"] < 0], held[held["label"] >= 0]
    leaves = leaves.sort_values(["positives", "label"], ascending=[False, True], kind="stable")
    place = leaves.groupby("parent").cumcount()
    size = leaves.groupby("parent")["label"].transform("size")
    kept = (place < labels_a_node) | (size == labels_a_node + 1)  # a single one left over is drawn, not "1 more"
    rest = leaves[~kept].groupby("parent", sort=False).agg(
        positives=("positives", "sum"), labels=("label", "size"), depth=("depth", "first"), strongest=("name", "first")
    )  # fmt: skip
    rest = rest.assign(name=[f"{n:,} more labels" for n in rest["labels"]], facet="", purity=np.nan)
    parts = [
        inner.assign(id=inner.index.astype(str), above=inner["parent"].astype(str).where(inner.index != 0, "")),
        leaves[kept].assign(id=leaves[kept].index.astype(str), above=leaves[kept]["parent"].astype(str)),
        rest.assign(
            id=[f"{v} more" for v in rest.index],
            above=rest.index.astype(str),
            strongest="the most frequent is " + rest["strongest"],
        ),
    ]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _colours(drawn: pd.DataFrame, nodes: pd.DataFrame, colour: str) -> tuple[list[str], dict[str, object]]:
    """What the hover text says of the colour, and the trace's marker."""
    line = {"width": 1, "color": "white"}
    if colour == "frequency":
        mean = (drawn["positives"] / drawn["labels"]).to_numpy(dtype=float)
        top = int(np.ceil(np.log10(max(mean.max(), 10))))
        bar = {
            "title": "training positives<br>of a label (mean)",
            "tickvals": list(range(top + 1)),
            "ticktext": [f"{10**e:,}" for e in range(top + 1)],
        }
        values = np.round(np.log10(np.maximum(mean, 1)), 2)
        marker = {"colors": values, "colorscale": _SCALE, "cmin": 0, "cmax": top, "colorbar": bar, "line": line}
        return [""] * len(drawn), marker
    said = [
        f"{purity:.0%} of them are {escape(facet)}" if n > 1 and purity == purity else ""
        for purity, facet, n in zip(drawn["purity"], drawn["facet"], drawn["labels"], strict=True)
    ]
    if colour == "purity":
        values = np.round(100 * drawn["purity"].to_numpy(dtype=float), 0)
        values = np.where(np.isnan(values), 0, values)
        bar = {"title": "labels of the<br>most common facet, %"}
        marker = {"colors": values, "colorscale": _SCALE, "cmin": 0, "cmax": 100, "colorbar": bar, "line": line}
        return said, marker
    if colour == "facet":
        labels = nodes[(nodes["label"] >= 0) & (nodes["positives"] > 0)]
        largest = labels["facet"].value_counts().index[: len(PALETTE)]
        looks = dict(zip(largest, PALETTE, strict=False))
        colours = [
            looks.get(facet, _OTHERS) if purity >= 0.5 else _OTHERS
            for facet, purity in zip(drawn["facet"], drawn["purity"], strict=True)
        ]
        return said, {"colors": colours, "line": line}
    raise ValueError(f"colour is {colour!r}; wanted 'frequency', 'purity' or 'facet'")


def facet_agreement_figure(agreement: pd.DataFrame, group: str = "facet") -> go.Figure:
    """Purity of the nodes by depth, beside shuffled labels; from `xmlwb.lessons.label_tree_names.facet_agreement`."""
    x = [
        f"{depth}<br>{nodes:,} node{'' if nodes == 1 else 's'}"
        for depth, nodes in zip(agreement["depth"], agreement["nodes"], strict=True)
    ]
    figure = go.Figure()
    for name, column, look in (("the tree", "purity", BLUE), ("labels shuffled", "by chance", _OTHERS)):
        figure.add_bar(
            x=x,
            y=100 * agreement[column],
            marker={"color": look},
            text=[f"{100 * value:.0f}" for value in agreement[column]],
            textposition="outside",
            name=name,
        )
    figure.update_xaxes(title="depth (0 is the root)", type="category")
    figure.update_yaxes(title=f"labels of their node's most common {group}, %", range=[0, 105])
    return figure.update_layout(height=420, margin={"t": 30}, legend={"orientation": "h", "y": 1.08})
