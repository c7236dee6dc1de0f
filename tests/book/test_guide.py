"""The instructor's guide: its timings add up, its clock is right, its links and the glossary's lead somewhere."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "book" / "instructors-guide.md").read_text(encoding="utf-8")
PAGES = {"methods.html", "data.html", "results.html", "glossary.html", "bibliography.html", "index.html"}


def part(heading: str) -> str:
    return GUIDE.split(f"## {heading}\n")[1].split("\n## ")[0]


def test_a_term_has_fourteen_meetings_of_ninety_minutes() -> None:
    rows = re.findall(r"^\| (\d+) \| (\d+) \| (.*?) \|", part("A term"), flags=re.MULTILINE)
    assert [int(week) for week, _, _ in rows] == list(range(1, 15))
    assert {minutes for _, minutes, _ in rows} == {"90"}
    (first,) = [what for week, _, what in rows if week == "1"]
    assert sum(map(int, re.findall(r"\((\d+)\)", first))) == 90


def test_the_day_has_no_hole_and_no_overlap() -> None:
    rows = re.findall(r"^\| (\d+):(\d\d) \| (\d+) \|", part("One day"), flags=re.MULTILINE)
    assert len(rows) > 8
    for (hour, minute, length), (next_hour, next_minute, _) in pairwise(rows):
        assert 60 * int(hour) + int(minute) + int(length) == 60 * int(next_hour) + int(next_minute)


def test_ninety_minutes_are_ninety() -> None:
    assert sum(map(int, re.findall(r"^\| (\d+) \|", part("Ninety minutes"), flags=re.MULTILINE))) == 90


@pytest.mark.parametrize("name", ["glossary.md", "instructors-guide.md", "front-page.md"])
def test_links_lead_to_chapters_or_pages(name: str) -> None:
    text = (ROOT / "book" / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert target in PAGES or (ROOT / "notebooks" / target).is_file(), target


def test_every_term_of_the_glossary_is_explained_once() -> None:
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    terms = re.findall(r"^([^\n:#].*)\n: ", text, flags=re.MULTILINE)
    assert len(terms) > 50
    assert len(terms) == len(set(terms))
