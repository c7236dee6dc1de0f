"""Run A against run B, label by label, down to the documents behind one label."""

from __future__ import annotations

from html import escape
from typing import Any

import ipywidgets as widgets
import pandas as pd
import plotly.graph_objects as go

from xmlwb.explorer.document_text import documents_html
from xmlwb.explorer.run_source import Instances, RunSource
from xmlwb.explorer.setting_menu import SettingMenu, by_method
from xmlwb.explorer.view import View, menu
from xmlwb.label_gains import documents_of, label_gains
from xmlwb.plots.label_gains import gain_by_frequency_figure, label_gains_figure
from xmlwb.plots.run_panels import note
from xmlwb.run_table import metrics_of
from xmlwb.widgets.messages import error_line, plain_line

_VIEWS = {"bars: the labels that change most": "bars", "all labels by frequency": "frequency"}


class LabelView(View):
    """Gains and losses of A over B by label name, and the documents of the label that is clicked on.

    Attributes
    ----------
    gains : DataFrame or None
        As `xmlwb.label_gains.label_gains`.
    documents : DataFrame or None
        As `xmlwb.label_gains.documents_of`, of the label that is shown.
    """

    title = "Labels"

    def __init__(self, source: RunSource, _on_click: object = None) -> None:
        self.gains: pd.DataFrame | None = None
        self.documents: pd.DataFrame | None = None
        self._pair: tuple[int, int, int] | None = None
        self._held: tuple[Instances, list[Any], list[Any]] | None = None
        controls = {
            "data": menu("data", list(dict.fromkeys(source.runs["data"]))),
            "a": SettingMenu("A"),
            "b": SettingMenu("B"),
            "k": menu("first", [(f"{k} labels", k) for k in (1, 3, 5)], 5),
            "view": menu("show", _VIEWS),
        }
        self._label = widgets.Combobox(
            description="label", placeholder="click on one above, or write its name", continuous_update=False,
            style={"description_width": "initial"}, layout={"width": "min(480px, 95%)"},
        )  # fmt: skip
        self._who = widgets.Dropdown(options=["all"], description="documents", style={"description_width": "initial"})
        self.text = widgets.HTML()
        self._label.observe(lambda _: self._show_documents(), names="value")
        self._who.observe(lambda _: self._write_documents(), names="value")
        row = widgets.Box([self._label, self._who], layout={"flex_flow": "row wrap", "grid_gap": "2px 16px"})
        self._offering, self._offered = False, None
        super().__init__(source, controls, below=(row, self.text))
        self.live.on_click(self._clicked)

    def pick(self, side: str, setting: int) -> None:
        """Make a setting A or B ("a", "b")."""
        data = self.source.runs_of(setting)["data"]
        if data.empty:
            return
        self._offering = True
        self.controls["data"].value = data.iloc[0]
        self._offer(self.runs)
        self.controls[side].offer(
            self.source.runs[self.source.runs["data"] == data.iloc[0]], self._metric, prefer=setting
        )
        self.controls[side].value = setting
        self._offering = False
        self._stale = True

    @property
    def _metric(self) -> str:
        return metrics_of(self.source.runs)[0]

    def _offer(self, runs: pd.DataFrame) -> None:
        was, self._offering = self._offering, True
        self._offered = runs
        inside = runs[runs["data"] == self.value("data")]
        if inside.empty and len(runs):
            self.controls["data"].value = runs["data"].iloc[0]
            inside = runs[runs["data"] == self.value("data")]
        best = by_method(inside, self._metric)
        self.controls["a"].offer(inside, self._metric, prefer=best[0] if best else None)
        self.controls["b"].offer(inside, self._metric, prefer=best[1] if len(best) > 1 else None)
        self._offering = was

    def _control_moved(self, change: Any) -> None:
        if self._offering:
            return
        if change["owner"] is self.controls["data"]:
            self._offer(self.runs)
        self.refresh()

    def draw(self) -> go.Figure:
        if self._offered is not self.runs:
            self._offer(self.runs)
        a, b, k = self.value("a"), self.value("b"), self.value("k")
        if a is None or b is None:
            return note(go.Figure(), "choose two settings, A and B")
        if (a, b, k) != self._pair:
            self.message.value = plain_line("reading the predictions and the data set ...")
            self._contrast(a, b, k)
        if self._held is None or self.gains is None:
            return note(go.Figure(), "these runs kept no predictions, so that nothing is known of single labels")
        draw = label_gains_figure if self.value("view") == "bars" else gain_by_frequency_figure
        return draw(self.gains)

    def _contrast(self, a: int, b: int, k: int) -> None:
        self._pair, self._held, self.gains, self.documents = None, None, None, None
        of_a, of_b = self.source.predictions_of_setting(a), self.source.predictions_of_setting(b)
        seeds = [seed for seed in of_a if seed in of_b]
        pairs = [(of_a[s], of_b[s]) for s in seeds] or list(zip(of_a.values(), of_b.values(), strict=False))
        if pairs:
            instances = self.source.instances_of(self.source.runs_of(a).iloc[0])
            found_a, found_b = [p[0] for p in pairs], [p[1] for p in pairs]
            names = instances.dataset.label_names
            self.gains = label_gains(instances.Y_train, instances.Y, found_a, found_b, names, k=k)
            self._held = (instances, found_a, found_b)
            changed = self.gains.reindex(self.gains["gain"].abs().sort_values(ascending=False, kind="stable").index)
            self._label.options = [str(name) for name in changed["label"].head(1000)]
        self._pair = (a, b, k)
        self._show_documents()

    def _clicked(self, index: Any) -> None:
        if self._held is not None:
            self._label.value = str(self._held[0].dataset.label_names[int(index)])

    def _show_documents(self) -> None:
        self.documents, name = None, self._label.value
        if self._held is None or not name:
            self.text.value = ""
            return
        instances, found_a, found_b = self._held
        try:
            label = instances.dataset.label_names.index(name)
        except ValueError:
            self.text.value = plain_line(f"no label is called {name}")
            return
        try:
            self.documents = documents_of(instances.Y, found_a[0], found_b[0], label, k=self.value("k"))
        except Exception as error:
            self.text.value = error_line(error)
            return
        counts = self.documents["who"].value_counts(sort=False)
        self._who.options = [("all", "all"), *((f"{who}: {n}", who) for who, n in counts.items())]
        self._write_documents()

    def _write_documents(self) -> None:
        if self.documents is None or self._held is None:
            return
        who = self._who.value
        rows = self.documents if who in (None, "all") else self.documents[self.documents["who"] == who]
        instances, found_a, found_b = self._held
        seeds = " (the first seed of each)" if len(found_a) > 1 else ""
        head = f"<p>Documents behind <b>{escape(self._label.value)}</b>{seeds}</p>"
        self.text.value = head + documents_html(rows, instances, found_a[0], found_b[0], k=self.value("k"))
