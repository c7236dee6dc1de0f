"""The chapters of the course: the one place that says which exist, and in which order."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class ChapterInfo:
    """One chapter of the course.

    Attributes
    ----------
    number : int
        Its place in the course; the notebook's name starts with it, in two digits.
    slug : str
        The rest of the notebook's name.
    title : str
        The chapter's title.
    minutes : int
        How long a first reader needs: exercises included, parts marked *skip on a first pass* left out.
    question : str
        The question that the chapter answers.
    key : str
        The short name that ``quiz`` and ``check`` use; also the name of its module in ``xmlwb.lessons``.
    more_minutes : int
        What the parts marked *skip on a first pass* take on top.
    """

    number: int
    slug: str
    title: str
    minutes: int
    question: str
    key: str
    more_minutes: int = 0

    @property
    def file(self) -> str:
        """Name of the notebook, the same in ``notebooks/`` and ``notebooks/solutions/``."""
        return f"{self.number:02d}-{self.slug}.ipynb"

    @property
    def path(self) -> str:
        """Path of the notebook from the root of the repository."""
        return f"notebooks/{self.file}"


CHAPTERS: list[ChapterInfo] = [
    ChapterInfo(
        number=0,
        slug="tour",
        title="A tour of extreme multi-label classification",
        minutes=15,
        question="What changes when there are more labels than anyone could check one by one?",
        key="tour",
        more_minutes=30,
    ),
    ChapterInfo(
        number=1,
        slug="extreme-data",
        title="Extreme data: volume, quantity, quality",
        minutes=45,
        question="What does the data look like, and which of the survey's claims about it hold here?",
        key="data",
    ),
    ChapterInfo(
        number=2,
        slug="metrics",
        title="Metrics: what do we reward?",
        minutes=45,
        question="When is one ranking of labels better than another, and who decides?",
        key="metrics",
    ),
    ChapterInfo(
        number=3,
        slug="compressed-sensing",
        title="Compressed sensing: few 1s in a long vector",
        minutes=90,
        question="A label vector has few 1s: can we predict a short code instead, and decode?",
        key="compressed_sensing",
        more_minutes=30,
    ),
    ChapterInfo(
        number=4,
        slug="svd-leml",
        title="Linear label spaces: do a few directions hold all labels?",
        minutes=90,
        question="Labels are correlated: do a few directions hold most of Y, and for which labels do they not?",
        key="svd_leml",
        more_minutes=40,
    ),
    ChapterInfo(
        number=5,
        slug="trees",
        title="Trees: a search instead of a scan",
        minutes=90,
        question="Can a search tree find the right labels without looking at all of them?",
        key="trees",
        more_minutes=55,
    ),
    ChapterInfo(
        number=6,
        slug="dxml-label-graph",
        title="The label graph: neighbours instead of columns",
        minutes=90,
        question="Labels that occur together are neighbours in a graph: does a deep embedding of it help?",
        key="dxml",
        more_minutes=40,
    ),
    ChapterInfo(
        number=7,
        slug="glas-overfitting",
        title="Overfitting: the glass ceiling of embeddings",
        minutes=90,
        question="Are a few dimensions too narrow for thousands of labels, or do embeddings overfit?",
        key="glas",
        more_minutes=25,
    ),
    ChapterInfo(
        number=8,
        slug="lightdxml",
        title="LightDXML: learn from the hardest labels only",
        minutes=90,
        question="Can a small deep model be trained on only the hardest labels?",
        key="lightdxml",
    ),
    ChapterInfo(
        number=9,
        slug="ablations",
        title="Ablations: which knob, on which labels, at what cost?",
        minutes=75,
        question="Which method wins on which part of the labels, at what cost, and is that real?",
        key="ablations",
    ),
]


def chapter(key: str) -> ChapterInfo:
    """Return the chapter with this key.

    Raises
    ------
    ValueError
        If there is no such chapter.
    """
    for info in CHAPTERS:
        if info.key == key:
            return info
    raise ValueError(f"chapter: found {key!r}, wanted one of {[info.key for info in CHAPTERS]}")


def lesson(key: str) -> ModuleType:
    """Return the module that holds a chapter's ``QUESTIONS`` and ``EXERCISES``."""
    return importlib.import_module(f"xmlwb.lessons.{chapter(key).key}")
