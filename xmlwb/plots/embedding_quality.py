"""How good a label's neighbours in an embedding are, setting by setting."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLUE, FONT_SIZE, GREY, ORANGE

#: Colour, symbol, line and meaning of each measure of `xmlwb.lessons.neighbour_quality.NeighbourQuality`.
MEASURES = {
    "held-out": (ORANGE, "diamond", "dash", "strongest neighbours in held-out documents that are found"),
    "facet": (BLUE, "circle", "solid", "nearest neighbours of the same facet"),
}
#: Colours for letters and rings: orange is too pale for them.
_INKS = {BLUE: BLUE, ORANGE: "#8A5F00"}
#: References of both measures that lie this close share one name.
_ALIKE = 0.04


def embedding_quality_figure(
    curves: pd.DataFrame,
    here: Mapping[str, float],
    now: Mapping[str, float],
    references: Mapping[str, Mapping[str, float]],
    names: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> go.Figure:
    """Neighbour quality against each setting, a panel a setting; rings mark the present one.

    Parameters
    ----------
    curves : DataFrame
        "setting", "value", "facet" and "held-out", as fractions: one setting is varied, the others stay.
    here : mapping of setting to its present value
    now : mapping of measure to what the present settings together reach
    references : mapping of name to mapping of measure to value
        Drawn as dotted lines: "chance", "the graph itself".
    names : mapping of setting to str, optional
        What the axes say.
    seconds : float, optional
        What the present embedding took.
    """
    panels = list(dict.fromkeys(curves["setting"]))
    names = names or {}
    figure = make_subplots(cols=len(panels), shared_yaxes=True, horizontal_spacing=0.025)
    for column, setting in enumerate(panels, start=1):
        table = curves[curves["setting"] == setting]
        ticks = [f"{value:g}" for value in table["value"]]
        for measure, (colour, symbol, dash, meaning) in MEASURES.items():
            figure.add_scatter(
                x=ticks,
                y=100 * table[measure],
                mode="lines+markers",
                line={"color": colour, "dash": dash},
                marker={"symbol": symbol, "size": 9},
                name=meaning,
                legendgroup=measure,
                showlegend=column == 1,
                hovertemplate=f"{names.get(setting, setting)} %{{x}}: %{{y:.1f}} %<extra></extra>",
                row=1,
                col=column,
            )
            figure.add_scatter(
                x=[f"{here[setting]:g}"],
                y=[100 * now[measure]],
                mode="markers",
                marker={"symbol": f"{symbol}-open", "size": 19, "color": _INKS[colour], "line": {"width": 3}},
                name="large: as the sliders stand",
                legendgroup="now",
                showlegend=column == 1 and measure == "facet",
                hovertemplate="as the sliders stand: %{y:.1f} %<extra></extra>",
                row=1,
                col=column,
            )
            for name, line in references.items():
                alike = max(line.values()) - min(line.values()) < _ALIKE  # one name for both
                named = column == len(panels) and not (alike and measure == "facet")
                figure.add_hline(
                    y=100 * line[measure],
                    line={"color": colour, "width": 1.5, "dash": "dot"},
                    annotation=_beside(name, GREY if alike else _INKS[colour]) if named else None,
                    row=1,
                    col=column,
                )
        figure.update_xaxes(
            title=names.get(setting, setting), type="category", categoryorder="array", categoryarray=ticks,
            range=[-0.4, len(ticks) - 0.6], row=1, col=column,
        )  # fmt: skip
    top = max(100 * curves[list(MEASURES)].to_numpy().max(), 100 * max(max(r.values()) for r in references.values()))
    figure.update_yaxes(range=[0, min(104, 1.12 * top)])
    figure.update_yaxes(title="per cent, mean over labels", row=1, col=1)
    took = "" if seconds is None else f"; embedded in {seconds:.1f} s"
    title = (
        f"<b>{100 * now['held-out']:.0f} %</b> of the held-out neighbours found, "
        f"<b>{100 * now['facet']:.0f} %</b> of the nearest share the facet{took}"
    )
    return figure.update_layout(
        title={"text": title, "font": {"size": FONT_SIZE + 1}},
        height=450,
        margin={"t": 60, "b": 120, "r": 130},
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom"},
    )


def _beside(name: str, colour: str) -> dict[str, object]:
    """The name of a reference line, at the right of the last panel."""
    font = {"size": FONT_SIZE - 3, "color": colour}
    return {"text": name, "font": font, "xanchor": "left", "x": 1.0, "yanchor": "middle"}
