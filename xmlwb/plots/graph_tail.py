"""What a label graph knows about rare labels, and what of it reaches the predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, BLUE, FONT_SIZE, GREY, ORANGE

_LOOKS = ((BLUE, "circle"), (ORANGE, "diamond"), (GREY, "square"))


def graph_tail_figure(known: pd.DataFrame, gain: pd.DataFrame, baseline: str, k: int, chance: float) -> go.Figure:
    """Left: what label embeddings know, by label frequency. Right: what predictions gain from it.

    Parameters
    ----------
    known : DataFrame
        "embedding", "bin", "share" (of a label's nearest, the part of its own facet), "low", "high".
    gain : DataFrame
        "model", "bin", "gain" (in recall at k over the baseline), "low", "high"; models are named as the embeddings.
    baseline : str
    k : int
        Predictions of a document that count.
    chance : float
        The share of neighbours drawn at random.
    """
    names = list(dict.fromkeys(known["embedding"]))
    looks = dict(zip(names, _LOOKS, strict=False))
    figure = make_subplots(
        cols=2, horizontal_spacing=0.12,
        subplot_titles=[
            "<b>what the label embeddings know</b>",
            f"<b>what predictions gain</b> over {escape(baseline)}",
        ],
    )  # fmt: skip
    for column, table, of, value in ((1, known, "embedding", "share"), (2, gain, "model", "gain")):
        for name in names:
            rows = table[table[of] == name]
            if not len(rows):
                continue
            colour, symbol = looks[name]
            figure.add_scatter(
                x=rows["bin"].astype(str),
                y=100 * rows[value],
                error_y={
                    "array": 100 * (rows["high"] - rows[value]),
                    "arrayminus": 100 * (rows[value] - rows["low"]),
                    "thickness": 2,
                    "width": 8,
                },
                mode="markers",
                marker={"color": colour, "symbol": symbol, "size": 12},
                cliponaxis=False,
                name=escape(name),
                legendgroup=name,
                showlegend=column == 1,
                hovertemplate="%{x}: %{y:.1f}<extra>" + escape(name) + "</extra>",
                row=1,
                col=column,
            )
    figure.add_hline(
        y=100 * chance, line={"color": BLACK, "width": 1.5, "dash": "dot"}, row=1, col=1,
        annotation={"text": "chance", "xanchor": "center", "x": 0.67, "yanchor": "bottom"},
    )  # fmt: skip
    figure.add_hline(y=0, line={"color": BLACK, "width": 1.5}, row=1, col=2)
    figure.update_yaxes(title="10 nearest of the same facet, per cent", rangemode="tozero", row=1, col=1)
    reach = max(2.0, 1.15 * 100 * float(gain[["low", "high"]].abs().to_numpy().max()))
    figure.update_yaxes(title=f"recall@{k}, percentage points", range=[-reach, reach], row=1, col=2)
    order = list(dict.fromkeys(known["bin"].astype(str)))
    figure.update_xaxes(categoryorder="array", categoryarray=order, range=[-0.5, len(order) - 0.5])
    figure.update_xaxes(title="labels by frequency, a third of the 1s each")
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        scattermode="group", scattergap=0.5, height=470, margin={"t": 50, "b": 110},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
    )  # fmt: skip


def seeds_table(table: pd.DataFrame, metrics: Sequence[str], names: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Mean and standard deviation over seeds, "61.2 ± 0.3" in per cent: a row a model, a column a metric.

    Parameters
    ----------
    table : DataFrame
        "model", "seed" and the metrics, as fractions.
    metrics : sequence of str
    names : mapping of metric to what the column says, optional

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({"model": ["a", "a"], "seed": [0, 1], "P@1": [0.5, 0.52]})
    >>> seeds_table(runs, ["P@1"]).loc["a", "P@1"]
    '51.0 ± 1.4'
    """
    names = names or {}
    grouped = table.groupby("model", sort=False)
    mean, spread = grouped[list(metrics)].mean(), grouped[list(metrics)].std()
    shown = {
        names.get(metric, metric): [
            f"{100 * m:.1f}" + ("" if pd.isna(s) else f" ± {100 * s:.1f}")
            for m, s in zip(mean[metric], spread[metric], strict=True)
        ]
        for metric in metrics
    }
    return pd.DataFrame(shown, index=mean.index)
