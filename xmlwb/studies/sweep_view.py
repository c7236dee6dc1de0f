"""A study in a terminal: a line for each run that ends, a bar with the time left, and a table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from xmlwb.studies.forecast import Forecast, in_time
from xmlwb.studies.running import StudyEvent
from xmlwb.studies.runs import FAILED, METRICS, OK, PRUNED

if TYPE_CHECKING:
    from rich.progress import TaskID

_SHOWN_METRICS = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@1", "PSP@5", "coverage@5")


class SweepView:
    """A callback of `Study.run` that prints; used as a context.

    Parameters
    ----------
    console : rich.console.Console
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, TextColumn("{task.fields[left]}"), console=console, transient=True)
        self._task: TaskID = self._bar.add_task("loading data", total=None, left="")
        self._under_way: list[str] = []

    def __enter__(self) -> SweepView:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, event: StudyEvent) -> None:
        """Show an event."""
        name = f"{event.data} {event.label} seed {event.seed}"
        if event.kind == "begin":
            held = f", {event.done} of them done already" if event.done else ""
            self._console.print(f"{event.total} runs{held}", highlight=False)
        elif event.kind == "start":
            self._under_way.append(name)
        elif event.row is not None:
            if name in self._under_way:
                self._under_way.remove(name)
            line = f"{event.done}/{event.total} {name}: {outcome(event.row)}"
            self._console.print(line, highlight=False, markup=False, style="red" if _failed(event) else None)
        left = "" if pd.isna(event.remaining) else f"{in_time(event.remaining)} left"
        what = ", ".join(self._under_way[:2]) or "starting"
        self._bar.update(self._task, total=event.total, completed=event.done, description=what, left=left)


def outcome(row: Mapping[str, Any]) -> str:
    """How a run ended, in a few words."""
    if row["status"] == FAILED:
        return f"failed: {row.get('error')}"
    if row["status"] == PRUNED:
        return f"given up, train {row['train s']:.3g} s"
    quality = ", ".join(f"{m} {100 * row[m]:.2f}" for m in ("P@1", "P@5", "PSP@5") if pd.notna(row.get(m)))
    return f"{quality}, train {row['train s']:.3g} s"


def print_forecast(console: Console, found: Forecast) -> None:
    """The forecast's table and its sum; a warning where memory is short."""
    table = Table(box=None, header_style="bold", padding=(0, 1))
    for column in ("data", "model", "runs", "s a run", "MB a run", "based on"):
        table.add_column(column, justify="left" if column in ("data", "model", "based on") else "right")
    for _, row in found.table.iterrows():
        cells = (str(row["runs"]), f"{row['s a run']:.3g}", f"{row['MB a run']:,.0f}")
        table.add_row(str(row["data"]), str(row["model"]), *cells, str(row["based on"]))
    if len(found.table):
        console.print(table)
    console.print(f"Forecast: {found}", highlight=False)
    if found.memory > found.free:
        console.print("warning: that is more memory than is free; try fewer --jobs", style="bold yellow")


def print_summary(console: Console, runs: pd.DataFrame, most: int = 30) -> None:
    """Means over seeds, best first by P@5, a table for each data set; then what failed."""
    good = runs[runs["status"] == OK]
    for (data, evaluated), rows in good.groupby(["data", "evaluated"], sort=False):
        shown = [metric for metric in _SHOWN_METRICS if rows[metric].notna().any()]
        grouped = rows.groupby("label", sort=False)
        means = grouped[[*shown, "train s", "ms per instance", "model MB"]].mean()
        means.insert(0, "seeds", grouped.size())
        means = means.sort_values(shown[-1] if "P@5" not in shown else "P@5", ascending=False, kind="stable")
        where = "validation rows" if evaluated == "valid" else "test rows"
        table = Table(title=f"{data}, {where}, quality in per cent", title_justify="left", box=None, padding=(0, 1))
        table.add_column("run", no_wrap=True)
        for column in means:
            table.add_column(str(column), justify="right")
        for label, row in means.head(most).iterrows():
            cells = [f"{100 * row[c]:.2f}" if c in METRICS else f"{row[c]:.3g}" for c in means]
            table.add_row(str(label), *cells)
        console.print(table)
        if len(means) > most:
            console.print(f"... and {len(means) - most} more", style="dim")
    counts = runs["status"].value_counts()
    console.print(", ".join(f"{n} {status}" for status, n in counts.items()), highlight=False)


def _failed(event: StudyEvent) -> bool:
    return event.row is not None and event.row["status"] == FAILED
