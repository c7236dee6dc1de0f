"""Buttons and tabs that are heard while a cell runs."""

from __future__ import annotations

import ipywidgets as widgets


def hear_beside_cells(widget: widgets.Widget) -> None:
    """Let a click on a widget reach the kernel while a cell runs.

    JupyterLab sends clicks to a subshell, a thread that a running cell does not block. ipykernel 7.4 sends them on to
    the shell that last spoke to the widget instead, which is the blocked one; here the front end's choice holds. Where
    ipykernel does not redirect, or knows no subshells, there is nothing to undo.
    """
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = lambda _data, chosen_by_front_end: chosen_by_front_end
