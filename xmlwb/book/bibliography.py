"""BibTeX as far as ``book/references.bib`` uses it: entries of fields in braces, no strings and no macros."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ENTRY = re.compile(r"@(\w+)\s*\{\s*([^,\s]+)\s*,(.*?)\n\}", flags=re.DOTALL)
_FIELD = re.compile(r"(\w+)\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}")
_ACCENTS = {r"\"u": "ü", r"\"o": "ö", r"\"a": "ä", r"\'e": "é", r"\`e": "è", r"\~n": "ñ", r"\'a": "á", r"\'o": "ó"}


@dataclass(frozen=True)
class Reference:
    """One entry.

    Attributes
    ----------
    key, kind : str
        ``zhang2018deep``, ``inproceedings``.
    fields : dict of str to str
        As they stand in the file, braces and accents taken out.
    """

    key: str
    kind: str
    fields: Mapping[str, str]

    @property
    def title(self) -> str:
        return self.fields["title"]

    @property
    def authors(self) -> list[str]:
        """Each as "Given Family"."""
        parts = [name.split(",") for name in re.split(r"\s+and\s+", self.fields.get("author", ""))]
        return [" ".join(part.strip() for part in reversed(name)) for name in parts if name != [""]]

    def to_html(self) -> str:
        """The entry as a reader wants it: authors, title, where, when."""
        names = self.authors
        shown = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        shown = shown.replace(" and others", " et al.")
        where = self.fields.get("booktitle") or self.fields.get("journal") or self.fields.get("publisher", "")
        number = " ".join(filter(None, (self.fields.get("volume"), _brackets(self.fields.get("number", "")))))
        place = ", ".join(
            filter(None, (f"<i>{html.escape(where)}</i>" if where else "", number, self.fields.get("year")))
        )
        note = self.fields.get("note", "")
        text = f"{html.escape(shown)}{'. ' if shown else ''}<b>{html.escape(self.title)}.</b> {place}."
        return f"{text} {html.escape(note)}." if note else text


def read_bibtex(path: Path) -> list[Reference]:
    """The entries of a file, by first author's family name and year.

    Raises
    ------
    ValueError
        If a key stands twice, or an entry has no title or year.
    """
    found: dict[str, Reference] = {}
    for kind, key, body in _ENTRY.findall(path.read_text(encoding="utf-8")):
        fields = {name.lower(): _plain(value) for name, value in _FIELD.findall(body)}
        if missing := {"title", "year"} - fields.keys():
            raise ValueError(f"{path}: {key} has no {', '.join(sorted(missing))}")
        if key in found:
            raise ValueError(f"{path}: {key} stands twice")
        found[key] = Reference(key, kind.lower(), fields)
    return sorted(found.values(), key=lambda r: (_plain(r.fields.get("author", r.title)).lower(), r.fields["year"]))


def cites(text: str, reference: Reference) -> bool:
    """Whether a text names the work by its title, whatever its line breaks, case and marks.

    >>> work = Reference("zhang2018deep", "misc", {"title": "Deep Extreme Multi-label Learning"})
    >>> cites("see 'Deep extreme\\n multi-label learning', 2018", work)
    True
    """
    return squeezed(reference.title)[:60] in squeezed(text)


def squeezed(text: str) -> str:
    """Letters and digits alone, in small letters."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def _plain(value: str) -> str:
    for source, letter in _ACCENTS.items():
        value = value.replace(f"{{{source}}}", letter).replace(source, letter)
    return " ".join(re.sub(r"[{}]", "", value).replace(r"\&", "&").replace("--", "–").split())


def _brackets(number: str) -> str:
    return f"({number})" if number else ""
