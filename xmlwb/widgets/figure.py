"""A plotly figure in a notebook that changes in place, at the price of one plotly.js a notebook.

Two obvious ways fall short: every `plotly.graph_objects.FigureWidget` sends its own copy of plotly.js (5 MB), and a
figure written into an `ipywidgets.Output` is rebuilt from nothing at each change, so that it flickers under a slider
and forgets the reader's zoom. Here one invisible widget carries plotly.js to the page, and any number of light ones
(a few kB each) redraw with it through ``Plotly.react``, which keeps zoom, camera and hidden legend entries.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import plotly.graph_objects as go
import plotly.offline
import traitlets
from plotly.io.json import to_json_plotly

from xmlwb.widgets.clicks import hear_beside_cells

_HERE = Path(__file__).parent

# plotly.js is written for <script> tags, where it sets window.Plotly; as a module it does the same. The slot is the one
# that live_figure.js makes when a figure comes before its runtime.
_HAND_OVER = """
;
function initialize() {
  if (!globalThis.xmlwbPlotly) {
    const slot = {};
    slot.ready = new Promise((resolve) => { slot.resolve = resolve; });
    globalThis.xmlwbPlotly = slot;
  }
  globalThis.xmlwbPlotly.resolve(globalThis.Plotly);
}
export default { initialize };
"""


class _PlotlyRuntime(anywidget.AnyWidget):
    """Carries plotly.js to the page; never displayed."""

    _esm = traitlets.Unicode().tag(sync=True)

    @traitlets.default("_esm")
    def _plotly_module(self) -> str:
        return plotly.offline.get_plotlyjs() + _HAND_OVER


_runtime: _PlotlyRuntime | None = None


def _ensure_runtime() -> None:
    """Send plotly.js to the page unless it is there already (or its widget was closed, as ``close_all`` does)."""
    global _runtime
    if _runtime is None or _runtime.comm is None:
        _runtime = _PlotlyRuntime()


class LiveFigure(anywidget.AnyWidget):
    """A figure that is redrawn in place by `show`, from any thread.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure, optional
        What to show first.
    alt : str, default ""
        What the figure shows, for readers who cannot see it; the figure's title where nothing is given.

    Examples
    --------
    >>> import plotly.graph_objects as go
    >>> view = LiveFigure(go.Figure(go.Scatter(y=[1, 2])), alt="a rising line")
    >>> view.show(go.Figure(go.Scatter(y=[2, 1])))
    """

    _esm = _HERE / "live_figure.js"

    figure = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    #: What the reader clicked on last: {"customdata": of that point, "count": clicks so far}. Set by the page.
    clicked = traitlets.Dict().tag(sync=True)

    def __init__(self, figure: go.Figure | None = None, *, alt: str = "") -> None:
        _ensure_runtime()
        self._given_alt = alt
        super().__init__()
        if figure is not None:
            self.show(figure)

    def show(self, figure: go.Figure) -> None:
        """Draw another figure in the place of the present one; the reader's zoom stays.

        Raises
        ------
        TypeError
            If it is no plotly figure.
        """
        if not isinstance(figure, go.Figure):
            raise TypeError(f"figure is a {type(figure).__name__}; wanted a plotly.graph_objects.Figure")
        spec = figure.to_dict()
        # plotly.js forgets zoom and hidden legend entries whenever this value changes; a constant keeps them.
        spec["layout"].setdefault("uirevision", "kept")
        self.alt = self._given_alt or figure.layout.title.text or "figure"
        self.figure = str(to_json_plotly(spec))

    def on_click(self, hear: Callable[[Any], object]) -> None:
        """Call ``hear(customdata)`` at each click on a point that carries ``customdata``; also while a cell runs."""
        hear_beside_cells(self)
        self.observe(lambda change: hear(change["new"].get("customdata")), names="clicked")
