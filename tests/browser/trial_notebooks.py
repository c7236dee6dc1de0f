"""Small notebooks for the browser tests, as lists of code cells."""

from __future__ import annotations

from pathlib import Path

import nbformat

_HERE = Path(__file__).parent

SLIDER = [
    """\
import plotly.graph_objects as go
from xmlwb.widgets import slider_figure

def line(slope=1.0, points=5):
    figure = go.Figure(go.Scatter(y=[slope * x for x in range(points)]))
    return figure.update_layout(title="A line", xaxis_title="x", yaxis_title="y")""",
    """\
drawing = slider_figure(line, slope=(-2.0, 2.0, 0.1), points=(2, 20), units={"slope": "y per x"})
drawing""",
]

# A minute of training, so that there is always a middle to stop it in.
FIT = [
    f"""\
import sys
sys.path.insert(0, {str(_HERE)!r})
from scipy.sparse import eye_array
from trial_model import Sleeper
from xmlwb.widgets import LiveFit, parameter_panel

X = eye_array(10, format="csr", dtype="float32")
live = LiveFit(Sleeper(steps=600, seconds=0.1), X, X, start=True)
live""",
]

# Two tabs of cells that take a tenth of a second each: long enough to look into the other tab, and to stop.
MAP = [
    """\
import time
import numpy as np
import plotly.graph_objects as go
from xmlwb.widgets import LiveMap

def cell(tab, row, column):
    time.sleep(0.1)
    return row + column

def draw(tab, values):
    known = [[None if np.isnan(v) else v for v in row] for row in values]
    return go.Figure(go.Heatmap(z=known, name=tab)).update_layout(title=tab)

live = LiveMap(cell, draw, {"first": "First", "second": "Second"}, (20, 20), start=True)
live""",
]

# Two points that tell what they are when they are clicked on.
POINTS = [
    """\
import ipywidgets as widgets
import plotly.graph_objects as go
from xmlwb.widgets import LiveFigure

points = go.Scatter(x=[0, 1], y=[0, 1], mode="markers", marker={"size": 30}, customdata=["first", "second"])
view = LiveFigure(go.Figure(points))
heard = widgets.Label()
view.on_click(lambda told: setattr(heard, "value", f"{heard.value} {told}"))
widgets.VBox([view, heard])""",
]

PANEL = [
    """\
import ipywidgets as widgets
import numpy as np
from scipy.sparse import random_array
from xmlwb.models import OneVsAll
from xmlwb.widgets import LiveFit, parameter_panel

rng = np.random.default_rng(0)
X = random_array((2000, 500), density=0.02, format="csr", dtype=np.float32, rng=rng)
Y = random_array((2000, 300), density=0.02, format="csr", dtype=np.float32, rng=rng)
Y.data[:] = 1
panel = parameter_panel(OneVsAll, data=(X, Y))
heard = widgets.Label()
panel.controls["threshold"].observe(lambda change: setattr(heard, "value", f"heard {change.new:.3g}"), "value")
widgets.VBox([panel, heard])""",
    "live = LiveFit(panel.model, X, Y, eval_set=(X, Y)); live",
]


def write_notebook(path: Path, cells: list[str]) -> None:
    """Write code cells as a notebook for the interpreter that runs the tests."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)
