"""The pages that are made from the code and the README: methods, data cards, results, bibliography."""

from __future__ import annotations

import ast
import html
import re
from pathlib import Path
from typing import Any

from xmlwb.book.bibliography import cites, read_bibtex
from xmlwb.book.chapter_files import ChapterFile
from xmlwb.book.docstrings import entries_html, examples_html, read_docstring, rst_html
from xmlwb.book.prose import Prose, code_html
from xmlwb.datasets import available, load
from xmlwb.datasets.registry import STANDARD
from xmlwb.datasets.standard import SetNotFoundError
from xmlwb.models import METHODS, MethodInfo

#: Sets with more training documents are described by their published figures: counting takes minutes.
LARGEST_COUNTED = 100_000


def methods_html(chapters: list[ChapterFile], prose: Prose) -> str:
    """Every method: the problem it solves, its deviation box, its sources, its parameters."""
    parts = [
        prose.html(
            "# Methods\n\nEvery method keeps one contract: `fit(X, Y)`, `predict_topk(X, k)`, `save`, `load`. What "
            "follows is what the code says of itself: the problem as the paper states it, what it costs, and a box "
            "with what we do differently from the paper and from its released code."
        ),
        _method_table(chapters),
    ]
    families = dict.fromkeys(info.family for info in METHODS.values())
    for family in families:
        parts.append(prose.html(f"## {family[0].upper()}{family[1:]}"))
        parts += [_method(info, chapters, prose) for info in METHODS.values() if info.family == family]
    return "\n".join(parts)


def _method_table(chapters: list[ChapterFile]) -> str:
    rows = "".join(
        f'<tr><td><a href="#{info.key}"><code>{info.key}</code></a></td><td>{html.escape(info.title)}</td>'
        f"<td>{html.escape(info.family)}</td><td>{_chapter_link(info.chapter, chapters)}</td>"
        f"<td>{html.escape(info.paper)}</td></tr>"
        for info in METHODS.values()
    )
    head = "<tr><th>Key</th><th>Method</th><th>Family</th><th>Chapter</th><th>After</th></tr>"
    return f'<div class="wide"><table><thead>{head}</thead><tbody>{rows}</tbody></table></div>'


def _method(info: MethodInfo, chapters: list[ChapterFile], prose: Prose) -> str:
    doc = read_docstring(info.cls)
    prose.headings.found.append((3, info.key, html.escape(info.title)))
    link = _chapter_link(info.chapter, chapters)
    parts = [
        f'<section class="method" id="{info.key}"><h3>{html.escape(info.title)} <code>{info.cls.__name__}</code></h3>',
        f'<p class="facts">{html.escape(info.paper)}{f" · chapter {link}" if link else ""} · on the command line '
        f"<code>{info.key}</code></p>",
        rst_html(f"{doc.summary}\n\n{doc.body}"),
    ]
    if "Notes" in doc.sections:
        parts.append(f'<div class="notes">{rst_html(doc.sections["Notes"])}</div>')
    for name in ("Parameters", "Attributes"):
        if name in doc.sections:
            parts.append(f"<details><summary>{name}</summary>{entries_html(doc.sections[name])}</details>")
    if "Examples" in doc.sections:
        parts.append(f"<details><summary>Example</summary>{examples_html(doc.sections['Examples'])}</details>")
    if "References" in doc.sections:
        parts.append(f'<div class="sources"><b>References.</b> {rst_html(doc.sections["References"])}</div>')
    return "\n".join([*parts, "</section>"])


def _chapter_link(number: int, chapters: list[ChapterFile]) -> str:
    found = next((chapter for chapter in chapters if chapter.number == number), None)
    return f'<a href="{found.name}.html">{found.number:02d}</a>' if found else ""


def data_html(prose: Prose) -> str:
    """A card for every data set; published figures where its files are not on this machine."""
    parts = [
        prose.html(
            "# Data cards\n\nWhere each set comes from, what it looks like, and what is wrong with it. `debtags` and "
            "`debdeps` are in the box. Of the sets of the literature, those that were on the machine that made this "
            "book are counted; of the others stands here what was published. `xmlwb data info NAME` prints a card."
        )
    ]
    for name in available():
        if name in STANDARD:
            parts.append(_standard_card(name, prose))
        elif name != "synthetic":
            parts.append(prose.html(f'{load(name).card.to_markdown()}\n\n`load("{name}")`'))
    return "\n".join(parts)


def _standard_card(name: str, prose: Prose) -> str:
    info = STANDARD[name]
    if (info.n_train or LARGEST_COUNTED + 1) <= LARGEST_COUNTED:
        try:
            return prose.html(f'{load(name).card.to_markdown()}\n\n`load("{name}")`')
        except (SetNotFoundError, OSError, ValueError):
            pass
    facts: dict[str, Any] = {
        "training documents n": info.n_train,
        "test documents": info.n_test,
        "features d": info.n_features,
        "labels L": info.n_labels,
    }
    rows = "\n".join(f"| {what} | {number:,} |" for what, number in facts.items() if number)
    a, b = info.propensity_ab
    note = f"\n\n{info.note}" if info.note else ""
    return prose.html(
        f"## {info.title}\n\nNot counted here: published figures. Propensity constants A = {a}, B = {b}.{note}\n\n"
        f"| published | |\n|---|---:|\n{rows}\n\n`xmlwb data fetch {name}`"
    )


def results_html(root: Path, prose: Prose) -> str:
    """The README's tables of results with the commands that print them, and what else the benchmarks measure."""
    readme = (root / "README.md").read_text(encoding="utf-8")
    sections = re.findall(r"^(## Beside .*?)(?=^## )", readme, flags=re.MULTILINE | re.DOTALL)
    parts = [
        prose.html(
            "# Results\n\nMeasured with the scripts in `benchmarks/`; below each table stand the commands that print "
            "it. The same tables are in the repository's README."
        ),
        *map(prose.html, sections),
        prose.html("## All benchmarks\n\nRun from the root of the repository; `--help` lists the options of each."),
    ]
    rows = []
    for script in sorted((root / "benchmarks").glob("*.py")):
        tree = ast.parse(script.read_text(encoding="utf-8"))
        runs = any(isinstance(n, ast.If) and "__main__" in ast.unparse(n.test) for n in tree.body)
        told = (ast.get_docstring(tree) or "").split("\n\n")[0]
        if runs and told:
            rows.append(f"<dt>{code_html(f'python benchmarks/{script.name}', 'sh')}</dt><dd>{rst_html(told)}</dd>")
    return "\n".join([*parts, f'<dl class="benchmarks">{"".join(rows)}</dl>'])


def bibliography_html(root: Path, chapters: list[ChapterFile], prose: Prose) -> str:
    """The works of ``book/references.bib``, each with the methods and chapters that cite it."""
    texts = {
        c.name: "\n".join(cell.source for cell in c.read().cells if cell.cell_type == "markdown") for c in chapters
    }
    docs = {info.key: info.cls.__doc__ or "" for info in METHODS.values()}
    items = []
    for reference in read_bibtex(root / "book" / "references.bib"):
        where = [
            f'<a href="{c.name}.html">chapter {c.number:02d}</a>' for c in chapters if cites(texts[c.name], reference)
        ]
        where += [f'<a href="methods.html#{key}">{key}</a>' for key, doc in docs.items() if cites(doc, reference)]
        cited = f'<span class="cited">Cited: {", ".join(where)}.</span>' if where else ""
        items.append(f'<li id="{reference.key}">{reference.to_html()} {cited}</li>')
    intro = (
        "# Bibliography\n\nWhat the chapters and the code build on. A work is listed because it is cited, which "
        "does not say that it was read: where a source was not at hand, the method's notes say so. As a file: "
        '<a href="references.bib" download>references.bib</a>.'
    )
    return f'{prose.html(intro)}<ol class="works">{"".join(items)}</ol>'
