"""A menu of settings: the best ones of the chosen runs, by name."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets
import pandas as pd

from xmlwb.run_table import settings_of
from xmlwb.widgets.controls import STYLE

_MOST = 300


class SettingMenu(widgets.Dropdown):
    """Settings of one data set, the best by a metric first; its value is the setting's number."""

    value: Any

    def __init__(self, label: str) -> None:
        super().__init__(
            description=label, options=[("-", None)], style=STYLE, layout={"width": "auto", "max_width": "100%"}
        )

    def offer(self, runs: pd.DataFrame, metric: str, *, prefer: int | None = None) -> None:
        """Offer the settings of these runs; the present one stays if it is still among them."""
        ranked = settings_of(runs, [metric]).sort_values(metric, ascending=False, kind="stable")
        present: Any = self.value
        kept = present if present in set(ranked["setting"]) else prefer
        shown = ranked.head(_MOST)
        if kept is not None and kept not in set(shown["setting"]):
            shown = pd.concat([shown, ranked[ranked["setting"] == kept]])
        options: list[tuple[str, int | None]] = [
            (f"{row['label']} on {row['data']} ({metric} {100 * row[metric]:.1f} %)", int(row["setting"]))
            for _, row in shown.iterrows()
        ]
        self.options = options or [("-", None)]
        values = [value for _, value in self.options]
        self.value = kept if kept in values else values[0]


def by_method(runs: pd.DataFrame, metric: str) -> list[int]:
    """The best setting of each method, the best of them first."""
    ranked = settings_of(runs, [metric]).sort_values(metric, ascending=False, kind="stable")
    return [int(setting) for setting in ranked.drop_duplicates("method")["setting"]]
