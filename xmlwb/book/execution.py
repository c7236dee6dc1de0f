"""Chapters executed once: the outputs are kept, and used again until the code they came from changes."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from xmlwb.atomic import atomic_path
from xmlwb.book.editions import quick_checks

MIME = "application/vnd.xmlwb.book+json"
#: One cell may take this long; the longest trains for some minutes on two busy cores.
CELL_SECONDS = 1800


@dataclass
class Executed:
    """A notebook with its outputs, and what its kernel told the book.

    Attributes
    ----------
    notebook : NotebookNode
    widgets, answers : dict
        See `xmlwb.book.widget_snapshots.publish`.
    seconds : float
        What the execution took.
    fast : bool
        Whether it ran in fast mode.
    error : str
        Why it could not be executed; empty if it was.
    cached : bool
        Whether the outputs are those of an earlier call.
    """

    notebook: Any
    widgets: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    fast: bool = False
    error: str = ""
    cached: bool = False


def execute(
    notebook: Any,
    cache: Path,
    *,
    name: str,
    folder: Path,
    fast: bool = False,
    trust: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Executed:
    """Run a notebook's code, or take its outputs from the cache.

    The cache holds one file a notebook. It is used if the code cells, fast mode and every file of this package that the
    notebook imported are what they were; prose may change. A notebook that fails is not kept.

    Parameters
    ----------
    notebook : NotebookNode
        Left as it is.
    cache : Path
        Folder of the kept outputs.
    name : str
        The cache file's name.
    folder : Path
        Where the code runs.
    fast : bool
        Sets ``XMLWB_FAST`` for the kernel.
    trust : bool
        Take kept outputs of the same cells although files of this package have changed: for work on the prose.
    progress : callable, optional
        ``progress(cells run, cells)``.
    """
    kept = cache / f"{name}.json"
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    if found := _from_cache(kept, code, fast, trust):
        return _with_outputs(notebook, found, fast=fast, cached=True)
    begin = time.perf_counter()
    run = deepcopy(notebook)
    asked = json.dumps(quick_checks(notebook))
    opening = "from xmlwb.book.widget_snapshots import prepare\n\nprepare()"
    ending = f"from xmlwb.book.widget_snapshots import publish\n\npublish({asked})"
    run.cells = [nbformat.v4.new_code_cell(opening), *run.cells, nbformat.v4.new_code_cell(ending)]
    for cell in run.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    error = _run(run, folder, fast, progress)
    if error:
        return Executed(notebook=_without_outputs(notebook), fast=fast, error=error)
    _first, *cells, last = [cell for cell in run.cells if cell.cell_type == "code"]
    told = next(out.data[MIME] for out in last.outputs if MIME in out.get("data", {}))
    record = {
        "code": code,
        "fast": fast,
        "files": {file: _digest(Path(file)) for file in told["modules"]},
        "seconds": time.perf_counter() - begin,
        "outputs": [cell.outputs for cell in cells],
        "widgets": told["widgets"],
        "answers": told["answers"],
    }
    cache.mkdir(parents=True, exist_ok=True)
    with atomic_path(kept) as draft:
        draft.write_text(json.dumps(record), encoding="utf-8")
    return _with_outputs(notebook, record, fast=fast, cached=False)


def _run(notebook: Any, folder: Path, fast: bool, progress: Callable[[int, int], None] | None) -> str:
    """Fill in the outputs; what went wrong, or an empty text."""
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    total = sum(cell.cell_type == "code" for cell in notebook.cells)
    done = 0

    def count(cell: Any, cell_index: int, **_more: Any) -> None:
        nonlocal done
        if cell.cell_type == "code":
            done += 1
            if progress is not None:
                progress(done, total)

    with tempfile.TemporaryDirectory() as scratch:
        client = NotebookClient(
            notebook,
            timeout=CELL_SECONDS,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            store_widget_state=False,  # it would hold plotly.js once a notebook; see widget_snapshots
            on_cell_complete=count,
            extra_arguments=["--log-level=40"],
        )
        # PATH: "python3" of the kernel's description is this interpreter, whatever shell called it
        environment = {
            **os.environ,
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
            "PLOTLY_RENDERER": "plotly_mimetype",
            "XMLWB_FAST": "1" if fast else "",
            "XMLWB_PROGRESS": str(Path(scratch) / "progress.json"),
        }
        try:
            client.execute(env=environment)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            where = next(
                (c for c in notebook.cells if any(o.output_type == "error" for o in c.get("outputs", []))), None
            )
            said = str(error).strip().splitlines()[-1] if str(error).strip() else ""
            return f"{f'cell {where.id}: ' if where else ''}{type(error).__name__}: {said}"
    return ""


def _from_cache(kept: Path, code: list[str], fast: bool, trust: bool) -> dict[str, Any] | None:
    try:
        record: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        same = record["code"] == code and record["fast"] == fast
        same = same and (trust or all(_digest(Path(file)) == digest for file, digest in record["files"].items()))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return record if same else None


def _with_outputs(notebook: Any, record: dict[str, Any], *, fast: bool, cached: bool) -> Executed:
    filled = deepcopy(notebook)
    code = [cell for cell in filled.cells if cell.cell_type == "code"]
    for cell, outputs in zip(code, record["outputs"], strict=True):
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
    return Executed(filled, record["widgets"], record["answers"], record["seconds"], fast=fast, cached=cached)


def _without_outputs(notebook: Any) -> Any:
    clean = deepcopy(notebook)
    for cell in clean.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return clean


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "missing"
