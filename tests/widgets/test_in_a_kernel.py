"""The widgets in a real kernel with no page to show them: how nbval, nbclient and nbconvert run a chapter."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

CELLS = [
    """\
import numpy as np
from scipy.sparse import eye_array
from xmlwb.models import KNN, Popular
from xmlwb.widgets import LiveFit, parameter_panel, slider_figure
X = eye_array(6, format="csr", dtype=np.float32)
live = LiveFit(Popular(), X, X, start=True)
live""",
    "print(live.wait(60).state, live.model.predict_topk(X, k=2).nnz)",
    "panel = parameter_panel(KNN, data=(X, X)); panel",
    "print(LiveFit(panel.model, X, X).result(60).predict_topk(X, k=1).shape)",
]


def test_a_fit_that_nobody_starts_or_watches_ends_in_its_cell() -> None:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    NotebookClient(notebook, timeout=120, kernel_name="python3", store_widget_state=False).execute()
    printed = [output.text for cell in notebook.cells for output in cell.outputs if output.output_type == "stream"]
    assert printed == ["finished 12\n", "(6, 6)\n"]
    assert all("application/vnd.jupyter.widget-view+json" in notebook.cells[i].outputs[0].data for i in (0, 2))
