"""A first study of a data set: three cheap methods on validation rows, with a live table and Stop."""

from __future__ import annotations

import os
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any

import ipywidgets as widgets
import pandas as pd

from xmlwb.datasets import Dataset
from xmlwb.studies import DataSource, Study
from xmlwb.widgets.controls import STYLE
from xmlwb.widgets.live_study import LiveStudy
from xmlwb.widgets.messages import error_line, plain_line, warning_line

METHODS = ("popular", "knn", "ova", "parabel")
_SCAN = 5000  # labels up to which one-vs-all is cheap
_ROWS = (1000, 5000, 20_000)


def first_methods(dataset: Dataset) -> tuple[str, ...]:
    """Popular labels, neighbours, and linear classifiers: one for each label, or a tree where there are thousands."""
    return ("popular", "knn", "ova" if dataset.n_labels <= _SCAN else "parabel")


def verdict(runs: pd.DataFrame) -> str:
    """What a first study says, in a sentence: is there anything to be learned from the features?

    Parameters
    ----------
    runs : DataFrame
        Of `Study.run`, with one of the method "popular".

    Examples
    --------
    >>> row = {"status": "ok", "method": "popular", "label": "popular", "P@1": 0.2, "P@1 low": 0.1, "P@1 high": 0.3}
    >>> better = {**row, "method": "ova", "label": "ova", "P@1": 0.7, "P@1 low": 0.6, "P@1 high": 0.8}
    >>> verdict(pd.DataFrame([row, better]))
    'ova is best: P@1 70.0 %, against 20.0 % of always naming the most frequent labels.'
    """
    good = runs[runs["status"] == "ok"] if len(runs) else runs
    floor = good[good["method"] == "popular"] if len(good) else good
    others = good[good["method"] != "popular"] if len(good) else good
    if not len(floor) or not len(others):
        return ""
    best, base = others.loc[others["P@1"].idxmax()], floor.iloc[0]
    figures = f"P@1 {best['P@1']:.1%}, against {base['P@1']:.1%} of always naming the most frequent labels.".replace(
        "%", " %"
    )
    if best["P@1 low"] > base["P@1 high"]:
        return f"{best['label']} is best: {figures}"
    return (
        f"Nothing is clearly better than naming the most frequent labels: {best['label']} has {figures} Either the "
        "features say little about the labels, or the rows of the two do not belong together, or there are too few "
        "validation rows to tell."
    )


class FirstStudy(widgets.VBox):
    """Choose among cheap methods, press Start, watch the table.

    Parameters
    ----------
    dataset : Dataset
    broken : int
        Errors that the data set's files have; the study then waits for a tick that the sound rows will do.
    folder : path-like, optional
        Where the runs are kept; by default a temporary folder, for as long as this object lives.
    n_jobs : int, optional
        As in `Study.run`.
    on_end : callable, optional
        ``on_end(study)`` once runs are there; called from the study's thread.

    Attributes
    ----------
    live : LiveStudy
    controls : dict of str to widget
        "methods", "rows", "sound".
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        broken: int = 0,
        folder: str | os.PathLike | None = None,
        n_jobs: int | None = None,
        on_end: Callable[[FirstStudy], object] | None = None,
    ) -> None:
        self.dataset, self.broken, self._n_jobs, self._on_end = dataset, broken, n_jobs, on_end
        self._scratch = TemporaryDirectory(prefix="xmlwb-own-") if folder is None else None
        self.folder = os.fspath(folder) if folder is not None else str(self._scratch and self._scratch.name)
        self.live: LiveStudy
        n = dataset.n_train
        sizes = [(f"{rows:,}", rows) for rows in _ROWS if rows < n]
        self.controls: dict[str, Any] = {
            "methods": widgets.SelectMultiple(
                options=METHODS, value=first_methods(dataset), rows=4, description="methods", style=STYLE
            ),
            "rows": widgets.Dropdown(
                options=[*sizes, (f"all {n:,}", n)], index=len(sizes), description="training rows", style=STYLE
            ),
            "sound": widgets.Checkbox(
                value=False, indent=False, description="Go on with the rows that are sound", layout={"width": "auto"}
            ),
        }
        self._says = widgets.HTML()
        super().__init__()
        for control in self.controls.values():
            control.observe(lambda _: self._build(), names="value")
        self._build()

    def _build(self) -> None:
        choices: widgets.Widget = widgets.Box(
            [self.controls["methods"], self.controls["rows"]],
            layout={"flex_flow": "row wrap", "grid_gap": "4px 20px", "align_items": "flex-start"},
        )
        if hasattr(self, "live") and self.live.running:
            self._says.value = warning_line("The study is running; stop it before you choose anew.")
            return
        self._says.value = ""
        if self.broken and not self.controls["sound"].value:
            text = f"The files have {self.broken} error(s). Mend them first, or study the rows that could be read."
            self.children = (widgets.HTML(warning_line(text)), self.controls["sound"])
            return
        if not self.controls["methods"].value:
            self.children = (choices, widgets.HTML(warning_line("Choose at least one method.")))
            return
        self.live = _Heard(self.study(), self.folder, self._ended, n_jobs=self._n_jobs)
        shown: tuple[widgets.Widget, ...] = (choices, self.live, self._says)
        self.children = shown

    def study(self) -> Study:
        """The study of the present choices: validation rows are split off the training rows, test labels stay shut."""
        rows = self.controls["rows"].value
        study = Study(self.dataset, list(self.controls["methods"].value), predictions=True, name="first study")
        if rows < self.dataset.n_train:
            study.sources = [DataSource(self.dataset.name, rows=rows, in_memory=True)]
        return study

    def _ended(self) -> None:
        self._says.value = plain_line(verdict(self.live.runs))
        if self._on_end is not None:
            try:
                self._on_end(self)
            except Exception as error:
                self._says.value += error_line(error)


class _Heard(LiveStudy):
    """A live study that says when it has ended with runs."""

    def __init__(self, study: Study, folder: str, ended: Callable[[], None], *, n_jobs: int | None) -> None:
        self._tell = ended
        super().__init__(study, folder, n_jobs=n_jobs)

    def _draw(self) -> None:
        super()._draw()
        if not self.running and len(self.runs):
            self._tell()
