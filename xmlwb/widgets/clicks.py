"""Buttons that are heard while a cell runs."""

from __future__ import annotations

import ipywidgets as widgets


def hear_beside_cells(button: widgets.Button) -> None:
    """Let a click reach the kernel while a cell runs.

    JupyterLab sends clicks to a subshell, a thread that a running cell does not block. ipykernel 7.4 sends them on to
    the shell that last spoke to the button instead, which is the blocked one; here the front end's choice holds. Where
    ipykernel does not redirect, or knows no subshells, there is nothing to undo.
    """
    if hasattr(button.comm, "_reply_subshell_for"):
        button.comm._reply_subshell_for = lambda _data, chosen_by_front_end: chosen_by_front_end
