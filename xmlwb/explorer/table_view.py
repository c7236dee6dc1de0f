"""The chosen settings as a table."""

from __future__ import annotations

import ipywidgets as widgets

from xmlwb.explorer.figure_views import figures_of
from xmlwb.explorer.run_source import RunSource
from xmlwb.explorer.setting_text import settings_table
from xmlwb.explorer.view import View, menu
from xmlwb.run_table import costs_of
from xmlwb.widgets.messages import error_line


class TableView(View):
    """Settings by a metric, and what went wrong."""

    title = "Table"

    def __init__(self, source: RunSource, _on_click: object = None) -> None:
        self.text = widgets.HTML()
        controls = {"by": menu("in the order of", [*figures_of(source), *costs_of(source.runs)])}
        super().__init__(source, controls)
        self.children = (self.bar, self.message, self.text)

    def refresh(self) -> None:
        try:
            self.text.value = settings_table(self.runs, self.value("by"))
            self.message.value = ""
        except Exception as error:
            self.message.value = error_line(error)
