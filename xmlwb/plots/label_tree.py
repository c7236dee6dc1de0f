"""A label tree of real labels as a zoomable sunburst or treemap."""

from __future__ import annotations

from collections.abc import Hashable
from html import escape
from typing import Any, Literal

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from xmlwb.plots.theme import BLUE, FONT_SIZE, INK, PALETTE

_PALE, _OTHERS = "#F2F2F2", "#C8C8C8"
_SCALE = [[0.0, _PALE], [1.0, BLUE]]
_FACETS = 6  # black, the seventh colour, would make greys


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
        "frequency": training positives of a label, the median of those under a node, on a log scale. "purity": the
        share of a node's labels that are of its most common facet. "facet": that facet, paler where its share is small.
    kind : str
        "sunburst", whose outermost ring at first names the most frequent label of its nodes, or "treemap".
    maxdepth : int
        Levels that are shown at once.
    labels_a_node : int
        Most frequent labels of a node that are drawn one by one; the others become one sector, so that trees of
        20,000 labels stay light.
    """
    drawn = _thinned(nodes, labels_a_node)
    trace = go.Sunburst if kind == "sunburst" else go.Treemap
    said_of_colour, marker, dark = _colours(drawn, nodes, colour)
    own = (drawn["labels"] == 1).to_numpy()
    texts = [_hover(row, said) for row, said in zip(drawn.to_dict("records"), said_of_colour, strict=True)]
    shown = [_in_lines(name, single, kind) for name, single in zip(drawn["name"], own, strict=True)]
    if kind == "sunburst":  # the rim of the first view: with a label's own name there is something to recognise
        rim = (~own & (drawn["depth"] == maxdepth - 1) & (drawn["label"] == -1)).to_numpy()
        shown = [
            _with_label(text, of) if at else text for text, of, at in zip(shown, drawn["strongest"], rim, strict=True)
        ]
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
            insidetextfont={"size": FONT_SIZE, "color": ["white" if is_dark else INK for is_dark in dark]},
            **({"insidetextorientation": "auto"} if kind == "sunburst" else {"tiling": {"pad": 2}}),
        )
    )
    if colour == "facet":  # a sunburst has no legend; traces without points have
        for facet, look in [*_facet_looks(nodes).items(), ("other facets", _OTHERS)]:
            figure.add_scatter(
                x=[None], y=[None], mode="markers", name=escape(facet, quote=False),
                marker={"color": look, "symbol": "square", "size": 14},
            )  # fmt: skip
        figure.update_xaxes(visible=False)
        figure.update_yaxes(visible=False)
    return figure.update_layout(
        height=height,
        margin={"t": 30, "b": 10, "l": 10, "r": 10},
        uniformtext={"minsize": FONT_SIZE - 1, "mode": "hide"},
    )


def _hover(row: dict[Hashable, Any], said: str) -> str:
    lines = [f"<b>{escape(row['name'], quote=False)}</b>", f"{row['positives']:,} training positives"]
    if row["labels"] > 1:
        lines[1] += f", {row['typical']:,.0f} of the median label"
        lines.insert(1, f"{row['labels']:,} labels: {escape(row['strongest'], quote=False)}")
    return "<br>".join([*lines, *([said] if said else [])])


def _thinned(nodes: pd.DataFrame, labels_a_node: int) -> pd.DataFrame:
    """Inner nodes, each one's most frequent labels, and one row for the rest of its labels."""
    held = nodes[nodes["positives"] > 0]
    inner, leaves = held[held["label"] < 0], held[held["label"] >= 0]
    leaves = leaves.sort_values(["positives", "label"], ascending=[False, True], kind="stable")
    place = leaves.groupby("parent").cumcount()
    size = leaves.groupby("parent")["label"].transform("size")
    kept = (place < labels_a_node) | (size == labels_a_node + 1)  # a single one left over is drawn, not "1 more"
    groups = leaves[~kept].groupby("parent", sort=False)
    rest = groups.agg(
        positives=("positives", "sum"),
        typical=("positives", "median"),
        labels=("label", "size"),
        depth=("depth", "first"),
        strongest=("name", "first"),
    )
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


def _colours(
    drawn: pd.DataFrame, nodes: pd.DataFrame, colour: str
) -> tuple[list[str], dict[str, object], NDArray[np.bool_]]:
    """What the hover text says of the colour, the trace's marker, and where it is dark."""
    if colour not in ("frequency", "purity", "facet"):
        raise ValueError(f"colour is {colour!r}; wanted 'frequency', 'purity' or 'facet'")
    line = {"width": 1, "color": "white"}
    if colour == "frequency":
        values = np.round(np.log10(np.maximum(drawn["typical"].to_numpy(dtype=float), 1)), 2)
        top = int(np.ceil(max(values.max(), 1)))
        bar = {
            "title": "training positives<br>(of the median label)",
            "tickvals": list(range(top + 1)),
            "ticktext": [f"{10**e:,}" for e in range(top + 1)],
        }
        marker = {"colors": values, "colorscale": _SCALE, "cmin": 0, "cmax": top, "colorbar": bar, "line": line}
        return [""] * len(drawn), marker, values > 0.6 * top
    if nodes["purity"].isna().all():
        raise ValueError(f"colour is {colour!r}, but these labels have no facets; wanted 'frequency'")
    purity = drawn["purity"].to_numpy(dtype=float)
    said = [
        f"{share:.0%} of them are {escape(facet, quote=False)}" if n > 1 and share == share else ""
        for share, facet, n in zip(purity, drawn["facet"], drawn["labels"], strict=True)
    ]
    if colour == "purity":
        values = np.where(np.isnan(purity) | (drawn["labels"] == 1), 0, np.round(100 * purity))  # one alone: no matter
        bar = {"title": "labels of the<br>most common facet, %"}
        marker = {"colors": values, "colorscale": _SCALE, "cmin": 0, "cmax": 100, "colorbar": bar, "line": line}
        return said, marker, values > 60
    looks = _facet_looks(nodes)
    share = np.nan_to_num(purity)
    colours = [_mixed(looks.get(facet, _OTHERS), part) for facet, part in zip(drawn["facet"], share, strict=True)]
    return said, {"colors": colours, "line": line}, (share > 0.7) & drawn["facet"].isin(list(looks)).to_numpy()


def _mixed(colour: str, share: float) -> str:
    """That much of a colour in the pale ground; ``_mixed("#000000", 0.5)`` is half-way to it."""
    pairs = [(int(_PALE[i : i + 2], 16), int(colour[i : i + 2], 16)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(ground + share * (full - ground)):02X}" for ground, full in pairs)


def _in_lines(name: str, single: bool, kind: str) -> str:
    """A name as it is written: the words below each other, except in a treemap's bars of one line."""
    if single:
        return escape(name, quote=False).replace("::", "::<br>")
    return escape(name, quote=False) if kind == "treemap" else escape(name, quote=False).replace(", ", "<br>")


def _with_label(text: str, strongest: str) -> str:
    """The first word of a node, and below it its most frequent label."""
    first = escape(strongest.partition(", ")[0], quote=False).replace("::", "::<br>")
    return "<br>".join([*text.split("<br>")[:1], f"<i>{first}</i>"])


def _facet_looks(nodes: pd.DataFrame) -> dict[str, str]:
    """A colour for each of the facets with the most labels."""
    facets = nodes.loc[(nodes["label"] >= 0) & (nodes["positives"] > 0), "facet"].value_counts()
    return dict(zip(facets.index, PALETTE[:_FACETS], strict=False))


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
