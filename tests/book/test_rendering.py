"""Formulas, prose, outputs and docstrings as HTML."""

from __future__ import annotations

import json
import re
from pathlib import Path

import nbformat
import plotly.graph_objects as go
import pytest

from xmlwb.book.bibliography import cites, read_bibtex
from xmlwb.book.chapter_files import find_chapters
from xmlwb.book.docstrings import entries_html, read_docstring, rst_html
from xmlwb.book.mathematics import mathml
from xmlwb.book.outputs import output_html
from xmlwb.book.prose import Prose, math_in_html
from xmlwb.book.quick_checks import quick_check_html
from xmlwb.lessons.chapters import CHAPTERS, lesson
from xmlwb.lessons.questions import MultipleChoice
from xmlwb.models import METHODS

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        (r"\lVert y \rVert_0", "‖"),
        (r"\mathbf 1", "𝟏"),
        (r"\operatorname{nnz}(Y)", "<mi>nnz</mi>"),
        (r"s \ln L", '<mspace width="0.167em" /><mi>ln</mi><mspace width="0.167em" />'),
        (r"\tfrac12", "<mfrac>"),
    ],
)
def test_formulas_that_the_parser_alone_gets_wrong(tex: str, wanted: str) -> None:
    assert wanted in mathml(tex)


def test_a_formula_that_cannot_be_read_is_shown_as_it_is() -> None:
    assert mathml(r"\frac{1}{") == '<code class="tex">\\frac{1}{</code>'


def test_every_formula_of_the_course_is_read() -> None:
    prose = Prose()
    paths = [path for c in find_chapters(ROOT / "notebooks") for path in (c.path, c.solutions) if path]
    text = "".join(
        prose.html(cell.source)
        for path in paths
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    )
    assert text.count("<math") > 300
    assert re.findall(r'<code class="tex">.*?</code>', text) == []
    assert set(re.findall(r"\\[A-Za-z]+", " ".join(re.findall(r"<math.*?</math>", text)))) == set()


def test_dollars_of_widgets_are_formulas_and_others_stay() -> None:
    assert math_in_html("costs 5$ or 6$") == "costs 5$ or 6$"
    assert math_in_html("$a &lt; b$").startswith("<math")


def test_headings_get_names_of_their_own() -> None:
    prose = Prose()
    page = prose.html("## A `b` $c$\n\n## A b c")
    assert [name for _, name, _ in prose.headings.found] == ["a-b-c", "a-b-c-2"]
    assert 'id="a-b-c-2"' in page


def test_links_are_led_elsewhere_and_addresses_are_not() -> None:
    page = Prose(lambda address: f"to/{address}").html("[a](b.ipynb) [c](https://d.e) [f](#g)")
    assert re.findall('href="([^"]+)"', page) == ["to/b.ipynb", "https://d.e", "#g"]


def test_callouts_are_set_apart() -> None:
    assert '<p class="callout predict">' in Prose().html("**Predict first.** What?")
    assert "callout" not in Prose().html("What to **Predict first.**")


def test_printed_text_is_escaped_and_overwritten_lines_are_gone() -> None:
    output = nbformat.v4.new_output("stream", text="10 %\r\x1b[1m100 %\x1b[0m <b>\n")
    assert output_html(output, {}) == '<pre class="output stdout">100 % &lt;b&gt;</pre>'


def test_a_figure_is_data_that_no_text_can_break_out_of() -> None:
    figure = go.Figure(go.Scatter(y=[1], name="</script><script>alert(1)"))
    data = {"application/vnd.plotly.v1+json": json.loads(figure.to_json())}
    page = output_html(nbformat.v4.new_output("display_data", data=data), {})
    assert page.count("</script>") == 1
    held = re.search(r"<script[^>]*>(.*?)</script>", page, flags=re.DOTALL)
    assert json.loads(held[1])["data"][0]["name"] == "</script><script>alert(1)"  # type: ignore[index]


def test_the_courses_template_is_not_repeated_in_each_figure() -> None:
    import xmlwb.plots  # noqa: F401

    data = {"application/vnd.plotly.v1+json": json.loads(go.Figure(go.Scatter(y=[1])).to_json())}
    page = output_html(nbformat.v4.new_output("display_data", data=data), {})
    assert '"template":"xmlwb"' in page
    assert len(page) < 1000


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda chapter: chapter.slug)
def test_quick_checks_say_why(chapter) -> None:
    for number, question in enumerate(lesson(chapter.key).QUESTIONS, start=1):
        page = quick_check_html(chapter.key, number, {f"{chapter.key}/{number}": "because"})
        if isinstance(question, MultipleChoice):
            assert page.count("<details") == len(question.choices)
            assert page.count("✓ Right.") == 1
        else:
            assert "because" in page
        assert " open" not in page.split("</p>")[0]


@pytest.mark.parametrize("key", METHODS)
def test_docstrings_are_read_whole(key: str) -> None:
    doc = read_docstring(METHODS[key].cls)
    pages = [rst_html(text) for text in (doc.summary, doc.body, doc.sections.get("Notes", ""))]
    pages += [entries_html(doc.sections.get(name, "")) for name in ("Parameters", "Attributes")]
    page = "".join(pages)
    assert doc.summary
    assert "system-message" not in page
    assert "problematic" not in page
    assert ":math:" not in page
    assert "mailto:" not in page
    assert '<code class="tex">' not in page
    assert re.search(r"M\d{3}Q", page) is None
    if "====" in doc.sections.get("Notes", ""):
        assert "<table>" in pages[2]


def test_every_parameter_has_its_entry() -> None:
    page = entries_html(read_docstring(METHODS["fastxml"].cls).sections["Parameters"])
    assert re.findall(r"<dt><code>(\w+)", page) == [
        "n_trees", "max_leaf", "C", "max_leaf_labels", "n_jobs", "random_state",
    ]  # fmt: skip


def test_every_work_of_the_bibliography_is_cited() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "xmlwb").rglob("*.py")]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        texts.append("\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells))
    works = read_bibtex(ROOT / "book" / "references.bib")
    assert len(works) > 30
    assert [work.key for work in works if not any(cites(text, work) for text in texts)] == []


def test_a_work_is_shown_with_its_authors(tmp_path: Path) -> None:
    (tmp_path / "a.bib").write_text(
        '@article{b, author = {B{\\"o}h, A. and Cee, D. and others},\n title = {{T}itle \\& more},\n journal = {J},\n'
        " volume = {2},\n number = {3},\n year = {2001}\n}\n"
    )
    (work,) = read_bibtex(tmp_path / "a.bib")
    assert work.to_html() == "A. Böh, D. Cee et al.. <b>Title &amp; more.</b> <i>J</i>, 2 (3), 2001."


@pytest.mark.parametrize("fault", ["@misc{a, title = {T}\n}\n", "@misc{a, title = {T}, year = {1}\n}\n" * 2])
def test_a_faulty_bibliography_is_refused(tmp_path: Path, fault: str) -> None:
    (tmp_path / "a.bib").write_text(fault)
    with pytest.raises(ValueError, match=r"a has no year|a stands twice"):
        read_bibtex(tmp_path / "a.bib")
