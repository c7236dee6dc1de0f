r"""TeX to MathML, which browsers draw without a script; `font_file` is the face that makes it look like print.

latex2mathml does the parsing; here is what it leaves to be wished for on this course's formulas, found by looking at
all of them: ``\lVert``, arguments without braces, limits below a displayed ``\min``, the space after ``\log``.
"""

from __future__ import annotations

import html
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from latex2mathml.converter import convert

_NAMESPACE = "http://www.w3.org/1998/Math/MathML"
_BARE = re.compile(r"\\(mathbf|mathbb|mathcal|mathrm|mathsf|hat|bar|tilde|vec)\s+(\\[A-Za-z]+|[A-Za-z0-9])")
_LIMITS = {"min", "max", "argmin", "argmax", "arg min", "arg max", "sup", "inf", "lim"}
_FUNCTIONS = _LIMITS | {"log", "ln", "exp", "sin", "cos", "det", "Pr", "diag", "nnz", "sign", "rank"}
_BOLD_DIGITS = dict(zip("0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", strict=True))

ElementTree.register_namespace("", _NAMESPACE)


def font_file() -> Path | None:
    """STIX Two Math as ziamath ships it, under the SIL Open Font Licence; None if it is not installed."""
    spec = find_spec("ziamath")  # not imported: it would read the font
    found = Path(spec.origin).parent / "fonts" / "STIXTwoMath-Regular.ttf" if spec and spec.origin else None
    return found if found and found.is_file() else None


@cache
def mathml(tex: str, *, block: bool = False) -> str:
    r"""A formula as a MathML element; as code, if it cannot be read.

    >>> mathml("x^2")
    '<math display="inline"><msup><mi>x</mi><mn>2</mn></msup></math>'
    >>> "munder" in mathml(r"\min_w f(w)", block=True)
    True
    """
    try:
        root = ElementTree.fromstring(convert(_readable(tex), display="block" if block else "inline"))
    except Exception:  # whatever the parser stumbles over, the reader gets to see the source
        return f'<code class="tex">{html.escape(tex)}</code>'
    for element in root.iter():
        element.tag = element.tag.removeprefix(f"{{{_NAMESPACE}}}")
        if element.text and element.tag == "mi":
            element.text = element.text.replace("\u2061", "")
    if block:
        _set_limits(root)
    _set_spaces(root)
    if len(root) == 1 and root[0].tag == "mrow":  # one row more than is needed keeps long lines from breaking
        row = root[0]
        root.remove(row)
        root.extend(list(row))
    root.attrib = {"display": "block" if block else "inline"}
    return ElementTree.tostring(root, encoding="unicode")


def _readable(tex: str) -> str:
    tex = tex.strip()
    for name in ("lVert", "rVert", "Vert"):
        tex = re.sub(rf"\\{name}(?![A-Za-z])", r"\\|", tex)
    for name in ("lvert", "rvert"):
        tex = re.sub(rf"\\{name}(?![A-Za-z])", "|", tex)
    tex = re.sub(r"\\(dots|dotsc)(?![A-Za-z])", r"\\ldots", tex)
    tex = re.sub(r"\\operatorname\*?\s*", r"\\operatorname", tex)
    tex = _BARE.sub(r"\\\1{\2}", tex)
    return re.sub(r"\\mathbf\{(\d)\}", lambda digit: _BOLD_DIGITS[digit[1]], tex)


def _set_limits(root: ElementTree.Element) -> None:
    for element in root.iter():
        if element.tag in ("msub", "msubsup") and _name(element[0]) in _LIMITS:
            element.tag = {"msub": "munder", "msubsup": "munderover"}[element.tag]


def _set_spaces(root: ElementTree.Element) -> None:
    """TeX's spaces: none around a bar or a slash, a thin one beside a function's name that no bracket follows."""
    for element in root.iter("mo"):
        if (element.text or "").strip() in ("|", "/", "∥", "‖"):
            element.attrib |= {"lspace": "0em", "rspace": "0em"}
        if _name(element) in _FUNCTIONS:
            element.tag, element.attrib = "mi", {}
    for row in list(root.iter()):
        if row.tag not in ("math", "mrow", "mtd", "mstyle"):
            continue
        parts: list[ElementTree.Element] = []
        for i, part in enumerate(row):
            core = part[0] if part.tag in ("msub", "msup", "msubsup", "munder", "munderover") else part
            after = row[i + 1] if i + 1 < len(row) else None
            if _name(core) in _FUNCTIONS:
                if parts and parts[-1].tag not in ("mo", "mspace"):
                    parts.append(ElementTree.Element("mspace", width="0.167em"))
                parts.append(part)
                if after is not None and after.tag not in ("mo", "mspace", "mrow"):
                    parts.append(ElementTree.Element("mspace", width="0.167em"))
            else:
                parts.append(part)
        row[:] = parts


def _name(element: ElementTree.Element) -> str:
    if element.tag == "mrow" and len(element) == 1:
        element = element[0]
    return (element.text or "").strip() if element.tag in ("mi", "mo", "mtext") else ""
