"""The explorer: runs are picked at the left, and seen at the right in one of seven views."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets as widgets
import pandas as pd

from xmlwb.datasets import Dataset
from xmlwb.explorer.difference_view import DifferenceView
from xmlwb.explorer.figure_views import BinsView, CostView, ParallelView, ParameterView
from xmlwb.explorer.label_view import LabelView
from xmlwb.explorer.run_choice import RunChoice
from xmlwb.explorer.run_source import Folders, Predictions, RunSource
from xmlwb.explorer.setting_text import setting_in_full
from xmlwb.explorer.table_view import TableView
from xmlwb.explorer.view import View
from xmlwb.widgets.clicks import hear_beside_cells

_VIEWS: tuple[type, ...] = (ParameterView, BinsView, CostView, ParallelView, LabelView, DifferenceView, TableView)


class RunExplorer(widgets.Box):
    """Look at the runs of studies from all sides; see `explore`.

    Attributes
    ----------
    source : RunSource
    choice : RunChoice
        The filters; ``choice.controls`` are its widgets.
    views : dict of str to View
        By their titles; each has its ``controls`` and, once it was looked at, its ``figure``.
    """

    def __init__(self, source: RunSource) -> None:
        self.source = source
        self.choice = RunChoice(source.runs, lambda _runs: self._look())
        self.views: dict[str, View] = {}
        for kind in _VIEWS:
            view = kind(source, self._clicked)
            self.views[view.title] = view
        self._tabs = widgets.ToggleButtons(options=list(self.views), style={"button_width": "auto"})
        self._tabs.observe(lambda _: self._look(), names="value")
        hear_beside_cells(self._tabs)
        self._stack = widgets.Stack(list(self.views.values()), selected_index=0)
        self._detail = widgets.HTML()
        self._as_a, self._as_b = (
            widgets.Button(description=f"Compare as {side}", layout={"width": "auto"}) for side in "AB"
        )
        self._picked: int | None = None
        for side, button in (("a", self._as_a), ("b", self._as_b)):
            button.on_click(lambda _button, side=side: self._pick(side))
        self._buttons = widgets.HBox([self._as_a, self._as_b], layout={"display": "none"})
        left = widgets.Box([self.choice], layout={"flex": "0 0 230px", "min_width": "0"})
        right = widgets.VBox(
            [self._tabs, self._stack, self._detail, self._buttons], layout={"flex": "1 1 560px", "min_width": "0"}
        )
        super().__init__([left, right], layout={"flex_flow": "row wrap", "grid_gap": "4px 20px", "width": "100%"})
        self.add_class("xmlwb-explorer")
        self._look()

    def __repr__(self) -> str:
        return f"RunExplorer({len(self.source.runs):,} runs)"

    @property
    def chosen(self) -> pd.DataFrame:
        """The chosen runs, for cells of your own."""
        return self.choice.chosen

    @property
    def view(self) -> View:
        """The view that is open."""
        return self.views[self._tabs.value]

    def see(self, title: str) -> View:
        """Open a view by its title, such as "Cost and quality"; ValueError where there is none."""
        if title not in self.views:
            raise ValueError(f"title: found {title!r}, wanted one of {', '.join(self.views)}")
        self._tabs.value = title
        return self.view

    def _look(self) -> None:
        self._stack.selected_index = list(self.views).index(self._tabs.value)
        self.view.look(self.choice.chosen)

    def _clicked(self, setting: int) -> None:
        self._picked = int(setting)
        runs = self.source.runs[self.source.runs["setting"] == self._picked]
        self._detail.value = setting_in_full(runs)
        self._buttons.layout.display = None

    def _pick(self, side: str) -> None:
        view = self.views[LabelView.title]
        if self._picked is not None and isinstance(view, LabelView):
            view.pick(side, self._picked)


def explore(
    runs: pd.DataFrame | Folders,
    data: Dataset | Mapping[str, Dataset] | None = None,
    *,
    predictions: Predictions | None = None,
) -> RunExplorer:
    """Explore the runs of studies in a notebook or a Voila page.

    Parameters
    ----------
    runs : path-like, list of path-like, or DataFrame
        The folder of a study, several, or a table of runs as `xmlwb.studies.read_runs` returns it.
    data : Dataset, or mapping of name to Dataset, optional
        Data sets of your own, for label names and documents. Others are loaded by their names.
    predictions : callable, optional
        ``predictions(run)`` returns the (m, L) scores of a run, or None; by default those that the folders keep.

    Raises
    ------
    ValueError, FileNotFoundError
        There is no run, or the table lacks a column.

    Examples
    --------
    >>> import pandas as pd
    >>> runs = pd.DataFrame({
    ...     "run": ["a", "b"], "data": "bibtex", "evaluated": "valid", "method": "ova", "label": ["C=1", "C=2"],
    ...     "params": ['{"C": 1}', '{"C": 2}'], "param.C": [1, 2], "seed": 0, "status": "ok", "P@1": [0.6, 0.5],
    ... })
    >>> explorer = explore(runs)
    >>> explorer.view.figure.data[-1].y.tolist()
    [60.0, 50.0]
    """
    return RunExplorer(RunSource(runs, data, predictions))
