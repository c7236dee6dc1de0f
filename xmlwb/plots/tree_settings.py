"""PfastreXML's two changes to FastXML, apart and together, and what its alpha trades."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from xmlwb.plots.theme import BLACK, FONT_SIZE, model_styles


def factors_figure(table: pd.DataFrame) -> go.Figure:
    """PfastreXML's two changes alone and together: P@1 and PSP@1 of the four models, in per cent.

    Parameters
    ----------
    table : DataFrame
        From `xmlwb.lessons.tree_race.propensity_and_reranker`.
    """
    styles = model_styles(["FastXML", "PfastreXML"])
    looks = {"count": styles["FastXML"], "propensity": styles["PfastreXML"]}
    names = {"count": "each right label counts 1", "propensity": "each counts 1 / propensity"}
    figure = make_subplots(cols=2, subplot_titles=["<b>P@1</b>", "<b>PSP@1</b>"], horizontal_spacing=0.13)
    # one scale for both panels: a tenth of a point must not look like six
    reach = 0.75 * max(100 * (table[metric].max() - table[metric].min()) for metric in ("P@1", "PSP@1"))
    reach = max(reach, 1.0)
    for column, metric in enumerate(("P@1", "PSP@1"), start=1):
        above = table.groupby("trees by")[metric].mean().idxmax()
        for grown, style in looks.items():
            rows = table[table["trees by"] == grown].sort_values("re-ranker")
            figure.add_scatter(
                x=["trees alone", "with re-ranker"],
                y=100 * rows[metric],
                mode="lines+markers+text",
                text=[f"{100 * value:.1f}" for value in rows[metric]],
                textposition="top center" if grown == above else "bottom center",
                line={"color": style.colour, "dash": "solid" if grown == "count" else "dash"},
                marker={"size": 12, "symbol": style.symbol},
                cliponaxis=False,
                name=f"trees: {names[grown]}",
                legendgroup=grown,
                showlegend=column == 1,
                hovertemplate="%{x}: %{y:.1f} %<extra></extra>",
                row=1,
                col=column,
            )
        middle = 50 * (table[metric].max() + table[metric].min())
        figure.update_yaxes(title=f"{metric}, per cent", range=[middle - reach, middle + reach], row=1, col=column)
    figure.update_xaxes(range=[-0.35, 1.35])
    figure.update_annotations(font_size=FONT_SIZE + 1)
    return figure.update_layout(
        height=420, margin={"t": 50, "b": 90}, legend={"orientation": "h", "y": -0.18, "yanchor": "top"}
    )


def trade_off_figure(
    curve: pd.DataFrame, at: float, others: Mapping[str, tuple[float, float]] | None = None, *, setting: str = "alpha"
) -> go.Figure:
    """Left: P@1 and PSP@1 against a setting. Right: the path that the two make, beside other models.

    Parameters
    ----------
    curve : DataFrame
        From `xmlwb.lessons.tree_race.setting_curve`.
    at : float
        The value that is marked; the nearest one of the curve.
    others : mapping of model to (P@1, PSP@1), optional
        As fractions, on the same documents.
    setting : str
        The curve's column.
    """
    others = others or {}
    style = model_styles(["PfastreXML"])["PfastreXML"]
    here = curve.iloc[int((curve[setting] - at).abs().argmin())]
    figure = make_subplots(
        cols=2,
        column_widths=[0.46, 0.54],
        horizontal_spacing=0.12,
        subplot_titles=[
            f"<b>{setting} = {here[setting]:g}</b>: P@1 {100 * here['P@1']:.1f} %, PSP@1 {100 * here['PSP@1']:.1f} %",
            "what one costs the other",
        ],
    )
    for metric, dash, symbol in (("P@1", "solid", "circle"), ("PSP@1", "dash", "square")):
        figure.add_scatter(
            x=curve[setting],
            y=100 * curve[metric],
            mode="lines+markers",
            line={"color": style.colour, "dash": dash},
            marker={"symbol": symbol, "size": 8},
            name=metric,
            hovertemplate=f"{setting} %{{x:.2f}}: %{{y:.1f}} %<extra>{metric}</extra>",
            row=1,
            col=1,
        )
    figure.add_vline(x=here[setting], line={"color": BLACK, "width": 2, "dash": "dot"}, row=1, col=1)
    figure.add_scatter(
        x=100 * curve["P@1"],
        y=100 * curve["PSP@1"],
        mode="lines+markers",
        line={"color": style.colour},
        marker={"symbol": style.symbol, "size": 7},
        text=[f"{setting} {value:.2f}" for value in curve[setting]],
        hovertemplate="%{text}: P@1 %{x:.1f} %, PSP@1 %{y:.1f} %<extra></extra>",
        showlegend=False,
        row=1,
        col=2,
    )
    figure.add_scatter(
        x=[100 * here["P@1"]],
        y=[100 * here["PSP@1"]],
        mode="markers",
        marker={"symbol": "circle-open", "size": 20, "color": BLACK, "line": {"width": 4}},
        name=f"{setting} = {here[setting]:g}",
        hoverinfo="skip",
        row=1,
        col=2,
    )
    ends = curve.sort_values(setting).iloc[[0, -1]]
    for _, end in ends.iterrows():
        figure.add_annotation(
            x=100 * end["P@1"], y=100 * end["PSP@1"], text=f"{setting} {end[setting]:g}", showarrow=False,
            yshift=-16, xref="x2", yref="y2",
        )  # fmt: skip
    _add_models(figure, others)
    figure.update_xaxes(title=setting, row=1, col=1)
    figure.update_xaxes(title="P@1, per cent", row=1, col=2)
    figure.update_yaxes(title="per cent", row=1, col=1)
    figure.update_yaxes(title="PSP@1, per cent", row=1, col=2)
    figure.update_annotations(font_size=FONT_SIZE)
    return figure.update_layout(
        height=470, margin={"t": 50, "b": 110}, legend={"orientation": "h", "y": -0.22, "yanchor": "top"}
    )


def _add_models(figure: go.Figure, others: Mapping[str, tuple[float, float]]) -> None:
    for model, look in model_styles(["PfastreXML", *others]).items():
        if model in others:
            figure.add_scatter(
                x=[100 * others[model][0]],
                y=[100 * others[model][1]],
                mode="markers",
                marker={"color": look.colour, "symbol": look.symbol, "size": 13},
                name=escape(model),
                hovertemplate="P@1 %{x:.1f} %, PSP@1 %{y:.1f} %<extra>" + escape(model) + "</extra>",
                row=1,
                col=2,
            )
