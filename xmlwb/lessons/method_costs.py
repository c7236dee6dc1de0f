"""Chapter 08: what every method of the workbench costs and finds, as stored by benchmarks/method_costs.py."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go

from xmlwb.plots.pareto import COSTS, cost_figure, on_front
from xmlwb.widgets import SliderFigure, slider_figure

#: Where the benchmark writes its table; the package carries it.
RESULTS = Path(__file__).with_name("method_costs.csv")
#: What people call the data sets of the table.
TITLES = {
    "debtags": "debtags, 571 labels",
    "debdeps": "debdeps, 21,705 labels",
    "eurlex-4.3k": "EURLEX57K, 4,271 labels",
}
QUALITIES = ("P@1", "P@5", "PSP@1", "PSP@5")
_COMMAND = "python benchmarks/method_costs.py"


def measured_costs(path: str | os.PathLike = RESULTS) -> pd.DataFrame:
    """A row for each data set and method.

    Returns
    -------
    DataFrame
        Columns "data", "method", "family", P@k and PSP@k in per cent, "train s", "model MB", "ms an instance" with all
        cores, and "left out": why a method has no figures, else NaN.

    Raises
    ------
    FileNotFoundError
        Nothing has been measured yet.
    ValueError
        The file is another table.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"path is {str(path)!r}; wanted the table that {_COMMAND} writes")
    table = pd.read_csv(path)
    missing = sorted({"data", "method", "family", *QUALITIES, *COSTS} - set(table))
    if missing:
        raise ValueError(f"{path} has no column {', '.join(missing)}; wanted the table that {_COMMAND} writes")
    return table


def front_table(table: pd.DataFrame, quality: str = "P@1") -> pd.DataFrame:
    """The methods of one data set, best first: their figures, and the costs on whose front each one is.

    Parameters
    ----------
    table : DataFrame
        Rows of `measured_costs`, of one data set.
    """
    rows = table.dropna(subset=[quality]).sort_values(quality, ascending=False).set_index("method")
    fronts = {cost: on_front(rows[cost].to_numpy(), rows[quality].to_numpy()) for cost in COSTS}
    rows["on the front of"] = [
        ", ".join(cost for cost in COSTS if fronts[cost][place]) or "none" for place in range(len(rows))
    ]
    return rows[[*QUALITIES, *COSTS, "on the front of"]]


def cost_explorer(table: pd.DataFrame | None = None) -> SliderFigure:
    """Menus for the data and the quality above the costs of all methods; the Pareto fronts are drawn.

    Parameters
    ----------
    table : DataFrame, optional
        As `measured_costs` returns, which it is otherwise.
    """
    rows = measured_costs() if table is None else table
    names = list(dict.fromkeys(rows["data"]))

    def shown(data: str = names[0], quality: str = "P@1", within: float | None = 12.0) -> go.Figure:
        return cost_figure(rows[rows["data"] == data], quality, within=within, title=TITLES.get(data, data))

    return slider_figure(
        shown,
        data={TITLES.get(name, name): name for name in names},
        quality=list(QUALITIES),
        within={"12 points below the best": 12.0, "the worst": None},
        labels={"quality": "found", "within": "down to"},
        alt="Quality against training seconds, megabytes and milliseconds a prediction, for every method",
    )
