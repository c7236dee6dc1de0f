"""Docstrings in numpy's form as HTML: their reStructuredText by docutils, their formulas as MathML."""

from __future__ import annotations

import html
import inspect
import re
from dataclasses import dataclass, field
from typing import Any

from docutils.core import publish_parts

from xmlwb.book.mathematics import mathml
from xmlwb.book.prose import code_html

_SECTION = re.compile(r"^([A-Z][\w ]+)\n-{3,}\n", flags=re.MULTILINE)
_BAR = "\ue000"
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,  # what docutils finds odd stands in the page as it was written
    "initial_header_level": 3,
    "syntax_highlight": "none",
    "embed_stylesheet": False,
}


@dataclass
class Docstring:
    """A docstring in parts.

    Attributes
    ----------
    summary : str
        Its first paragraph.
    body : str
        What follows, up to the first section; reStructuredText.
    sections : dict of str to str
        ``{"Parameters": text, ...}``.
    """

    summary: str
    body: str
    sections: dict[str, str] = field(default_factory=dict)


def read_docstring(thing: Any) -> Docstring:
    """Part the docstring of a class or function; empty parts if it has none."""
    pieces = _SECTION.split(inspect.getdoc(thing) or "")
    summary, _, body = pieces[0].strip().partition("\n\n")
    return Docstring(
        summary, body, {name: text.strip("\n") for name, text in zip(pieces[1::2], pieces[2::2], strict=True)}
    )


def rst_html(text: str) -> str:
    """ReStructuredText as HTML; a name in single backticks becomes code.

    >>> rst_html("the `C` of :math:`x`")
    '<p>the <code>C</code> of <math display="inline"><mi>x</mi></math></p>'
    """
    formulas: list[str] = []

    def inline(found: re.Match[str]) -> str:
        formulas.append(mathml(" ".join(found[1].split())))
        # as wide as the source, so that the columns of a table stay where they are
        return (
            f"M{len(formulas) - 1:03d}".ljust(len(found[0]), "Q")
            if "\n" not in found[0]
            else f"M{len(formulas) - 1:03d}Q"
        )

    def block(found: re.Match[str]) -> str:
        formulas.append(f'<div class="formula">{mathml(_dedented(found[2]), block=True)}</div>')
        return f"{found[1]}M{len(formulas) - 1:03d}Q\n\n"

    text = re.sub(r"^( *)\.\. math:: *\n?((?:.*\n?)(?:\1 +.*\n?|\n)*)", block, text + "\n", flags=re.MULTILINE)
    text = re.sub(r":math:`([^`]+)`", inline, text)
    text = text.replace("|", _BAR)  # bars are absolute values here, no substitutions
    made = publish_parts(f".. default-role:: literal\n\n{text}", writer="html5", settings_overrides=_SETTINGS)["body"]
    made = re.sub(r'<span class="docutils literal">(.*?)</span>', r"<code>\1</code>", made, flags=re.DOTALL)
    made = re.sub(r'<(table|p|dl|ul|ol|code|tr|td|th|thead|tbody)( class="[^"]*")', r"<\1", made)
    made = re.sub(r"<colgroup>.*?</colgroup>", "", made, flags=re.DOTALL)
    made = made.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    made = re.sub(r'<a class="reference external" href="mailto:[^"]*">(.*?)</a>', r"\1", made)  # P@1 is no address
    made = re.sub(r"<p>\s*(M\d{3}Q+)\s*</p>", r"\1", made)
    return re.sub(r"M(\d{3})Q+", lambda found: formulas[int(found[1])], made.replace(_BAR, "|")).strip()


def entries_html(text: str) -> str:
    """A list of parameters or attributes, ``name : type`` with an indented description, as a definition list."""
    items = []
    for head, description in re.findall(r"^(\S.*)\n((?:(?: +.*)?\n?)*)", text + "\n", flags=re.MULTILINE):
        name, _, kind = head.partition(" : ")
        # names of two arguments, or a heading of its own: what has no type stands alone
        term = f"<dt><code>{html.escape(name)}</code>{f' <span>{html.escape(kind)}</span>' if kind else ''}</dt>"
        items.append(f"{term}<dd>{rst_html(_dedented(description))}</dd>")
    return f'<dl class="entries">{"".join(items)}</dl>'


def examples_html(text: str) -> str:
    """The doctest of a docstring."""
    return code_html(_dedented(text).strip(), "pycon")


def _dedented(text: str) -> str:
    lines = text.split("\n")
    first, rest = lines[0], lines[1:]
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    return "\n".join([first.lstrip(), *(line[margin:] for line in rest)]).strip("\n")
