"""The outputs of a cell as HTML: tables, text, figures, and live widgets as they looked last."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from typing import Any

from xmlwb.book.prose import math_in_html

PLOTLY = "application/vnd.plotly.v1+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
#: What stands under a widget that needs a kernel for what it cannot do on a page.
LIVE = (
    "Moves without a kernel, one control at a time, among positions that were drawn ahead. "
    "In JupyterLab a kernel makes it live."
)
STILL = "The last figure of a live widget: a kernel makes it live, in JupyterLab."
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def output_html(output: Any, widgets: dict[str, Any], *, context: str = "figure") -> str:
    """One output of a cell; empty where there is nothing to show.

    Parameters
    ----------
    output : NotebookNode
    widgets : dict
        What is known of the chapter's widgets, see `xmlwb.book.widget_snapshots`.
    context : str
        Describes a figure that has no title, for readers who cannot see it.
    """
    if output.output_type == "stream":
        text = _ESCAPES.sub("", _joined(output.text)).rstrip()
        kind = "stderr" if output.name == "stderr" else "stdout"
        return f'<pre class="output {kind}">{html.escape(_last_of_line(text))}</pre>' if text else ""
    if output.output_type == "error":
        return f'<pre class="output error">{html.escape(f"{output.ename}: {output.evalue}")}</pre>'
    data = output.data
    if PLOTLY in data:
        return figure_html(data[PLOTLY], _title(data[PLOTLY]) or context)
    if WIDGET in data:
        return widget_html(data[WIDGET]["model_id"], widgets)
    if "text/html" in data:
        return f'<div class="output rich wide">{_joined(data["text/html"])}</div>'
    for kind in ("image/svg+xml", "image/png", "image/jpeg"):
        if kind in data:
            return _image(kind, _joined(data[kind]), context)
    if "text/latex" in data:
        return f'<div class="output rich">{math_in_html(_joined(data["text/latex"]))}</div>'
    if "text/markdown" in data:
        from xmlwb.book.prose import Prose

        return f'<div class="output rich">{Prose().html(_joined(data["text/markdown"]))}</div>'
    text = _joined(data.get("text/plain", ""))
    return f'<pre class="output">{html.escape(text)}</pre>' if text.strip() else ""


def figure_html(spec: dict[str, Any], alt: str) -> str:
    """A plotly figure that ``book.js`` draws when it comes into view."""
    layout = {key: value for key, value in spec.get("layout", {}).items() if key != "width"}
    height = layout.get("height") or 450
    # compact: many figures repeat the template, which book.js puts in
    kept = {"data": spec.get("data", []), "layout": layout, "frames": spec.get("frames", [])}
    return (
        f'<figure class="plot" style="--height:{int(height)}px" role="img" aria-label="{html.escape(alt, quote=True)}">'
        f'<script type="application/json">{_script_json(_shared_template(kept))}</script></figure>'
    )


def widget_html(model_id: str, widgets: dict[str, Any]) -> str:
    """A widget as a page can show it: its controls' values, its last figure, and sliders over what was drawn ahead."""
    found = widgets.get(model_id)
    if found is None:
        return ""
    parts = list(_leaves(model_id, widgets))
    figures = [part for part in parts if part["kind"] == "figure" and part["figure"]]
    texts = [part["html"] for part in parts if part["kind"] == "text" and part["html"].strip()]
    moves = found.get("moves", [])
    body = [_controls_html(parts, moves), *(f"<div class='said'>{math_in_html(text)}</div>" for text in texts)]
    body += [figure_html(part["figure"], part["alt"]) for part in figures]
    if moves:
        compact = [
            {**move, "positions": [{**p, "figure": _shared_template(p["figure"])} for p in move["positions"]]}
            for move in moves
        ]
        body.append(f'<script type="application/json" class="moves">{_script_json(compact)}</script>')
    note = LIVE if moves else STILL if figures else "A kernel makes this widget live, in JupyterLab."
    return f'<div class="widget">{"".join(body)}<p class="kernel-note">{note}</p></div>'


def _controls_html(parts: list[dict[str, Any]], moves: list[dict[str, Any]]) -> str:
    moving = {move["label"]: i for i, move in enumerate(moves)}
    items = []
    for part in parts:
        if part["kind"] == "control" and part["label"] in moving:
            items.append(_slider(moving.pop(part["label"]), moves))
        elif part["kind"] == "control" and part["label"]:
            label, value = html.escape(part["label"]), html.escape(part["value"])
            items.append(f'<span class="control">{label} <output>{value}</output></span>')
    items += [_slider(i, moves) for i in moving.values()]
    return f'<div class="controls">{"".join(items)}</div>' if items else ""


def _slider(i: int, moves: list[dict[str, Any]]) -> str:
    move = moves[i]
    positions, at = move["positions"], move["at"]
    return (
        f'<label class="control">{html.escape(move["label"])} <input type="range" min="0" max="{len(positions) - 1}" '
        f'value="{at}" data-move="{i}"><output>{html.escape(positions[at]["value"])}</output></label>'
    )


def _leaves(model_id: str, widgets: dict[str, Any]) -> Any:
    found = widgets.get(model_id)
    if found is None:
        return
    if found["kind"] == "box":
        for child in found["children"]:
            yield from _leaves(child, widgets)
    else:
        yield found


def _shared_template(figure: dict[str, Any]) -> dict[str, Any]:
    """The same figure without its template if that is the course's own, which the book holds once."""
    layout = dict(figure.get("layout", {}))
    if layout.get("template") == course_template():
        layout["template"] = "xmlwb"
    return {**figure, "layout": layout}


@cache
def course_template() -> dict[str, Any]:
    """The template of every figure of the course, as JSON."""
    import plotly.io as pio

    import xmlwb.plots.theme  # noqa: F401  (registers it)

    found: dict[str, Any] = json.loads(json.dumps(pio.templates["xmlwb"].to_plotly_json()))
    return found


def _script_json(value: Any) -> str:
    """JSON that may stand in a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return text.replace("</", "<\\/").replace("<!--", "<\\!--")


def _title(spec: dict[str, Any]) -> str:
    title = spec.get("layout", {}).get("title", {})
    text = title.get("text", "") if isinstance(title, dict) else str(title)
    return re.sub(r"<[^>]+>", " ", text or "").strip()


def _image(kind: str, data: str, alt: str) -> str:
    if kind == "image/svg+xml":
        return f'<div class="output rich">{data}</div>'
    return f'<img class="output" src="data:{kind};base64,{data.strip()}" alt="{html.escape(alt, quote=True)}">'


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text)


def _last_of_line(text: str) -> str:
    """What a terminal shows of lines that were written over, as progress bars do."""
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
