"""Markdown to HTML, with formulas as MathML, code in colours, and headings that can be linked to."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt
from mdit_py_plugins.deflist import deflist_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from xmlwb.book.mathematics import mathml

#: Paragraphs that begin with one of these are set apart.
CALLOUTS = {"Predict first.": "predict", "Exercise": "exercise", "Plan for a class": "plan"}
#: A formula in a line, and the marks that may not stand alone on the next.
_TIED = re.compile(r'((?:\()?<math display="inline">(?:(?!</math>).)*</math>[.,;:!?)]+)', flags=re.DOTALL)
_FORMATTER = HtmlFormatter(nowrap=True)


@dataclass
class Headings:
    """The headings met so far: (level, id, HTML text); ids are unique on a page."""

    found: list[tuple[int, str, str]] = field(default_factory=list)

    def add(self, level: int, text: str, plain: str) -> str:
        slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-") or "section"
        taken = {name for _, name, _ in self.found}
        name = next(s for i in range(1, 1000) if (s := slug if i == 1 else f"{slug}-{i}") not in taken)
        self.found.append((level, name, text))
        return name


class Prose:
    """Renders the Markdown of one page.

    Parameters
    ----------
    link : callable, optional
        What a link's address in the source becomes on the page.
    """

    def __init__(self, link: Callable[[str], str] | None = None) -> None:
        self.headings = Headings()
        self._link = link or (lambda address: address)
        self._markdown = MarkdownIt("commonmark", {"html": True, "highlight": _coloured}).enable(
            ["table", "strikethrough"]
        )
        self._markdown.use(dollarmath_plugin, double_inline=True).use(deflist_plugin)
        renderer: Any = self._markdown.renderer
        rules = renderer.rules
        rules["math_inline"] = lambda tokens, i, options, env: mathml(tokens[i].content)
        rules["math_inline_double"] = rules["math_block"] = _displayed
        rules["table_open"] = lambda tokens, i, options, env: '<div class="wide"><table>\n'
        rules["table_close"] = lambda tokens, i, options, env: "</table></div>\n"

    def html(self, source: str) -> str:
        """One piece of Markdown as HTML; its headings are added to `headings`."""
        env: dict[str, Any] = {}
        tokens = self._markdown.parse(source, env)
        for i, token in enumerate(tokens):
            if token.type == "heading_open":
                inline = tokens[i + 1]
                text = self._markdown.renderer.render(inline.children or [], self._markdown.options, env)
                plain = re.sub(r"<[^>]+>|[`*]", "", inline.content)
                token.attrSet("id", self.headings.add(int(token.tag[1]), text, plain))
            elif token.type == "inline":
                for child in token.children or []:
                    if child.type == "link_open" and not re.match(r"[a-z]+:|#", str(child.attrGet("href"))):
                        child.attrSet("href", self._link(str(child.attrGet("href"))))
                if i and tokens[i - 1].type == "paragraph_open" and (kind := _callout(inline_text(token))):
                    tokens[i - 1].attrSet("class", f"callout {kind}")
        made = str(self._markdown.renderer.render(tokens, self._markdown.options, env))
        return _TIED.sub(r'<span class="tied">\1</span>', made)


def inline_text(token: Any) -> str:
    """The first words of a paragraph if they are strong; otherwise nothing."""
    children = [child for child in token.children or [] if child.type != "text" or child.content]
    if len(children) > 1 and children[0].type == "strong_open":
        return str(children[1].content)
    return ""


def _callout(words: str) -> str:
    return next((kind for start, kind in CALLOUTS.items() if words.startswith(start)), "")


def _displayed(tokens: Any, i: int, options: Any, env: Any) -> str:
    return f'<div class="formula">{mathml(tokens[i].content, block=True)}</div>\n'


def code_html(source: str, language: str = "python") -> str:
    """Code with the classes of Pygments, in ``<pre>``; plain where the language is unknown."""
    return f'<pre class="code"><code>{_coloured(source, language, "") or html.escape(source)}</code></pre>'


def _coloured(source: str, language: str, _attributes: str) -> str:
    try:
        lexer = get_lexer_by_name(language or "text", stripnl=False)
    except ClassNotFound:
        return html.escape(source)
    return str(highlight(source, lexer, _FORMATTER)).rstrip("\n")


def math_in_html(text: str) -> str:
    """HTML whose formulas stand between dollars, as ipywidgets' ``HTMLMath`` takes it.

    >>> math_in_html("<b>all</b> of $x$").startswith("<b>all</b> of <math")
    True
    """
    text = re.sub(r"\$\$(.+?)\$\$", lambda m: mathml(html.unescape(m[1]), block=True), text, flags=re.DOTALL)
    return re.sub(r"(?<![\\\w])\$([^$\n]+?)\$(?!\w)", lambda m: mathml(html.unescape(m[1])), text)
