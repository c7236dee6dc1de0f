"""What can be wrong with somebody's own data: faults with a severity, a place, and what to do about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")

KINDS: dict[str, tuple[Severity, str]] = {
    "files": ("error", "Name the files as one of the formats wants them, or choose the format yourself."),
    "unreadable": ("error", "Write or copy the file again; nothing of it could be read."),
    "header": ("error", "Write the numbers of what the file really holds into its first line."),
    "number of rows": ("error", "Correct the number in the header, or find out which rows were lost or doubled."),
    "malformed line": ("error", "Correct these lines, or leave them out."),
    "index out of range": ("error", "Indices count from 0: correct them, or the size that the header gives."),
    "index twice": ("error", "Write each index of a line once (values of one feature added up)."),
    "value not finite": ("error", "Replace NaN and infinite values, or leave the entries out: absent means 0."),
    "label value": ("error", "Labels are 1 where present and left out where not; weights are not taken."),
    "option": ("error", "Correct the option."),
    "widths differ": ("error", "Number features and labels once for all parts, and write the same sizes in each file."),
    "rows differ": ("error", "Features and labels belong together row by row: write both from the same list."),
    "names": ("error", "Write one name a line, as many as there are columns."),
    "split": ("error", "Row numbers count from 1, each once, and never in both parts of a split."),
    "nothing to learn": ("error", "A data set wants instances, each with features or a text, and labels."),
    "leak": ("warning", "Take these instances out of the test part (or out of training), else the test figures "
             "reward learning by heart."),
    "training rows twice": ("note", "Keep one of each if they are copies; they also leak into validation rows."),
    "labels never trained": ("warning", "No method here can predict them: find examples, or leave the labels out."),
    "labels unused": ("note", "Leave them out, unless their numbers must stay."),
    "no labels": ("warning", "Leave these instances out if nobody labelled them; keep them if no label applies. In "
                  "the test part they count 0 in every metric."),
    "no features": ("warning", "Nothing can be said of them: give them features or a text, or leave them out."),
    "names twice": ("warning", "Merge the columns, or tell them apart by their names."),
    "no test part": ("note", "Give a test part of your own if figures are to be compared with those of others."),
    "numbered from 1": ("warning", "If indices count from 1 in your files, subtract 1: column 0 would be empty."),
}  # fmt: skip
"""Each kind of fault, with its severity and what to do about it."""

_KEPT = 1000  # line numbers of one fault
_SHOWN = 8


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, in as many places as it occurs.

    Attributes
    ----------
    kind : str
        Key of `KINDS`.
    message : str
        What was found and what was wanted; of the lowest place where there are several.
    file : str
        The file's name, or "" where it is no single file's.
    lines : tuple of int
        The first 1,000 places: lines of the file, from 1, or rows, from 0.
    count : int
        How many places there are.
    unit : {"line", "row"}
        What `lines` counts.
    """

    kind: str
    message: str
    file: str = ""
    lines: tuple[int, ...] = ()
    count: int = 1
    unit: str = "line"

    @property
    def severity(self) -> Severity:
        """ "error": no study makes sense before it is mended; "warning": look at it; "note": good to know."""
        return KINDS[self.kind][0]

    @property
    def to_do(self) -> str:
        """What to do about it."""
        return KINDS[self.kind][1]

    @property
    def where(self) -> str:
        """ "train.txt, lines 3, 8 and 14": the file and the first places.

        >>> Fault("malformed line", "", "train.txt", (3, 8), 5).where
        'train.txt, lines 3, 8 and 3 more'
        """
        if not self.lines:
            return self.file
        shown = [f"{line:,}" for line in self.lines[:_SHOWN]]
        more = self.count - len(shown)
        last = f"{more:,} more" if more else shown.pop()
        places = f"{', '.join(shown)} and {last}" if shown else last
        unit = self.unit + ("s" if self.count > 1 else "")
        return f"{self.file}, {unit} {places}" if self.file else f"{unit} {places}"

    def __str__(self) -> str:
        """One line: severity, place, what is wrong."""
        first = "first: " if self.count > 1 and self.lines else ""
        place = f"{self.where}: " if self.where else ""
        return f"{self.severity}: {place}{first}{self.message}"


@dataclass
class _Found:
    """A fault in the making; the message is that of the lowest place."""

    unit: str
    message: str = ""
    lowest: int = 0
    count: int = 0
    places: list[int] = field(default_factory=list)


class FaultLog:
    """Collects faults; those of one kind in one file become one fault with many lines."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str, str], _Found] = {}

    def add(
        self,
        kind: str,
        message: str,
        file: Path | str = "",
        *,
        line: int | None = None,
        row: int | None = None,
        apart: str = "",
    ) -> None:
        """Note a fault; ``apart`` keeps those of one kind and file as two."""
        name = file.name if isinstance(file, Path) else file
        place = line if line is not None else row
        key = (kind, name, apart if place is not None else f"{apart}{message}")
        found = self._found.setdefault(key, _Found("line" if row is None else "row"))
        if place is None or not found.places or place < found.lowest:
            found.message, found.lowest = message, place or 0
        if place is not None:
            found.places.append(place)
        found.count += 1

    def faults(self) -> list[Fault]:
        """All that was noted: errors first, then in order of discovery."""
        made = [
            Fault(kind, found.message, name, tuple(sorted(found.places)[:_KEPT]), found.count, found.unit)
            for (kind, name, _), found in self._found.items()
        ]
        return sorted(made, key=lambda fault: SEVERITIES.index(fault.severity))


def after_name(path: Path, problem: Exception) -> str:
    """The message of an error without the file and line that it begins with."""
    return re.sub(rf"^{re.escape(path.name)}(, line \d+)?: ", "", str(problem)) or type(problem).__name__


_COLOURS = {"error": "#b00020", "warning": "#b35900", "note": "#555"}


def faults_table(faults: list[Fault]) -> str:
    """The faults as an HTML table; severity is a word, not a colour alone."""
    if not faults:
        return "<p>Nothing is wrong with it, as far as can be checked.</p>"
    wrapped = "white-space: normal; overflow-wrap: anywhere"
    head = "".join(f'<th scope="col" style="text-align: left">{title}</th>' for title in ("", "where", "what", "do"))
    rows = []
    for fault in faults:
        first = "first: " if fault.count > 1 and fault.lines else ""
        cells = (
            f'<b style="color: {_COLOURS[fault.severity]}">{fault.severity}</b><br>{escape(fault.kind)}',
            escape(fault.where),
            escape(first + fault.message),
            escape(fault.to_do),
        )
        styles = ("white-space: nowrap", *[wrapped] * 3)
        made = "text-align: left; vertical-align: top; line-height: 1.35; padding: 2px 10px 2px 0"
        row = "".join(f'<td style="{made}; {style}">{text}</td>' for style, text in zip(styles, cells, strict=True))
        rows.append(f"<tr>{row}</tr>")
    return f'<table class="xmlwb-faults"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
