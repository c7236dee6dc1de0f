"""The explorer as a page of its own, served by Voila: what `xmlwb app` starts and what the page shows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path

import ipywidgets as widgets

#: The folders that the page shows, as a JSON list.
FOLDERS = "XMLWB_APP_FOLDERS"
NOTEBOOK = Path(__file__).parent / "explorer.ipynb"
_JUPYTER = Path(__file__).parent / "jupyter"  # Voila's template that asks the network for nothing
_HEADING = "<h2 style='margin:4px 0'>Runs of {}</h2>"


def studies_below(folder: Path) -> list[Path]:
    """The studies in a folder: itself, or those right below it.

    Raises
    ------
    FileNotFoundError
        There is no such folder, or no study in it.
    """
    if not folder.exists():
        raise FileNotFoundError(f"FOLDER: {folder} not found; wanted the folder of a study, or one that holds studies")
    if folder.is_file() and folder.suffix == ".parquet":
        return [folder]
    places = [folder, *sorted(folder.iterdir())] if folder.is_dir() else []
    found = [place for place in places if _has_runs(place)]
    if not found:
        raise FileNotFoundError(f"FOLDER: no study in {folder}; xmlwb sweep makes one, wanted its folder")
    return [found[0]] if found[0] == folder else found


def _has_runs(place: Path) -> bool:
    return (place / "runs").is_dir() and next((place / "runs").glob("*.parquet"), None) is not None


def voila_command(*, port: int | None = None, browser: bool = True, extra: Sequence[str] = ()) -> list[str]:
    """The command that serves the page on this machine alone; nothing is fetched from elsewhere."""
    command = [sys.executable, "-m", "voila", str(NOTEBOOK)]
    command += ["--Voila.ip=127.0.0.1", "--template=xmlwb", "--show_tracebacks=True"]
    command += [] if port is None else [f"--port={port}", "--Voila.port_retries=0"]
    return [*command, *([] if browser else ["--no-browser"]), *extra]


def page_environment(folders: Sequence[Path]) -> dict[str, str]:
    """The environment in which Voila is started, so that its page shows these studies."""
    paths = [str(_JUPYTER), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    shown = json.dumps([str(folder.resolve()) for folder in folders])
    return {**os.environ, FOLDERS: shown, "JUPYTER_PATH": os.pathsep.join(paths)}


def page() -> widgets.Widget:
    """What the page shows: the explorer of the folders in the environment, or what is wrong with them."""
    from xmlwb.explorer.run_explorer import explore
    from xmlwb.widgets.messages import error_line

    folders = [Path(folder) for folder in json.loads(os.environ.get(FOLDERS, "[]"))]
    try:
        if not folders:
            raise ValueError(f"no folder is named in the variable {FOLDERS}; start the page by: xmlwb app FOLDER")
        explorer = explore(folders)
    except (ValueError, OSError) as error:
        return widgets.HTML(error_line(error))
    names = ", ".join(escape(folder.name) for folder in folders)
    return widgets.VBox([widgets.HTML(_HEADING.format(names)), explorer], layout={"padding": "4px 16px"})
