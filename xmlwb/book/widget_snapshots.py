"""Live widgets as they look at the end of a chapter, and where their sliders lead: run in the chapter's own kernel.

`prepare` and `publish` are called by the first and the last cell, which the book adds to a chapter. A page without a
kernel can then show each widget's last figure; a widget whose figures are quick to draw also brings those of other
positions of its sliders, so that they move without a kernel.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import plotly.graph_objects as go
from IPython import get_ipython
from IPython.display import publish_display_data

from xmlwb.lessons.pace import fast
from xmlwb.widgets import LiveFigure, SliderFigure, StepFigure
from xmlwb.widgets.background_run import BackgroundRun

MIME = "application/vnd.xmlwb.book+json"
#: Positions shown of one slider, at most, and of one algorithm's steps.
POSITIONS, STEPS = 13, 40
#: Bytes and seconds that the other positions of one widget may cost.
MOST_BYTES, MOST_SECONDS = 3_000_000, 30.0
#: A live run is stopped after so long.
LIVE_SECONDS, LIVE_SECONDS_FAST = 180.0, 45.0


def prepare() -> None:
    """Let every live run that a cell shows end before the next cell asks for its result: nobody is here to press Start.

    A run that takes longer than `LIVE_SECONDS` (in fast mode `LIVE_SECONDS_FAST`) is stopped.
    """
    seconds = LIVE_SECONDS_FAST if fast() else LIVE_SECONDS

    def after_cell(_result: object) -> None:
        for widget in list(ipywidgets.widgets.widget._instances.values()):
            if isinstance(widget, BackgroundRun):
                _finish(widget, seconds)

    get_ipython().events.register("post_run_cell", after_cell)


def publish(questions: Sequence[tuple[str, int]] = ()) -> None:
    """Display what the page needs besides the outputs, as one bundle of type `MIME`.

    Parameters
    ----------
    questions : sequence of (chapter's key, number)
        Quick checks whose answers the page shows on demand; numbers among them are computed here, where the data is.
    """
    bundle = {
        "widgets": snapshots(),
        "answers": {f"{chapter}/{number}": _answer(chapter, number) for chapter, number in questions},
        "modules": sorted(_loaded_modules()),
    }
    publish_display_data({MIME: bundle, "text/plain": ""})


def snapshots() -> dict[str, Any]:
    """All widgets of this kernel by their model id, as far as a page can show them."""
    known: dict[str, Any] = dict(ipywidgets.widgets.widget._instances)
    return {key: found for key, widget in known.items() if (found := describe(widget)) is not None}


def describe(widget: Any) -> dict[str, Any] | None:
    """What a page can show of one widget; None if nothing.

    ``kind`` is "figure" (with ``figure``, a plotly spec, and ``alt``), "text" (``html``), "control" (``label`` and
    ``value``), "button" (``label``) or "box" (``children``, ids). A box with sliders has ``moves``, see `moves`.
    """
    if isinstance(widget, LiveFigure):
        return {"kind": "figure", "figure": json.loads(widget.figure or "null"), "alt": widget.alt}
    if isinstance(widget, ipywidgets.Box):
        found: dict[str, Any] = {"kind": "box", "children": [child.model_id for child in widget.children]}
        if isinstance(widget, SliderFigure | StepFigure):
            found["moves"] = moves(widget)
        return found
    if isinstance(widget, ipywidgets.Label | ipywidgets.HTML | ipywidgets.HTMLMath):
        return {"kind": "text", "html": widget.value}
    if isinstance(widget, ipywidgets.Button):
        return {"kind": "button", "label": widget.description}
    if isinstance(widget, ipywidgets.IntProgress | ipywidgets.FloatProgress):
        return None
    if isinstance(widget, ipywidgets.ValueWidget) and hasattr(widget, "description"):
        return {"kind": "control", "label": widget.description, "value": shown(widget, widget.value)}
    return None


def moves(widget: SliderFigure | StepFigure) -> list[dict[str, Any]]:
    """Figures of other positions, one control moved at a time while the others stay.

    Returns
    -------
    list of dict
        ``label`` of the control, ``at``, the index of its present position, and ``positions``: a list of
        ``{"value": text, "figure": plotly spec}``. Controls share the bytes and seconds that a widget may cost; one
        whose share is not enough for all positions has fewer, and none if that were less than three.
    """
    found: list[dict[str, Any]] = []
    tracks = list(_tracks(widget))
    bytes_left, seconds_left = float(MOST_BYTES), MOST_SECONDS
    for i, (label, values, at, draw) in enumerate(tracks):
        waiting = len(tracks) - i
        begin = time.monotonic()
        present = _drawn(draw, values[at][1])
        if present is None:
            continue
        cost, size = time.monotonic() - begin, len(json.dumps(present))
        fits = int(min(bytes_left / size, seconds_left / max(cost, 1e-3)) / waiting)
        if fits < min(3, len(values)) or len(values) < 2:
            continue
        positions: list[dict[str, Any]] = []
        here = 0
        for place in spread(len(values), at, fits):
            text, value = values[place]
            if (spec := present if place == at else _drawn(draw, value)) is None:
                continue
            here = len(positions) if place == at else here
            bytes_left -= len(json.dumps(spec))
            positions.append({"value": text, "figure": spec})
        seconds_left -= time.monotonic() - begin
        if len(positions) > 1:
            found.append({"label": label, "at": here, "positions": positions})
    return found


def spread(n: int, here: int, most: int) -> list[int]:
    """At most ``most`` of n places in a row, evenly spread, both ends and ``here`` among them.

    >>> spread(10, 3, 4)
    [0, 3, 4, 9]
    """
    if n <= most:
        return list(range(n))
    return sorted({round(i * (n - 1) / (most - 2)) for i in range(most - 1)} | {here})


def _drawn(draw: Any, value: Any) -> dict[str, Any] | None:
    """The figure of one position as JSON; None where the widget has nothing for it."""
    try:
        spec: dict[str, Any] = json.loads(draw(value).to_json())
    except Exception:  # whatever an author's function raises at an odd place
        return None
    return spec


def _tracks(widget: SliderFigure | StepFigure) -> Iterator[tuple[str, list[tuple[str, Any]], int, Any]]:
    """Each control as (label, its positions as (text, value), the present one, value -> figure)."""
    if isinstance(widget, StepFigure):
        last = len(widget.states) - 1
        steps = sorted({round(i * last / min(last, STEPS)) for i in range(min(last, STEPS) + 1)} if last else {0})
        yield "step", [(str(i), i) for i in steps], 0, lambda at: widget._draw_figure(widget.states, at)
        return
    for name, control in widget.controls.items():
        values = positions_of(control)
        here = next((i for i, (_, value) in enumerate(values) if value == control.value), None)
        if here is None or (not widget._follow and len(values) > 8):
            continue  # slow to draw: only what has few positions

        def draw(value: Any, name: str = name) -> go.Figure:
            return widget._fn(**{**widget.values, name: value})

        yield control.description or name, values, here, draw


def positions_of(control: Any) -> list[tuple[str, Any]]:
    """Up to `POSITIONS` values of a control, its present one among them, each with the text that stands for it."""
    value = control.value
    if isinstance(control, ipywidgets.Checkbox):
        return [("no", False), ("yes", True)]
    if hasattr(control, "options"):
        options = list(control.options)
        pairs = [option if isinstance(option, tuple) else (str(option), option) for option in options]
        return _thinned(pairs, [v for _, v in pairs].index(value)) if value in [v for _, v in pairs] else []
    if not (hasattr(control, "min") and hasattr(control, "max")):
        return []
    if isinstance(control, ipywidgets.FloatLogSlider):
        low, high = control.min, control.max
        grid = [control.base ** (low + (high - low) * i / (POSITIONS - 2)) for i in range(POSITIONS - 1)]
    else:
        n = round((control.max - control.min) / control.step)
        keep = sorted({round(i * n / min(n, POSITIONS - 2)) for i in range(min(n, POSITIONS - 2) + 1)})
        grid = [control.min + i * control.step for i in keep]
        grid = [type(value)(round(v, 10)) for v in grid]
    grid = sorted({*(v for v in grid if abs(v - value) > 1e-9), value})
    return [(shown(control, v), v) for v in grid]


def shown(control: Any, value: Any) -> str:
    """A control's value as its reader sees it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(control, "label") and hasattr(control, "options"):
        pairs = [option if isinstance(option, tuple) else (str(option), option) for option in control.options]
        return next((str(text) for text, v in pairs if v == value), str(value))
    return f"{value:,.4g}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def _thinned(pairs: list[tuple[str, Any]], here: int) -> list[tuple[str, Any]]:
    return [pairs[place] for place in spread(len(pairs), here, POSITIONS)]


def _finish(run: BackgroundRun, seconds: float) -> None:
    """Let a run end, started first if nobody did; stop it when it takes too long."""
    if run.state not in ("ready", "running", "stopping"):
        return
    if run.state == "ready":
        run.start()
    end = time.monotonic() + seconds
    while run.running and time.monotonic() < end:
        time.sleep(0.2)
    if run.running:
        run.stop()
        run.wait(60)


def _answer(chapter: str, number: int) -> str:
    from xmlwb.lessons.chapters import lesson
    from xmlwb.lessons.questions import Numeric

    question = lesson(chapter).QUESTIONS[number - 1]
    return question.judge(question.answer()).text if isinstance(question, Numeric) else ""


def _loaded_modules() -> Iterator[str]:
    """Files of this package that the chapter has imported, with the data files beside them."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.split(".")[0] == "xmlwb" and file:
            yield file
            yield from (str(path) for path in Path(file).parent.glob("*.csv"))
            yield from (str(path) for path in Path(file).parent.glob("*.parquet"))
