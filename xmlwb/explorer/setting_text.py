"""Settings as HTML: tables, and one setting in full."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from xmlwb.run_table import COSTS, bins_of, costs_of, metrics_of, parameters_text, settings_of

_MOST_FAILURES = 20
_WIDE_COLUMNS = ("setting", "run", "error")
_LINE = "padding:2px 8px;border-bottom:1px solid #ddd;vertical-align:top"
_CELL = f'style="text-align:right;{_LINE}"'
_NAME = f'style="text-align:left;min-width:6em;max-width:28em;overflow-wrap:break-word;line-height:1.3;{_LINE}"'


def table_of(rows: Sequence[Sequence[str]], head: Sequence[str], *, names: Sequence[int] = (0,)) -> str:
    """An HTML table; cells are escaped, `names` are the columns of words."""

    def room(cell: str) -> str:
        text = escape(cell)
        return f'<div style="min-width:18em">{text}</div>' if cell in _WIDE_COLUMNS else text

    def line(tag: str, cells: Sequence[str]) -> str:
        made = [f"<{tag} {_NAME if i in names else _CELL}>{room(cell)}</{tag}>" for i, cell in enumerate(cells)]
        return f"<tr>{''.join(made)}</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-variant-numeric:tabular-nums;'
        f'line-height:1.3"><thead>{line("th", head)}</thead><tbody>{body}</tbody></table></div>'
    )


def front_table(front: pd.DataFrame, cost: str, metric: str, most: int = 30) -> str:
    """The settings on the Pareto front, by the numbers of the figure."""
    rows = [
        [str(row["front"]), row["data"], row["label"], figure_text(row[metric], metric), figure_text(row[cost], cost)]
        for _, row in front.head(most).iterrows()
    ]
    more = f"<p>and {len(front) - most} more</p>" if len(front) > most else ""
    return (
        "<b>On the Pareto front</b>"
        + table_of(rows, ["", "data", "setting", f"{metric}, %", cost], names=(1, 2))
        + more
    )


def figure_text(value: float, name: str) -> str:
    """A metric in per cent, a cost in three digits."""
    if value is None or np.isnan(value):
        return "-"
    return f"{value:,.3g}" if name in COSTS else f"{100 * value:.2f}"


def settings_table(runs: pd.DataFrame, by: str, most: int = 100) -> str:
    """The chosen settings, the best by a metric first (the cheapest by a cost), and the runs that failed."""
    metrics, costs = metrics_of(runs), costs_of(runs)
    shown = list(dict.fromkeys([by, *metrics, *costs]))
    settings = settings_of(runs, shown).sort_values(by, ascending=by in COSTS, kind="stable")
    rows = []
    for number, (_, row) in enumerate(settings.head(most).iterrows(), start=1):
        cells = [figure_text(row[name], name) for name in shown]
        rows.append([str(number), row["label"], row["data"], str(row["seeds"]), *cells])
    head = ["", "setting", "data", "seeds", *shown]
    text = table_of(rows, head, names=(1, 2))
    if len(settings) > most:
        text += f"<p>The first {most} of {len(settings):,} settings.</p>"
    failed = runs[runs["status"] != "ok"]
    if len(failed):
        lines = [
            [row["label"], row["data"], str(row["seed"]), row["status"], str(row["error"] or "")]
            for _, row in failed.head(_MOST_FAILURES).iterrows()
        ]
        text += f"<p><b>{len(failed):,} runs failed or were pruned</b></p>"
        text += table_of(lines, ["run", "data", "seed", "status", "error"], names=(0, 1, 3, 4))
        if len(failed) > _MOST_FAILURES:
            text += f"<p>The first {_MOST_FAILURES}.</p>"
    return "<p>Quality in per cent, means over seeds.</p>" + text


def setting_in_full(runs: pd.DataFrame) -> str:
    """One setting: its parameters, and each figure with the range of its seeds.

    Parameters
    ----------
    runs : DataFrame
        The runs of one setting.
    """
    first = runs.iloc[0]
    metrics = metrics_of(runs)
    names = [*metrics, *(f"{m} {b}" for m in metrics for b in bins_of(runs, m)), *costs_of(runs)]
    settings = settings_of(runs, names)
    params = ", ".join(f"{name} = {value}" for name, value in parameters_text(first["params"]).items())
    text = f"<b>{escape(first['label'])}</b> on {escape(first['data'])}, {escape(str(first['evaluated']))} rows"
    text += f"<br>{escape(params)}<br>seeds: {escape(', '.join(str(seed) for seed in runs['seed']))}"
    failed = runs[runs["status"] != "ok"]
    text += "".join(
        f"<br>seed {row['seed']} {row['status']}: {escape(str(row['error']))}" for _, row in failed.iterrows()
    )
    if len(settings):
        row = settings.iloc[0]
        cells = [
            f"{escape(name)} <b>{figure_text(row[name], name)}</b> "
            f"({figure_text(row[f'{name} low'], name)} to {figure_text(row[f'{name} high'], name)})"
            for name in names
        ]
        text += "<br>" + "; ".join(cells)
    return f'<div style="line-height:1.4;border-left:4px solid #0072B2;padding-left:8px">{text}</div>'
