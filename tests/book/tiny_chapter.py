"""A chapter that runs in a moment and has one of everything: prose, formula, figure, slider, question, exercise."""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

OPENING = r"""# 02 · A tiny chapter

**After this chapter you can** turn a page.

**Time** about 5 minutes.

$$\min_w \; \lVert X w - y \rVert^2$$"""
IMPORTS = """import numpy as np
import plotly.graph_objects as go

from xmlwb.lessons import check, quiz
from xmlwb.models import Popular
from xmlwb.widgets import LiveFit, slider_figure"""
STUB = '''def precision(relevant, ranked, k):
    """P@k of one document: `relevant` is a set of labels, `ranked` a list of labels, best first."""
    ...  # your turn'''
SOLUTION = '''def precision(relevant, ranked, k):
    """P@k of one document: `relevant` is a set of labels, `ranked` a list of labels, best first."""
    return sum(label in relevant for label in ranked[:k]) / k'''
FIGURE = """go.Figure(
    go.Scatter(y=[1, 2]),
    frames=[go.Frame(name=str(k), data=[go.Scatter(y=[k, 2])]) for k in range(3)],
    layout={
        "title": "A figure with frames",
        "sliders": [{"steps": [
            {"method": "animate", "label": str(k), "args": [[str(k)], {"mode": "immediate"}]} for k in range(3)
        ]}],
    },
)"""
SLIDER = """def line(slope=2.0):
    return go.Figure(go.Scatter(y=[0.0, slope]), layout={"title": f"slope {slope:g}"})


slider_figure(line, slope=(-4.0, 4.0, 1.0), alt="a line")"""
LIVE = """X = np.eye(4, dtype=np.float32)
live = LiveFit(Popular(), X, X)
live"""
USED = """if check("metrics.precision", precision, keep=False).passed:
    print("the solution says", precision({1}, [1, 2], 2))
else:
    print("not yet")"""


def write_chapter(folder: Path) -> Path:
    """Write ``02-tiny.ipynb`` and its solutions; returns the folder."""
    stub = new_code_cell(STUB, id="stub", metadata={"tags": ["exercise:metrics.precision"]})
    chapter = new_notebook(
        cells=[
            new_markdown_cell(OPENING, id="opening"),
            new_code_cell(IMPORTS, id="imports"),
            new_markdown_cell("## 1. Figures\n\n**Predict first.** Up or down?", id="figures"),
            new_code_cell(FIGURE, id="figure"),
            new_code_cell(SLIDER, id="slider"),
            new_code_cell("print('a printed fact < 1')", id="fact"),
            new_code_cell(LIVE, id="live"),
            new_code_cell("print('the run has', live.state)", id="state"),
            new_code_cell('quiz("metrics", 2)', id="quiz"),
            new_markdown_cell("## 2. Work\n\n**Exercise 1.** Write it; see [the chapter](02-tiny.ipynb).", id="work"),
            stub,
            new_code_cell('check("metrics.precision", precision)', id="check"),
            new_code_cell(USED, id="used"),
        ]
    )
    solution = new_code_cell(SOLUTION, id="s2", metadata={"tags": ["exercise:metrics.precision"]})
    solutions = new_notebook(
        cells=[
            new_markdown_cell("# 02 · Solutions\n\n**Plan for a class** (5 minutes): turn it (5).", id="s0"),
            new_code_cell("from xmlwb.lessons import check", id="si"),
            new_markdown_cell("## Exercise 1: `metrics.precision`\n\nThe denominator is $k$.", id="s1"),
            solution,
            new_code_cell('print(check("metrics.precision", precision, keep=False))', id="s3"),
            new_markdown_cell("## The predictions\n\n- Up.", id="s4"),
        ]
    )
    (folder / "solutions").mkdir(parents=True)
    nbformat.write(chapter, folder / "02-tiny.ipynb")
    nbformat.write(solutions, folder / "solutions" / "02-tiny.ipynb")
    return folder
