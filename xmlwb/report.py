"""A comparison as one self-contained web page: table, plots, data card, and how it was made.

plotly.js stands in the page once, so that it opens with no network, in any browser, years later.
"""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from markdown_it import MarkdownIt
from plotly.offline import get_plotlyjs
from plotly.subplots import make_subplots

from xmlwb.plots import tail_figures
from xmlwb.plots.theme import model_styles
from xmlwb.tails import tail_views

if TYPE_CHECKING:
    import pandas as pd

    from xmlwb.comparison import Comparison

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #222; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
pre { background: #f5f5f5; padding: .6rem .8rem; overflow-x: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
#results th { cursor: pointer; vertical-align: bottom; }
#results th:hover { background: #eef; }
td small { display: block; color: #666; white-space: nowrap; }
td.best { font-weight: 600; } td.best small { font-weight: 400; }
dt { font-weight: 600; } dd { margin: 0 0 .4rem 1.5rem; overflow-wrap: anywhere; }
.note { color: #555; }
"""

_SORT = """
for (const [column, head] of document.querySelectorAll("#results th").entries()) {
  let down = column > 0;
  head.addEventListener("click", () => {
    const body = document.querySelector("#results tbody");
    const key = row => row.cells[column].dataset.value ?? row.cells[column].textContent;
    const order = (a, b) => column ? key(a) - key(b) : key(a).localeCompare(key(b));
    body.append(...[...body.rows].sort((a, b) => down ? order(b, a) : order(a, b)));
    down = !down;
  });
}
"""

_COLUMNS_NOTE = """Quality in per cent; the best of each column is bold. Train s: wall-clock time of the fit. Ms per
instance: predicting the whole test set, median of three. Model MB: the fitted arrays. Peak RSS MB: largest resident
memory of the process and its children during fit and predict, sampled, with Python, the data and what earlier models
left in it. Click a heading to sort."""


def comparison_page(comparison: Comparison) -> str:
    """The page, as HTML text of about 5 MB (plotly.js)."""
    dataset = comparison.dataset
    views = tail_views(
        dataset.Y_train, dataset.Y_test, comparison.predictions, k=comparison.k, groups=comparison.groups
    )
    intervals = comparison.about.get("intervals", "95 % bootstrap")
    body = [
        f"<h1>{len(comparison.table)} models on {html.escape(dataset.name)}</h1>",
        f"<p>{dataset.n_train:,} training and {dataset.X_test.shape[0]:,} test instances, "
        f"{dataset.n_features:,} features, {dataset.n_labels:,} labels.</p>",
        f"<pre>{html.escape(comparison.about['command'])}</pre>" if "command" in comparison.about else "",
        "<h2>Results</h2>",
        _results_table(comparison),
        *(f"<p><b>{html.escape(name)} failed:</b> {html.escape(why)}</p>" for name, why in comparison.failures.items()),
        f'<p class="note">{_COLUMNS_NOTE} Intervals: {html.escape(intervals)}.</p>',
        "<h2>How sure are the figures?</h2>",
        _plot(interval_figure(comparison.intervals)),
        "<h2>What does quality cost?</h2>",
        _plot(cost_figure(comparison.table)),
        "<h2>Head and tail</h2>",
        *map(_plot, tail_figures(views)),
        MarkdownIt("js-default").render(dataset.card.to_markdown()),
        "<h2>Made with</h2>",
        "<dl>",
        *(f"<dt>{html.escape(key)}</dt><dd>{html.escape(value)}</dd>" for key, value in comparison.about.items()),
        "</dl>",
    ]
    return _page(f"xmlwb: {dataset.name}", body)


def interval_figure(intervals: pd.DataFrame) -> go.Figure:
    """Every metric's value and interval, one row of dots a model, one panel a family of metrics.

    Parameters
    ----------
    intervals : DataFrame
        As in `Comparison.intervals`.
    """
    families = list(dict.fromkeys(metric.split("@")[0] for metric in intervals["metric"]))
    figure = make_subplots(1, len(families), subplot_titles=families, horizontal_spacing=0.1)
    styles = model_styles(dict.fromkeys(intervals["model"]))
    for column, family in enumerate(families, start=1):
        for model, style in styles.items():
            rows = intervals[(intervals["model"] == model) & intervals["metric"].str.startswith(f"{family}@")]
            trace = go.Scatter(
                x=100 * rows["value"],
                y=rows["metric"],
                error_x={
                    "array": 100 * (rows["high"] - rows["value"]),
                    "arrayminus": 100 * (rows["value"] - rows["low"]),
                    "thickness": 2,
                },
                name=model,
                legendgroup=model,
                showlegend=column == 1,
                mode="markers",
                marker={"size": 7, "color": style.colour, "symbol": style.symbol},
                hovertemplate="%{y} %{x:.2f} %<extra>" + html.escape(model) + "</extra>",
            )
            figure.add_trace(trace, row=1, col=column)
        figure.update_yaxes(autorange="reversed", row=1, col=column)
        figure.update_xaxes(title_text="per cent", row=1, col=column)
    return figure.update_layout(height=360, margin={"t": 40}, legend={"orientation": "h", "y": -0.25})


def cost_figure(table: pd.DataFrame) -> go.Figure:
    """The first metric of the table against training time (log axis); the area of a dot is the model's size."""
    metric = table.columns[0]
    sizes = table["model MB"].clip(lower=1e-3)
    figure = go.Figure()
    for model, style in model_styles(table.index).items():
        row = table.loc[model]
        figure.add_scatter(
            x=[row["train s"]],
            y=[100 * row[metric]],
            mode="markers+text",
            text=[model],
            textposition="top center",
            marker={"size": float(10 + 40 * (sizes[model] / sizes.max()) ** 0.5), "color": style.colour},
            hovertemplate=f"{html.escape(str(model))}<br>%{{x:.3g}} s, {metric} %{{y:.2f}} %, "
            f"{row['model MB']:.3g} MB<extra></extra>",
            showlegend=False,
        )
    figure.update_xaxes(title_text="training time, seconds (log scale)", type="log")
    figure.update_yaxes(title_text=f"{metric}, per cent", range=[0, 110 * table[metric].max() + 5])
    return figure.update_layout(height=420, margin={"t": 20})


def _results_table(comparison: Comparison) -> str:
    table, bounds = comparison.table, comparison.intervals.set_index(["model", "metric"])
    head = "".join(f"<th>{html.escape(column)}</th>" for column in ["model", *table.columns])
    rows = []
    for model in table.index:
        cells = [f"<td>{html.escape(str(model))}</td>"]
        for column in table.columns:
            value = table.loc[model, column]
            if column in comparison.metrics:
                low, high = bounds.loc[(model, column), ["low", "high"]]
                best = ' class="best"' if value == table[column].max() else ""
                shown = f"{100 * value:.2f}<small>{100 * low:.1f}\u2013{100 * high:.1f}</small>"
            else:
                best, shown = "", f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
            cells.append(f'<td data-value="{value:.9g}"{best}>{shown}</td>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return (
        f'<div class="wide"><table id="results"><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _plot(figure: go.Figure) -> str:
    config = {"displaylogo": False, "responsive": True}
    return figure.to_html(full_html=False, include_plotlyjs=False, config=config)


def _page(title: str, body: Iterable[str]) -> str:
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>",
            f"<script>{get_plotlyjs()}</script>\n</head>\n<body>",
            *body,
            f"<script>{_SORT}</script>\n</body>\n</html>\n",
        ]
    )
