"""A map that fills in beside the reader, cell by cell: a tab for each thing that is mapped, and a Stop button."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import ipywidgets as widgets
import numpy as np
import plotly.graph_objects as go

from xmlwb.widgets.background_run import BackgroundRun
from xmlwb.widgets.clicks import hear_beside_cells
from xmlwb.widgets.figure import LiveFigure

Cell = Callable[[str, int, int], float]
Draw = Callable[[str, np.ndarray], go.Figure]

_REDRAW_SECONDS = 0.3


class LiveMap(BackgroundRun):
    """Compute one number for each cell of a grid in a thread, and show the grid while it fills in.

    The cell that shows the widget ends at once. The tab that the reader looks at is computed first, coarsely and then
    in between, so that a picture is there early; then the other tabs. The Stop button ends it after the present cell;
    Start goes on where it stopped.

    Parameters
    ----------
    cell : callable
        ``cell(tab, row, column)`` returns the number of one cell. It is called in a thread, one cell at a time.
    draw : callable
        ``draw(tab, values)`` returns the figure of a tab; values has shape ``shape``, NaN where nothing is known yet.
    tabs : sequence of str, or mapping of str to str
        The tabs; a mapping gives each the title that the reader sees.
    shape : (int, int)
        Rows and columns of each tab's grid.
    start : bool, default False
        Begin at once rather than at the press of the button.

    Attributes
    ----------
    values : dict of str to ndarray, shape (rows, columns)
        What is known by now, NaN elsewhere.
    state : {"ready", "running", "stopping", "stopped", "finished", "failed"}
    error : Exception or None
        What a cell raised; it ends the thread.
    views : dict of str to LiveFigure
        Each tab's figure.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> live = LiveMap(lambda tab, r, c: r * c, lambda tab, z: go.Figure(go.Heatmap(z=z)), ["product"], (3, 4))
    >>> live.result(timeout=60)["product"][2].tolist()
    [0.0, 2.0, 4.0, 6.0]
    """

    def __init__(
        self,
        cell: Cell,
        draw: Draw,
        tabs: Sequence[str] | Mapping[str, str],
        shape: tuple[int, int],
        *,
        start: bool = False,
    ) -> None:
        titles = dict(tabs) if isinstance(tabs, Mapping) else {name: name for name in tabs}
        if not titles:
            raise ValueError("tabs: found none, wanted at least one")
        if min(shape) < 1:
            raise ValueError(f"shape: found {shape}, wanted at least one row and one column")
        self._cell, self._draw_figure = cell, draw
        self._order = coarse_to_fine(*shape)
        self._done = dict.fromkeys(titles, 0)
        self.values = {name: np.full(shape, np.nan) for name in titles}
        self._seconds = self._last_draw = 0.0
        self.views = {name: LiveFigure() for name in titles}
        self._tabs = widgets.Tab(children=list(self.views.values()), titles=list(titles.values()))
        # The front end says when the reader opens another tab; a thread must not ask the widget for it.
        self._looked_at = next(iter(titles))
        self._tabs.observe(self._look, names="selected_index")
        hear_beside_cells(self._tabs)
        super().__init__(job="map", step="cell", kept="map")
        self.children = (self._controls, self._tabs)
        self._bar.max = len(titles) * len(self._order)
        self._draw()
        self._show()
        if start:
            self.start()

    # -- what the notebook calls -----------------------------------------------------------------------------------

    def result(self, timeout: float | None = None) -> dict[str, np.ndarray]:
        """Wait as `wait` does, then return the values of each tab."""
        return self.wait(timeout).values

    @property
    def status(self) -> str:
        """How far it is, in one line."""
        if self.state == "ready":
            return "ready; press Start"
        word = "stopping after the present cell" if self.state == "stopping" else self.state
        return f"{word}: {sum(self._done.values()):,} of {self._bar.max:,} cells, {self._seconds:.1f} s"

    # -- what the thread does --------------------------------------------------------------------------------------

    def _work(self) -> bool:
        begin = time.perf_counter() - self._seconds
        for tab, row, column in self._missing():
            if self._stop_asked.is_set():
                break
            value = float(self._cell(tab, row, column))
            with self._lock:
                self.values[tab][row, column] = value
                self._done[tab] += 1
                now = time.perf_counter()
                self._seconds = now - begin
                if now - self._last_draw >= _REDRAW_SECONDS or self._done[tab] == len(self._order):
                    self._redraw(tab)
                    self._show()
        return sum(self._done.values()) == self._bar.max

    def _missing(self) -> Iterator[tuple[str, int, int]]:
        """The next cell of the tab that the reader looks at, or of the first tab that is not full."""
        while True:
            behind = [tab for tab, done in self._done.items() if done < len(self._order)]
            if not behind:
                return
            tab = self._looked_at if self._looked_at in behind else behind[0]
            yield (tab, *self._order[self._done[tab]])

    # -- what the page shows ---------------------------------------------------------------------------------------

    def _look(self, change: dict) -> None:
        if change["new"] is not None:
            self._looked_at = list(self.views)[change["new"]]

    def _draw(self) -> None:
        for tab in self.views:
            self._redraw(tab)

    def _redraw(self, tab: str) -> None:
        self.views[tab].show(self._draw_figure(tab, self.values[tab].copy()))
        self._last_draw = time.perf_counter()

    def _show(self) -> None:
        full = self.state == "finished"
        self._start_button.description = "Start" if self.state in ("ready", "finished") else "Go on"
        self._start_button.disabled = self.running or full
        self._bar.value = sum(self._done.values())
        super()._show()


def coarse_to_fine(rows: int, columns: int) -> list[tuple[int, int]]:
    """All cells of a grid, every fourth row and column first, then every second, then the rest.

    >>> coarse_to_fine(1, 5)
    [(0, 0), (0, 4), (0, 2), (0, 1), (0, 3)]
    """
    order: dict[tuple[int, int], None] = {}
    for step in (4, 2, 1):
        order.update(dict.fromkeys((r, c) for r in range(0, rows, step) for c in range(0, columns, step)))
    return list(order)
